//! The end of a session.

use super::reader::{Fault, Reader};
use super::session_id::SessionId;
use super::writer::Writer;
use store::log::Kind;

/// A session is over: whatever else the log has of it means nothing any more.
///
/// It has to outlive every other record of its session, of which the first
/// [`SessionBegun`](super::SessionBegun) is the oldest that counts: `store::log::Need::Bury`
/// releases it when none of them can come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionEnded {
    /// Which one.
    pub session: SessionId,
}

impl SessionEnded {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        w.session(self.session);
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        Ok(Self { session: r.session()? })
    }

    pub(super) const KIND: Kind = Kind(3);
}

const VERSION: u8 = 1;
