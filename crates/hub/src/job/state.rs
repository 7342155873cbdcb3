//! How far a job is, with all and with each of its devices (iot-hub C7). Refuses to know how a
//! device is worked on.

use super::limits::{KEPT_PAYLOAD_BYTES_MAX, WORK_MAX};
use super::plan::Plan;
use crate::errors::{ErrorCode, Refusal};
use crate::identity::DeviceId;
use crate::method::Reply;

/// A job that was accepted.
#[derive(Debug, Clone)]
pub struct Job {
    pub(super) plan: Plan,
    pub(super) phase: Phase,
    pub(super) devices: Vec<Device>,
    /// The first that nobody has begun with.
    next: usize,
    working: usize,
}

/// `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Its time has not come.
    Scheduled,
    /// Its time has come, and it has not begun.
    Queued,
    /// It works on devices.
    Running,
    /// It has done so, and a device at least has succeeded, or there was none.
    Completed,
    /// All devices have failed, or its time was over.
    Failed,
    /// A service has cancelled it.
    Cancelled,
}

/// What a device has answered to a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// What the device made of it.
    pub status: i64,
    /// JSON; empty = null, or more than is kept.
    pub payload: Box<[u8]>,
}

/// A device to work on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work<'j> {
    /// Its number in the job, for [`Job::done`].
    pub number: usize,
    /// Which.
    pub device: &'j DeviceId,
}

/// `deviceJobStatistics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// All that were selected.
    pub devices: usize,
    /// What could not be done.
    pub failed: usize,
    /// What was done.
    pub succeeded: usize,
    /// What is being done.
    pub running: usize,
    /// What nobody has begun with.
    pub pending: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Waiting,
    Running { since_ms: u64 },
    Ended { status: Status, since_ms: Option<u64>, at_ms: u64, why: Option<&'static str> },
}

#[derive(Debug, Clone)]
pub(super) struct Device {
    pub id: DeviceId,
    pub progress: Progress,
}

#[derive(Debug, Clone)]
pub(super) enum Progress {
    Pending,
    Running { since_ms: u64 },
    Succeeded { since_ms: u64, at_ms: u64, response: Option<Response> },
    Failed { since_ms: u64, at_ms: u64, refusal: Refusal },
}

/// What a job keeps of an answer.
impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        let Reply { status, payload } = reply;
        let fits = payload.len() <= KEPT_PAYLOAD_BYTES_MAX;
        Self { status, payload: if fits { payload } else { Box::default() } }
    }
}

impl Status {
    /// The text in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads `jobStatus` of a query, in any case; `None` = no job of ours is ever so.
    pub fn parse(text: &str) -> Option<Self> {
        let all = [
            Self::Scheduled,
            Self::Queued,
            Self::Running,
            Self::Completed,
            Self::Failed,
            Self::Cancelled,
        ];
        all.into_iter().find(|status| status.as_str().eq_ignore_ascii_case(text))
    }
}

impl Job {
    /// A job that waits for its time.
    pub fn new(plan: Plan) -> Self {
        Self { plan, phase: Phase::Waiting, devices: Vec::new(), next: 0, working: 0 }
    }

    /// What was asked for.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// `status`.
    pub fn status(&self, now_ms: u64) -> Status {
        match self.phase {
            Phase::Waiting if now_ms < self.plan.start_ms => Status::Scheduled,
            Phase::Waiting => Status::Queued,
            Phase::Running { .. } => Status::Running,
            Phase::Ended { status, .. } => status,
        }
    }

    /// Begins with the devices that its condition selects now. A job that has begun or ended stays
    /// as it is.
    pub fn begin(&mut self, devices: Vec<DeviceId>, now_ms: u64) {
        if self.phase != Phase::Waiting {
            return;
        }
        let devices = devices.into_iter().map(|id| Device { id, progress: Progress::Pending });
        self.devices = devices.collect();
        self.phase = Phase::Running { since_ms: now_ms };
        self.end_if_done(now_ms);
    }

