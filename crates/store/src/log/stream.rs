//! Index streams: which records wait for the holders of one filter, in log order.
//!
//! Owns, for each stream, where its sequence numbers lie (a list in the footer of each sealed
//! segment, a list in memory for the open one) and where its holders stand.
//! Refuses to know filters and sessions.

use super::holders::Holders;
use super::record::StreamId;
use crate::op::Sequence;
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

/// All streams of a log. Most have one holder who has read everything: they cost a place in a map.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// Nothing to read and one holder: where that stands.
    idle: HashMap<StreamId, u64, ByNumber>,
    busy: HashMap<StreamId, Stream, ByNumber>,
    /// How many of each sealed segment's numbers somebody may still read, by base; not known before
    /// all holders are.
    needed: Option<BTreeMap<u64, u64>>,
}

/// Places streams in the order of their numbers, which the server gives one after the other: a
/// start takes in a million of them without going to and fro in memory.
#[derive(Debug, Default, Clone, Copy)]
struct ByNumber(u64);

impl BuildHasher for ByNumber {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl Hasher for ByNumber {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|b| self.0 = self.0 << 8 | u64::from(*b));
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = u64::from(number);
    }

    /// The low bits choose the place, the high ones tell neighbours apart.
    fn finish(&self) -> u64 {
        self.0 ^ (self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) & (0xfe << 56))
    }
}

/// One stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    parts: VecDeque<Part>,
    /// Distances from the base of the open segment.
    open: Vec<u32>,
    holders: Holders,
    /// Holders of a part in the middle: behind which record, up to which. Few sessions have one.
    #[expect(clippy::box_collection, reason = "most streams have none")]
    between: Option<Box<Vec<(Sequence, Sequence)>>>,
}

/// A stream's list of one sealed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Base of the segment.
    pub base: u64,
    /// How many sequence numbers.
    pub count: u32,
    /// Where they are.
    pub list: List,
    /// The last of them.
    pub last: Sequence,
}

/// The lists of several streams.
pub(super) type Parts = Vec<(StreamId, Part)>;

/// Where a list lies: ascending distances from the segment's base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum List {
    /// In the footer, at this offset of the file.
    File(u32),
    /// The segment could not be sealed.
    Memory(Arc<[u32]>),
}

impl Streams {
    /// A stream with something to read.
    pub fn get(&self, id: StreamId) -> Option<&Stream> {
        self.busy.get(&id)
    }

    /// A record of the open segment belongs to the stream.
    pub fn push(&mut self, id: StreamId, local: u32) {
        self.wake(id).open.push(local);
    }

    /// A list of a sealed segment; segments come in log order.
    pub fn add_part(&mut self, id: StreamId, part: Part) {
        self.wake(id).parts.push_back(part);
    }

    /// The lists of the open segment with at least one number that somebody may still read.
    pub fn open_lists(&self) -> Vec<(StreamId, &[u32])> {
        let lists = self.busy.iter().filter(|(_, s)| !s.open.is_empty());
        let mut lists: Vec<_> = lists.map(|(id, s)| (*id, s.open.as_slice())).collect();
        lists.sort_unstable_by_key(|(id, _)| *id);
        lists
    }

    /// The open segment was sealed: its lists lie in its footer now.
    pub fn seal(&mut self, parts: impl Iterator<Item = (StreamId, Part)>) {
        let mut base = None;
        for (id, part) in parts {
            self.wake(id).open = Vec::new();
            base = Some(part.base);
            self.add(id, part);
        }
        // Who holds a stream may tell a little later than its first record is a fact, not longer.
        if let (Some(_), Some(base)) = (&self.needed, base) {
            let late = |s: &Stream| s.parts.front().is_some_and(|part| part.base < base);
            self.busy.retain(|_, s| s.is_held() || !late(s));
        }
    }

    /// The open segment cannot be sealed: its lists stay in memory.
    pub fn freeze(&mut self, base: u64) {
        let open = self.busy.iter().filter(|(_, stream)| !stream.open.is_empty());
        let open: Vec<StreamId> = open.map(|(id, _)| *id).collect();
        for id in open {
            let stream = self.wake(id);
            let open = std::mem::take(&mut stream.open);
            let last = Sequence(base + u64::from(open.last().copied().unwrap_or(0)));
            let (count, list) = (open.len() as u32, List::Memory(open.into()));
            self.add(id, Part { base, count, list, last });
        }
    }

