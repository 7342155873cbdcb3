//! Sequences of late removals.
//!
//! Owns what keeps an older message from coming back after a newer one removed the topic.
//! Refuses to know messages.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

/// A topic.
type Key = Arc<[u8]>;

/// The last [`KEPT_MAX`] removals. Reactors apply out of order only within what is under way at
/// once, which is far less.
#[derive(Default)]
pub(super) struct Tombstones {
    by_topic: HashMap<Key, u64, RandomState>,
    order: VecDeque<(Key, u64)>,
}

impl Tombstones {
    pub(super) fn insert(&mut self, topic: &[u8], sequence: u64) {
        let key = Key::from(topic);
        if self.order.len() >= KEPT_MAX
            && let Some((oldest, at)) = self.order.pop_front()
            && self.sequence_of(&oldest) == at
        {
            self.by_topic.remove(&oldest);
        }
        self.order.push_back((key.clone(), sequence));
        self.by_topic.insert(key, sequence);
    }

    /// The topic has a message again. Its place in the order stays until it is the oldest.
    pub(super) fn forget(&mut self, topic: &[u8]) {
        if !self.by_topic.is_empty() {
            self.by_topic.remove(topic);
        }
    }

    /// The sequence of the topic's removal; 0 = none lately.
    pub(super) fn sequence_of(&self, topic: &[u8]) -> u64 {
        if self.by_topic.is_empty() { 0 } else { self.by_topic.get(topic).copied().unwrap_or(0) }
    }
}

/// Removals remembered: more than all reactors' publishers may have under way towards one topic.
const KEPT_MAX: usize = 8192;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_removals_are_kept() {
        let key = |n: usize| format!("t{n}").into_bytes();
        let mut tombstones = Tombstones::default();
        tombstones.insert(&key(0), 1);
        for n in 1..KEPT_MAX {
            tombstones.insert(&key(n), n as u64 + 1);
        }
        assert_eq!(tombstones.sequence_of(&key(0)), 1);
        tombstones.insert(&key(0), 999_999);
        assert_eq!(tombstones.sequence_of(&key(0)), 999_999, "the newer one outlives the older");
        tombstones.insert(&key(KEPT_MAX), 1_000_000);
        assert_eq!(tombstones.sequence_of(&key(1)), 0);
        tombstones.forget(&key(2));
        assert_eq!(tombstones.sequence_of(&key(2)), 0);
        assert_eq!(tombstones.order.len(), KEPT_MAX);
    }
}
