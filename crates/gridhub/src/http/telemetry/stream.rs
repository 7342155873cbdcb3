//! `GET /telemetry/stream`: all partitions as server-sent events, for as long as the caller reads.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::{RawQuery, State};
use hyper::Response;
use hyper::body::{Bytes, Frame};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use store::log::Credit;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Duration, timeout};

use super::access::Telemetry;
use super::groups::offsets_of;
use super::place::{place, unreadable};
use super::records::write;
use crate::feed::{Feed, From};
use crate::http::app::App;
use crate::http::backend::Backend;
use crate::http::error::HttpError;

/// 200 with an event a message: `id` is partition and offset, `data` the record. Begins where the
/// group is, else at `from`, else with what comes from now on.
pub async fn handle<B: Backend>(
    Telemetry(feed): Telemetry,
    State(app): State<App<B>>,
    RawQuery(query): RawQuery,
) -> Result<Response<axum::body::Body>, HttpError> {
    let query = crate::http::query::Query::new(query.as_deref());
    let from = place(&query)?.unwrap_or(From::Latest);
    let known = match query.one("group")? {
        Some(group) => offsets_of(&app, &group).await?.unwrap_or_default(),
        None => Vec::new(),
    };
    let mut places = Vec::new();
    for partition in 0..feed.partitions() {
        let of_group = known.iter().find(|(one, _)| usize::from(*one) == partition);
        let from = of_group.map_or(from, |(_, offset)| From::Offset(*offset));
        places.push(feed.begin(partition, from).await.map_err(|why| unreadable(&why))?);
    }
    let (chunks, read) = channel(CHUNKS_MAX);
    tokio::spawn(pump(app, feed, places, chunks));
    let mut response = Response::new(axum::body::Body::new(Events(read)));
    let form = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(CONTENT_TYPE, form);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The body: it ends with its pump.
struct Events(Receiver<Bytes>);

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Reads as fast as the caller takes it; ends with the caller, the server, or what cannot be read.
async fn pump<B: Backend>(
    app: App<B>,
    feed: Arc<Feed>,
    mut places: Vec<u64>,
    chunks: Sender<Bytes>,
) {
    let mut bell = feed.bell();
    let mut chunk = BEGIN.to_vec();
    while app.backend.ready() {
        bell.mark_unchanged();
        for (partition, place) in places.iter_mut().enumerate() {
            let Ok(page) = feed.page(partition, *place, CREDIT).await else { return };
            *place = page.next.0;
            for (at, payload) in &page.records {
                chunk.extend_from_slice(format!("id: {partition}:{}\ndata: ", at.0).as_bytes());
                if write(partition, at.0, payload, &mut chunk).is_err() {
                    return;
                }
                chunk.extend_from_slice(b"\n\n");
            }
        }
        if chunk.is_empty() {
            match timeout(KEEP_ALIVE, bell.changed()).await {
                Ok(_) => continue,
                // So that both sides hear of the other's end.
                Err(_) => chunk.extend_from_slice(BEGIN),
            }
        }
        let bytes = Bytes::from(std::mem::take(&mut chunk));
        if !matches!(timeout(PATIENCE, chunks.send(bytes)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// A comment: the caller's library says that it is connected.
const BEGIN: &[u8] = b":\n\n";
/// Of one partition at once.
const CREDIT: Credit = Credit { records: 256, bytes: 256 * 1024 };
const CHUNKS_MAX: usize = 2;
const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// A caller that takes nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(30);
