//! Giving space back: a segment that nobody needs is removed, sparse neighbours are joined to one
//! that has only what somebody needs.
//!
//! Records keep their sequence and streams their order, so no reader notices.

use super::batch::BatchHead;
use super::catalog::{Catalog, Closed, Segment, Shared};
use super::damage::Damage;
use super::file::{self, FILE_HEAD, Head};
use super::footer::{Footer, Seal};
use super::record::StreamId;
use super::stream::{List, Part, Parts};
use super::walk::{Step, Walk};
use crate::disk::{Disk, File};
use crate::op::Sequence;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Removes and rewrites segments; what is no longer needed is told to it too (`needs`). On any
/// thread; one cleaning at a time.
pub struct Cleaner<D: Disk> {
    disk: Arc<D>,
    pub(super) shared: Arc<Shared<D::File>>,
}

/// What one cleaning did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cleaned {
    /// Segments that were removed whole.
    pub removed: usize,
    /// Segments that were joined to one.
    pub joined: usize,
    /// Bytes that were written for it.
    pub written: u64,
}

/// Why a cleaning stopped. The log is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum CleanError {
    /// A record that is needed cannot be read.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// The disk refused.
    #[error("the data directory cannot be cleaned: {0}")]
    Io(#[from] std::io::Error),
}

/// One segment of a run that is joined.
struct Old<F> {
    base: u64,
    name: String,
    file: Arc<F>,
    end: u64,
    held: Vec<u32>,
    parts: Parts,
}

/// The segment that is written.
pub(super) struct New<F> {
    file: F,
    base: u64,
    at: u64,
    bytes: Vec<u8>,
    first: Option<Sequence>,
    count: u32,
    last: Sequence,
    segment: Index,
}

#[derive(Default)]
struct Index {
    index: Vec<(u32, u32)>,
    records: u64,
    held: Vec<u32>,
    lists: BTreeMap<StreamId, Vec<u32>>,
}

impl<D: Disk> Cleaner<D> {
    pub(super) fn new(disk: Arc<D>, shared: Arc<Shared<D::File>>) -> Self {
        Self { disk, shared }
    }

    /// Removes what nobody needs, then joins one run of sparse segments of at most
    /// `segment_bytes` of what is needed in them.
    ///
    /// # Errors
    /// A needed record that cannot be read, a disk that refuses.
    pub fn clean(&self, segment_bytes: u32) -> Result<Cleaned, CleanError> {
        let mut done = Cleaned { removed: self.remove_unneeded()?, ..Cleaned::default() };
        let run = sparse_run(&self.shared.lock(), u64::from(segment_bytes));
        if let Some(run) = run {
            done.written = self.join(&run)?;
            done.joined = run.len();
        }
        Ok(done)
    }

    /// Rewrites the oldest segment with something that was released since its footer was written,
    /// however dense it is: for when too many buried keys wait for that
    /// ([`Need::Bury`](super::Need::Bury)).
    /// Nothing is done if there is none.
    ///
    /// # Errors
    /// As [`clean`](Self::clean).
    pub fn renew(&self) -> Result<Cleaned, CleanError> {
        let catalog = self.shared.lock();
        let mut segments = catalog.segments.iter();
        let stale = segments.find(|(_, s)| s.closed == Closed::Sealed && s.held.stale() > 0);
        let base = stale.map(|(base, _)| *base);
        drop(catalog);
        let Some(base) = base else { return Ok(Cleaned::default()) };
        Ok(Cleaned { removed: 0, joined: 1, written: self.join(&[base])? })
    }

    fn remove_unneeded(&self) -> Result<usize, CleanError> {
        let unneeded = self.unneeded();
        for (base, name) in &unneeded {
            self.shared.names.store(true, Relaxed);
            self.disk.remove(name)?;
            self.shared.lock().segments.remove(base);
        }
        // What could not be made certain before is now, or nothing goes on from it.
        if self.shared.names.load(Relaxed) {
            self.sync_names()?;
        }
        Ok(unneeded.len())
    }

    fn sync_names(&self) -> Result<(), CleanError> {
        self.disk.sync_names()?;
        self.shared.names.store(false, Relaxed);
        Ok(())
    }

    /// Segments that may be removed, in order.
    fn unneeded(&self) -> Vec<(u64, String)> {
        let catalog = self.shared.lock();
        let needed = catalog.streams.needed();
        let mut unneeded = Vec::new();
        let mut before = Closed::Sealed;
        for (base, segment) in &catalog.segments {
            // The start finds the end of one without footer by the next one's name: that goes
            // only when the removal before it is certain.
            let may = before != Closed::Abandoned && segment.closed != Closed::No;
            if may && segment.held.count() == 0 && !needed.contains_key(base) {
                unneeded.push((*base, segment.name.clone()));
            }
            before = segment.closed;
        }
        unneeded
    }

