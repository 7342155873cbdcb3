//! Records that say that something is gone. Such a record is held like what it speaks of, for as
//! long as the next start could find that again.
//!
//! The owner of keyed records holds the latest of each key and releases those before it. After a
//! start the latest that is found wins; a key whose latest is its removal is gone.

use super::rewrite::Cleaner;
use crate::disk::Disk;
use crate::op::Sequence;

/// Removals that are still needed.
#[derive(Debug, Default)]
pub(super) struct Tombstones {
    /// The oldest record that one may speak of, and its own sequence.
    held: Vec<(Sequence, Sequence)>,
}

impl Tombstones {
    /// The held record `at` says that a key is gone, of which `oldest` was the first record that
    /// may still be in a file.
    pub fn add(&mut self, oldest: Sequence, at: Sequence) {
        self.held.push((oldest, at));
    }

    /// Releases those that nothing can contradict any more; to be called after a cleaning that went
    /// well, by the thread that cleans. How many are left.
    pub fn release<D: Disk>(&mut self, cleaner: &Cleaner<D>) -> usize {
        self.held.retain(|(oldest, at)| {
            let needed = cleaner.may_return(*oldest, *at);
            if !needed {
                // Found again it says that something is gone which is gone.
                cleaner.forget(*at);
            }
            needed
        });
        self.held.len()
    }
}
