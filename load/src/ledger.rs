//! What one receiver has had of one stream: loss, repetition, order. Refuses to know why something
//! is missing; the server's counters must say that.

use crate::mark::Mark;

/// One receiver's page for one stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// The first sequence that may come as new.
    next: u64,
    /// Messages that came for the first time.
    pub received: u64,
    /// Came again, marked as such (QoS 1 after a reconnect).
    pub again: u64,
    /// Came again or too late without a mark: always a fault.
    pub disorder: u64,
}

/// Whether a repetition was announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dup {
    /// The DUP flag was set.
    Marked,
    /// It was not.
    Unmarked,
}

impl Track {
    /// Enters a message of the stream; true if it is new.
    pub fn enter(&mut self, mark: Mark, dup: Dup) -> bool {
        if mark.sequence >= self.next {
            self.next = mark.sequence + 1;
            self.received += 1;
            return true;
        }
        match dup {
            Dup::Marked => self.again += 1,
            Dup::Unmarked => self.disorder += 1,
        }
        false
    }
}

impl From<bool> for Dup {
    fn from(flag: bool) -> Self {
        if flag { Self::Marked } else { Self::Unmarked }
    }
}

/// Which messages of an unordered stream came: for groups that share one.
#[derive(Clone, Debug, Default)]
pub struct Bag {
    seen: std::collections::HashSet<u64>,
    /// Came again, marked as such.
    pub again: u64,
    /// Came again without a mark.
    pub repeated: u64,
}

impl Bag {
    /// Enters a message.
    pub fn enter(&mut self, mark: Mark, dup: Dup) {
        if !self.seen.insert(mark.sequence) {
            match dup {
                Dup::Marked => self.again += 1,
                Dup::Unmarked => self.repeated += 1,
            }
        }
    }

    /// How many different ones came.
    pub fn received(&self) -> u64 {
        self.seen.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(sequence: u64) -> Mark {
        Mark { stream: 0, sequence, due_us: 0 }
    }

    #[test]
    fn counts_what_is_new_and_what_must_not_be() {
        let mut track = Track { next: 1, ..Track::default() };
        let rows = [(1, Dup::Unmarked), (2, Dup::Marked), (2, Dup::Marked), (5, Dup::Unmarked)];
        for (sequence, dup) in rows {
            track.enter(mark(sequence), dup);
        }
        assert_eq!((track.received, track.again, track.disorder), (3, 1, 0));
        assert!(!track.enter(mark(3), Dup::Unmarked), "late");
        assert!(!track.enter(mark(0), Dup::Unmarked), "before it listened");
        assert_eq!(track.disorder, 2);
    }

    #[test]
    fn a_bag_takes_any_order_and_sees_repetition() {
        let mut bag = Bag::default();
        for (sequence, dup) in [(3, false), (1, false), (3, true), (1, false)] {
            bag.enter(mark(sequence), dup.into());
        }
        assert_eq!((bag.received(), bag.again, bag.repeated), (2, 1, 1));
    }
}
