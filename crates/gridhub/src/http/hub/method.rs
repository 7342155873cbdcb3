//! Direct methods (iot-hub C5): `POST /twins/{id}/methods`, of modules likewise.
//!
//! Owns the wait: as long as connect and response timeout say, and no longer than the caller is
//! there. Refuses to know devices.

use std::sync::atomic::Ordering;

use axum::body::Body;
use hyper::{Response, StatusCode};

use hub::identity::IdentityId;
use hub::method::{Failed, Outcome, Request};
use node::devices::{self, Ask, Ticket};

use super::{Answer, Asked, asking, json, refused};
use crate::http::backend::Backend;
use crate::http::call::Call;
use crate::http::error::HttpError;

/// `POST`: 200 with what the device answers.
pub async fn invoke<B: Backend>(asked: &Asked<'_, B>, id: &IdentityId, body: Body) -> Answer {
    let read = asked.body(body).await?;
    let request = Request::read(&read.0);
    // Nobody needs the body for as long as the device takes.
    drop(read);
    let outcome = match request {
        Ok(request) => wait(asked, id, request).await?,
        Err(refusal) => Err(refusal.into()),
    };
    match outcome {
        Ok(reply) => json(StatusCode::OK, reply.body(), None),
        Err(failed) => Ok(told(asked, failed)),
    }
}

async fn wait<B: Backend>(
    asked: &Asked<'_, B>,
    id: &IdentityId,
    request: Request,
) -> Result<Outcome, HttpError> {
    let ticket = Ticket(asked.app.tickets.fetch_add(1, Ordering::Relaxed));
    let backend = &asked.app.backend;
    let mut line = Line { backend, id, ticket, state: State::Open };
    let invoke = |reply| Ask::Invoke(Box::new(request), ticket, reply);
    let outcome = asking::post(backend, id, invoke).answer().await;
    line.state = State::Over;
    outcome
}

/// A call under way. Dropped before its end, because the caller went away, it hangs up.
struct Line<'a, B: Backend> {
    backend: &'a B,
    id: &'a IdentityId,
    ticket: Ticket,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    Open,
    Over,
}

impl<B: Backend> Drop for Line<'_, B> {
    fn drop(&mut self) {
        if self.state == State::Open {
            let (id, ask) = (self.id.clone(), Ask::HangUp(self.ticket));
            self.backend.ask(devices::Asked { id, ask });
        }
    }
}

/// A failure in the second format of C9.
fn told<B: Backend>(asked: &Asked<'_, B>, failed: Failed) -> Response<Body> {
    let (call, now_ms) = (Call::of(&asked.head.extensions), asked.app.backend.wall_ms());
    let body = failed.body(&refused::tracking_id(call.request_id(), now_ms), now_ms);
    refused::with_code(&HttpError::from(failed.refusal), body)
}
