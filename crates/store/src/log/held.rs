//! Which records of one segment their owner still holds: a bit a record. Also how many were
//! released that the next start would find held again, because only a footer says what is.

use crate::op::Sequence;

/// Held records by their distance from the segment's first sequence.
#[derive(Debug, Default)]
pub(super) struct Held {
    bits: Vec<u64>,
    count: usize,
    stale: usize,
}

impl Held {
    pub fn hold(&mut self, base: Sequence, sequence: Sequence) {
        let (word, bit) = place(base, sequence);
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.count += usize::from(self.bits[word] & bit == 0);
        self.bits[word] |= bit;
    }

    /// As [`release`](Self::release) for what does no harm when it is found again.
    pub fn forget(&mut self, base: Sequence, sequence: Sequence) {
        self.stale -= usize::from(self.release(base, sequence));
    }

    /// Whether it was held until now.
    pub fn release(&mut self, base: Sequence, sequence: Sequence) -> bool {
        let (word, bit) = place(base, sequence);
        let held = self.holds(base, sequence);
        if held {
            self.bits[word] &= !bit;
            self.count -= 1;
            self.stale += 1;
            if self.count == 0 {
                self.bits = Vec::new();
            }
        }
        held
    }

    pub fn holds(&self, base: Sequence, sequence: Sequence) -> bool {
        let (word, bit) = place(base, sequence);
        self.bits.get(word).is_some_and(|bits| bits & bit != 0)
    }

    /// Distances of what is held, ascending.
    pub fn list(&self) -> Vec<u32> {
        let mut list = Vec::with_capacity(self.count);
        for (at, word) in self.bits.iter().enumerate() {
            let mut word = *word;
            while word != 0 {
                // A segment has fewer than 2^32 records.
                list.push((at * 64) as u32 + word.trailing_zeros());
                word &= word - 1;
            }
        }
        list
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// How many were released that the next start finds held again.
    pub fn stale(&self) -> usize {
        self.stale
    }

    /// A footer was written when `listed` were held: what has been released since is stale.
    pub fn listed(&mut self, listed: usize) {
        self.stale = listed - self.count;
    }
}

fn place(base: Sequence, sequence: Sequence) -> (usize, u64) {
    let local = (sequence.0 - base.0) as usize;
    (local / 64, 1 << (local % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_held_once() {
        let (mut held, base) = (Held::default(), Sequence(100));
        held.hold(base, Sequence(100));
        held.hold(base, Sequence(100));
        held.hold(base, Sequence(900));
        assert_eq!((held.count(), held.list()), (2, vec![0, 800]));
        assert!(held.release(base, Sequence(100)));
        assert!(!held.release(base, Sequence(100)), "it was released before");
        assert!(!held.release(base, Sequence(5_000)), "nobody held it");
        assert!(held.holds(base, Sequence(900)));
        assert_eq!((held.count(), held.stale()), (1, 1));
        held.listed(1);
        assert_eq!(held.stale(), 0, "the footer knows that one is held");
        held.release(base, Sequence(900));
        assert_eq!((held.count(), held.stale()), (0, 1));
    }
}
