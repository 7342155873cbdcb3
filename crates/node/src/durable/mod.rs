//! Sessions that the log keeps: whatever outlives a connection outlives the process too
//! (core.md 1 and 2).
//!
//! Owns what a session is to the log: its name there, the records that carry it, how far it has
//! read. [`entries`] writes them, [`attaching`] and [`ending`] are the ends of a connection as the
//! log has them, [`endings`] who waits for the latter, [`delivery`] takes messages or leaves them
//! there, [`dropped`] reads over what it will not have, by [`listing`], [`holding`] has the log
//! keep the rest, [`reading`] gets them back, [`exchange`] is QoS 2, [`given`] what came of shared
//! groups, [`progress`] what is told late, [`carrying`] what is under way for long. A session of a
//! namespace in memory has none of it.

mod attaching;
mod carried;
mod carrying;
mod clock;
mod delivery;
mod dropped;
mod ending;
mod endings;
mod entries;
mod exchange;
mod given;
mod holding;
mod listing;
mod progress;
mod reading;
mod restore;
mod subscriptions;
mod watching;

pub(crate) use carrying::Late;
pub(crate) use clock::Told as ClockTold;
pub(crate) use delivery::{LIVE_BYTES, LIVE_MESSAGES, Way};
pub(crate) use dropped::worth_with_others;
pub(crate) use endings::{Endings, Waits};
pub(crate) use entries::{Kept, NO_STREAM, Then};
pub(crate) use exchange::{Begin, Step};
pub(crate) use given::Given;
pub(crate) use listing::{Aim, Listed, Listing};
pub(crate) use progress::Changed;
pub(crate) use reading::{Found as ReadFound, Read, Whose};
pub use reading::{ReadAnswer, ReadJob, answer};
pub use restore::{Found, Restored};
pub(crate) use watching::Watched;

use self::carried::CarriedList;
use self::holding::Gap;
use crate::backlog::Backlog;
use crate::journal::SessionId;
use crate::meter::Held;
use broker::subscription::FilterId;
use mqtt::packet_id::PacketId;
use smallvec::SmallVec;
use std::collections::VecDeque;
use store::log::{Cursor, Need, StreamId};
use store::op::Sequence;

/// What the log has of a session.
pub(crate) struct Durable {
    pub id: SessionId,
    pub backlog: Backlog,
    /// Its first entry; 0 until that is a fact.
    pub first: Sequence,
    /// Records that the next snapshot of the session overtakes.
    pub by_snapshot: SmallVec<[Sequence; 2]>,
    /// Records that the next snapshot of its delivery overtakes.
    pub by_progress: SmallVec<[Sequence; 2]>,
    /// Its subscriptions above QoS 0, shared ones not included.
    pub streams: SmallVec<[Standing; 1]>,
    /// Where reading goes on; not there while a read is under way, or when the streams changed.
    pub cursor: Option<Box<Cursor>>,
    /// Counts what makes a read that is under way useless.
    pub epoch: u32,
    /// Absent where there are none, as most of the time in most sessions.
    exchanges: Option<Box<Exchanges>>,
    /// What waits for it in the log, as part of all that waits.
    pub bytes: Held,
    /// It is in the list of sessions whose delivery has changed.
    pub is_changed: bool,
    /// It is in the list of sessions with messages that keep much of the log.
    pub is_late: bool,
    /// It has, or had, a subscription with No Local.
    pub has_no_local: bool,
}

/// Exchanges that are under way, as the log has them.
#[derive(Default)]
pub(crate) struct Exchanges {
    /// Inbound QoS 2 identifiers that the log knows.
    pub received: Vec<PacketId>,
    /// Steps of its delivery that are on their way into the log.
    pub steps: Vec<Step>,
    /// Exchanges of QoS 2 that have not begun in the log: their PUBLISH waits for that.
    pub unsent: VecDeque<PacketId>,
    /// Exchanges from before the restart whose messages have not been read.
    pub unloaded: Vec<(PacketId, Sequence)>,
    /// Those with what a group had given, before the restart or before its member left.
    pub by_group: VecDeque<Given>,
    /// Exchanges whose messages were carried forward.
    pub carried: CarriedList,
    /// Messages of groups that the client had to the end, and until when that is told.
    finished: VecDeque<((StreamId, Sequence), u64)>,
    /// What it has dropped as the newest, as the log was told.
    gap: Option<Gap>,
}

/// How far a subscription's stream is needed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub filter: FilterId,
    pub stream: StreamId,
    /// The log's end when it was granted.
    pub since: Sequence,
    /// As the log was told last.
    pub stands: Sequence,
}

impl Standing {
    /// A subscription that begins when the log ends at `since`.
    pub fn new(filter: FilterId, stream: StreamId, since: Sequence) -> Self {
        Self { filter, stream, since, stands: since }
    }
}

impl Durable {
    /// A session that begins when the log ends at `end`.
    pub fn new(id: SessionId, end: Sequence, bytes: Held) -> Self {
        Self {
            id,
            backlog: Backlog::live(end),
            first: Sequence(0),
            by_snapshot: SmallVec::new(),
            by_progress: SmallVec::new(),
            streams: SmallVec::new(),
            cursor: None,
            epoch: 0,
            exchanges: None,
            bytes,
            is_changed: false,
            is_late: false,
            has_no_local: false,
        }
    }

    /// What is under way.
    pub fn exchanges(&self) -> &Exchanges {
        self.exchanges.as_deref().unwrap_or(&NONE)
    }

    /// What is under way, to change it.
    pub fn exchanges_mut(&mut self) -> &mut Exchanges {
        self.exchanges.get_or_insert_default()
    }

