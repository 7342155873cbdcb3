//! `POST /admin/backup`: the log as one stream, consistent while the server runs. Refuses to know
//! what is in it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::State;
use hyper::body::{Bytes, Frame};
use hyper::header::CONTENT_TYPE;
use hyper::{Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Duration, timeout};

use super::Contributor;
use crate::backup::Source;
use crate::http::app::App;
use crate::http::backend::Backend;
use crate::http::error::HttpError;

/// 200 with the backup; 409 where nothing is kept or another one is being made.
pub async fn handle<B: Backend>(
    _: Contributor,
    State(app): State<App<B>>,
) -> Result<Response<Body>, HttpError> {
    let conflict =
        |code, message: &'static str| HttpError::new(StatusCode::CONFLICT, code, message);
    let permit = std::sync::Arc::clone(&app.backup).try_acquire_owned();
    let permit = permit.map_err(|_| {
        conflict("BackupRunning", "a backup is being made already; repeat when it has ended")
    })?;
    let source = app.backend.backup().ok_or_else(|| {
        let message = "durability is memory: nothing is kept that could be backed up; \
                       serve with durability = \"disk\"";
        conflict("NothingKept", message)
    })?;
    let (chunks, read) = channel(CHUNKS_MAX);
    tokio::spawn(pump(source, chunks, permit));
    let mut response = Response::new(Body::new(Chunks { read, ended: false }));
    let octets = hyper::header::HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(CONTENT_TYPE, octets);
    Ok(response)
}

/// The body: it ends with an error where the backup did not come to its end.
struct Chunks {
    /// An empty chunk is the end.
    read: Receiver<io::Result<Bytes>>,
    ended: bool,
}

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.read.poll_recv(context).map(|chunk| match chunk {
            Some(Ok(bytes)) if bytes.is_empty() => {
                self.ended = true;
                None
            }
            Some(chunk) => Some(chunk.map(Frame::data)),
            None => {
                self.ended = true;
                Some(Err(io::ErrorKind::TimedOut.into()))
            }
        })
    }
}

/// Reads on a thread that may block, as fast as the caller takes it. A caller that takes nothing
/// for too long is given up: what is read holds space on the disk.
async fn pump(
    mut source: Source,
    chunks: Sender<io::Result<Bytes>>,
    _permit: OwnedSemaphorePermit,
) {
    loop {
        let read = tokio::task::spawn_blocking(move || {
            let chunk = source.chunk();
            (source, chunk)
        });
        let Ok((rest, chunk)) = read.await else { return };
        source = rest;
        let last = !matches!(chunk, Ok(Some(_)));
        if let Err(error) = &chunk {
            tracing::error!(%error, "a backup was given up: the log cannot be read");
        }
        let chunk = chunk.map(|bytes| Bytes::from(bytes.unwrap_or_default()));
        match timeout(PATIENCE, chunks.send(chunk)).await {
            Ok(Ok(())) if !last => {}
            Ok(Ok(())) => return,
            Ok(Err(_)) => {
                tracing::warn!("a backup was given up: the caller is gone");
                return;
            }
            Err(_) => {
                tracing::warn!("a backup was given up: the caller took nothing for 30 s");
                return;
            }
        }
    }
}

/// Of a quarter of a megabyte each.
const CHUNKS_MAX: usize = 4;
const PATIENCE: Duration = Duration::from_secs(30);