    /// Segments were joined to one: their lists give way to `instead`, which has all that somebody
    /// may still read.
    pub fn replace(&mut self, bases: &[u64], instead: &[(StreamId, Part)]) {
        for stream in self.busy.values_mut() {
            stream.parts.retain(|part| !bases.contains(&part.base));
        }
        for (id, part) in instead {
            let Some(stream) = self.busy.get_mut(id) else { continue };
            if stream.needs(part) || self.needed.is_none() {
                let at = stream.parts.partition_point(|p| p.base < part.base);
                stream.parts.insert(at, part.clone());
            } else if stream.is_held() {
                self.settle(*id);
            }
        }
        // Counted anew: they lie elsewhere now, and some were read meanwhile.
        if self.needed.is_some() {
            self.needed = Some(self.count());
        }
    }

    /// Takes what a scan of the open segment found.
    pub fn adopt_open(&mut self, found: Self) {
        for (id, stream) in found.busy {
            self.wake(id).open = stream.open;
        }
    }

    /// So many streams are about to be held.
    pub fn reserve(&mut self, streams: usize) {
        self.idle.reserve(streams);
    }

    /// Somebody reads the stream behind `after` from now on.
    pub fn hold(&mut self, id: StreamId, after: Sequence) {
        if !self.busy.contains_key(&id) {
            match self.idle.entry(id) {
                Entry::Vacant(place) => {
                    place.insert(after.0);
                    return;
                }
                Entry::Occupied(_) => {}
            }
        }
        self.widen(id, |stream| stream.holders.add(after));
    }

    /// A holder has come from `from` to `to`.
    pub fn advance(&mut self, id: StreamId, from: Sequence, to: Sequence) {
        if let Some(stream) = self.busy.get_mut(&id) {
            if stream.holders.remove(from) {
                stream.holders.add(to);
                self.settle(id);
            }
        } else if let Some(at) = self.idle.get_mut(&id).filter(|at| **at == from.0) {
            *at = to.0;
        }
    }

    /// A holder that stood behind `after` is gone. A stream without holders ends.
    pub fn leave(&mut self, id: StreamId, after: Sequence) {
        if let Some(stream) = self.busy.get_mut(&id) {
            if !stream.holders.remove(after) {
                return;
            }
            self.settle(id);
            if self.busy.get(&id).is_some_and(|stream| !stream.is_held()) {
                self.busy.remove(&id);
            }
        } else if self.idle.get(&id) == Some(&after.0) {
            self.idle.remove(&id);
        }
    }

    /// Somebody reads the stream behind a record up to another, which is not before it.
    pub fn hold_until(&mut self, id: StreamId, between: (Sequence, Sequence)) {
        self.widen(id, |stream| stream.between.get_or_insert_default().push(between));
    }

    /// Who read so far is gone.
    pub fn leave_until(&mut self, id: StreamId, between: (Sequence, Sequence)) {
        let Some(stream) = self.busy.get_mut(&id) else { return };
        let Some(all) = &mut stream.between else { return };
        if let Some(at) = all.iter().position(|one| *one == between) {
            all.swap_remove(at);
        }
        if all.is_empty() {
            stream.between = None;
        }
        self.settle(id);
        if self.busy.get(&id).is_some_and(|stream| !stream.is_held()) {
            self.busy.remove(&id);
        }
    }

    /// After a start, when all holders are known: streams that nobody holds end, and what is needed
    /// is counted from here on.
    pub fn end_unheld(&mut self) {
        self.busy.retain(|_, stream| stream.is_held());
        self.needed = Some(BTreeMap::new());
        let all: Vec<StreamId> = self.busy.keys().copied().collect();
        all.into_iter().for_each(|id| self.settle(id));
        self.busy.shrink_to_fit();
        self.needed = Some(self.count());
    }

