//! The account of jobs: asked for, shown, what their devices heard, and the twins that jobs alone
//! write. Refuses to know who asks, and how.

use super::section::Wrong;
use std::collections::BTreeMap;

/// The books of all jobs.
#[derive(Debug, Default)]
pub struct Jobs {
    jobs: Vec<Job>,
    /// Twins that only jobs write.
    twins: Vec<Twin>,
    /// Jobs that were seen to have ended.
    pub ended: u64,
    /// What jobs did to devices, when all have ended.
    pub done: u64,
}

/// What a job does to each of its devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Writes a twin that jobs alone write.
    Write,
    /// Calls a device.
    Call,
}

#[derive(Debug)]
struct Job {
    work: Work,
    /// How many devices its condition selects.
    devices: u64,
    fate: Fate,
    cancel: Cancel,
    shown: Option<Shown>,
    /// Devices that were called.
    heard: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// No answer: it may be there.
    Open,
    /// It is there.
    Accepted,
    /// It must never be there.
    Absent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    /// Nobody wanted to.
    None,
    /// Asked for, perhaps done.
    Perhaps,
    /// It was done.
    Done,
}

/// What a job's document says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// `status`.
    pub status: String,
    /// `endTime`, when it has ended.
    pub end: Option<String>,
    /// `deviceCount`.
    pub devices: u64,
    /// `succeededCount`.
    pub succeeded: u64,
    /// `failedCount`.
    pub failed: u64,
}

#[derive(Debug, Default)]
struct Twin {
    /// By version of what is desired: the job that wrote it.
    written: BTreeMap<u64, u64>,
    floor: u64,
}

impl Jobs {
    /// With so many twins that only jobs write.
    pub fn new(twins: usize) -> Self {
        Self { twins: (0..twins).map(|_| Twin::default()).collect(), ..Self::default() }
    }

    /// A job for so many devices is about to be asked for; its number.
    pub fn plan(&mut self, work: Work, devices: u64) -> u64 {
        let (fate, cancel, shown, heard) = (Fate::Open, Cancel::None, None, Vec::new());
        self.jobs.push(Job { work, devices, fate, cancel, shown, heard });
        self.jobs.len() as u64 - 1
    }

    /// Jobs of which more may become than is known: they are to be looked at.
    pub fn open(&self) -> Vec<u64> {
        let is_open = |job: &Job| {
            job.fate != Fate::Absent && job.shown.as_ref().is_none_or(|shown| shown.end.is_none())
        };
        (0..).zip(&self.jobs).filter(|(_, job)| is_open(job)).map(|(n, _)| n).collect()
    }

    /// Jobs that are there.
    pub fn there(&self) -> Vec<u64> {
        let there = |(n, job): (u64, &Job)| (job.fate == Fate::Accepted).then_some(n);
        (0..).zip(&self.jobs).filter_map(there).collect()
    }

    /// The hub does not have it.
    ///
    /// # Errors
    /// When it had taken it.
    pub fn absent(&mut self, job: u64) -> Result<(), Wrong> {
        let known = self.known(job)?;
        if known.fate == Fate::Accepted {
            return Err(format!("job {job} was taken and is not there"));
        }
        known.fate = Fate::Absent;
        Ok(())
    }

    /// Somebody is about to cancel it.
    pub fn cancel(&mut self, job: u64) {
        if let Ok(known) = self.known(job)
            && known.cancel == Cancel::None
        {
            known.cancel = Cancel::Perhaps;
        }
    }

    /// The hub has cancelled it.
    ///
    /// # Errors
    /// When it had ended.
    pub fn cancelled(&mut self, job: u64) -> Result<(), Wrong> {
        let known = self.known(job)?;
        known.cancel = Cancel::Done;
        match &known.shown {
            Some(Shown { end: Some(_), status, .. }) if status != CANCELLED => {
                Err(format!("job {job} was {status} and is cancelled"))
            }
            _ => Ok(()),
        }
    }

