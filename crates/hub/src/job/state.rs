//! How far a job is, with all and with each of its devices (iot-hub C7): a fold of its records.
//! Refuses to know how a device is worked on.

use std::sync::Arc;

use super::limits::{HISTORY_MS, KEPT_PAYLOAD_BYTES_MAX, WORK_MAX};
use super::plan::Plan;
use crate::errors::{ErrorCode, Refusal};
use crate::identity::DeviceId;
use crate::method::Reply;

/// A job that was accepted.
#[derive(Debug, Clone)]
pub struct Job {
    pub(super) plan: Arc<Plan>,
    pub(super) phase: Phase,
    pub(super) devices: Vec<Device>,
    /// Nobody before it is to be begun with.
    next: usize,
    counts: Statistics,
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

/// How a job has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It is done with all devices, and has succeeded with one at least, or there was none.
    Completed,
    /// It has failed with every device.
    AllFailed,
    /// `maxExecutionTimeInSeconds` were over.
    TimeOver,
    /// Its condition selects more devices than jobs may have.
    TooMany,
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

/// What has become of a device: what it has answered to a method, or nothing more for a twin; or
/// why it has failed.
pub type Outcome = Result<Option<Response>, Refusal>;

/// A device to work on now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Work<'j> {
    /// Its number in the job.
    pub number: u32,
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
    Ended { end: End, at_ms: u64 },
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
    Succeeded { since_ms: u64, at_ms: u64, response: Option<Box<Response>> },
    Failed { since_ms: u64, at_ms: u64, refusal: Box<Refusal> },
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

impl End {
    /// The status that it leads to.
    pub fn status(self) -> Status {
        match self {
            Self::Completed => Status::Completed,
            Self::AllFailed | Self::TimeOver | Self::TooMany => Status::Failed,
            Self::Cancelled => Status::Cancelled,
        }
    }

    /// `failureReason`.
    pub fn why(self) -> Option<&'static str> {
        match self {
            Self::Completed | Self::Cancelled => None,
            Self::AllFailed => Some("all devices have failed"),
            Self::TimeOver => Some("the time of the job is over"),
            Self::TooMany => Some("jobs have as many devices as they may have"),
        }
    }

    /// Its number in records.
    pub(super) fn number(self) -> u8 {
        self as u8
    }

    /// The other side of [`number`](Self::number).
    pub(super) fn of_number(number: u8) -> Option<Self> {
        let all =
            [Self::Completed, Self::AllFailed, Self::TimeOver, Self::TooMany, Self::Cancelled];
        all.into_iter().find(|end| end.number() == number)
    }
}

impl Job {
    /// A job that waits for its time.
    pub fn new(plan: Arc<Plan>) -> Self {
        let (devices, counts) = (Vec::new(), Statistics::default());
        Self { plan, phase: Phase::Waiting, devices, next: 0, counts }
    }

    /// What was asked for.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// `status`.
    pub fn status(&self, now_ms: u64) -> Status {
        match self.phase {
            Phase::Waiting if now_ms < self.plan.start_ms => Status::Scheduled,
            Phase::Waiting => Status::Queued,
            Phase::Running { .. } => Status::Running,
            Phase::Ended { end, .. } => end.status(),
        }
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    /// When something happens to it without anybody's doing: it is to begin, its time is over, or
    /// nobody needs to know of it any more. Wall milliseconds.
    pub fn deadline(&self) -> u64 {
        let execution_ms = u64::from(self.plan.execution_time_s) * 1000;
        match self.phase {
            Phase::Waiting => self.plan.start_ms,
            Phase::Running { since_ms } => since_ms.saturating_add(execution_ms),
            Phase::Ended { at_ms, .. } => at_ms.saturating_add(HISTORY_MS),
        }
    }

    /// The next device to work on, which is in work from now on; `None` = none is left, or enough
    /// are worked on.
    pub fn next(&mut self, now_ms: u64) -> Option<Work<'_>> {
        if !matches!(self.phase, Phase::Running { .. }) || self.counts.running >= WORK_MAX {
            return None;
        }
        let waits = |device: &Device| matches!(device.progress, Progress::Pending);
        let Some(distance) = self.devices[self.next..].iter().position(waits) else {
            self.next = self.devices.len();
            return None;
        };
        let place = self.next + distance;
        self.next = place + 1;
        self.count(place, -1);
        self.devices[place].progress = Progress::Running { since_ms: now_ms };
        self.count(place, 1);
        Some(Work { number: u32::try_from(place).ok()?, device: &self.devices[place].id })
    }

