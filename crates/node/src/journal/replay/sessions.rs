//! What the log says of each session, and which of them are there. Refuses to know what their
//! entries say beyond whom they overtake.

use super::super::carried::{Carried, CarriedFor};
use super::super::entry::Entry;
use super::super::reached::Reached;
use super::super::session_begun::SessionBegun;
use super::super::session_id::SessionId;
use super::needs::Needs;
use super::session::{Change, FoundSession, Records, merge, reached};
use foldhash::fast::RandomState;
use hashbrown::hash_table::Entry as Slot;
use hashbrown::{HashMap, HashTable};
use mqtt::packet_id::PacketId;
use mqtt::session::Exchange;
use smallvec::SmallVec;
use std::hash::BuildHasher;
use store::op::Sequence;
use store::pieces::{Filled, Pieces, Place};

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
    pieces: Pieces,
    next_id: u64,
}

/// What was found of one session.
struct Trace {
    id: SessionId,
    /// Its first [`SessionBegun`].
    first: Option<Sequence>,
    begun: Option<Whole>,
    changes: SmallVec<[Change; 2]>,
    progress: Option<Whole>,
    /// What `progress` and `delivery` add up to, if there is anything in the latter.
    reached: Option<Box<Reached>>,
    delivery: Vec<Sequence>,
    /// Messages carried forward, and by which identifiers.
    carried: Vec<(PacketId, Sequence)>,
    ended: Option<Sequence>,
}

/// An entry that overtakes all of its sort, as it lies in the log.
#[derive(Clone, Copy)]
struct Whole {
    at: Sequence,
    payload: Place,
}

impl Sessions {
    /// Takes an entry of a session.
    pub fn take(&mut self, at: Sequence, entry: &Entry<'_>, payload: &[u8], needs: &mut Needs) {
        let Some(id) = entry.session() else { return };
        let (trace, pieces) = self.trace(id);
        if trace.ended.is_some() {
            needs.let_go(at);
            return;
        }
        match entry {
            Entry::SessionBegun(_) => {
                trace.first.get_or_insert(at);
                trace.forget_state(needs);
                trace.begun = Some(Whole { at, payload: pieces.put(payload) });
            }
            Entry::SessionEnded(_) => {
                trace.forget(needs);
                trace.ended = Some(at);
            }
            Entry::Subscribed(_)
            | Entry::Unsubscribed(_)
            | Entry::Attached(_)
            | Entry::Detached(_) => {
                let (kind, payload) = (entry.kind(), pieces.put(payload));
                trace.changes.push(Change { at, kind, payload });
            }
            Entry::Progress(_) => {
                trace.forget_delivery(needs);
                trace.progress = Some(Whole { at, payload: pieces.put(payload) });
            }
            Entry::Carried(Carried { whose: CarriedFor::Session { packet_id, .. }, .. }) => {
                trace.carried.push((*packet_id, at));
            }
            Entry::Sent(_) | Entry::Released(_) | Entry::Message(_) => {
                trace.deliver(at, entry, pieces);
            }
            Entry::Clock(_)
            | Entry::GroupProgress(_)
            | Entry::Carried(_)
            | Entry::Device(_)
            | Entry::Channel(_)
            | Entry::Feedback(_)
            | Entry::Job(_) => {}
        }
    }

    /// Takes a message with an inbound identifier; how many need it for that.
    pub fn deliver(&mut self, at: Sequence, entry: &Entry<'_>) -> u8 {
        let Some(id) = entry.session() else { return 0 };
        let (trace, pieces) = self.trace(id);
        if trace.ended.is_some() {
            return 0;
        }
        trace.deliver(at, entry, pieces);
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
        let pieces = std::mem::take(&mut self.pieces).close();
        let mut replaced = Vec::new();
        for place in claimed_again(&self.all, &pieces) {
            let trace = &mut self.all[place];
            let (session, first) = (trace.id, trace.first);
            replaced.extend(first.map(|first| Replaced { session, first }));
            trace.forget(needs);
        }
        let (mut ends, mut carried) = (Vec::new(), Vec::new());
        for trace in &mut self.all {
            carried.extend(trace.claim(&pieces, needs));
        }
        carried.sort_unstable();
        let (mut found, mut anew) = (Vec::with_capacity(self.all.len()), Anew::default());
        for trace in self.all {
            let place = found.len();
            found.extend(trace.finish((&pieces, &mut anew, place), needs, &mut ends));
        }
        anew.give(&mut found);
        Living { sessions: found, replaced, ends, carried }
    }