    /// Its document.
    ///
    /// # Errors
    /// When it says less than it said before, or what cannot be.
    pub fn shown(&mut self, job: u64, shown: &Shown) -> Result<(), Wrong> {
        let known = self.known(job)?;
        if known.fate == Fate::Absent {
            return Err(format!("job {job} was not there and is"));
        }
        known.fate = Fate::Accepted;
        let was = known.shown.replace(shown.clone());
        if let Some(was) = &was {
            let less = shown.succeeded < was.succeeded || shown.failed < was.failed;
            let ended = was.end.is_some() && (&was.end, &was.status) != (&shown.end, &shown.status);
            let begun = was.devices > 0 && was.devices != shown.devices;
            if less || ended || begun {
                return Err(format!("job {job} was {was:?} and is {shown:?}"));
            }
        }
        if shown.devices != 0 && shown.devices != known.devices {
            return Err(format!("job {job} has {} devices of {}", shown.devices, known.devices));
        }
        if shown.end.is_none() {
            return Ok(());
        }
        let all = shown.succeeded + shown.failed == known.devices;
        let cancelled = shown.status == CANCELLED;
        let right = match (known.cancel, known.work) {
            (Cancel::None, _) if cancelled => false,
            (Cancel::Done, _) if !cancelled => false,
            _ if cancelled => true,
            (_, Work::Write) => shown.status == COMPLETED && shown.succeeded == known.devices,
            (_, Work::Call) if shown.succeeded > 0 => shown.status == COMPLETED && all,
            (_, Work::Call) => shown.status == FAILED && all,
        };
        if !right {
            return Err(format!("job {job} of {:?} has ended as {shown:?}", known.work));
        }
        self.ended += u64::from(was.is_none_or(|was| was.end.is_none()));
        Ok(())
    }

    /// A device was called by a job.
    ///
    /// # Errors
    /// When it was before, or by no such job.
    pub fn hear(&mut self, job: u64, device: usize) -> Result<(), Wrong> {
        let known = self.known(job)?;
        if known.work != Work::Call || known.fate == Fate::Absent {
            return Err(format!("job {job} does not call, and {device} hears it"));
        }
        if known.heard.contains(&device) {
            return Err(format!("job {job} calls {device} twice"));
        }
        known.heard.push(device);
        Ok(())
    }

    /// What stands in a twin that only jobs write: a version, and the last job.
    ///
    /// # Errors
    /// When it is older than before, or a job has written twice.
    pub fn written(&mut self, twin: usize, version: u64, job: Option<u64>) -> Result<(), Wrong> {
        let Some(job) = job else {
            let floor = self.twins[twin].floor;
            let new = version == 1 && floor <= 1;
            return if new { Ok(()) } else { Err(format!("twin {twin} is empty at {version}")) };
        };
        let known = self.known(job)?;
        if known.work != Work::Write || known.fate == Fate::Absent {
            return Err(format!("twin {twin} has job {job}, which does not write"));
        }
        // It is there, whether who asked for it was told or not.
        known.fate = Fate::Accepted;
        let Twin { written, floor } = &mut self.twins[twin];
        if version < *floor {
            return Err(format!("twin {twin} is at {version} after {floor}"));
        }
        *floor = version;
        let other = *written.entry(version).or_insert(job);
        if other != job || written.iter().any(|(at, by)| *by == job && *at != version) {
            return Err(format!("twin {twin} has {job} at {version}, of {written:?}"));
        }
        Ok(())
    }

    /// All has ended: the devices that a job called and that have succeeded, by the hub's word.
    ///
    /// # Errors
    /// When one of them heard nothing.
    pub fn succeeded(&self, job: u64, devices: &[usize]) -> Result<(), Wrong> {
        let found = usize::try_from(job).ok().and_then(|at| self.jobs.get(at));
        let known = found.ok_or_else(|| format!("job {job} was never asked for"))?;
        let heard = |device: &&usize| known.heard.contains(device);
        match devices.iter().find(|device| !heard(device)) {
            Some(device) if known.work == Work::Call => {
                Err(format!("job {job} says that {device} has answered, which heard nothing"))
            }
            _ => Ok(()),
        }
    }

    /// All has ended: a twin has a version for each job that says that it wrote it.
    ///
    /// # Errors
    /// When it has more or fewer.
    pub fn settled(&self, twin: usize, version: u64, jobs: u64) -> Result<(), Wrong> {
        if version == jobs + 1 {
            return Ok(());
        }
        Err(format!("twin {twin} is at {version} and was written by {jobs} jobs"))
    }

    fn known(&mut self, job: u64) -> Result<&mut Job, Wrong> {
        let found = usize::try_from(job).ok().and_then(|at| self.jobs.get_mut(at));
        found.ok_or_else(|| format!("job {job} was never asked for"))
    }
}