    /// The next device to work on; `None` = none is left, or enough are worked on.
    pub fn next(&mut self, now_ms: u64) -> Option<Work<'_>> {
        let number = self.next;
        if !matches!(self.phase, Phase::Running { .. }) || self.working >= WORK_MAX {
            return None;
        }
        let device = self.devices.get_mut(number)?;
        device.progress = Progress::Running { since_ms: now_ms };
        self.next += 1;
        self.working += 1;
        Some(Work { number, device: &device.id })
    }

    /// A device is done with, or has failed; also after the end of the job. What nobody works on
    /// stays as it is.
    pub fn done(&mut self, number: usize, outcome: Result<Option<Response>, Refusal>, now_ms: u64) {
        let Some(device) = self.devices.get_mut(number) else { return };
        let Progress::Running { since_ms } = device.progress else { return };
        let at_ms = now_ms;
        device.progress = match outcome {
            Ok(response) => Progress::Succeeded { since_ms, at_ms, response },
            Err(refusal) => Progress::Failed { since_ms, at_ms, refusal },
        };
        self.working -= 1;
        self.end_if_done(now_ms);
    }

    /// When something happens to it without anybody's doing: it is to begin, or
    /// [`turn`](Self::turn) is due. Wall milliseconds.
    pub fn deadline(&self) -> Option<u64> {
        let execution_ms = u64::from(self.plan.execution_time_s) * 1000;
        match self.phase {
            Phase::Waiting => Some(self.plan.start_ms),
            Phase::Running { since_ms } => Some(since_ms.saturating_add(execution_ms)),
            Phase::Ended { .. } => None,
        }
    }

    /// Time has passed: a job that has taken too long ends.
    pub fn turn(&mut self, now_ms: u64) {
        let is_due = self.deadline().is_some_and(|deadline| deadline <= now_ms);
        if is_due && matches!(self.phase, Phase::Running { .. }) {
            self.end(Status::Failed, Some("the time of the job is over"), now_ms);
        }
    }

    /// `POST /jobs/v2/{jobId}/cancel`: nothing more is begun.
    ///
    /// # Errors
    /// OperationNotAllowedInCurrentState for a job that has ended.
    pub fn cancel(&mut self, now_ms: u64) -> Result<(), Refusal> {
        if matches!(self.phase, Phase::Ended { .. }) {
            let code = ErrorCode::OperationNotAllowedInCurrentState;
            return Err(Refusal::new(code, "the job has ended"));
        }
        self.end(Status::Cancelled, None, now_ms);
        Ok(())
    }

    /// `deviceJobStatistics`.
    pub fn statistics(&self) -> Statistics {
        let begun = Statistics { devices: self.devices.len(), ..Statistics::default() };
        self.devices.iter().fold(begun, |mut all, device| {
            *match device.progress {
                Progress::Pending => &mut all.pending,
                Progress::Running { .. } => &mut all.running,
                Progress::Succeeded { .. } => &mut all.succeeded,
                Progress::Failed { .. } => &mut all.failed,
            } += 1;
            all
        })
    }

    fn end_if_done(&mut self, now_ms: u64) {
        let is_done = self.working == 0 && self.next == self.devices.len();
        if !is_done || !matches!(self.phase, Phase::Running { .. }) {
            return;
        }
        let Statistics { devices, failed, .. } = self.statistics();
        match devices > 0 && failed == devices {
            true => self.end(Status::Failed, Some("all devices have failed"), now_ms),
            false => self.end(Status::Completed, None, now_ms),
        }
    }

    fn end(&mut self, status: Status, why: Option<&'static str>, at_ms: u64) {
        let since_ms = match self.phase {
            Phase::Running { since_ms } => Some(since_ms),
            Phase::Waiting | Phase::Ended { .. } => None,
        };
        self.phase = Phase::Ended { status, since_ms, at_ms, why };
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