    /// Nobody works on a device after all: it waits again.
    pub fn lost(&mut self, number: u32) {
        let place = number as usize;
        if matches!(self.progress(place), Some(Progress::Running { .. })) {
            self.set(place, Progress::Pending);
            self.next = self.next.min(place);
        }
    }

    /// Devices in work of which nobody knows more: after a start.
    pub fn in_work(&self) -> impl Iterator<Item = (u32, u64)> {
        let numbered = (0..).zip(&self.devices);
        numbered.filter_map(|(number, device)| match device.progress {
            Progress::Running { since_ms } => Some((number, since_ms)),
            _ => None,
        })
    }

    /// Whether it is to end now, and how.
    pub fn end_due(&self, now_ms: u64) -> Option<End> {
        let Phase::Running { .. } = self.phase else { return None };
        let Statistics { devices, failed, running, pending, .. } = self.counts;
        match running + pending {
            0 if devices > 0 && failed == devices => Some(End::AllFailed),
            0 => Some(End::Completed),
            _ => (self.deadline() <= now_ms).then_some(End::TimeOver),
        }
    }

    /// `POST /jobs/v2/{jobId}/cancel`: nothing more is begun.
    ///
    /// # Errors
    /// OperationNotAllowedInCurrentState for a job that has ended.
    pub fn cancel(&self) -> Result<End, Refusal> {
        if self.is_over() {
            let code = ErrorCode::OperationNotAllowedInCurrentState;
            return Err(Refusal::new(code, "the job has ended"));
        }
        Ok(End::Cancelled)
    }

    /// `deviceJobStatistics`.
    pub fn statistics(&self) -> Statistics {
        self.counts
    }

    /// It has begun with these devices.
    pub(super) fn begun(&mut self, devices: Vec<DeviceId>, since_ms: u64) {
        let devices = devices.into_iter().map(|id| Device { id, progress: Progress::Pending });
        self.devices = devices.collect();
        let (devices, pending) = (self.devices.len(), self.devices.len());
        self.counts = Statistics { devices, pending, ..Statistics::default() };
        self.phase = Phase::Running { since_ms };
    }

    /// Devices are in work.
    pub(super) fn asked(&mut self, numbers: &[u32], since_ms: u64) {
        for number in numbers {
            let place = *number as usize;
            if matches!(self.progress(place), Some(Progress::Pending)) {
                self.set(place, Progress::Running { since_ms });
            }
        }
    }

    /// A device is done with, once; also after the end of the job.
    pub(super) fn done(&mut self, number: u32, (since_ms, at_ms): (u64, u64), outcome: Outcome) {
        if !self.awaits(number) {
            return;
        }
        let progress = match outcome {
            Ok(response) => {
                Progress::Succeeded { since_ms, at_ms, response: response.map(Box::new) }
            }
            Err(refusal) => Progress::Failed { since_ms, at_ms, refusal: Box::new(refusal) },
        };
        self.set(number as usize, progress);
    }

    /// Whether it is not done with a device that it has.
    pub(super) fn awaits(&self, number: u32) -> bool {
        let progress = self.progress(number as usize);
        matches!(progress, Some(Progress::Pending | Progress::Running { .. }))
    }

    /// It has ended.
    pub(super) fn ended(&mut self, end: End, at_ms: u64) {
        self.phase = Phase::Ended { end, at_ms };
    }

    fn progress(&self, place: usize) -> Option<&Progress> {
        self.devices.get(place).map(|device| &device.progress)
    }

    fn set(&mut self, place: usize, progress: Progress) {
        self.count(place, -1);
        self.devices[place].progress = progress;
        self.count(place, 1);
    }

    fn count(&mut self, place: usize, by: isize) {
        let counts = &mut self.counts;
        let count = match self.devices[place].progress {
            Progress::Pending => &mut counts.pending,
            Progress::Running { .. } => &mut counts.running,
            Progress::Succeeded { .. } => &mut counts.succeeded,
            Progress::Failed { .. } => &mut counts.failed,
        };
        *count = count.saturating_add_signed(by);
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
