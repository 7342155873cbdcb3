//! `POST /mqtt/messages:batch`: many publishes in one request (product 4). Owns the items' JSON and
//! their results. A bad item spoils only itself.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::Poll;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use broker::limits::Limits;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Request, StatusCode};
use mqtt::qos::QoS;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::draft::{Draft, Flags, Retain};
use super::fields::{Answer, header};
use super::idempotency::Key;
use super::outcome::Outcome;
use super::properties::{PropertyBlock, bad_value, base64_decode};
use super::user_properties::UserProperties;
use super::{idempotency_key, internal, keys_full, send};
use crate::http::app::App;
use crate::http::backend::Backend;
use crate::http::body;
use crate::http::call::Caller;
use crate::http::error::{Detail, HttpError};
use crate::http::query::Query;
use crate::http::refusals::Part;

/// Answers with one result an item, in order.
pub async fn handle<B: Backend>(
    State(app): State<App<B>>,
    request: Request<Body>,
) -> Result<Response, HttpError> {
    let (head, body) = request.into_parts();
    let Admitted { caller, key, form } = admit(&app, &head)?;
    let (body, share) = body::read(body, app.body_bounds(BODY_BYTES_MAX)).await?;
    let items = items(&body, form)?.iter().map(|text| item(text, app.backend.limits())).collect();
    // A task of its own, so that a caller who hangs up leaves no item half answered for its key.
    let outcomes = tokio::spawn(async move {
        let _share = share;
        run(&app, &caller, key, items).await
    });
    results(&outcomes.await.map_err(|_| internal())?)
}

struct Admitted {
    caller: Caller,
    key: Option<Key>,
    form: Form,
}

/// How the items are written down.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Array,
    Lines,
}

/// An item that can be sent, or why it cannot.
pub(super) type Parsed = Result<(Draft, Vec<u8>), HttpError>;

fn admit<B: Backend>(
    app: &App<B>,
    head: &hyper::http::request::Parts,
) -> Result<Admitted, HttpError> {
    let caller = app.authenticate(head)?;
    let query = Query::new(head.uri.query());
    app.settings.api_versions.check(query)?;
    for key in ["wait", "timeout", "topic", "qos", "retain"] {
        if query.one(key)?.is_some() {
            let place = format!("query parameter '{key}'");
            return Err(bad_value(&place, "has no meaning for a batch; leave it out"));
        }
    }
    let form = form(&head.headers)?;
    let key = idempotency_key(&caller.who, &head.headers)?;
    Ok(Admitted { caller, key, form })
}

pub(super) fn form(headers: &HeaderMap) -> Result<Form, HttpError> {
    let text = header(headers, &CONTENT_TYPE)?.unwrap_or("");
    let essence = text.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match &*essence {
        "application/json" => Ok(Form::Array),
        "application/x-ndjson" => Ok(Form::Lines),
        _ => Err(HttpError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "send Content-Type application/json (an array) or application/x-ndjson (an item a \
             line)",
        )),
    }
}

/// The text of each item. An array must be JSON as a whole; a line stands for itself.
pub(super) fn items(body: &[u8], form: Form) -> Result<Vec<Cow<'_, [u8]>>, HttpError> {
    let items: Vec<Cow<'_, [u8]>> = match form {
        Form::Array => {
            let items: Vec<&RawValue> = serde_json::from_slice(body).map_err(|e| {
                HttpError::bad_request("InvalidBatch", format!("the body is no JSON array: {e}"))
            })?;
            items.into_iter().map(|raw| Cow::Borrowed(raw.get().as_bytes())).collect()
        }
        Form::Lines => body
            .split(|&b| b == b'\n')
            .filter(|line| !line.trim_ascii().is_empty())
            .map(Cow::Borrowed)
            .collect(),
    };
    if items.len() > ITEMS_MAX {
        return Err(HttpError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "PayloadTooLarge",
            format!("{} items; a batch holds at most {ITEMS_MAX}", items.len()),
        ));
    }
    Ok(items)
}

/// One item as written (product 4). Unknown members are refused: a misspelt one would be lost.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Item {
    topic: String,
    payload: Option<String>,
    payload_base64: Option<String>,
    qos: Option<u8>,
    retain: Option<Flag>,
    response_topic: Option<String>,
    correlation_data: Option<String>,
    user_properties: Option<UserProperties>,
    content_type: Option<String>,
    message_expiry: Option<u32>,
    payload_format_indicator: Option<u8>,
}

/// `true`, `false`, `1` or `0`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Flag {
    Word(bool),
    Number(u8),
}

