//! Topics of MQTT 3.1.1 with a property bag: a bag is read as a plain reading of D3 reads it, what
//! is written for a device is read back the same, and a topic of another device is none of ours.
//! Refuses to know what becomes of the message.

use std::borrow::Cow;

use hub::Moment;
use hub::classic::{BadBag, NoPublication, NoTelemetry, Publication, encode_bag, telemetry};
use hub::identity::{DeviceId, IdentityId};
use hub::telemetry::{ApplicationProperties, Message, SystemProperties, is_id_character};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::wire::{Properties, Publish};

use crate::choices::Choices;

/// A kind and a text.
pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    match choices.below(3) {
        0 => written(&mut choices),
        1 => topic(choices.rest()),
        _ => read(choices.rest()),
    }
}

fn device() -> IdentityId {
    let device = DeviceId::parse("D1").expect("a device id");
    IdentityId { device, module: None }
}

/// Any topic: telemetry is of this device, and so is nothing else outside `$iothub/`.
fn topic(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Publication::of(&device(), text) {
        Ok(Publication::Telemetry { bag }) => {
            let rest = text.strip_prefix("devices/D1/messages/events").expect("of this device");
            assert_eq!(bag, rest.strip_prefix('/').unwrap_or(rest).trim_end_matches('/'), "{text}");
        }
        Ok(
            Publication::TwinGet { rid }
            | Publication::PatchReported { rid, .. }
            | Publication::MethodResponse { rid, .. },
        ) => {
            assert!(text.starts_with("$iothub/") && !rid.is_empty());
            let named = [format!("$rid={rid}"), format!("%24rid={rid}")];
            assert!(named.iter().any(|named| text.contains(named)), "{text}");
        }
        Err(NoPublication::Outside) => {
            assert!(!text.starts_with("$iothub/"));
            assert!(!text.starts_with("devices/D1/messages/events/"), "{text}");
        }
        Err(_) => assert!(text.starts_with("$iothub/"), "{text}"),
    }
}

/// A bag by the plainest reading: pairs, decoded, the last of a name.
fn read(bytes: &[u8]) {
    let Ok(bag) = std::str::from_utf8(bytes) else { return };
    let publish = Publish {
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: "t",
        packet_id: PacketId::new(1),
        alias: 0,
        expiry: None,
        has_subscription_id: false,
        properties: Properties::EMPTY,
        payload: b"body",
        packet_id_at: 3,
    };
    let (pairs, whole) = pairs(bag);
    let message = match telemetry(bag, &publish) {
        Ok(message) => message,
        Err(NoTelemetry::Bag(BadBag::Encoding | BadBag::Nul)) => return assert!(!whole, "{bag}"),
        Err(NoTelemetry::Bag(BadBag::Time(name))) => {
            let time = pairs.iter().find(|(key, _)| key == name);
            let bad = |(_, value): &(String, String)| Moment::parse(value).is_none();
            return assert!(!whole || time.is_some_and(bad), "{bag}");
        }
        Err(NoTelemetry::Message(_)) => {
            let bad = |(key, value): &(String, String)| {
                let is_id = ["$.mid", "$.cid", "$.uid"].contains(&&**key);
                is_id && (value.len() > 128 || !value.chars().all(is_id_character))
            };
            return assert!(pairs.iter().any(bad) || bag.len() > 100_000, "{bag}");
        }
        Err(other) => panic!("{other:?}: {bag}"),
    };
    assert!(whole, "{bag}");
    says(&message, &pairs, bag);
}

