//! A message as headers and a body (iot-hub C6, D6): one table of names for both directions.
//! Refuses to know where a message goes and which rules its values have.

use std::borrow::Cow;
use std::collections::HashMap;

use hyper::HeaderMap;
use hyper::header::{
    CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, InvalidHeaderValue,
};
use serde_json::{Map, Value};

use hub::Moment;
use hub::errors::{ErrorCode, Refusal};
use hub::identity::DeviceId;
use hub::telemetry::{ApplicationProperties, SystemProperties};
use node::devices::{Received, Sending};

/// Reads a message for a device, or of one. A header of the message's own wins over one of HTTP's.
///
/// # Errors
/// ArgumentInvalid for a value that is no text or no time, and for a header that is there twice.
pub fn read(headers: &HeaderMap, body: Vec<u8>) -> Result<Sending, Refusal> {
    let mut system = system(|name| Ok(one(headers, &name)?.map(str::to_owned)))?;
    let of_http = |name| Ok::<_, Refusal>(one(headers, &name)?.map(|text| text.to_owned().into()));
    system.content_type = system.content_type.map_or_else(|| of_http(CONTENT_TYPE), ok)?;
    system.content_encoding =
        system.content_encoding.map_or_else(|| of_http(CONTENT_ENCODING), ok)?;
    let mut properties = Vec::new();
    for (name, value) in headers {
        if let Some(name) = name.as_str().strip_prefix(PROPERTY) {
            properties.push((name.to_owned().into(), word(name, value)?.to_owned().into()));
        }
    }
    Ok(Sending { body, system, application: ApplicationProperties::of(properties) })
}

/// Reads a message whose properties are members of an object, named as headers are, in any case.
///
/// # Errors
/// ArgumentInvalid as for headers, and for a name that no property has.
pub fn of_members(members: &Map<String, Value>, body: Vec<u8>) -> Result<Sending, Refusal> {
    let invalid = |text: String| Refusal::new(ErrorCode::ArgumentInvalid, text);
    let (mut known, mut properties) = (HashMap::new(), Vec::new());
    for (name, value) in members {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            _ => return Err(invalid(format!("property '{}' is no text", name.escape_debug()))),
        };
        let lower = name.to_ascii_lowercase();
        if lower.starts_with(PROPERTY) {
            properties.push((name[PROPERTY.len()..].to_owned().into(), text.into()));
        } else if SYSTEM.iter().any(|known| *known == lower) {
            known.insert(lower, text);
        } else {
            let name = name.escape_debug();
            return Err(invalid(format!(
                "there is no property '{name}'; its own begin with {PROPERTY}"
            )));
        }
    }
    let system = system(|name| Ok(known.get(name.as_str()).cloned()))?;
    Ok(Sending { body, system, application: ApplicationProperties::of(properties) })
}

/// The properties that the hub has names for.
fn system(
    text: impl Fn(HeaderName) -> Result<Option<String>, Refusal>,
) -> Result<SystemProperties<'static>, Refusal> {
    let owned = |name| Ok::<_, Refusal>(text(name)?.map(Cow::Owned));
    let time = |name: HeaderName| text(name.clone())?.map(|text| moment(&name, &text)).transpose();
    Ok(SystemProperties {
        content_type: owned(OWN_TYPE)?,
        content_encoding: owned(OWN_ENCODING)?,
        message_id: owned(MESSAGE_ID)?,
        correlation_id: owned(CORRELATION_ID)?,
        user_id: owned(USER_ID)?,
        to: owned(TO)?,
        expiry_time: time(EXPIRY)?,
        creation_time: time(CREATION_TIME)?,
        ack: owned(ACK)?,
        interface_id: owned(INTERFACE_ID)?,
        subject: owned(SUBJECT)?,
        ..SystemProperties::default()
    })
}

/// The device that `iothub-to` names: `/devices/{id}/messages/deviceBound`, fixed segments in any
/// case.
///
/// # Errors
/// ArgumentNull, ArgumentInvalid.
pub fn to(headers: &HeaderMap) -> Result<DeviceId, Refusal> {
    let invalid = |text: String| Refusal::new(ErrorCode::ArgumentInvalid, text);
    let Some(text) = one(headers, &TO)? else {
        let text = format!("header {TO} is missing; set it to {TO_FORM}");
        return Err(Refusal::new(ErrorCode::ArgumentNull, text));
    };
    let segments: Vec<&str> = text.split('/').collect();
    let is = |segment: &str, name: &str| segment.eq_ignore_ascii_case(name);
    match segments[..] {
        ["", a, id, b, c] if is(a, "devices") && is(b, "messages") && is(c, "deviceBound") => {
            DeviceId::parse(id).map_err(|why| invalid(format!("the device id in {TO} {why}")))
        }
        _ => Err(invalid(format!("header {TO} has to be {TO_FORM}"))),
    }
}

