//! Jobs over many devices (iot-hub C7): decided on reactor 0 with crate `hub`, worked on at the
//! homes of devices.
//!
//! [`asking`] is what services ask of jobs, [`keeping`] makes facts of what is decided and is a
//! start, [`working`] begins jobs and goes through their devices, a few a turn, [`serving`] is the
//! part of homes: which devices a condition selects, and what is done to one of them, by the
//! ways that a service's own call takes. Reactor 0 and homes tell each other by [`Mail`]. Refuses
//! to know HTTP.

mod asking;
mod keeping;
mod serving;
mod working;

pub use asking::{JobAsk, JobCounts, JobPage, JobRow, JobRows};
pub(crate) use keeping::JobWritten;

use broker::budget::Charge;
use hub::identity::{DeviceId, IdentityId};
use hub::job::{Board, Done, Plan, Record};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use store::op::Sequence;

/// What a reactor has of jobs.
pub(crate) struct Desk {
    /// All jobs; on reactor 0.
    board: Board,
    /// Jobs whose devices are being selected.
    selecting: BTreeMap<Sequence, Selecting>,
    /// How many selections there were.
    attempts: u64,
    /// What could not be written, and is known here only.
    again: Vec<Record>,
    /// The disk does not take anything: nothing more is tried before, wall milliseconds.
    quiet_until_ms: u64,
    /// Where nothing is kept: the last number that a job or a record was given.
    last: u64,
    /// Mail of this reactor to itself: a round of it a turn.
    own: VecDeque<Mail>,
    /// Answers to methods, which come from anywhere in a turn.
    answers: (Sender<Done>, Receiver<Done>),
    /// How many of them are to come.
    open: usize,
    /// Whether jobs are to be looked at in the next turn.
    due: bool,
    /// What the board takes of the budget, as it last was.
    charge: Option<(usize, Charge)>,
}

/// How far it is known which devices a job has.
struct Selecting {
    /// Which selection it is: what an earlier one has written is not this one's.
    attempt: u64,
    /// Where the parts that were selected lie.
    parts: Vec<Sequence>,
    /// Parts on their way to the log.
    writing: usize,
    /// How many devices there are.
    devices: usize,
    /// The home that is being asked.
    home: usize,
}

/// What reactor 0 and homes tell each other of jobs.
pub(crate) enum Mail {
    /// To a home: which devices does the condition select, behind this one?
    Select { selection: Selection, after: Option<IdentityId> },
    /// To reactor 0: these; and where that goes on.
    Selected { selection: Selection, devices: Vec<DeviceId>, next: Option<IdentityId> },
    /// To a home: a device is to be worked on.
    Work(Work),
    /// To reactor 0: a device is done with, which is no fact yet.
    Done(Done),
    /// To reactor 0: a device is done with, as this record says; 0 where nothing is kept.
    Kept(Done, Sequence),
    /// To reactor 0: a device is not worked on after all, it may be tried again.
    Lost { job: Sequence, device: u32 },
}

/// Which selection of which job.
#[derive(Clone)]
pub(crate) struct Selection {
    job: Sequence,
    attempt: u64,
    plan: Arc<Plan>,
}

/// A device to work on.
pub(crate) struct Work {
    pub job: Sequence,
    /// Its number in the job.
    pub device: u32,
    pub id: DeviceId,
    pub plan: Arc<Plan>,
    /// Wall milliseconds.
    pub since_ms: u64,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            board: Board::default(),
            selecting: BTreeMap::new(),
            attempts: 0,
            again: Vec::new(),
            quiet_until_ms: 0,
            last: 0,
            own: VecDeque::new(),
            answers: channel(),
            open: 0,
            due: false,
            charge: None,
        }
    }
}

impl Desk {
    /// Whether it has something to do at the end of a turn.
    pub fn is_busy(&self) -> bool {
        self.open > 0 || !self.own.is_empty()
    }

    /// Whether it has something to do at once.
    pub fn has_work(&self) -> bool {
        self.due || !self.own.is_empty()
    }

    /// Something has become of a job: once a turn they are looked at.
    pub fn wake(&mut self) {
        self.due = true;
    }

    /// Whether that is now.
    pub fn take_due(&mut self) -> bool {
        std::mem::take(&mut self.due)
    }
}

impl Mail {
    /// About how many bytes it holds beside itself.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Selected { devices, .. } => {
                devices.iter().map(|id| size_of::<DeviceId>() + id.as_str().len()).sum()
            }
            Self::Work(work) => work.id.as_str().len(),
            Self::Done(done) | Self::Kept(done, _) => match &done.outcome {
                Ok(response) => response.as_ref().map_or(0, |response| response.payload.len()),
                Err(refusal) => refusal.message.len(),
            },
            Self::Select { .. } | Self::Lost { .. } => 0,
        }
    }
}
