//! Reading a segment's file past damage: every record that is there, and the places between.
//!
//! Behind a bad place reading goes on at the next head of a batch, and nowhere else: its checksum
//! takes the log's identity, so that bytes which a client chose cannot pass for records.

use super::super::batch::{BATCH_HEAD, BatchHead};
use super::super::file::{FILE_HEAD, Head, TRAILER, long};
use super::super::footer::Footer;
use super::super::search;
use super::super::walk::{Step, Walk};
use super::{Close, OpenError, Segment};
use crate::disk::File;
use crate::op::Sequence;
use std::ops::ControlFlow;
use std::sync::Arc;

/// What a segment's file holds.
#[derive(Debug)]
pub(super) struct Survey {
    /// The last record that can be read; one below the base without any.
    pub last: Sequence,
    /// The end of it in the file.
    pub end: u64,
    pub records: u64,
    /// Where records that were durable cannot be read.
    pub holes: Vec<Hole>,
    /// The highest number that a batch says was durable.
    pub durable: Sequence,
    /// How many of the records are held by the footer.
    pub held: usize,
}

/// A place where records should be.
#[derive(Debug)]
pub(super) struct Hole {
    pub at: u64,
    /// Where the next whole batch begins, or the end of the records.
    pub until: u64,
    /// At most so many records.
    pub lost: u64,
}

/// The batch that is being read.
#[derive(Default)]
struct Reading {
    /// How many records are still to come.
    left: u32,
    /// Where it ends.
    end: u64,
    /// Where something bad stands that is not yet told.
    bad_at: Option<u64>,
}

impl<F: File> Segment<F> {
    /// Reads the file to the end of its records; each that can be read comes to `each` with its
    /// bytes, in order.
    pub(super) fn survey(
        &self,
        mut each: impl FnMut(Sequence, &[u8]) -> std::io::Result<()>,
    ) -> Result<Survey, OpenError> {
        let end = match &self.close {
            Close::Sealed(trailer, _) | Close::Footerless(trailer) => u64::from(trailer.footer_at),
            Close::Open => self.file.len()?,
        };
        let start = FILE_HEAD as u64;
        let mut survey = Survey::none(self.base);
        let mut reading = Reading { end: start, ..Reading::default() };
        let mut walk = Walk::new(Arc::clone(&self.file), self.identity, start, end);
        while let Some((at, step)) = walk.next()? {
            match step {
                Step::Batch(head) if self.is_next(head.first, survey.last) => {
                    survey.enter_batch(&mut reading, at, &head);
                }
                Step::Record(record)
                    if reading.left > 0 && self.is_next(record.sequence, survey.last) =>
                {
                    let (sequence, len) = (record.sequence, record.bytes());
                    survey.enter(sequence, at + len as u64);
                    survey.held += usize::from(self.is_held(sequence));
                    reading.left -= 1;
                    each(sequence, walk.taken(at, len))?;
                }
                _ => {
                    reading.bad_at = Some(reading.bad_at.unwrap_or(at));
                    match self.next_batch(at + 1, end, survey.last)? {
                        Some(batch) => walk.seek(batch),
                        None => break,
                    }
                }
            }
        }
        self.enter_end(&mut survey, &reading, end);
        Ok(survey)
    }

    /// Whether a record of this number may come behind `last`. In a rewritten segment numbers are
    /// left out; what the next segment begins with was tried there once more.
    fn is_next(&self, sequence: Sequence, last: Sequence) -> bool {
        sequence > last && self.next.is_none_or(|next| sequence.0 < next)
    }

    fn is_held(&self, sequence: Sequence) -> bool {
        let Close::Sealed(_, footer) = &self.close else { return false };
        // The numbers of a segment are less than 2^32 apart.
        footer.held.binary_search(&((sequence.0 - self.base.0) as u32)).is_ok()
    }

    fn next_batch(&self, from: u64, end: u64, last: Sequence) -> std::io::Result<Option<u64>> {
        search::batches(&*self.file, self.identity, (from, end), |at, head| {
            if self.is_next(head.first, last) {
                ControlFlow::Break(at)
            } else {
                ControlFlow::Continue(())
            }
        })
    }

    /// Records of a sealed segment that are missing at its end.
    fn enter_end(&self, survey: &mut Survey, reading: &Reading, end: u64) {
        let last = match &self.close {
            Close::Sealed(trailer, _) | Close::Footerless(trailer) => trailer.last,
            Close::Open => return,
        };
        if survey.end < end {
            let whole_batch = reading.end == end;
            let behind = last.0.saturating_sub(survey.last.0);
            let lost = if whole_batch { u64::from(reading.left) } else { behind };
            let at = reading.bad_at.unwrap_or(survey.end);
            survey.holes.push(Hole { at, until: end, lost });
        }
    }
}

impl Survey {
    /// Of a segment without records.
    pub(super) fn none(base: Sequence) -> Self {
        Self {
            last: Sequence(base.0 - 1),
            end: FILE_HEAD as u64,
            records: 0,
            holes: Vec::new(),
            durable: Sequence(0),
            held: 0,
        }
    }

    fn enter_batch(&mut self, reading: &mut Reading, at: u64, head: &BatchHead) {
        let left_out = head.first.0 - self.last.0 - 1;
        // A batch whose end went with the power was cut, and the next one took its numbers.
        if left_out > 0 && (reading.bad_at.is_some() || reading.left > 0) {
            let lost = if at == reading.end { u64::from(reading.left) } else { left_out };
            let from = reading.bad_at.unwrap_or(at);
            self.holes.push(Hole { at: from, until: at, lost });
        }
        let end = at + BATCH_HEAD as u64 + u64::from(head.bytes);
        *reading = Reading { left: head.count, end, bad_at: None };
        self.durable = self.durable.max(head.durable);
        self.end = at + BATCH_HEAD as u64;
    }

    fn enter(&mut self, sequence: Sequence, end: u64) {
        (self.last, self.end) = (sequence, end);
        self.records += 1;
    }

    /// Whether what stands behind the records is their footer, with a trailer that cannot be read.
    pub(super) fn ends_with_footer<F: File>(&self, file: &F) -> Result<bool, OpenError> {
        let len = file.len()?.saturating_sub(self.end + TRAILER as u64);
        let records = Footer::records_at(file, self.end, len)?;
        Ok(self.holes.is_empty() && records == Some(self.records))
    }
}

/// The identity that a damaged file names in its head or its trailer, if its first batch is of it.
pub(super) fn vouched_identity<F: File>(file: &F) -> Result<Option<u64>, OpenError> {
    let mut start = [0; FILE_HEAD + BATCH_HEAD];
    let got = file.read_at(0, &mut start)?;
    let mut end = [0; TRAILER];
    let at = file.len()?.saturating_sub(TRAILER as u64);
    let trailer = file.read_at(at, &mut end)?;
    if got < start.len() || trailer < end.len() {
        return Ok(None);
    }
    let named = [long(&start, Head::IDENTITY_AT), long(&end, TRAILER_IDENTITY_AT)];
    let mut named = named.into_iter();
    Ok(named.find(|identity| BatchHead::parse(&start[FILE_HEAD..], *identity).is_some()))
}

const TRAILER_IDENTITY_AT: usize = 8;
