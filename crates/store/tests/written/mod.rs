//! A log whose every byte is known: a rewritten segment, sealed ones, an open one.

use crashdisk::CrashDisk;
use std::collections::{BTreeMap, BTreeSet};
use store::log::{
    Batch, Credit, Cursor, Hold, Kind, Log, Need, Options, ReadEnd, Records, StreamId,
};
use store::op::{NamespaceId, Sequence};

/// What a record holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub kind: u8,
    pub namespace: u32,
    pub held: bool,
    pub streams: Vec<u32>,
    pub payload: Vec<u8>,
}

/// The record of this number. Of the early ones few are needed.
pub fn record(n: u64) -> Known {
    let early = n <= EARLY;
    let streams = match n {
        n if early && n.is_multiple_of(10) => vec![1],
        _ if early => vec![],
        n if n.is_multiple_of(6) => vec![2, 3],
        n => vec![2 + (n % 2) as u32],
    };
    let len = if early { 1_200 } else { 40 + (n * 37 % 700) as usize };
    let mut payload = vec![n as u8; len];
    payload[..8].copy_from_slice(&n.to_be_bytes());
    let held = n.is_multiple_of(25);
    Known { kind: 1 + (n % 3) as u8, namespace: (n % 2) as u32, held, streams, payload }
}

/// Which records are still there after the early segments were rewritten.
pub fn is_kept(n: u64) -> bool {
    let known = record(n);
    n > REWRITTEN || known.held || !known.streams.is_empty()
}

/// How many records the batch has that begins with this number.
pub fn batch_len(first: u64) -> u64 {
    1 + first % 4
}

/// Writes records up to `last`; the numbers of the last batch are those behind the second value.
pub fn write(last: u64) -> (CrashDisk, u64) {
    let disk = CrashDisk::new(1);
    let mut log = Log::open(disk.clone(), options(), |_| {}).unwrap().log;
    for stream in 1..=3 {
        log.tell([Need::Hold { stream: StreamId(stream), after: Sequence(0) }]);
    }
    let (mut next, mut before) = (1, 0);
    while next <= last {
        let mut batch = Batch::default();
        before = next - 1;
        for _ in 0..batch_len(next).min(last + 1 - next) {
            let known = record(next);
            let hold = if known.held { Hold::UntilReleased } else { Hold::No };
            let streams: Vec<StreamId> = known.streams.iter().copied().map(StreamId).collect();
            let (kind, namespace) = (Kind(known.kind), NamespaceId(known.namespace));
            let mut records = Records::default();
            records.push(kind, hold, namespace, &streams, &[&known.payload]);
            batch.join(&mut records);
            next += 1;
        }
        log.commit(&mut batch).unwrap();
        if before < EARLY && next > EARLY {
            assert!(log.cleaner().clean(SEGMENT).unwrap().joined >= 1);
        }
    }
    (disk, before)
}

/// What opening a log gives back.
pub struct Opened {
    pub log: Log<CrashDisk>,
    pub cut: Option<(String, u64)>,
    pub held: BTreeSet<u64>,
    /// Every record that can be read, by number.
    pub records: BTreeMap<u64, Known>,
    /// What reading each stream gives.
    pub streams: BTreeMap<u32, Vec<u64>>,
}

/// Opens a log and reads everything in it.
pub fn open(disk: CrashDisk) -> Opened {
    let mut held = BTreeSet::new();
    let opened = Log::open(disk, options(), |r| {
        held.insert(r.sequence.0);
    });
    let opened = opened.unwrap_or_else(|e| panic!("{e}"));
    let (log, reader) = (opened.log, 1..4);
    let end = log.next_sequence().0;
    let mut records = BTreeMap::new();
    for n in 1..end {
        // One that cannot be read is none.
        let _ = log.reader().get(Sequence(n), |r| {
            let streams = r.streams().map(|id| id.0).collect();
            let known = Known {
                kind: r.kind.0,
                namespace: r.namespace.0,
                held: r.hold == Hold::UntilReleased,
                streams,
                payload: r.payload.to_vec(),
            };
            records.insert(r.sequence.0, known);
        });
    }
    let mut streams = BTreeMap::new();
    for id in reader {
        let mut cursor = Cursor::new(Sequence(0), [(StreamId(id), Sequence(0))]);
        let credit = Credit { records: usize::MAX, bytes: usize::MAX };
        let mut seen = Vec::new();
        let all = log.reader().read(&mut cursor, credit, |r| seen.push(r.sequence.0));
        assert_eq!(all.unwrap(), ReadEnd::All(Sequence(end - 1)));
        streams.insert(id, seen);
    }
    let cut = opened.cut.map(|cut| (cut.file, cut.offset));
    Opened { log, cut, held, records, streams }
}

pub fn options() -> Options {
    Options { segment_bytes: SEGMENT, identity: 0x0123_4567_89ab_cdef }
}

/// So many records are written before the first segments are rewritten.
pub const EARLY: u64 = 110;
/// The last number of the segment that is rewritten.
const REWRITTEN: u64 = 94;
const SEGMENT: u32 = 64 * 1024;
