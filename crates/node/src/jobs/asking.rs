//! What services ask of jobs (iot-hub C7, B7), as plain data with the way back.

use super::keeping::Then;
use crate::door::Reply;
use crate::pressure::MEMORY_FULL;
use crate::shard::Shard;
use broker::budget::Level;
use hub::errors::{ErrorCode, Refusal};
use hub::job::{JobId, Kind, Planned, Status};
use hub::json;
use hub::query::Query;
use std::sync::Arc;
use store::op::Sequence;

/// A request to reactor 0. Each has its answer once, which comes when what it says is a fact.
pub enum JobAsk {
    /// A job (PUT); gives its document.
    Plan(Box<Planned>, Reply<Result<Vec<u8>, Refusal>>),
    /// Its document (GET).
    Get(JobId, Reply<Result<Vec<u8>, Refusal>>),
    /// Its end (POST .../cancel); gives its document.
    Cancel(JobId, Reply<Result<Vec<u8>, Refusal>>),
    /// Some of all jobs.
    Page(JobPage, Reply<JobRows<u64>>),
    /// Some of what jobs did to devices (`devices.jobs`).
    Rows(Arc<Query>, Option<JobRow>, usize, Reply<JobRows<JobRow>>),
    /// How many there are of each status.
    Counts(Reply<JobCounts>),
}

/// How many jobs there are of each status.
pub type JobCounts = [(Status, u64); Status::ALL.len()];

/// Which jobs.
#[derive(Debug, Clone, Copy)]
pub struct JobPage {
    /// `jobType`.
    pub kind: Option<Kind>,
    /// `jobStatus`.
    pub status: Option<Status>,
    /// Those that came behind this one.
    pub after: Option<u64>,
    /// At most so many.
    pub count: usize,
}

/// What a job did to a device: the number of the job, and of the device in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobRow {
    /// Of the job.
    pub job: u64,
    /// Of the device in it.
    pub device: u32,
}

/// A part of what was asked for.
#[derive(Debug)]
pub struct JobRows<T> {
    /// Documents, each with what the next part may come behind.
    pub rows: Vec<(T, Vec<u8>)>,
    /// What the next part comes behind; `None` = there are no more.
    pub next: Option<T>,
}

impl Shard {
    /// Somebody asks something of jobs.
    pub(crate) fn job_asked(&mut self, ask: JobAsk) {
        let now_ms = self.homes.now.wall_ms;
        match ask {
            JobAsk::Plan(_, reply) if self.homes.meter.level() == Level::Full => {
                reply(Err(Refusal::new(ErrorCode::ServiceUnavailable, MEMORY_FULL)));
            }
            JobAsk::Plan(planned, reply) => match self.jobs.board.plan(*planned) {
                Ok(record) => self.write_job(record, Then::Told(reply)),
                Err(refusal) => reply(Err(refusal)),
            },
            JobAsk::Get(id, reply) => {
                let job = self.jobs.board.find(&id);
                reply(job.map(|job| self.job_shown(job)));
            }
            JobAsk::Cancel(id, reply) => match self.jobs.board.cancel(&id, now_ms) {
                Ok(record) => self.write_job(record, Then::Told(reply)),
                Err(refusal) => reply(Err(refusal)),
            },
            JobAsk::Page(page, reply) => reply(self.job_page(page)),
            JobAsk::Rows(query, after, count, reply) => reply(self.job_rows(&query, after, count)),
            JobAsk::Counts(reply) => reply(self.jobs.board.counts(now_ms)),
        }
    }

    /// The document of a job.
    pub(super) fn job_shown(&self, job: Sequence) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(job) = self.jobs.board.job(job) {
            job.write(self.homes.now.wall_ms, &mut out);
        }
        out
    }

    fn job_page(&self, page: JobPage) -> JobRows<u64> {
        let JobPage { kind, status, after, count } = page;
        let now_ms = self.homes.now.wall_ms;
        let (mut rows, mut bytes, mut last) = (Vec::new(), 0, None);
        for (number, job) in self.jobs.board.behind(Sequence(after.unwrap_or(0))) {
            if kind.is_some_and(|kind| job.plan().action.kind() != kind)
                || status.is_some_and(|status| job.status(now_ms) != status)
            {
                continue;
            }
            if rows.len() >= count || bytes >= PAGE_BYTES {
                return JobRows { rows, next: last };
            }
            let mut out = Vec::new();
            job.write(now_ms, &mut out);
            bytes += out.len();
            rows.push((number.0, out));
            last = Some(number.0);
        }
        JobRows { rows, next: None }
    }

    /// Looks at so many devices that others are not kept waiting.
    fn job_rows(&self, query: &Query, after: Option<JobRow>, count: usize) -> JobRows<JobRow> {
        let (mut rows, mut last) = (Vec::new(), after);
        let mut left = LOOKED_AT_ONCE;
        let behind = Sequence(after.map_or(0, |at| at.job.saturating_sub(1)));
        for (number, job) in self.jobs.board.behind(behind) {
            let from = after.filter(|at| at.job == number.0).map_or(0, |at| at.device + 1);
            for device in from.. {
                let mut out = Vec::new();
                if !job.write_device(device, &mut out) {
                    break;
                }
                if left == 0 || rows.len() >= count {
                    return JobRows { rows, next: last };
                }
                left -= 1;
                let row = JobRow { job: number.0, device };
                last = Some(row);
                let selects = json::parse(&out, DEPTH_MAX).is_ok_and(|value| query.matches(&value));
                if selects {
                    rows.push((row, out));
                }
            }
            // A job without devices takes a look too.
            left = left.saturating_sub(1);
        }
        JobRows { rows, next: None }
    }
}

/// Above it a page ends.
const PAGE_BYTES: usize = 1 << 20;
/// So many devices of jobs take about as long as a burst of publishes.
const LOOKED_AT_ONCE: usize = 200;
/// Of a record of a device: an answer may be as deep as any.
const DEPTH_MAX: usize = 64;
