//! Feedback of commands (iot-hub C6): `/messages/serviceBound/feedback`. Refuses to know what a
//! batch says.

use axum::body::Body;
use hyper::header::{CONTENT_TYPE, ETAG, HeaderName, HeaderValue};
use hyper::{Method, Response, StatusCode};
use tokio::sync::oneshot;

use hub::errors::{ErrorCode, Refusal};
use hub::feedback;
use hub::{LockToken, Moment};
use node::door::Reply;
use node::feedback::{FeedbackAsk, FeedbackGiven, FeedbackSettlement};

use super::{Answer, Asked, asking, no_content};
use crate::http::backend::Backend;
use crate::http::error::HttpError;

/// `GET`: 200 with a batch, whose lock is the `ETag`; 204 when none waits.
pub async fn receive<B: Backend>(asked: &Asked<'_, B>) -> Answer {
    let backend = &asked.app.backend;
    let Some(given) = ask(backend, FeedbackAsk::Receive).await? else { return no_content() };
    let FeedbackGiven { token, delivery } = given;
    let hub_name = backend.hub().map_or("", |hub| hub.name());
    let mut response = Response::new(Body::from(delivery.body));
    *response.status_mut() = StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(feedback::CONTENT_TYPE));
    let enqueued = Moment::at(delivery.enqueued_ms);
    for (name, value) in [
        (ETAG, format!("\"{token}\"")),
        (USER_ID, hub_name.to_owned()),
        (ENQUEUED_TIME, enqueued.text().as_str().to_owned()),
        (DELIVERY_COUNT, delivery.deliveries.to_string()),
    ] {
        let value = HeaderValue::try_from(value).map_err(|_| {
            let text = "a host name of the hub fits in no header";
            HttpError::from(Refusal::new(ErrorCode::ServerError, text))
        })?;
        headers.insert(name, value);
    }
    Ok(response)
}

/// `DELETE .../{lock}` and `POST .../{lock}/abandon`: 204.
pub async fn settle<B: Backend>(asked: &Asked<'_, B>, lock: LockToken) -> Answer {
    let how = match asked.head.method {
        Method::POST => FeedbackSettlement::Abandon,
        _ => FeedbackSettlement::Complete,
    };
    ask(&asked.app.backend, |reply| FeedbackAsk::Settle(lock, how, reply)).await?;
    no_content()
}

async fn ask<B: Backend, T: Send + 'static>(
    backend: &B,
    ask: impl FnOnce(Reply<Result<T, Refusal>>) -> FeedbackAsk,
) -> Result<T, HttpError> {
    let (reply, answer) = oneshot::channel();
    backend.feedback(ask(Box::new(move |value| drop(reply.send(value)))));
    Ok(answer.await.map_err(|_| asking::ending())??)
}

const USER_ID: HeaderName = HeaderName::from_static("iothub-userid");
const ENQUEUED_TIME: HeaderName = HeaderName::from_static("iothub-enqueuedtime");
const DELIVERY_COUNT: HeaderName = HeaderName::from_static("iothub-deliverycount");
