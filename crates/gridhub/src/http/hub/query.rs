//! Queries (iot-hub B7, C4): `POST /devices/query`, page by page.

use std::sync::Arc;

use axum::body::Body;
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};
use serde::Deserialize;

use hub::errors::{ErrorCode, Refusal};
use hub::query::{Query, Source, Tally};
use node::devices::Scan;

use super::continuation::Continuation;
use super::merge::Merge;
use super::{Answer, Asked, asking, job, json};
use crate::http::backend::Backend;
use crate::http::error::HttpError;

/// The body.
#[derive(Deserialize)]
struct Wanted {
    query: String,
}

/// A page of rows, and where the next one begins.
struct Page {
    rows: Vec<Vec<u8>>,
    next: Option<Continuation>,
}

/// 200 with a page; `x-ms-continuation` only where there is another.
pub async fn run<B: Backend>(asked: &Asked<'_, B>, body: Body) -> Answer {
    let count = page_rows(asked.header(&MAX_ITEM_COUNT)?)?;
    let (body, _share) = asked.body(body).await?;
    let Wanted { query: text } = serde_json::from_slice(&body).map_err(|why| {
        let text = format!("the body is no {{\"query\":\"SELECT * FROM devices\"}}: {why}");
        Refusal::new(ErrorCode::IotHubFormatError, text)
    })?;
    let query = Arc::new(Query::parse(&text).map_err(Refusal::from)?);
    let from = match asked.header(&CONTINUATION)?.filter(|token| !token.is_empty()) {
        None => None,
        Some(token) => Some(Continuation::parse(token, &text).ok_or_else(not_of_it)?),
    };
    if query.source() == Source::Jobs {
        return job::rows(asked, (&query, &text), from, count).await;
    }
    let backend = &asked.app.backend;
    let page = match (query.tally(), from) {
        (None, None) => found(backend, &query, None, query.top(), count).await?,
        (None, Some(Continuation::Behind { id, left })) => {
            found(backend, &query, Some(&id), left, count).await?
        }
        (Some(tally), from @ (None | Some(Continuation::Row(_)))) => {
            let skip = if let Some(Continuation::Row(at)) = from { at } else { 0 };
            counted(backend, &query, tally, skip as usize, count).await?
        }
        _ => return Err(not_of_it()),
    };
    let mut response = json(StatusCode::OK, array(&page.rows), None)?;
    let headers = response.headers_mut();
    headers.insert(ITEM_TYPE, HeaderValue::from_static(query.item_kind().as_str()));
    if let Some(next) = page.next {
        let token = HeaderValue::try_from(next.token(&text));
        headers.insert(CONTINUATION, token.expect("base64 is a header value"));
    }
    Ok(response)
}

/// A page of what is found one by one; `left` rows of a `TOP` are still to come.
async fn found<B: Backend>(
    backend: &B,
    query: &Arc<Query>,
    behind: Option<&hub::identity::IdentityId>,
    left: Option<u32>,
    count: usize,
) -> Result<Page, HttpError> {
    let of_top = |left: u32| usize::try_from(left).unwrap_or(usize::MAX);
    let most = left.map_or(count, |left| of_top(left).min(count));
    let mut merge = Merge::behind(backend, Arc::clone(query), behind);
    let (mut rows, mut bytes, mut last) = (Vec::new(), 0, None);
    if left == Some(0) {
        return Ok(Page { rows, next: None });
    }
    while let Some((id, row)) = merge.next().await? {
        // A page is never empty: it has to come forward.
        let full = rows.len() == most || (bytes + row.len() > PAGE_BYTES_MAX && !rows.is_empty());
        if full {
            // Fewer than a page has rows, which is fewer than 2^32.
            let left = left.map(|left| left.saturating_sub(rows.len() as u32));
            let next = last.filter(|_| left != Some(0));
            let next = next.map(|id| Continuation::Behind { id, left });
            return Ok(Page { rows, next });
        }
        bytes += row.len();
        rows.push(row);
        last = Some(id);
        if left.is_some_and(|left| of_top(left) == rows.len()) {
            break;
        }
    }
    Ok(Page { rows, next: None })
}

/// A page of what is counted together, home after home. The next page counts again.
async fn counted<B: Backend>(
    backend: &B,
    query: &Arc<Query>,
    tally: Tally,
    skip: usize,
    count: usize,
) -> Result<Page, HttpError> {
    let mut tally = Some(tally);
    for home in 0..backend.homes() {
        let mut after = None;
        loop {
            let scan = Scan { query: Arc::clone(query), after, rows: 1, tally: tally.take() };
            let scanned = backend.scan(home, scan).await.ok_or_else(asking::ending)?;
            let scanned = scanned.map_err(Refusal::from)?;
            (after, tally) = (scanned.next, scanned.tally);
            if after.is_none() {
                break;
            }
        }
    }
    let mut all = Vec::new();
    if let Some(tally) = &tally {
        tally.write_rows(|row| all.push(row.to_vec()));
    }
    let more = all.len() > skip.saturating_add(count);
    let next = u32::try_from(skip + count).ok().filter(|_| more).map(Continuation::Row);
    Ok(Page { rows: all.into_iter().skip(skip).take(count).collect(), next })
}

pub(super) fn page_rows(header: Option<&str>) -> Result<usize, HttpError> {
    let Some(text) = header else { return Ok(PAGE_ROWS_USUAL) };
    let rows = text.trim().parse::<u32>().ok().filter(|rows| *rows > 0);
    let rows = rows.and_then(|rows| usize::try_from(rows).ok());
    rows.map(|rows| rows.min(PAGE_ROWS_MAX)).ok_or_else(|| {
        let text = format!("header {MAX_ITEM_COUNT} must be a number above 0");
        Refusal::new(ErrorCode::ArgumentInvalid, text).into()
    })
}

pub(super) fn not_of_it() -> HttpError {
    let text = format!("header {CONTINUATION} is not one of this query; send it as it was given");
    Refusal::new(ErrorCode::ArgumentInvalid, text).into()
}

pub(super) fn array(rows: &[Vec<u8>]) -> Vec<u8> {
    let mut text = vec![b'['];
    text.extend_from_slice(&rows.join(&b','));
    text.push(b']');
    text
}

pub(super) const MAX_ITEM_COUNT: HeaderName = HeaderName::from_static("x-ms-max-item-count");
pub(super) const CONTINUATION: HeaderName = HeaderName::from_static("x-ms-continuation");
pub(super) const ITEM_TYPE: HeaderName = HeaderName::from_static("x-ms-item-type");
const PAGE_ROWS_USUAL: usize = 100;
/// Who wants more gets so many, and the rest behind a continuation.
const PAGE_ROWS_MAX: usize = 1000;
/// Where rows are large a page has fewer of them.
pub(super) const PAGE_BYTES_MAX: usize = 4 * 1024 * 1024;
