//! Reads a request's body within a bound and a time, or sees to it that an unread one does not
//! spoil the answer. Refuses to know what the bytes mean.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::{HeaderMap, StatusCode};
use tokio::time::{Duration, timeout};

use super::error::{Hint, HttpError};

/// How long a body may take.
#[derive(Clone, Copy, Debug)]
pub struct BodyTimes {
    /// From one piece to the next.
    pub idle: Duration,
    /// From the first byte to the last.
    pub total: Duration,
}

/// What holds for the body of one request.
#[derive(Clone, Copy, Debug)]
pub struct Bounds<'a> {
    /// Longest body.
    pub bytes_max: usize,
    pub times: BodyTimes,
    pub budget: &'a Arc<Budget>,
}

/// The bytes of all bodies in memory: many callers at once must not cost more than this.
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    bytes_max: usize,
}

/// A body's part of the budget, given back when dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// At most `bytes_max` bytes at once.
    pub fn new(bytes_max: usize) -> Self {
        Budget { used: AtomicUsize::new(0), bytes_max }
    }

    /// Bytes in use now.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

impl Share {
    fn none(budget: &Arc<Budget>) -> Self {
        Share { budget: Arc::clone(budget), bytes: 0 }
    }

    /// # Errors
    /// 503 when all bodies together would pass the bound.
    fn grow(&mut self, bytes: usize) -> Result<(), HttpError> {
        let before = self.budget.used.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if before + bytes > self.budget.bytes_max {
            let message = "too many large requests at once; repeat the request a little later";
            return Err(HttpError::unavailable(message));
        }
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The whole body and its share of the budget. Never holds more than `bytes_max` bytes.
///
/// # Errors
/// 413 when it is longer, already by its Content-Length; 408 when it comes too slowly; 400 when it
/// breaks off; 503 when the budget is used up.
pub async fn read<B>(mut body: B, bounds: Bounds<'_>) -> Result<(Vec<u8>, Share), HttpError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    let received = match check_length(&body, bounds.bytes_max) {
        Ok(()) => timeout(bounds.times.total, pieces(&mut body, bounds)).await,
        Err(error) => Ok(Err(error)),
    };
    let received = received.unwrap_or_else(|_| Err(slow()));
    if received.is_err() && !body.is_end_stream() {
        drain_rest(body);
    }
    received
}

/// 413 when the announced length already passes the bound.
pub fn check_length<B: Body>(body: &B, bytes_max: usize) -> Result<(), HttpError> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(HttpError::too_large("the body", bytes_max));
    }
    Ok(())
}

async fn pieces<B>(body: &mut B, bounds: Bounds<'_>) -> Result<(Vec<u8>, Share), HttpError>
where
    B: Body<Data = Bytes> + Unpin,
{
    // An announced length is a claim: it earns only a small buffer before the bytes are there.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(announced.min(RESERVE_MAX));
    let mut share = Share::none(bounds.budget);
    while let Some(frame) = timeout(bounds.times.idle, body.frame()).await.map_err(|_| slow())? {
        let frame = frame.map_err(|_| broken())?;
        let Some(data) = frame.data_ref() else { continue };
        if bytes.len() + data.len() > bounds.bytes_max {
            return Err(HttpError::too_large("the body", bounds.bytes_max));
        }
        share.grow(data.len())?;
        bytes.extend_from_slice(data);
    }
    Ok((bytes, share))
}

/// Sees to the unread body of a request that was refused by its head. A client that waits for
/// `100 Continue` sends nothing and gets its answer at once.
pub fn drain<B>(headers: &HeaderMap, body: B)
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    if !body.is_end_stream() && !headers.contains_key(hyper::header::EXPECT) {
        drain_rest(body);
    }
}

/// Reads on, for a short while and to no use, what the client is still sending. Closing a socket
/// with unread bytes would reset it, and the answer could be lost.
fn drain_rest<B>(mut body: B)
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    tokio::spawn(timeout(DRAIN_TIME, async move {
        let mut drained = 0;
        while let Some(Ok(frame)) = body.frame().await {
            drained += frame.data_ref().map_or(0, Bytes::len);
            if drained > DRAIN_MAX {
                break;
            }
        }
    }));
}

/// A body that sees to itself when it is dropped before anybody read of it: for the router, whose
/// refusals (404, 405) never look at a body.
pub struct Offered<B: Body<Data = Bytes> + Send + Unpin + 'static> {
    reading: Reading,
    /// Taken when it is dropped.
    body: Option<B>,
}

/// Whether somebody sees to a body: a reader, or the client that waits to be asked for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    NotBegun,
    Begun,
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Offered<B> {
    /// The body of a request with these headers.
    pub fn new(headers: &HeaderMap, body: B) -> Self {
        let waits = headers.contains_key(hyper::header::EXPECT);
        let reading = if waits { Reading::Begun } else { Reading::NotBegun };
        Offered { reading, body: Some(body) }
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Body for Offered<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        self.reading = Reading::Begun;
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl<B: Body<Data = Bytes> + Send + Unpin + 'static> Drop for Offered<B> {
    fn drop(&mut self) {
        let unread = self.reading == Reading::NotBegun && !self.is_end_stream();
        // Without a runtime the server is gone, and with it whoever would read the answer.
        if unread
            && tokio::runtime::Handle::try_current().is_ok()
            && let Some(body) = self.body.take()
        {
            drain_rest(body);
        }
    }
}

fn slow() -> HttpError {
    let message = "the body did not come in time; send it without pauses";
    HttpError::new(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", message).with(Hint::Close)
}

fn broken() -> HttpError {
    HttpError::bad_request("BadBody", "the body broke off or is wrongly framed; send it again")
        .with(Hint::Close)
}

const RESERVE_MAX: usize = 64 * 1024;
const DRAIN_MAX: usize = 16 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(5);
