//! What rumqttc's codecs make of bytes, told. Refuses to know our codec.
//!
//! Reason codes are told by the bytes that rumqttc writes again: its own names are no numbers.

use bytes::BytesMut;
use mqtt::wire::Version;
use rumqttc::mqttbytes::v4;
use rumqttc::v5::mqttbytes::v5;
use rumqttc::v5::mqttbytes::v5::Packet as Packet5;
use v4::Packet as Packet4;

use crate::told::Told;

/// The first packet and how rumqttc writes it again; `None` while it is incomplete.
pub fn read(bytes: &[u8], version: Version) -> Result<Option<(Told, Vec<u8>)>, String> {
    let mut from = BytesMut::from(bytes);
    let mut to = BytesMut::new();
    let told = match version {
        Version::V311 => match Packet4::read(&mut from, usize::MAX) {
            Err(rumqttc::mqttbytes::Error::InsufficientBytes(_)) => return Ok(None),
            Err(error) => return Err(name(error)),
            Ok(packet) => {
                packet.write(&mut to, usize::MAX).map_err(|e| format!("writing: {}", name(e)))?;
                told_4(&packet)
            }
        },
        Version::V5 => match Packet5::read(&mut from, None) {
            Err(rumqttc::v5::mqttbytes::Error::InsufficientBytes(_)) => return Ok(None),
            Err(error) => return Err(name(error)),
            Ok(packet) => {
                packet.write(&mut to, None).map_err(|e| format!("writing: {}", name(e)))?;
                told_5(&packet)
            }
        },
    };
    Ok(Some((told.told(), to.to_vec())))
}

/// An error without its values.
fn name(error: impl std::fmt::Debug) -> String {
    let text = format!("{error:?}");
    text.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}

fn told_4(packet: &Packet4) -> Told {
    let id = |name, pkid: u16| Told::packet(name).say("id", pkid);
    match packet {
        Packet4::Connect(c) => {
            let told = Told::packet("CONNECT")
                .say("version", 4)
                .say("clean", c.clean_session)
                .say("keep alive", c.keep_alive)
                .say("client", &c.client_id)
                .maybe("user name", c.login.as_ref().map(|l| &l.username))
                .bytes("password", c.login.as_ref().map(|l| l.password.as_bytes()));
            match &c.last_will {
                None => told,
                Some(w) => told
                    .say("will topic", &w.topic)
                    .say("will flags", format!("{} {}", w.qos as u8, w.retain))
                    .payload("will payload", &w.message),
            }
        }
        Packet4::ConnAck(c) => Told::packet("CONNACK").say("present", c.session_present),
        Packet4::Publish(p) => Told::packet("PUBLISH")
            .say("flags", format!("{} {} {}", p.dup, p.qos as u8, p.retain))
            .say("topic", &p.topic)
            .unless("id", Some(p.pkid), 0)
            .payload("payload", &p.payload),
        Packet4::PubAck(a) => id("PUBACK", a.pkid),
        Packet4::PubRec(a) => id("PUBREC", a.pkid),
        Packet4::PubRel(a) => id("PUBREL", a.pkid),
        Packet4::PubComp(a) => id("PUBCOMP", a.pkid),
        Packet4::Subscribe(s) => id("SUBSCRIBE", s.pkid).pairs(
            "filter",
            s.filters.iter().map(|f| (&f.path, format!("{} false false 0", f.qos as u8))),
        ),
        Packet4::SubAck(s) => id("SUBACK", s.pkid),
        Packet4::Unsubscribe(u) => id("UNSUBSCRIBE", u.pkid).each("filter", &u.topics),
        Packet4::UnsubAck(u) => id("UNSUBACK", u.pkid),
        Packet4::PingReq => Told::packet("PINGREQ"),
        Packet4::PingResp => Told::packet("PINGRESP"),
        Packet4::Disconnect => Told::packet("DISCONNECT"),
    }
}

/// Reason string and user properties of a packet whose properties are of different types.
macro_rules! diagnosed {
    ($told:expr, $properties:expr) => {{
        let told = $told;
        match $properties {
            None => told,
            Some(p) => told
                .maybe("reason string", p.reason_string.as_ref())
                .pairs("user", pairs(&p.user_properties)),
        }
    }};
}

