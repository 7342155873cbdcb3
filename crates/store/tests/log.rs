//! The log against a disk that crashes on purpose: whatever happens, what was committed is there,
//! in order, and nothing else but an end that was never acknowledged.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod format;
mod repair;
mod written;

use crashdisk::{CrashDisk, Fault, below};
use std::collections::{BTreeMap, BTreeSet};
use store::disk::{Disk, File};
use store::log::{
    Batch, Cleaned, CommitError, Credit, Cursor, Hold, Kind, Log, Need, OpenError, Options,
    ReadEnd, Records, Recovered, StreamId,
};
use store::op::{NamespaceId, Sequence};

#[test]
fn what_was_committed_survives_whatever_the_disk_does() {
    for seed in 1..=SEEDS {
        Run::new(seed).play();
    }
}

/// What a record must be when it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    payload: Vec<u8>,
    streams: Vec<StreamId>,
    held: bool,
}

struct Run {
    seed: u64,
    chance: u64,
    disk: CrashDisk,
    log: Log<CrashDisk>,
    /// Committed records that somebody may need.
    committed: BTreeMap<u64, Known>,
    /// Records of a commit that failed: they may be there after a crash, or not.
    unsure: BTreeMap<u64, Vec<Known>>,
    /// One holder a stream: how far it has come.
    holders: BTreeMap<StreamId, Sequence>,
    written: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let disk = CrashDisk::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let log = Log::open(disk.clone(), options(), |_| {}).unwrap().log;
        let mut run = Self {
            seed,
            chance: seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1,
            disk,
            log,
            committed: BTreeMap::new(),
            unsure: BTreeMap::new(),
            holders: BTreeMap::new(),
            written: 0,
        };
        for id in 0..STREAMS {
            let (stream, after) = (StreamId(id), Sequence(0));
            run.log.tell([Need::Hold { stream, after }]);
            run.holders.insert(stream, after);
        }
        run
    }

    fn play(&mut self) {
        for _ in 0..STEPS {
            match below(&mut self.chance, 20) {
                0 => self.crash(),
                1 => self.plan(),
                2 | 3 => self.clean(),
                4 | 5 => self.read_some(),
                6 => self.release(),
                _ => self.commit(),
            }
        }
        self.crash();
        self.check();
    }

    fn plan(&mut self) {
        let after = below(&mut self.chance, 30);
        let fault = match below(&mut self.chance, 4) {
            0 => Fault::PowerLoss,
            1 | 2 => Fault::Broken,
            _ => Fault::Full(below(&mut self.chance, 20)),
        };
        self.disk.plan(after, fault);
    }

    fn commit(&mut self) {
        let (mut records, mut batch) = (Records::default(), Batch::default());
        let mut wanted = Vec::new();
        for _ in 0..=below(&mut self.chance, 12) {
            let known = self.record();
            let hold = if known.held { Hold::UntilReleased } else { Hold::No };
            let payload = [known.payload.as_slice()];
            records.push(Kind(known.payload[0]), hold, NamespaceId(7), &known.streams, &payload);
            wanted.push(known);
        }
        batch.join(&mut records);
        let first = self.log.next_sequence().0;
        let numbered = (first..).zip(wanted);
        match self.log.commit(&mut batch) {
            Ok(done) => {
                assert_eq!(done.first.0, first);
                assert!(batch.is_empty());
                self.committed.extend(numbered);
                // Nobody can have been written with these numbers before.
                self.unsure.retain(|n, _| *n < first);
            }
            Err(_) => {
                for (n, known) in numbered {
                    self.unsure.entry(n).or_default().push(known);
                }
            }
        }
    }

    fn record(&mut self) -> Known {
        self.written += 1;
        let len = 9 + below(&mut self.chance, 3_000) as usize / 2;
        let mut payload = vec![(self.written % 250) as u8; len];
        payload[1..9].copy_from_slice(&self.written.to_le_bytes());
        let streams = (0..STREAMS).filter(|_| below(&mut self.chance, 3) == 0).map(StreamId);
        let streams: Vec<_> = streams.collect();
        let held = below(&mut self.chance, 6) == 0;
        Known { payload, streams, held }
    }

    /// The power goes; what the log gives back at the next start is compared.
    fn crash(&mut self) {
        self.disk.crash();
        let mut held = BTreeMap::new();
        let opened = Log::open(self.disk.clone(), options(), |r| {
            held.insert(r.sequence.0, name(r.payload));
        });
        let Recovered { log, .. } = opened.unwrap_or_else(|e| panic!("seed {}: {e}", self.seed));
        self.log = log;
        let end = self.log.next_sequence().0;
        // What came through of a failed commit is a fact from now on, what did not never was.
        for (n, tried) in std::mem::take(&mut self.unsure).range(..end) {
            let mut came = None;
            let found = self.log.reader().get(Sequence(*n), |r| came = Some(name(r.payload)));
            assert!(found.unwrap());
            let known = tried.iter().find(|k| Some(name(&k.payload)) == came);
            self.committed.insert(*n, known.expect("one of those that were tried").clone());
        }
        if let Some((last, _)) = self.committed.last_key_value() {
            assert!(*last < end, "seed {}: {last} is lost, the log ends at {end}", self.seed);
        }
        for (n, known) in self.committed.iter().filter(|(_, k)| k.held) {
            assert_eq!(held.get(n), Some(&name(&known.payload)), "seed {}: held {n}", self.seed);
        }
        let cleaner = self.log.cleaner();
        for n in held.keys() {
            let known = self.committed.get(n);
            if known.is_none_or(|k| !k.held) {
                // It was released, but the segment was sealed while it was held.
                cleaner.tell([Need::Release(Sequence(*n))]);
            }
        }
        let hold =
            |(stream, after): (&StreamId, &Sequence)| Need::Hold { stream: *stream, after: *after };
        cleaner.tell(self.holders.iter().map(hold));
        cleaner.end_unheld();
    }

    fn clean(&mut self) {
        // A failure leaves everything as it was.
        let _ = self.log.cleaner().clean(SEGMENT);
    }

    fn release(&mut self) {
        let held: Vec<u64> =
            self.committed.iter().filter(|(_, k)| k.held).map(|(n, _)| *n).collect();
        for n in held {
            if below(&mut self.chance, 2) == 0 {
                self.log.tell([Need::Release(Sequence(n))]);
                self.committed.get_mut(&n).unwrap().held = false;
            }
        }
    }

    /// A holder reads on for a while and says so.
    fn read_some(&mut self) {
        let id = StreamId(below(&mut self.chance, u64::from(STREAMS)) as u32);
        let after = self.holders[&id];
        let records = below(&mut self.chance, 40) as usize;
        let mut cursor = Cursor::new(after, [(id, Sequence(0))]);
        let credit = Credit { records, bytes: usize::MAX };
        let mut seen = Vec::new();
        let end = self.log.reader().read(&mut cursor, credit, |r| {
            seen.push((r.sequence.0, name(r.payload)));
        });
        assert!(end.is_ok(), "seed {}: {end:?}", self.seed);
        let wanted = self.wanted(&BTreeSet::from([id]), after);
        let wanted: Vec<_> = wanted.into_iter().take(seen.len().max(records)).collect();
        assert_eq!(seen.len(), wanted.len().min(records), "seed {}", self.seed);
        assert_eq!(seen, wanted[..seen.len()], "seed {}", self.seed);
        self.log.tell([Need::Advance { stream: id, from: after, to: cursor.after }]);
        self.holders.insert(id, cursor.after);
    }

    fn wanted(&self, ids: &BTreeSet<StreamId>, after: Sequence) -> Vec<(u64, Name)> {
        self.committed
            .range(after.0 + 1..)
            .filter(|(_, k)| k.streams.iter().any(|id| ids.contains(id)))
            .map(|(n, k)| (*n, name(&k.payload)))
            .collect()
    }

    /// All streams merged from their slowest holder on give every record once.
    fn check(&mut self) {
        let after = self.holders.values().copied().max().unwrap();
        let ids: BTreeSet<StreamId> = self.holders.keys().copied().collect();
        let mut cursor = Cursor::new(after, ids.iter().map(|id| (*id, Sequence(0))));
        let mut seen = Vec::new();
        loop {
            let credit = Credit { records: 7, bytes: 5_000 };
            let end = self.log.reader().read(&mut cursor, credit, |r| {
                seen.push((r.sequence.0, name(r.payload)));
            });
            match end.unwrap() {
                ReadEnd::More => {}
                ReadEnd::All(last) => {
                    assert_eq!(last.0 + 1, self.log.next_sequence().0);
                    break;
                }
            }
        }
        let wanted = self.wanted(&ids, after);
        let differs = seen.iter().zip(&wanted).find(|(a, b)| a != b);
        assert_eq!(differs, None, "seed {}", self.seed);
        assert_eq!(seen.len(), wanted.len(), "seed {}", self.seed);
    }
}

