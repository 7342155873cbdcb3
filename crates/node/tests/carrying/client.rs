//! What clients send and get.

use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::encoder::ack;
use mqtt::wire::subscribe::Filters;
use mqtt::wire::{
    AckKind, Connect, Packet, Properties, Property, PublishOut, Subscribe, SubscribeOptions,
    Version, decode, frame,
};

/// A PUBLISH that a client got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Got {
    pub packet_id: PacketId,
    pub qos: QoS,
    pub dup: bool,
    pub retain: bool,
    pub topic: String,
    pub payload: Vec<u8>,
    pub ids: Vec<u32>,
    pub user: Vec<(String, String)>,
}

/// What a client got.
pub enum Heard {
    Publish(Got),
    PubAck(PacketId),
    PubRel(PacketId),
    PubRec(PacketId),
    Other,
}

pub fn heard(mut bytes: &[u8]) -> Vec<Heard> {
    let mut all = Vec::new();
    while let Some(f) = frame(bytes, usize::MAX).unwrap() {
        all.push(match decode(f, Version::V5).unwrap() {
            Packet::Publish(p) => Heard::Publish(Got {
                packet_id: p.packet_id.unwrap(),
                qos: p.qos,
                dup: p.dup,
                retain: p.retain,
                topic: p.topic.to_owned(),
                payload: p.payload.to_vec(),
                ids: p.properties.subscription_ids().collect(),
                user: p.properties.user().map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            }),
            Packet::PubAck(a) => Heard::PubAck(a.packet_id),
            Packet::PubRel(a) => Heard::PubRel(a.packet_id),
            Packet::PubRec(a) => Heard::PubRec(a.packet_id),
            _ => Heard::Other,
        });
        bytes = &bytes[f.len..];
    }
    assert!(bytes.is_empty(), "whole packets");
    all
}

pub fn connect(client: &str, expiry_s: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut packet = Connect::new(Version::V5, client);
    (packet.clean_start, packet.session_expiry) = (false, Some(expiry_s));
    packet.encode(&mut bytes).unwrap();
    bytes
}

pub fn subscribe(filter: &str, qos: QoS, no_local: bool) -> Vec<u8> {
    let (mut raw, mut bytes) = (Vec::new(), Vec::new());
    let options = SubscribeOptions { qos, no_local, ..SubscribeOptions::default() };
    Filters::push(&mut raw, filter, options, Version::V5).unwrap();
    let filters = Filters::parse(&raw, Version::V5).unwrap();
    let (packet_id, properties) = (PacketId::new(1).unwrap(), Properties::EMPTY);
    let s = Subscribe { packet_id, subscription_id: Some(7), properties, filters };
    s.encode(Version::V5, &mut bytes).unwrap();
    bytes
}

pub fn publish(packet_id: u16, qos: QoS, payload: &[u8]) -> Vec<u8> {
    let (mut bytes, mut properties) = (Vec::new(), Vec::new());
    Property::User("key", "value").encode(&mut properties).unwrap();
    PublishOut {
        version: Version::V5,
        dup: false,
        qos,
        retain: false,
        topic: "t/1",
        packet_id,
        alias: 0,
        send_topic: true,
        subscription_ids: &[],
        properties: &properties,
        expiry: None,
        payload,
    }
    .encode(&mut bytes);
    bytes
}

pub fn answer(kind: AckKind, id: PacketId) -> Vec<u8> {
    let mut bytes = Vec::new();
    ack(&mut bytes, Version::V5, kind, id, Reason::SUCCESS);
    bytes
}