/// The headers of a command for its device (D6).
///
/// # Errors
/// ServerError for what no header can hold: nothing that was read from headers.
pub fn write(device: &DeviceId, received: &Received, into: &mut HeaderMap) -> Result<(), Refusal> {
    let command = received.delivery.content.read();
    let to = format!("/devices/{device}/messages/deviceBound");
    let (etag, number) = (format!("\"{}\"", received.token), command.sequence.to_string());
    let deliveries = received.delivery.deliveries.to_string();
    let (enqueued, expires) = (Moment::at(command.enqueued_ms), Moment::at(command.expires_ms));
    let fixed = [
        (ETAG, Some(&*etag)),
        (MESSAGE_ID, command.message_id),
        (CORRELATION_ID, command.correlation_id),
        (SEQUENCE_NUMBER, Some(&*number)),
        (TO, Some(&*to)),
        (USER_ID, command.user_id),
        (ACK, Some(command.ack.as_str())),
        (EXPIRY, Some(expires.text().as_str())),
        (DELIVERY_COUNT, Some(&*deliveries)),
        (ENQUEUED_TIME, Some(enqueued.text().as_str())),
        (CONTENT_TYPE, Some(command.content_type.unwrap_or(OCTETS))),
        (OWN_TYPE, command.content_type),
        (OWN_ENCODING, command.content_encoding),
    ]
    .map(|(name, value)| (name, value.map(str::to_owned)));
    for (name, value) in fixed {
        if let Some(value) = value {
            into.insert(name, held(&value)?);
        }
    }
    for (name, value) in command.properties {
        let name = HeaderName::try_from(format!("{PROPERTY}{name}")).map_err(|_| unfit())?;
        into.append(name, held(value)?);
    }
    Ok(())
}

fn held(value: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_bytes(value.as_bytes()).map_err(|_: InvalidHeaderValue| unfit())
}

fn unfit() -> Refusal {
    Refusal::new(ErrorCode::ServerError, "a property of the message fits in no header")
}

fn ok<T, E>(value: T) -> Result<Option<T>, E> {
    Ok(Some(value))
}

/// A header that may be there once; an empty one is none.
pub fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        let text = format!("header {name} is there more than once; keep one of them");
        return Err(Refusal::new(ErrorCode::ArgumentInvalid, text));
    }
    Ok(Some(word(name.as_str(), value)?).filter(|text| !text.is_empty()))
}

fn word<'h>(name: &str, value: &'h HeaderValue) -> Result<&'h str, Refusal> {
    std::str::from_utf8(value.as_bytes()).map_err(|_| {
        let text = format!("header {name} is no UTF-8");
        Refusal::new(ErrorCode::ArgumentInvalid, text)
    })
}

fn moment(name: &HeaderName, text: &str) -> Result<Moment, Refusal> {
    Moment::parse(text).filter(|moment| *moment != Moment::NEVER).ok_or_else(|| {
        let text = format!("{name} is a time like 2026-11-22T10:00:00Z");
        Refusal::new(ErrorCode::ArgumentInvalid, text)
    })
}