#[test]
fn damage_where_it_was_durable_refuses_to_start_and_names_the_place() {
    let disk = CrashDisk::new(1);
    let mut log = Log::open(disk.clone(), options(), |_| {}).unwrap().log;
    for n in 0..3_u8 {
        append(&mut log, &[n; 50]).unwrap();
    }
    let file = format!("{:020}.log", 1);
    disk.damage(&file, 32 + 32 + 24 + 10);
    let error = Log::open(disk, options(), |_| {}).err().unwrap();
    let OpenError::Damage(damage) = error else { panic!("{error}") };
    assert_eq!((damage.file, damage.offset), (file, 64));
}

#[test]
fn an_end_that_was_never_durable_is_cut_and_told() {
    let disk = CrashDisk::new(1);
    let mut log = Log::open(disk.clone(), options(), |_| {}).unwrap().log;
    append(&mut log, &[1; 50]).unwrap();
    append(&mut log, &[2; 50]).unwrap();
    // The last batch: nothing behind it says that it was durable.
    let second = 32 + (32 + 24 + 50);
    disk.damage(&format!("{:020}.log", 1), second + 40);
    let Recovered { mut log, cut } = Log::open(disk.clone(), options(), |_| {}).unwrap();
    assert_eq!(cut.unwrap().offset, second);
    assert_eq!(log.next_sequence(), Sequence(2));
    append(&mut log, &[3; 50]).unwrap();
    let again = Log::open(disk, options(), |_| {}).unwrap();
    assert_eq!((again.cut, again.log.next_sequence()), (None, Sequence(3)));
}