fn told_5(packet: &Packet5) -> Told {
    let id = |name, pkid: u16| Told::packet(name).say("id", pkid);
    match packet {
        Packet5::Connect(c, will, login) => connect(c, will.as_ref(), login.as_ref()),
        Packet5::ConnAck(c) => connack(c),
        Packet5::Publish(p) => publish(p),
        Packet5::PubAck(a) => diagnosed!(id("PUBACK", a.pkid), &a.properties),
        Packet5::PubRec(a) => diagnosed!(id("PUBREC", a.pkid), &a.properties),
        Packet5::PubRel(a) => diagnosed!(id("PUBREL", a.pkid), &a.properties),
        Packet5::PubComp(a) => diagnosed!(id("PUBCOMP", a.pkid), &a.properties),
        Packet5::Subscribe(s) => {
            let told = id("SUBSCRIBE", s.pkid).pairs(
                "filter",
                s.filters.iter().map(|f| {
                    use v5::RetainForwardRule::{Never, OnEverySubscribe, OnNewSubscribe};
                    let handling = match f.retain_forward_rule {
                        OnEverySubscribe => 0,
                        OnNewSubscribe => 1,
                        Never => 2,
                    };
                    let (local, kept) = (f.nolocal, f.preserve_retain);
                    (&f.path, format!("{} {local} {kept} {handling}", f.qos as u8))
                }),
            );
            match &s.properties {
                None => told,
                Some(p) => {
                    told.maybe("subscription", p.id).pairs("user", pairs(&p.user_properties))
                }
            }
        }
        Packet5::SubAck(s) => diagnosed!(id("SUBACK", s.pkid), &s.properties),
        Packet5::Unsubscribe(u) => {
            let user = u.properties.as_ref().map_or(&[][..], |p| &p.user_properties);
            id("UNSUBSCRIBE", u.pkid).each("filter", &u.filters).pairs("user", pairs(user))
        }
        Packet5::UnsubAck(u) => diagnosed!(id("UNSUBACK", u.pkid), &u.properties),
        Packet5::PingReq(_) => Told::packet("PINGREQ"),
        Packet5::PingResp(_) => Told::packet("PINGRESP"),
        Packet5::Disconnect(d) => {
            let told = diagnosed!(Told::packet("DISCONNECT"), &d.properties);
            let p = d.properties.as_ref();
            told.maybe("session expiry", p.and_then(|p| p.session_expiry_interval))
                .maybe("reference", p.and_then(|p| p.server_reference.as_ref()))
        }
        Packet5::Auth(_) => Told::packet("AUTH"),
    }
}

fn connect(c: &v5::Connect, will: Option<&v5::LastWill>, login: Option<&v5::Login>) -> Told {
    let mut told = Told::packet("CONNECT")
        .say("version", 5)
        .say("clean", c.clean_start)
        .say("keep alive", c.keep_alive)
        .say("client", &c.client_id)
        .maybe("user name", login.map(|l| &l.username))
        .bytes("password", login.map(|l| l.password.as_bytes()));
    if let Some(p) = &c.properties {
        told = told
            .unless("session expiry", p.session_expiry_interval, 0)
            .unless("receive max", p.receive_maximum, u16::MAX)
            .maybe("packet max", p.max_packet_size)
            .unless("alias max", p.topic_alias_max, 0)
            .unless("problem", p.request_problem_info.map(|v| v != 0), true)
            .unless("information", p.request_response_info.map(|v| v != 0), false)
            .maybe("method", p.authentication_method.as_ref())
            .bytes("data", p.authentication_data.as_deref())
            .pairs("user", pairs(&p.user_properties));
    }
    let Some(w) = will else { return told };
    told = told
        .say("will topic", String::from_utf8_lossy(&w.topic))
        .say("will flags", format!("{} {}", w.qos as u8, w.retain))
        .payload("will payload", &w.message);
    let Some(p) = &w.properties else { return told };
    told.unless("will delay", p.delay_interval, 0)
        .maybe("will expiry", p.message_expiry_interval)
        .unless("will format", p.payload_format_indicator, 0)
        .maybe("will type", p.content_type.as_ref())
        .maybe("will response", p.response_topic.as_ref())
        .bytes("will correlation", p.correlation_data.as_deref())
        .pairs("will user", pairs(&p.user_properties))
}

fn connack(c: &v5::ConnAck) -> Told {
    let told = Told::packet("CONNACK").say("present", c.session_present);
    let Some(p) = &c.properties else { return told };
    diagnosed!(told, Some(p))
        .maybe("session expiry", p.session_expiry_interval)
        .unless("receive max", p.receive_max, u16::MAX)
        .maybe("maximum qos", p.max_qos)
        .maybe("packet max", p.max_packet_size)
        .maybe("assigned", p.assigned_client_identifier.as_ref())
        .unless("alias max", p.topic_alias_max, 0)
        .unless("retain available", p.retain_available.map(|v| v != 0), true)
        .unless("wildcard", p.wildcard_subscription_available.map(|v| v != 0), true)
        .unless("identifiers", p.subscription_identifiers_available.map(|v| v != 0), true)
        .unless("shared", p.shared_subscription_available.map(|v| v != 0), true)
        .maybe("server keep alive", p.server_keep_alive)
        .maybe("response information", p.response_information.as_ref())
        .maybe("reference", p.server_reference.as_ref())
        .maybe("method", p.authentication_method.as_ref())
        .bytes("data", p.authentication_data.as_deref())
}

fn publish(p: &v5::Publish) -> Told {
    let told = Told::packet("PUBLISH")
        .say("flags", format!("{} {} {}", p.dup, p.qos as u8, p.retain))
        .say("topic", String::from_utf8_lossy(&p.topic))
        .unless("id", Some(p.pkid), 0)
        .payload("payload", &p.payload);
    match &p.properties {
        None => told,
        Some(more) => told
            .maybe("alias", more.topic_alias)
            .bytes("correlation", more.correlation_data.as_deref())
            .maybe("expiry", more.message_expiry_interval)
            .maybe("type", more.content_type.as_ref())
            .unless("format", more.payload_format_indicator, 0)
            .maybe("response", more.response_topic.as_ref())
            .each("subscription", &more.subscription_identifiers)
            .pairs("user", pairs(&more.user_properties)),
    }
}

fn pairs(user: &[(String, String)]) -> impl Iterator<Item = (&String, &String)> {
    user.iter().map(|(k, v)| (k, v))
}
