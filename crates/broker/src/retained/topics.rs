//! The retained messages in the order of their topics, and how to go through them. It refuses to
//! know which of them anybody wants.
//!
//! A list of blocks: for a million messages it takes less memory than a tree, and the way from one
//! message to another is as long as what lies between them is large, not as all is.

use super::block::{BLOCK_MAX, Block, Entry, cut};
use super::levels::by_levels;
use std::cmp::Ordering;

/// The retained message of each topic.
#[derive(Default)]
pub(super) struct Topics {
    blocks: Vec<Block>,
    len: usize,
}

/// Where a topic is, or would be; true until the next change.
#[derive(Clone, Copy)]
pub(super) struct Place {
    block: usize,
    at: usize,
}

/// Goes through the messages, forwards only.
#[derive(Clone)]
pub(super) struct Walk<'t> {
    topics: &'t Topics,
    place: Place,
}

impl Topics {
    /// `entries` are in order, each topic once.
    pub(super) fn of(mut entries: impl ExactSizeIterator<Item = Entry>) -> Self {
        let len = entries.len();
        let mut blocks = Vec::with_capacity(len.div_ceil(FILLED));
        let mut some: Vec<Entry> = Vec::with_capacity(FILLED + 1);
        loop {
            some.extend(entries.by_ref().take(FILLED + 1 - some.len()));
            let size = match some.len() {
                0 => break,
                all @ 1..=FILLED => all,
                _ => cut(&some, FEW / 4, FILLED),
            };
            blocks.push(Block::of(some.drain(..size).collect()));
        }
        Self { blocks, len }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Besides the publications; without the beginnings of blocks, a topic for many.
    pub(super) fn bytes(&self) -> usize {
        self.len * ENTRY_BYTES + self.blocks.len() * size_of::<Block>()
    }

    pub(super) fn get(&self, topic: &[u8]) -> Option<&Entry> {
        self.find(topic).ok().map(|place| self.at(place))
    }

    /// Where the topic is, or where it would be.
    pub(super) fn find(&self, topic: &[u8]) -> Result<Place, Place> {
        let begins = |b: &Block| by_levels(&b.from, topic) != Ordering::Greater;
        let block = self.blocks.partition_point(begins).saturating_sub(1);
        let found = self.blocks.get(block).map_or(Err(0), |b| b.find(topic, 0));
        found.map(|at| Place { block, at }).map_err(|at| Place { block, at })
    }

    /// What [`find`](Self::find) has found.
    pub(super) fn at(&self, place: Place) -> &Entry {
        &self.blocks[place.block].entries[place.at]
    }

    /// Puts it in the place of the one that [`find`](Self::find) has found.
    pub(super) fn replace(&mut self, place: Place, entry: Entry) -> Entry {
        std::mem::replace(&mut self.blocks[place.block].entries[place.at], entry)
    }

    /// Puts it where [`find`](Self::find) has not found its topic.
    pub(super) fn insert(&mut self, place: Place, entry: Entry) {
        self.len += 1;
        let rest = match self.blocks.get_mut(place.block) {
            Some(block) => block.insert(place.at, entry).map(|rest| (place.block + 1, rest)),
            None => Some((place.block, Block::of(vec![entry]))),
        };
        if let Some((next, rest)) = rest {
            self.blocks.insert(next, rest);
        }
    }

    /// Takes out what [`find`](Self::find) has found.
    pub(super) fn remove(&mut self, place: Place) -> Entry {
        self.len -= 1;
        let entry = self.blocks[place.block].remove(place.at);
        if self.blocks[place.block].entries.len() < FEW {
            self.gather(place.block);
        }
        entry
    }

    /// Of a block that has become small: joins it with one beside it if they are small together.
    fn gather(&mut self, block: usize) {
        if self.blocks[block].entries.is_empty() {
            // Its topics are those of the block before from now on.
            self.blocks.remove(block);
            return;
        }
        let sizes = |first: usize| {
            let pair = self.blocks.get(first..first + 2)?;
            Some(pair[0].entries.len() + pair[1].entries.len())
        };
        let pairs = [Some(block), block.checked_sub(1)];
        let small = |first: &usize| sizes(*first).is_some_and(|n| n <= BLOCK_MAX / 2);
        if let Some(first) = pairs.into_iter().flatten().find(small) {
            let next = self.blocks.remove(first + 1);
            self.blocks[first].append(next);
        }
    }

    /// From the topic on, or from right behind it.
    pub(super) fn walk(&self, topic: &[u8], behind: bool) -> Walk<'_> {
        let (Ok(place) | Err(place)) = self.find(topic);
        let is_there = || self.entry(place).is_some_and(|e| e.topic() == topic);
        let step = usize::from(behind && is_there());
        Walk { topics: self, place: Place { at: place.at + step, ..place } }
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.blocks.iter().flat_map(|b| &b.entries)
    }

