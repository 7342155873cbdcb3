//! What clients say, made from the fuzzer's choices: proper packets, and sometimes not quite.
//! Refuses to know who says it.

use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::connect::Connect;
use mqtt::wire::encoder::{PINGREQ, PublishOut, ack};
use mqtt::wire::subscribe::Filters;
use mqtt::wire::unsubscribe::FilterList;
use mqtt::wire::{
    AckKind, AuthOut, Diagnostics, Disconnect, Properties, ProtocolName, RetainHandling, Subscribe,
    SubscribeOptions, Unsubscribe, Version, Will,
};

use super::observer::Open;
use crate::choices::Choices;

/// A CONNECT; gives its version.
pub fn connect(c: &mut Choices<'_>, out: &mut Vec<u8>) -> Version {
    let version = c.pick(&[Version::V5, Version::V311]);
    let is_5 = version == Version::V5;
    let mut connect = Connect::new(version, c.pick(CLIENTS));
    if !is_5 && c.one_in(4) {
        connect.name = ProtocolName::MqIsdp;
    }
    connect.clean_start = c.one_in(2);
    connect.keep_alive = c.pick(&[0, 5, 60]);
    if is_5 {
        connect.session_expiry = c.pick(&[None, Some(0), Some(30), Some(u32::MAX)]);
        connect.receive_max = c.pick(&[None, Some(1), Some(2), Some(20)]);
        connect.packet_max = c.pick(&[None, None, Some(20), Some(60), Some(200)]);
        connect.topic_alias_max = c.pick(&[None, Some(1), Some(10)]);
        connect.request_problem_information = !c.one_in(4);
        connect.authentication_method = c.pick(&[None, None, Some("SAS")]);
    }
    let qos = level(c);
    if c.one_in(2) {
        connect.will = Some(Will {
            qos,
            retain: c.one_in(2),
            topic: c.pick(TOPICS),
            payload: c.pick(&[b"gone", b""]),
            delay_s: if is_5 { c.pick(&[0, 10, 1_000]) } else { 0 },
            expiry: if is_5 { c.pick(&[None, Some(5)]) } else { None },
            properties: Properties::EMPTY,
        });
    }
    connect.encode(out).expect("short strings");
    version
}

/// Any packet a client may send behind CONNECT.
pub fn packet(c: &mut Choices<'_>, v: Version, out: &mut Vec<u8>) {
    let id = PacketId::new(1 + c.below(5) as u16).expect("not zero");
    match c.below(16) {
        0..=5 => publish(c, v, id, out),
        6..=8 => subscribe(c, v, id, out),
        9 => unsubscribe(c, v, id, out),
        10 => out.extend_from_slice(&PINGREQ),
        11 if c.one_in(4) => disconnect(c, v, out),
        12 if v == Version::V5 => {
            let reason = c.pick(&[Reason::RE_AUTHENTICATE, Reason::CONTINUE_AUTHENTICATION]);
            let method = c.pick(&["SAS", "other"]);
            let auth = AuthOut { reason, method, data: None, diagnostics: Diagnostics::NONE };
            auth.encode(usize::MAX, out).expect("short strings");
        }
        _ => {
            let kind = c.pick(KINDS);
            let first = matches!(kind, AckKind::PubAck | AckKind::PubRec);
            let reason = if first {
                c.pick(&[Reason::SUCCESS, Reason::QUOTA_EXCEEDED])
            } else {
                Reason::SUCCESS
            };
            ack(out, v, kind, id, reason);
        }
    }
}

/// The proper answer to what is under way.
pub fn answer(c: &mut Choices<'_>, v: Version, id: u16, open: Open, out: &mut Vec<u8>) {
    let kind = match open {
        Open::Acknowledge => AckKind::PubAck,
        Open::Receive => AckKind::PubRec,
        Open::Complete => AckKind::PubComp,
    };
    let refused = open != Open::Complete && c.one_in(8);
    let reason = if refused { Reason::UNSPECIFIED_ERROR } else { Reason::SUCCESS };
    ack(out, v, kind, PacketId::new(id).expect("the server's own"), reason);
}