    fn trace(&mut self, id: SessionId) -> (&mut Trace, &mut Pieces) {
        self.name(id);
        // Fewer than 2^32: their entries are in memory.
        let place = *self.by_id.entry(id).or_insert(self.all.len() as u32) as usize;
        if place == self.all.len() {
            self.all.push(Trace::new(id));
        }
        (&mut self.all[place], &mut self.pieces)
    }
}

impl Trace {
    fn new(id: SessionId) -> Self {
        Self {
            id,
            first: None,
            begun: None,
            changes: SmallVec::new(),
            progress: None,
            reached: None,
            delivery: Vec::new(),
            carried: Vec::new(),
            ended: None,
        }
    }

    /// One more step of the delivery.
    fn deliver(&mut self, at: Sequence, entry: &Entry<'_>, pieces: &Pieces) {
        let progress = self.progress.map(|whole| pieces.get(whole.payload));
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
        (self.changes, self.delivery) = (SmallVec::new(), Vec::new());
    }

    /// What is carried for the session: what an exchange names that is under way. Anything else is
    /// of one that is over, or of one that was to be carried when the power went.
    fn claim(&mut self, pieces: &Filled, needs: &mut Needs) -> Vec<Sequence> {
        let is_there = self.begun.is_some() && self.ended.is_none();
        if self.carried.is_empty() || !is_there {
            return Vec::new();
        }
        let read;
        let reached = match &self.reached {
            Some(reached) => reached,
            None => {
                let progress = self.progress.map(|whole| pieces.get(whole.payload));
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

    /// The session, if it is there; what has to be written of it is the `place`th.
    fn finish(
        mut self,
        (pieces, anew, place): (&Filled, &mut Anew, usize),
        needs: &mut Needs,
        ends: &mut Vec<(Sequence, Sequence)>,
    ) -> Option<FoundSession> {
        match (self.begun.take(), self.first, self.ended) {
            (Some(begun), Some(first), None) => {
                return Some(self.found(begun, first, (pieces, anew, place)));
            }
            (_, Some(first), Some(ended)) => ends.push((first, ended)),
            (_, _, ended) => ended.into_iter().for_each(|at| needs.let_go(at)),
        }
        self.forget(needs);
        None
    }

    fn found(
        self,
        begun: Whole,
        first: Sequence,
        (pieces, anew, place): (&Filled, &mut Anew, usize),
    ) -> FoundSession {
        if !self.changes.is_empty() {
            let now = |out: &mut Vec<u8>| {
                merge(pieces.get(begun.payload), &self.changes, pieces, out);
            };
            anew.write(place, Part::Begun, now);
        }
        if let Some(reached) = &self.reached {
            anew.write(place, Part::Progress, |out| reached.snapshot().encode(out));
        }
        let records = Records {
            begun: begun.at,
            changes: self.changes.iter().map(|change| change.at).collect(),
            progress: self.progress.map(|whole| whole.at),
            delivery: self.delivery.into(),
        };
        let begun = pieces.keep(begun.payload);
        let progress = self.progress.map(|whole| pieces.keep(whole.payload));
        FoundSession { id: self.id, first, begun, progress, records }
    }
}

/// What sessions are now, where the log says it in several records.
#[derive(Default)]
struct Anew {
    pieces: Pieces,
    places: Vec<(u32, Part, Place)>,
    scratch: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Part {
    Begun,
    Progress,
}

impl Anew {
    /// Of the session at a place among those that are found; fewer than 2^32.
    fn write(&mut self, session: usize, part: Part, write: impl FnOnce(&mut Vec<u8>)) {
        self.scratch.clear();
        write(&mut self.scratch);
        self.places.push((session as u32, part, self.pieces.put(&self.scratch)));
    }

    fn give(self, found: &mut [FoundSession]) {
        let pieces = self.pieces.close();
        for (session, part, place) in self.places {
            let (session, payload) = (&mut found[session as usize], pieces.keep(place));
            match part {
                Part::Begun => session.begun = payload,
                Part::Progress => session.progress = Some(payload),
            }
        }
    }
}

/// Places of sessions whose client identifier a later [`SessionBegun`] of another names.
fn claimed_again(all: &[Trace], pieces: &Filled) -> Vec<usize> {
    let client = |place: usize| {
        let begun = all[place].begun.as_ref()?;
        Some((SessionBegun::client_of(pieces.get(begun.payload))?, begun.at))
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
            Slot::Vacant(free) => {
                free.insert(place as u32);
            }
            Slot::Occupied(mut held) => {
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
