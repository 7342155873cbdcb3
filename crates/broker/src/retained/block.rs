//! Some retained messages that follow each other in the order of their topics. It refuses to know
//! the blocks beside it.
//!
//! To look for a topic touches few messages: what all topics of a block begin with is compared
//! once, and of each the eight bytes behind that lie in the block itself.

use super::RetainedItem;
use super::levels::{by_levels, common, hint};
use crate::publication::Publication;
use std::cmp::Ordering;
use std::sync::Arc;

/// A retained message.
pub(super) struct Entry {
    pub(super) publication: Arc<Publication>,
    /// Of its topic, from where those of its block differ.
    pub(super) hint: u64,
    /// As in [`RetainedItem`]; also its sequence where the publication has none.
    pub(super) oldest: u64,
    pub(super) order: u64,
    pub(super) modified_ms: u64,
}

/// Never empty.
pub(super) struct Block {
    /// Above all of the block before, and not above its own: but before the first block is none,
    /// and it takes whatever comes before the others.
    pub(super) from: Box<[u8]>,
    pub(super) entries: Vec<Entry>,
    /// How many bytes all topics begin with.
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
        let from = entries.first().map_or_else(Box::default, |e| e.topic().into());
        let mut block = Self { from, entries, same: 0, last };
        block.measure();
        block
    }

    /// Where the topic is from `begin` on, or where it would be.
    pub(super) fn find(&self, topic: &[u8], begin: usize) -> Result<usize, usize> {
        let entries = &self.entries[begin..];
        let Some(first) = entries.first() else { return Err(begin) };
        let equal = common(first.topic(), topic);
        if equal < self.same {
            // Outside of what they have in common: before or behind all of them.
            return match by_levels(topic, first.topic()) {
                Ordering::Greater => Err(self.entries.len()),
                _ => Err(begin),
            };
        }
        let wanted = hint(topic, self.same);
        let begin = begin + entries.partition_point(|e| e.hint < wanted);
        let alike = self.entries[begin..].partition_point(|e| e.hint == wanted);
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
        let cut = if at == self.last + 1 && at >= BLOCK_MAX / 2 { at } else { BLOCK_MAX / 2 };
        let mut rest = Self::of(self.entries.split_off(cut));
        self.entries.shrink_to(cut + GROWTH);
        self.measure();
        if at <= cut {
            self.put(at, entry);
        } else {
            rest.put(at - cut, entry);
        }
        Some(rest)
    }

    pub(super) fn remove(&mut self, at: usize) -> Entry {
        let entry = self.entries.remove(at);
        let room = self.entries.len() + GROWTH;
        if self.entries.capacity() > 2 * room {
            self.entries.shrink_to(room);
        }
        entry
    }

    /// How many bytes all topics begin with.
    #[cfg(test)]
    pub(super) fn same(&self) -> usize {
        self.same
    }

    /// Takes in the whole next block.
    pub(super) fn append(&mut self, mut next: Self) {
        self.entries.reserve_exact(next.entries.len());
        self.entries.append(&mut next.entries);
        self.measure();
    }

    fn put(&mut self, at: usize, mut entry: Entry) {
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(GROWTH.min(BLOCK_MAX - self.entries.len()));
        }
        entry.hint = hint(entry.topic(), self.same);
        // Only beyond the others it can differ from what they have in common.
        let is_beyond = at == 0 || at == self.entries.len();
        let differs = is_beyond
            && self.entries.first().is_some_and(|e| common(e.topic(), entry.topic()) < self.same);
        self.entries.insert(at, entry);
        self.last = at;
        if differs {
            self.measure();
        }
    }

    /// What all have in common is what the first and the last one have.
    fn measure(&mut self) {
        let [first, .., last] = &self.entries[..] else {
            if let [one] = &mut self.entries[..] {
                (self.same, one.hint) = (one.topic().len(), 0);
            }
            return;
        };
        let same = common(first.topic(), last.topic());
        self.same = same;
        self.entries.iter_mut().for_each(|e| e.hint = hint(e.topic(), same));
    }
}

/// Messages of a block: to make room for one moves 5 KB on average.
pub(super) const BLOCK_MAX: usize = 256;
/// How many more a block without room gets room for.
const GROWTH: usize = 32;
