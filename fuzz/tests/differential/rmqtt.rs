//! What rmqtt-codec makes of bytes, told. Refuses to know our codec.

use bytes::BytesMut;
use mqtt::wire::Version;
use rmqtt_codec::types::{Publish, QoS};
use rmqtt_codec::v3::Packet as Packet3;
use rmqtt_codec::v5::{Connect, ConnectAck, Packet, UserProperties};
use rmqtt_codec::{v3, v5};
use tokio_util::codec::{Decoder, Encoder};

use crate::told::Told;

/// The first packet and how rmqtt writes it again; `None` while it is incomplete.
pub fn read(bytes: &[u8], version: Version) -> Result<Option<(Told, Vec<u8>)>, String> {
    let mut from = BytesMut::from(bytes);
    let mut to = BytesMut::new();
    let told = match version {
        Version::V311 => {
            let mut codec = v3::Codec::new(0);
            let Some((packet, _)) = codec.decode(&mut from).map_err(name)? else { return Ok(None) };
            let told = told_3(&packet);
            codec.encode(packet, &mut to).map_err(|e| format!("writing: {}", name(e)))?;
            told
        }
        Version::V5 => {
            let mut codec = v5::Codec::new(0, 0);
            let Some((packet, _)) = codec.decode(&mut from).map_err(name)? else { return Ok(None) };
            let told = told_5(&packet);
            codec.encode(packet, &mut to).map_err(|e| format!("writing: {}", name(e)))?;
            told
        }
    };
    Ok(Some((told.told(), to.to_vec())))
}

/// An error without its values.
fn name(error: impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}

fn told_3(packet: &Packet3) -> Told {
    let id = |name, packet_id: &std::num::NonZeroU16| Told::packet(name).say("id", packet_id);
    match packet {
        Packet3::Connect(c) => {
            let told = Told::packet("CONNECT")
                .say("version", c.protocol.0)
                .say("clean", c.clean_session)
                .say("keep alive", c.keep_alive)
                .say("client", &c.client_id)
                .maybe("user name", c.username.as_ref())
                .bytes("password", c.password.as_deref());
            match &c.last_will {
                None => told,
                Some(w) => told
                    .say("will topic", &w.topic)
                    .say("will flags", format!("{} {}", w.qos.value(), w.retain))
                    .payload("will payload", &w.message),
            }
        }
        Packet3::ConnectAck(c) => Told::packet("CONNACK")
            .say("present", c.session_present)
            .say("reason", u8::from(c.return_code)),
        Packet3::Publish(p) => publish(p),
        Packet3::PublishAck { packet_id } => id("PUBACK", packet_id),
        Packet3::PublishReceived { packet_id } => id("PUBREC", packet_id),
        Packet3::PublishRelease { packet_id } => id("PUBREL", packet_id),
        Packet3::PublishComplete { packet_id } => id("PUBCOMP", packet_id),
        Packet3::Subscribe { packet_id, topic_filters } => id("SUBSCRIBE", packet_id).pairs(
            "filter",
            topic_filters.iter().map(|(text, q)| (text, format!("{} false false 0", q.value()))),
        ),
        Packet3::SubscribeAck { packet_id, status } => id("SUBACK", packet_id).each(
            "reason",
            status.iter().map(|code| match code {
                v3::SubscribeReturnCode::Success(qos) => qos.value(),
                v3::SubscribeReturnCode::Failure => 0x80,
            }),
        ),
        Packet3::Unsubscribe { packet_id, topic_filters } => {
            id("UNSUBSCRIBE", packet_id).each("filter", topic_filters)
        }
        Packet3::UnsubscribeAck { packet_id } => id("UNSUBACK", packet_id),
        Packet3::PingRequest => Told::packet("PINGREQ"),
        Packet3::PingResponse => Told::packet("PINGRESP"),
        Packet3::Disconnect => Told::packet("DISCONNECT"),
    }
}

