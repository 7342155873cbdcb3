//! Opening a log: what was committed is found, a torn end is cut off, damage is refused.
//!
//! A bad place is a torn end only if nothing that was written later says that it was durable: the
//! next batch is written after the last one's sync came back.

use super::batch::BatchHead;
use super::catalog::{Catalog, Closed, Segment, Shared};
use super::damage::Damage;
use super::file::{self, FILE_HEAD, Head, Trailer};
use super::footer::Footer;
use super::record::{Hold, Record};
use super::stream::Streams;
use super::walk::{Step, Walk};
use super::{Log, Options, search};
use crate::disk::{Disk, File};
use crate::op::Sequence;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What opening found.
pub struct Recovered<D: Disk> {
    /// The log, ready to append.
    pub log: Log<D>,
    /// What was cut off at the end: written when the power went, never acknowledged.
    pub cut: Option<Cut>,
}

/// An unfinished end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The file's name in the data directory.
    pub file: String,
    /// Where it was cut.
    pub offset: u64,
}

/// Why a log cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file is damaged where it was durable.
    #[error(transparent)]
    Damage(#[from] Damage),
    /// The directory cannot be used.
    #[error("the data directory cannot be used: {0}")]
    Io(#[from] std::io::Error),
}

/// What a scan of a segment found.
struct Scan {
    last: Sequence,
    end: u64,
    records: u64,
    /// Where the last batch begins of which something was taken.
    last_batch: u64,
    /// Where something stands that is no record.
    bad_at: Option<u64>,
}

impl<D: Disk> Log<D> {
    /// Opens the log on `disk`, or makes one with `options.identity`. Held records come to `each`
    /// in the order of the log.
    ///
    /// # Errors
    /// Damage where records were durable; a directory that cannot be used.
    pub fn open(
        disk: D,
        options: Options,
        mut each: impl FnMut(&Record<'_>),
    ) -> Result<Recovered<D>, OpenError> {
        let disk = Arc::new(disk);
        let mut found = files(&*disk)?;
        let identity = drop_unborn(&*disk, &mut found)?.unwrap_or(options.identity);
        let (mut segments, mut streams) = (BTreeMap::new(), Streams::default());
        let mut cut = None;
        let bases: Vec<u64> = found.keys().copied().collect();
        let mut last = Sequence(0);
        for (at, base) in bases.iter().enumerate() {
            if *base <= last.0 {
                // Joined to the one before it when that was rewritten.
                disk.remove(&file::name(Sequence(*base)))?;
                continue;
            }
            let file = Arc::new(disk.open(&file::name(Sequence(*base)))?);
            let next = bases.get(at + 1).copied();
            let one = One { identity, base: Sequence(*base), next, file };
            let (segment, torn) = one.open(&mut streams, &mut each)?;
            last = segment.last.max(last);
            segments.insert(*base, segment);
            cut = torn.or(cut);
        }
        let mut catalog = Catalog { segments, streams, committed: last };
        if catalog.open().is_none_or(|(_, open)| open.closed != Closed::No) {
            begin(&*disk, &mut catalog, identity, &options)?;
        }
        disk.sync_names()?;
        let log = Self::new(disk, Shared::new(identity, catalog), options);
        Ok(Recovered { log, cut })
    }
}

/// A segment that is being opened.
struct One<F> {
    identity: u64,
    base: Sequence,
    /// Base of the segment behind it.
    next: Option<u64>,
    file: Arc<F>,
}

impl<F: File> One<F> {
    fn open(
        self,
        streams: &mut Streams,
        each: &mut impl FnMut(&Record<'_>),
    ) -> Result<(Segment<F>, Option<Cut>), OpenError> {
        let name = file::name(self.base);
        let bytes = self.file.len()?;
        let mut segment = Segment::new(self.base, Arc::clone(&self.file), bytes);
        // Without a footer that can be read the records tell: it is written last.
        let mut damaged = None;
        if let Some(trailer) = Trailer::read(&*self.file, self.identity)? {
            match Footer::read(&*self.file, &name, self.base, &trailer) {
                Ok(footer) => {
                    self.open_sealed(&mut segment, &trailer, footer, streams, each)?;
                    return Ok((segment, None));
                }
                Err(damage) => damaged = Some(damage),
            }
        }
        let mut found = Streams::default();
        let scan = self.scan(&mut segment, &mut found, each)?;
        (segment.last, segment.end, segment.records) = (scan.last, scan.end, scan.records);
        streams.adopt_open(found);
        let Some(next) = self.next else {
            let cut = self.cut_off(&name, &scan)?;
            self.write_again(&scan)?;
            return Ok((segment, cut));
        };
        // Something was written behind it: all of it up to there was durable.
        if scan.last.0 + 1 < next {
            let at = scan.bad_at.unwrap_or(scan.end);
            return Err(damaged.unwrap_or_else(|| Damage::at(&name, at, LOST)).into());
        }
        segment.closed = Closed::Abandoned;
        streams.freeze(self.base.0);
        Ok((segment, None))
    }

    fn open_sealed(
        &self,
        segment: &mut Segment<F>,
        trailer: &Trailer,
        footer: Footer,
        streams: &mut Streams,
        each: &mut impl FnMut(&Record<'_>),
    ) -> Result<(), Damage> {
        let name = segment.name.clone();
        (segment.last, segment.end) = (trailer.last, u64::from(trailer.footer_at));
        (segment.index, segment.closed) = (footer.index, Closed::Sealed);
        segment.records = footer.records;
        for (id, part) in footer.parts {
            streams.add_part(id, part);
        }
        let mut walk = self.walk(segment.end);
        for local in footer.held {
            let sequence = Sequence(self.base.0 + u64::from(local));
            segment.held.hold(self.base, sequence);
            let place = segment.place_of(local);
            if place > walk.at() {
                walk.seek(place);
            }
            read_held(&mut walk, &name, sequence, each)?;
        }
        Ok(())
    }

    /// Reads every batch until the end or the first one that is not whole: what is one batch was
    /// one fact, or none.
    fn scan(
        &self,
        segment: &mut Segment<F>,
        streams: &mut Streams,
        each: &mut impl FnMut(&Record<'_>),
    ) -> Result<Scan, OpenError> {
        let (last, end) = (segment.last, FILE_HEAD as u64);
        let mut scan = Scan { last, end, records: 0, last_batch: end, bad_at: None };
        let mut walk = self.walk(segment.bytes);
        let mut left = 0;
        while let Some((at, step)) = walk.next()? {
            match step {
                Step::Batch(head) if head.first.0 == scan.last.0 + 1 => {
                    if self.next.is_some_and(|next| head.first.0 >= next) {
                        // It was tried once more in the next segment.
                        return Ok(scan);
                    }
                    scan.bad_at = first_bad(&mut walk, &head)?;
                    if scan.bad_at.is_some() {
                        break;
                    }
                    (left, scan.last_batch) = (head.count, at);
                }
                Step::Record(record) if left > 0 && record.sequence.0 == scan.last.0 + 1 => {
                    let local = (record.sequence.0 - self.base.0) as u32;
                    segment.enter_index(local, at);
                    record.streams().for_each(|id| streams.push(id, local));
                    if record.hold == Hold::UntilReleased {
                        segment.held.hold(self.base, record.sequence);
                        each(&record);
                    }
                    scan.last = record.sequence;
                    scan.records += 1;
                    left -= 1;
                    scan.end = walk.at();
                }
                _ => {
                    scan.bad_at = Some(at);
                    break;
                }
            }
        }
        Ok(scan)
    }

    /// Cuts off what stands behind the last record, unless something says that it was durable.
    fn cut_off(&self, name: &str, scan: &Scan) -> Result<Option<Cut>, OpenError> {
        let len = self.file.len()?;
        let behind = search::first_written(&*self.file, scan.end, len)?;
        let Some(behind) = behind else { return Ok(None) };
        if let Some(later) = self.later_batch(behind, len)?
            && later.durable > scan.last
        {
            let at = scan.bad_at.unwrap_or(scan.end);
            return Err(Damage::at(name, at, LOST).into());
        }
        self.file.set_len(scan.end)?;
        self.file.set_len(len)?;
        self.file.sync()?;
        Ok(Some(Cut { file: name.to_owned(), offset: scan.end }))
    }

    /// Nothing says of the last batch that its sync came back. If it failed, the system may have
    /// its bytes and never write them: they are written anew before anything follows them.
    fn write_again(&self, scan: &Scan) -> Result<(), OpenError> {
        let len = usize::try_from(scan.end.saturating_sub(scan.last_batch)).unwrap_or(0);
        if len == 0 {
            return Ok(());
        }
        let mut bytes = vec![0; len];
        let got = self.file.read_at(scan.last_batch, &mut bytes)?;
        self.file.write_at(scan.last_batch, &bytes[..got])?;
        self.file.sync()?;
        Ok(())
    }

    /// The last batch that begins behind `from`.
    fn later_batch(&self, from: u64, len: u64) -> Result<Option<BatchHead>, OpenError> {
        let mut last = None;
        search::batches(&*self.file, self.identity, (from, len), |_, head| {
            last = Some(head);
            ControlFlow::<()>::Continue(())
        })?;
        Ok(last)
    }

    fn walk(&self, end: u64) -> Walk<F> {
        Walk::new(Arc::clone(&self.file), self.identity, FILE_HEAD as u64, end)
    }
}

/// Where a batch is not whole, if it is not; the walk stays behind its head.
fn first_bad<F: File>(walk: &mut Walk<F>, head: &BatchHead) -> std::io::Result<Option<u64>> {
    let begin = walk.at();
    let mut bad = None;
    for sequence in (head.first.0..).take(head.count as usize) {
        let here = walk.at();
        match walk.next()? {
            Some((_, Step::Record(record))) if record.sequence.0 == sequence => {}
            _ => {
                bad = Some(here);
                break;
            }
        }
    }
    walk.seek(begin);
    Ok(bad)
}

/// Reads on to a held record.
fn read_held<F: File>(
    walk: &mut Walk<F>,
    name: &str,
    sequence: Sequence,
    each: &mut impl FnMut(&Record<'_>),
) -> Result<(), Damage> {
    loop {
        let here = walk.at();
        match walk.next().map_err(|e| Damage::io(name, here, &e))? {
            Some((_, Step::Batch(_))) => {}
            Some((_, Step::Record(r))) if r.sequence < sequence => {}
            Some((_, Step::Record(r))) if r.sequence == sequence => {
                each(&r);
                return Ok(());
            }
            _ => return Err(Damage::at(name, here, LOST)),
        }
    }
}

/// The segments' bases; unfinished files are removed.
fn files<D: Disk>(disk: &D) -> Result<BTreeMap<u64, ()>, OpenError> {
    let mut found = BTreeMap::new();
    for name in disk.list()? {
        if let Some(base) = file::parse_name(&name) {
            found.insert(base.0, ());
        } else if name.ends_with(".new") {
            disk.remove(&name)?;
        }
    }
    Ok(found)
}

/// Removes a last segment that was made but never committed to; gives the log's identity.
fn drop_unborn<D: Disk>(disk: &D, found: &mut BTreeMap<u64, ()>) -> Result<Option<u64>, OpenError> {
    let mut identity = None;
    let bases: Vec<u64> = found.keys().copied().collect();
    for base in &bases {
        let name = file::name(Sequence(*base));
        let file = disk.open(&name)?;
        let head = Head::read(&file, &name);
        match head {
            Ok(head) if head.base.0 == *base && identity.is_none_or(|i| i == head.identity) => {
                identity = Some(head.identity);
            }
            Ok(_) => return Err(Damage::at(&name, 16, "it belongs to another log").into()),
            Err(damage) => {
                let end = file.len()?;
                let written = search::first_written(&file, FILE_HEAD as u64, end)?;
                if Some(base) != bases.last() || written.is_some() {
                    return Err(damage.into());
                }
                found.remove(base);
                disk.remove(&name)?;
            }
        }
    }
    Ok(identity)
}

/// A first segment, or one behind the sealed ones.
fn begin<D: Disk>(
    disk: &D,
    catalog: &mut Catalog<D::File>,
    identity: u64,
    options: &Options,
) -> Result<(), OpenError> {
    let base = Sequence(catalog.committed.0 + 1);
    let bytes = u64::from(options.segment_bytes);
    let file = Arc::new(disk.create(&file::name(base), bytes)?);
    file.write_at(0, &Head { identity, base }.encode())?;
    file.sync()?;
    catalog.segments.insert(base.0, Segment::new(base, file, bytes));
    Ok(())
}

const LOST: &str = "records that were durable are damaged or missing here";
