//! Reads a request's body within a bound and a time, and sees to it that an unread one does not
//! spoil the answer. Refuses to know what the bytes mean.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::EXPECT;
use hyper::{HeaderMap, StatusCode};
use tokio::runtime::Handle;
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
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > bounds.bytes_max as u64 {
        return Err(HttpError::too_large("the body", bounds.bytes_max));
    }
    timeout(bounds.times.total, pieces(&mut body, bounds)).await.map_err(|_| slow())?
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

/// A body that is read on, for a short while and to no use, when nobody wants it any more. To drop
/// it with bytes still to come would reset the HTTP/2 stream or the socket, and the answer could be
/// lost on its way.
#[derive(Debug)]
pub struct Drained<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    /// Taken by `drop` only.
    body: Option<B>,
    rest: Rest,
}

/// What is still to come of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    /// Nothing before we ask: the client waits for `100 Continue` and takes the answer instead.
    Held,
    /// More, asked for or not.
    Coming,
    /// Nothing.
    Over,
}

impl<B> Drained<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    /// The body of a request with these headers.
    pub fn new(headers: &HeaderMap, body: B) -> Self {
        let rest = if headers.contains_key(EXPECT) { Rest::Held } else { Rest::Coming };
        Drained { body: Some(body), rest }
    }
}

impl<B> Body for Drained<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let polled = Pin::new(body).poll_frame(cx);
        self.rest = match polled {
            Poll::Ready(None | Some(Err(_))) => Rest::Over,
            Poll::Pending | Poll::Ready(Some(Ok(_))) => Rest::Coming,
        };
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<B> Drop for Drained<B>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
{
    fn drop(&mut self) {
        if self.rest != Rest::Coming || self.is_end_stream() {
            return;
        }
        // Without a runtime the connection is gone as well.
        if let (Some(body), Ok(runtime)) = (self.body.take(), Handle::try_current()) {
            runtime.spawn(timeout(DRAIN_TIME, drain(body)));
        }
    }
}

async fn drain<B: Body<Data = Bytes> + Unpin>(mut body: B) {
    let mut drained = 0;
    while let Some(Ok(frame)) = body.frame().await {
        drained += frame.data_ref().map_or(0, Bytes::len);
        if drained > DRAIN_MAX {
            return;
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