fn told_5(packet: &Packet) -> Told {
    match packet {
        Packet::Connect(c) => connect(c),
        Packet::ConnectAck(c) => connack(c),
        Packet::Publish(p) => publish(p),
        Packet::PublishAck(a) | Packet::PublishReceived(a) => {
            let name = if matches!(packet, Packet::PublishAck(_)) { "PUBACK" } else { "PUBREC" };
            let told = Told::packet(name).say("id", a.packet_id);
            diagnosed(told, a.reason_string.as_ref(), &a.properties).unless(
                "reason",
                Some(u8::from(a.reason_code)),
                0,
            )
        }
        Packet::PublishRelease(a) | Packet::PublishComplete(a) => {
            let is_release = matches!(packet, Packet::PublishRelease(_));
            let told = Told::packet(if is_release { "PUBREL" } else { "PUBCOMP" });
            diagnosed(told.say("id", a.packet_id), a.reason_string.as_ref(), &a.properties).unless(
                "reason",
                Some(u8::from(a.reason_code)),
                0,
            )
        }
        Packet::Subscribe(s) => Told::packet("SUBSCRIBE")
            .say("id", s.packet_id)
            .maybe("subscription", s.id)
            .pairs("user", s.user_properties.iter().map(|(k, v)| (k, v)))
            .pairs(
                "filter",
                s.topic_filters.iter().map(|(text, o)| {
                    let (local, kept) = (o.no_local, o.retain_as_published);
                    let handling = u8::from(o.retain_handling);
                    (text, format!("{} {local} {kept} {handling}", o.qos.value()))
                }),
            ),
        Packet::SubscribeAck(s) => {
            let told = Told::packet("SUBACK").say("id", s.packet_id);
            diagnosed(told, s.reason_string.as_ref(), &s.properties)
                .each("reason", s.status.iter().map(|code| u8::from(*code)))
        }
        Packet::Unsubscribe(u) => Told::packet("UNSUBSCRIBE")
            .say("id", u.packet_id)
            .pairs("user", u.user_properties.iter().map(|(k, v)| (k, v)))
            .each("filter", &u.topic_filters),
        Packet::UnsubscribeAck(u) => {
            let told = Told::packet("UNSUBACK").say("id", u.packet_id);
            diagnosed(told, u.reason_string.as_ref(), &u.properties)
                .each("reason", u.status.iter().map(|code| u8::from(*code)))
        }
        Packet::PingRequest => Told::packet("PINGREQ"),
        Packet::PingResponse => Told::packet("PINGRESP"),
        Packet::Disconnect(d) => {
            diagnosed(Told::packet("DISCONNECT"), d.reason_string.as_ref(), &d.user_properties)
                .unless("reason", Some(u8::from(d.reason_code)), 0)
                .maybe("session expiry", d.session_expiry_interval_secs)
                .maybe("reference", d.server_reference.as_ref())
        }
        Packet::Auth(a) => {
            diagnosed(Told::packet("AUTH"), a.reason_string.as_ref(), &a.user_properties)
                .unless("reason", Some(u8::from(a.reason_code)), 0)
                .maybe("method", a.auth_method.as_ref())
                .bytes("data", a.auth_data.as_deref())
        }
    }
}

fn connect(c: &Connect) -> Told {
    let told = Told::packet("CONNECT")
        .say("version", 5)
        .say("clean", c.clean_start)
        .say("keep alive", c.keep_alive)
        .say("client", &c.client_id)
        .maybe("user name", c.username.as_ref())
        .bytes("password", c.password.as_deref())
        .unless("session expiry", Some(c.session_expiry_interval_secs), 0)
        .unless("receive max", c.receive_max.map(u16::from), u16::MAX)
        .maybe("packet max", c.max_packet_size)
        .unless("alias max", Some(c.topic_alias_max), 0)
        .unless("problem", Some(c.request_problem_info), true)
        .unless("information", Some(c.request_response_info), false)
        .maybe("method", c.auth_method.as_ref())
        .bytes("data", c.auth_data.as_deref())
        .pairs("user", c.user_properties.iter().map(|(k, v)| (k, v)));
    match &c.last_will {
        None => told,
        Some(w) => told
            .say("will topic", &w.topic)
            .say("will flags", format!("{} {}", w.qos.value(), w.retain))
            .payload("will payload", &w.message)
            .unless("will delay", w.will_delay_interval_sec, 0)
            .maybe("will expiry", w.message_expiry_interval)
            .unless("will format", w.is_utf8_payload.map(u8::from), 0)
            .maybe("will type", w.content_type.as_ref())
            .maybe("will response", w.response_topic.as_ref())
            .bytes("will correlation", w.correlation_data.as_deref())
            .pairs("will user", w.user_properties.iter().map(|(k, v)| (k, v))),
    }
}

fn connack(c: &ConnectAck) -> Told {
    let told = Told::packet("CONNACK")
        .say("present", c.session_present)
        .say("reason", u8::from(c.reason_code))
        .maybe("session expiry", c.session_expiry_interval_secs)
        .unless("receive max", Some(u16::from(c.receive_max)), u16::MAX)
        .unless("maximum qos", Some(c.max_qos.value()), QoS::ExactlyOnce.value())
        .maybe("packet max", c.max_packet_size)
        .maybe("assigned", c.assigned_client_id.as_ref())
        .unless("alias max", Some(c.topic_alias_max), 0)
        .unless("retain available", Some(c.retain_available), true)
        .unless("wildcard", Some(c.wildcard_subscription_available), true)
        .unless("identifiers", Some(c.subscription_identifiers_available), true)
        .unless("shared", Some(c.shared_subscription_available), true)
        .maybe("server keep alive", c.server_keepalive_sec)
        .maybe("response information", c.response_info.as_ref())
        .maybe("reference", c.server_reference.as_ref())
        .maybe("method", c.auth_method.as_ref())
        .bytes("data", c.auth_data.as_deref());
    diagnosed(told, c.reason_string.as_ref(), &c.user_properties)
}

fn publish(p: &Publish) -> Told {
    let told = Told::packet("PUBLISH")
        .say("flags", format!("{} {} {}", p.dup, p.qos.value(), p.retain))
        .say("topic", &p.topic)
        .maybe("id", p.packet_id)
        .payload("payload", &p.payload);
    match &p.properties {
        None => told,
        Some(more) => told
            .maybe("alias", more.topic_alias)
            .bytes("correlation", more.correlation_data.as_deref())
            .maybe("expiry", more.message_expiry_interval)
            .maybe("type", more.content_type.as_ref())
            .unless("format", Some(u8::from(more.is_utf8_payload)), 0)
            .maybe("response", more.response_topic.as_ref())
            .each("subscription", &more.subscription_ids)
            .pairs("user", more.user_properties.iter().map(|(k, v)| (k, v))),
    }
}

fn diagnosed(told: Told, reason: Option<&impl std::fmt::Display>, user: &UserProperties) -> Told {
    told.maybe("reason string", reason).pairs("user", user.iter().map(|(k, v)| (k, v)))
}
