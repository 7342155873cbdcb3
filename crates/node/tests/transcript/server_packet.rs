//! Packets that a client receives, from bytes to a line of transcript. Shows every field that is
//! on the wire; the announcements that every CONNACK of a profile makes are shown as `+limits`.

use super::words::shown;
use broker::limits::{Limits, SubscriptionIdentifiers};
use mqtt::qos::QoS;
use mqtt::wire::{Ack, ConnAck, Packet, Properties, Property, Publish, Version, decode, frame};
use std::fmt::Write;

/// Takes the first whole packet off `bytes` and shows it.
pub fn take(bytes: &mut Vec<u8>, version: Version, limits: &Limits) -> Option<String> {
    let f = match frame(bytes, usize::MAX) {
        Ok(f) => f?,
        Err(wrong) => panic!("the server sent no packet: {wrong}: {bytes:02x?}"),
    };
    let len = f.len;
    let packet = match decode(f, version) {
        Ok(packet) => packet,
        Err(wrong) => panic!("the server sent a wrong packet: {wrong}: {:02x?}", &bytes[..len]),
    };
    let line = show(&packet, version, limits);
    bytes.drain(..len);
    Some(line)
}

fn show(packet: &Packet<'_>, version: Version, limits: &Limits) -> String {
    let name = packet.name();
    match packet {
        // 3.1.1 has return codes of its own, and none in acknowledgements.
        Packet::ConnAck(c) if version == Version::V311 => {
            format!("{name} {} present={}", c.reason.connack_v311(), u8::from(c.session_present))
        }
        Packet::ConnAck(c) => connack(c, limits),
        Packet::Publish(p) => publish(p),
        Packet::PubAck(a) | Packet::PubRec(a) | Packet::PubRel(a) | Packet::PubComp(a) => {
            ack(name, a, version)
        }
        Packet::SubAck(s) => {
            format!("{name} id={}{}{}", s.packet_id.get(), codes(s.reasons), all(s.properties))
        }
        Packet::UnsubAck(u) => {
            format!("{name} id={}{}{}", u.packet_id.get(), codes(u.reasons), all(u.properties))
        }
        Packet::PingResp => name.to_owned(),
        Packet::Disconnect(d) => {
            format!("{name} 0x{:02x}{}", d.reason.code(), all(d.properties))
        }
        Packet::Auth(a) => format!("{name} 0x{:02x}{}", a.reason.code(), all(a.properties)),
        Packet::Connect(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_) | Packet::PingReq => {
            panic!("the server sent a {name}")
        }
    }
}

fn connack(c: &ConnAck<'_>, limits: &Limits) -> String {
    let head = format!("CONNACK 0x{:02x} present={}", c.reason.code(), u8::from(c.session_present));
    let usual = usual(limits);
    let found: Vec<_> = c.properties.iter().collect();
    if c.reason.is_error() || !usual.iter().all(|p| found.contains(p)) {
        return head + &all(c.properties);
    }
    let others = found.iter().filter(|p| !usual.contains(p));
    let others: String = others.map(property).collect();
    format!("{head} +limits{others}")
}

/// What CONNACK announces of the namespace to everybody.
fn usual(limits: &Limits) -> Vec<Property<'static>> {
    let mut usual = vec![
        Property::ReceiveMax(limits.receive_max),
        Property::PacketMax(u32::try_from(limits.packet_bytes_max).expect("a packet size")),
    ];
    if limits.topic_alias_max > 0 {
        usual.push(Property::TopicAliasMax(limits.topic_alias_max));
    }
    if limits.maximum_qos < QoS::ExactlyOnce {
        usual.push(Property::MaximumQoS(limits.maximum_qos.bits()));
    }
    if limits.subscription_identifiers == SubscriptionIdentifiers::Refused {
        usual.push(Property::SubscriptionIdAvailable(false));
    }
    usual
}

fn publish(p: &Publish<'_>) -> String {
    let mut line = format!("PUBLISH q={}", p.qos.bits());
    if let Some(id) = p.packet_id {
        let _ = write!(line, " id={}", id.get());
    }
    for (name, on) in [("dup", p.dup), ("retain", p.retain)] {
        if on {
            let _ = write!(line, " {name}=1");
        }
    }
    let _ = write!(line, " topic={}{}", p.topic, all(p.properties));
    if !p.payload.is_empty() {
        let _ = write!(line, " payload={}", shown(p.payload));
    }
    line
}

fn ack(name: &str, a: &Ack<'_>, version: Version) -> String {
    let id = a.packet_id.get();
    match version {
        Version::V311 => format!("{name} id={id}"),
        Version::V5 => format!("{name} id={id} 0x{:02x}{}", a.reason.code(), all(a.properties)),
    }
}

fn codes(codes: &[u8]) -> String {
    codes.iter().map(|code| format!(" 0x{code:02x}")).collect()
}

fn all(properties: Properties<'_>) -> String {
    properties.iter().map(|p| property(&p)).collect()
}

fn property(p: &Property<'_>) -> String {
    let flag = |on: &bool| u8::from(*on).to_string();
    let (name, value) = match p {
        Property::PayloadFormat(v) => ("format", v.to_string()),
        Property::MessageExpiry(v) | Property::SessionExpiry(v) => ("expiry", v.to_string()),
        Property::ContentType(v) => ("content-type", shown(v.as_bytes())),
        Property::ResponseTopic(v) => ("response-topic", (*v).to_owned()),
        Property::CorrelationData(v) => ("correlation", shown(v)),
        Property::SubscriptionId(v) => ("sub-id", v.to_string()),
        Property::AssignedClientId(v) => ("assigned", (*v).to_owned()),
        Property::ServerKeepAlive(v) => ("keep-alive", v.to_string()),
        Property::AuthenticationMethod(v) => ("method", (*v).to_owned()),
        Property::AuthenticationData(v) => ("data", shown(v)),
        Property::RequestProblemInformation(v) => ("problem-info", flag(v)),
        Property::WillDelay(v) => ("will-delay", v.to_string()),
        Property::RequestResponseInformation(v) => ("response-info", flag(v)),
        Property::ResponseInformation(v) => ("response-information", shown(v.as_bytes())),
        Property::ServerReference(v) => ("server", shown(v.as_bytes())),
        Property::ReasonString(v) => ("reason", shown(v.as_bytes())),
        Property::ReceiveMax(v) => ("recv-max", v.to_string()),
        Property::TopicAliasMax(v) => ("alias-max", v.to_string()),
        Property::TopicAlias(v) => ("alias", v.to_string()),
        Property::MaximumQoS(v) => ("max-qos", v.to_string()),
        Property::RetainAvailable(v) => ("retain-available", flag(v)),
        Property::User(name, value) => ("user", format!("{name}:{value}")),
        Property::PacketMax(v) => ("packet-max", v.to_string()),
        Property::WildcardSubscriptionAvailable(v) => ("wildcards", flag(v)),
        Property::SubscriptionIdAvailable(v) => ("sub-ids", flag(v)),
        Property::SharedSubscriptionAvailable(v) => ("shared", flag(v)),
    };
    format!(" {name}={value}")
}
