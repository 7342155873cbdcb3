//! Jobs (iot-hub C7): `/jobs/v2`. Owns pages of them and of what they did to devices. Refuses to
//! know how they run.

use std::sync::Arc;

use axum::body::Body;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use tokio::sync::oneshot;

use hub::errors::{ErrorCode, Refusal};
use hub::job::{JobId, Kind, Plan, Planned, Status};
use hub::query::Query;
use node::door::Reply;
use node::jobs::{JobAsk, JobCounts, JobPage, JobRow, JobRows};

use super::continuation::Continuation;
use super::query::{
    CONTINUATION, ITEM_TYPE, MAX_ITEM_COUNT, PAGE_BYTES_MAX, array, not_of_it, page_rows,
};
use super::{Answer, Asked, asking, json};
use crate::http::backend::Backend;
use crate::http::error::HttpError;

/// `PUT`: 200 with the job that was made.
pub async fn plan<B: Backend>(asked: &Asked<'_, B>, id: &JobId, body: Body) -> Answer {
    let (body, _share) = asked.body(body).await?;
    let plan = Plan::read(id.clone(), &body, asked.app.backend.wall_ms())?;
    let planned = Box::new(Planned { plan: Arc::new(plan), body: body.into() });
    document(asked, |reply| JobAsk::Plan(planned, reply)).await
}

/// `GET`: 200.
pub async fn show<B: Backend>(asked: &Asked<'_, B>, id: &JobId) -> Answer {
    document(asked, |reply| JobAsk::Get(id.clone(), reply)).await
}

/// `POST .../cancel`: 200 with the job as it is now.
pub async fn cancel<B: Backend>(asked: &Asked<'_, B>, id: &JobId) -> Answer {
    document(asked, |reply| JobAsk::Cancel(id.clone(), reply)).await
}

/// `GET /jobs/v2/query`: 200 with a page; `x-ms-continuation` only where there is another.
pub async fn list<B: Backend>(asked: &Asked<'_, B>) -> Answer {
    let count = page_rows(asked.header(&MAX_ITEM_COUNT)?)?;
    let query = asked.query();
    let (kind, status) = (query.one("jobType")?, query.one("jobStatus")?);
    let (kind, status) = (kind.as_deref(), status.as_deref());
    let of_kind = named("jobType", kind, &KINDS, Kind::parse)?;
    let of_status = named("jobStatus", status, &STATUSES, Status::parse)?;
    let text = format!("jobs {} {}", kind.unwrap_or_default(), status.unwrap_or_default());
    let after = match asked.header(&CONTINUATION)?.filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => match Continuation::parse(token, &text) {
            Some(Continuation::Job { job, device: 0 }) => Some(job),
            _ => return Err(not_of_it()),
        },
    };
    let found = match (of_kind, of_status) {
        (Named::Never, _) | (_, Named::Never) => JobRows { rows: Vec::new(), next: None },
        (kind, status) => {
            let page = JobPage { kind: kind.one(), status: status.one(), after, count };
            ask(&asked.app.backend, |reply| JobAsk::Page(page, reply)).await?
        }
    };
    let next = found.next.map(|job| Continuation::Job { job, device: 0 }.token(&text));
    let rows: Vec<_> = found.rows.into_iter().map(|(_, row)| row).collect();
    page(&rows, "JobResponse", next)
}

/// A page of what jobs did to devices: `SELECT * FROM devices.jobs`.
pub async fn rows<B: Backend>(
    asked: &Asked<'_, B>,
    (query, text): (&Arc<Query>, &str),
    from: Option<Continuation>,
    count: usize,
) -> Answer {
    let (mut after, top) = match from {
        None => (None, query.top()),
        Some(Continuation::Job { job, device }) => (Some(JobRow { job, device }), None),
        Some(Continuation::JobOfTop { job, device, left }) => {
            (Some(JobRow { job, device }), Some(left))
        }
        Some(_) => return Err(not_of_it()),
    };
    let of_top = top.map_or(usize::MAX, |top| usize::try_from(top).unwrap_or(usize::MAX));
    let most = count.min(of_top);
    let (mut all, mut bytes) = (Vec::new(), 0);
    while all.len() < most && bytes < PAGE_BYTES_MAX {
        let left = most - all.len();
        let (query, from) = (Arc::clone(query), after);
        let part = ask(&asked.app.backend, |reply| JobAsk::Rows(query, from, left, reply)).await?;
        for (_, row) in part.rows {
            bytes += row.len();
            all.push(row);
        }
        after = part.next;
        if after.is_none() {
            break;
        }
    }
    // A page has fewer than 2^32 rows.
    let left = top.map(|top| top.saturating_sub(all.len() as u32));
    let next = after.filter(|_| left != Some(0)).map(|JobRow { job, device }| match left {
        None => Continuation::Job { job, device },
        Some(left) => Continuation::JobOfTop { job, device, left },
    });
    page(&all, query.item_kind().as_str(), next.map(|next| next.token(text)))
}

/// How many there are of each status.
///
/// # Errors
/// The server ends.
pub async fn counts<B: Backend>(backend: &B) -> Result<JobCounts, HttpError> {
    ask(backend, JobAsk::Counts).await
}

fn page(rows: &[Vec<u8>], kind: &'static str, next: Option<String>) -> Answer {
    let mut response = json(StatusCode::OK, array(rows), None)?;
    let headers = response.headers_mut();
    headers.insert(ITEM_TYPE, HeaderValue::from_static(kind));
    if let Some(token) = next {
        let token = HeaderValue::try_from(token);
        headers.insert(CONTINUATION, token.expect("base64 is a header value"));
    }
    Ok(response)
}

/// What a parameter wants.
enum Named<T> {
    All,
    One(T),
    /// The vendor has a name for it, and no job of ours is ever so.
    Never,
}

impl<T> Named<T> {
    fn one(self) -> Option<T> {
        match self {
            Self::One(one) => Some(one),
            Self::All | Self::Never => None,
        }
    }
}

fn named<T>(
    name: &str,
    text: Option<&str>,
    known: &[&str],
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Named<T>, HttpError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(Named::All) };
    if let Some(one) = parse(text) {
        return Ok(Named::One(one));
    }
    if known.iter().any(|known| known.eq_ignore_ascii_case(text)) {
        return Ok(Named::Never);
    }
    let text = format!("query parameter '{name}' is none of the names that jobs have");
    Err(Refusal::new(ErrorCode::ArgumentInvalid, text).into())
}

async fn document<B: Backend>(
    asked: &Asked<'_, B>,
    wanted: impl FnOnce(Reply<Result<Vec<u8>, Refusal>>) -> JobAsk,
) -> Answer {
    let document = ask(&asked.app.backend, wanted).await??;
    json(StatusCode::OK, document, None)
}

async fn ask<B: Backend, T: Send + 'static>(
    backend: &B,
    ask: impl FnOnce(Reply<T>) -> JobAsk,
) -> Result<T, HttpError> {
    let (reply, answer) = oneshot::channel();
    backend.jobs(ask(Box::new(move |value| drop(reply.send(value)))));
    answer.await.map_err(|_| asking::ending())
}

/// The vendor's names of jobs that we have none of.
const KINDS: [&str; 12] = [
    "unknown",
    "export",
    "import",
    "backup",
    "readDeviceProperties",
    "writeDeviceProperties",
    "updateDeviceConfiguration",
    "rebootDevice",
    "factoryResetDevice",
    "firmwareUpdate",
    "restoreFromBackup",
    "failoverDataCopy",
];
const STATUSES: [&str; 2] = ["unknown", "enqueued"];
