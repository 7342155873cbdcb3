//! The segmented log: the truth for everything acknowledged (core.md 1 and 2).
//!
//! One committer appends batches, each made a fact by one sync. Index streams say which records
//! wait for whom, holds which are kept beyond that; a segment that nobody needs is removed, one
//! that few need is rewritten. Refuses to know what a record means.

mod batch;
mod catalog;
mod copy;
mod damage;
mod extent;
mod file;
mod footer;
mod held;
mod holders;
mod needs;
mod reader;
mod record;
mod recover;
pub mod repair;
mod rewrite;
mod search;
mod stream;
mod tombstones;
mod walk;

pub use batch::{Batch, Records};
pub use copy::{Piece, is_piece};
pub use damage::Damage;
pub use extent::Extent;
pub use needs::Need;
pub use reader::{Credit, Cursor, ReadEnd, Reader};
pub use record::{Hold, Kind, NoRecord, Record, StreamId};
pub use recover::{Cut, OpenError, Recovered};
pub use rewrite::{CleanError, Cleaned, Cleaner};

use crate::disk::{Disk, File};
use crate::op::Sequence;
use catalog::{Closed, Segment, Shared};
use file::{FILE_HEAD, Head};
use footer::{Footer, Seal};
use record::Record as Parsed;
use std::io;
use std::sync::Arc;

/// The appending end of a log. One thread owns it.
pub struct Log<D: Disk> {
    disk: Arc<D>,
    shared: Arc<Shared<D::File>>,
    options: Options,
    open: Open<D::File>,
    next: Sequence,
    spare: Option<D::File>,
    health: Health,
}

/// How a log is laid out.
#[derive(Debug, Clone)]
pub struct Options {
    /// Bytes of a segment, 64 KiB to 2 GiB; a batch that does not fit gets a larger one.
    pub segment_bytes: u32,
    /// Identity of a log that is made new: random, so that no client can write what looks like a
    /// batch of it.
    pub identity: u64,
}

/// What one commit made a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Number of the first record.
    pub first: Sequence,
    /// Number of the last record.
    pub last: Sequence,
}

/// Why a batch is no fact. It is left as it was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// No room for another segment; the next commit tries again.
    #[error("the disk is full: {0}")]
    Full(io::Error),
    /// The disk failed twice; nothing more is written until the next start.
    #[error("the disk failed, the log is read-only until restart: {0}")]
    Failed(Arc<io::Error>),
}

/// The segment that is written.
struct Open<F> {
    base: Sequence,
    file: Arc<F>,
    /// Where the next batch goes.
    at: u64,
    /// Length of the file.
    bytes: u64,
    /// The most that its footer and trailer can need.
    footer_bytes_max: u64,
    trust: Trust,
}

/// Whether a file may be written again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    Kept,
    /// A write or sync failed: nobody knows what is on the disk.
    Lost,
}

enum Health {
    Well,
    Failed(Arc<io::Error>),
}

impl<D: Disk> Log<D> {
    /// Writes the batch and makes it a fact; on success it is empty again.
    ///
    /// # Errors
    /// A full disk, and a disk that failed (core.md 5: the file is never written again, the batch
    /// is tried once in a new segment).
    pub fn commit(&mut self, batch: &mut Batch) -> Result<Committed, CommitError> {
        if let Health::Failed(error) = &self.health {
            return Err(CommitError::Failed(Arc::clone(error)));
        }
        if self.open.trust == Trust::Kept {
            self.make_room(batch)?;
            if self.write(batch).is_ok() {
                return Ok(self.enter(batch));
            }
            self.open.trust = Trust::Lost;
        }
        self.abandon_open(batch)?;
        match self.write(batch) {
            Ok(()) => Ok(self.enter(batch)),
            Err(error) => Err(self.fail(error)),
        }
    }

    /// The number the next record gets.
    pub fn next_sequence(&self) -> Sequence {
        self.next
    }

    /// A reader of what is committed; readers may be on any thread.
    pub fn reader(&self) -> Reader<D::File> {
        Reader::new(Arc::clone(&self.shared))
    }

    /// What removes and rewrites segments; on any thread, one at a time.
    pub fn cleaner(&self) -> Cleaner<D> {
        Cleaner::new(Arc::clone(&self.disk), Arc::clone(&self.shared))
    }

    /// Whether a segment should be made ahead, so that a commit need not wait for it.
    pub fn wants_spare(&self) -> bool {
        self.spare.is_none() && self.open.at * 2 > self.open.bytes
    }

    /// Takes the segment that [`make_spare`](Self::make_spare) made.
    pub fn give_spare(&mut self, spare: D::File) {
        self.spare = Some(spare);
    }

    /// Makes a segment ahead; may be called on any thread.
    pub fn make_spare(disk: &D, options: &Options) -> io::Result<D::File> {
        disk.create(SPARE, u64::from(options.segment_bytes))
    }

    /// A new or recovered log goes on behind what is committed.
    fn new(disk: Arc<D>, shared: Shared<D::File>, options: Options) -> Self {
        let mut catalog = shared.lock();
        let next = Sequence(catalog.committed.0 + 1);
        let lists = catalog.streams.open_lists();
        let streams: usize = lists.iter().map(|(_, list)| 16 + list.len() * 4).sum();
        let (base, segment) = catalog.open().expect("recovery leaves an open segment");
        let footer_bytes_max = SLACK + (streams + segment.held.count() * 4) as u64;
        let open = Open {
            base: Sequence(base),
            file: Arc::clone(&segment.file),
            at: segment.end,
            bytes: segment.bytes,
            footer_bytes_max: footer_bytes_max + segment.index.len() as u64 * 8,
            trust: Trust::Kept,
        };
        drop(catalog);
        let shared = Arc::new(shared);
        Self { disk, shared, options, open, next, spare: None, health: Health::Well }
    }

