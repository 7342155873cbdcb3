//! What the log keeps of jobs. A job is known by where its plan lies. Refuses to know which records
//! are still needed.
//!
//! ```text
//! u8, u8    version, kind
//! 1         a plan: number wall milliseconds when it came, text id, bytes body as it came
//! 2         number job; list of device ids: a part of those that its condition selects
//! 3         number job; number wall milliseconds; list of places of parts, each how far it is
//!           above the one before, from 0: it begins with the devices of these parts
//! 4         number job; number wall milliseconds; list of devices, by their numbers in the job,
//!           each how far it is above the one before, from -1: they are asked now
//! 5         number job; number device; number x2 wall milliseconds: since when, at; u8 0 and
//!           nothing, or u8 1 and number status, bytes payload, or u8 2 and number code, text: what
//!           has become of a device. A status is doubled; one below 0 is doubled and inverted
//! 6         number job; number wall milliseconds; u8 how it has ended
//! 7         number job: nobody needs to know of it any more
//! ```

use std::sync::Arc;

use store::op::Sequence;

use super::id::JobId;
use super::plan::Plan;
use super::state::{End, Outcome, Response};
use crate::bytes::{BadRecord, Reader, Writer};
use crate::errors::{ErrorCode, Refusal};
use crate::identity::DeviceId;

/// A fact of a job; of all but its plan, `job` is where that lies.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A service has asked for it. All of a job is needed until it is forgotten.
    Planned(Planned),
    /// Devices that its condition selects: a part of them.
    Selected {
        /// Which job.
        job: Sequence,
        /// In their order.
        devices: Vec<DeviceId>,
    },
    /// It begins with the devices of these parts, one after the other.
    Begun {
        /// Which job.
        job: Sequence,
        /// When, wall milliseconds.
        at_ms: u64,
        /// Where they lie, ascending.
        parts: Box<[Sequence]>,
    },
    /// These devices are asked now: whoever finds this and no more does not know whether they were.
    Asking {
        /// Which job.
        job: Sequence,
        /// When, wall milliseconds.
        at_ms: u64,
        /// Their numbers in the job, ascending.
        devices: Box<[u32]>,
    },
    /// A device is done with.
    Done(Done),
    /// It has ended.
    Ended {
        /// Which job.
        job: Sequence,
        /// When, wall milliseconds.
        at_ms: u64,
        /// How.
        end: End,
    },
    /// Nobody needs to know of it any more.
    Forgotten {
        /// Which job.
        job: Sequence,
    },
}

/// A plan as it came.
#[derive(Debug, Clone)]
pub struct Planned {
    /// What it says.
    pub plan: Arc<Plan>,
    /// The body that it was read from.
    pub body: Box<[u8]>,
}

/// What has become of a device.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// Which job.
    pub job: Sequence,
    /// Its number there.
    pub device: u32,
    /// Since when it was in work, and when it was done with: wall milliseconds.
    pub during_ms: (u64, u64),
    /// What has become of it.
    pub outcome: Outcome,
}

/// By what was read: a plan is nothing else.
impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (&self.plan, &other.plan);
        a.id == b.id && a.created_ms == b.created_ms && self.body == other.body
    }
}

impl Record {
    /// The kind of its records in the log.
    pub const KIND: u8 = 36;