pub(super) fn item(text: &[u8], limits: &Limits) -> Parsed {
    let item: Item = serde_json::from_slice(text)
        .map_err(|e| HttpError::bad_request("InvalidItem", e.to_string()))?;
    let qos = match item.qos {
        Some(0) => QoS::AtMostOnce,
        Some(1) | None => QoS::AtLeastOnce,
        Some(other) => return Err(bad_bit("member qos", other)),
    };
    let retain = match item.retain {
        Some(Flag::Word(true) | Flag::Number(1)) => Retain::Keep,
        Some(Flag::Word(false) | Flag::Number(0)) | None => Retain::No,
        Some(Flag::Number(other)) => return Err(bad_bit("member retain", other)),
    };
    let properties = properties(&item, limits)?;
    let payload = match (item.payload, item.payload_base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => base64_decode("member payloadBase64", &text)?,
        (None, None) => Vec::new(),
        (Some(_), Some(_)) => {
            let why = "is there beside payloadBase64; send one of them";
            return Err(bad_value("member payload", why));
        }
    };
    let draft = Draft { topic: item.topic, flags: Flags { qos, retain }, properties };
    let bytes_max = draft.payload_bytes_max(limits);
    if payload.len() > bytes_max {
        return Err(HttpError::too_large("the payload", bytes_max));
    }
    Ok((draft, payload))
}

fn properties(item: &Item, limits: &Limits) -> Result<Vec<u8>, HttpError> {
    let mut block = PropertyBlock::new(limits);
    match item.payload_format_indicator {
        None => {}
        Some(bit @ (0 | 1)) => block.payload_format(bit)?,
        Some(other) => return Err(bad_bit("member payloadFormatIndicator", other)),
    }
    if let Some(seconds) = item.message_expiry {
        block.message_expiry(seconds)?;
    }
    if let Some(text) = &item.content_type {
        block.content_type("member contentType", text)?;
    }
    if let Some(topic) = &item.response_topic {
        block.response_topic("member responseTopic", topic)?;
    }
    if let Some(text) = &item.correlation_data {
        let place = "member correlationData";
        block.correlation_data(place, &base64_decode(place, text)?)?;
    }
    if let Some(pairs) = &item.user_properties {
        block.user("member userProperties", pairs)?;
    }
    Ok(block.into_bytes())
}

fn bad_bit(place: &str, value: u8) -> HttpError {
    bad_value(place, format!("{value} is not known; send 0 or 1"))
}

/// Sends the items in their order, a window of them at a time.
async fn run<B: Backend>(
    app: &App<B>,
    caller: &Caller,
    key: Option<Key>,
    items: Vec<Parsed>,
) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(items.len());
    let mut items = items.into_iter().enumerate();
    loop {
        let window: Vec<_> = items
            .by_ref()
            .take(WINDOW)
            .map(|(at, parsed)| Box::pin(one(app, caller, key.as_ref(), at, parsed)))
            .collect();
        if window.is_empty() {
            return outcomes;
        }
        outcomes.extend(all(window).await);
    }
}

/// The item at index `at`: sends, counts and logs it.
async fn one<B: Backend>(
    app: &App<B>,
    caller: &Caller,
    key: Option<&Key>,
    at: usize,
    parsed: Parsed,
) -> Outcome {
    let flags = parsed.as_ref().ok().map(|(draft, _)| draft.flags);
    let outcome = match parsed {
        Err(error) => Outcome::Refused(error),
        Ok((draft, payload)) => {
            // At most so many items as a batch holds.
            let key = key.map(|key| Key { item: Some(at as u32), ..key.clone() });
            let request = draft.request(payload, key.as_ref().map(Key::at_the_door));
            let send = send(app, caller, request, Answer::Accepted);
            match key {
                None => send.await,
                Some(key) => {
                    let once = app.keys.once(key, || app.backend.wall_ms(), send).await;
                    once.unwrap_or_else(keys_full)
                }
            }
        }
    };
    app.counters.batch_item();
    app.counters.published(flags, outcome.status());
    if let Outcome::Refused(error) = &outcome {
        app.refusals.refused(&caller.call, Part::Item(at), error);
    }
    outcome
}

