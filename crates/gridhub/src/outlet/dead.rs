//! Messages that an endpoint would not take: kept for people, up to a bound; above it the oldest
//! go. They lie in files beside the log, or in memory where nothing is kept. Refuses to know
//! endpoints.

use super::batch::Batch;
use super::lines::{Lines, Name, Rotation, count};
use hub::Moment;
use serde_json::value::RawValue;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The dead letters of one endpoint.
pub struct Letters {
    store: Mutex<Store>,
    kept: AtomicU64,
    dropped: AtomicU64,
}

enum Store {
    Files(Lines),
    Memory { lines: VecDeque<Vec<u8>>, first: u64, bytes: usize, bytes_max: usize },
}

/// Where a reader is: a file, or 0, and how far it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    file: u64,
    at: u64,
}

/// Why a batch is dead.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'c> {
    /// When, wall milliseconds.
    pub at_ms: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was not taken the last time.
    pub why: &'c str,
}

impl Letters {
    /// Those that a directory has, with so many bytes at most.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn in_directory(directory: PathBuf, bytes_max: u64) -> io::Result<Self> {
        let rotation =
            Rotation { bytes: bytes_max / FILES, after_ms: u64::MAX, keep: FILES as usize };
        let lines = Lines::new(directory, rotation);
        let mut kept = 0;
        for name in lines.names()? {
            kept += count(&lines.path(&name))?;
        }
        Ok(Self::of(Store::Files(lines), kept))
    }

    /// None, to be kept in memory.
    pub fn in_memory(bytes_max: u64) -> Self {
        let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX).min(MEMORY_BYTES_MAX);
        Self::of(Store::Memory { lines: VecDeque::new(), first: 0, bytes: 0, bytes_max }, 0)
    }

    fn of(store: Store, kept: u64) -> Self {
        let (store, dropped) = (Mutex::new(store), AtomicU64::new(0));
        Self { store, kept: AtomicU64::new(kept), dropped }
    }

    /// Keeps a batch; it lasts when it returns. The disk is waited for.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn put(&self, batch: &Batch, cause: Cause<'_>) -> io::Result<()> {
        let mut store = self.lock();
        let dropped = match &mut *store {
            Store::Files(lines) => {
                let mut all = Vec::new();
                letters(batch, cause, |letter| all.extend(letter));
                lines.append(&all, cause.at_ms)?
            }
            Store::Memory { lines, first, bytes, bytes_max } => {
                let mut dropped = 0;
                letters(batch, cause, |letter| {
                    *bytes += letter.len();
                    lines.push_back(letter);
                });
                while *bytes > *bytes_max
                    && let Some(oldest) = lines.pop_front()
                {
                    *bytes -= oldest.len();
                    (*first, dropped) = (*first + 1, dropped + 1);
                }
                dropped
            }
        };
        // Only who has the store writes it.
        let kept = self.kept.load(Ordering::Relaxed) + batch.len() as u64;
        self.kept.store(kept.saturating_sub(dropped), Ordering::Relaxed);
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
        Ok(())
    }

    /// Some of them from a place on, with the place behind them. The disk is waited for.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn page(&self, from: Place, max: usize) -> io::Result<(Vec<Box<RawValue>>, Place)> {
        let store = self.lock();
        let (lines, next) = match &*store {
            Store::Files(lines) => of_files(lines, from, max)?,
            Store::Memory { lines, first, .. } => {
                let at = from.at.max(*first);
                let skipped = usize::try_from(at - first).unwrap_or(usize::MAX);
                let some: Vec<Vec<u8>> = lines.iter().skip(skipped).take(max).cloned().collect();
                let next = Place { file: 0, at: at + some.len() as u64 };
                (some, next)
            }
        };
        let letters = lines.into_iter().filter_map(|line| {
            let text = String::from_utf8(line).ok()?;
            RawValue::from_string(text.trim_end().to_owned()).ok()
        });
        Ok((letters.collect(), next))
    }

    /// Forgets all; gives how many there were. The disk is waited for.
    ///
    /// # Errors
    /// Some are still there.
    pub fn clear(&self) -> io::Result<u64> {
        let mut store = self.lock();
        match &mut *store {
            Store::Files(lines) => lines.clear()?,
            Store::Memory { lines, first, bytes, .. } => {
                (*first, *bytes) = (*first + lines.len() as u64, 0);
                lines.clear();
            }
        }
        Ok(self.kept.swap(0, Ordering::Relaxed))
    }

    /// How many there are, and how many went for want of room since the start.
    pub fn counts(&self) -> (u64, u64) {
        (self.kept.load(Ordering::Relaxed), self.dropped.load(Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_files(lines: &Lines, from: Place, max: usize) -> io::Result<(Vec<Vec<u8>>, Place)> {
    let (mut found, mut place) = (Vec::new(), from);
    for name in lines.names()? {
        let Name { number, .. } = name;
        if number < place.file {
            continue;
        }
        if number > place.file {
            place = Place { file: number, at: 0 };
        }
        let mut file = BufReader::new(File::open(lines.path(&name))?);
        file.seek(SeekFrom::Start(place.at))?;
        while found.len() < max {
            let mut line = Vec::new();
            let bytes = file.read_until(b'\n', &mut line)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            place.at += bytes as u64;
            found.push(line);
        }
        if found.len() >= max {
            break;
        }
    }
    Ok((found, place))
}

/// A line for each message of a batch.
fn letters(batch: &Batch, cause: Cause<'_>, mut give: impl FnMut(Vec<u8>)) {
    let Cause { at_ms, attempts, why } = cause;
    let moment = Moment::at(at_ms).text();
    let start = serde_json::json!({ "at": moment.as_str(), "attempts": attempts, "why": why });
    let start = start.to_string();
    batch.each(|id, envelope| {
        let mut line = start.trim_end_matches('}').as_bytes().to_vec();
        line.extend_from_slice(b",\"message\":");
        envelope.write_cloud_event(id, batch.hub(), &mut line);
        line.extend_from_slice(b"}\n");
        give(line);
    });
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.file, self.at)
    }
}

impl std::str::FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('.');
        let read = |text: &str| text.parse().ok();
        parts
            .and_then(|(file, at)| Some(Self { file: read(file)?, at: read(at)? }))
            .ok_or_else(|| format!("'{text}' is no place; take 'next' of the page before"))
    }
}

