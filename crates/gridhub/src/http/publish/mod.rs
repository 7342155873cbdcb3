//! `POST /mqtt/messages` (event-grid 2) and `POST /mqtt/messages:batch` (product 4).
//!
//! Owns the order in which a request is judged (event-grid 2.5): who, api-version, syntax, size,
//! topic, permission, rate, then the door. Refuses to know what happens behind the door.

pub mod batch;
pub mod delivery;
pub mod draft;
pub mod fields;
pub mod idempotency;
pub mod outcome;
pub mod properties;
pub mod trial;
pub mod user_properties;

use std::sync::Arc;

use broker::access::Principal;
use broker::publication::Watch;
use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Request, Response};
use node::door::PublishRequest;
use tokio::time::Instant;

use self::delivery::Delivery;
use self::draft::check_topic;
use self::fields::{Answer, Fields, header};
use self::idempotency::Key;
use self::outcome::{Outcome, accepted, forbidden};
use super::app::App;
use super::backend::Backend;
use super::body;
use super::call::Caller;
use super::error::HttpError;
use super::query::Query;
use super::rate::Throttle;

/// Answers one `POST /mqtt/messages`.
pub async fn handle<B, T>(app: &App<B>, request: Request<T>) -> Outcome
where
    B: Backend,
    T: Body<Data = Bytes> + Unpin,
{
    let (head, body) = request.into_parts();
    let (flags, outcome) = match admit(app, &head) {
        Err(error) => (None, Outcome::Refused(error)),
        Ok(admitted) => {
            let flags = admitted.fields.draft.flags;
            (Some(flags), publish(app, admitted, body).await)
        }
    };
    app.counters.published(flags, outcome.status());
    outcome
}

/// What a request that may go on brings.
struct Admitted {
    caller: Caller,
    fields: Fields,
    key: Option<Key>,
}

/// The head of the request: who, api-version, syntax.
fn admit<B: Backend>(app: &App<B>, head: &Parts) -> Result<Admitted, HttpError> {
    let query = Query::new(head.uri.query());
    let caller = app.authenticate(head)?;
    app.settings.api_versions.check(query)?;
    let fields = Fields::parse(query, &head.headers, app.backend.limits())?;
    let key = idempotency_key(&caller.who, &head.headers)?;
    Ok(Admitted { caller, fields, key })
}

/// The body, then once or once more for its key.
async fn publish<B, T>(app: &App<B>, admitted: Admitted, body: T) -> Outcome
where
    B: Backend,
    T: Body<Data = Bytes> + Unpin,
{
    let Admitted { caller, fields: Fields { draft, answer }, key } = admitted;
    let bounds = app.body_bounds(draft.payload_bytes_max(app.backend.limits()));
    let (payload, share) = match body::read(body, bounds).await {
        Ok(received) => received,
        Err(error) => return Outcome::Refused(error),
    };
    let request = draft.request(payload, key.as_ref().map(Key::at_the_door));
    let Some(key) = key else {
        let outcome = send(app, &caller, request, answer).await;
        drop(share);
        return outcome;
    };
    // A task of its own: when the caller hangs up, its key still gets its answer.
    let app = app.clone();
    let run = async move {
        let _share = share;
        let send = send(&app, &caller, request, answer);
        let once = app.keys.once(key, || app.backend.wall_ms(), send).await;
        once.unwrap_or_else(keys_full)
    };
    tokio::spawn(run).await.unwrap_or_else(|_| Outcome::Refused(internal()))
}

/// Topic, permission, rate, door.
async fn send<B: Backend>(
    app: &App<B>,
    caller: &Caller,
    request: PublishRequest,
    answer: Answer,
) -> Outcome {
    let result = match answer {
        Answer::Accepted => deliver(app, caller, request).await.map(|_| Outcome::Accepted),
        Answer::Delivered { timeout } => {
            let delivery = Arc::new(Delivery::default());
            let watch: Arc<dyn Watch> = delivery.clone();
            match deliver(app, caller, PublishRequest { watch: Some(watch), ..request }).await {
                Ok(subscribers) => {
                    let delivered = delivery.wait(subscribers, timeout).await;
                    Ok(Outcome::Delivered { delivered, subscribers })
                }
                Err(error) => Err(error),
            }
        }
    };
    result.unwrap_or_else(Outcome::Refused)
}

/// Subscribers, when a watch was given.
async fn deliver<B: Backend>(
    app: &App<B>,
    caller: &Caller,
    request: PublishRequest,
) -> Result<u32, HttpError> {
    let topic = request.topic.clone();
    check_topic(&topic)?;
    check_rate(app, &caller.who, &topic, request.payload.len())?;
    let published = app.backend.publish(Arc::clone(&caller.who), request).await;
    let subscribers = accepted(&published, &caller.who, &topic)?;
    caller.published(&topic);
    Ok(subscribers)
}

/// Permission comes before rate (event-grid 2.5). The door asks for permission anyway, so it is
/// asked here only when there is a rate to take from.
fn check_rate<B: Backend>(
    app: &App<B>,
    who: &Arc<Principal>,
    topic: &str,
    bytes: usize,
) -> Result<(), HttpError> {
    let Some(rate) = &app.rate else { return Ok(()) };
    app.backend
        .authorizer()
        .publish(&who.permissions, topic)
        .map_err(|denied| forbidden(denied, who, topic))?;
    rate.take(&who.name, bytes, Instant::now()).map_err(|throttled| {
        app.counters.throttled(throttled.by);
        let message = match throttled.by {
            Throttle::Messages => "too many messages of this principal; send them more slowly",
            Throttle::Bytes => "too many bytes of this principal; send them more slowly",
        };
        HttpError::too_many(message, throttled.retry_after_s)
    })
}

/// The `Idempotency-Key` of the request: 1 to 255 bytes of printable ASCII.
fn idempotency_key(who: &Principal, headers: &HeaderMap) -> Result<Option<Key>, HttpError> {
    let Some(text) = header(headers, &IDEMPOTENCY_KEY)? else { return Ok(None) };
    if text.is_empty() || text.len() > KEY_BYTES_MAX {
        return Err(properties::bad_value(
            "header idempotency-key",
            format!("send 1 to {KEY_BYTES_MAX} characters"),
        ));
    }
    Ok(Some(Key { principal: Arc::clone(&who.name), key: text.into(), item: None }))
}

fn keys_full(retry_after_s: u64) -> Outcome {
    let message = "too many idempotency keys are remembered; repeat later, or send none";
    Outcome::Refused(HttpError::too_many(message, retry_after_s))
}

fn internal() -> HttpError {
    let message = "the server failed at this request; its log has the request id";
    HttpError::new(hyper::StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
}

/// The wire form of an outcome: success bodies are empty, but for `?wait=delivered`.
pub fn response<R: From<Bytes>>(outcome: &Outcome) -> Response<R> {
    let body = match outcome {
        Outcome::Refused(error) => return error.response(),
        Outcome::Accepted => Bytes::new(),
        Outcome::Delivered { delivered, subscribers } => {
            format!("{{\"delivered\":{delivered},\"subscribers\":{subscribers}}}").into()
        }
    };
    let json = !body.is_empty();
    let mut response = Response::new(R::from(body));
    *response.status_mut() = outcome.status();
    if json {
        let value = HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    response
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const KEY_BYTES_MAX: usize = 255;
