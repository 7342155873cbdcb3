//! Which reactors hold a subscription that may match a topic.
//!
//! Shared by all reactors. A false positive costs a post that nobody wants; a false negative
//! would lose a message, so every change is visible before it returns. The same holds for members
//! of a shared group that lives on another reactor: they wait here until it looks; and for the
//! filters of durable sessions, by which a publisher anywhere knows that the log has to keep its
//! message. Refuses to know sessions.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::restoring::Restoring;
use super::shard::{FilterShard, SHARDS, Shard};
use super::slab::Slab;
use super::streams::{Change, HeldFilter, NumbersSpent, Streams, Text, filter_of};
use super::tree::Tree;
use crate::share::Join;
use store::log::StreamId;

/// Which reactors hold at least one subscription that may match a topic.
pub struct Interest {
    reactors: usize,
    exact: Box<[RwLock<HashTable<Exact>>]>,
    wildcard: RwLock<Wildcard>,
    generations: Box<[AtomicU64]>,
    wildcard_generation: AtomicU64,
    joins: Box<[Joins]>,
    streams: Streams,
    hasher: RandomState,
}

/// Members that have joined groups of one reactor, until it takes them in.
#[derive(Default)]
struct Joins {
    some: AtomicBool,
    list: Mutex<Vec<Join>>,
}

/// An exact filter on one reactor, known by half of its hash alone: two filters with one hash share
/// an entry, which is a false positive at worst because they are counted. 12 bytes.
pub(super) struct Exact {
    hash: u32,
    reactor: u8,
    /// How many filters it stands for.
    count: u32,
}

impl Exact {
    fn is_same(&self, other: &Self) -> bool {
        (self.hash, self.reactor) == (other.hash, other.reactor)
    }

