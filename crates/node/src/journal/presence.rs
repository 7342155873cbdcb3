//! Whether somebody is there, and the entries that say that it changed.
//!
//! ```text
//! Attached                                    Detached
//! u8      version                             u8      version
//! u8      MQTT 5 (bit 0), a will (1)          u8      a will is left (bit 0)
//! number  session                             number  session
//! number  session expiry interval             number  session expiry interval
//!         will, if there is one               moment  end of the session
//!         owner                               moment  the will is due, if one is left
//! ```

use super::last_will::LastWill;
use super::owner::Owner;
use super::reader::{Fault, Reader};
use super::session_id::SessionId;
use super::writer::Writer;
use mqtt::wire::Version;
use store::log::Kind;

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

/// Somebody connected to a session that was there: it is [`Presence::Connected`]. CONNACK goes out
/// once this is a fact (core.md 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached<'a> {
    /// To which one.
    pub session: SessionId,
    /// Of the connection.
    pub version: Version,
    /// Session expiry interval in seconds; `u32::MAX` = never.
    pub expiry_s: u32,
    /// The will that counts from now on, if there is one.
    pub will: Option<LastWill<'a>>,
    /// Whose it is.
    pub owner: Owner<'a>,
}

/// The connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detached {
    /// Whose.
    pub session: SessionId,
    /// Session expiry interval in seconds, as DISCONNECT may have changed it (MQTT 5, 3.14.2.2.2).
    pub expiry_s: u32,
    /// Domain wall milliseconds at which the session ends; `u64::MAX` = never.
    pub ends_at_ms: u64,
    /// What became of its will.
    pub will: WillLeft,
}

/// The will of a session whose connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WillLeft {
    /// It was published or taken back (MQTT 5, 3.14.4-3), or there was none.
    Gone,
    /// It waits.
    Due {
        /// Domain wall milliseconds; `u64::MAX` = never.
        at_ms: u64,
    },
}

impl<'a> Attached<'a> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        let v5 = if self.version == Version::V5 { V5 } else { 0 };
        w.byte(v5 | if self.will.is_some() { WILL } else { 0 });
        w.session(self.session);
        w.number(u64::from(self.expiry_s));
        if let Some(will) = &self.will {
            will.write(&mut w);
        }
        self.owner.write(&mut w);
    }

    pub(super) fn decode(r: &mut Reader<'a>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        let flags = r.flags(V5 | WILL)?;
        Ok(Self {
            session: r.session()?,
            version: if flags & V5 == 0 { Version::V311 } else { Version::V5 },
            expiry_s: r.number_u32()?,
            will: if flags & WILL == 0 { None } else { Some(LastWill::read(r)?) },
            owner: Owner::read(r)?,
        })
    }

    pub(super) const KIND: Kind = Kind(12);
}

impl Detached {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        w.byte(if self.will == WillLeft::Gone { 0 } else { LEFT });
        w.session(self.session);
        w.number(u64::from(self.expiry_s));
        w.moment(self.ends_at_ms);
        if let WillLeft::Due { at_ms } = self.will {
            w.moment(at_ms);
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        let flags = r.flags(LEFT)?;
        Ok(Self {
            session: r.session()?,
            expiry_s: r.number_u32()?,
            ends_at_ms: r.moment()?,
            will: match flags {
                0 => WillLeft::Gone,
                _ => WillLeft::Due { at_ms: r.moment()? },
            },
        })
    }

    pub(super) const KIND: Kind = Kind(13);
}

const VERSION: u8 = 1;
const V5: u8 = 1;
const WILL: u8 = 1 << 1;
const LEFT: u8 = 1;