const TO: HeaderName = HeaderName::from_static("iothub-to");
const MESSAGE_ID: HeaderName = HeaderName::from_static("iothub-messageid");
const CORRELATION_ID: HeaderName = HeaderName::from_static("iothub-correlationid");
const USER_ID: HeaderName = HeaderName::from_static("iothub-userid");
const EXPIRY: HeaderName = HeaderName::from_static("iothub-expiry");
const ACK: HeaderName = HeaderName::from_static("iothub-ack");
const CREATION_TIME: HeaderName = HeaderName::from_static("iothub-creation-time-utc");
const INTERFACE_ID: HeaderName = HeaderName::from_static("iothub-interface-id");
const SUBJECT: HeaderName = HeaderName::from_static("dt-subject");
/// All of them.
const SYSTEM: [&str; 11] = [
    "iothub-to",
    "iothub-messageid",
    "iothub-correlationid",
    "iothub-userid",
    "iothub-expiry",
    "iothub-ack",
    "iothub-contenttype",
    "iothub-contentencoding",
    "iothub-creation-time-utc",
    "iothub-interface-id",
    "dt-subject",
];
const OWN_TYPE: HeaderName = HeaderName::from_static("iothub-contenttype");
const OWN_ENCODING: HeaderName = HeaderName::from_static("iothub-contentencoding");
const DELIVERY_COUNT: HeaderName = HeaderName::from_static("iothub-deliverycount");
const ENQUEUED_TIME: HeaderName = HeaderName::from_static("iothub-enqueuedtime");
/// Also what a sender is told, which is ours.
pub const SEQUENCE_NUMBER: HeaderName = HeaderName::from_static("iothub-sequencenumber");
/// Names of headers have no case, and hyper tells nobody in which they came: that of an application
/// property is lost. Members of a batch keep theirs.
const PROPERTY: &str = "iothub-app-";
const TO_FORM: &str = "/devices/{id}/messages/deviceBound";
const OCTETS: &str = "application/octet-stream";

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        lines.iter().map(pair).collect()
    }

    #[test]
    fn headers_become_a_message() {
        let sending = read(
            &headers(&[
                ("iothub-messageid", "m1"),
                ("iothub-correlationid", "c1"),
                ("iothub-userid", ""),
                ("iothub-expiry", "2026-11-22T10:00:00Z"),
                ("iothub-ack", "none"),
                ("content-type", "text/plain"),
                ("iothub-contenttype", "application/json"),
                ("content-encoding", "utf-8"),
                ("iothub-app-level", "hö"),
                ("x-other", "no"),
            ]),
            b"x".to_vec(),
        )
        .unwrap();
        let text = |text: &'static str| Some(Cow::Borrowed(text));
        let expected = SystemProperties {
            message_id: text("m1"),
            correlation_id: text("c1"),
            content_type: text("application/json"),
            content_encoding: text("utf-8"),
            ack: text("none"),
            expiry_time: Moment::parse("2026-11-22T10:00:00Z"),
            ..SystemProperties::default()
        };
        assert_eq!(sending.system, expected);
        assert_eq!(sending.application.iter().collect::<Vec<_>>(), [("level", "hö")]);
        for lines in [
            &[("iothub-expiry", "tomorrow")][..],
            &[("iothub-expiry", "0001-01-01T00:00:00Z")],
            &[("iothub-messageid", "a"), ("iothub-messageid", "b")],
        ] {
            let refused = read(&headers(lines), Vec::new()).unwrap_err();
            assert_eq!(refused.code, ErrorCode::ArgumentInvalid);
        }
    }

    #[test]
    fn members_are_read_as_headers_are_and_keep_their_case() {
        let members = |text: &str| serde_json::from_str::<Map<String, Value>>(text).unwrap();
        let all = r#"{"iothub-app-Level":"high","IoTHub-MessageId":"m1","iothub-app-n":1}"#;
        let sending = of_members(&members(all), Vec::new()).unwrap();
        assert_eq!(sending.system.message_id.as_deref(), Some("m1"));
        let properties: Vec<_> = sending.application.iter().collect();
        assert_eq!(properties, [("Level", "high"), ("n", "1")]);
        for wrong in [r#"{"level":"high"}"#, r#"{"iothub-app-a":[]}"#, r#"{"iothub-expiry":"x"}"#] {
            let refused = of_members(&members(wrong), Vec::new()).unwrap_err();
            assert_eq!(refused.code, ErrorCode::ArgumentInvalid, "{wrong}");
        }
        assert!(SYSTEM.iter().all(|name| HeaderName::from_static(name) == *name));
    }

    #[test]
    fn a_message_goes_to_one_device() {
        let device = |text: &str| to(&headers(&[("iothub-to", text)])).map(|id| id.to_string());
        assert_eq!(device("/devices/D#1/messages/deviceBound"), Ok("D#1".to_owned()));
        assert_eq!(device("/Devices/d/Messages/DEVICEBOUND"), Ok("d".to_owned()));
        assert_eq!(to(&HeaderMap::new()).unwrap_err().code, ErrorCode::ArgumentNull);
        for text in [
            "d",
            "/devices/d",
            "devices/d/messages/devicebound",
            "/devices//messages/devicebound",
            "/devices/d/modules/m/messages/devicebound",
            "/devices/d/messages/devicebound/",
        ] {
            assert_eq!(device(text).unwrap_err().code, ErrorCode::ArgumentInvalid, "{text}");
        }
    }
}
