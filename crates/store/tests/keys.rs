//! Keyed records on a disk that crashes on purpose: the latest of each key is what the next start
//! finds, and what was removed stays so, whatever was cleaned meanwhile.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use crashdisk::{CrashDisk, Fault, below};
use std::collections::{BTreeMap, BTreeSet};
use store::disk::Disk;
use store::log::{Batch, Hold, Kind, Log, Need, Options, Records};
use store::op::{NamespaceId, Sequence};

/// A key's latest record.
#[derive(Debug, Clone, Copy)]
struct Latest {
    /// 0 = it is gone.
    value: u64,
    at: Sequence,
    /// The first of the key's records that may still be in a file.
    oldest: Sequence,
}

struct Store {
    log: Log<CrashDisk>,
    keys: BTreeMap<u64, Latest>,
    /// Records that are not released when their key gets another.
    held_too: BTreeSet<Sequence>,
}

impl Store {
    fn open(disk: &CrashDisk) -> Self {
        let mut keys: BTreeMap<u64, Latest> = BTreeMap::new();
        let mut superseded = Vec::new();
        let log = Log::open(disk.clone(), options(), |record| {
            let word =
                |at: usize| u64::from_le_bytes(record.payload[at..at + 8].try_into().unwrap());
            let latest = Latest { value: word(8), at: record.sequence, oldest: record.sequence };
            let latest = match keys.get(&word(0)) {
                Some(before) => {
                    superseded.push(before.at);
                    Latest { oldest: before.oldest, ..latest }
                }
                None => latest,
            };
            keys.insert(word(0), latest);
        });
        let mut store = Self { log: log.unwrap().log, keys, held_too: BTreeSet::new() };
        for at in superseded {
            store.log.tell([Need::Release(at)]);
        }
        let gone: Vec<_> = store.keys.iter().filter(|(_, l)| l.value == 0).collect();
        for (_, latest) in &gone {
            store.log.tell([Need::Bury { oldest: latest.oldest, at: latest.at }]);
        }
        store.keys.retain(|_, latest| latest.value != 0);
        store
    }

    /// Sets a key to a value, or removes it with 0.
    fn put(&mut self, key: u64, value: u64, bytes: usize) {
        let (mut records, mut batch) = (Records::default(), Batch::default());
        let (key_bytes, value_bytes) = (key.to_le_bytes(), value.to_le_bytes());
        let payload: [&[u8]; 3] = [&key_bytes, &value_bytes, &vec![7; bytes]];
        records.push(Kind(1), Hold::UntilReleased, NamespaceId(1), &[], &payload);
        batch.join(&mut records);
        let at = self.log.commit(&mut batch).unwrap().first;
        let before = self.keys.remove(&key);
        let oldest = before.map_or(at, |before| before.oldest);
        if let Some(before) = before.filter(|before| !self.held_too.contains(&before.at)) {
            self.log.tell([Need::Release(before.at)]);
        }
        if value == 0 {
            self.log.tell([Need::Bury { oldest, at }]);
        } else {
            self.keys.insert(key, Latest { value, at, oldest });
        }
    }

    fn tombstones_left(&mut self) -> usize {
        self.log.cleaner().release_tombstones()
    }

    /// Fills segments with other keys, then these once more: what they were filled with first is
    /// needed while the segments end, and not any more when they are cleaned.
    fn fill(&mut self) {
        for key in (1_000..1_040).chain(1_000..1_040) {
            self.put(key, 1, 3_000);
            self.clean();
        }
        self.log.cleaner().renew().unwrap();
        self.clean();
    }

    fn clean(&mut self) -> usize {
        let cleaner = self.log.cleaner();
        cleaner.clean(SEGMENT).unwrap();
        cleaner.release_tombstones()
    }
}

#[test]
fn the_latest_of_each_key_is_found_and_what_is_gone_stays_gone() {
    for seed in 1..=SEEDS {
        let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let disk = CrashDisk::new(seed);
        let mut store = Store::open(&disk);
        let mut known: BTreeMap<u64, u64> = BTreeMap::new();
        for step in 1..=STEPS {
            match below(&mut chance, 60) {
                0 => {
                    disk.crash();
                    store = Store::open(&disk);
                    let found: BTreeMap<u64, u64> =
                        store.keys.iter().map(|(key, latest)| (*key, latest.value)).collect();
                    assert_eq!(found, known, "seed {seed}, step {step}");
                }
                1..6 => drop(store.clean()),
                n => {
                    let key = below(&mut chance, 40);
                    let value = if n < 25 { 0 } else { step };
                    let bytes = below(&mut chance, 3_000) as usize;
                    // A removal of what is not there is not written either.
                    if value > 0 || known.contains_key(&key) {
                        store.put(key, value, bytes);
                    }
                    if value == 0 {
                        known.remove(&key)
                    } else {
                        known.insert(key, value)
                    };
                }
            }
        }
        // Nothing but removals: in the end they go as well.
        for key in 0..40 {
            if known.remove(&key).is_some() {
                store.put(key, 0, 0);
            }
        }
        let removals = store.tombstones_left();
        for key in (1_000..1_040).cycle().take(400) {
            store.put(key, 1, 3_000);
            store.clean();
        }
        assert!(removals > 0 && store.clean() < 100, "seed {seed}");
        // Some lie so dense that only a rewrite for their sake frees them.
        for _ in 0..10 {
            store.log.cleaner().renew().unwrap();
            store.clean();
        }
        assert_eq!(store.clean(), 0, "seed {seed}");
    }
}

/// The session of its publisher may hold a record that others of the key have replaced: a start
/// that finds only that would give the key an old value again.
#[test]
fn a_removal_stays_while_another_holds_what_came_before_it() {
    let disk = CrashDisk::new(1);
    let mut store = Store::open(&disk);
    store.put(1, 1, 100);
    let held = store.keys[&1].at;
    store.held_too.insert(held);
    store.put(1, 2, 100);
    store.put(1, 0, 100);
    store.fill();
    disk.crash();
    let mut store = Store::open(&disk);
    assert!(!store.keys.contains_key(&1), "an old value is back");
    store.log.tell([Need::Release(held)]);
    store.fill();
    assert_eq!(store.clean(), 0, "the removal is not needed any more");
}

/// The next start finds as many segments as there are behind a cleaning that went well, whatever
/// failed in those before it.
#[test]
fn what_was_removed_once_is_certain_by_the_next_cleaning() {
    let mut failed = 0;
    for after in 0..30 {
        let disk = CrashDisk::new(after);
        let mut store = Store::open(&disk);
        for value in 1..100 {
            store.put(2, value, 3_000);
        }
        disk.plan(after, Fault::Broken);
        failed += usize::from(store.log.cleaner().clean(SEGMENT).is_err());
        // What is removed here would take the rest with it.
        while store.log.cleaner().clean(SEGMENT).unwrap().removed > 0 {}
        let names = disk.list().unwrap();
        disk.crash();
        assert_eq!(disk.list().unwrap(), names, "call {after} failed");
    }
    assert!(failed > 3, "{failed}");
}

fn options() -> Options {
    Options { segment_bytes: SEGMENT, identity: 7 }
}

const SEGMENT: u32 = 64 * 1024;
const SEEDS: u64 = 200;
const STEPS: u64 = 600;
