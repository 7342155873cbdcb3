//! Reading what waits: several streams merged by sequence, equal numbers once.
//!
//! Owns the way from a stream's list to the records. Keeps nothing between calls but a
//! [`Cursor`]; may be used on any thread.

use super::catalog::Shared;
use super::damage::Damage;
use super::record::{Record, StreamId, word};
use super::stream::List;
use super::walk::{Step, Walk};
use crate::disk::File;
use crate::op::Sequence;
use std::sync::Arc;

/// Reads committed records.
pub struct Reader<F> {
    pub(super) shared: Arc<Shared<F>>,
}

/// How far somebody has read in some streams.
#[derive(Debug, Clone)]
pub struct Cursor {
    /// Everything up to it was given out.
    pub after: Sequence,
    ways: Vec<Way>,
}

/// How much one call may give.
#[derive(Debug, Clone, Copy)]
pub struct Credit {
    /// Records.
    pub records: usize,
    /// Bytes of their payloads; the last record may pass it.
    pub bytes: usize,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadEnd {
    /// The credit ended first.
    More,
    /// Nothing is left up to and with this sequence.
    All(Sequence),
}

/// One stream of a cursor.
#[derive(Debug, Clone)]
struct Way {
    stream: StreamId,
    /// Only numbers behind it.
    since: Sequence,
    /// The next numbers, last first.
    page: Vec<Sequence>,
}

impl Cursor {
    /// Reads `streams`, each behind its own sequence, all behind `after`.
    pub fn new(after: Sequence, streams: impl IntoIterator<Item = (StreamId, Sequence)>) -> Self {
        let way = |(stream, since)| Way { stream, since, page: Vec::new() };
        Self { after, ways: streams.into_iter().map(way).collect() }
    }
}

impl<F: File> Reader<F> {
    pub(super) fn new(shared: Arc<Shared<F>>) -> Self {
        Self { shared }
    }

    /// Gives records in the order of the log to `each` until the credit ends or nothing is left.
    ///
    /// # Errors
    /// A record that cannot be read; the cursor stands before it.
    pub fn read(
        &self,
        cursor: &mut Cursor,
        credit: Credit,
        mut each: impl FnMut(&Record<'_>),
    ) -> Result<ReadEnd, Damage> {
        let committed = self.shared.lock().committed;
        let (mut records, mut bytes) = (0, 0);
        let mut place: Option<Reading<F>> = None;
        loop {
            let Some(next) = self.next(cursor, credit.records, committed)? else {
                cursor.after = cursor.after.max(committed);
                return Ok(ReadEnd::All(committed));
            };
            if records >= credit.records || bytes >= credit.bytes {
                return Ok(ReadEnd::More);
            }
            let found = self.record(next, &mut place, |record| {
                bytes += record.payload.len();
                each(record);
            })?;
            records += usize::from(found);
            cursor.after = next;
        }
    }

    /// Gives the numbers of records in the order of the log to `each`, up to `max` or until nothing
    /// is left, without reading the records.
    ///
    /// # Errors
    /// A list that cannot be read; the cursor stands before it.
    pub fn list(
        &self,
        cursor: &mut Cursor,
        max: usize,
        mut each: impl FnMut(Sequence),
    ) -> Result<ReadEnd, Damage> {
        let committed = self.shared.lock().committed;
        for _ in 0..max {
            let Some(next) = self.next(cursor, max, committed)? else {
                cursor.after = cursor.after.max(committed);
                return Ok(ReadEnd::All(committed));
            };
            each(next);
            cursor.after = next;
        }
        Ok(ReadEnd::More)
    }

    /// The record with this number, if it is still there.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn get(&self, sequence: Sequence, each: impl FnOnce(&Record<'_>)) -> Result<bool, Damage> {
        self.record(sequence, &mut None, each)
    }

    /// The last record of a stream that somebody holds; `None` = nothing is left to read there.
    pub fn last(&self, stream: StreamId) -> Option<Sequence> {
        let catalog = self.shared.lock();
        let base = catalog.segments.keys().next_back().copied()?;
        catalog.streams.get(stream)?.last(base)
    }

