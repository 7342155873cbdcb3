//! At the home of devices: which of them a job has, and what is done to one. Refuses to know how
//! far jobs are.

use super::keeping::Then;
use super::{Mail, Selection, Work};
use crate::devices::{Ask, Asked, Hub, Ticket};
use crate::door::Reply;
use crate::shard::Shard;
use hub::errors::{ErrorCode, Refusal};
use hub::identity::IdentityId;
use hub::job::{Action, Done, Outcome, Record, Response};
use hub::method;
use std::sync::Arc;
use std::sync::mpsc::Sender;

impl Shard {
    /// Which devices at home here a condition selects.
    pub(super) fn select(&mut self, selection: Selection, after: Option<&IdentityId>) {
        let (devices, next) = self.devices.select(&selection.plan.condition, after);
        self.job_mail(0, Mail::Selected { selection, devices, next });
    }

    /// A device is worked on as if a service had asked for it.
    pub(super) fn work(&mut self, work: Work) {
        let id = IdentityId { device: work.id.clone(), module: None };
        match &work.plan.action {
            Action::Twin { .. } => self.wish_job(id, Box::new(work)),
            Action::Method(request) => {
                let request = Box::new(request.clone());
                let Some(hub) = self.devices.hub.clone() else { return };
                // Those of services come from a count from 0 on.
                let ticket = Ticket(1 << 63 | u64::from(work.device) << 31 | work.job.0);
                let line = Line { to: self.jobs.answers.0.clone(), hub, state: State::Open(work) };
                self.jobs.open += 1;
                let now_ms = self.homes.now.wall_ms;
                let reply: Reply<method::Outcome> =
                    Box::new(move |outcome| line.answered(outcome, now_ms));
                self.asked(Asked { id, ask: Ask::Invoke(request, ticket, reply) });
            }
        }
    }

    /// A write into the twin of a device has been decided, and is to be written in this turn: that
    /// the device is done with goes into the same batch.
    pub(crate) fn job_twin_written(&mut self, work: &Work) {
        let done = work.done(Ok(None), self.homes.now.wall_ms);
        self.write_job_done(done);
    }

    /// Nothing is to be written into it.
    pub(crate) fn job_twin_decided(&mut self, work: &Work, decided: Result<(), Refusal>) {
        let done = work.done(decided.map(|()| None), self.homes.now.wall_ms);
        self.job_mail(0, Mail::Done(done));
    }

    /// Too much waits for the device.
    pub(crate) fn job_twin_refused(&mut self, work: &Work) {
        self.job_mail(0, Mail::Lost { job: work.job, device: work.device });
    }

    fn write_job_done(&mut self, done: Done) {
        self.write_job(Record::Done(done), Then::Tell);
    }

    /// What devices have answered since the last time.
    pub(super) fn take_answers(&mut self) {
        let now_ms = self.homes.now.wall_ms;
        while self.jobs.open > 0
            && let Ok(mut done) = self.jobs.answers.1.try_recv()
        {
            self.jobs.open -= 1;
            done.during_ms.1 = now_ms;
            self.job_mail(0, Mail::Done(done));
        }
    }
}

impl Work {
    fn done(&self, outcome: Outcome, at_ms: u64) -> Done {
        let Self { job, device, since_ms, .. } = *self;
        Done { job, device, during_ms: (since_ms, at_ms), outcome }
    }
}

/// The way back of a call to a device. It has an answer, whatever becomes of the call.
struct Line {
    to: Sender<Done>,
    hub: Arc<Hub>,
    state: State,
}

enum State {
    Open(Work),
    Over,
}

impl Line {
    fn answered(mut self, outcome: method::Outcome, at_ms: u64) {
        let outcome = match outcome {
            Ok(reply) => Ok(Some(Response::of(reply, &self.hub.job_losses))),
            Err(failed) => Err(failed.refusal),
        };
        self.tell(outcome, at_ms);
    }

    fn tell(&mut self, outcome: Outcome, at_ms: u64) {
        if let State::Open(work) = std::mem::replace(&mut self.state, State::Over) {
            // The other end goes with the reactor.
            let _ = self.to.send(work.done(outcome, at_ms));
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let refusal = Refusal::new(ErrorCode::ServerError, "nobody has answered for the device");
        self.tell(Err(refusal), 0);
    }
}
