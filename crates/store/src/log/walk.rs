//! Reading a segment's records one after the other, in pieces.

use super::batch::{BATCH_HEAD, BatchHead, MARK};
use super::record::{HEAD, Record, word};
use crate::disk::File;
use std::io;
use std::sync::Arc;

/// A place in a segment's file that goes forward.
pub(super) struct Walk<F> {
    file: Arc<F>,
    identity: u64,
    /// Where the next record or batch begins.
    at: u64,
    /// Nothing is read behind it.
    end: u64,
    buffer: Vec<u8>,
    /// Offset in the file of `buffer[0]`.
    from: u64,
    /// How much is read at once.
    piece: usize,
}

/// What stands at a place.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// The head of a batch.
    Batch(BatchHead),
    /// A record.
    Record(Record<'a>),
    /// No record: the end of what was written, or damage.
    Nothing,
}

impl<F: File> Walk<F> {
    pub fn new(file: Arc<F>, identity: u64, at: u64, end: u64) -> Self {
        Self { file, identity, at, end, buffer: Vec::new(), from: at, piece: PIECE }
    }

    /// As `new`, reading little at once: for few records.
    pub fn short(file: Arc<F>, identity: u64, at: u64, end: u64) -> Self {
        Self { piece: SHORT_PIECE, ..Self::new(file, identity, at, end) }
    }

    /// Where the next step begins.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Goes on at `at`.
    pub fn seek(&mut self, at: u64) {
        self.at = at;
    }

    /// The next step and where it stands; `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<(u64, Step<'_>)>> {
        let at = self.at;
        if at >= self.end {
            return Ok(None);
        }
        let start = match self.have(at, BATCH_HEAD.min(HEAD))? {
            Some(start) => start,
            None => return Ok(Some((at, Step::Nothing))),
        };
        if word(&self.buffer[start..], 0) == MARK {
            return self.batch(at);
        }
        let len = HEAD as u64 + u64::from(word(&self.buffer[start..], 0));
        let too_long = len > RECORD_BYTES_MAX || at + len > self.end;
        let start = match (!too_long).then(|| self.have(at, len as usize)).transpose()?.flatten() {
            Some(start) => start,
            None => return Ok(Some((at, Step::Nothing))),
        };
        let step = match Record::parse(&self.buffer[start..]) {
            Ok((record, len)) => {
                self.at = at + len as u64;
                Step::Record(record)
            }
            Err(_) => Step::Nothing,
        };
        Ok(Some((at, step)))
    }

    /// The bytes of the step that stood at `at`, until the next one.
    pub fn taken(&self, at: u64, len: usize) -> &[u8] {
        let start = (at - self.from) as usize;
        &self.buffer[start..start + len]
    }

    fn batch(&mut self, at: u64) -> io::Result<Option<(u64, Step<'_>)>> {
        let head = match self.have(at, BATCH_HEAD)? {
            Some(start) => BatchHead::parse(&self.buffer[start..], self.identity),
            None => None,
        };
        let step = match head {
            Some(head) => {
                self.at = at + BATCH_HEAD as u64;
                Step::Batch(head)
            }
            None => Step::Nothing,
        };
        Ok(Some((at, step)))
    }

    /// Has `len` bytes from `at` in the buffer: where they begin in it, `None` if the file ends
    /// before.
    fn have(&mut self, at: u64, len: usize) -> io::Result<Option<usize>> {
        let inside = at >= self.from && at + len as u64 <= self.from + self.buffer.len() as u64;
        if !inside {
            let left = usize::try_from(self.end - at).unwrap_or(usize::MAX);
            self.buffer.resize(len.max(self.piece.min(left)), 0);
            let got = self.file.read_at(at, &mut self.buffer)?;
            self.buffer.truncate(got);
            self.from = at;
        }
        let start = (at - self.from) as usize;
        Ok((start + len <= self.buffer.len()).then_some(start))
    }
}

const PIECE: usize = 256 * 1024;
const SHORT_PIECE: usize = 16 * 1024;
/// No record is larger: what claims to be is none.
const RECORD_BYTES_MAX: u64 = 512 * 1024 * 1024;
