//! What is known of all segments at a moment: shared by the committer, the readers and whoever
//! rewrites. Locked for single steps only, never while a file is read or written.

use super::held::Held;
use super::record::StreamId;
use super::stream::Streams;
use super::tombstones::Tombstones;
use crate::op::Sequence;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The catalog, shared.
pub(super) struct Shared<F> {
    catalog: Mutex<Catalog<F>>,
    tombstones: Mutex<Tombstones>,
    /// The cleaner has changed names that may not be durable.
    pub names: AtomicBool,
    /// Of this log.
    pub identity: u64,
}

/// All segments and streams.
pub(super) struct Catalog<F> {
    /// By base; the last is the open one.
    pub segments: BTreeMap<u64, Segment<F>>,
    pub streams: Streams,
    /// Everything up to it is a fact.
    pub committed: Sequence,
}

/// One segment.
pub(super) struct Segment<F> {
    pub name: String,
    pub file: Arc<F>,
    /// Its last record's number; one below the base while it has none.
    pub last: Sequence,
    /// The end of its records in the file.
    pub end: u64,
    /// Length of the file.
    pub bytes: u64,
    /// How many records it has.
    pub records: u64,
    pub held: Held,
    /// Whether more is written to it.
    pub closed: Closed,
    /// Distance from the base and offset of some records, ascending.
    pub index: Vec<(u32, u32)>,
}

/// Whether more is written to a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closed {
    /// It is the open one.
    No,
    /// It has its footer.
    Sealed,
    /// Its file failed before it had one: the next start has to scan it.
    Abandoned,
}

/// Where to begin reading for a record.
pub(super) struct Place<F> {
    pub file: Arc<F>,
    pub name: String,
    pub at: u64,
    pub end: u64,
    /// Last number of the segment.
    pub last: Sequence,
}

impl<F> Shared<F> {
    pub fn new(identity: u64, catalog: Catalog<F>) -> Self {
        let names = AtomicBool::new(false);
        Self { catalog: Mutex::new(catalog), tombstones: Mutex::default(), names, identity }
    }

    pub fn lock(&self) -> MutexGuard<'_, Catalog<F>> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locked before the catalog, where both are.
    pub fn tombstones(&self) -> MutexGuard<'_, Tombstones> {
        self.tombstones.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F> Catalog<F> {
    /// A held record is not needed any more.
    pub fn release(&mut self, sequence: Sequence) {
        if let Some((base, segment)) = self.segments.range_mut(..=sequence.0).next_back() {
            segment.held.release(Sequence(*base), sequence);
        }
    }

    /// The base of the segment that has, or would have, this sequence.
    pub fn base_of(&self, sequence: Sequence) -> u64 {
        let at = self.segments.range(..=sequence.0).next_back();
        at.or_else(|| self.segments.iter().next()).map_or(0, |(base, _)| *base)
    }

    /// The open segment and its base.
    pub fn open(&mut self) -> Option<(u64, &mut Segment<F>)> {
        self.segments.iter_mut().next_back().map(|(base, segment)| (*base, segment))
    }

    /// The open segment's file failed: what it holds stays readable, its lists in memory.
    pub fn abandon_open(&mut self) {
        if let Some((base, segment)) = self.segments.iter_mut().next_back() {
            segment.closed = Closed::Abandoned;
            self.streams.freeze(*base);
        }
    }

    /// Where to begin reading for this record.
    pub fn place(&self, sequence: Sequence) -> Option<Place<F>> {
        let (base, segment) = self.segments.range(..=sequence.0).next_back()?;
        let local = u32::try_from(sequence.0 - base).ok()?;
        if sequence > segment.last {
            return None;
        }
        Some(Place {
            file: Arc::clone(&segment.file),
            name: segment.name.clone(),
            at: segment.place_of(local),
            end: segment.end,
            last: segment.last,
        })
    }

    /// Records of one committed batch: their number, place, streams.
    pub fn enter(&mut self, sequence: Sequence, at: u64, streams: impl Iterator<Item = StreamId>) {
        let Self { segments, streams: all, .. } = self;
        let Some((base, segment)) = segments.iter_mut().next_back() else { return };
        // A segment is below 4 GiB and so are the records in it.
        let local = (sequence.0 - base) as u32;
        segment.enter_index(local, at);
        segment.records += 1;
        segment.last = sequence;
        for stream in streams {
            all.push(stream, local);
        }
    }
}

impl<F> Segment<F> {
    pub fn new(base: Sequence, file: Arc<F>, bytes: u64) -> Self {
        Self {
            name: super::file::name(base),
            file,
            last: Sequence(base.0.wrapping_sub(1)),
            end: super::file::FILE_HEAD as u64,
            bytes,
            records: 0,
            held: Held::default(),
            closed: Closed::No,
            index: Vec::new(),
        }
    }

    /// Where to begin reading for the record at this distance.
    pub fn place_of(&self, local: u32) -> u64 {
        let at = self.index.partition_point(|(from, _)| *from <= local);
        at.checked_sub(1).map_or(super::file::FILE_HEAD as u64, |at| u64::from(self.index[at].1))
    }

    /// Notes the record's place if the last one noted lies far enough before.
    pub fn enter_index(&mut self, local: u32, at: u64) {
        let far = |(_, before): &(u32, u32)| {
            at >= u64::from(*before) + u64::from(super::footer::INDEX_EVERY_BYTES)
        };
        if self.index.last().is_none_or(far) {
            self.index.push((local, at as u32));
        }
    }
}