    /// The client has had a message of a group to the end. The group tells the log within a second
    /// or so, but maybe on another reactor: until then a start would have it give it again.
    pub fn finishes(&mut self, stream: StreamId, sequence: Sequence, now_ms: u64) {
        self.exchanges_mut().finished.push_back(((stream, sequence), now_ms + GROUP_TOLD_MS));
    }

    /// The same of what an earlier run gave: its group has heard of it at the start, and tells once
    /// every reactor has its sessions.
    pub fn had_finished(&mut self, finished: &[(StreamId, Sequence)], now_ms: u64) {
        let until_ms = now_ms + GROUP_FOUND_MS;
        self.exchanges_mut().finished.extend(finished.iter().map(|at| (*at, until_ms)));
    }

    /// What a group had given by an exchange, which is over, if that is in the list.
    #[inline]
    pub fn take_given(&mut self, id: PacketId) -> Option<Given> {
        let by_group = &mut self.exchanges.as_deref_mut()?.by_group;
        let at = by_group.iter().position(|given| given.packet_id == id)?;
        by_group.remove(at)
    }

    /// Whether the log has the message of this exchange elsewhere than it was published.
    pub fn has_carried(&self, id: PacketId, known_by: Sequence) -> bool {
        let stands = self.exchanges().carried.of(id, known_by);
        matches!(stands, Some(carried::Stands::Told(_)))
    }

    /// What of it is to be told.
    fn finished(&mut self, now_ms: u64) -> Vec<(StreamId, Sequence)> {
        let Some(exchanges) = &mut self.exchanges else { return Vec::new() };
        exchanges.finished.retain(|(_, until_ms)| *until_ms > now_ms);
        exchanges.finished.iter().map(|(one, _)| *one).collect()
    }

    /// Gives back what an absence of exchanges does not need.
    pub fn shrink(&mut self) {
        if self.exchanges().is_empty() {
            self.exchanges = None;
        }
    }

    /// What waits in the log has changed.
    pub fn weigh(&mut self) {
        self.bytes.set(self.backlog.waiting().bytes as usize);
    }

    /// What is read now, or will be, may not be what is wanted.
    pub fn forget_read(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.cursor = None;
        self.backlog.forget_read();
    }

    /// A subscription was granted above QoS 0; one of the same filter goes on where it is.
    pub fn reads(&mut self, filter: FilterId, stream: StreamId, end: Sequence) -> Option<Need> {
        if self.streams.iter().any(|s| s.filter == filter && s.stream == stream) {
            return None;
        }
        self.streams.push(Standing::new(filter, stream, end));
        self.forget_read();
        Some(Need::Hold { stream, after: end })
    }

    /// A subscription has ended, or is at QoS 0 from now on.
    pub fn reads_no_more(&mut self, filter: FilterId) -> impl Iterator<Item = Need> + use<> {
        let at = self.streams.iter().position(|s| s.filter == filter);
        let standing = at.map(|at| self.streams.swap_remove(at));
        if standing.is_some() {
            self.forget_read();
        }
        let gap = self.exchanges().gap;
        standing.into_iter().flat_map(move |standing| standing.leave(gap))
    }

    /// The stream and the beginning of a subscription.
    pub fn standing(&self, filter: FilterId) -> Option<&Standing> {
        self.streams.iter().find(|s| s.filter == filter)
    }

    /// Everything that the log need not keep once the session's end is a fact.
    pub fn into_needs(self, ended: Sequence) -> impl Iterator<Item = Need> {
        let Self { first, by_snapshot, by_progress, streams, exchanges, .. } = self;
        let exchanges = exchanges.map(|exchanges| *exchanges).unwrap_or_default();
        let given = exchanges.by_group.into_iter().filter_map(Given::leave);
        let carried: Vec<Sequence> = exchanges.carried.records().collect();
        let records = by_snapshot.into_iter().chain(by_progress).chain(carried).map(Need::Release);
        let holds = streams.into_iter().flat_map(move |standing| standing.leave(exchanges.gap));
        records.chain(holds).chain(given).chain([Need::Bury { oldest: first, at: ended }])
    }
}

impl Exchanges {
    fn is_empty(&self) -> bool {
        let Self { received, steps, unsent, unloaded, by_group, carried, finished, gap } = self;
        received.is_empty()
            && steps.is_empty()
            && unsent.is_empty()
            && unloaded.is_empty()
            && by_group.is_empty()
            && carried.is_empty()
            && finished.is_empty()
            && gap.is_none()
    }
}

static NONE: Exchanges = Exchanges {
    received: Vec::new(),
    steps: Vec::new(),
    unsent: VecDeque::new(),
    unloaded: Vec::new(),
    by_group: VecDeque::new(),
    carried: CarriedList::NONE,
    finished: VecDeque::new(),
    gap: None,
};

/// Twice as long as what a group tells may be late.
const GROUP_TOLD_MS: u64 = 2_000;
const GROUP_FOUND_MS: u64 = 60_000;

const _: () = assert!(size_of::<Durable>() <= 168);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meter::Sum;

    #[test]
    fn what_of_a_group_was_finished_is_told_until_the_group_has() {
        let mut durable = Durable::new(SessionId(1), Sequence(0), Sum::default().hold());
        assert_eq!(durable.finished(0), []);
        let [three, seven] = [3, 7].map(|n| (StreamId(1), Sequence(n)));
        durable.had_finished(&[three], 0);
        durable.finishes(seven.0, seven.1, 10);
        assert_eq!(durable.finished(GROUP_TOLD_MS), [three, seven]);
        assert_eq!(durable.finished(GROUP_TOLD_MS + 10), [three]);
        durable.shrink();
        assert_eq!(durable.finished(GROUP_FOUND_MS - 1), [three]);
        assert_eq!(durable.finished(GROUP_FOUND_MS), []);
        durable.shrink();
        assert!(durable.exchanges.is_none());
    }
}
