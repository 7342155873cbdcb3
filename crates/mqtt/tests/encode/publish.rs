//! PUBLISH as we send it, and what of a received one is sent on.

use super::{id, one};
use mqtt::message::Message;
use mqtt::qos::QoS;
use mqtt::wire::{
    Connect, Packet, Place, Properties, Property, Publish, PublishOut, Version, Will,
    publish_forward,
};

fn publish_out<'a>() -> PublishOut<'a> {
    PublishOut {
        version: Version::V5,
        dup: false,
        qos: QoS::AtMostOnce,
        retain: false,
        topic: "devices/device1/telemetry",
        packet_id: 0,
        alias: 0,
        send_topic: true,
        subscription_ids: &[],
        properties: &[],
        expiry: None,
        payload: b"{}",
    }
}

fn encoded(out: &PublishOut<'_>) -> (Vec<u8>, usize) {
    let mut bytes = vec![0xEE; 3];
    let at = out.encode(&mut bytes);
    assert_eq!(bytes.len() - 3, out.len(), "len tells the size");
    assert!(!out.is_empty());
    (bytes.split_off(3), at - 3)
}

#[test]
fn a_sent_publish_is_what_a_receiver_decodes() {
    let properties = [0x01, 1, 0x02, 0, 0, 0, 60, 0x26, 0, 1, b'k', 0, 1, b'v'];
    for payload_len in [0, 1, 90, 91, 127, 128, 16_200, 16_384, 2_097_152] {
        let payload = vec![b'x'; payload_len];
        let out = PublishOut {
            qos: QoS::AtLeastOnce,
            retain: true,
            dup: true,
            packet_id: 0x1234,
            alias: 3,
            subscription_ids: &[1, 128, 268_435_455],
            properties: &properties,
            expiry: Some((3, 17)),
            payload: &payload,
            ..publish_out()
        };
        let (bytes, at) = encoded(&out);
        assert_eq!(bytes[at..at + 2], [0x12, 0x34]);
        let Packet::Publish(p) = one(Version::V5, &bytes) else { panic!() };
        assert_eq!((p.dup, p.qos, p.retain), (true, QoS::AtLeastOnce, true));
        assert_eq!((p.topic, p.packet_id, p.alias), (out.topic, Some(id(0x1234)), 3));
        assert_eq!((p.expiry, p.has_subscription_id), (Some(17), true));
        assert_eq!(p.properties.subscription_ids().collect::<Vec<_>>(), [1, 128, 268_435_455]);
        assert_eq!(p.properties.user().collect::<Vec<_>>(), [("k", "v")]);
        assert_eq!(p.payload, payload);
    }
}

#[test]
fn old_subscribers_get_topic_and_payload_only() {
    let out = PublishOut {
        version: Version::V311,
        alias: 3,
        send_topic: false,
        subscription_ids: &[5],
        properties: &[0x01, 0],
        ..publish_out()
    };
    let (bytes, _) = encoded(&out);
    let Packet::Publish(p) = one(Version::V311, &bytes) else { panic!() };
    assert_eq!((p.topic, p.payload, p.packet_id), (out.topic, &b"{}"[..], None));
}

#[test]
fn a_known_alias_saves_the_topic() {
    let (bytes, _) = encoded(&PublishOut { alias: 7, send_topic: false, ..publish_out() });
    assert_eq!(bytes, [0x30, 8, 0, 0, 3, 0x23, 0, 7, b'{', b'}']);
    // Without an alias the topic is sent whatever `send_topic` says.
    let (bytes, _) = encoded(&PublishOut { send_topic: false, ..publish_out() });
    let Packet::Publish(p) = one(Version::V5, &bytes) else { panic!() };
    assert_eq!(p.topic, "devices/device1/telemetry");
}

#[test]
fn qos_0_is_never_sent_as_a_duplicate() {
    let (bytes, _) = encoded(&PublishOut { dup: true, ..publish_out() });
    assert_eq!(bytes[0], 0x30);
    let Packet::Publish(mut p) = one(Version::V5, &bytes) else { panic!() };
    p.dup = true;
    let mut again = Vec::new();
    p.encode(Version::V5, &mut again).unwrap();
    assert_eq!(again, bytes);
}

