//! The head of `POST /mqtt/messages`: query and headers to one [`Draft`] (event-grid 2.2 and 2.3).
//! Pure functions; refuses to know who asks and what the body holds.

use std::borrow::Cow;

use broker::limits::Limits;
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderName};
use mqtt::qos::QoS;
use tokio::time::Duration;

use super::draft::{Draft, Flags, Retain};
use super::properties::{PropertyBlock, bad_value, base64_decode};
use super::user_properties::UserProperties;
use crate::http::error::HttpError;
use crate::http::query::{Query, percent_decode};

/// What the head of the request asks for.
#[derive(Debug, PartialEq, Eq)]
pub struct Fields {
    pub draft: Draft,
    pub answer: Answer,
}

/// When the caller wants to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// When the message is accepted.
    Accepted,
    /// `?wait=delivered&timeout=`: when all have acknowledged, or after this time (product 4).
    Delivered { timeout: Duration },
}

impl Fields {
    /// Reads query and headers; where a value may stand in both, the query wins.
    ///
    /// # Errors
    /// 400 with the parameter or header and what it has to look like.
    pub fn parse(
        query: Query<'_>,
        headers: &HeaderMap,
        limits: &Limits,
    ) -> Result<Self, HttpError> {
        ascii_only(headers)?;
        let topic = query.required("topic")?.into_owned();
        let qos = match bit(query, headers, "qos", &QOS)? {
            Some(Bit::Zero) => QoS::AtMostOnce,
            Some(Bit::One) | None => QoS::AtLeastOnce,
        };
        let retain = match bit(query, headers, "retain", &RETAIN)? {
            Some(Bit::One) => Retain::Keep,
            Some(Bit::Zero) | None => Retain::No,
        };
        let properties = properties(headers, limits)?;
        let draft = Draft { topic, flags: Flags { qos, retain }, properties };
        Ok(Fields { draft, answer: answer(query)? })
    }
}

/// A field that is `0` or `1`.
#[derive(Clone, Copy)]
enum Bit {
    Zero,
    One,
}

fn properties(headers: &HeaderMap, limits: &Limits) -> Result<Vec<u8>, HttpError> {
    let mut block = PropertyBlock::new(limits);
    if let Some(text) = header(headers, &PAYLOAD_FORMAT)? {
        block.payload_format(match parse_bit("header mqtt-payload-format-indicator", text)? {
            Bit::Zero => 0,
            Bit::One => 1,
        })?;
    }
    if let Some(text) = header(headers, &EXPIRY)? {
        block.message_expiry(seconds("header mqtt-message-expiry", text)?)?;
    }
    // An empty Content-Type says nothing, so nothing is passed on.
    if let Some(text) = header(headers, &CONTENT_TYPE)?.filter(|text| !text.is_empty()) {
        block.content_type("header content-type", text)?;
    }
    if let Some(text) = header(headers, &RESPONSE_TOPIC)? {
        block.response_topic("header mqtt-response-topic", &decoded_topic(text)?)?;
    }
    if let Some(text) = header(headers, &CORRELATION_DATA)? {
        let place = "header mqtt-correlation-data";
        block.correlation_data(place, &base64_decode(place, text)?)?;
    }
    if let Some(text) = header(headers, &USER_PROPERTIES)? {
        block.user("header mqtt-user-properties", &user_properties(text)?)?;
    }
    Ok(block.into_bytes())
}

/// E6: decoded once; a topic without triplets decodes to itself.
fn decoded_topic(text: &str) -> Result<String, HttpError> {
    let place = "header mqtt-response-topic";
    let bytes = percent_decode(text).map_err(|bad| {
        let why = format!("the '%' at byte {} needs two hexadecimal digits behind it", bad.at);
        bad_value(place, why)
    })?;
    String::from_utf8(bytes.into_owned())
        .map_err(|_| bad_value(place, "does not decode to UTF-8; percent-encode UTF-8 text"))
}

