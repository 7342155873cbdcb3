//! Reactor 0 begins jobs and goes through their devices: a few a turn, so that others are served.

use super::keeping::Then;
use super::{Mail, Selecting, Selection, Work};
use crate::devices::home_of_device;
use crate::shard::Shard;
use crate::timers::Timer;
use hub::identity::{DeviceId, IdentityId};
use hub::job::{Action, End, RUNNING_MAX, Record};
use std::sync::Arc;
use store::op::Sequence;

impl Shard {
    /// Time has passed, or something has become of a job.
    pub(crate) fn jobs_due(&mut self) {
        let now_ms = self.homes.now.wall_ms;
        self.charge_jobs();
        if now_ms < self.jobs.quiet_until_ms {
            return self.homes.arm(Timer::Jobs, self.jobs.quiet_until_ms);
        }
        for record in self.jobs.take_again() {
            self.write_job(record, Then::Nothing);
        }
        for record in self.jobs.board.turn(now_ms) {
            self.write_job(record, Then::Nothing);
        }
        self.begin_jobs();
        if self.work_on_jobs() == Left::Some {
            return self.jobs.wake();
        }
        if let Some(at_ms) = self.jobs.board.deadline(now_ms) {
            self.homes.arm(Timer::Jobs, at_ms);
        }
    }

    /// What jobs take is a part of the memory for data.
    fn charge_jobs(&mut self) {
        let bytes = self.jobs.board.bytes();
        if self.jobs.charge.as_ref().is_none_or(|(charged, _)| *charged != bytes) {
            self.jobs.charge = Some((bytes, self.homes.meter.charge(bytes)));
        }
    }

    /// As many jobs run as may; the rest wait.
    fn begin_jobs(&mut self) {
        let now_ms = self.homes.now.wall_ms;
        let busy = self.jobs.board.running().count() + self.jobs.selecting.len();
        let due = self.jobs.board.startable(now_ms);
        let due = due.into_iter().filter(|job| !self.jobs.selecting.contains_key(job));
        let due: Vec<_> = due.take(RUNNING_MAX.saturating_sub(busy)).collect();
        for job in due {
            let Some(plan) = self.jobs.board.job(job).map(|job| Arc::clone(job.plan())) else {
                continue;
            };
            self.jobs.attempts += 1;
            let attempt = self.jobs.attempts;
            let (parts, writing, devices, home) = (Vec::new(), 0, 0, 0);
            let selecting = Selecting { attempt, parts, writing, devices, home };
            self.jobs.selecting.insert(job, selecting);
            let selection = Selection { job, attempt, plan };
            self.job_mail(0, Mail::Select { selection, after: None });
        }
    }

    /// A home has told which of its devices a condition selects.
    pub(super) fn selected(
        &mut self,
        selection: Selection,
        found: Vec<DeviceId>,
        next: Option<IdentityId>,
    ) {
        let (job, attempt) = (selection.job, selection.attempt);
        let known = self.jobs.selecting.get_mut(&job);
        let Some(known) = known.filter(|known| known.attempt == attempt) else { return };
        known.devices += found.len();
        if next.is_none() {
            known.home += 1;
        }
        let (home, devices) = (known.home, known.devices);
        if !self.jobs.board.has_room(devices) {
            self.jobs.selecting.remove(&job);
            let end = self.jobs.board.end(job, End::TooMany, self.homes.now.wall_ms);
            return end.into_iter().for_each(|record| self.write_job(record, Then::Nothing));
        }
        if !found.is_empty() {
            known_part(&mut self.jobs.selecting, job);
            let record = Record::Selected { job, devices: found };
            self.write_job(record, Then::Part(attempt));
        }
        if home < self.posts.len() {
            return self.job_mail(home, Mail::Select { selection, after: next });
        }
        self.begin_if_selected(job);
    }

    /// A part of a selection is a fact.
    pub(super) fn part_kept(&mut self, job: Sequence, attempt: u64, at: Sequence) {
        let known = self.jobs.selecting.get_mut(&job);
        let Some(known) = known.filter(|known| known.attempt == attempt) else { return };
        known.parts.push(at);
        known.writing -= 1;
        self.begin_if_selected(job);
    }

