//! The commands of one device and what may become of them (iot-hub B2): requests and the time in,
//! a record and what follows from it out. Refuses to know the log, connections and HTTP.

use std::collections::VecDeque;

use store::op::Sequence;

use super::content::{Command, Content};
use super::dead_letter::{DeadLetter, Proof};
use super::entry::{Entry, Holder, State};
use super::outcome::Outcome;
use super::record::{Ended, Record};
use super::report::Report;
use super::sending::content;
use super::settings::Settings;
use super::waiting::{Place, Waiting};
use crate::LockToken;
use crate::errors::{ErrorCode, Refusal};
use crate::telemetry::Message;

/// The queue of a device. What is decided is shown to nobody and decided no second time until its
/// record is [`heard`](Self::heard) or [`lost`](Self::lost); of a record, one of them has to come.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    /// By their sequence numbers.
    pub(super) entries: Vec<Entry>,
    /// The greatest that was given out.
    pub(super) last_sequence: u64,
    /// The ends that are still needed; the last of them knows the last sequence number.
    pub(super) proofs: Vec<Proof>,
    pub(super) dead: VecDeque<DeadLetter>,
}

/// A decision: what has to be a fact before anybody is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// To the log.
    pub record: Record,
    /// What senders are told of it, for the hub's feedback; to the log in the same batch.
    pub reports: Vec<Report>,
}

/// A command for a device.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What it says.
    pub content: Content,
    /// `delivery-count`: how often it was abandoned before.
    pub deliveries: u32,
    /// When its lock ends, wall milliseconds.
    pub until_ms: u64,
}

/// Which command a device speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The one with this sequence number, which this connection was sent.
    Sent {
        /// Who speaks.
        connection: u64,
        /// `sequence-no`.
        sequence: u64,
    },
    /// The one locked with this token.
    Locked(LockToken),
}

/// What a device makes of a command that it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// It is done.
    Complete,
    /// Back to the queue, to be delivered again later.
    Abandon,
    /// Dead-lettered.
    Reject,
}

/// Nothing is held under this claim any more: the lock has ended, or the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lock of the message has ended")]
pub struct LockLost;

/// A record that nobody is told of.
impl From<Record> for Step {
    fn from(record: Record) -> Self {
        Self { record, reports: Vec::new() }
    }
}

/// What an HTTP client is answered.
impl From<LockLost> for Refusal {
    fn from(lost: LockLost) -> Self {
        Self::new(ErrorCode::DeviceMessageLockLost, lost.to_string())
    }
}

impl Queue {
    /// A service sends a command. It has its place and its number from now on, and is delivered
    /// when the record is heard.
    ///
    /// # Errors
    /// DeviceMaximumQueueDepthExceeded, InvalidMessageExpiryTime, MessageTooLarge,
    /// ArgumentInvalid.
    pub fn enqueue(
        &mut self,
        message: &Message<'_>,
        settings: &Settings,
        now_ms: u64,
    ) -> Result<Record, Refusal> {
        if self.entries.len() as u64 >= u64::from(settings.depth_max) {
            let text = format!("{} messages wait for the device, which is all", settings.depth_max);
            return Err(Refusal::new(ErrorCode::DeviceMaximumQueueDepthExceeded, text));
        }
        let Some(sequence) = self.last_sequence.checked_add(1) else {
            return Err(Refusal::new(ErrorCode::ServerError, "no sequence number is left"));
        };
        let content = content(message, sequence, settings.ttl_default_ms, now_ms)?;
        self.last_sequence = sequence;
        self.entries.push(Entry::new(content.clone(), State::Writing, Sequence(0)));
        Ok(Record::Enqueued(content))
    }

