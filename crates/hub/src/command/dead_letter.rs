//! Commands that have ended badly, as far as they are kept to be read: ours, the service that we
//! follow has no such thing (iot-hub B2). Refuses to know how they come here.

use store::op::Sequence;

use super::content::Content;
use super::outcome::Outcome;

/// A command that is over and can still be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// What it says.
    pub content: Content,
    /// Why it is over.
    pub outcome: Outcome,
    /// Since when, wall milliseconds.
    pub at_ms: u64,
    /// How often it had been abandoned.
    pub deliveries: u32,
    pub(super) content_at: Sequence,
    pub(super) abandoned_at: Option<Sequence>,
    /// The record of its end.
    pub(super) ended_at: Sequence,
}

/// The record of an end that is still needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proof {
    pub at: Sequence,
    /// The first record of all that ended with it; `None` = they are in no file any more.
    pub oldest: Option<Sequence>,
    /// How many of its dead letters are kept.
    pub dead: usize,
}
