//! Messages for sessions that are kept: each is taken in the order of the log, or stays there.

use super::reading::{ReadJob, Whose};
use crate::backlog::Push;
use crate::counters::Loss;
use crate::homes::Homes;
use crate::session::State;
use crate::source::Source;
use broker::limits::QueueFull;
use store::log::{Credit, Cursor};
use store::op::Sequence;

/// Where a message goes that is pushed to a session.
pub(crate) enum Way {
    /// To its connection.
    Send,
    /// Into its queue in memory: it was never in the log.
    Queue,
    /// Nowhere: it stays in the log, or was read there.
    Done,
}

impl Homes {
    /// Takes a message for a session that is kept, if it can.
    pub(crate) fn take_logged(&mut self, slot: u32, s: &Source<'_>) -> Way {
        let small = self.limits.session_queue_messages_max.min(LIVE_MESSAGES);
        let Some(session) = self.sessions.at_mut(slot) else { return Way::Done };
        let connected = matches!(session.state, State::Connected { .. });
        let (sequence, bytes) = (Sequence(s.sequence()), s.bytes());
        if sequence.0 == 0 {
            return if connected { Way::Send } else { Way::Queue };
        }
        let (queued, queued_bytes) = session.queue.as_ref().map_or((0, 0), |q| q.len());
        let Some(durable) = session.durable.as_deref_mut() else { return Way::Done };
        let room = connected
            && queued < small
            && queued_bytes < LIVE_BYTES
            && durable.exchanges().unloaded.is_empty();
        match durable.backlog.push(sequence, bytes, room) {
            Push::Known => Way::Done,
            Push::Take => Way::Send,
            Push::Leave => {
                self.left(slot, bytes);
                Way::Done
            }
        }
    }

    /// A message was left in the log: at the bound of the session's queue, or of all queues, the
    /// policy decides.
    fn left(&mut self, slot: u32, bytes: usize) {
        let policy = self.limits.queue_full;
        let why = match self.fullness(slot) {
            None => {
                self.read_more(slot);
                self.read_over(slot);
                return;
            }
            Some(why) => why,
        };
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let alone = session.queued().0 <= 1 || bytes > self.limits.session_queue_bytes_max;
        match policy {
            QueueFull::DropOldest if !alone => self.drop_oldest(slot, why),
            QueueFull::EndSession => {
                self.skip_newest(slot, bytes);
                self.counters.lose(why);
                self.overflowed.push(self.session_ref(slot));
            }
            QueueFull::DropOldest | QueueFull::DropNewest | QueueFull::Refuse => {
                self.skip_newest(slot, bytes);
                self.drop_one(slot, why);
            }
        }
        self.changed(slot);
        self.read_over(slot);
    }

    /// What waits was counted, and may be more than its bound.
    pub(super) fn hold_to_bound(&mut self, slot: u32) {
        if let Some(why) = self.fullness(slot) {
            self.drop_oldest(slot, why);
            self.changed(slot);
        }
    }

    /// Which bound the session's queue has passed.
    fn fullness(&mut self, slot: u32) -> Option<Loss> {
        let limits = &self.limits;
        let session = self.sessions.at_mut(slot)?;
        let (messages, bytes) = session.queued();
        session.durable.as_deref_mut()?.weigh();
        if messages > limits.session_queue_messages_max || bytes > limits.session_queue_bytes_max {
            return Some(Loss::QueueFull);
        }
        self.meter.is_namespace_full(0).then_some(Loss::NamespaceFull)
    }

    fn drop_oldest(&mut self, slot: u32, why: Loss) {
        let (mut displaced, mut dropped) = (Vec::new(), 0);
        while self.fullness(slot).is_some() {
            let Some(session) = self.sessions.at_mut(slot) else { break };
            if let Some(oldest) = session.queue.as_mut().and_then(|q| q.pop()) {
                displaced.push(oldest);
            } else if session.durable.as_mut().is_some_and(|d| d.backlog.drop_oldest()) {
                dropped += 1;
            } else {
                break;
            }
        }
        self.displace(slot, displaced, why);
        if dropped > 0 {
            self.drop_many(slot, why, dropped);
        }
    }

    fn skip_newest(&mut self, slot: u32, bytes: usize) {
        let session = self.sessions.at_mut(slot);
        let Some(durable) = session.and_then(|s| s.durable.as_deref_mut()) else { return };
        durable.backlog.skip_newest(bytes);
        durable.weigh();
    }

    /// Reads on what was left in the log, once what was read before is nearly gone.
    pub(crate) fn read_more(&mut self, slot: u32) {
        let name = self.session_ref(slot);
        let Some(session) = self.sessions.at_mut(slot) else { return };
        if session.durable.is_none() || !matches!(session.state, State::Connected { .. }) {
            return;
        }
        let (queued, queued_bytes) = session.queue.as_ref().map_or((0, 0), |q| q.len());
        if queued > LIVE_MESSAGES / 2 || queued_bytes > LIVE_BYTES / 2 {
            return;
        }
        if self.read_over(slot) {
            return;
        }
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let Some(durable) = session.durable.as_deref_mut() else { return };
        let again = durable.exchanges().unloaded.clone();
        let Some(after) = durable.backlog.begin_read(!again.is_empty()) else { return };
        let streams = durable.streams.iter().map(|s| (s.stream, s.since));
        let cursor = durable.cursor.take().filter(|c| c.after == after);
        let job = ReadJob {
            whose: Whose::Session(name, durable.epoch),
            cursor: cursor.unwrap_or_else(|| Box::new(Cursor::new(after, streams))),
            credit: Credit { records: LIVE_MESSAGES, bytes: LIVE_BYTES },
            again,
            listing: None,
            account: self.meter.account().clone(),
        };
        self.effects.push(job.into());
    }
}

/// So much of what is read from the log waits in memory, at most twice.
pub(crate) const LIVE_MESSAGES: usize = 128;
pub(crate) const LIVE_BYTES: usize = 128 * 1024;