fn publish(c: &mut Choices<'_>, version: Version, id: PacketId, out: &mut Vec<u8>) {
    let qos = level(c);
    let is_5 = version == Version::V5;
    let alias = if is_5 { c.pick(&[0, 0, 1, 2, 3]) } else { 0 };
    let payload = vec![b'x'; c.pick(&[0, 3, 40, 400])];
    let properties: &[u8] = match (is_5, c.below(5)) {
        (true, 1) => &[2, 0, 0, 0, 10],
        (true, 2) => &[0x26, 0, 1, b'k', 0, 1, b'v', 1, 1],
        (true, 3) => &[8, 0, 1, b'r', 9, 0, 1, 7, 2, 0, 0, 0, 0],
        _ => &[],
    };
    let out_packet = PublishOut {
        version,
        dup: c.one_in(4),
        qos,
        retain: c.one_in(3),
        topic: c.pick(TOPICS),
        packet_id: id.get(),
        alias,
        send_topic: c.one_in(2),
        subscription_ids: &[],
        properties,
        expiry: None,
        payload: &payload,
    };
    out_packet.encode(out);
}

fn subscribe(c: &mut Choices<'_>, v: Version, packet_id: PacketId, out: &mut Vec<u8>) {
    let is_5 = v == Version::V5;
    let mut raw = Vec::new();
    for _ in 0..1 + c.below(3) {
        let text = c.pick(FILTERS);
        let handling = [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::Never];
        let options = SubscribeOptions {
            qos: level(c),
            no_local: is_5 && c.one_in(3) && !text.starts_with("$share"),
            retain_as_published: is_5 && c.one_in(2),
            retain_handling: if is_5 { c.pick(&handling) } else { RetainHandling::Send },
        };
        Filters::push(&mut raw, text, options, v).expect("a short filter");
    }
    let subscription_id = if is_5 { c.pick(&[None, Some(1), Some(200)]) } else { None };
    let filters = Filters::parse(&raw, v).expect("made to be valid");
    let properties = Properties::EMPTY;
    let subscribe = Subscribe { packet_id, subscription_id, properties, filters };
    subscribe.encode(v, out).expect("small numbers");
}

fn unsubscribe(c: &mut Choices<'_>, v: Version, packet_id: PacketId, out: &mut Vec<u8>) {
    let mut raw = Vec::new();
    for _ in 0..1 + c.below(2) {
        FilterList::push(&mut raw, c.pick(FILTERS)).expect("a short filter");
    }
    let filters = FilterList::parse(&raw, v).expect("made to be valid");
    let unsubscribe = Unsubscribe { packet_id, properties: Properties::EMPTY, filters };
    unsubscribe.encode(v, out).expect("short strings");
}

fn disconnect(c: &mut Choices<'_>, v: Version, out: &mut Vec<u8>) {
    let (mut reason, mut session_expiry) = (Reason::NORMAL_DISCONNECTION, None);
    if v == Version::V5 {
        reason = c.pick(&[reason, Reason::DISCONNECT_WITH_WILL]);
        session_expiry = c.pick(&[None, Some(0), Some(20)]);
    }
    let d = Disconnect { reason, session_expiry, properties: Properties::EMPTY };
    d.encode(v, usize::MAX, out).expect("a small packet");
}

/// A level of QoS.
pub fn level(c: &mut Choices<'_>) -> QoS {
    c.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

/// Fewer identifiers than connections: take-overs happen. The empty one is assigned.
pub const CLIENTS: &[&str] = &["c0", "c1", "c2", "held", "no", "few", ""];
/// Names that are published to.
pub const TOPICS: &[&str] = &["a", "a/b", "b", "a/b/c", "$x", "$SYS/x"];
const FILTERS: &[&str] =
    &["#", "a/+", "a/b", "+/b", "b", "a/#", "$share/g/a", "$share/g/#", "a/#/b", "$SYS/#", "$x"];
const KINDS: &[AckKind] = &[AckKind::PubAck, AckKind::PubRec, AckKind::PubRel, AckKind::PubComp];