    /// The lowest next number of all ways.
    fn next(
        &self,
        cursor: &mut Cursor,
        page: usize,
        committed: Sequence,
    ) -> Result<Option<Sequence>, Damage> {
        let mut lowest: Option<Sequence> = None;
        for way in &mut cursor.ways {
            let after = cursor.after.max(way.since);
            while way.page.last().is_some_and(|next| *next <= after) {
                way.page.pop();
            }
            if way.page.is_empty() {
                self.turn(way, after, page.clamp(1, PAGE), committed)?;
            }
            let first = way.page.last().copied();
            lowest = match (lowest, first) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        Ok(lowest)
    }

    /// Reads a way's next page.
    fn turn(
        &self,
        way: &mut Way,
        mut after: Sequence,
        page: usize,
        committed: Sequence,
    ) -> Result<(), Damage> {
        while after < committed {
            let catalog = self.shared.lock();
            let Some(stream) = catalog.streams.get(way.stream) else { return Ok(()) };
            let Some(part) = stream.list_behind(after) else {
                let Some(base) = catalog.segments.keys().next_back().copied() else {
                    return Ok(());
                };
                way.page = page_of(stream.open(), base, after, page);
                way.page.reverse();
                return Ok(());
            };
            let file =
                catalog.segments.get(&part.base).map(|s| (Arc::clone(&s.file), s.name.clone()));
            drop(catalog);
            way.page = match (part.list, file) {
                (List::Memory(list), _) => page_of(&list, part.base, after, page),
                (List::File(at), Some((file, name))) => {
                    let list = FileList { file: &*file, at, count: part.count };
                    list.page(part.base, after, page)
                        .map_err(|e| Damage::io(&name, at.into(), &e))?
                }
                // It was rewritten meanwhile: ask the catalog again.
                (List::File(_), None) => continue,
            };
            if !way.page.is_empty() {
                way.page.reverse();
                return Ok(());
            }
            after = part.last;
        }
        Ok(())
    }

    fn record(
        &self,
        sequence: Sequence,
        place: &mut Option<Reading<F>>,
        each: impl FnOnce(&Record<'_>),
    ) -> Result<bool, Damage> {
        if !place.as_ref().is_some_and(|reading| reading.is_near(sequence)) {
            let Some(found) = self.shared.lock().place(sequence) else { return Ok(false) };
            let walk = Walk::short(found.file, self.shared.identity, found.at, found.end);
            *place = Some(Reading { walk, name: found.name, last: found.last, passed: None });
        }
        match place {
            Some(reading) => reading.find(sequence, each),
            None => Ok(false),
        }
    }
}

/// A segment that is being read forward.
struct Reading<F> {
    walk: Walk<F>,
    name: String,
    /// Last number of the segment.
    last: Sequence,
    /// The last record that was passed.
    passed: Option<Sequence>,
}

impl<F: File> Reading<F> {
    /// Whether reading on is cheaper than looking the record up.
    fn is_near(&self, sequence: Sequence) -> bool {
        let passed = |p: Sequence| sequence > p && sequence.0 - p.0 <= NEAR_RECORDS;
        sequence <= self.last && self.passed.is_some_and(passed)
    }

    fn find(&mut self, sequence: Sequence, each: impl FnOnce(&Record<'_>)) -> Result<bool, Damage> {
        let Self { walk, name, passed, .. } = self;
        loop {
            let here = walk.at();
            let next = walk.next().map_err(|e| Damage::io(name, here, &e))?;
            let Some((at, step)) = next else { return Ok(false) };
            match step {
                Step::Batch(_) => {}
                Step::Record(record) if record.sequence == sequence => {
                    *passed = Some(sequence);
                    each(&record);
                    return Ok(true);
                }
                Step::Record(record) if record.sequence < sequence => {
                    *passed = Some(record.sequence);
                }
                Step::Record(_) => {
                    // It is gone; what stands here may be asked for next.
                    walk.seek(at);
                    return Ok(false);
                }
                Step::Nothing => {
                    return Err(Damage::at(name, at, "a record's checksum does not fit"));
                }
            }
        }
    }
}

/// A list in a footer.
struct FileList<'f, F> {
    file: &'f F,
    at: u32,
    count: u32,
}

impl<F: File> FileList<'_, F> {
    /// Up to `max` numbers behind `after`, ascending.
    fn page(&self, base: u64, after: Sequence, max: usize) -> std::io::Result<Vec<Sequence>> {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if base + u64::from(self.local(middle)?) <= after.0 {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let take = max.min((self.count - low) as usize);
        let mut bytes = vec![0; take * 4];
        let got = self.file.read_at(self.offset(low), &mut bytes)?;
        if got < bytes.len() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let local = |bytes: &[u8]| Sequence(base + u64::from(word(bytes, 0)));
        Ok(bytes.chunks_exact(4).map(local).collect())
    }

    fn local(&self, at: u32) -> std::io::Result<u32> {
        let mut bytes = [0; 4];
        if self.file.read_at(self.offset(at), &mut bytes)? < 4 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(u32::from_le_bytes(bytes))
    }

    fn offset(&self, at: u32) -> u64 {
        u64::from(self.at) + u64::from(at) * 4
    }
}

/// Up to `max` numbers of a list in memory behind `after`, ascending.
fn page_of(list: &[u32], base: u64, after: Sequence, max: usize) -> Vec<Sequence> {
    let number = |local: &u32| Sequence(base + u64::from(*local));
    let from = list.partition_point(|local| number(local) <= after);
    list[from..].iter().take(max).map(number).collect()
}

/// The most numbers of one stream that a cursor reads ahead (core.md 1).
const PAGE: usize = 512;
/// Records this near are passed by, not looked up.
const NEAR_RECORDS: u64 = 64;
