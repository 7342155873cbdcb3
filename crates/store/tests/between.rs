//! Holders with an end: what nobody reads between them and what comes behind goes, while the log
//! is read and after a crash alike, and nothing else does.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use crashdisk::{CrashDisk, below};
use store::log::{
    Batch, Cleaned, Credit, Cursor, Hold, Kind, Log, Need, Options, Records, StreamId,
};
use store::op::{NamespaceId, Sequence};

/// One session that reads up to a place, and again behind another.
struct Gap {
    id: StreamId,
    after: Sequence,
    until: Sequence,
    /// What lies behind it is for the session again.
    main: Sequence,
}

impl Gap {
    fn needs(&self) -> [Need; 2] {
        let Self { id: stream, after, until, main } = *self;
        [Need::HoldUntil { stream, after, until }, Need::Hold { stream, after: main }]
    }

    fn is_for(&self, n: u64) -> bool {
        (self.after.0 < n && n <= self.until.0) || n > self.main.0
    }
}

#[test]
fn what_lies_between_goes_and_the_rest_stays() {
    let mut freed = 0;
    for seed in 1..=40_u64 {
        let mut chance = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let disk = CrashDisk::new(seed);
        let mut log = Log::open(disk.clone(), options(), |_| {}).unwrap().log;
        log.cleaner().end_unheld();
        let ids = [StreamId(1), StreamId(2)];
        log.tell(ids.map(|stream| Need::Hold { stream, after: Sequence(0) }));
        (0..RECORDS).for_each(|n| append(&mut log, ids[n as usize % 2]));
        let full = disk.bytes();
        let gaps = ids.map(|id| {
            let until = 1 + below(&mut chance, RECORDS / 4);
            let main = until + below(&mut chance, RECORDS - until);
            let after = below(&mut chance, until);
            Gap { id, after: Sequence(after), until: Sequence(until), main: Sequence(main) }
        });
        for gap in &gaps {
            let Gap { id: stream, after, until, main } = *gap;
            log.tell([
                Need::HoldUntil { stream, after, until },
                Need::Advance { stream, from: Sequence(0), to: main },
            ]);
        }
        while log.cleaner().clean(SEGMENT).unwrap() != Cleaned::default() {}
        freed += full - disk.bytes();
        gaps.iter().for_each(|gap| has_what_is_its(&log, gap));
        // The next start is told the same, and cleans as much.
        disk.crash();
        let log = Log::open(disk.clone(), options(), |_| {}).unwrap().log;
        log.tell(gaps.iter().flat_map(Gap::needs));
        log.cleaner().end_unheld();
        while log.cleaner().clean(SEGMENT).unwrap() != Cleaned::default() {}
        gaps.iter().for_each(|gap| has_what_is_its(&log, gap));
        for Gap { id: stream, after, until, main } in gaps {
            log.tell([
                Need::LeaveUntil { stream, after, until },
                Need::Advance { stream, from: main, to: Sequence(RECORDS) },
            ]);
        }
        while log.cleaner().clean(SEGMENT).unwrap() != Cleaned::default() {}
        assert!(disk.bytes() <= u64::from(SEGMENT) * 2, "seed {seed}: {}", disk.bytes());
    }
    assert!(freed > 40 * RECORDS * BYTES as u64 / 5, "{freed} bytes");
}

fn has_what_is_its(log: &Log<CrashDisk>, gap: &Gap) {
    let mut cursor = Cursor::new(gap.after, [(gap.id, Sequence(0))]);
    let credit = Credit { records: usize::MAX, bytes: usize::MAX };
    let mut seen = Vec::new();
    log.reader().read(&mut cursor, credit, |r| seen.push(r.sequence.0)).unwrap();
    assert!(seen.is_sorted());
    let of_stream = |n: &u64| n % 2 == u64::from(gap.id.0 % 2);
    let wanted = (1..=RECORDS).filter(|n| of_stream(n) && gap.is_for(*n));
    for n in wanted {
        assert!(seen.binary_search(&n).is_ok(), "record {n} of {:?}", gap.id);
    }
}

fn append(log: &mut Log<CrashDisk>, id: StreamId) {
    let mut records = Records::default();
    records.push(Kind(1), Hold::No, NamespaceId(0), &[id], &[&[1; BYTES]]);
    let mut batch = Batch::default();
    batch.join(&mut records);
    log.commit(&mut batch).unwrap();
}

fn options() -> Options {
    Options { segment_bytes: SEGMENT, identity: 77 }
}

const SEGMENT: u32 = 64 * 1024;
const RECORDS: u64 = 1_000;
const BYTES: usize = 1_000;
