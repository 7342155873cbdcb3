//! What a device writes and reads on the MQTT 5 plane (iot-hub A). Refuses to know connections.

use super::HOST;
use super::device::{Heard, Said};
use super::signing::{Key, expiry_ms};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::wire::connect::Connect;
use mqtt::wire::encoder::PublishOut;
use mqtt::wire::property::{Properties, Property};
use mqtt::wire::{Publish, Version};

/// Appends a CONNECT of a device or module, signed with its key.
pub fn connect(id: &str, expiry_s: Option<u32>, out: &mut Vec<u8>) {
    let expiry = expiry_ms().to_string();
    let mac = Key::of(id).connect(id, &expiry);
    let raw =
        users(&[("api-version", "2020-10-01-preview"), ("host", HOST), ("sas-expiry", &expiry)]);
    let connect = Connect {
        clean_start: expiry_s.is_none(),
        session_expiry: expiry_s,
        authentication_method: Some("SAS"),
        authentication_data: Some(&mac),
        properties: Properties::trusted(&raw),
        ..Connect::new(Version::V5, id)
    };
    connect.encode(out).expect("identifiers of ours are short");
}

/// Appends a PUBLISH, at QoS 1 with an identifier, else at QoS 0.
pub fn publish(
    topic: &str,
    id: Option<PacketId>,
    properties: &[u8],
    payload: &[u8],
    out: &mut Vec<u8>,
) {
    let packet = PublishOut {
        version: Version::V5,
        dup: false,
        qos: if id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce },
        retain: false,
        topic,
        packet_id: id.map_or(0, PacketId::get),
        alias: 0,
        send_topic: true,
        subscription_ids: &[],
        properties,
        expiry: None,
        payload,
    };
    packet.encode(out);
}

/// Properties of telemetry that says to be JSON.
pub fn of_json() -> Vec<u8> {
    let mut raw = users(&[("content-encoding", "utf-8")]);
    Property::ContentType("application/json").encode(&mut raw).expect("a short text");
    raw
}

/// Properties of a request or of an answer.
pub fn correlated(correlation: &[u8], user: &[(&str, &str)]) -> Vec<u8> {
    let mut raw = users(user);
    Property::CorrelationData(correlation).encode(&mut raw).expect("short data");
    raw
}

/// What the hub tells; `None` for what is none of the plane's.
pub fn heard(publish: &Publish<'_>) -> Option<Heard> {
    let payload = publish.payload.to_vec();
    let user = |name: &str| {
        publish.properties.user().find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    let number = |name: &str| user(name).and_then(|text| text.parse::<u64>().ok());
    let correlation = publish.properties.correlation_data();
    Some(match publish.topic {
        "$iothub/responses" => Heard::Response {
            correlation: u64::from_be_bytes(correlation?.try_into().ok()?),
            said: match user("status") {
                None => Said::Done,
                Some("0104") => Said::OtherVersion,
                Some(other) => Said::Refused(other.to_owned()),
            },
            version: number("version"),
            payload,
        },
        "$iothub/commands" => Heard::Command {
            id: publish.packet_id,
            told: Some((number("sequence-no")?, number("delivery-count")?)),
            payload,
        },
        "$iothub/twin/patch/desired" => Heard::Desired { version: number("version")?, payload },
        topic => {
            let name = topic.strip_prefix("$iothub/methods/")?.to_owned();
            Heard::Method { name, call: correlation?.to_vec(), payload }
        }
    })
}

fn users(all: &[(&str, &str)]) -> Vec<u8> {
    let mut raw = Vec::new();
    for (name, value) in all {
        Property::User(name, value).encode(&mut raw).expect("names and values are short");
    }
    raw
}

/// Where telemetry goes.
pub const TELEMETRY: &str = "$iothub/telemetry";
/// Where the twin is asked for.
pub const TWIN: &str = "$iothub/twin/get";
/// Where a patch of what is reported goes.
pub const REPORTED: &str = "$iothub/twin/patch/reported";
/// Where methods are answered.
pub const RESPONSES: &str = "$iothub/responses";
/// What a device listens to; a module to all but the first.
pub const FILTERS: [(&str, QoS); 3] = [
    ("$iothub/commands", QoS::AtLeastOnce),
    ("$iothub/twin/patch/desired", QoS::AtMostOnce),
    ("$iothub/methods/+", QoS::AtMostOnce),
];
