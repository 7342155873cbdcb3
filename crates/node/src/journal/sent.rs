//! An exchange begins.

use super::progress::Via;
use super::reader::{Fault, Reader};
use super::session_id::SessionId;
use super::writer::Writer;
use mqtt::packet_id::PacketId;
use store::log::{Kind, StreamId};
use store::op::Sequence;

/// A QoS 2 PUBLISH goes out once this is a fact (core.md 2): after a restart it is sent again with
/// its identifier, so that the receiver knows it (MQTT 5, 4.3.3-3).
///
/// An identifier is used again only when its exchange is over: if no
/// [`Progress`](super::Progress) has said so yet, this does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// To whom.
    pub session: SessionId,
    /// By which identifier.
    pub packet_id: PacketId,
    /// The message.
    pub sequence: Sequence,
    /// By what it came.
    pub via: Via,
}

impl Sent {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        w.session(self.session);
        w.packet_id(self.packet_id);
        w.sequence(self.sequence);
        match self.via {
            Via::Own => w.byte(0),
            Via::Group(stream) => {
                w.byte(1);
                w.number(u64::from(stream.0));
            }
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        let (session, packet_id) = (r.session()?, r.packet_id()?);
        let sequence = r.sequence()?;
        let via = match r.flags(1)? {
            0 => Via::Own,
            _ => Via::Group(StreamId(r.number_u32()?)),
        };
        Ok(Self { session, packet_id, sequence, via })
    }

    pub(super) const KIND: Kind = Kind(5);
}

const VERSION: u8 = 1;
