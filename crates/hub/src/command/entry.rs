//! One command in its queue: where it stands (iot-hub B2). Refuses to know the others.

use store::op::Sequence;

use super::content::Content;
use super::outcome::Outcome;
use super::report::Report;
use crate::LockToken;

/// Who works on a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A connection, under a number that no other connection of the device has had.
    Connection(u64),
    /// An HTTP client, who shows what it was given.
    Lock(LockToken),
}

/// A command that has not ended.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub content: Content,
    /// Of the content, read once.
    pub sequence: u64,
    /// Likewise.
    pub expires_ms: u64,
    /// How often it was abandoned.
    pub deliveries: u32,
    pub state: State,
    /// Its records; 0 as long as it is in no log.
    pub content_at: Sequence,
    /// The last abandon, if there was one.
    pub abandoned_at: Option<Sequence>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It is on its way to the log: nobody sees it.
    Writing,
    /// It waits for the device.
    Enqueued,
    /// Somebody works on it until then, wall milliseconds.
    Invisible { holder: Holder, until_ms: u64 },
    /// What has become of it is on its way to the log: nobody may do more.
    Settling,
}

impl Entry {
    pub fn new(content: Content, state: State, content_at: Sequence) -> Self {
        let command = content.read();
        let (sequence, expires_ms) = (command.sequence, command.expires_ms);
        Self { content, sequence, expires_ms, deliveries: 0, state, content_at, abandoned_at: None }
    }

    /// Its lock ends by itself, which counts for nothing.
    pub fn unlock(&mut self, now_ms: u64) {
        if matches!(self.state, State::Invisible { until_ms, .. } if until_ms <= now_ms) {
            self.state = State::Enqueued;
        }
    }

    /// When something happens to it without anybody's doing.
    pub fn deadline(&self) -> Option<u64> {
        match self.state {
            State::Enqueued => Some(self.expires_ms),
            State::Invisible { until_ms, .. } => Some(until_ms),
            State::Writing | State::Settling => None,
        }
    }

    pub fn is_held_by(&self, by: Holder) -> bool {
        matches!(self.state, State::Invisible { holder, .. } if holder == by)
    }

    /// What its sender is told of its end, if it wants to hear of it.
    pub fn report(&self, outcome: Outcome, at_ms: u64) -> Option<Report> {
        let command = self.content.read();
        let message_id = command.message_id.map(Into::into);
        command.ack.wants(outcome).then_some(Report { message_id, at_ms, outcome })
    }
}
