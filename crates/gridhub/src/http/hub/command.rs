//! Commands as services see them (iot-hub C6): sent, purged, and looked at, which is ours.
//! Refuses to know devices.

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::HeaderValue;
use serde_json::{Map, Value, json as value};

use hub::Moment;
use hub::command::{self, Place};
use hub::identity::IdentityId;
use node::devices::{Ask, Commands};

use super::{Answer, Asked, asking, json, message, no_content};
use crate::http::backend::Backend;

/// `POST /messages/deviceBound`: 204 with the number that the command has in its queue.
pub async fn send<B: Backend>(asked: &Asked<'_, B>, body: Body) -> Answer {
    let headers = &asked.head.headers;
    let id = IdentityId { device: message::to(headers)?, module: None };
    let (body, _share) = asked.body(body).await?;
    let sending = Box::new(message::read(headers, body)?);
    let send = |reply| Ask::Send(sending, reply);
    let number = asking::ask(&asked.app.backend, &id, send).await?;
    let mut response = no_content()?;
    response.headers_mut().insert(message::SEQUENCE_NUMBER, HeaderValue::from(number));
    Ok(response)
}

/// `DELETE /devices/{id}/commands`: 200 with how many there were.
pub async fn purge<B: Backend>(asked: &Asked<'_, B>, id: &IdentityId) -> Answer {
    let count = asking::ask(&asked.app.backend, id, Ask::Purge).await?;
    let document = value!({ "deviceId": id.device.as_str(), "totalMessagesPurged": count });
    json(StatusCode::OK, document.to_string(), None)
}

/// `GET /admin/devices/{id}/commands`: 200 with what waits and what has ended badly.
pub async fn show<B: Backend>(asked: &Asked<'_, B>, id: &IdentityId) -> Answer {
    let Commands { waiting, dead } = asking::ask(&asked.app.backend, id, Ask::Commands).await?;
    let waiting = waiting.iter().map(|one| {
        let mut document = document(&one.content.read(), one.deliveries);
        document["state"] = match one.place {
            Place::Enqueued => "enqueued".into(),
            Place::Invisible => "invisible".into(),
        };
        document
    });
    let dead = dead.iter().map(|one| {
        let mut document = document(&one.content.read(), one.deliveries);
        document["outcome"] = one.outcome.status_code().into();
        document["endedTimeUtc"] = Moment::at(one.at_ms).to_string().into();
        document
    });
    let document = value!({
        "deviceId": id.device.as_str(),
        "waiting": waiting.collect::<Value>(),
        "deadLetters": dead.collect::<Value>(),
    });
    json(StatusCode::OK, document.to_string(), None)
}

/// The body as text where it is one, else in base64 under another name.
fn document(command: &command::Command<'_>, deliveries: u32) -> Value {
    let mut document = value!({
        "sequenceNumber": command.sequence,
        "enqueuedTimeUtc": Moment::at(command.enqueued_ms).to_string(),
        "expiryTimeUtc": Moment::at(command.expires_ms).to_string(),
        "deliveryCount": deliveries,
        "ack": command.ack.as_str(),
    });
    for (name, text) in [
        ("messageId", command.message_id),
        ("correlationId", command.correlation_id),
        ("userId", command.user_id),
        ("contentType", command.content_type),
        ("contentEncoding", command.content_encoding),
    ] {
        if let Some(text) = text {
            document[name] = text.into();
        }
    }
    let properties = command.properties.map(|(name, text)| (name.to_owned(), text.into()));
    document["properties"] = properties.collect::<Map<_, _>>().into();
    match std::str::from_utf8(command.body) {
        Ok(text) => document["body"] = text.into(),
        Err(_) => document["bodyBase64"] = STANDARD.encode(command.body).into(),
    }
    document
}
