//! The index streams of the log: one for each filter that a durable session holds at QoS > 0
//! (core.md 1), a shared group's (`$share/{name}/{filter}`) beside the plain filter's (core.md 9).
//!
//! Owns which filters are held on any reactor, by how many sessions, and their numbers. A part of
//! [`Interest`](super::Interest), by whose stamp a remembered answer is known to be stale. Refuses
//! to know sessions, cursors, and what is in a stream.

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use store::log::StreamId;

use super::interest::{LOCKS, is_wildcard, read, table_of, write};
use super::slab::Slab;
use super::tree::Tree;

/// A filter that durable sessions hold, as told by
/// [`Interest::each_held`](super::Interest::each_held).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldFilter<'a> {
    /// As subscribed, `$share/{name}/` included.
    pub text: &'a str,
    /// The number of its stream.
    pub stream: StreamId,
    /// How many sessions hold it.
    pub holders: u32,
}

/// All numbers of streams have been given out since the process started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NumbersSpent;

/// A filter without wildcard that a session of an earlier run holds, and its stream.
pub(super) struct Adopted {
    hash: u64,
    text: Arc<str>,
    stream: StreamId,
}

/// Which filters are held.
pub(super) struct Streams {
    exact: Box<[RwLock<HashTable<Held>>]>,
    wildcard: RwLock<Wildcard>,
    /// The next number; at [`NUMBERS`] they are spent.
    next: AtomicU64,
    /// How many there are, so that nobody takes a lock where there is none.
    count: AtomicUsize,
    hasher: RandomState,
}

/// 24 bytes and the text, which the index of a holder's reactor may have too.
struct Held {
    text: Arc<str>,
    stream: StreamId,
    holders: u32,
}

/// The streams of one filter are the plain one and those of shared groups.
struct Wildcard {
    tree: Tree,
    held: Slab<Vec<Held>>,
}

/// Whether remembered lists of streams are stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// They are: a filter has come or gone.
    Filters,
    /// They are not: a filter that was there and is there has another number of holders.
    Holders,
}

/// What becomes of a filter.
enum Step {
    Stay,
    Begin { stream: StreamId, holders: u32 },
    End,
}

impl Streams {
    pub(super) fn new() -> Self {
        Self {
            exact: (0..LOCKS).map(|_| RwLock::new(HashTable::new())).collect(),
            wildcard: RwLock::new(Wildcard { tree: Tree::new(), held: Slab::new() }),
            next: AtomicU64::new(FIRST),
            count: AtomicUsize::new(0),
            hasher: RandomState::default(),
        }
    }

    /// One session more holds this filter.
    pub(super) fn hold(
        &self,
        text: &(impl Text + ?Sized),
    ) -> Result<(StreamId, Change), NumbersSpent> {
        self.step(text, |held| match held {
            Some(held) => {
                held.holders += 1;
                (Step::Stay, Ok((held.stream, Change::Holders)))
            }
            None => match self.number() {
                Ok(stream) => (Step::Begin { stream, holders: 1 }, Ok((stream, Change::Filters))),
                Err(spent) => (Step::Stay, Err(spent)),
            },
        })
    }

    /// A session of an earlier run holds this filter, which has had this stream since then. One
    /// without wildcard comes back, for [`enter`](Self::enter) with others of its table.
    pub(super) fn adopt(&self, text: &Arc<str>, stream: StreamId) -> Option<(usize, Adopted)> {
        let next = u64::from(stream.0) + 1;
        // Most come in order or not at all: other reactors adopt at the same time.
        if self.next.load(Ordering::Relaxed) < next {
            self.next.fetch_max(next, Ordering::Relaxed);
        }
        let filter = filter_of(text);
        if !is_wildcard(filter) {
            let (hash, text) = (self.hasher.hash_one(filter), Arc::clone(text));
            return Some((table_of(hash), Adopted { hash, text, stream }));
        }
        self.step(text, |held| match held {
            Some(held) => {
                held.holders += 1;
                (Step::Stay, ())
            }
            None => (Step::Begin { stream, holders: 1 }, ()),
        });
        None
    }

