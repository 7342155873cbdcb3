//! All jobs of a hub (iot-hub C7): what is decided is a record, and hearing of it makes it a fact,
//! now or at a start. Refuses to know devices and the log.

use std::collections::{BTreeMap, BTreeSet};

use store::log::Need;
use store::op::Sequence;

use super::id::JobId;
use super::limits::{ACTIVE_MAX, HISTORY_MAX, JOB_DEVICES_MAX, KEPT_PAYLOADS_BYTES_MAX};
use super::loss::Loss;
use super::record::{Done, Planned, Record};
use super::state::{Job, Phase, Progress, Status};
use crate::errors::{ErrorCode, Refusal};
use crate::identity::DeviceId;

/// Jobs by where their plans lie, which is the order in which they came. What is decided is decided
/// no second time until its record is [`heard`](Self::heard) or [`lost`](Self::lost); of a record,
/// one of them has to come.
#[derive(Debug, Default)]
pub struct Board {
    jobs: BTreeMap<Sequence, Held>,
    ids: BTreeMap<JobId, Sequence>,
    /// Parts of jobs that have not begun.
    parts: BTreeMap<Sequence, Part>,
    /// Plans on their way to the log.
    planning: BTreeSet<JobId>,
    /// Devices of jobs, and of parts.
    devices: usize,
    payload_bytes: usize,
    /// What was not kept since it was last asked.
    lost: Vec<Loss>,
}

#[derive(Debug)]
struct Held {
    job: Job,
    /// Its records besides its plan.
    records: Vec<Sequence>,
    way: Way,
}

/// Whether something is on its way to the log that changes what may be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Nothing,
    Ending,
    Forgetting,
    /// Before its time.
    ForgettingEarly,
}

#[derive(Debug)]
struct Part {
    job: Sequence,
    devices: Vec<DeviceId>,
    bytes: usize,
}

impl Board {
    /// A service asks for a job.
    ///
    /// # Errors
    /// JobAlreadyExists, ThrottlingMaxActiveJobCountExceeded.
    pub fn plan(&mut self, planned: Planned) -> Result<Record, Refusal> {
        let id = &planned.plan.id;
        if self.ids.contains_key(id) || self.planning.contains(id) {
            let text = format!("there is a job '{id}' already; choose another id");
            return Err(Refusal::new(ErrorCode::JobAlreadyExists, text));
        }
        let active = self.jobs.values().filter(|held| !held.job.is_over()).count();
        if active + self.planning.len() >= ACTIVE_MAX {
            let text = format!("{ACTIVE_MAX} jobs have not ended, which is all; cancel one");
            return Err(Refusal::new(ErrorCode::ThrottlingMaxActiveJobCountExceeded, text));
        }
        self.planning.insert(id.clone());
        Ok(Record::Planned(planned))
    }

    /// A service cancels a job.
    ///
    /// # Errors
    /// JobNotFound; OperationNotAllowedInCurrentState for one that has ended, or is about to.
    pub fn cancel(&mut self, id: &JobId, at_ms: u64) -> Result<Record, Refusal> {
        let job = self.find(id)?;
        let held = self.jobs.get_mut(&job).ok_or_else(|| not_found(id))?;
        let end = held.job.cancel()?;
        if held.way != Way::Nothing {
            let code = ErrorCode::OperationNotAllowedInCurrentState;
            return Err(Refusal::new(code, "the job is about to end"));
        }
        held.way = Way::Ending;
        Ok(Record::Ended { job, at_ms, end })
    }

    /// A job ends in a way that it does not know of itself.
    pub fn end(&mut self, job: Sequence, end: super::End, at_ms: u64) -> Option<Record> {
        let held = self.jobs.get_mut(&job)?;
        if held.way != Way::Nothing || held.job.is_over() {
            return None;
        }
        held.way = Way::Ending;
        Some(Record::Ended { job, at_ms, end })
    }

    /// Time has passed, or devices are done with: what ends, and what nobody needs any more.
    pub fn turn(&mut self, now_ms: u64) -> Vec<Record> {
        let mut records = Vec::new();
        let is_over = |held: &&Held| held.job.is_over() && held.way == Way::Nothing;
        let mut surplus = self.jobs.values().filter(is_over).count().saturating_sub(HISTORY_MAX);
        let mut excess = self.devices.saturating_sub(JOB_DEVICES_MAX);
        for (job, held) in &mut self.jobs {
            let job = *job;
            if held.way != Way::Nothing {
                continue;
            }
            if let Some(end) = held.job.end_due(now_ms) {
                held.way = Way::Ending;
                records.push(Record::Ended { job, at_ms: now_ms, end });
            } else if held.job.is_over()
                && (held.job.deadline() <= now_ms || surplus > 0 || excess > 0)
            {
                let is_old = held.job.deadline() <= now_ms;
                held.way = if is_old { Way::Forgetting } else { Way::ForgettingEarly };
                surplus = surplus.saturating_sub(1);
                excess = excess.saturating_sub(held.job.devices.len());
                records.push(Record::Forgotten { job });
            }
        }
        records
    }

