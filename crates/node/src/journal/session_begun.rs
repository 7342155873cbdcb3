//! Everything a session is besides its delivery: the latest one of a session wins.
//!
//! ```text
//! u8        version
//! u8        MQTT 5 (bit 0), detached (1), a will (2)
//! number    session
//! bytes     client identifier
//! number    session expiry interval
//! moment x2 end of the session and of the will's delay, if detached
//!           will, if there is one: flags of its content, delay, topic, properties, payload
//!           owner
//! number    subscriptions, and each of them
//! ```

use super::last_will::LastWill;
use super::owner::Owner;
use super::presence::Presence;
use super::reader::{Fault, Reader};
use super::session_id::SessionId;
use super::subscription::Subscription;
use super::writer::Writer;
use mqtt::client_id::ClientId;
use mqtt::wire::Version;
use store::log::Kind;

/// A session as it is now. What changes behind it is told by [`Subscribed`](super::Subscribed),
/// [`Unsubscribed`](super::Unsubscribed), [`Attached`](super::Attached) and
/// [`Detached`](super::Detached), until another one overtakes them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionBegun<'a> {
    /// Its name for ever.
    pub session: SessionId,
    /// A valid client identifier.
    pub client: &'a str,
    /// Of the present or last connection.
    pub version: Version,
    /// Session expiry interval in seconds; `u32::MAX` = never.
    pub expiry_s: u32,
    /// Whether somebody is there.
    pub presence: Presence,
    /// Its will, if it still has one.
    pub will: Option<LastWill<'a>>,
    /// Whose it is.
    pub owner: Owner<'a>,
    /// All its subscriptions, shared ones included.
    pub subscriptions: Vec<Subscription<'a>>,
}

impl<'a> SessionBegun<'a> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        let v5 = if self.version == Version::V5 { V5 } else { 0 };
        let detached = match self.presence {
            Presence::Connected => 0,
            Presence::Detached { .. } => DETACHED,
        };
        w.byte(v5 | detached | if self.will.is_some() { WILL } else { 0 });
        w.session(self.session);
        w.bytes(self.client.as_bytes());
        w.number(u64::from(self.expiry_s));
        if let Presence::Detached { ends_at_ms, will_at_ms } = self.presence {
            w.moment(ends_at_ms);
            w.moment(will_at_ms);
        }
        if let Some(will) = &self.will {
            will.write(&mut w);
        }
        self.owner.write(&mut w);
        Subscription::write_all(&self.subscriptions, &mut w);
    }

    pub(super) fn decode(r: &mut Reader<'a>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        let flags = r.flags(V5 | DETACHED | WILL)?;
        let session = r.session()?;
        let client = r.text()?;
        ClientId::check(client).map_err(|_| Fault::Malformed("no client identifier"))?;
        let expiry_s = r.number_u32()?;
        let presence = match flags & DETACHED {
            0 => Presence::Connected,
            _ => Presence::Detached { ends_at_ms: r.moment()?, will_at_ms: r.moment()? },
        };
        let will = if flags & WILL == 0 { None } else { Some(LastWill::read(r)?) };
        let owner = Owner::read(r)?;
        let subscriptions = Subscription::read_all(r)?;
        let version = if flags & V5 == 0 { Version::V311 } else { Version::V5 };
        Ok(Self { session, client, version, expiry_s, presence, will, owner, subscriptions })
    }

    /// The client identifier of a payload that was decoded before, without the rest.
    pub(super) fn client_of(payload: &'a [u8]) -> Option<&'a str> {
        let mut r = Reader::new(payload);
        let _head = (r.byte().ok()?, r.byte().ok()?, r.session().ok()?);
        r.text().ok()
    }

    pub(super) const KIND: Kind = Kind(2);
}

const VERSION: u8 = 1;
const V5: u8 = 1;
const DETACHED: u8 = 1 << 1;
const WILL: u8 = 1 << 2;