    /// Enters what was adopted for one table. Whoever has a filter already keeps its stream: nobody
    /// holds the other one.
    pub(super) fn enter(&self, table: usize, adopted: &mut Vec<Adopted>) {
        let rehash = |held: &Held| self.hasher.hash_one(filter_of(&held.text));
        let (mut table, mut new) = (write(&self.exact[table]), 0);
        for Adopted { hash, text, stream } in adopted.drain(..) {
            match table.find_mut(hash, |held| *held.text == *text) {
                Some(held) => held.holders += 1,
                None => {
                    table.insert_unique(hash, Held { text, stream, holders: 1 }, rehash);
                    new += 1;
                }
            }
        }
        self.count.fetch_add(new, Ordering::Release);
    }

    /// One holder less; the stream, if that was the last. Without a holder nothing changes.
    pub(super) fn release(&self, text: &str) -> Option<StreamId> {
        self.step(text, |held| match held {
            Some(held) if held.holders == 1 => (Step::End, Some(held.stream)),
            Some(held) => {
                held.holders = held.holders.saturating_sub(1);
                (Step::Stay, None)
            }
            None => (Step::Stay, None),
        })
    }

    /// So many filters come at once, most of them without wildcard.
    pub(super) fn reserve(&self, filters: usize) {
        for table in &self.exact {
            let rehash = |held: &Held| self.hasher.hash_one(filter_of(&held.text));
            write(table).reserve(filters.div_ceil(LOCKS), rehash);
        }
    }

    /// The streams that a publish to `topic` belongs to, in the order of their numbers.
    pub(super) fn matching(&self, topic: &str) -> Vec<StreamId> {
        let mut all = Vec::new();
        if self.count.load(Ordering::Acquire) == 0 {
            return all;
        }
        let hash = self.hasher.hash_one(topic);
        {
            let table = read(self.table(hash));
            let same = table.iter_hash(hash).filter(|held| filter_of(&held.text) == topic);
            all.extend(same.map(|held| held.stream));
        }
        let wildcard = read(&self.wildcard);
        wildcard.tree.matches(topic, &mut |id| {
            let held = wildcard.held.get(id).map_or(&[][..], Vec::as_slice);
            all.extend(held.iter().map(|held| held.stream));
        });
        all.sort_unstable();
        all
    }

    /// Calls `each` for every filter, in no particular order, one lock at a time.
    pub(super) fn each(&self, each: &mut impl FnMut(HeldFilter<'_>)) {
        let mut tell = |held: &Held| {
            each(HeldFilter { text: &held.text, stream: held.stream, holders: held.holders });
        };
        for table in &self.exact {
            read(table).iter().for_each(&mut tell);
        }
        let wildcard = read(&self.wildcard);
        wildcard.held.values().flatten().for_each(&mut tell);
    }

    /// Decides on a filter under its lock.
    fn step<R>(
        &self,
        text: &(impl Text + ?Sized),
        decide: impl FnOnce(Option<&mut Held>) -> (Step, R),
    ) -> R {
        let whole = text.text();
        let (filter, hasher) = (filter_of(whole), &self.hasher);
        if is_wildcard(filter) {
            let key = Key { text: whole, filter, hash: 0, hasher };
            self.step_in(&mut *write(&self.wildcard), &key, || text.shared(), decide)
        } else {
            let hash = hasher.hash_one(filter);
            let key = Key { text: whole, filter, hash, hasher };
            self.step_in(&mut *write(self.table(hash)), &key, || text.shared(), decide)
        }
    }

    fn step_in<R>(
        &self,
        part: &mut impl Part,
        key: &Key<'_>,
        kept: impl FnOnce() -> Arc<str>,
        decide: impl FnOnce(Option<&mut Held>) -> (Step, R),
    ) -> R {
        let (step, result) = decide(part.find(key));
        match step {
            Step::Stay => {}
            Step::Begin { stream, holders } => {
                part.insert(key, Held { text: kept(), stream, holders });
                self.count.fetch_add(1, Ordering::Release);
            }
            Step::End => {
                part.remove(key);
                self.count.fetch_sub(1, Ordering::Release);
            }
        }
        result
    }

    fn number(&self) -> Result<StreamId, NumbersSpent> {
        let more = |next: u64| (next < NUMBERS).then_some(next + 1);
        let given = self.next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        let number = given.ok().and_then(|n| u32::try_from(n).ok());
        number.map(StreamId).ok_or(NumbersSpent)
    }

    fn table(&self, hash: u64) -> &RwLock<HashTable<Held>> {
        &self.exact[table_of(hash)]
    }
}

/// The text of a filter; an [`Arc`] is shared by whoever keeps it.
pub trait Text {
    /// To look it up.
    fn text(&self) -> &str;
    /// To keep it.
    fn shared(&self) -> Arc<str>;
}

impl Text for str {
    fn text(&self) -> &str {
        self
    }