    /// How many of each sealed segment's numbers somebody may still read, by base.
    pub fn needed(&self) -> Cow<'_, BTreeMap<u64, u64>> {
        match &self.needed {
            Some(needed) => Cow::Borrowed(needed),
            None => Cow::Owned(self.count()),
        }
    }

    /// Every list of one segment that somebody may still read.
    pub fn parts_of(&self, base: u64) -> Vec<(StreamId, Part)> {
        let mut parts = Vec::new();
        for (id, stream) in &self.busy {
            let at = stream.parts.partition_point(|part| part.base < base);
            if let Some(part) = stream.parts.get(at)
                && part.base == base
                && stream.needs(part)
            {
                parts.push((*id, part.clone()));
            }
        }
        parts.sort_unstable_by_key(|(id, _)| *id);
        parts
    }

    /// The stream, with something to read or about to have it.
    fn wake(&mut self, id: StreamId) -> &mut Stream {
        let Self { idle, busy, .. } = self;
        busy.entry(id).or_insert_with(|| {
            let mut stream = Stream::default();
            if let Some(at) = idle.remove(&id) {
                stream.holders.add(Sequence(at));
            }
            stream
        })
    }

    /// The stream gets a holder. If it had none, what it needs counts from here on; of one that is
    /// held every list is needed, and counts.
    fn widen(&mut self, id: StreamId, hold: impl FnOnce(&mut Stream)) {
        let stream = self.wake(id);
        let was_held = stream.is_held();
        hold(stream);
        let Self { busy, needed: Some(needed), .. } = self else { return };
        let Some(stream) = busy.get_mut(&id).filter(|_| !was_held) else { return };
        let mut parts = std::mem::take(&mut stream.parts);
        parts.retain(|part| stream.needs(part));
        for part in &parts {
            *needed.entry(part.base).or_insert(0) += u64::from(part.count);
        }
        stream.parts = parts;
    }

    /// A list behind all others; one that everybody has read is nothing.
    fn add(&mut self, id: StreamId, part: Part) {
        let Self { busy, needed, .. } = self;
        let Some(stream) = busy.get_mut(&id) else { return };
        let is_needed = stream.needs(&part);
        if let Some(needed) = needed.as_mut().filter(|_| is_needed) {
            *needed.entry(part.base).or_insert(0) += u64::from(part.count);
        }
        let is_held = stream.is_held();
        if is_needed || needed.is_none() || !is_held {
            stream.parts.push_back(part);
        }
        if is_held {
            self.settle(id);
        }
    }

    /// Forgets lists of a stream that nobody may read any more, once all holders are known. They
    /// were counted while somebody could.
    fn settle(&mut self, id: StreamId) {
        let Self { idle, busy, needed: Some(needed) } = self else { return };
        let Some(stream) = busy.get_mut(&id) else { return };
        let mut at = 0;
        while let Some(part) = stream.parts.get(at) {
            if stream.needs(part) {
                // Behind it somebody needs everything, if nobody has an end.
                if stream.between.is_none() {
                    break;
                }
                at += 1;
                continue;
            }
            let (base, count) = (part.base, u64::from(part.count));
            stream.parts.remove(at);
            if let Some(left) = needed.get_mut(&base) {
                *left = left.saturating_sub(count);
                if *left == 0 {
                    needed.remove(&base);
                }
            }
        }
        if let Holders::One(at) = stream.holders
            && stream.between.is_none()
            && stream.parts.is_empty()
            && stream.open.is_empty()
        {
            idle.insert(id, at);
            busy.remove(&id);
        }
    }

    fn count(&self) -> BTreeMap<u64, u64> {
        let mut needed = BTreeMap::new();
        for stream in self.busy.values() {
            for part in stream.parts.iter().filter(|part| stream.needs(part)) {
                *needed.entry(part.base).or_insert(0) += u64::from(part.count);
            }
        }
        needed
    }
}

impl Stream {
    /// The list that may hold the first number behind `after`, with how far to go on if it does
    /// not: the sealed lists in order, then the open one.
    pub fn list_behind(&self, after: Sequence) -> Option<Part> {
        let at = self.parts.partition_point(|part| part.last <= after);
        self.parts.get(at).cloned()
    }

    /// The numbers of the open segment.
    pub fn open(&self) -> &[u32] {
        &self.open
    }

    /// The last number; `base` is the open segment's.
    pub fn last(&self, base: u64) -> Option<Sequence> {
        let open = self.open.last().map(|local| Sequence(base + u64::from(*local)));
        open.or_else(|| self.parts.back().map(|part| part.last))
    }

    /// Whether somebody may still read something of the list.
    fn needs(&self, part: &Part) -> bool {
        let is_in =
            |(after, until): &(Sequence, Sequence)| *after < part.last && until.0 >= part.base;
        self.holders.slowest().is_some_and(|slowest| slowest < part.last)
            || self.between.iter().flat_map(|all| all.iter()).any(is_in)
    }

