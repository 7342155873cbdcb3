//! Commands as a device gets them by HTTP (iot-hub D6): one at a time under a lock, which it
//! completes, rejects or abandons. Refuses to know queues.

use axum::body::Body;
use hyper::header::{HeaderName, IF_MATCH};
use hyper::{Method, Response, StatusCode};

use hub::IfMatch;
use hub::LockToken;
use hub::command::{LOCK_MS_RANGE, Settlement};
use hub::errors::{ErrorCode, Refusal};
use hub::identity::IdentityId;
use node::devices::{Ask, Received};

use super::{Answer, Asked, asking, message, no_content};
use crate::http::backend::Backend;
use crate::http::error::HttpError;

/// `GET`: 200 with a command, or 204 when none waits.
pub async fn receive<B: Backend>(asked: &Asked<'_, B>, id: &IdentityId) -> Answer {
    let lock_ms = lock_ms(asked)?;
    let receive = |reply| Ask::Receive(lock_ms, reply);
    let Some(received) = asking::ask(&asked.app.backend, id, receive).await? else {
        return no_content();
    };
    let command: &Received = &received;
    let mut response = Response::new(Body::from(command.delivery.content.read().body.to_vec()));
    *response.status_mut() = StatusCode::OK;
    message::write(&id.device, command, response.headers_mut())?;
    Ok(response)
}

/// `DELETE .../{lock}`, with `?reject` or without, and `POST .../{lock}/abandon`: 204.
pub async fn settle<B: Backend>(asked: &Asked<'_, B>, id: &IdentityId, lock: LockToken) -> Answer {
    let how = match (&asked.head.method, asked.query().one("reject")?) {
        (&Method::POST, _) => Settlement::Abandon,
        (_, Some(_)) => Settlement::Reject,
        (_, None) => Settlement::Complete,
    };
    if let Some(text) = message::one(&asked.head.headers, &IF_MATCH)?
        && IfMatch::parse(Some(text)) != IfMatch::Any
        && LockToken::parse(text) != Some(lock)
    {
        let text = "If-Match names another lock than the path";
        return Err(Refusal::new(ErrorCode::PreconditionFailed, text).into());
    }
    let settle = |reply| Ask::Settle(lock, how, reply);
    asking::ask(&asked.app.backend, id, settle).await?;
    no_content()
}

fn lock_ms<B: Backend>(asked: &Asked<'_, B>) -> Result<u64, HttpError> {
    let Some(hub) = asked.app.backend.hub() else { return Err(asking::ending()) };
    let Some(text) = message::one(&asked.head.headers, &LOCK_TIMEOUT)? else {
        return Ok(hub.commands.lock_ms);
    };
    let ms = text.parse::<u64>().ok().and_then(|seconds| seconds.checked_mul(1000));
    ms.filter(|ms| LOCK_MS_RANGE.contains(ms)).ok_or_else(|| {
        let (min, max) = (LOCK_MS_RANGE.start() / 1000, LOCK_MS_RANGE.end() / 1000);
        let text = format!("header {LOCK_TIMEOUT} has to be {min} to {max} seconds");
        Refusal::new(ErrorCode::ArgumentInvalid, text).into()
    })
}

const LOCK_TIMEOUT: HeaderName = HeaderName::from_static("iothub-messagelocktimeout");