    fn join(&self, run: &[u64]) -> Result<u64, CleanError> {
        let identity = self.shared.identity;
        let olds: Vec<Old<D::File>> = {
            let catalog = self.shared.lock();
            run.iter().filter_map(|base| old(&catalog, *base)).collect()
        };
        let Some(first) = olds.first() else { return Ok(0) };
        let unfinished = file::unfinished_name(Sequence(first.base));
        let made = self.disk.create(&unfinished, 0)?;
        let mut new = New::begin(made, identity, first.base)?;
        for old in &olds {
            new.take(old, identity)?;
        }
        let last = self.shared.lock().segments.get(&olds[olds.len() - 1].base).map(|s| s.last);
        let last = last.unwrap_or(new.last);
        let listed = new.segment.held.len();
        let (segment, parts) = new.finish(identity, last)?;
        self.shared.names.store(true, Relaxed);
        self.disk.rename(&unfinished, &segment.name)?;
        self.sync_names()?;
        let written = segment.bytes;
        self.install(run, segment, listed, &parts);
        self.shared.names.store(true, Relaxed);
        for old in &olds[1..] {
            self.disk.remove(&old.name)?;
        }
        self.sync_names()?;
        Ok(written)
    }

    /// The new segment takes the place of the old ones; what was released meanwhile stays so.
    fn install(
        &self,
        run: &[u64],
        mut new: Segment<D::File>,
        listed: usize,
        parts: &[(StreamId, Part)],
    ) {
        let mut catalog = self.shared.lock();
        let base = Sequence(run[0]);
        for old_base in run {
            let Some(old) = catalog.segments.remove(old_base) else { continue };
            for local in old.held.list() {
                new.held.hold(base, Sequence(old_base + u64::from(local)));
            }
        }
        new.held.listed(listed);
        catalog.streams.replace(run, parts);
        catalog.segments.insert(base.0, new);
    }
}

/// Neighbours of which less than half is needed, one of them at least, whose needed bytes fit
/// into one segment.
fn sparse_run<F>(catalog: &Catalog<F>, segment_bytes: u64) -> Option<Vec<u64>> {
    let needed = catalog.streams.needed();
    let mut run: Vec<u64> = Vec::new();
    let mut bytes = 0;
    for (base, segment) in &catalog.segments {
        let count = needed.get(base).copied().unwrap_or(0) + segment.held.count() as u64;
        let sparse = segment.closed == Closed::Sealed && count * 2 < segment.records;
        let live_bytes = (segment.end * count).checked_div(segment.records).unwrap_or(0);
        let near = run.first().is_none_or(|first| segment.last.0 - first < u64::from(u32::MAX));
        if sparse && near && bytes + live_bytes <= segment_bytes / 2 {
            run.push(*base);
            bytes += live_bytes;
        } else if !run.is_empty() {
            break;
        }
    }
    (!run.is_empty()).then_some(run)
}

fn old<F>(catalog: &Catalog<F>, base: u64) -> Option<Old<F>> {
    let segment = catalog.segments.get(&base)?;
    Some(Old {
        base,
        name: segment.name.clone(),
        file: Arc::clone(&segment.file),
        end: segment.end,
        held: segment.held.list(),
        parts: catalog.streams.parts_of(base),
    })
}

impl<F: File> New<F> {
    pub(super) fn begin(file: F, identity: u64, base: u64) -> std::io::Result<Self> {
        file.write_at(0, &Head { identity, base: Sequence(base) }.encode())?;
        Ok(Self {
            file,
            base,
            at: FILE_HEAD as u64,
            bytes: Vec::new(),
            first: None,
            count: 0,
            last: Sequence(base),
            segment: Index::default(),
        })
    }

    /// Copies what somebody needs of an old segment.
    fn take(&mut self, old: &Old<F>, identity: u64) -> Result<(), CleanError> {
        let mut wanted: HashMap<u32, Vec<StreamId>, RandomState> = HashMap::default();
        for (id, part) in &old.parts {
            for local in list_of(old, part)? {
                wanted.entry(local).or_default().push(*id);
            }
        }
        for local in &old.held {
            wanted.entry(*local).or_default();
        }
        let end = old.end;
        let mut walk = Walk::new(Arc::clone(&old.file), identity, FILE_HEAD as u64, end);
        loop {
            let here = walk.at();
            let next = walk.next().map_err(|e| Damage::io(&old.name, here, &e))?;
            let Some((at, step)) = next else { break };
            match step {
                Step::Batch(_) => {}
                Step::Record(record) => {
                    let sequence = record.sequence;
                    let local = (sequence.0 - old.base) as u32;
                    if let Some(streams) = wanted.get(&local) {
                        let held = old.held.binary_search(&local).is_ok();
                        let len = (walk.at() - at) as usize;
                        let bytes = walk.taken(at, len);
                        self.put(sequence, bytes, streams, held, identity)?;
                    }
                }
                Step::Nothing => {
                    return Err(Damage::at(&old.name, at, "a record cannot be read").into());
                }
            }
        }
        Ok(())
    }