/// The oldest of so many goes as a whole.
const FILES: u64 = 8;
const MEMORY_BYTES_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::super::batch::tests::batch;
    use super::*;

    const CAUSE: Cause<'_> = Cause { at_ms: 1_763_719_200_000, attempts: 3, why: "HTTP 500 }" };

    fn all(letters: &Letters, max: usize) -> Vec<u64> {
        let (mut found, mut place) = (Vec::new(), Place::default());
        loop {
            let (page, next) = letters.page(place, max).unwrap();
            if page.is_empty() {
                return found;
            }
            for letter in page {
                let letter: serde_json::Value = serde_json::from_str(letter.get()).unwrap();
                assert_eq!(letter["at"], "2025-11-21T10:00:00.0000000Z");
                assert_eq!(
                    (&letter["attempts"], &letter["why"]),
                    (&3.into(), &"HTTP 500 }".into())
                );
                found.push(letter["message"]["data"]["body"]["n"].as_u64().unwrap());
            }
            place = next.to_string().parse().unwrap();
        }
    }

    #[test]
    fn they_are_read_in_pages_and_outlive_a_start() {
        let folder = std::env::temp_dir().join(format!("letters-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let open = || Letters::in_directory(folder.clone(), 8 * 1_500).unwrap();
        for letters in [open(), Letters::in_memory(1 << 20)] {
            for n in 0..5 {
                letters.put(&batch(n * 2..n * 2 + 2), CAUSE).unwrap();
            }
            for max in [1, 3, 100] {
                assert_eq!(all(&letters, max), (0..10).collect::<Vec<_>>());
            }
            assert_eq!(letters.counts(), (10, 0));
        }
        let letters = open();
        assert_eq!((letters.counts(), all(&letters, 4).len()), ((10, 0), 10));
        // Above the bound the oldest go, and are counted.
        for n in 0..30 {
            letters.put(&batch(n..n + 1), CAUSE).unwrap();
        }
        let (kept, dropped) = letters.counts();
        assert!(dropped > 0 && kept + dropped == 40, "{kept} {dropped}");
        assert_eq!(all(&letters, 7).len() as u64, kept);
        assert_eq!((letters.clear().unwrap(), letters.counts().0), (kept, 0));
        assert_eq!(all(&letters, 7), [0; 0]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn in_memory_the_oldest_go_too() {
        let letters = Letters::in_memory(2_000);
        for n in 0..30 {
            letters.put(&batch(n..n + 1), CAUSE).unwrap();
        }
        let (kept, dropped) = letters.counts();
        assert!(kept > 0 && kept + dropped == 30, "{kept} {dropped}");
        assert_eq!(all(&letters, 2), (dropped..30).collect::<Vec<_>>());
    }
}