#[test]
fn a_full_disk_refuses_and_goes_on_by_itself() {
    let disk = CrashDisk::new(1);
    let mut log = Log::open(disk.clone(), options(), |_| {}).unwrap().log;
    disk.plan(0, Fault::Full(1_000));
    let mut refused = 0;
    for _ in 0..400 {
        refused += u32::from(matches!(append(&mut log, &[9; 1_000]), Err(CommitError::Full(_))));
        if refused == 3 {
            break;
        }
    }
    assert_eq!(refused, 3);
    disk.crash();
    let mut log = Log::open(disk, options(), |_| {}).unwrap().log;
    append(&mut log, &[9; 1_000]).unwrap();
}

#[test]
fn space_comes_back_when_nobody_needs_it() {
    let disk = CrashDisk::new(1);
    let mut log = Log::open(disk.clone(), options(), |_| {}).unwrap().log;
    let cleaner = log.cleaner();
    let id = StreamId(3);
    log.tell([Need::Hold { stream: id, after: Sequence(0) }]);
    for n in 0..2_000_u32 {
        let mut records = Records::default();
        let hold = if n % 100 == 0 { Hold::UntilReleased } else { Hold::No };
        records.push(Kind(1), hold, NamespaceId(0), &[id], &[&[1; 500]]);
        let mut batch = Batch::default();
        batch.join(&mut records);
        log.commit(&mut batch).unwrap();
    }
    let full = disk.bytes();
    log.tell([Need::Advance { stream: id, from: Sequence(0), to: Sequence(2_000) }]);
    let mut joined = 0;
    for _ in 0..10 {
        joined += cleaner.clean(SEGMENT).unwrap().joined;
    }
    assert!(joined > 5, "sparse segments are joined");
    assert!(disk.bytes() < full / 10, "{} of {full}", disk.bytes());
    let mut held = 0;
    let log = Log::open(disk, options(), |_| held += 1).unwrap().log;
    assert_eq!((held, log.next_sequence()), (20, Sequence(2_001)));
}