    /// When [`turn`](Self::turn) is due, or the time of a job comes, wall milliseconds. One whose
    /// time has come waits for another to end.
    pub fn deadline(&self, now_ms: u64) -> Option<u64> {
        let quiet = self.jobs.values().filter(|held| held.way == Way::Nothing);
        let waits = |job: &Job| job.phase != Phase::Waiting || job.plan.start_ms > now_ms;
        quiet.filter(|held| waits(&held.job)).map(|held| held.job.deadline()).min()
    }

    /// Jobs whose time has come and that have not begun: who waits for longest first.
    pub fn startable(&self, now_ms: u64) -> Vec<Sequence> {
        let waits = |held: &Held| held.way == Way::Nothing && held.job.phase == Phase::Waiting;
        let due =
            self.jobs.iter().filter(|(_, held)| waits(held) && held.job.plan.start_ms <= now_ms);
        let mut due: Vec<_> = due.map(|(job, held)| (held.job.plan.start_ms, *job)).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, job)| job).collect()
    }

    /// Jobs that run.
    pub fn running(&self) -> impl Iterator<Item = Sequence> {
        let runs = |held: &Held| matches!(held.job.phase, Phase::Running { .. });
        self.jobs.iter().filter(move |(_, held)| runs(held)).map(|(job, _)| *job)
    }

    /// A job to work on: as long as it is not about to end.
    pub fn working(&mut self, job: Sequence) -> Option<&mut Job> {
        let held = self.jobs.get_mut(&job).filter(|held| held.way == Way::Nothing)?;
        Some(&mut held.job)
    }

    /// A job.
    pub fn job(&self, job: Sequence) -> Option<&Job> {
        self.jobs.get(&job).map(|held| &held.job)
    }

    /// Devices in work turn out not to be.
    pub fn not_in_work(&mut self, job: Sequence, devices: &[u32]) {
        if let Some(held) = self.jobs.get_mut(&job) {
            devices.iter().for_each(|number| held.job.lost(*number));
        }
    }

    /// Where a job of this id lies.
    ///
    /// # Errors
    /// JobNotFound.
    pub fn find(&self, id: &JobId) -> Result<Sequence, Refusal> {
        self.ids.get(id).copied().ok_or_else(|| not_found(id))
    }

    /// All jobs behind this one, in the order in which they came.
    pub fn behind(&self, after: Sequence) -> impl Iterator<Item = (Sequence, &Job)> {
        let from = Sequence(after.0.saturating_add(1));
        self.jobs.range(from..).map(|(job, held)| (*job, &held.job))
    }

    /// Whether a job may begin with so many devices beside all that is kept. If what has ended
    /// stands in the way, [`turn`](Self::turn) makes room.
    pub fn has_room(&self, devices: usize) -> bool {
        let over = self.jobs.values().filter(|held| held.job.is_over());
        let over: usize = over.map(|held| held.job.devices.len()).sum();
        self.devices.saturating_sub(over).saturating_add(devices) <= JOB_DEVICES_MAX
    }

    /// A record of jobs is a fact, in the order of the log; a start lets all that are found be
    /// heard. Appends what the log need not keep from now on. `at`: where it lies.
    pub fn heard(&mut self, record: Record, at: Sequence, needs: &mut Vec<Need>) {
        let job = match record {
            Record::Planned(Planned { plan, .. }) => {
                self.planning.remove(&plan.id);
                self.ids.insert(plan.id.clone(), at);
                let held = Held { job: Job::new(plan), records: Vec::new(), way: Way::Nothing };
                self.jobs.insert(at, held);
                return;
            }
            Record::Selected { job, .. }
            | Record::Begun { job, .. }
            | Record::Asking { job, .. }
            | Record::Done(Done { job, .. })
            | Record::Ended { job, .. }
            | Record::Forgotten { job } => job,
        };
        let Some(held) = self.jobs.get_mut(&job) else {
            return needs.push(Need::Release(at));
        };
        match record {
            Record::Planned(_) => {}
            Record::Selected { devices, .. } if held.job.phase == Phase::Waiting => {
                self.devices += devices.len();
                let ids: usize = devices.iter().map(|id| id.as_str().len()).sum();
                let bytes = size_of_val(&*devices) + ids;
                self.parts.insert(at, Part { job, devices, bytes });
            }
            Record::Begun { at_ms, parts, .. } if held.job.phase == Phase::Waiting => {
                let mut devices = Vec::new();
                for place in parts {
                    // It speaks of its own parts; what else lies there is not its to release.
                    if self.parts.get(&place).is_some_and(|part| part.job == job) {
                        let part = self.parts.remove(&place);
                        devices.extend(part.into_iter().flat_map(|part| part.devices));
                        held.records.push(place);
                    }
                }
                held.records.push(at);
                held.job.begun(devices, at_ms);
                self.drop_parts(job, needs);
            }
            Record::Selected { .. } | Record::Begun { .. } => needs.push(Need::Release(at)),
            Record::Asking { at_ms, devices, .. } => {
                held.records.push(at);
                held.job.asked(&devices, at_ms);
            }
            Record::Done(mut done) => {
                if let Ok(Some(response)) = &mut done.outcome
                    && held.job.awaits(done.device)
                {
                    let bytes = response.payload.len();
                    if self.payload_bytes + bytes > KEPT_PAYLOADS_BYTES_MAX {
                        response.payload = Box::default();
                        self.lost.push(Loss::AnswersFull);
                    } else {
                        self.payload_bytes += bytes;
                    }
                }
                held.records.push(at);
                held.job.done(done.device, done.during_ms, done.outcome);
            }
            Record::Ended { at_ms, end, .. } => {
                held.way = Way::Nothing;
                held.records.push(at);
                held.job.ended(end, at_ms);
                self.drop_parts(job, needs);
            }
            Record::Forgotten { .. } => self.forget(job, at, needs),
        }
    }

    /// What was not kept since it was last asked. A start asks once, for nobody: what it finds was
    /// counted when it came.
    pub fn take_lost(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.lost)
    }

    /// How many jobs there are of each status.
    pub fn counts(&self, now_ms: u64) -> [(Status, u64); Status::ALL.len()] {
        let mut counts = Status::ALL.map(|status| (status, 0));
        for held in self.jobs.values() {
            let status = held.job.status(now_ms);
            counts.iter_mut().filter(|(of, _)| *of == status).for_each(|(_, count)| *count += 1);
        }
        counts
    }

    /// About how much memory all of it takes, in bytes.
    pub fn bytes(&self) -> usize {
        let of = |held: &Held| size_of::<Held>() + held.job.bytes() + size_of_val(&*held.records);
        let jobs: usize = self.jobs.values().map(of).sum();
        jobs + self.parts.values().map(|part| part.bytes).sum::<usize>()
    }

    /// A record could not be made a fact: all is as if it had not been decided.
    pub fn lost(&mut self, record: &Record) {
        match record {
            Record::Planned(planned) => drop(self.planning.remove(&planned.plan.id)),
            Record::Asking { job, devices, .. } => self.not_in_work(*job, devices),
            Record::Ended { job, .. } | Record::Forgotten { job } => {
                if let Some(held) = self.jobs.get_mut(job) {
                    held.way = Way::Nothing;
                }
            }
            Record::Selected { .. } | Record::Begun { .. } | Record::Done(_) => {}
        }
    }

    /// A selection is given up: its parts are nobody's.
    pub fn drop_parts(&mut self, job: Sequence, needs: &mut Vec<Need>) {
        let dropped = self.parts.extract_if(.., |_, part| part.job == job);
        for (at, part) in dropped {
            self.devices -= part.devices.len();
            needs.push(Need::Release(at));
        }
    }

    /// At a start: selections begin anew.
    pub(super) fn drop_all_parts(&mut self) -> Vec<Sequence> {
        let parts = std::mem::take(&mut self.parts);
        self.devices -= parts.values().map(|part| part.devices.len()).sum::<usize>();
        parts.into_keys().collect()
    }

    fn forget(&mut self, job: Sequence, at: Sequence, needs: &mut Vec<Need>) {
        let Some(Held { job: gone, records, way }) = self.jobs.remove(&job) else { return };
        if way == Way::ForgettingEarly {
            self.lost.push(Loss::HistoryFull);
        }
        self.ids.remove(&gone.plan.id);
        self.devices -= gone.devices.len();
        self.payload_bytes -= gone.payload_bytes();
        needs.extend(records.into_iter().chain([job]).map(Need::Release));
        needs.push(Need::Bury { oldest: job, at });
        self.drop_parts(job, needs);
    }
}

impl Job {
    fn payload_bytes(&self) -> usize {
        let kept = self.devices.iter().filter_map(|device| match &device.progress {
            Progress::Succeeded { response: Some(response), .. } => Some(response.payload.len()),
            _ => None,
        });
        kept.sum()
    }
}

fn not_found(id: &JobId) -> Refusal {
    Refusal::new(ErrorCode::JobNotFound, format!("there is no job '{id}'"))
}

#[cfg(test)]
#[path = "board_tests.rs"]
mod tests;
