//! What the log says of each session, and which of them are there. Refuses to know what their
//! entries say beyond whom they overtake.

use super::super::carried::{Carried, CarriedFor};
use super::super::entry::Entry;
use super::super::progress::Progress;
use super::super::reached::Reached;
use super::super::session_begun::SessionBegun;
use super::super::session_id::SessionId;
use super::needs::Needs;
use super::session::{Change, FoundSession, Records, merge, reached};
use foldhash::fast::RandomState;
use hashbrown::hash_table::Entry as Place;
use hashbrown::{HashMap, HashTable};
use mqtt::packet_id::PacketId;
use mqtt::session::Exchange;
use std::hash::BuildHasher;
use store::op::Sequence;

/// A session whose client identifier another has taken, which never ended: the power went before
/// that was written. A [`SessionEnded`](crate::journal::SessionEnded) of it has to be durable, and
/// a tombstone, before any of its records is released; else one that comes back when the other
/// session has ended would be taken for a session that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// Which one.
    pub session: SessionId,
    /// Its first record that counts: what its end speaks of.
    pub first: Sequence,
}

/// What all of it adds up to.
pub(super) struct Living {
    /// Those that are there, in the order in which they were named.
    pub sessions: Vec<FoundSession>,
    /// Those that are there no more because of another.
    pub replaced: Vec<Replaced>,
    /// For the ends of others, what they speak of and their own record.
    pub ends: Vec<(Sequence, Sequence)>,
    /// What is carried for those that are there, ascending.
    pub carried: Vec<Sequence>,
}

/// All sessions that any entry names.
#[derive(Default)]
pub(super) struct Sessions {
    /// Places in `all`.
    by_id: HashMap<SessionId, u32, RandomState>,
    all: Vec<Trace>,
    next_id: u64,
}

/// What was found of one session.
struct Trace {
    id: SessionId,
    /// Its first [`SessionBegun`].
    first: Option<Sequence>,
    begun: Option<Whole>,
    changes: Vec<Change>,
    progress: Option<Whole>,
    /// What `progress` and `delivery` add up to, if there is anything in the latter.
    reached: Option<Box<Reached>>,
    delivery: Vec<Sequence>,
    /// Messages carried forward, and by which identifiers.
    carried: Vec<(PacketId, Sequence)>,
    ended: Option<Sequence>,
}

/// An entry that overtakes all of its sort, as it lies in the log.
struct Whole {
    at: Sequence,
    payload: Box<[u8]>,
}

impl Sessions {
    /// Takes an entry of a session.
    pub fn take(&mut self, at: Sequence, entry: &Entry<'_>, payload: &[u8], needs: &mut Needs) {
        let Some(id) = entry.session() else { return };
        let trace = self.trace(id);
        if trace.ended.is_some() {
            needs.let_go(at);
            return;
        }
        let whole = || Whole { at, payload: payload.into() };
        match entry {
            Entry::SessionBegun(_) => {
                trace.first.get_or_insert(at);
                trace.forget_state(needs);
                trace.begun = Some(whole());
            }
            Entry::SessionEnded(_) => {
                trace.forget(needs);
                trace.ended = Some(at);
            }
            Entry::Subscribed(_)
            | Entry::Unsubscribed(_)
            | Entry::Attached(_)
            | Entry::Detached(_) => {
                let (kind, payload) = (entry.kind(), payload.into());
                trace.changes.push(Change { at, kind, payload });
            }
            Entry::Progress(_) => {
                trace.forget_delivery(needs);
                trace.progress = Some(whole());
            }
            Entry::Carried(Carried { whose: CarriedFor::Session { packet_id, .. }, .. }) => {
                trace.carried.push((*packet_id, at));
            }
            Entry::Sent(_) | Entry::Released(_) | Entry::Message(_) => trace.deliver(at, entry),
            Entry::Clock(_)
            | Entry::GroupProgress(_)
            | Entry::Carried(_)
            | Entry::Device(_)
            | Entry::Channel(_) => {}
        }
    }

    /// Takes a message with an inbound identifier; how many need it for that.
    pub fn deliver(&mut self, at: Sequence, entry: &Entry<'_>) -> u8 {
        let Some(id) = entry.session() else { return 0 };
        let trace = self.trace(id);
        if trace.ended.is_some() {
            return 0;
        }
        trace.deliver(at, entry);
        1
    }

    /// A session was named by what is not its own.
    pub fn name(&mut self, id: SessionId) {
        self.next_id = self.next_id.max(id.0.saturating_add(1));
    }

    /// Above all that were named.
    pub fn next_id(&self) -> SessionId {
        SessionId(self.next_id)
    }

    /// Everything was taken.
    pub fn finish(mut self, needs: &mut Needs) -> Living {
        self.by_id = HashMap::default();
        let mut replaced = Vec::new();
        for place in claimed_again(&self.all) {
            let trace = &mut self.all[place];
            let (session, first) = (trace.id, trace.first);
            replaced.extend(first.map(|first| Replaced { session, first }));
            trace.forget(needs);
        }
        let (mut ends, mut carried) = (Vec::new(), Vec::new());
        for trace in &mut self.all {
            carried.extend(trace.claim(needs));
        }
        carried.sort_unstable();
        let found = self.all.into_iter().filter_map(|trace| trace.finish(needs, &mut ends));
        Living { sessions: found.collect(), replaced, ends, carried }
    }

