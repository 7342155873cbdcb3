//! What `drop-oldest` has dropped in the log is let go of, whether its client is there or not.
//!
//! Owns when a session reads over it, a read of numbers at a time, and when it counts first what
//! an earlier run has left. The progress that is told behind it lets the log go of the records.
//! Other policies drop nothing that lies before what waits.

use super::LIVE_MESSAGES;
use super::listing::{Aim, Listed, Listing};
use super::reading::{ReadJob, Whose};
use crate::backlog::Waiting;
use crate::homes::Homes;
use crate::session::State;
use crate::shard::Shard;
use broker::limits::{Limits, QueueFull};
use broker::subscription::SessionRef;
use store::log::{Cursor, ReadEnd, StreamId};
use store::op::Sequence;

impl Homes {
    /// Reads numbers where that comes before messages, or nobody is there for those: whether such
    /// a read has begun.
    pub(super) fn read_over(&mut self, slot: u32) -> bool {
        let name = self.session_ref(slot);
        let limits = &self.limits;
        let messages_max = limits.session_queue_messages_max;
        let drops_oldest = limits.queue_full == QueueFull::DropOldest;
        let Some(session) = self.sessions.at_mut(slot) else { return false };
        let is_here = matches!(session.state, State::Connected { .. });
        let Some(durable) = session.durable.as_deref_mut() else { return false };
        let worth = match is_here {
            true => worth_with_others(limits),
            false => worth_letting_go(limits),
        };
        let backlog = &mut durable.backlog;
        let is_due = is_here || backlog.waiting().messages >= worth.messages;
        let begun = if (drops_oldest || !is_here) && is_due && backlog.may_be_over(messages_max) {
            let count = |(after, up_to)| (after, Aim::Count { up_to, so_far: 0 });
            backlog.begin_count().map(count)
        } else {
            backlog.begin_let_go(worth).map(|(after, dropped)| (after, Aim::LetGo(dropped)))
        };
        let Some((after, aim)) = begun else { return false };
        let own = durable.has_no_local.then_some(durable.id);
        let cursor = durable.cursor.take().filter(|c| c.after == after);
        let streams = durable.streams.iter().map(|s| (s.stream, s.since));
        let cursor = cursor.unwrap_or_else(|| Box::new(Cursor::new(after, streams)));
        let whose = Whose::Session(name, durable.epoch);
        let account = self.meter.account().clone();
        self.effects.push(ReadJob::of_numbers(whose, cursor, Listing { aim, own }, account).into());
        true
    }
}

impl Shard {
    /// Numbers that were read for a session.
    pub(super) fn listed(
        &mut self,
        session: SessionRef,
        cursor: Box<Cursor>,
        (aim, listed): (Aim, Vec<Listed>),
        end: ReadEnd,
    ) {
        let slot = session.slot;
        let is_for = |one: &Listed| match &one.own_in {
            None => true,
            Some(streams) => self.is_for_its_publisher(slot, one.sequence, streams),
        };
        let (all, last) = (listed.len(), listed.last().map(|one| one.sequence));
        let its: Vec<Sequence> =
            listed.into_iter().filter(|one| is_for(one)).map(|one| one.sequence).collect();
        let Some(durable) = self.homes.durable_mut(session) else { return };
        let backlog = &mut durable.backlog;
        match aim {
            Aim::LetGo(_) => {
                let gone = its.iter().take_while(|at| backlog.let_go(**at)).count();
                if gone == its.len() {
                    if all > 0 && end == ReadEnd::More {
                        backlog.is_at(cursor.after);
                    }
                    durable.cursor = Some(cursor);
                    durable.backlog.end_read(end);
                } else {
                    durable.forget_read();
                }
                durable.weigh();
                self.homes.changed(slot);
            }
            Aim::Count { up_to, so_far } => {
                let counts = |at: &&Sequence| **at <= up_to && backlog.counts(**at);
                let so_far = so_far + its.iter().filter(counts).count() as u64;
                if end == ReadEnd::More && last.is_some_and(|last| last < up_to) {
                    let own = durable.has_no_local.then_some(durable.id);
                    let whose = Whose::Session(session, durable.epoch);
                    let listing = Listing { aim: Aim::Count { up_to, so_far }, own };
                    let account = self.homes.meter.account().clone();
                    let job = ReadJob::of_numbers(whose, cursor, listing, account);
                    return self.homes.effects.push(job.into());
                }
                backlog.counted(so_far);
                durable.weigh();
                if self.homes.limits.queue_full == QueueFull::DropOldest {
                    self.homes.hold_to_bound(slot);
                }
            }
        }
        self.homes.pump(slot);
        self.homes.read_over(slot);
    }

    /// Whether a message of its own is for a session, which has it in these streams.
    fn is_for_its_publisher(&self, slot: u32, at: Sequence, streams: &[StreamId]) -> bool {
        let name = self.homes.session_ref(slot);
        let Some(durable) = self.durable(slot) else { return false };
        let reads = durable.streams.iter().filter(|s| streams.contains(&s.stream) && s.since < at);
        self.router.target(name, reads.map(|s| s.filter), Some(name)).is_some()
    }
}

/// So much is dropped before somebody who is away reads over it: a quarter of the queue's bound,
/// and not too little for a read.
fn worth_letting_go(limits: &Limits) -> Waiting {
    let messages = limits.session_queue_messages_max as u64 / 4;
    let bytes = limits.session_queue_bytes_max as u64 / 4;
    let messages = messages.max(limits.dropped_held_messages_max as u64);
    Waiting { messages: messages.max(1), bytes: bytes.max(BYTES_MIN) }
}

/// Less than that is read over with the messages behind it, by whoever reads these.
pub(crate) fn worth_with_others(limits: &Limits) -> Waiting {
    let messages = LIVE_MESSAGES.min(limits.dropped_held_messages_max).max(1) as u64;
    Waiting { messages, bytes: u64::MAX }
}

const BYTES_MIN: u64 = 1 << 20;