    /// All homes were asked, and all that they told is a fact: the job begins.
    fn begin_if_selected(&mut self, job: Sequence) {
        let homes = self.posts.len();
        let Some(known) = self.jobs.selecting.get_mut(&job) else { return };
        if known.home < homes || known.writing > 0 {
            return;
        }
        // It is not begun twice.
        known.writing += 1;
        let parts = std::mem::take(&mut known.parts).into();
        let at_ms = self.homes.now.wall_ms;
        self.write_job(Record::Begun { job, at_ms, parts }, Then::Begun);
    }

    /// The next devices of each job that runs.
    fn work_on_jobs(&mut self) -> Left {
        let now_ms = self.homes.now.wall_ms;
        let running: Vec<Sequence> = self.jobs.board.running().collect();
        let share = (DEVICES_AT_ONCE / running.len().max(1)).max(1);
        let mut left = Left::None;
        for number in running {
            let Some(job) = self.jobs.board.working(number) else { continue };
            let plan = Arc::clone(job.plan());
            let mut all = Vec::new();
            while all.len() < share
                && let Some(work) = job.next(now_ms)
            {
                let (device, id) = (work.number, work.device.clone());
                let plan = Arc::clone(&plan);
                all.push(Work { job: number, device, id, plan, since_ms: now_ms });
            }
            if all.len() == share {
                left = Left::Some;
            }
            match plan.action {
                Action::Twin { .. } => all.into_iter().for_each(|work| self.send_work(work)),
                // Nobody is asked of whom a crash would not tell that he was.
                Action::Method(_) if !all.is_empty() => {
                    let mut devices: Vec<u32> = all.iter().map(|work| work.device).collect();
                    devices.sort_unstable();
                    let (at_ms, devices) = (now_ms, devices.into());
                    let record = Record::Asking { job: number, at_ms, devices };
                    self.write_job(record, Then::Work(all));
                }
                Action::Method(_) => {}
            }
        }
        left
    }

    /// A device is worked on at its home.
    pub(super) fn send_work(&mut self, work: Work) {
        let home = home_of_device(work.id.as_str(), self.posts.len());
        self.job_mail(home, Mail::Work(work));
    }

    /// Mail for a reactor; its own waits for the end of the turn.
    pub(crate) fn job_mail(&mut self, to: usize, mail: Mail) {
        if to == self.homes.me {
            self.jobs.own.push_back(mail);
        } else if let Some(batch) = self.posts.get_mut(to) {
            batch.jobs.push(mail);
        }
    }

    /// Mail of other reactors.
    pub(crate) fn jobs_hear(&mut self, all: impl IntoIterator<Item = Mail>) {
        for mail in all {
            match mail {
                Mail::Select { selection, after } => self.select(selection, after.as_ref()),
                Mail::Selected { selection, devices, next } => {
                    self.selected(selection, devices, next);
                }
                Mail::Work(work) => self.work(work),
                Mail::Done(done) => self.write_job(Record::Done(done), Then::Nothing),
                Mail::Kept(done, at) => drop(self.job_heard(Record::Done(done), at)),
                Mail::Lost { job, device } => {
                    self.jobs.board.not_in_work(job, &[device]);
                    self.jobs_rest();
                }
            }
        }
    }

    /// The turn ends: one round of this reactor's mail to itself, and what devices have answered.
    pub(crate) fn jobs_end_turn(&mut self) {
        let own = std::mem::take(&mut self.jobs.own);
        self.jobs_hear(own);
        self.take_answers();
    }
}

/// Whether there is more to do at once.
#[derive(PartialEq, Eq)]
enum Left {
    None,
    Some,
}

fn known_part(selecting: &mut std::collections::BTreeMap<Sequence, Selecting>, job: Sequence) {
    if let Some(known) = selecting.get_mut(&job) {
        known.writing += 1;
    }
}

/// Of all jobs that run: a write of a twin takes as long as a few publishes.
const DEVICES_AT_ONCE: usize = 16;