const COMPLETED: &str = "completed";
const FAILED: &str = "failed";
const CANCELLED: &str = "cancelled";

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(status: &str, devices: u64, succeeded: u64, failed: u64) -> Shown {
        let over = [COMPLETED, FAILED, CANCELLED].contains(&status);
        let (status, end) = (status.to_owned(), over.then(|| "then".to_owned()));
        Shown { status, end, devices, succeeded, failed }
    }

    #[test]
    fn a_right_history_is_right() {
        let mut jobs = Jobs::new(2);
        let (write, call, lost, stopped) = (
            jobs.plan(Work::Write, 2),
            jobs.plan(Work::Call, 3),
            jobs.plan(Work::Write, 2),
            jobs.plan(Work::Write, 2),
        );
        jobs.written(0, 1, None).unwrap();
        jobs.shown(write, &shown("queued", 0, 0, 0)).unwrap();
        jobs.shown(write, &shown("running", 2, 1, 0)).unwrap();
        jobs.written(0, 2, Some(write)).unwrap();
        jobs.shown(write, &shown(COMPLETED, 2, 2, 0)).unwrap();
        jobs.hear(call, 4).unwrap();
        jobs.shown(call, &shown(COMPLETED, 3, 1, 2)).unwrap();
        jobs.succeeded(call, &[4]).unwrap();
        jobs.absent(lost).unwrap();
        jobs.cancel(stopped);
        // Nobody heard the answer, and what was in work goes on.
        jobs.shown(stopped, &shown(CANCELLED, 2, 0, 0)).unwrap();
        assert!(jobs.open().is_empty());
        jobs.shown(stopped, &shown(CANCELLED, 2, 1, 0)).unwrap();
        jobs.written(0, 3, Some(stopped)).unwrap();
        jobs.settled(0, 3, 2).unwrap();
        assert_eq!((jobs.there(), jobs.ended), (vec![0, 1, 3], 3));
    }

    #[test]
    fn wrong_histories_are_seen() {
        type History = fn(&mut Jobs) -> Result<(), Wrong>;
        let rows: [(&str, History); 19] = [
            ("lost", |j| {
                j.shown(0, &shown("queued", 0, 0, 0))?;
                j.absent(0)
            }),
            ("there after all", |j| {
                j.absent(0)?;
                j.shown(0, &shown("queued", 0, 0, 0))
            }),
            ("never asked for", |j| j.shown(2, &shown("queued", 0, 0, 0))),
            ("fewer done", |j| {
                j.shown(0, &shown("running", 2, 1, 0))?;
                j.shown(0, &shown("running", 2, 0, 0))
            }),
            ("others", |j| j.shown(0, &shown("running", 3, 1, 0))),
            ("begun again", |j| {
                j.shown(0, &shown("running", 2, 1, 0))?;
                j.shown(0, &shown("queued", 0, 1, 0))
            }),
            ("ended and runs", |j| {
                j.shown(1, &shown(FAILED, 2, 0, 2))?;
                j.shown(1, &shown("running", 2, 0, 2))
            }),
            ("a write that fails", |j| j.shown(0, &shown(COMPLETED, 2, 1, 1))),
            ("ended too early", |j| j.shown(1, &shown(COMPLETED, 2, 1, 0))),
            ("cancelled by nobody", |j| j.shown(0, &shown(CANCELLED, 2, 0, 0))),
            ("cancelled and completed", |j| {
                j.cancel(0);
                j.cancelled(0)?;
                j.shown(0, &shown(COMPLETED, 2, 2, 0))
            }),
            ("completed and cancelled", |j| {
                j.shown(0, &shown(COMPLETED, 2, 2, 0))?;
                j.cancelled(0)
            }),
            ("called twice", |j| {
                j.hear(1, 3)?;
                j.hear(1, 3)
            }),
            ("called by a write", |j| j.hear(0, 3)),
            ("answered by nobody", |j| j.succeeded(1, &[3])),
            ("written twice", |j| {
                j.written(0, 2, Some(0))?;
                j.written(0, 3, Some(0))
            }),
            ("older", |j| {
                j.written(0, 3, Some(0))?;
                j.plan(Work::Write, 2);
                j.written(0, 2, Some(2))
            }),
            ("forgotten", |j| {
                j.written(0, 2, Some(0))?;
                j.written(0, 1, None)
            }),
            ("a write too many", |j| j.settled(0, 3, 1)),
        ];
        for (name, history) in rows {
            let mut jobs = Jobs::new(1);
            assert_eq!([Work::Write, Work::Call].map(|work| jobs.plan(work, 2)), [0, 1]);
            assert!(history(&mut jobs).is_err(), "{name}");
        }
    }
}
