//! Reactor 0 makes facts of what it decides of jobs.

use super::{Desk, Mail, Work};
use crate::door::Reply;
use crate::journal::Entry;
use crate::record::What;
use crate::shard::Shard;
use crate::timers::Timer;
use crate::waiting::Completion;
use hub::errors::{ErrorCode, Refusal};
use hub::job::{Board, Done, Record};
use std::borrow::Cow;
use store::op::Sequence;

/// A record of jobs on its way to the log.
pub(crate) struct JobWritten {
    record: Record,
    then: Then,
}

/// What follows once it is a fact.
pub(super) enum Then {
    Nothing,
    /// A service gets the document of the job.
    Told(Reply<Result<Vec<u8>, Refusal>>),
    /// It is a part of this selection.
    Part(u64),
    /// It was the last of a selection.
    Begun,
    /// Devices are worked on.
    Work(Vec<Work>),
    /// The home of the device has written it beside what it has done, and reactor 0 hears of it.
    Tell,
}

impl Shard {
    /// Takes in the jobs that the log has: on reactor 0, before the first turn.
    pub fn restore_jobs(&mut self, board: Board) {
        if self.devices.hub.is_none() {
            return;
        }
        for (job, of) in board.behind(Sequence(0)) {
            // A twin is never found in work: it is written with what says that it is done.
            for (device, since_ms) in of.in_work() {
                let outcome = Err(Refusal::new(ErrorCode::ServerError, UNKNOWN));
                let during_ms = (since_ms, since_ms);
                let done = Done { job, device, during_ms, outcome };
                self.jobs.again.push(Record::Done(done));
            }
        }
        self.jobs.board = board;
        drop(self.jobs.board.take_lost());
        self.jobs.wake();
    }

    /// To the log.
    pub(super) fn write_job(&mut self, record: Record, then: Then) {
        let written = JobWritten { record, then };
        if !self.perform.keeps() {
            return self.job_written(written, Sequence(0));
        }
        let mut payload = Vec::new();
        let entry = Entry::Job(Cow::Borrowed(&written.record));
        entry.encode(&mut payload);
        let kind = entry.kind();
        let done = Completion::Job(Box::new(written));
        self.perform.write_payload((kind, &payload), What::Own, done);
    }

    /// A record of jobs is a fact.
    pub(crate) fn job_written(&mut self, written: JobWritten, at: Sequence) {
        let JobWritten { record, then } = written;
        if let (Then::Tell, Record::Done(done)) = (&then, &record) {
            return self.job_mail(0, Mail::Kept(done.clone(), at));
        }
        let place = self.job_heard(record.clone(), at);
        let job = of(&record).unwrap_or(place);
        match then {
            Then::Nothing | Then::Tell => {}
            Then::Told(reply) => reply(Ok(self.job_shown(job))),
            Then::Part(attempt) => self.part_kept(job, attempt, place),
            Then::Begun => drop(self.jobs.selecting.remove(&job)),
            Then::Work(all) => all.into_iter().for_each(|work| self.send_work(work)),
        }
        if matches!(record, Record::Ended { .. }) {
            self.jobs.selecting.remove(&job);
        }
    }

    /// The board hears of a fact. Gives where it lies.
    pub(super) fn job_heard(&mut self, record: Record, at: Sequence) -> Sequence {
        self.jobs.last += 1;
        let place = if at.0 > 0 { at } else { Sequence(self.jobs.last) };
        let mut needs = Vec::new();
        self.jobs.board.heard(record, place, &mut needs);
        let lost = self.jobs.board.take_lost();
        let losses = self.devices.hub.as_ref().map(|hub| &hub.job_losses);
        losses.into_iter().for_each(|all| lost.iter().for_each(|loss| all.count(*loss)));
        if at.0 > 0 {
            needs.into_iter().for_each(|need| self.perform.need(need));
        }
        self.jobs.wake();
        place
    }

    /// It could not be made a fact: it is tried again in a while.
    pub(crate) fn job_unwritten(&mut self, written: JobWritten, why: &'static str) {
        let JobWritten { record, then } = written;
        if let (Then::Tell, Record::Done(done)) = (&then, &record) {
            return self.job_mail(0, Mail::Lost { job: done.job, device: done.device });
        }
        self.jobs.board.lost(&record);
        self.jobs_rest();
        match then {
            Then::Told(reply) => reply(Err(Refusal::new(ErrorCode::ServiceUnavailable, why))),
            Then::Part(_) | Then::Begun => {
                let Some(job) = of(&record) else { return };
                self.jobs.selecting.remove(&job);
                let mut needs = Vec::new();
                self.jobs.board.drop_parts(job, &mut needs);
                if self.perform.keeps() {
                    needs.into_iter().for_each(|need| self.perform.need(need));
                }
            }
            Then::Nothing if matches!(record, Record::Done(_)) => self.jobs.again.push(record),
            Then::Nothing | Then::Work(_) | Then::Tell => {}
        }
    }

    /// The disk has not taken something.
    pub(super) fn jobs_rest(&mut self) {
        self.jobs.quiet_until_ms = self.homes.now.wall_ms + REST_MS;
        self.homes.arm(Timer::Jobs, self.jobs.quiet_until_ms);
    }
}

impl Desk {
    /// What is to be written again.
    pub(super) fn take_again(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.again)
    }
}

/// The job that a record is of, if it is not its plan.
fn of(record: &Record) -> Option<Sequence> {
    match record {
        Record::Planned(_) => None,
        Record::Selected { job, .. }
        | Record::Begun { job, .. }
        | Record::Asking { job, .. }
        | Record::Done(Done { job, .. })
        | Record::Ended { job, .. }
        | Record::Forgotten { job } => Some(*job),
    }
}

const UNKNOWN: &str =
    "the server stopped while the device was asked; whether it has heard of it is not known";
const REST_MS: u64 = 1_000;