    fn shared(&self) -> Arc<str> {
        self.into()
    }
}

impl Text for Arc<str> {
    fn text(&self) -> &str {
        self
    }

    fn shared(&self) -> Arc<str> {
        Self::clone(self)
    }
}

/// A filter to be looked up.
struct Key<'a> {
    text: &'a str,
    /// `text` without `$share/{name}/`.
    filter: &'a str,
    /// Of the filter, where it has no wildcard.
    hash: u64,
    hasher: &'a RandomState,
}

/// Some of the filters, behind one lock.
trait Part {
    fn find(&mut self, key: &Key<'_>) -> Option<&mut Held>;
    /// Puts in what was not found.
    fn insert(&mut self, key: &Key<'_>, held: Held);
    /// Takes out what was found.
    fn remove(&mut self, key: &Key<'_>);
}

/// Filters without wildcard.
impl Part for HashTable<Held> {
    fn find(&mut self, key: &Key<'_>) -> Option<&mut Held> {
        self.find_mut(key.hash, |held| *held.text == *key.text)
    }

    fn insert(&mut self, key: &Key<'_>, held: Held) {
        let rehash = |held: &Held| key.hasher.hash_one(filter_of(&held.text));
        self.insert_unique(key.hash, held, rehash);
    }

    fn remove(&mut self, key: &Key<'_>) {
        let same = |held: &Held| *held.text == *key.text;
        if let Ok(entry) = self.find_entry(key.hash, same) {
            entry.remove();
        }
    }
}

impl Part for Wildcard {
    fn find(&mut self, key: &Key<'_>) -> Option<&mut Held> {
        let id = self.tree.get(key.filter)?;
        self.held.get_mut(id)?.iter_mut().find(|held| *held.text == *key.text)
    }

    fn insert(&mut self, key: &Key<'_>, held: Held) {
        match self.tree.get(key.filter).and_then(|id| self.held.get_mut(id)) {
            Some(all) => all.push(held),
            None => {
                // Mostly it stays alone: room for one.
                let id = self.held.insert(Vec::from([held]));
                self.tree.insert(key.filter, id);
            }
        }
    }

    fn remove(&mut self, key: &Key<'_>) {
        let Some(id) = self.tree.get(key.filter) else { return };
        let Some(all) = self.held.get_mut(id) else { return };
        all.retain(|held| *held.text != *key.text);
        if all.is_empty() {
            self.held.remove(id);
            self.tree.remove(key.filter);
        }
    }
}

/// The part of a subscription's text that topics are compared with.
pub(super) fn filter_of(text: &str) -> &str {
    let shared = text.strip_prefix("$share/").and_then(|rest| rest.split_once('/'));
    shared.map_or(text, |(_, filter)| filter)
}

/// 0 is for what is in no stream, though logs of earlier versions may have a stream of that number.
const FIRST: u64 = 1;
/// The first of the numbers that no filter ever gets: what else is in streams has these.
pub const RESERVED_FROM: StreamId = StreamId(u32::MAX - 63);
/// How many streams of filters can be told apart.
const NUMBERS: u64 = RESERVED_FROM.0 as u64;

#[cfg(test)]
mod tests {
    use super::super::{Interest, Restoring};
    use super::*;
    use crate::chance::Chance;
    use mqtt::topic::TopicFilter;
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::atomic::AtomicBool;

    fn naive_matches(naive: &BTreeMap<String, (StreamId, u32)>, topic: &str) -> Vec<StreamId> {
        let matching = |text: &str| TopicFilter::parse(filter_of(text)).unwrap().matches(topic);
        let mut all: Vec<_> =
            naive.iter().filter(|(text, _)| matching(text)).map(|(_, (id, _))| *id).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn random_changes_agree_with_the_naive_registry() {
        let mut chance = Chance::new(3);
        let interest = Interest::new(1);
        let mut naive: BTreeMap<String, (StreamId, u32)> = BTreeMap::new();
        let mut cached: BTreeMap<String, (u64, Vec<StreamId>)> = BTreeMap::new();
        let mut given: BTreeSet<StreamId> = BTreeSet::new();
        for step in 0..50_000 {
            let filter = if chance.below(3) == 0 { chance.topic() } else { chance.filter() };
            let text = match chance.below(3) {
                0 => format!("$share/g{}/{filter}", chance.below(2)),
                _ => filter,
            };
            if chance.below(10) < if step / 5_000 % 2 == 0 { 7 } else { 1 } {
                let stream = interest.hold(text.as_str()).unwrap();
                let (same, holders) = naive.entry(text.clone()).or_insert((stream, 0));
                assert_eq!(*same, stream, "step {step} {text}");
                *holders += 1;
                assert!(*holders > 1 || given.insert(stream), "step {step}: {stream:?} again");
            } else {
                let ended = interest.release(&text);
                let left = naive.get_mut(&text).map(|(stream, holders)| {
                    *holders -= 1;
                    (*stream, *holders)
                });
                let last = left.and_then(|(stream, holders)| (holders == 0).then_some(stream));
                assert_eq!(ended, last, "step {step} {text}");
                if last.is_some() {
                    naive.remove(&text);
                }
            }
            if step % 20 == 0 {
                let topic = chance.topic();
                let (stamp, streams) = (interest.stamp(&topic), interest.streams(&topic));
                assert_eq!(streams, naive_matches(&naive, &topic), "step {step} {topic}");
                if let Some((then, before)) = cached.insert(topic.clone(), (stamp, streams.clone()))
                {
                    let is_stale = then == stamp && before != streams;
                    assert!(!is_stale, "step {step}: stale streams of {topic}");
                }
            }
        }
        let mut held = BTreeMap::new();
        interest.each_held(&mut |h| {
            held.insert(h.text.to_owned(), (h.stream, h.holders));
        });
        assert_eq!(held, naive);
        for (text, (stream, holders)) in naive {
            (1..holders).for_each(|_| assert_eq!(interest.release(&text), None));
            assert_eq!(interest.release(&text), Some(stream));
        }
        interest.each_held(&mut |held| panic!("{held:?} is left behind"));
    }

    /// With a tree of its own, so that what is left in it can be seen.
    #[test]
    fn nothing_is_left_behind() {
        let streams = Streams::new();
        let texts = ["a/b", "$share/g/a/b", "a/+", "$share/g/a/+", "$share/h/a/+", "#"];
        texts.iter().for_each(|text| assert!(streams.hold(*text).is_ok()));
        assert_eq!(streams.matching("a/b").len(), texts.len());
        texts.iter().for_each(|text| assert!(streams.release(text).is_some()));
        assert!(texts.iter().all(|text| streams.release(text).is_none()));
        assert_eq!(streams.count.load(Ordering::Relaxed), 0);
        assert!(streams.exact.iter().all(|table| read(table).is_empty()));
        assert!(read(&streams.wildcard).tree.is_empty());
        assert_eq!(read(&streams.wildcard).held.len(), 0);
    }

    fn adopt(interest: &Interest, all: &[(&str, u32)]) {
        let mut restoring = Restoring::default();
        for (text, number) in all {
            interest.adopt(&Arc::from(*text), StreamId(*number), &mut restoring);
        }
        interest.restored(restoring);
    }

    /// More than go into a table at once, from two reactors at a time.
    #[test]
    fn many_that_an_earlier_run_held_are_all_there() {
        let interest = Interest::new(2);
        let filter = |n: u32| format!("a/{n}");
        std::thread::scope(|threads| {
            for me in 0..2 {
                let interest = &interest;
                threads.spawn(move || {
                    let mut restoring = Restoring::default();
                    for n in (0..100_000).filter(|n| n % 3 != me) {
                        interest.adopt(&filter(n).into(), StreamId(n + 1), &mut restoring);
                        interest.restore(me as usize, &filter(n), &mut restoring);
                    }
                    interest.restored(restoring);
                });
            }
        });
        for n in 0..100_000 {
            let here = [n % 3 != 0, n % 3 != 1];
            assert_eq!(interest.streams(&filter(n)), [StreamId(n + 1)]);
            let mask = u64::from(here[0]) | u64::from(here[1]) << 1;
            assert_eq!(interest.mask(&filter(n)), mask, "{n}");
            let holders = usize::from(here[0]) + usize::from(here[1]);
            (1..holders).for_each(|_| assert_eq!(interest.release(&filter(n)), None));
            assert_eq!(interest.release(&filter(n)), Some(StreamId(n + 1)));
        }
        interest.each_held(&mut |held| panic!("{held:?} is left behind"));
    }

    #[test]
    fn what_an_earlier_run_began_goes_on() {
        let interest = Interest::new(2);
        let all = [("a/+", 7), ("b", 9), ("$share/g/a/+", 2), ("c/#", 3), ("b", 9), ("b", 10)];
        adopt(&interest, &all);
        assert_eq!(interest.streams("b"), [StreamId(9)], "the one that somebody held first");
        assert_eq!(interest.hold("a/+"), Ok(StreamId(7)));
        assert_eq!(interest.hold("$share/g/a/+"), Ok(StreamId(2)));
        assert_eq!((interest.release("b"), interest.release("b")), (None, None), "two still do");
        assert_eq!(interest.release("b"), Some(StreamId(9)));
        assert_eq!(interest.hold("b"), Ok(StreamId(11)), "above all that were adopted");
        assert_eq!(
            (interest.streams("a/x"), interest.streams("c/d")),
            (vec![StreamId(2), StreamId(7)], vec![StreamId(3)])
        );
    }

    /// Entries have 0 for a subscription without stream. A log of before may have a stream 0, which
    /// goes on.
    #[test]
    fn no_stream_begins_with_the_number_of_none() {
        let interest = Interest::new(1);
        assert_eq!(interest.hold("a"), Ok(StreamId(1)));
        let interest = Interest::new(1);
        adopt(&interest, &[("a", 0)]);
        assert_eq!(interest.hold("b"), Ok(StreamId(1)));
        assert_eq!(
            (interest.hold("a"), interest.streams("a")),
            (Ok(StreamId(0)), vec![StreamId(0)])
        );
    }

    #[test]
    fn the_last_number_is_given_once_and_what_is_held_goes_on() {
        let interest = Interest::new(1);
        let last = StreamId(RESERVED_FROM.0 - 1);
        adopt(&interest, &[("a", last.0 - 1)]);
        assert_eq!(interest.hold("b"), Ok(last));
        assert_eq!(interest.hold("c"), Err(NumbersSpent));
        assert_eq!(interest.release("c"), None, "a refusal holds nothing");
        assert_eq!(interest.hold("b"), Ok(last));
        assert_eq!(interest.streams("b"), [last]);
    }

    #[test]
    fn a_publisher_elsewhere_never_misses_what_was_held_before_it_looked() {
        let interest = Interest::new(2);
        let done = AtomicBool::new(false);
        std::thread::scope(|threads| {
            threads.spawn(|| {
                // Others come and go in the same shard, table and node all the time.
                while !done.load(Ordering::Relaxed) {
                    for text in ["$share/g/a/b", "a/other", "$share/g/a/+", "a/+/x"] {
                        interest.hold(text).unwrap();
                    }
                    for text in ["$share/g/a/b", "a/other", "$share/g/a/+", "a/+/x"] {
                        assert!(interest.release(text).is_some());
                    }
                }
            });
            for filter in ["a/b", "a/+", "+/b", "#"] {
                for _ in 0..2_000 {
                    let stamp = interest.stamp("a/b");
                    let _ = interest.streams("a/b");
                    let stream = interest.hold(filter).unwrap();
                    assert_ne!(interest.stamp("a/b"), stamp, "{filter}");
                    assert!(interest.streams("a/b").contains(&stream), "{filter}");
                    assert_eq!(interest.release(filter), Some(stream));
                    assert!(!interest.streams("a/b").contains(&stream), "{filter}");
                }
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}