/// E1 to E5: base64 of a JSON array, or the array itself.
fn user_properties(text: &str) -> Result<UserProperties, HttpError> {
    let place = "header mqtt-user-properties";
    let trimmed = text.trim();
    let json = if trimmed.starts_with('[') {
        Cow::Borrowed(trimmed.as_bytes())
    } else {
        Cow::Owned(base64_decode(place, trimmed)?)
    };
    UserProperties::parse(&json).map_err(|why| {
        bad_value(place, format!("{why}; send base64 of a JSON array like [{{\"key\":\"value\"}}]"))
    })
}

/// The bit `key`, from the query if it is there, else from `name`.
fn bit(
    query: Query<'_>,
    headers: &HeaderMap,
    key: &'static str,
    name: &HeaderName,
) -> Result<Option<Bit>, HttpError> {
    if let Some(text) = query.one(key)? {
        return parse_bit(&format!("query parameter '{key}'"), &text).map(Some);
    }
    match header(headers, name)? {
        Some(text) => parse_bit(&format!("header {name}"), text).map(Some),
        None => Ok(None),
    }
}

fn parse_bit(place: &str, text: &str) -> Result<Bit, HttpError> {
    match text {
        "0" => Ok(Bit::Zero),
        "1" => Ok(Bit::One),
        other => Err(bad_value(place, format!("'{other}' is not known; send 0 or 1"))),
    }
}

/// Digits only: Rust's own parser would take a sign.
fn seconds(place: &str, text: &str) -> Result<u32, HttpError> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or_else(|| {
        bad_value(place, format!("'{text}' is no number of seconds; send 0 to {}", u32::MAX))
    })
}

fn answer(query: Query<'_>) -> Result<Answer, HttpError> {
    let timeout = query.one("timeout")?;
    match (query.one("wait")?.as_deref(), timeout) {
        (None, None) => Ok(Answer::Accepted),
        (Some("delivered"), timeout) => {
            let place = "query parameter 'timeout'";
            let timeout_s = match timeout {
                Some(text) => seconds(place, &text)?,
                None => WAIT_DEFAULT_S,
            };
            if timeout_s > WAIT_MAX_S {
                return Err(bad_value(place, format!("send 0 to {WAIT_MAX_S} seconds")));
            }
            Ok(Answer::Delivered { timeout: Duration::from_secs(u64::from(timeout_s)) })
        }
        (Some(other), _) => {
            let why = format!("'{other}' is not known; send 'delivered'");
            Err(bad_value("query parameter 'wait'", why))
        }
        (None, Some(_)) => {
            Err(bad_value("query parameter 'timeout'", "has no meaning without wait=delivered"))
        }
    }
}

/// The value of a header that may stand there once.
pub fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, HttpError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad_value(&format!("header {name}"), "is there more than once; send it once"));
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(not_ascii(name)),
    }
}

/// E10, also for headers that a query parameter overrides.
fn ascii_only(headers: &HeaderMap) -> Result<(), HttpError> {
    let foreign = headers
        .iter()
        .find(|(name, value)| name.as_str().starts_with("mqtt-") && value.to_str().is_err());
    foreign.map_or(Ok(()), |(name, _)| Err(not_ascii(name)))
}

fn not_ascii(name: &HeaderName) -> HttpError {
    let why = "has characters outside printable ASCII; encode it as the specification says";
    bad_value(&format!("header {name}"), why)
}

const QOS: HeaderName = HeaderName::from_static("mqtt-qos");
const RETAIN: HeaderName = HeaderName::from_static("mqtt-retain");
const RESPONSE_TOPIC: HeaderName = HeaderName::from_static("mqtt-response-topic");
const CORRELATION_DATA: HeaderName = HeaderName::from_static("mqtt-correlation-data");
const USER_PROPERTIES: HeaderName = HeaderName::from_static("mqtt-user-properties");
const EXPIRY: HeaderName = HeaderName::from_static("mqtt-message-expiry");
const PAYLOAD_FORMAT: HeaderName = HeaderName::from_static("mqtt-payload-format-indicator");
const WAIT_DEFAULT_S: u32 = 5;
/// Longer waits would hold the connection against intermediaries that give up after a minute or
/// five.
const WAIT_MAX_S: u32 = 300;

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
