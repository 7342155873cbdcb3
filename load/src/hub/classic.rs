//! What a device writes and reads in MQTT 3.1.1 (iot-hub D). Refuses to know connections.

use super::device::{Heard, Said};
use super::signing::Key;
use super::{API, HOST};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::wire::connect::Connect;
use mqtt::wire::encoder::PublishOut;
use mqtt::wire::{Publish, Version};

/// Appends a CONNECT of a device, with a token of its key.
pub fn connect(id: &str, clean: bool, out: &mut Vec<u8>) {
    let (user_name, token) = (format!("{HOST}/{id}/?{API}"), Key::of(id).token(id));
    let connect = Connect {
        clean_start: clean,
        user_name: Some(&user_name),
        password: Some(token.as_bytes()),
        ..Connect::new(Version::V311, id)
    };
    connect.encode(out).expect("identifiers and tokens of ours are short");
}

/// Appends a PUBLISH, at QoS 1 with an identifier, else at QoS 0.
pub fn publish(topic: &str, id: Option<PacketId>, payload: &[u8], out: &mut Vec<u8>) {
    let packet = PublishOut {
        version: Version::V311,
        dup: false,
        qos: if id.is_some() { QoS::AtLeastOnce } else { QoS::AtMostOnce },
        retain: false,
        topic,
        packet_id: id.map_or(0, PacketId::get),
        alias: 0,
        send_topic: true,
        subscription_ids: &[],
        properties: &[],
        expiry: None,
        payload,
    };
    packet.encode(out);
}

/// Where telemetry goes that says to be JSON.
pub fn telemetry(id: &str) -> String {
    format!("devices/{id}/messages/events/$.ct=application%2Fjson&$.ce=utf-8")
}

/// Where the twin is asked for.
pub fn twin(correlation: u64) -> String {
    format!("$iothub/twin/GET/?$rid={correlation}")
}

/// Where a patch of what is reported goes.
pub fn reported(correlation: u64, if_version: Option<u64>) -> String {
    let on = if_version.map(|version| format!("&$version={version}")).unwrap_or_default();
    format!("$iothub/twin/PATCH/properties/reported/?$rid={correlation}{on}")
}

/// Where a call is answered.
pub fn answer(call: &[u8], status: i32) -> String {
    format!("$iothub/methods/res/{status}/?$rid={}", String::from_utf8_lossy(call))
}

/// What a device listens to.
pub fn filters(id: &str) -> [(String, QoS); 4] {
    let at_0 = |filter: &str| (filter.to_owned(), QoS::AtMostOnce);
    [
        (format!("devices/{id}/messages/devicebound/#"), QoS::AtLeastOnce),
        at_0("$iothub/twin/PATCH/properties/desired/#"),
        at_0("$iothub/methods/POST/#"),
        at_0("$iothub/twin/res/#"),
    ]
}

/// What the hub tells; `None` for what no device is told.
pub fn heard(publish: &Publish<'_>) -> Option<Heard> {
    let payload = publish.payload.to_vec();
    let (path, query) = publish.topic.split_once("/?").unwrap_or((publish.topic, ""));
    let of = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
    };
    let version = of("$version").and_then(|text| text.parse().ok());
    if let Some(status) = path.strip_prefix("$iothub/twin/res/") {
        let said = match status {
            "200" | "204" => Said::Done,
            "412" => Said::OtherVersion,
            other => Said::Refused(other.to_owned()),
        };
        return Some(Heard::Response {
            correlation: of("$rid")?.parse().ok()?,
            said,
            version,
            payload,
        });
    }
    if let Some(name) = path.strip_prefix("$iothub/methods/POST/") {
        let call = of("$rid")?.as_bytes().to_vec();
        return Some(Heard::Method { name: name.to_owned(), call, payload });
    }
    if path == "$iothub/twin/PATCH/properties/desired" {
        return Some(Heard::Desired { version: version?, payload });
    }
    let bound = path.starts_with("devices/") && path.contains("/messages/devicebound/");
    bound.then_some(Heard::Command { id: publish.packet_id, told: None, payload })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt::wire::{Packet, decode, frame};

    fn read(topic: &str, id: Option<PacketId>) -> Option<Heard> {
        let mut bytes = Vec::new();
        publish(topic, id, b"1", &mut bytes);
        let found = frame(&bytes, 1 << 20).unwrap().unwrap();
        match decode(found, Version::V311) {
            Ok(Packet::Publish(publish)) => heard(&publish),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn topics_of_the_table_are_understood() {
        let payload = || b"1".to_vec();
        let response = |said, version| {
            let (correlation, payload) = (7, payload());
            Some(Heard::Response { correlation, said, version, payload })
        };
        let (name, call) = ("m".to_owned(), b"1f".to_vec());
        let bound = "devices/d/messages/devicebound/%24.to=%2Fdevices%2Fd";
        let id = PacketId::new(3);
        for (topic, id, due) in [
            ("$iothub/twin/res/200/?$rid=7", None, response(Said::Done, None)),
            ("$iothub/twin/res/204/?$rid=7&$version=4", None, response(Said::Done, Some(4))),
            ("$iothub/twin/res/412/?$rid=7", None, response(Said::OtherVersion, None)),
            ("$iothub/twin/res/429/?$rid=7", None, response(Said::Refused("429".into()), None)),
            ("$iothub/twin/res/200/?$rid=x", None, None),
            (
                "$iothub/methods/POST/m/?$rid=1f",
                None,
                Some(Heard::Method { name, call, payload: payload() }),
            ),
            (
                "$iothub/twin/PATCH/properties/desired/?$version=9",
                None,
                Some(Heard::Desired { version: 9, payload: payload() }),
            ),
            (bound, id, Some(Heard::Command { id, told: None, payload: payload() })),
            ("a/b", None, None),
        ] {
            assert_eq!(read(topic, id), due, "{topic}");
        }
        assert_eq!(
            reported(3, Some(2)),
            "$iothub/twin/PATCH/properties/reported/?$rid=3&$version=2"
        );
    }
}
