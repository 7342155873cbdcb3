//! What an MQTT server sends to the client verbs, copied out of the input buffer, and how its
//! refusals read. Knows nothing of sockets.

use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::ack::{self, AckKind};
use mqtt::wire::property::Properties;
use mqtt::wire::{self, Packet, Version};

/// What came in, copied out of the input buffer.
pub enum Incoming {
    /// The answer to CONNECT.
    ConnAck { reason: Reason, why: String },
    /// An acknowledgement of a message, either way.
    Ack { kind: AckKind, id: PacketId, reason: Reason, why: String },
    /// The answer to SUBSCRIBE.
    SubAck { id: PacketId, reasons: Vec<Reason>, why: String },
    /// A message.
    Message { id: Option<PacketId>, message: Received },
    /// The answer to a ping.
    Pong,
    /// The server ends the connection.
    End { reason: Reason, why: String },
    /// Anything else, by name.
    Other(&'static str),
}

/// A message that arrived.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    /// Topic name.
    pub topic: String,
    /// The level.
    pub qos: QoS,
    /// Whether it was stored before we subscribed.
    pub retain: bool,
    /// MQTT 5 property bytes without their length.
    pub properties: Vec<u8>,
    /// The payload.
    pub payload: Vec<u8>,
}

/// The first whole packet of `input` with its length.
pub fn take(input: &[u8]) -> anyhow::Result<Option<(Incoming, usize)>> {
    let broken = |wrong| anyhow::anyhow!("the server broke the protocol: {wrong}");
    let Some(frame) = wire::frame(input, PACKET_MAX).map_err(broken)? else { return Ok(None) };
    let len = frame.len;
    let packet = wire::decode(frame, Version::V5).map_err(broken)?;
    Ok(Some((copy(&packet), len)))
}

fn copy(packet: &Packet<'_>) -> Incoming {
    let text = |properties: Properties<'_>| properties.reason_string().unwrap_or("").to_owned();
    let acknowledged = |kind, ack: &ack::Ack<'_>| Incoming::Ack {
        kind,
        id: ack.packet_id,
        reason: ack.reason,
        why: text(ack.properties),
    };
    match packet {
        Packet::ConnAck(ack) => Incoming::ConnAck { reason: ack.reason, why: text(ack.properties) },
        Packet::Publish(publish) => Incoming::Message {
            id: publish.packet_id,
            message: Received {
                topic: publish.topic.to_owned(),
                qos: publish.qos,
                retain: publish.retain,
                properties: publish.properties.raw().to_vec(),
                payload: publish.payload.to_vec(),
            },
        },
        Packet::PubAck(ack) => acknowledged(AckKind::PubAck, ack),
        Packet::PubRec(ack) => acknowledged(AckKind::PubRec, ack),
        Packet::PubRel(ack) => acknowledged(AckKind::PubRel, ack),
        Packet::PubComp(ack) => acknowledged(AckKind::PubComp, ack),
        Packet::SubAck(ack) => Incoming::SubAck {
            id: ack.packet_id,
            reasons: ack.reasons.iter().map(|code| reason(*code)).collect(),
            why: text(ack.properties),
        },
        Packet::PingResp => Incoming::Pong,
        Packet::Disconnect(end) => Incoming::End { reason: end.reason, why: text(end.properties) },
        other => Incoming::Other(other.name()),
    }
}

/// A code that no specification lists is some refusal or other.
fn reason(code: u8) -> Reason {
    Reason::from_code(code).unwrap_or(Reason::UNSPECIFIED_ERROR)
}

/// A refusal by the server, with its code, name and reason string.
pub fn refused(what: &str, reason: Reason, why: &str) -> anyhow::Error {
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    anyhow::anyhow!("the server refused {what}: {} (0x{:02X}){why}", reason.name(), reason.code())
}

/// A packet that does not belong here.
pub fn unexpected(incoming: &Incoming) -> anyhow::Error {
    let name = match incoming {
        Incoming::ConnAck { .. } => "CONNACK",
        Incoming::Ack { .. } => "acknowledgement",
        Incoming::SubAck { .. } => "SUBACK",
        Incoming::Message { .. } => "PUBLISH",
        Incoming::Pong => "PINGRESP",
        Incoming::End { .. } => "DISCONNECT",
        Incoming::Other(name) => name,
    };
    anyhow::anyhow!("the server sent an unexpected {name}")
}

/// The protocol's own bound (MQTT 5, 2.1.4): the client has none of its own.
pub const PACKET_MAX: usize = 268_435_460;
