//! Who published a message, as far as a restart has to know.

use super::reader::{Fault, Reader};
use super::session_id::SessionId;
use super::writer::Writer;
use mqtt::packet_id::PacketId;

/// Who published, and what the log remembers of it besides the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publisher<'a> {
    /// Somebody without a durable session: nothing about it outlives a restart.
    Passing,
    /// A durable session, for No Local (MQTT 5, 3.8.3.1-3).
    Session(SessionId),
    /// A durable session by QoS 2: its identifier is held until PUBREL, so that a repeated PUBLISH
    /// is answered and not delivered again (MQTT 5, 4.3.3-10).
    Exchange(SessionId, PacketId),
    /// A request with a key that a repeat is known by.
    Request(Request<'a>),
}

/// The `Idempotency-Key` of an HTTP publish. A record under a key was accepted: a repeat is
/// answered so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// Whose key it is: keys of two principals never meet.
    pub principal: &'a str,
    /// The key.
    pub key: &'a str,
    /// Which item of a batch, as all items share the batch's key.
    pub item: Option<u32>,
    /// Domain wall milliseconds from which the key is new again.
    pub ends_at_ms: u64,
}

impl<'a> Publisher<'a> {
    /// When its key is new again, if it has one.
    pub fn key_ends_at_ms(&self) -> Option<u64> {
        match self {
            Self::Request(request) => Some(request.ends_at_ms),
            Self::Passing | Self::Session(_) | Self::Exchange(..) => None,
        }
    }

    /// Its form in two bits.
    pub(super) fn form(&self) -> u8 {
        match self {
            Self::Passing => 0,
            Self::Session(_) => 1,
            Self::Exchange(..) => 2,
            Self::Request(_) => 3,
        }
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        match *self {
            Self::Passing => {}
            Self::Session(session) => w.session(session),
            Self::Exchange(session, packet_id) => {
                w.session(session);
                w.packet_id(packet_id);
            }
            Self::Request(Request { principal, key, item, ends_at_ms }) => {
                w.bytes(principal.as_bytes());
                w.bytes(key.as_bytes());
                w.number(item.map_or(0, |item| u64::from(item) + 1));
                w.moment(ends_at_ms);
            }
        }
    }

    /// The other side of `form` and `write`.
    pub(super) fn read(form: u8, r: &mut Reader<'a>) -> Result<Self, Fault> {
        Ok(match form {
            0 => Self::Passing,
            1 => Self::Session(r.session()?),
            2 => Self::Exchange(r.session()?, r.packet_id()?),
            _ => Self::Request(Request {
                principal: r.text()?,
                key: r.text()?,
                item: item(r.number()?)?,
                ends_at_ms: r.moment()?,
            }),
        })
    }
}

fn item(number: u64) -> Result<Option<u32>, Fault> {
    let Some(item) = number.checked_sub(1) else { return Ok(None) };
    u32::try_from(item).map(Some).map_err(|_| Fault::Malformed("an item's number is too large"))
}
