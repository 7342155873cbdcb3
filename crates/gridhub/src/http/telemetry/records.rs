//! `GET /telemetry/partitions/{partition}/records`: a page of messages, perhaps after a wait.

use axum::extract::{Path, RawQuery};
use hub::channel::Envelope;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response};
use node::channel::Page;
use store::log::Credit;
use tokio::time::{Duration, Instant, timeout_at};

use super::access::Telemetry;
use super::place::{partition, place, unreadable};
use crate::feed::From;
use crate::http::error::HttpError;
use crate::http::query::Query;

/// 200 with up to `max` messages from `from` or `offset` on, else from the earliest; where there
/// is none, after `wait` seconds at most. JSON, or NDJSON if asked for; then the next offset is a
/// header only.
pub async fn page(
    Telemetry(feed): Telemetry,
    Path(text): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response<axum::body::Body>, HttpError> {
    let query = Query::new(query.as_deref());
    let partition = partition(&feed, &text)?;
    let from = place(&query)?.unwrap_or(From::Earliest);
    let records = query.number("max", MAX_DEFAULT, 1..=RECORDS_MAX)?;
    let wait = query.number("wait", 0, 0..=WAIT_MAX_S)?;
    let until = Instant::now() + Duration::from_secs(wait);
    let credit = Credit { records: usize::try_from(records).unwrap_or(1), bytes: PAGE_BYTES };
    let from = feed.begin(partition, from).await.map_err(|why| unreadable(&why))?;
    let page = loop {
        let page = feed.page(partition, from, credit).await.map_err(|why| unreadable(&why))?;
        let is_late =
            page.records.is_empty() && timeout_at(until, feed.news(partition, from)).await.is_err();
        if is_late || !page.records.is_empty() {
            break page;
        }
    };
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (form, body) = match accept.contains(NDJSON) {
        true => (NDJSON, lines(partition, &page)?),
        false => (JSON, document(partition, &page)?),
    };
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(form));
    response.headers_mut().insert(NEXT_OFFSET, page.next.0.into());
    Ok(response)
}

/// Appends a message as JSON.
///
/// # Errors
/// 503 for bytes that are none of ours.
pub fn write(
    partition: usize,
    offset: u64,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), HttpError> {
    let envelope = Envelope::decode(payload);
    let envelope = envelope.map_err(|bad| unreadable(&format!("record {offset}: {bad}")))?;
    envelope.write_json(partition, offset, out);
    Ok(())
}

fn lines(partition: usize, page: &Page) -> Result<Vec<u8>, HttpError> {
    let mut out = Vec::new();
    for (at, payload) in &page.records {
        write(partition, at.0, payload, &mut out)?;
        out.push(b'\n');
    }
    Ok(out)
}

fn document(partition: usize, page: &Page) -> Result<Vec<u8>, HttpError> {
    let mut out = format!("{{\"partition\":{partition},\"next\":{},\"records\":[", page.next.0);
    let mut out = std::mem::take(&mut out).into_bytes();
    for (n, (at, payload)) in page.records.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        write(partition, at.0, payload, &mut out)?;
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const NEXT_OFFSET: HeaderName = HeaderName::from_static("x-gridhub-next-offset");
const MAX_DEFAULT: u64 = 100;
const RECORDS_MAX: u64 = 1_000;
const WAIT_MAX_S: u64 = 60;
/// Of payloads; the last message may pass it.
const PAGE_BYTES: usize = 1 << 20;