/// A payload by number and length.
type Name = (u64, usize);

#[test]
fn a_copy_is_the_log_of_the_moment_whatever_comes_after() {
    let disk = CrashDisk::new(1);
    let mut log = Log::open(disk.clone(), options(), |_| {}).unwrap().log;
    log.tell([Need::Hold { stream: StreamId(1), after: Sequence(0) }]);
    let mut taken = Vec::new();
    for number in 0..400_u32 {
        append_to(&mut log, &[StreamId(1)], &[number as u8; 2_000]).unwrap();
        if number % 90 == 45 {
            taken.push((log.next_sequence().0 - 1, log.reader().pieces()));
        }
        if number == 300 {
            // What the copies hold is removed, joined and written over.
            log.tell([Need::Advance { stream: StreamId(1), from: Sequence(0), to: Sequence(290) }]);
            while log.cleaner().clean(SEGMENT).unwrap() != Cleaned::default() {}
        }
    }
    assert!(disk.list().unwrap().len() < 9, "there was something to clean");
    for (last, pieces) in taken {
        let copy = CrashDisk::new(2);
        for piece in &pieces {
            let mut bytes = vec![0; piece.bytes as usize];
            assert_eq!(piece.file.read_at(0, &mut bytes).unwrap(), bytes.len());
            let file = copy.create(&piece.name, 0).unwrap();
            file.write_at(0, &bytes).unwrap();
        }
        let mut log = Log::open(copy, options(), |_| {}).unwrap().log;
        assert_eq!(log.next_sequence().0, last + 1);
        let mut cursor = Cursor::new(Sequence(0), [(StreamId(1), Sequence(0))]);
        let credit = Credit { records: usize::MAX, bytes: usize::MAX };
        let mut seen = Vec::new();
        log.reader().read(&mut cursor, credit, |r| seen.push(r.sequence.0)).unwrap();
        // What nobody needed any more when the copy was taken may be in it.
        let first = if last > 300 { 291 } else { 1 };
        assert!(seen[0] <= first, "{} in the copy up to {last}", seen[0]);
        assert_eq!(seen, (seen[0]..=last).collect::<Vec<_>>());
        append(&mut log, b"and it goes on").unwrap();
    }
}

fn name(payload: &[u8]) -> Name {
    assert!(payload[9..].iter().all(|b| *b == payload[0]), "a payload of pieces");
    (u64::from_le_bytes(payload[1..9].try_into().unwrap()), payload.len())
}

fn append(log: &mut Log<CrashDisk>, payload: &[u8]) -> Result<(), CommitError> {
    append_to(log, &[], payload)
}

fn append_to(
    log: &mut Log<CrashDisk>,
    streams: &[StreamId],
    payload: &[u8],
) -> Result<(), CommitError> {
    let mut records = Records::default();
    records.push(Kind(1), Hold::No, NamespaceId(0), streams, &[payload]);
    let mut batch = Batch::default();
    batch.join(&mut records);
    log.commit(&mut batch).map(drop)
}

fn options() -> Options {
    Options { segment_bytes: SEGMENT, identity: 0x1234_5678_9abc_def0 }
}

const SEEDS: u64 = 400;
const STEPS: u32 = 150;
const STREAMS: u32 = 4;
const SEGMENT: u32 = 64 * 1024;