    /// The hash as a table wants it, with something in all bits.
    fn spread(&self) -> u64 {
        u64::from(self.hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

struct Wildcard {
    tree: Tree,
    counts: Slab<Counts>,
}

/// How many wildcard filters of each reactor an entry stands for.
enum Counts {
    One { reactor: u8, count: u32 },
    Many(Box<Several>),
}

/// Reactors and their counts, boxed because most entries have one.
struct Several(Vec<(u8, u32)>);

impl Interest {
    /// For reactors `0..reactors`; at most [`REACTORS_MAX`] (a mask has 64 bits).
    ///
    /// # Panics
    /// With more reactors: a mistake of the caller that would lose messages.
    pub fn new(reactors: usize) -> Self {
        assert!(reactors <= REACTORS_MAX, "an interest mask holds {REACTORS_MAX} reactors");
        let empty = || RwLock::new(HashTable::new());
        let wildcard = Wildcard { tree: Tree::new(), counts: Slab::new() };
        Self {
            reactors,
            exact: (0..LOCKS).map(|_| empty()).collect(),
            wildcard: RwLock::new(wildcard),
            generations: (0..SHARDS).map(|_| AtomicU64::new(0)).collect(),
            wildcard_generation: AtomicU64::new(0),
            joins: (0..reactors).map(|_| Joins::default()).collect(),
            streams: Streams::new(),
            hasher: RandomState::default(),
        }
    }

    /// For how many reactors it was made.
    pub fn reactors(&self) -> usize {
        self.reactors
    }

    /// The reactor's first subscription of this filter came. When this returns, every later
    /// [`Interest::stamp`] and [`Interest::mask`] of a matching topic tells so.
    pub fn add(&self, reactor: usize, filter: &str) {
        self.enter(self.checked(reactor), filter);
        self.bump(filter);
    }

    fn enter(&self, reactor: u8, filter: &str) {
        if is_wildcard(filter) {
            let mut wildcard = write(&self.wildcard);
            if let Some(id) = wildcard.tree.get(filter) {
                if let Some(counts) = wildcard.counts.get_mut(id) {
                    counts.add(reactor);
                }
            } else {
                let id = wildcard.counts.insert(Counts::One { reactor, count: 1 });
                wildcard.tree.insert(filter, id);
            }
        } else {
            let hash = self.hasher.hash_one(filter);
            let mut table = write(self.table(hash));
            enter(&mut table, Exact { hash: hash as u32, reactor, count: 1 });
        }
    }

    fn enter_all(&self, table: usize, all: &mut Vec<Exact>) {
        let mut table = write(&self.exact[table]);
        all.drain(..).for_each(|exact| enter(&mut table, exact));
    }

    /// The reactor's last subscription of this filter went. Each call undoes one
    /// [`Interest::add`]; one without changes nothing.
    pub fn remove(&self, reactor: usize, filter: &str) {
        let reactor = self.checked(reactor);
        if is_wildcard(filter) {
            let mut wildcard = write(&self.wildcard);
            let Some(id) = wildcard.tree.get(filter) else { return };
            let Some(counts) = wildcard.counts.get_mut(id) else { return };
            if counts.remove(reactor) == Left::Nobody {
                wildcard.counts.remove(id);
                wildcard.tree.remove(filter);
            }
        } else {
            let hash = self.hasher.hash_one(filter);
            let mut table = write(self.table(hash));
            let exact = Exact { hash: hash as u32, reactor, count: 0 };
            let found = table.find_entry(exact.spread(), |e| e.is_same(&exact));
            let Ok(mut entry) = found else { return };
            entry.get_mut().count -= 1;
            if entry.get().count == 0 {
                entry.remove();
            }
        }
        self.bump(filter);
    }

    /// A session elsewhere joins a group at home on `reactor`, or changes its options there. When
    /// this returns, whoever sees the new [`Interest::stamp`] of a topic that matches `filter`
    /// finds the member by [`Interest::take_joins`].
    pub fn join(&self, reactor: usize, filter: &str, join: Join) {
        let joins = &self.joins[usize::from(self.checked(reactor))];
        let mut list = joins.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.push(join);
        // Under the lock, so that `take_joins` does not clear it for one that it has not taken.
        joins.some.store(true, Ordering::Release);
        drop(list);
        self.bump(filter);
    }

    /// Whether somebody waits for [`Interest::take_joins`].
    #[inline]
    pub fn has_joins(&self, reactor: usize) -> bool {
        self.joins.get(reactor).is_some_and(|j| j.some.load(Ordering::Acquire))
    }

    /// Those who joined groups of `reactor` since the last call, in their order.
    pub fn take_joins(&self, reactor: usize) -> Vec<Join> {
        let Some(joins) = self.joins.get(reactor) else { return Vec::new() };
        let mut list = joins.list.lock().unwrap_or_else(PoisonError::into_inner);
        joins.some.store(false, Ordering::Release);
        std::mem::take(&mut *list)
    }

    /// A durable session anywhere is granted `text` (`$share/{name}/` included) at QoS > 0.
    ///
    /// Counted. Gives the filter's stream, whose number no other filter had since the process
    /// started and none that was adopted has. When this returns, every later [`Interest::stamp`]
    /// and [`Interest::streams`] of a matching topic tells so.
    pub fn hold(&self, text: &(impl Text + ?Sized)) -> Result<StreamId, NumbersSpent> {
        let (stream, change) = self.streams.hold(text)?;
        if change == Change::Filters {
            self.bump(filter_of(text.text()));
        }
        Ok(stream)
    }

    /// It is so no longer; each call undoes one [`Interest::hold`]. Gives the stream when nobody
    /// holds the filter any more: the caller ends it.
    pub fn release(&self, text: &str) -> Option<StreamId> {
        let ended = self.streams.release(text)?;
        self.bump(filter_of(text));
        Some(ended)
    }

    /// A session that the log has holds this filter, which has this stream there; if it has another
    /// one already, that stays. Known when it was [`restored`](Self::restored), before the first
    /// [`Interest::hold`] that could begin a stream, and before anybody looks at a stamp.
    pub fn adopt(&self, text: &Arc<str>, stream: StreamId, restoring: &mut Restoring) {
        if let Some((table, adopted)) = self.streams.adopt(text, stream) {
            restoring.adopt(table, adopted, |table, all| self.streams.enter(table, all));
        }
    }

    /// As [`Interest::add`], at start. Known when it was [`restored`](Self::restored).
    pub fn restore(&self, reactor: usize, filter: &str, restoring: &mut Restoring) {
        let reactor = self.checked(reactor);
        if is_wildcard(filter) {
            self.enter(reactor, filter);
        } else {
            let hash = self.hasher.hash_one(filter);
            let exact = Exact { hash: hash as u32, reactor, count: 1 };
            restoring.want(table_of(hash), exact, |table, all| self.enter_all(table, all));
        }
    }

    /// Whatever was collected is known.
    pub fn restored(&self, restoring: Restoring) {
        restoring.finish(
            |table, all| self.streams.enter(table, all),
            |table, all| self.enter_all(table, all),
        );
    }

    /// So many filters are about to be adopted.
    pub fn reserve(&self, filters: usize) {
        self.streams.reserve(filters);
        if self.reactors > 1 {
            for table in &self.exact {
                write(table).reserve(filters.div_ceil(LOCKS), Exact::spread);
            }
        }
    }

    /// The streams that a publish to `topic` belongs to, each once, lowest number first; empty when
    /// no durable session may get it above QoS 0. Takes up to two read locks; meant to be called
    /// when the [`Interest::stamp`] has changed, and after reading it.
    pub fn streams(&self, topic: &str) -> Vec<StreamId> {
        self.streams.matching(topic)
    }

    /// Calls `each` for every filter with a stream, in no particular order. Under a lock: `each`
    /// must not call this interest.
    pub fn each_held(&self, each: &mut impl FnMut(HeldFilter<'_>)) {
        self.streams.each(each);
    }

    /// Bit n set: reactor n may hold a matching subscription. Not set: it does not.
    ///
    /// Takes two read locks; meant to be called when the [`Interest::stamp`] has changed. Read the
    /// stamp before the mask.
    pub fn mask(&self, topic: &str) -> u64 {
        let hash = self.hasher.hash_one(topic);
        let exact = {
            let table = read(self.table(hash));
            let exact = Exact { hash: hash as u32, reactor: 0, count: 0 };
            let same = table.iter_hash(exact.spread()).filter(|e| e.hash == exact.hash);
            same.fold(0, |mask, e| mask | 1 << e.reactor)
        };
        let wildcard = read(&self.wildcard);
        let mut mask = exact;
        wildcard.tree.matches(topic, &mut |id| {
            mask |= wildcard.counts.get(id).map_or(0, Counts::mask);
        });
        mask
    }

    /// The state of everything that may match `topic`: equal stamps, same mask. Two atomic loads.
    #[inline]
    pub fn stamp(&self, topic: &str) -> u64 {
        self.stamp_of(Shard::of(topic))
    }

    /// As [`Interest::stamp`] for a shard computed before.
    #[inline]
    pub fn stamp_of(&self, shard: Shard) -> u64 {
        // Both only grow, so an equal sum means that neither has changed.
        self.generations[shard.at()].load(Ordering::Acquire)
            + self.wildcard_generation.load(Ordering::Acquire)
    }

    fn checked(&self, reactor: usize) -> u8 {
        assert!(reactor < self.reactors, "reactor {reactor} of {}", self.reactors);
        u8::try_from(reactor).expect("there are at most 64 reactors")
    }

    fn table(&self, hash: u64) -> &RwLock<HashTable<Exact>> {
        &self.exact[table_of(hash)]
    }

    fn bump(&self, filter: &str) {
        let generation = match FilterShard::of(filter) {
            FilterShard::Level(shard) => &self.generations[shard.at()],
            FilterShard::Wildcard => &self.wildcard_generation,
        };
        generation.fetch_add(1, Ordering::Release);
    }
}

#[derive(PartialEq, Eq)]
enum Left {
    Nobody,
    Somebody,
}

impl Counts {
    fn add(&mut self, reactor: u8) {
        match self {
            Self::One { reactor: r, count } if *r == reactor => *count += 1,
            Self::One { reactor: r, count } => {
                *self = Self::Many(Box::new(Several(vec![(*r, *count), (reactor, 1)])));
            }
            Self::Many(all) => match all.0.iter_mut().find(|(r, _)| *r == reactor) {
                Some((_, count)) => *count += 1,
                None => all.0.push((reactor, 1)),
            },
        }
    }

    fn remove(&mut self, reactor: u8) -> Left {
        match self {
            Self::One { reactor: r, count } if *r == reactor => {
                *count -= 1;
                if *count == 0 { Left::Nobody } else { Left::Somebody }
            }
            Self::One { .. } => Left::Somebody,
            Self::Many(all) => {
                if let Some((_, count)) = all.0.iter_mut().find(|(r, _)| *r == reactor) {
                    *count -= 1;
                }
                all.0.retain(|(_, count)| *count > 0);
                if let [(reactor, count)] = all.0[..] {
                    *self = Self::One { reactor, count };
                }
                Left::Somebody
            }
        }
    }

    fn mask(&self) -> u64 {
        match self {
            Self::One { reactor, .. } => 1 << reactor,
            Self::Many(all) => all.0.iter().fold(0, |mask, (reactor, _)| mask | 1 << reactor),
        }
    }
}

pub(super) fn is_wildcard(filter: &str) -> bool {
    filter.bytes().any(|b| b == b'+' || b == b'#')
}

/// A poisoned lock is used on: nothing under these locks can panic half-way through a change.
pub(super) fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Bits of a mask.
pub const REACTORS_MAX: usize = 64;

fn enter(table: &mut HashTable<Exact>, exact: Exact) {
    match table.find_mut(exact.spread(), |e| e.is_same(&exact)) {
        Some(entry) => entry.count += 1,
        None => {
            table.insert_unique(exact.spread(), exact, Exact::spread);
        }
    }
}

/// Not by the bits by which the table itself chooses its buckets.
pub(super) fn table_of(hash: u64) -> usize {
    (hash >> 40) as usize % LOCKS
}

/// Locks of the exact filters, so that reactors that subscribe at the same time rarely meet.
pub(super) const LOCKS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use mqtt::topic::TopicFilter;
    use std::collections::BTreeMap;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn random_changes_agree_with_the_naive_mask() {
        let mut chance = Chance::new(2);
        let interest = Interest::new(5);
        let mut naive: BTreeMap<(usize, String), u32> = BTreeMap::new();
        let mut cached: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for step in 0..100_000 {
            let text = if chance.below(3) == 0 { chance.topic() } else { chance.filter() };
            let reactor = chance.below(5);
            let count = naive.entry((reactor, text.clone())).or_default();
            if chance.below(10) < if step / 10_000 % 2 == 0 { 7 } else { 1 } {
                interest.add(reactor, &text);
                *count += 1;
            } else {
                interest.remove(reactor, &text);
                *count = count.saturating_sub(1);
            }
            if *count == 0 {
                naive.remove(&(reactor, text));
            }
            if step % 20 == 0 {
                let topic = chance.topic();
                let (stamp, mask) = (interest.stamp(&topic), interest.mask(&topic));
                let expected = naive
                    .keys()
                    .filter(|(_, f)| TopicFilter::parse(f).unwrap().matches(&topic))
                    .fold(0, |mask, (reactor, _)| mask | 1 << reactor);
                assert_eq!(mask, expected, "step {step} {topic}");
                if let Some((then, before)) = cached.insert(topic.clone(), (stamp, mask)) {
                    assert!(
                        then != stamp || before == mask,
                        "step {step}: a stale mask of {topic}"
                    );
                }
            }
        }
        for ((reactor, text), count) in naive {
            (0..count).for_each(|_| interest.remove(reactor, &text));
        }
        assert!(interest.exact.iter().all(|table| read(table).is_empty()));
        assert!(read(&interest.wildcard).tree.is_empty());
        assert_eq!(read(&interest.wildcard).counts.len(), 0);
    }

    #[test]
    fn a_cached_mask_never_misses_what_was_added_before_it_was_checked() {
        let interest = Interest::new(2);
        let done = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                // Others come and go in the same shard and lock all the time.
                while !done.load(Ordering::Relaxed) {
                    interest.add(1, "a/other");
                    interest.add(1, "a/+/x");
                    interest.remove(1, "a/other");
                    interest.remove(1, "a/+/x");
                }
            });
            for filter in ["a/b", "a/+", "+/b", "#"] {
                for _ in 0..2_000 {
                    let stamp = interest.stamp("a/b");
                    let mask = interest.mask("a/b");
                    assert_eq!(mask & 1, 0, "{filter}");
                    interest.add(0, filter);
                    assert_ne!(interest.stamp("a/b"), stamp, "{filter}");
                    assert_eq!(interest.mask("a/b") & 1, 1, "{filter}");
                    interest.remove(0, filter);
                }
            }
            done.store(true, Ordering::Relaxed);
        });
    }

    #[test]
    fn two_filters_with_one_hash_stay_apart_when_one_goes() {
        let mut counts = Counts::One { reactor: 3, count: 1 };
        counts.add(3);
        counts.add(63);
        assert!(counts.remove(3) == Left::Somebody);
        assert_eq!(counts.mask(), 1 << 3 | 1 << 63);
        assert!(counts.remove(7) == Left::Somebody);
        assert!(counts.remove(3) == Left::Somebody && counts.remove(63) == Left::Nobody);
    }
}