    /// Appends a record as it was, with the streams and the hold that it has from now on.
    pub(super) fn put(
        &mut self,
        sequence: Sequence,
        bytes: &[u8],
        streams: &[StreamId],
        held: bool,
        identity: u64,
    ) -> std::io::Result<()> {
        if self.first.is_none() {
            self.first = Some(sequence);
            self.bytes.resize(super::batch::BATCH_HEAD, 0);
        }
        // `sparse_run` keeps the distance below 2^32.
        let local = (sequence.0 - self.base) as u32;
        let at = self.at + self.bytes.len() as u64;
        self.segment.enter(local, at, held);
        for id in streams {
            self.segment.lists.entry(*id).or_default().push(local);
        }
        self.bytes.extend_from_slice(bytes);
        self.count += 1;
        self.last = sequence;
        if self.bytes.len() >= PIECE { self.flush(identity) } else { Ok(()) }
    }

    fn flush(&mut self, identity: u64) -> std::io::Result<()> {
        let Some(first) = self.first.take() else { return Ok(()) };
        let bytes = (self.bytes.len() - super::batch::BATCH_HEAD) as u32;
        let durable = Sequence(first.0 - 1);
        let head = BatchHead { first, count: self.count, bytes, durable };
        self.bytes[..super::batch::BATCH_HEAD].copy_from_slice(&head.encode(identity));
        self.file.write_at(self.at, &self.bytes)?;
        self.at += self.bytes.len() as u64;
        self.bytes.clear();
        self.count = 0;
        Ok(())
    }

    /// Closes it: `last` is the last number that this segment stands for.
    pub(super) fn finish(
        mut self,
        identity: u64,
        last: Sequence,
    ) -> std::io::Result<(Segment<F>, Parts)> {
        self.flush(identity)?;
        let base = Sequence(self.base);
        let Index { index, records, held, lists } = self.segment;
        let seal = Seal { identity, base, last, records, at: self.at as u32 };
        let lists: Vec<_> = lists.iter().map(|(id, list)| (*id, list.as_slice())).collect();
        let (bytes, parts) = Footer::encode(&index, &held, &lists, seal);
        self.file.write_at(self.at, &bytes)?;
        self.file.sync()?;
        let len = self.at + bytes.len() as u64;
        let mut segment = Segment::new(base, Arc::new(self.file), len);
        (segment.last, segment.end, segment.records) = (last, self.at, records);
        (segment.index, segment.closed) = (index, Closed::Sealed);
        Ok((segment, parts))
    }
}

impl Index {
    fn enter(&mut self, local: u32, at: u64, held: bool) {
        let far = |(_, before): &(u32, u32)| {
            at >= u64::from(*before) + u64::from(super::footer::INDEX_EVERY_BYTES)
        };
        if self.index.last().is_none_or(far) {
            self.index.push((local, at as u32));
        }
        self.records += 1;
        if held {
            self.held.push(local);
        }
    }
}

fn list_of<F: File>(old: &Old<F>, part: &Part) -> Result<Vec<u32>, Damage> {
    let at = if let List::File(at) = part.list { u64::from(at) } else { 0 };
    let list = list_at(&*old.file, part).map_err(|e| Damage::io(&old.name, at, &e))?;
    list.ok_or_else(|| Damage::at(&old.name, at, "a stream's list is cut off"))
}

/// The distances of a list; `None` if the file ends within it.
pub(super) fn list_at(file: &impl File, part: &Part) -> std::io::Result<Option<Vec<u32>>> {
    let at = match &part.list {
        List::Memory(list) => return Ok(Some(list.to_vec())),
        List::File(at) => u64::from(*at),
    };
    let mut bytes = vec![0; part.count as usize * 4];
    let got = file.read_at(at, &mut bytes)?;
    let list = bytes.chunks_exact(4).map(|b| super::record::word(b, 0)).collect();
    Ok((got == bytes.len()).then_some(list))
}

const PIECE: usize = 1024 * 1024;