    /// The next command for a connection with a subscription and credit, or for an HTTP client:
    /// the first that waits and `fits`. It is locked for `lock_ms`.
    pub fn deliver(
        &mut self,
        to: Holder,
        lock_ms: u64,
        now_ms: u64,
        mut fits: impl FnMut(&Command<'_>) -> bool,
    ) -> Option<Delivery> {
        self.unlock(now_ms);
        let entry = self.entries.iter_mut().find(|entry| {
            let waits = entry.state == State::Enqueued && entry.expires_ms > now_ms;
            waits && fits(&entry.content.read())
        })?;
        let until_ms = now_ms.saturating_add(lock_ms);
        entry.state = State::Invisible { holder: to, until_ms };
        Some(Delivery { content: entry.content.clone(), deliveries: entry.deliveries, until_ms })
    }

    /// How many commands somebody works on: what a connection has used of its credit.
    pub fn held_by(&self, holder: Holder) -> usize {
        self.entries.iter().filter(|entry| entry.is_held_by(holder)).count()
    }

    /// A device says what is to become of a command. What a connection says counts even after its
    /// lock as long as nobody else was given the command.
    ///
    /// # Errors
    /// [`LockLost`], and nothing changes.
    pub fn settle(
        &mut self,
        claim: Claim,
        how: Settlement,
        settings: &Settings,
        now_ms: u64,
    ) -> Result<Step, LockLost> {
        self.unlock(now_ms);
        let last_sequence = self.last_sequence;
        let entry = self.claimed(claim).ok_or(LockLost)?;
        entry.state = State::Settling;
        let sequence = entry.sequence;
        let outcome = match how {
            Settlement::Complete => Outcome::Completed,
            Settlement::Reject => Outcome::Rejected,
            Settlement::Abandon => {
                let deliveries = entry.deliveries.saturating_add(1);
                if deliveries < settings.deliveries_max {
                    let record = Record::Abandoned { sequence, deliveries };
                    return Ok(Step { record, reports: Vec::new() });
                }
                Outcome::DeliveryCountExceeded
            }
        };
        let reports = entry.report(outcome, now_ms).into_iter().collect();
        let sequences = [sequence].into();
        let ended = Ended { outcome, at_ms: now_ms, sequences, last_sequence };
        Ok(Step { record: Record::Ended(ended), reports })
    }

    /// A connection is gone, or its subscription: its commands wait again, and it counts for
    /// nothing. How many there were.
    pub fn disconnected(&mut self, connection: u64) -> usize {
        let holder = Holder::Connection(connection);
        let held = self.entries.iter_mut().filter(|entry| entry.is_held_by(holder));
        held.map(|entry| entry.state = State::Enqueued).count()
    }

    /// When [`turn`](Self::turn) is due, wall milliseconds.
    pub fn deadline(&self) -> Option<u64> {
        self.entries.iter().filter_map(Entry::deadline).min()
    }

    /// Time has passed: locks end, after which there may be something to
    /// [`deliver`](Self::deliver), and what has expired is over.
    pub fn turn(&mut self, now_ms: u64) -> Option<Step> {
        self.unlock(now_ms);
        self.end(Outcome::Expired, now_ms, |entry| entry.expires_ms <= now_ms)
    }

    /// A service purges the queue: all that waits. What somebody works on stays (B2). How many
    /// there are is what its record says ([`Ended::sequences`]); `None` = nothing waits.
    pub fn purge(&mut self, now_ms: u64) -> Option<Step> {
        self.unlock(now_ms);
        self.end(Outcome::Purged, now_ms, |_| true)
    }

    /// `cloudToDeviceMessageCount`: the commands that have not ended.
    pub fn count(&self) -> u32 {
        let known = self.entries.iter().filter(|entry| entry.state != State::Writing);
        known.count() as u32
    }

    /// The commands that [`count`](Self::count) counts, in their order.
    pub fn waiting(&self) -> impl Iterator<Item = Waiting> {
        self.entries.iter().filter_map(|entry| {
            let place = match entry.state {
                State::Writing => return None,
                State::Enqueued => Place::Enqueued,
                State::Invisible { .. } | State::Settling => Place::Invisible,
            };
            Some(Waiting { content: entry.content.clone(), deliveries: entry.deliveries, place })
        })
    }

    /// Whether nothing is there that another queue of this device would miss.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.last_sequence == 0
    }

    fn unlock(&mut self, now_ms: u64) {
        self.entries.iter_mut().for_each(|entry| entry.unlock(now_ms));
    }

    /// Ends those that wait and are meant.
    fn end(
        &mut self,
        outcome: Outcome,
        at_ms: u64,
        mut is_meant: impl FnMut(&Entry) -> bool,
    ) -> Option<Step> {
        let (mut sequences, mut reports) = (Vec::new(), Vec::new());
        for entry in &mut self.entries {
            if entry.state == State::Enqueued && is_meant(entry) {
                entry.state = State::Settling;
                sequences.push(entry.sequence);
                reports.extend(entry.report(outcome, at_ms));
            }
        }
        if sequences.is_empty() {
            return None;
        }
        let last_sequence = self.last_sequence;
        let ended = Ended { outcome, at_ms, sequences: sequences.into(), last_sequence };
        Some(Step { record: Record::Ended(ended), reports })
    }

    fn claimed(&mut self, claim: Claim) -> Option<&mut Entry> {
        match claim {
            Claim::Sent { connection, sequence } => {
                let entry = self.find(sequence)?;
                let holder = Holder::Connection(connection);
                (entry.state == State::Enqueued || entry.is_held_by(holder)).then_some(entry)
            }
            Claim::Locked(token) => {
                self.entries.iter_mut().find(|entry| entry.is_held_by(Holder::Lock(token)))
            }
        }
    }

    pub(super) fn find(&mut self, sequence: u64) -> Option<&mut Entry> {
        let place = self.entries.binary_search_by_key(&sequence, |entry| entry.sequence).ok()?;
        self.entries.get_mut(place)
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
