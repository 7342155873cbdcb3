//! How the log is doing, for those who watch: counted by the writer, read by anybody. Refuses to
//! know how it is shown.

use crate::config::Durability;
use crate::disk::{FileHandle, SyncTimes, Times};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use store::log::{Extent, Piece, Reader};

/// A view of a running log; on any thread.
pub struct Watch {
    directory: PathBuf,
    durability: Durability,
    reader: Reader<FileHandle>,
    tally: Arc<Tally>,
    syncs: Arc<SyncTimes>,
}

/// What a watch sees at a moment.
#[derive(Debug, Clone)]
pub struct State {
    /// What an acknowledgement waits for.
    pub durability: Durability,
    /// The log's directory.
    pub directory: PathBuf,
    /// How far the log reaches.
    pub extent: Extent,
    /// Whether the disk takes what is written.
    pub health: Health,
    /// Since when, in wall milliseconds.
    pub since_ms: u64,
    /// Batches that became facts.
    pub commits: u64,
    /// Records that became facts.
    pub records: u64,
    /// What could not be kept and was refused.
    pub refused: u64,
    /// How long the disk took to make things last.
    pub syncs: Times,
}

/// Whether the disk takes what is written, as the log was told last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Well,
    /// There is no room; the next commit tries again.
    Full,
    /// It failed; nothing is kept until the next start.
    Failed,
}

/// What the writer counts.
pub(super) struct Tally {
    health: Mutex<(Health, u64)>,
    commits: AtomicU64,
    records: AtomicU64,
    refused: AtomicU64,
}

impl Watch {
    pub(super) fn new(
        (directory, durability): (PathBuf, Durability),
        reader: Reader<FileHandle>,
        tally: Arc<Tally>,
        syncs: Arc<SyncTimes>,
    ) -> Self {
        Self { directory, durability, reader, tally, syncs }
    }

    /// The files that are the log now.
    pub fn pieces(&self) -> Vec<Piece<FileHandle>> {
        self.reader.pieces()
    }

    /// What there is to see now.
    pub fn state(&self) -> State {
        let (health, since_ms) = *self.tally.health.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        State {
            durability: self.durability,
            directory: self.directory.clone(),
            extent: self.reader.extent(),
            health,
            since_ms,
            commits: count(&self.tally.commits),
            records: count(&self.tally.records),
            refused: count(&self.tally.refused),
            syncs: self.syncs.read(),
        }
    }
}

impl Health {
    /// As it is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Full => "full",
            Self::Failed => "failed",
        }
    }

    /// As a gauge: 0, 1, 2.
    pub fn level(self) -> u64 {
        self as u64
    }
}

impl Tally {
    /// Of a log that was opened now.
    pub fn new(now_ms: u64) -> Self {
        let zero = AtomicU64::default;
        let health = Mutex::new((Health::Well, now_ms));
        Self { health, commits: zero(), records: zero(), refused: zero() }
    }

    /// One batch of so many records is a fact.
    pub fn committed(&self, records: u64) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    /// So much was refused.
    pub fn refused(&self, count: usize) {
        self.refused.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// The health from now on; what it was if that is another.
    pub fn turns(&self, health: Health, now_ms: u64) -> Option<Health> {
        let mut known = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.0;
        if before == health {
            return None;
        }
        *known = (health, now_ms);
        Some(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_as_old_as_its_last_change() {
        let tally = Tally::new(5);
        let seen = || *tally.health.lock().unwrap();
        assert_eq!(tally.turns(Health::Well, 6), None);
        assert_eq!(seen(), (Health::Well, 5));
        assert_eq!(tally.turns(Health::Full, 7), Some(Health::Well));
        assert_eq!(tally.turns(Health::Full, 8), None);
        assert_eq!(seen(), (Health::Full, 7));
    }
}
