//! What our codec makes of bytes, told. Refuses to know other codecs.

use mqtt::error::Wrong;
use mqtt::limits::PACKET_BYTES_MAX;
use mqtt::wire::{
    Ack, ConnAck, Connect, Packet, Properties, Property, Publish, Subscribe, Version, decode, frame,
};

use crate::told::Told;

/// The first packet; `None` while it is incomplete.
pub fn read(bytes: &[u8], version: Version) -> Result<Option<Told>, Wrong> {
    match frame(bytes, PACKET_BYTES_MAX)? {
        Some(f) => Ok(Some(told(&decode(f, version)?, version))),
        None => Ok(None),
    }
}

fn told(packet: &Packet<'_>, version: Version) -> Told {
    let told = Told::packet(packet.name());
    match packet {
        Packet::Connect(c) => connect(told, c),
        Packet::ConnAck(c) => connack(told, c, version),
        Packet::Publish(p) => publish(told, p),
        Packet::PubAck(a) | Packet::PubRec(a) | Packet::PubRel(a) | Packet::PubComp(a) => {
            ack(told, a)
        }
        Packet::Subscribe(s) => subscribe(told, s),
        Packet::SubAck(s) => {
            properties(told, s.properties).say("id", s.packet_id.get()).each("reason", s.reasons)
        }
        Packet::Unsubscribe(u) => properties(told, u.properties)
            .say("id", u.packet_id.get())
            .each("filter", u.filters.iter().map(|(text, _)| text)),
        Packet::UnsubAck(u) => {
            properties(told, u.properties).say("id", u.packet_id.get()).each("reason", u.reasons)
        }
        Packet::PingReq | Packet::PingResp => told,
        Packet::Disconnect(d) => {
            properties(told, d.properties).unless("reason", Some(d.reason.code()), 0)
        }
        Packet::Auth(a) => {
            properties(told, a.properties).unless("reason", Some(a.reason.code()), 0)
        }
    }
    .told()
}

fn connect(told: Told, c: &Connect<'_>) -> Told {
    let will = |told: Told| match &c.will {
        None => told,
        Some(w) => told
            .say("will topic", w.topic)
            .say("will flags", format!("{} {}", w.qos.bits(), w.retain))
            .payload("will payload", w.payload)
            .unless("will delay", Some(w.delay_s), 0)
            .maybe("will expiry", w.expiry)
            .unless("will format", w.properties.payload_format(), 0)
            .maybe("will type", w.properties.content_type())
            .maybe("will response", w.properties.response_topic())
            .bytes("will correlation", w.properties.correlation_data())
            .pairs("will user", w.properties.user()),
    };
    let mut told = properties(told, c.properties);
    if c.session_expiry == Some(0) {
        // Zero is what absence says (3.1.2.11.2), in CONNECT only.
        told = told.without(&["session expiry"]);
    }
    will(told)
        .say("version", if c.version == Version::V5 { 5 } else { 4 })
        .say("clean", c.clean_start)
        .say("keep alive", c.keep_alive)
        .say("client", c.client_id)
        .maybe("user name", c.user_name)
        .bytes("password", c.password)
}

fn connack(told: Told, c: &ConnAck<'_>, version: Version) -> Told {
    let code = match version {
        Version::V5 => c.reason.code(),
        Version::V311 => c.reason.connack_v311(),
    };
    properties(told, c.properties).say("present", c.session_present).say("reason", code)
}

fn publish(told: Told, p: &Publish<'_>) -> Told {
    properties(told, p.properties)
        .say("flags", format!("{} {} {}", p.dup, p.qos.bits(), p.retain))
        .say("topic", p.topic)
        .maybe("id", p.packet_id.map(|id| id.get()))
        .payload("payload", p.payload)
}

fn ack(told: Told, a: &Ack<'_>) -> Told {
    properties(told, a.properties).say("id", a.packet_id.get()).unless(
        "reason",
        Some(a.reason.code()),
        0,
    )
}

fn subscribe(told: Told, s: &Subscribe<'_>) -> Told {
    properties(told, s.properties).say("id", s.packet_id.get()).pairs(
        "filter",
        s.filters.iter().map(|f| {
            let o = f.options;
            let (local, kept) = (o.no_local, o.retain_as_published);
            (f.text, format!("{} {local} {kept} {}", o.qos.bits(), o.retain_handling as u8))
        }),
    )
}

fn properties(mut told: Told, all: Properties<'_>) -> Told {
    for property in all.iter() {
        told = match property {
            Property::PayloadFormat(v) => told.unless("format", Some(v), 0),
            Property::MessageExpiry(v) => told.say("expiry", v),
            Property::ContentType(v) => told.say("type", v),
            Property::ResponseTopic(v) => told.say("response", v),
            Property::CorrelationData(v) => told.bytes("correlation", Some(v)),
            Property::SubscriptionId(v) => told.say("subscription", v),
            Property::SessionExpiry(v) => told.say("session expiry", v),
            Property::AssignedClientId(v) => told.say("assigned", v),
            Property::ServerKeepAlive(v) => told.say("server keep alive", v),
            Property::AuthenticationMethod(v) => told.say("method", v),
            Property::AuthenticationData(v) => told.bytes("data", Some(v)),
            Property::RequestProblemInformation(v) => told.unless("problem", Some(v), true),
            Property::WillDelay(v) => told.say("delay", v),
            Property::RequestResponseInformation(v) => told.unless("information", Some(v), false),
            Property::ResponseInformation(v) => told.say("response information", v),
            Property::ServerReference(v) => told.say("reference", v),
            Property::ReasonString(v) => told.say("reason string", v),
            Property::ReceiveMax(v) => told.unless("receive max", Some(v), u16::MAX),
            Property::TopicAliasMax(v) => told.unless("alias max", Some(v), 0),
            Property::TopicAlias(v) => told.say("alias", v),
            Property::MaximumQoS(v) => told.say("maximum qos", v),
            Property::RetainAvailable(v) => told.unless("retain available", Some(v), true),
            Property::User(name, value) => told.pairs("user", [(name, value)]),
            Property::PacketMax(v) => told.say("packet max", v),
            Property::WildcardSubscriptionAvailable(v) => told.unless("wildcard", Some(v), true),
            Property::SubscriptionIdAvailable(v) => told.unless("identifiers", Some(v), true),
            Property::SharedSubscriptionAvailable(v) => told.unless("shared", Some(v), true),
        };
    }
    told
}