    /// Appends its durable form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let w = &mut Writer(out);
        w.byte(VERSION);
        match self {
            Self::Planned(Planned { plan, body }) => {
                w.byte(PLANNED);
                w.number(plan.created_ms);
                w.text(plan.id.as_str());
                w.bytes(body);
            }
            Self::Selected { job, devices } => {
                head(w, SELECTED, *job);
                w.number(devices.len() as u64);
                devices.iter().for_each(|id| w.text(id.as_str()));
            }
            Self::Begun { job, at_ms, parts } => {
                head(w, BEGUN, *job);
                w.number(*at_ms);
                ascending(w, parts.iter().map(|part| part.0));
            }
            Self::Asking { job, at_ms, devices } => {
                head(w, ASKING, *job);
                w.number(*at_ms);
                ascending(w, devices.iter().map(|number| u64::from(*number) + 1));
            }
            Self::Done(done) => done.encode(w),
            Self::Ended { job, at_ms, end } => {
                head(w, ENDED, *job);
                w.number(*at_ms);
                w.byte(end.number());
            }
            Self::Forgotten { job } => head(w, FORGOTTEN, *job),
        }
    }

    /// The other side of [`encode`](Self::encode), of bytes that nobody vouches for.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        let r = &mut Reader::new(bytes);
        r.version(VERSION)?;
        let kind = r.byte()?;
        if kind == PLANNED {
            let record = planned(r)?;
            return r.end().map(|()| record);
        }
        let job = Sequence(r.number()?);
        let record = match kind {
            SELECTED => {
                let device = |r: &mut Reader<'_>| DeviceId::parse(r.text()?).map_err(|_| NO_ID);
                let devices = (0..r.count()?).map(|_| device(r)).collect::<Result<_, _>>()?;
                Self::Selected { job, devices }
            }
            BEGUN => {
                let at_ms = r.number()?;
                Self::Begun { job, at_ms, parts: numbers(r, |n| Some(Sequence(n)))? }
            }
            ASKING => {
                let at_ms = r.number()?;
                let number = |n: u64| u32::try_from(n.checked_sub(1)?).ok();
                Self::Asking { job, at_ms, devices: numbers(r, number)? }
            }
            DONE => Self::Done(Done::decode(r, job)?),
            ENDED => {
                let at_ms = r.number()?;
                let end = End::of_number(r.byte()?).ok_or(BadRecord::Malformed("no such end"))?;
                Self::Ended { job, at_ms, end }
            }
            FORGOTTEN => Self::Forgotten { job },
            _ => return Err(BadRecord::Malformed("no record of jobs is of this kind")),
        };
        r.end()?;
        Ok(record)
    }
}

impl Done {
    fn encode(&self, w: &mut Writer<'_>) {
        let Self { job, device, during_ms: (since_ms, at_ms), outcome } = self;
        head(w, DONE, *job);
        [u64::from(*device), *since_ms, *at_ms].into_iter().for_each(|number| w.number(number));
        match outcome {
            Ok(None) => w.byte(0),
            Ok(Some(Response { status, payload })) => {
                w.byte(1);
                w.number((*status as u64) << 1 ^ (*status >> 63) as u64);
                w.bytes(payload);
            }
            Err(refusal) => {
                w.byte(2);
                w.number(refusal.code.number().into());
                w.text(&refusal.message);
            }
        }
    }

    fn decode(r: &mut Reader<'_>, job: Sequence) -> Result<Self, BadRecord> {
        let device = u32::try_from(r.number()?).map_err(|_| TOO_LARGE)?;
        let during_ms = (r.number()?, r.number()?);
        let outcome = match r.byte()? {
            0 => Ok(None),
            1 => {
                let doubled = r.number()?;
                let status = (doubled >> 1) as i64 ^ -((doubled & 1) as i64);
                Ok(Some(Response { status, payload: r.bytes()?.into() }))
            }
            2 => {
                let number = r.number()?;
                let code = ErrorCode::ALL.iter().find(|code| u64::from(code.number()) == number);
                let code = code.ok_or(BadRecord::Malformed("no such error code"))?;
                Err(Refusal::new(*code, r.text()?))
            }
            _ => return Err(BadRecord::Malformed("no such outcome")),
        };
        Ok(Self { job, device, during_ms, outcome })
    }
}

fn head(w: &mut Writer<'_>, kind: u8, job: Sequence) {
    w.byte(kind);
    w.number(job.0);
}

/// It was a good plan when it came, so it is one.
fn planned(r: &mut Reader<'_>) -> Result<Record, BadRecord> {
    let created_ms = r.number()?;
    let id = JobId::parse(r.text()?).map_err(|_| NO_ID)?;
    let body = r.bytes()?;
    let plan = Plan::read(id, body, created_ms);
    let plan = plan.map_err(|_| BadRecord::Malformed("a job has no plan"))?;
    Ok(Record::Planned(Planned { plan: Arc::new(plan), body: body.into() }))
}