    fn trace(&mut self, id: SessionId) -> &mut Trace {
        self.name(id);
        // Fewer than 2^32: their entries are in memory.
        let place = *self.by_id.entry(id).or_insert(self.all.len() as u32) as usize;
        if place == self.all.len() {
            self.all.push(Trace::new(id));
        }
        &mut self.all[place]
    }
}

impl Trace {
    fn new(id: SessionId) -> Self {
        Self {
            id,
            first: None,
            begun: None,
            changes: Vec::new(),
            progress: None,
            reached: None,
            delivery: Vec::new(),
            carried: Vec::new(),
            ended: None,
        }
    }

    /// One more step of the delivery.
    fn deliver(&mut self, at: Sequence, entry: &Entry<'_>) {
        let progress = self.progress.as_ref().map(|whole| &*whole.payload);
        let begin = || Box::new(reached(self.id, progress));
        self.reached.get_or_insert_with(begin).apply(entry);
        self.delivery.push(at);
    }

    fn forget_state(&mut self, needs: &mut Needs) {
        let begun = self.begun.take().map(|whole| whole.at);
        begun.into_iter().for_each(|at| needs.let_go(at));
        self.changes.drain(..).for_each(|change| needs.let_go(change.at));
    }

    fn forget_delivery(&mut self, needs: &mut Needs) {
        let progress = self.progress.take().map(|whole| whole.at);
        progress.into_iter().for_each(|at| needs.let_go(at));
        self.delivery.drain(..).for_each(|at| needs.let_go(at));
        self.reached = None;
    }

    fn forget(&mut self, needs: &mut Needs) {
        self.forget_state(needs);
        self.forget_delivery(needs);
        self.carried.drain(..).for_each(|(_, at)| needs.let_go(at));
        (self.changes, self.delivery) = (Vec::new(), Vec::new());
    }

    /// What is carried for the session: what an exchange names that is under way. Anything else is
    /// of one that is over, or of one that was to be carried when the power went.
    fn claim(&mut self, needs: &mut Needs) -> Vec<Sequence> {
        let is_there = self.begun.is_some() && self.ended.is_none();
        if self.carried.is_empty() || !is_there {
            return Vec::new();
        }
        let read;
        let reached = match &self.reached {
            Some(reached) => reached,
            None => {
                let progress = self.progress.as_ref().map(|whole| &*whole.payload);
                read = Box::new(reached(self.id, progress));
                &read
            }
        };
        let open = reached.under_way().filter(|u| u.exchange != Exchange::Released);
        let named: Vec<_> = open.map(|u| (u.packet_id, u.sequence)).collect();
        let (claimed, stale): (Vec<_>, Vec<_>) =
            self.carried.drain(..).partition(|carried| named.contains(carried));
        stale.into_iter().for_each(|(_, at)| needs.let_go(at));
        claimed.into_iter().map(|(_, at)| at).collect()
    }

    fn finish(
        mut self,
        needs: &mut Needs,
        ends: &mut Vec<(Sequence, Sequence)>,
    ) -> Option<FoundSession> {
        match (self.begun.take(), self.first, self.ended) {
            (Some(begun), Some(first), None) => return Some(self.found(begun, first)),
            (_, Some(first), Some(ended)) => ends.push((first, ended)),
            (_, _, ended) => ended.into_iter().for_each(|at| needs.let_go(at)),
        }
        self.forget(needs);
        None
    }

    fn found(self, begun: Whole, first: Sequence) -> FoundSession {
        let records = Records {
            begun: begun.at,
            changes: self.changes.iter().map(|change| change.at).collect(),
            progress: self.progress.as_ref().map(|whole| whole.at),
            delivery: self.delivery.into(),
        };
        let progress = match self.reached {
            Some(reached) => Some(encoded(&reached.snapshot())),
            None => self.progress.map(|whole| whole.payload),
        };
        let begun = merge(begun.payload, &self.changes);
        FoundSession { id: self.id, first, begun, progress, records }
    }
}

fn encoded(progress: &Progress) -> Box<[u8]> {
    let mut bytes = Vec::new();
    progress.encode(&mut bytes);
    bytes.into()
}

/// Places of sessions whose client identifier a later [`SessionBegun`] of another names.
fn claimed_again(all: &[Trace]) -> Vec<usize> {
    let client = |place: usize| {
        let begun = all[place].begun.as_ref()?;
        Some((SessionBegun::client_of(&begun.payload)?, begun.at))
    };
    let name = |place: &u32| client(*place as usize).map(|(name, _)| name);
    let hasher = RandomState::default();
    let mut claims: HashTable<u32> = HashTable::with_capacity(all.len());
    let mut lost = Vec::new();
    for place in 0..all.len() {
        let Some((wanted, at)) = client(place) else { continue };
        let hash = hasher.hash_one(wanted);
        let same = |other: &u32| name(other) == Some(wanted);
        // Everything in the table has a name.
        match claims.entry(hash, same, |other| hasher.hash_one(name(other).unwrap_or_default())) {
            Place::Vacant(free) => {
                free.insert(place as u32);
            }
            Place::Occupied(mut held) => {
                let other = *held.get() as usize;
                let wins = client(other).is_none_or(|(_, other_at)| other_at < at);
                if wins {
                    *held.get_mut() = place as u32;
                }
                lost.push(if wins { other } else { place });
            }
        }
    }
    lost
}