    fn entry(&self, place: Place) -> Option<&Entry> {
        self.blocks.get(place.block)?.entries.get(place.at)
    }

    /// The block that the topic belongs to, which is not before block `known`: those right behind
    /// that are looked at first.
    fn block_from(&self, topic: &[u8], known: usize) -> usize {
        let begins = |b: &Block| by_levels(&b.from, topic) != Ordering::Greater;
        let (mut known, mut step) = (known, 1);
        while self.blocks.get(known + step).is_some_and(begins) {
            known += step;
            step *= 2;
        }
        let end = self.blocks.len().min(known + step);
        known + self.blocks.get(known + 1..end).map_or(0, |between| between.partition_point(begins))
    }
}

impl<'t> Walk<'t> {
    /// On to the topic, if it is ahead.
    pub(super) fn seek(&mut self, topic: &[u8]) {
        let Place { block, at } = self.place;
        let to = self.topics.block_from(topic, block);
        let begin = if to == block { at } else { 0 };
        if let Some(found) = self.topics.blocks.get(to) {
            let (Ok(at) | Err(at)) = found.find(topic, begin);
            self.place = Place { block: to, at };
        }
    }
}

impl<'t> Iterator for Walk<'t> {
    type Item = &'t Entry;

    fn next(&mut self) -> Option<&'t Entry> {
        let mut entries = &self.topics.blocks.get(self.place.block)?.entries;
        if self.place.at >= entries.len() {
            entries = &self.topics.blocks.get(self.place.block + 1)?.entries;
            self.place = Place { block: self.place.block + 1, at: 0 };
        }
        let entry = entries.get(self.place.at)?;
        self.place.at += 1;
        Some(entry)
    }
}

