//! `GET /mqtt/retainedMessages/message?topic=`: the payload as body, the rest in headers
//! (event-grid 8.2).

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use broker::publication::NEVER;
use broker::retained::RetainedItem;
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use mqtt::wire::property::Properties;

use super::{Asked, asked, not_found};
use crate::http::app::App;
use crate::http::backend::Backend;
use crate::http::call::Caller;
use crate::http::error::HttpError;
use crate::http::publish::outcome::forbidden;
use crate::http::publish::user_properties::UserProperties;
use crate::http::query::header_encode;
use crate::http::timestamp::iso8601;

/// 200 with the payload; 404 where there is none.
pub async fn handle<B: Backend>(
    State(app): State<App<B>>,
    head: Parts,
) -> Result<Response, HttpError> {
    let Asked { caller: Caller { who, .. }, topic } = asked(&app, &head)?;
    app.backend
        .authorizer()
        .read(&who.permissions, &topic)
        .map_err(|denied| forbidden(denied, &who, &topic))?;
    let item = app.backend.retained().get_item(&topic, app.backend.wall_ms());
    Ok(response(&item.ok_or_else(|| not_found(&topic))?))
}

fn response(item: &RetainedItem) -> Response {
    let message = &item.publication.message;
    let mut response = Response::new(Body::from(message.payload().to_vec()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    put(headers, "x-ms-mqtt-topic", &header_encode(message.topic()));
    put(headers, "x-ms-mqtt-qos", &message.qos().bits().to_string());
    put(headers, "x-ms-mqtt-size", &item.publication.bytes().to_string());
    if item.publication.deadline_ms != NEVER {
        put(headers, "x-ms-mqtt-expiry", &iso8601(item.publication.deadline_ms));
    }
    put(headers, "x-ms-mqtt-last-modified", &iso8601(item.modified_ms));
    let properties = Properties::trusted(message.properties());
    if let Some(text) = properties.content_type() {
        put(headers, "x-ms-mqtt-content-type", &header_encode(text));
    }
    if properties.user().next().is_some() {
        let json = UserProperties::to_json(properties.user());
        put(headers, "x-ms-mqtt-user-properties", &STANDARD.encode(json));
    }
    response
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).expect("encoded to printable ASCII");
    headers.insert(HeaderName::from_static(name), value);
}
