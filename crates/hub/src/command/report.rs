//! What the sender of a command is told of its end (iot-hub B2). Refuses to know how.

use super::outcome::Outcome;

/// One end that somebody wants to hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `originalMessageId`; a sender who gave none learns only that something has ended.
    pub message_id: Option<Box<str>>,
    /// `enqueuedTimeUtc`: when it ended, wall milliseconds.
    pub at_ms: u64,
    /// `statusCode`.
    pub outcome: Outcome,
}