/// A message has all of a bag and nothing else.
fn says(message: &Message<'_>, pairs: &[(String, String)], bag: &str) {
    let system = |name: &str| {
        let s = &message.system;
        match name {
            "$.mid" => s.message_id.as_deref(),
            "$.cid" => s.correlation_id.as_deref(),
            "$.uid" => s.user_id.as_deref(),
            "$.to" => s.to.as_deref(),
            "$.ct" => s.content_type.as_deref(),
            "$.ce" => s.content_encoding.as_deref(),
            "$.on" => s.output.as_deref(),
            "$.schema" => s.schema.as_deref(),
            "$.ifid" => s.interface_id.as_deref(),
            "$.sub" => s.subject.as_deref(),
            "$.diagid" => s.diagnostic_id.as_deref(),
            "$.diagctx" => s.diagnostic_context.as_deref(),
            _ => None,
        }
    };
    let mut application = message.application.iter();
    for (key, value) in pairs {
        let shown = match key.as_str() {
            "$.exp" => message.system.expiry_time == Moment::parse(value),
            "$.ctime" => message.system.creation_time == Moment::parse(value),
            key if SYSTEM.contains(&key) => system(key) == Some(value),
            _ => application.next() == Some((key, value)),
        };
        assert!(shown, "{key}={value} of {bag}: {message:?}");
    }
    assert_eq!(application.next(), None, "{bag}");
}

/// Names and values, and whether all of them can be read.
fn pairs(bag: &str) -> (Vec<(String, String)>, bool) {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut whole = true;
    for pair in bag.strip_prefix('?').unwrap_or(bag).split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (decoded(key), decoded(value)) {
            (Some(key), Some(value)) if !key.contains('\0') && !value.contains('\0') => {
                let known = pairs.iter_mut().find(|(other, _)| *other == key);
                match known {
                    // A time that is none is wrong even where another stands behind it.
                    Some((_, old)) if is_time(&key) && Moment::parse(old).is_none() => {}
                    Some((_, old)) => *old = value,
                    None => pairs.push((key, value)),
                }
            }
            _ => whole = false,
        }
    }
    (pairs, whole)
}

/// What a device is sent in a topic is what a plain reading finds there.
fn written(choices: &mut Choices<'_>) {
    let mut text = || {
        let len = choices.below(24);
        let text = String::from_utf8_lossy(choices.take(len)).into_owned();
        text.replace('\0', "0")
    };
    let mut maybe = || Some(text()).filter(|text| !text.is_empty()).map(Cow::Owned);
    let system = SystemProperties {
        message_id: maybe(),
        correlation_id: maybe(),
        user_id: maybe(),
        to: maybe(),
        content_type: maybe(),
        content_encoding: maybe(),
        ack: maybe(),
        ..SystemProperties::default()
    };
    let all = (0..4).map(|_| (Cow::Owned(text()), Cow::Owned(text()))).collect();
    let application = ApplicationProperties::of(all);
    let bag = encode_bag(&system, &application);
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~%=&".contains(c);
    assert!(bag.chars().all(plain), "{bag}");
    let read: Vec<(String, String)> = bag
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').expect("each key has its sign");
            (decoded(key).expect("encoded"), decoded(value).expect("encoded"))
        })
        .collect();
    let named = [
        ("$.mid", &system.message_id),
        ("$.cid", &system.correlation_id),
        ("$.uid", &system.user_id),
        ("$.to", &system.to),
        ("$.ct", &system.content_type),
        ("$.ce", &system.content_encoding),
        ("iothub-ack", &system.ack),
    ];
    let due = named.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
    let due: Vec<_> = due.chain(application.iter()).collect();
    assert!(read.iter().map(|(k, v)| (&**k, &**v)).eq(due.iter().copied()), "{bag}");
}

/// Percent-encoding (RFC 3986, 2.1), byte by byte.
fn decoded(text: &str) -> Option<String> {
    let (mut bytes, mut all) = (Vec::new(), text.bytes());
    while let Some(byte) = all.next() {
        if byte == b'%' {
            let digits = [all.next()?, all.next()?];
            let digits = digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)?;
            let digits = std::str::from_utf8(&digits).ok()?.to_owned();
            bytes.push(u8::from_str_radix(&digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn is_time(key: &str) -> bool {
    matches!(key, "$.exp" | "$.ctime")
}

const SYSTEM: [&str; 12] = [
    "$.mid",
    "$.cid",
    "$.uid",
    "$.to",
    "$.ct",
    "$.ce",
    "$.on",
    "$.schema",
    "$.ifid",
    "$.sub",
    "$.diagid",
    "$.diagctx",
];
