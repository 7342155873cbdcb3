//! Some retained messages that follow each other in the order of their topics. It refuses to know
//! the blocks beside it.
//!
//! To look for a topic touches no other: what all topics of a block begin with is compared once,
//! and of each the eight bytes behind that lie side by side.

use super::RetainedItem;
use super::levels::{by_levels, common, hint};
use crate::publication::Publication;
use std::cmp::Ordering;
use std::sync::Arc;

/// A retained message.
pub(super) struct Entry {
    pub(super) publication: Arc<Publication>,
    /// As in [`RetainedItem`]; also its sequence where the publication has none.
    pub(super) oldest: u64,
    pub(super) order: u64,
    pub(super) modified_ms: u64,
}

/// Never empty.
pub(super) struct Block {
    /// The topic of one of them, now or before: all begin with the same bytes. Above all of the
    /// block before, and not above its own.
    pub(super) from: Box<[u8]>,
    pub(super) entries: Vec<Entry>,
    /// Of each entry's topic, behind those bytes.
    hints: Vec<u64>,
    /// How many.
    same: usize,
    /// Where the last one came.
    last: usize,
}

impl Entry {
    pub(super) fn topic(&self) -> &[u8] {
        self.publication.message.topic_bytes()
    }

    /// Its place in the log; 0 = not in the log.
    pub(super) fn sequence(&self) -> u64 {
        match self.publication.sequence() {
            0 => self.oldest,
            sequence => sequence,
        }
    }

    pub(super) fn item(&self) -> RetainedItem {
        let Self { oldest, order, modified_ms, .. } = *self;
        let (publication, sequence) = (Arc::clone(&self.publication), self.sequence());
        RetainedItem { publication, sequence, oldest, order, modified_ms }
    }
}

impl Block {
    /// `entries` are in order, and not none.
    pub(super) fn of(entries: Vec<Entry>) -> Self {
        let last = entries.len().saturating_sub(1);
        let hints = Vec::with_capacity(entries.capacity());
        let mut block = Self { from: Box::default(), entries, hints, same: 0, last };
        block.measure();
        block
    }

    /// Where the topic is from `begin` on, or where it would be.
    pub(super) fn find(&self, topic: &[u8], begin: usize) -> Result<usize, usize> {
        if common(&self.from, topic) < self.same {
            // Before or behind all of them.
            return match by_levels(topic, &self.from) {
                Ordering::Greater => Err(self.entries.len()),
                _ => Err(begin),
            };
        }
        let wanted = hint(topic, self.same);
        let begin = begin + self.hints[begin..].partition_point(|hint| *hint < wanted);
        let alike = self.hints[begin..].partition_point(|hint| *hint == wanted);
        self.entries[begin..begin + alike]
            .binary_search_by(|e| by_levels(e.topic(), topic))
            .map(|at| begin + at)
            .map_err(|at| begin + at)
    }

    /// Gives what has no room any more: the end of this block, to be the next one.
    #[must_use]
    pub(super) fn insert(&mut self, at: usize, entry: Entry) -> Option<Self> {
        if self.entries.len() < BLOCK_MAX {
            self.put(at, entry);
            return None;
        }
        if at == BLOCK_MAX {
            return Some(Self::of(vec![entry]));
        }
        // Where topics come in order, the next one comes here too, and finds room.
        let is_in_order = at == self.last + 1 && at >= BLOCK_MAX / 2;
        let middle = || cut(&self.entries, BLOCK_MAX / 4, BLOCK_MAX / 2);
        let cut = if is_in_order { at } else { middle() };
        let mut rest = Self::of(self.entries.split_off(cut));
        self.hints.truncate(cut);
        self.shrink();
        self.measure();
        if at <= cut {
            self.put(at, entry);
        } else {
            rest.put(at - cut, entry);
        }
        Some(rest)
    }

    /// Gives room back that it will not need soon. May leave it empty.
    pub(super) fn remove(&mut self, at: usize) -> Entry {
        self.hints.remove(at);
        let entry = self.entries.remove(at);
        if self.entries.capacity() > 2 * (self.entries.len() + GROWTH) {
            self.shrink();
        }
        entry
    }

    /// Takes in the whole next block.
    pub(super) fn append(&mut self, mut next: Self) {
        self.entries.reserve_exact(next.entries.len());
        self.entries.append(&mut next.entries);
        self.measure();
    }

    /// How many bytes all topics begin with.
    #[cfg(test)]
    pub(super) fn same(&self) -> usize {
        self.same
    }

    /// Of each entry's topic, from there on.
    #[cfg(test)]
    pub(super) fn hints(&self) -> &[u64] {
        &self.hints
    }

    fn put(&mut self, at: usize, entry: Entry) {
        if self.entries.len() == self.entries.capacity() {
            let growth = GROWTH.min(BLOCK_MAX - self.entries.len());
            self.entries.reserve_exact(growth);
            self.hints.reserve_exact(growth);
        }
        self.last = at;
        let differs = common(&self.from, entry.topic()) < self.same;
        if at == 0 {
            self.from = entry.topic().into();
        }
        self.hints.insert(at, hint(entry.topic(), self.same));
        self.entries.insert(at, entry);
        if differs {
            self.measure();
        }
    }

    fn shrink(&mut self) {
        let room = self.entries.len() + GROWTH;
        self.entries.shrink_to(room);
        self.hints.shrink_to(room);
    }

    /// What all have in common is what the first and the last one have.
    fn measure(&mut self) {
        let (Some(first), Some(last)) = (self.entries.first(), self.entries.last()) else { return };
        let same = common(first.topic(), last.topic());
        self.from = first.topic().into();
        self.same = same;
        self.hints.clear();
        self.hints.reserve_exact(self.entries.len());
        self.hints.extend(self.entries.iter().map(|e| hint(e.topic(), same)));
    }
}

/// Where to begin a new block, from `least` to `most`: at the last end of a branch of topics there,
/// for blocks within one have more in common; at `most` if there is none.
pub(super) fn cut(entries: &[Entry], least: usize, most: usize) -> usize {
    let end = entries[most].topic();
    // What topics share with one behind them only grows towards it.
    let levels = |e: &Entry| end[..common(e.topic(), end)].iter().filter(|b| **b == b'/').count();
    let before = levels(&entries[least - 1]);
    least + entries[least..most].partition_point(|e| levels(e) <= before)
}

/// Messages of a block: to make room for one moves 5 KB on average.
pub(super) const BLOCK_MAX: usize = 256;
/// How many more a block without room gets room for.
const GROWTH: usize = 32;