/// A message, and its hint.
const ENTRY_BYTES: usize = size_of::<Entry>() + size_of::<u64>();
/// How full blocks are made from what is in order already: a little may still come between.
const FILLED: usize = BLOCK_MAX / 8 * 7;
/// A block with fewer may join another.
const FEW: usize = BLOCK_MAX / 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use crate::publication::Publication;
    use crate::retained::{levels, sorting};
    use mqtt::message::Message;
    use mqtt::qos::QoS;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn entry(topic: &str, order: u64) -> Entry {
        let message = Message::new(topic, &[], b"x", QoS::AtMostOnce, true);
        let publication = Arc::new(Publication::new(message));
        Entry { publication, oldest: 0, order, modified_ms: 0 }
    }

    fn key(topic: &str) -> String {
        topic.replace('/', "\0")
    }

    /// What the blocks say of themselves is true.
    fn check(topics: &Topics) {
        let mut before: Option<&Entry> = None;
        for block in &topics.blocks {
            assert!((1..=BLOCK_MAX).contains(&block.entries.len()));
            let first = &block.entries[0];
            assert_ne!(by_levels(&block.from, first.topic()), Ordering::Greater);
            assert!(before.is_none_or(|e| by_levels(e.topic(), &block.from) == Ordering::Less));
            assert_eq!(block.entries.len(), block.hints().len());
            for (entry, hint) in block.entries.iter().zip(block.hints()) {
                let less = |e: &Entry| by_levels(e.topic(), entry.topic()) == Ordering::Less;
                assert!(before.is_none_or(less));
                assert!(levels::common(entry.topic(), &block.from) >= block.same());
                assert_eq!(*hint, levels::hint(entry.topic(), block.same()));
                before = Some(entry);
            }
        }
        assert_eq!(topics.iter().count(), topics.len());
    }

    /// Of up to five levels, many with much in common.
    fn topic(chance: &mut Chance) -> String {
        let head = ["", "plant/area/", "plant/area/device-000/"][chance.below(3)];
        format!("{head}{}{}", chance.topic(), chance.below(40))
    }

    #[test]
    fn does_what_a_map_does() {
        let (mut chance, mut topics, mut map) =
            (Chance::new(7), Topics::default(), BTreeMap::new());
        for step in 0..60_000u64 {
            let topic = topic(&mut chance);
            let grows = step / 10_000 % 2 == 0;
            let found = topics.find(topic.as_bytes());
            assert_eq!(found.is_ok(), map.contains_key(&key(&topic)));
            match found {
                Ok(place) if chance.below(10) < if grows { 1 } else { 9 } => {
                    let old = topics.remove(place);
                    assert_eq!(Some(old.order), map.remove(&key(&topic)));
                }
                Ok(place) => {
                    let old = topics.replace(place, entry(&topic, step));
                    assert_eq!(Some(old.order), map.insert(key(&topic), step));
                }
                Err(place) => {
                    topics.insert(place, entry(&topic, step));
                    map.insert(key(&topic), step);
                }
            }
            if step % 500 == 0 {
                check(&topics);
                assert!(topics.iter().map(|e| e.order).eq(map.values().copied()));
                let (behind, text) = (chance.below(2) == 1, self::topic(&mut chance));
                let from = map.range(key(&text)..).filter(|(k, _)| !behind || **k != key(&text));
                let mut walk = topics.walk(text.as_bytes(), behind);
                assert!(walk.clone().map(|e| e.order).eq(from.map(|(_, order)| *order)));
                // Forwards only: what is behind is not gone back to.
                let mut at = key(&text);
                for _ in 0..20 {
                    let to = self::topic(&mut chance);
                    if key(&to) > at {
                        at = key(&to);
                        walk.seek(to.as_bytes());
                        let next = map.range(at.clone()..).next().map(|(_, order)| *order);
                        assert_eq!(walk.clone().next().map(|e| e.order), next);
                    }
                }
            }
        }
        for text in map.into_keys() {
            let place = topics.find(text.replace('\0', "/").as_bytes());
            topics.remove(place.ok().unwrap());
        }
        assert_eq!((topics.len(), topics.bytes()), (0, 0));
    }

    #[test]
    fn what_was_sorted_at_once_is_as_if_it_had_come_one_by_one() {
        let mut chance = Chance::new(8);
        let mut topics = Topics::default();
        for order in 0..5_000 {
            let topic = topic(&mut chance);
            if let Err(place) = topics.find(topic.as_bytes()) {
                topics.insert(place, entry(&topic, order));
            }
        }
        let mut all: Vec<(Arc<Publication>, u64)> =
            topics.iter().map(|e| (Arc::clone(&e.publication), e.order)).collect();
        all.sort_unstable_by_key(|(_, order)| *order);
        let entry = |(publication, order)| Entry { publication, oldest: 0, order, modified_ms: 0 };
        let sorted = Topics::of(sorting::sorted(all.into_iter()).map(entry));
        check(&sorted);
        assert!(sorted.iter().map(|e| e.order).eq(topics.iter().map(|e| e.order)));
        assert_eq!(sorted.len(), topics.len());
    }

    #[test]
    fn blocks_are_full_where_topics_come_in_order() {
        // A thousand plants, one device of each after the other.
        let mut topics = Topics::default();
        for n in 0..60_000u64 {
            let topic = format!("plants/{:03}/devices/{n:07}/st", n % 100);
            let place = topics.find(topic.as_bytes()).err().unwrap();
            topics.insert(place, entry(&topic, n));
        }
        check(&topics);
        let room: usize = topics.blocks.iter().map(|b| b.entries.capacity()).sum();
        assert!(room < topics.len() * 5 / 4, "{room}");
        // What is taken out gives its room back.
        for n in (0..60_000u64).filter(|n| !n.is_multiple_of(20)) {
            let topic = format!("plants/{:03}/devices/{n:07}/st", n % 100);
            let place = topics.find(topic.as_bytes()).ok().unwrap();
            topics.remove(place);
        }
        check(&topics);
        let room: usize = topics.blocks.iter().map(|b| b.entries.capacity()).sum();
        assert!(room < topics.len() * 3, "{room} for {}", topics.len());
    }

    #[test]
    fn blocks_begin_where_branches_begin() {
        let all = (0..10_000u64).map(|n| {
            let topic = format!("plants/{:03}/devices/{n:07}/st", n / 100);
            (entry(&topic, n).publication, 0)
        });
        let entry = |(publication, oldest)| Entry { publication, oldest, order: 0, modified_ms: 0 };
        let topics = Topics::of(sorting::sorted(all).map(entry));
        check(&topics);
        // Two whole plants each.
        assert_eq!(topics.blocks.len(), 50);
        assert!(topics.blocks.iter().all(|b| b.from.ends_with(b"00/st")));
    }
}
