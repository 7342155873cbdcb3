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

use super::content::Content;
use super::owner::Owner;
use super::reader::{Fault, Reader};
use super::session_id::SessionId;
use super::subscription::Subscription;
use super::writer::Writer;
use mqtt::client_id::ClientId;
use mqtt::wire::Version;
use store::log::Kind;

/// A session began, or one of these changed: who is there, will, owner, expiry, subscriptions.
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

/// Whether a session had a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It had; after a restart it is lost since the last [`Clock`](super::Clock).
    Connected,
    /// It had none. Domain wall milliseconds; `u64::MAX` = never.
    Detached {
        /// When the session ends.
        ends_at_ms: u64,
        /// When its will is due.
        will_at_ms: u64,
    },
}

/// A will (MQTT 5, 3.1.2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastWill<'a> {
    /// What is to be published.
    pub content: Content<'a>,
    /// Will Delay Interval in seconds.
    pub delay_s: u32,
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
        w.number(self.subscriptions.len() as u64);
        for subscription in &self.subscriptions {
            subscription.write(&mut w);
        }
    }

    pub(super) fn decode(r: &mut Reader<'a>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        let flags = r.byte()?;
        if flags & !(V5 | DETACHED | WILL) != 0 {
            return Err(Fault::Malformed("a session has no such flag"));
        }
        let session = r.session()?;
        let client = r.text()?;
        ClientId::parse(client).map_err(|_| Fault::Malformed("no client identifier"))?;
        let expiry_s = r.number_u32()?;
        let presence = match flags & DETACHED {
            0 => Presence::Connected,
            _ => Presence::Detached { ends_at_ms: r.moment()?, will_at_ms: r.moment()? },
        };
        let will = if flags & WILL == 0 { None } else { Some(LastWill::read(r)?) };
        let owner = Owner::read(r)?;
        let count = r.count(Subscription::BYTES_MIN)?;
        let mut subscriptions = Vec::with_capacity(count);
        for _ in 0..count {
            subscriptions.push(Subscription::read(r)?);
        }
        let version = if flags & V5 == 0 { Version::V311 } else { Version::V5 };
        Ok(Self { session, client, version, expiry_s, presence, will, owner, subscriptions })
    }

    pub(super) const KIND: Kind = Kind(2);
}

impl<'a> LastWill<'a> {
    fn write(&self, w: &mut Writer<'_>) {
        let Content { topic, properties, payload, .. } = self.content;
        w.byte(self.content.flags());
        w.number(u64::from(self.delay_s));
        for part in [topic.as_bytes(), properties, payload] {
            w.bytes(part);
        }
    }

    fn read(r: &mut Reader<'a>) -> Result<Self, Fault> {
        let flags = r.byte()?;
        if flags >> CONTENT_BITS != 0 {
            return Err(Fault::Malformed("a will has no such flag"));
        }
        let delay_s = r.number_u32()?;
        let (topic, properties, payload) = (r.bytes()?, r.bytes()?, r.bytes()?);
        Ok(Self { content: Content::parse(flags, topic, properties, payload)?, delay_s })
    }
}

const VERSION: u8 = 1;
const V5: u8 = 1;
const DETACHED: u8 = 1 << 1;
const WILL: u8 = 1 << 2;
/// QoS and RETAIN.
const CONTENT_BITS: u8 = 3;
