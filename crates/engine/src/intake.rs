//! Where reactors put what is to become a fact, and the committer takes it.
//!
//! A reactor collects the records of a turn by itself and hands them over at its end: one lock a
//! turn, held for one copy. It has no bound of its own: whoever submits stops reading publishers
//! that have too much without an outcome (core.md 5), and [`Intake::bytes`] tells the whole.

use crate::fact::{Fact, Formed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use store::log::{Batch, Hold, Kind, Need, Records, StreamId};
use store::op::{NamespaceId, Sequence, Ticket};

/// The way from all reactors to the committer.
pub struct Intake<R> {
    waiting: Mutex<Waiting<R>>,
    wake: Box<dyn Fn() + Send + Sync>,
}

/// Records that wait for the next commit.
pub(crate) struct Waiting<R> {
    pub batch: Batch,
    pub facts: Vec<Fact<R>>,
    /// What facts of earlier commits have changed.
    pub needs: Vec<Need>,
}

/// One reactor's end of it.
pub struct Handle<R> {
    intake: Arc<Intake<R>>,
    me: u8,
    records: Records,
    facts: Vec<Fact<R>>,
    needs: Vec<Need>,
}

/// A record as the log keeps it.
#[derive(Debug, Clone, Copy)]
pub struct Form<'a> {
    /// What its owner calls this sort of record.
    pub kind: Kind,
    /// Whether it outlives its readers.
    pub hold: Hold,
    /// Whose it is.
    pub namespace: NamespaceId,
    /// The index streams it belongs to.
    pub streams: &'a [StreamId],
    /// Its bytes, in parts.
    pub payload: &'a [&'a [u8]],
}

impl<R> Intake<R> {
    /// An empty one; `wake` is called whenever something has come, on the thread of whoever brought
    /// it, and must not block.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::new(Waiting::empty()), wake: Box::new(wake) })
    }

    /// Reactor number `me`'s end, below 64.
    pub fn handle(self: &Arc<Self>, me: u8) -> Handle<R> {
        let intake = Arc::clone(self);
        let (facts, needs) = (Vec::new(), Vec::new());
        Handle { intake, me, records: Records::default(), facts, needs }
    }

    /// Bytes of records that wait for the committer.
    pub fn bytes(&self) -> usize {
        self.lock().batch.bytes()
    }

    /// How many wait to become facts.
    pub(crate) fn facts(&self) -> usize {
        self.lock().facts.len()
    }

    /// Gives what waits for an empty place to wait in.
    pub(crate) fn swap(&self, empty: &mut Waiting<R>) {
        std::mem::swap(&mut *self.lock(), empty);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<R>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R> Waiting<R> {
    pub fn empty() -> Self {
        Self { batch: Batch::default(), facts: Vec::new(), needs: Vec::new() }
    }
}

impl<R> Handle<R> {
    /// A record for the next commit. Its outcome comes back under `ticket`; `others` are the
    /// reactors (bit n = reactor n) that hear of it too.
    pub fn submit(&mut self, ticket: Ticket, others: u64, form: Form<'_>, record: R) {
        let Form { kind, hold, namespace, streams, payload } = form;
        self.records.push(kind, hold, namespace, streams, payload);
        self.push(ticket, others, Formed::Logged, record);
    }

    /// As [`submit`](Self::submit), for what need not be kept but is heard of in its place.
    pub fn pass(&mut self, ticket: Ticket, others: u64, record: R) {
        self.push(ticket, others, Formed::Passing, record);
    }

    fn push(&mut self, ticket: Ticket, others: u64, form: Formed, record: R) {
        let (sequence, origin) = (Sequence(0), self.me);
        self.facts.push(Fact { sequence, form, origin, ticket, others, record });
    }

    /// What a fact that was heard has changed: the log learns it behind the next commit.
    pub fn need(&mut self, need: Need) {
        self.needs.push(need);
    }

    /// Hands over everything, changes that come alone too.
    pub fn flush_needs(&mut self) {
        self.intake.lock().needs.append(&mut self.needs);
    }

    /// Hands over what was submitted: at the end of a turn.
    pub fn flush(&mut self) {
        if self.facts.is_empty() && self.needs.len() < NEEDS_KEPT_MAX {
            return;
        }
        let mut waiting = self.intake.lock();
        waiting.batch.join(&mut self.records);
        waiting.facts.append(&mut self.facts);
        waiting.needs.append(&mut self.needs);
        drop(waiting);
        (self.intake.wake)();
    }
}

/// Changes that come alone wait for others, up to so many: space is given back a little later.
const NEEDS_KEPT_MAX: usize = 1_024;
