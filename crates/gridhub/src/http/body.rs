//! Reads a request's body within a bound and a time, or sees to it that an unread one does not
//! spoil the answer. Refuses to know what the bytes mean.

use std::pin::pin;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
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

/// The whole body. Never holds more than `bytes_max` bytes.
///
/// # Errors
/// 413 when it is longer, already by its Content-Length; 408 when it comes too slowly; 400 when it
/// breaks off.
pub async fn read<B>(body: B, bytes_max: usize, times: BodyTimes) -> Result<Vec<u8>, HttpError>
where
    B: Body<Data = Bytes>,
{
    check_length(&body, bytes_max)?;
    timeout(times.total, pieces(body, bytes_max, times.idle)).await.unwrap_or_else(|_| Err(slow()))
}

/// 413 when the announced length already passes the bound.
pub fn check_length<B: Body>(body: &B, bytes_max: usize) -> Result<(), HttpError> {
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(HttpError::too_large("the body", bytes_max));
    }
    Ok(())
}

async fn pieces<B>(body: B, bytes_max: usize, idle: Duration) -> Result<Vec<u8>, HttpError>
where
    B: Body<Data = Bytes>,
{
    // An announced length is a claim: it earns only a small buffer before the bytes are there.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    let mut bytes = Vec::with_capacity(announced.min(RESERVE_MAX));
    let mut body = pin!(body);
    while let Some(frame) = timeout(idle, body.frame()).await.map_err(|_| slow())? {
        let frame = frame.map_err(|_| broken())?;
        let Some(data) = frame.data_ref() else { continue };
        if bytes.len() + data.len() > bytes_max {
            return Err(HttpError::too_large("the body", bytes_max));
        }
        bytes.extend_from_slice(data);
    }
    Ok(bytes)
}

/// Reads on, for a short while and to no use, what the client is still sending after its request
/// was refused. Closing a socket with unread bytes would reset it, and the answer could be lost.
/// A client that waits for `100 Continue` sends nothing and gets its answer at once.
pub fn drain<B>(headers: &HeaderMap, body: B)
where
    B: Body<Data = Bytes> + Send + 'static,
{
    if body.is_end_stream() || headers.contains_key(hyper::header::EXPECT) {
        return;
    }
    if body.size_hint().lower() > DRAIN_MAX as u64 {
        return;
    }
    tokio::spawn(timeout(DRAIN_TIME, async move {
        let mut body = pin!(body);
        let mut drained = 0;
        while let Some(Ok(frame)) = body.frame().await {
            drained += frame.data_ref().map_or(0, Bytes::len);
            if drained > DRAIN_MAX {
                break;
            }
        }
    }));
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
const DRAIN_MAX: usize = 2 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(5);
