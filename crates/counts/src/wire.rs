//! Decoding and encoding PUBLISH packets with a payload of 64 bytes.
use crate::{Case, Turns};
use mqtt::qos::QoS;
use mqtt::wire::{PublishOut, Version, decode, frame};
use std::hint::black_box;

pub const CASES: &[Case] = &[
    case("decode-v311-q0", |_| decoding(Version::V311, QoS::AtMostOnce)),
    case("decode-v311-q1", |_| decoding(Version::V311, QoS::AtLeastOnce)),
    case("decode-v5-q0", |_| decoding(Version::V5, QoS::AtMostOnce)),
    case("decode-v5-q1", |_| decoding(Version::V5, QoS::AtLeastOnce)),
    case("encode-v311-q0", |_| encoding(Version::V311, QoS::AtMostOnce)),
    case("encode-v5-q1", |_| encoding(Version::V5, QoS::AtLeastOnce)),
];

const fn case(name: &'static str, ready: fn(usize) -> Turns) -> Case {
    Case { name, warm: 1, turns: 100, ready }
}

/// A PUBLISH as devices send them.
pub fn publish(version: Version, qos: QoS, topic: &str, packet_id: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet(version, qos, topic, packet_id).encode(&mut bytes);
    bytes
}

fn packet(version: Version, qos: QoS, topic: &str, packet_id: u16) -> PublishOut<'_> {
    PublishOut {
        version,
        dup: false,
        qos,
        retain: false,
        topic,
        packet_id,
        alias: 0,
        send_topic: true,
        subscription_ids: &[],
        properties: &[],
        expiry: None,
        payload: &PAYLOAD,
    }
}

fn decoding(version: Version, qos: QoS) -> Turns {
    let bytes = publish(version, qos, TOPIC, 7).repeat(PACKETS);
    Box::new(move || {
        let mut at = 0;
        while let Ok(Some(f)) = frame(&bytes[at..], 1 << 20) {
            let _ = black_box(decode(f, version));
            at += f.len;
        }
        assert_eq!(at, bytes.len());
        PACKETS
    })
}

fn encoding(version: Version, qos: QoS) -> Turns {
    let mut out = Vec::new();
    Box::new(move || {
        out.clear();
        for _ in 0..PACKETS {
            black_box(packet(version, qos, TOPIC, 7)).encode(&mut out);
        }
        PACKETS
    })
}

const PACKETS: usize = 16;
const TOPIC: &str = "site/7/device/00042/state";
const PAYLOAD: [u8; 64] = [b'x'; 64];
