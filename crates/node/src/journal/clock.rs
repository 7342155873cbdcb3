//! The domain clock in the log.

use super::reader::{Fault, Reader};
use super::writer::Writer;
use store::log::Kind;

/// The domain clock has been here: after a restart it goes on from no earlier (core.md 7). The
/// highest one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Domain wall milliseconds.
    pub wall_ms: u64,
}

impl Clock {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        w.number(self.wall_ms);
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        Ok(Self { wall_ms: r.number()? })
    }

    pub(super) const KIND: Kind = Kind(9);
}

const VERSION: u8 = 1;
