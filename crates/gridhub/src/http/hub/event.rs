//! Telemetry that a device sends by HTTP (iot-hub D6): one message, or many in a document.
//! Refuses to know where it goes.

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use hub::errors::{ErrorCode, Refusal};
use hub::identity::IdentityId;
use hub::telemetry::AuthMethod;
use node::devices::{Ask, Sending};

use super::{Answer, Asked, asking, message, no_content};
use crate::http::backend::Backend;

/// `POST`: 204 when all of it is as durable as the hub promises. A refusal of one of many leaves
/// the others where they are.
pub async fn send<B: Backend>(
    asked: &Asked<'_, B>,
    (id, auth_method): (&IdentityId, AuthMethod),
    body: Body,
) -> Answer {
    let headers = &asked.head.headers;
    let (body, _share) = asked.body(body).await?;
    let kind = message::one(headers, &CONTENT_TYPE)?.and_then(|kind| kind.split(';').next());
    let all = match kind {
        Some(kind) if kind.trim().eq_ignore_ascii_case(MANY) => many(&body)?,
        _ => vec![message::read(headers, body)?],
    };
    let mut pending = Vec::with_capacity(all.len());
    for sending in all {
        let event = |reply| Ask::Event(Box::new(sending), auth_method, reply);
        pending.push(asking::post(&asked.app.backend, id, event));
    }
    let mut refused = None;
    for event in pending {
        refused = refused.or(event.answer().await?.err());
    }
    match refused {
        Some(refusal) => Err(refusal.into()),
        None => no_content(),
    }
}

/// `[{"body":"<base64>","properties":{}}]`; with `"base64Encoded":false` the body is a text.
fn many(body: &[u8]) -> Result<Vec<Sending>, Refusal> {
    let refuse = |code, text: &str| Refusal::new(code, text);
    let document: Value = serde_json::from_slice(body)
        .map_err(|_| refuse(ErrorCode::IotHubFormatError, "the body is no JSON"))?;
    let Some(all) = document.as_array() else {
        return Err(refuse(ErrorCode::IotHubFormatError, "the body is no array of messages"));
    };
    if all.len() > MESSAGES_MAX {
        let text = format!("there are more than {MESSAGES_MAX} messages; send fewer at once");
        return Err(refuse(ErrorCode::MessageTooLarge, &text));
    }
    all.iter().map(one_of_many).collect()
}

fn one_of_many(value: &Value) -> Result<Sending, Refusal> {
    let invalid = |text: &str| Refusal::new(ErrorCode::ArgumentInvalid, text);
    let text = value["body"].as_str().ok_or_else(|| invalid("a message has no text body"))?;
    let body = match &value["base64Encoded"] {
        Value::Null | Value::Bool(true) => {
            STANDARD.decode(text).map_err(|_| invalid("the body of a message is no base64"))?
        }
        Value::Bool(false) => text.as_bytes().to_vec(),
        _ => return Err(invalid("base64Encoded is true or false")),
    };
    let none = Map::new();
    let properties = match &value["properties"] {
        Value::Null => &none,
        Value::Object(members) => members,
        _ => return Err(invalid("properties is no object")),
    };
    message::of_members(properties, body)
}

const MANY: &str = "application/vnd.microsoft.iothub.json";
/// Ours: it bounds what one request asks at once.
const MESSAGES_MAX: usize = 500;
