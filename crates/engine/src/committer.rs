//! The one who makes records facts: takes what all reactors have submitted, writes it as one batch
//! with one sync, tells everybody concerned. While the disk works the next batch collects.
//!
//! Owns no thread: whoever calls [`Committer::step`] decides when.

use crate::fact::{Fact, Facts, Formed, Outcome};
use crate::intake::{Intake, Waiting};
use std::sync::Arc;
use store::disk::Disk;
use store::log::{CommitError, Log, Need};
use store::op::Sequence;

/// Makes records facts.
pub struct Committer<D: Disk, R> {
    log: Log<D>,
    intake: Arc<Intake<R>>,
    waiting: Waiting<R>,
}

/// What a step did.
#[derive(Debug)]
pub enum Step {
    /// Nothing waited.
    Idle,
    /// So many records are facts.
    Committed(usize),
    /// So many records were refused.
    Refused(usize, CommitError),
}

impl<D: Disk, R> Committer<D, R> {
    /// A committer of what comes by `intake`.
    pub fn new(log: Log<D>, intake: Arc<Intake<R>>) -> Self {
        Self { log, intake, waiting: Waiting::empty() }
    }

    /// The log it writes.
    pub fn log(&mut self) -> &mut Log<D> {
        &mut self.log
    }

    /// How many records wait for the next step.
    pub fn waiting(&self) -> usize {
        self.intake.facts()
    }

    /// Commits what waits, completes each fact in the order of the log by `settle`, which also
    /// says what of the log is not needed any more, and tells each reactor that is concerned.
    /// Blocks for the disk.
    pub fn step(
        &mut self,
        mut settle: impl FnMut(&mut Fact<R>, &mut Vec<Need>),
        mut tell: impl FnMut(usize, Arc<Facts<R>>),
    ) -> Step {
        self.intake.swap(&mut self.waiting);
        let mut list = std::mem::take(&mut self.waiting.facts);
        let count = list.len();
        if count == 0 {
            self.log.tell(self.waiting.needs.drain(..));
            return Step::Idle;
        }
        let (outcome, step) = match self.commit() {
            Ok(first) => {
                let mut sequence = first;
                for fact in &mut list {
                    if fact.form == Formed::Logged {
                        fact.sequence = sequence;
                        sequence.0 += 1;
                    }
                    settle(fact, &mut self.waiting.needs);
                }
                (Outcome::Durable, Step::Committed(count))
            }
            Err(error) => {
                self.waiting.batch.clear();
                let outcome = match &error {
                    CommitError::Full(_) => Outcome::Full,
                    CommitError::Failed(_) => Outcome::Failed,
                };
                (outcome, Step::Refused(count, error))
            }
        };
        self.log.tell(self.waiting.needs.drain(..));
        let facts = Arc::new(Facts { outcome, list });
        let mut concerned = facts.concerned();
        while concerned != 0 {
            tell(concerned.trailing_zeros() as usize, Arc::clone(&facts));
            concerned &= concerned - 1;
        }
        step
    }

    /// Writes what waits; gives the sequence of the first record. What only passes needs no disk.
    fn commit(&mut self) -> Result<Sequence, CommitError> {
        if self.waiting.batch.is_empty() {
            return Ok(self.log.next_sequence());
        }
        self.log.commit(&mut self.waiting.batch).map(|committed| committed.first)
    }
}
