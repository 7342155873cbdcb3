//! How fast one connection may publish (event-grid 3.5 and 10).
//!
//! Owns the two buckets of a connection and when too fast has gone on for too long. Refuses to
//! know packets.

use broker::limits::Limits;
use broker::rate::{Bucket, Rate};

/// The rates of a namespace; at least one.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    messages: Option<Rate>,
    bytes: Option<Rate>,
    /// Refusals in a row, without a pause that filled the bucket, until it is enough.
    excess_max: u32,
}

/// A connection's use of them.
#[derive(Default)]
pub(crate) struct Paced {
    messages: Bucket,
    bytes: Bucket,
    excess: u32,
}

/// What one publish may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Passes,
    /// 0x97.
    TooFast,
    /// It has gone on for a second's worth of messages: 0x96.
    TooLong,
}

impl Pace {
    /// `None` where nothing is bounded.
    pub fn of(limits: &Limits) -> Option<Self> {
        let (messages, bytes) =
            (limits.session_publishes_per_second_max, limits.session_publish_bytes_per_second_max);
        let pace = Self {
            messages: Rate::new(messages, messages),
            bytes: Rate::new(bytes, bytes),
            excess_max: if messages > 0 { messages } else { EXCESS_MAX },
        };
        (pace.messages.is_some() || pace.bytes.is_some()).then_some(pace)
    }

    /// A publish of so many bytes at real time `now_ms`.
    pub fn step(&self, paced: &mut Paced, bytes: usize, now_ms: u64) -> Step {
        let now_us = now_ms * 1_000;
        if paced.messages.is_full(now_us) && paced.bytes.is_full(now_us) {
            paced.excess = 0;
        }
        let passes = self.messages.is_none_or(|r| paced.messages.take(r, 1, now_us))
            && self.bytes.is_none_or(|r| paced.bytes.take(r, bytes as u64, now_us));
        if passes {
            return Step::Passes;
        }
        paced.excess += 1;
        if paced.excess > self.excess_max { Step::TooLong } else { Step::TooFast }
    }
}

/// Where only bytes are bounded.
const EXCESS_MAX: u32 = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_s_worth_at_once_then_refusals_then_the_end() {
        let limits = Limits {
            session_publishes_per_second_max: 2,
            session_publish_bytes_per_second_max: 100,
            ..Limits::open()
        };
        assert!(Pace::of(&Limits::open()).is_none());
        let pace = Pace::of(&limits).unwrap();
        let mut p = Paced::default();
        let mut step = |at_ms, bytes| pace.step(&mut p, bytes, at_ms);
        assert_eq!([step(0, 10), step(0, 10)], [Step::Passes; 2]);
        assert_eq!([step(0, 10), step(0, 10)], [Step::TooFast; 2]);
        assert_eq!(step(0, 10), Step::TooLong);
        assert_eq!(step(500, 10), Step::Passes);
        // A pause fills the bucket: what was is forgotten.
        assert_eq!([step(3_000, 100), step(3_000, 100)], [Step::Passes, Step::TooFast]);
    }
}