    fn write(&mut self, batch: &mut Batch) -> io::Result<()> {
        let durable = Sequence(self.next.0 - 1);
        let bytes = batch.seal(self.shared.identity, self.next, durable);
        self.open.file.write_at(self.open.at, bytes)?;
        self.open.file.sync()
    }

    /// The batch is a fact: its records can be read from now on.
    fn enter(&mut self, batch: &mut Batch) -> Committed {
        let first = self.next;
        self.open.footer_bytes_max += batch.footer_bytes_max() as u64;
        let bytes = batch.sealed();
        let mut catalog = self.shared.lock();
        let mut at = batch::BATCH_HEAD;
        while let Ok((record, len)) = Parsed::parse_trusted(&bytes[at..]) {
            catalog.enter(record.sequence, self.open.at + at as u64, record.streams());
            if record.hold == Hold::UntilReleased
                && let Some((base, segment)) = catalog.open()
            {
                segment.held.hold(Sequence(base), record.sequence);
            }
            at += len;
        }
        self.next.0 += batch.len() as u64;
        self.open.at += bytes.len() as u64;
        if let Some((_, segment)) = catalog.open() {
            segment.end = self.open.at;
        }
        let last = Sequence(self.next.0 - 1);
        catalog.committed = last;
        drop(catalog);
        batch.clear();
        Committed { first, last }
    }

    /// Begins a new segment if the batch does not fit into the open one.
    fn make_room(&mut self, batch: &Batch) -> Result<(), CommitError> {
        let batch_bytes = (batch.bytes() + batch.footer_bytes_max()) as u64;
        if self.open.at + self.open.footer_bytes_max + batch_bytes <= self.open.bytes {
            return Ok(());
        }
        let file = self.create(batch)?;
        // A segment without its footer is scanned at the next start, nothing worse.
        if self.open.at > FILE_HEAD as u64 {
            self.seal();
        }
        self.begin(file);
        Ok(())
    }

    /// The next segment's file with its head.
    fn create(&mut self, batch: &Batch) -> Result<Arc<D::File>, CommitError> {
        let needed = SLACK + (batch.bytes() + batch.footer_bytes_max()) as u64;
        let bytes = needed.max(u64::from(self.options.segment_bytes));
        let name = file::name(self.next);
        let fits = needed <= u64::from(self.options.segment_bytes);
        let made = match self.spare.take().filter(|_| fits) {
            Some(file) => self.disk.rename(SPARE, &name).map(|()| file),
            None => self.disk.create(&name, bytes),
        };
        let head = Head { identity: self.shared.identity, base: self.next };
        let file = made.and_then(|file| {
            file.write_at(0, &head.encode())?;
            file.sync()?;
            self.disk.sync_names()?;
            Ok(file)
        });
        match file {
            Ok(file) => Ok(Arc::new(file)),
            Err(e) if is_full(&e) => Err(CommitError::Full(e)),
            Err(e) => Err(self.fail(e)),
        }
    }

    fn begin(&mut self, file: Arc<D::File>) {
        let bytes = file.len().unwrap_or(u64::from(self.options.segment_bytes));
        let mut catalog = self.shared.lock();
        // An open segment without records has the same base: it is replaced.
        let segment = Segment::new(self.next, Arc::clone(&file), bytes);
        catalog.segments.insert(self.next.0, segment);
        drop(catalog);
        let at = FILE_HEAD as u64;
        self.open =
            Open { base: self.next, file, at, bytes, footer_bytes_max: SLACK, trust: Trust::Kept };
    }

    /// Closes the open segment with its footer. If that fails its lists stay in memory.
    fn seal(&mut self) {
        let mut catalog = self.shared.lock();
        let Some((_, segment)) = catalog.open() else { return };
        let seal = Seal {
            identity: self.shared.identity,
            base: self.open.base,
            last: Sequence(self.next.0 - 1),
            records: segment.records,
            // A segment is below 4 GiB.
            at: self.open.at as u32,
        };
        let (held, index) = (segment.held.list(), segment.index.clone());
        let (bytes, parts) = Footer::encode(&index, &held, &catalog.streams.open_lists(), seal);
        drop(catalog);
        let (file, len) = (&self.open.file, self.open.at + bytes.len() as u64);
        let written = file
            .write_at(self.open.at, &bytes)
            .and_then(|()| file.set_len(len))
            .and_then(|()| file.sync());
        let mut catalog = self.shared.lock();
        match written {
            Ok(()) => {
                catalog.streams.seal(parts.into_iter());
                if let Some((_, segment)) = catalog.open() {
                    (segment.bytes, segment.closed) = (len, Closed::Sealed);
                    segment.held.listed(held.len());
                }
            }
            Err(_) => catalog.abandon_open(),
        }
    }

    /// The open segment's file failed: it is left behind with what was durable.
    fn abandon_open(&mut self, batch: &Batch) -> Result<(), CommitError> {
        let file = self.create(batch)?;
        self.shared.lock().abandon_open();
        self.begin(file);
        Ok(())
    }

    fn fail(&mut self, error: io::Error) -> CommitError {
        let error = Arc::new(error);
        self.health = Health::Failed(Arc::clone(&error));
        CommitError::Failed(error)
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// A segment made ahead, until it takes its name.
const SPARE: &str = "spare.new";
/// Head, trailer and the fixed parts of a footer.
const SLACK: u64 = 4096;