#[test]
fn the_offset_of_a_received_packet_identifier_is_told() {
    let body = [0, 3, b'a', b'/', b'b', 0x12, 0x34, b'x'];
    let p = Publish::decode(0x32, &body, Version::V311).unwrap();
    assert_eq!(body[p.packet_id_at..p.packet_id_at + 2], [0x12, 0x34]);
    assert_eq!(Publish::decode(0x30, &body, Version::V311).unwrap().packet_id_at, 0);
}

#[test]
fn properties_are_forwarded_unchanged_and_in_order() {
    let mut raw = Vec::new();
    let kept = [
        Property::User("b", "2"),
        Property::PayloadFormat(1),
        Property::ContentType("text/plain"),
        Property::User("a", "1"),
        Property::ResponseTopic("re/ply"),
        Property::CorrelationData(&[0, 255]),
        Property::MessageExpiry(60),
        Property::User("b", "1"),
    ];
    kept.iter().for_each(|property| property.encode(&mut raw).unwrap());
    let mut scratch = Vec::new();
    let whole = Properties::parse(&raw, Place::Publish).unwrap();
    let forward = publish_forward(whole, &mut scratch);
    assert_eq!(forward.raw.as_ptr(), raw.as_ptr(), "borrowed, not copied");
    let at = forward.expiry_at.unwrap();
    assert_eq!(forward.raw[at..at + 4], [0, 0, 0, 60]);

    let mut mixed = Vec::new();
    Property::SubscriptionId(9).encode(&mut mixed).unwrap();
    mixed.extend_from_slice(&raw);
    Property::TopicAlias(4).encode(&mut mixed).unwrap();
    let mixed = Properties::parse(&mixed, Place::Publish).unwrap();
    let forward = publish_forward(mixed, &mut scratch);
    assert_eq!(Properties::trusted(forward.raw).iter().collect::<Vec<_>>(), kept);
    assert_eq!(forward.raw[forward.expiry_at.unwrap()..][..4], [0, 0, 0, 60]);

    let message = Message::new("t", forward.raw, b"p", QoS::AtLeastOnce, false);
    assert_eq!((message.expiry_s(), message.expiry_at()), (Some(60), forward.expiry_at));
    assert_eq!(publish_forward(Properties::EMPTY, &mut scratch).raw, []);
}

#[test]
fn a_will_is_forwarded_without_its_delay() {
    let mut raw = Vec::new();
    for property in [
        Property::User("a", "1"),
        Property::WillDelay(30),
        Property::ContentType("text/plain"),
        Property::User("a", "0"),
    ] {
        property.encode(&mut raw).unwrap();
    }
    let properties = Properties::parse(&raw, Place::Will).unwrap();
    let mut connect = Connect::new(Version::V5, "d");
    connect.will = Some(Will {
        qos: QoS::ExactlyOnce,
        retain: true,
        topic: "w",
        payload: b"gone",
        delay_s: 30,
        expiry: None,
        properties,
    });
    let mut bytes = Vec::new();
    connect.encode(&mut bytes).unwrap();
    let Packet::Connect(seen) = one(Version::V5, &bytes) else { panic!() };
    let will = seen.will.unwrap();
    assert_eq!((will.delay_s, will.topic, will.qos), (30, "w", QoS::ExactlyOnce));
    let mut scratch = Vec::new();
    let forward = will.forward(&mut scratch);
    let wanted =
        [Property::User("a", "1"), Property::ContentType("text/plain"), Property::User("a", "0")];
    assert_eq!(Properties::trusted(forward.raw).iter().collect::<Vec<_>>(), wanted);
    assert_eq!(forward.expiry_at, None);
}

#[test]
fn a_payload_is_checked_against_its_format_on_request() {
    let body = [0, 1, b'a', 2, 0x01, 1, 0xFF];
    let p = Publish::decode(0x30, &body, Version::V5).unwrap();
    assert!(!p.payload_is_utf8());
    let p = Publish::decode(0x30, &body[..6], Version::V5).unwrap();
    assert!(p.payload_is_utf8());
    let body = [0, 1, b'a', 2, 0x01, 0, 0xFF];
    assert!(Publish::decode(0x30, &body, Version::V5).unwrap().payload_is_utf8());
}