fn ascending(w: &mut Writer<'_>, numbers: impl ExactSizeIterator<Item = u64>) {
    w.number(numbers.len() as u64);
    numbers.fold(0, |before, number| {
        debug_assert!(number > before, "{number} behind {before} cannot be read again");
        w.number(number.saturating_sub(before));
        number
    });
}

fn numbers<T>(r: &mut Reader<'_>, of: impl Fn(u64) -> Option<T>) -> Result<Box<[T]>, BadRecord> {
    let mut last = 0_u64;
    let numbers = (0..r.count()?).map(|_| {
        let above = r.number()?;
        last = last.checked_add(above).filter(|_| above > 0).ok_or(TOO_LARGE)?;
        of(last).ok_or(TOO_LARGE)
    });
    numbers.collect()
}

const VERSION: u8 = 1;
const PLANNED: u8 = 1;
const SELECTED: u8 = 2;
const BEGUN: u8 = 3;
const ASKING: u8 = 4;
const DONE: u8 = 5;
const ENDED: u8 = 6;
const FORGOTTEN: u8 = 7;
const NO_ID: BadRecord = BadRecord::Malformed("an id is none");
const TOO_LARGE: BadRecord = BadRecord::Malformed("numbers do not ascend, or are too large");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    fn all() -> Vec<Record> {
        let job = Sequence(300);
        let body = br#"{"type":"scheduleUpdateTwin","updateTwin":{"tags":{"a":1}}}"#.as_slice();
        let plan = Plan::read(JobId::parse("j1").unwrap(), body, 1 << 40).unwrap();
        let done = |outcome| Record::Done(Done { job, device: 70_000, during_ms: (5, 9), outcome });
        let response = |status| Response { status, payload: b"{}".as_slice().into() };
        vec![
            Record::Planned(Planned { plan: Arc::new(plan), body: body.into() }),
            Record::Selected {
                job,
                devices: ["a", "b"].map(|id| DeviceId::parse(id).unwrap()).into(),
            },
            Record::Begun { job, at_ms: 7, parts: [301, 900].map(Sequence).into() },
            Record::Begun { job, at_ms: 7, parts: [].into() },
            Record::Asking { job, at_ms: 7, devices: [0, 1, u32::MAX].into() },
            done(Ok(None)),
            done(Ok(Some(response(-1)))),
            done(Ok(Some(response(i64::MIN)))),
            done(Ok(Some(response(i64::MAX)))),
            done(Err(Refusal::new(ErrorCode::DeviceNotOnline, "not there"))),
            Record::Ended { job, at_ms: 7, end: End::Cancelled },
            Record::Forgotten { job },
        ]
    }

    #[test]
    fn records_come_back_and_others_are_refused() {
        let mut chance = Chance::new(9);
        for record in all() {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            assert_eq!(Record::decode(&bytes), Ok(record));
            for end in 0..bytes.len() {
                assert!(Record::decode(&bytes[..end]).is_err());
            }
            assert!(Record::decode(&[&bytes[..], &[0]].concat()).is_err());
            for _ in 0..1_000 {
                let mut bytes = bytes.clone();
                let at = chance.below(bytes.len());
                bytes[at] = chance.below(256) as u8;
                if let Ok(read) = Record::decode(&bytes) {
                    let mut again = Vec::new();
                    read.encode(&mut again);
                    assert_eq!(again, bytes);
                }
            }
        }
        for (bytes, why) in [
            (&[1, 8, 1][..], "no record of jobs is of this kind"),
            (&[1, 6, 1, 1, 5], "no such end"),
            (&[1, 5, 1, 1, 1, 1, 3], "no such outcome"),
            (&[1, 5, 1, 1, 1, 1, 2, 1, 0], "no such error code"),
            (&[1, 4, 1, 1, 1, 0], "numbers do not ascend, or are too large"),
            (&[1, 1, 0, 1, b'j', 2, b'{', b'}'], "a job has no plan"),
            (&[1, 1, 0, 0, 0], "an id is none"),
        ] {
            assert_eq!(Record::decode(bytes), Err(BadRecord::Malformed(why)));
        }
    }
}