/// Polls all in order until all are done. The first poll of each is what orders the publishes.
async fn all<F: Future>(mut futures: Vec<Pin<Box<F>>>) -> Vec<F::Output> {
    let mut done: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(move |cx| {
        for (future, done) in futures.iter_mut().zip(&mut done) {
            if done.is_none()
                && let Poll::Ready(output) = future.as_mut().poll(cx)
            {
                *done = Some(output);
            }
        }
        if done.iter().any(Option::is_none) {
            return Poll::Pending;
        }
        Poll::Ready(done.iter_mut().filter_map(Option::take).collect())
    })
    .await
}

#[derive(Serialize)]
struct Results<'a> {
    results: Vec<ItemResult<'a>>,
}

#[derive(Serialize)]
struct ItemResult<'a> {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Detail<'a>>,
}

fn results(outcomes: &[Outcome]) -> Result<Response, HttpError> {
    let results = outcomes.iter().map(|outcome| ItemResult {
        status: outcome.status().as_u16(),
        error: match outcome {
            Outcome::Refused(error) => Some(error.detail()),
            Outcome::Accepted | Outcome::Delivered { .. } => None,
        },
    });
    let json = serde_json::to_vec(&Results { results: results.collect() });
    let mut response = Response::new(Body::from(json.map_err(|_| internal())?));
    let value = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, value);
    Ok(response)
}

/// A batch is held in memory as a whole: some of the largest single messages fit.
const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
const ITEMS_MAX: usize = 10_000;
/// Items under way at once: enough to share one disk commit, few enough to poll as a list.
const WINDOW: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Parsed {
        item(json.as_bytes(), &Limits::open())
    }

    #[test]
    fn items_with_every_member() {
        let (draft, payload) = parse(
            r#"{"topic":"a/b","payloadBase64":"AAEC","qos":0,"retain":true,
                "responseTopic":"r","correlationData":"AA==","userProperties":[{"k":"v"}],
                "contentType":"t","messageExpiry":30,"payloadFormatIndicator":1}"#,
        )
        .unwrap();
        assert_eq!(
            (&*draft.topic, draft.flags),
            ("a/b", Flags { qos: QoS::AtMostOnce, retain: Retain::Keep })
        );
        assert_eq!(payload, [0, 1, 2]);
        use mqtt::wire::property::{Properties, Property};
        let properties: Vec<_> = Properties::trusted(&draft.properties).iter().collect();
        assert_eq!(
            properties,
            [
                Property::PayloadFormat(1),
                Property::MessageExpiry(30),
                Property::ContentType("t"),
                Property::ResponseTopic("r"),
                Property::CorrelationData(&[0]),
                Property::User("k", "v"),
            ]
        );
        let (draft, payload) = parse(r#"{"topic":"a","payload":"x"}"#).unwrap();
        let flags = Flags { qos: QoS::AtLeastOnce, retain: Retain::No };
        assert_eq!((draft.flags, &*payload), (flags, &b"x"[..]));
    }

    #[test]
    fn bad_items() {
        for json in [
            "",
            "null",
            "{}",
            r#"{"topic":1}"#,
            r#"{"topic":"a","qos":2}"#,
            r#"{"topic":"a","retain":2}"#,
            r#"{"topic":"a","qso":1}"#,
            r#"{"topic":"a","payload":"x","payloadBase64":"AA=="}"#,
            r#"{"topic":"a","payload":{"x":1}}"#,
            r#"{"topic":"a","payloadBase64":"*"}"#,
            r#"{"topic":"a","userProperties":{"k":"v"}}"#,
            r#"{"topic":"a","responseTopic":"a/#"}"#,
            r#"{"topic":"a","messageExpiry":-1}"#,
            r#"{"topic":"a","messageExpiry":4294967296}"#,
            r#"{"topic":"a","payloadFormatIndicator":2}"#,
            r#"{"topic":"a","contentType":"\u0000"}"#,
        ] {
            assert_eq!(parse(json).unwrap_err().status, 400, "{json}");
        }
        let large = format!(r#"{{"topic":"a","retain":1,"payload":"{}"}}"#, "x".repeat(65_537));
        assert_eq!(parse(&large).unwrap_err().status, 413);
    }

    #[test]
    fn forms() {
        let array = items(br#"[{"topic":"a"},1]"#, Form::Array).unwrap();
        assert_eq!(array.len(), 2);
        let lines = items(b"{\"topic\":\"a\"}\r\n\n  \nnonsense\n", Form::Lines).unwrap();
        assert_eq!(lines.len(), 2);
        assert!(items(b"[1,", Form::Array).is_err());
        let many = format!("[{}1]", "1,".repeat(ITEMS_MAX));
        assert_eq!(items(many.as_bytes(), Form::Array).unwrap_err().status, 413);
    }
}