    fn is_held(&self) -> bool {
        !self.holders.is_empty() || self.between.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random.
    struct Chance(u64);

    impl Chance {
        fn below(&mut self, n: u64) -> u64 {
            self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (self.0 >> 33) % n
        }
    }

    /// What holds a stream, and a log of one record a step.
    struct World {
        chance: Chance,
        streams: Streams,
        holders: Vec<(StreamId, Sequence)>,
        between: Vec<(StreamId, (Sequence, Sequence))>,
        base: u64,
        next: u64,
    }

    impl World {
        fn step(&mut self) {
            let id = StreamId(self.chance.below(4) as u32);
            let at = self.chance.below(self.holders.len().max(1) as u64) as usize;
            match self.chance.below(14) {
                0 | 1 => {
                    let after = Sequence(self.next - 1);
                    self.streams.hold(id, after);
                    self.holders.push((id, after));
                }
                2 if at < self.holders.len() => {
                    let (id, after) = self.holders.swap_remove(at);
                    self.streams.leave(id, after);
                }
                3..=5 if at < self.holders.len() => {
                    let (id, from) = self.holders[at];
                    let to = Sequence(from.0 + self.chance.below(self.next - from.0));
                    self.streams.advance(id, from, to);
                    self.holders[at].1 = to;
                }
                6 => self.end_segment(),
                7 if self.base > 1 => self.join(),
                8 => {
                    let after = self.chance.below(self.next);
                    let until = after + self.chance.below(self.next - after);
                    let between = (Sequence(after), Sequence(until));
                    self.streams.hold_until(id, between);
                    self.between.push((id, between));
                }
                9 if !self.between.is_empty() => {
                    let at = self.chance.below(self.between.len() as u64) as usize;
                    let (id, between) = self.between.swap_remove(at);
                    self.streams.leave_until(id, between);
                }
                _ => {
                    self.streams.push(id, (self.next - self.base) as u32);
                    self.next += 1;
                }
            }
        }

        /// A stream that is held has no list that none of its holders reads.
        fn has_what_is_needed(&self, seed: u64) {
            for (id, stream) in self.streams.busy.iter().filter(|(_, s)| s.is_held()) {
                for part in &stream.parts {
                    let mut holders = self.holders.iter().filter(|(of, _)| of == id);
                    let mut between = self.between.iter().filter(|(of, _)| of == id);
                    let reads = holders.any(|(_, after)| *after < part.last)
                        || between
                            .any(|(_, (after, until))| *after < part.last && until.0 >= part.base);
                    assert!(reads, "seed {seed}: {id:?} {part:?}");
                }
            }
        }

        fn end_segment(&mut self) {
            if self.chance.below(4) == 0 {
                self.streams.freeze(self.base);
            } else {
                let lists = self.streams.open_lists();
                let part = |list: &[u32]| Part {
                    base: self.base,
                    count: list.len() as u32,
                    list: List::File(0),
                    last: Sequence(self.base + u64::from(list[list.len() - 1])),
                };
                let parts: Vec<_> = lists.iter().map(|(id, list)| (*id, part(list))).collect();
                self.streams.seal(parts.into_iter());
            }
            self.base = self.next;
        }

        fn join(&mut self) {
            let base = 1 + self.chance.below(self.base - 1);
            let parts = self.streams.parts_of(base);
            self.streams.replace(&[base], &parts);
        }
    }

    #[test]
    fn what_is_needed_is_counted_as_it_changes() {
        for seed in 1..=200 {
            let mut w = World {
                chance: Chance(seed),
                streams: Streams::default(),
                holders: Vec::new(),
                between: Vec::new(),
                base: 1,
                next: 1,
            };
            for step in 0..400 {
                if step == 50 {
                    w.streams.end_unheld();
                }
                w.step();
                assert_eq!(*w.streams.needed(), w.streams.count(), "seed {seed}, step {step}");
                if step >= 50 {
                    w.has_what_is_needed(seed);
                }
            }
            for (id, between) in std::mem::take(&mut w.between) {
                w.streams.leave_until(id, between);
            }
            // Whoever has read everything holds no list, and nobody no stream.
            for at in 0..w.holders.len() {
                let (id, from) = w.holders[at];
                w.streams.advance(id, from, Sequence(w.next));
                w.holders[at].1 = Sequence(w.next);
            }
            w.end_segment();
            w.end_segment();
            assert_eq!(*w.streams.needed(), BTreeMap::new(), "seed {seed}");
            for (id, at) in std::mem::take(&mut w.holders) {
                w.streams.leave(id, at);
            }
            assert!(w.streams.idle.is_empty(), "seed {seed}");
        }
    }
}
