//! What we send: shedding of diagnostics, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test may stop where it stands")]

mod publish;

use mqtt::error::TooLarge;
use mqtt::limits::PACKET_BYTES_MAX;
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::subscribe::Filters;
use mqtt::wire::unsubscribe::FilterList;
use mqtt::wire::{
    Ack, AckKind, AckOut, Auth, AuthOut, ConnAck, ConnAckOut, Connect, Diagnostics, Disconnect,
    DisconnectOut, PINGREQ, PINGRESP, Packet, Place, Properties, Property, RetainHandling, SubAck,
    SubAckOut, Subscribe, SubscribeOptions, UnsubAck, UnsubAckOut, Unsubscribe, Version, ack,
    decode, frame,
};

const ALL: usize = PACKET_BYTES_MAX;
const LONG: Diagnostics<'_> = Diagnostics {
    reason_string: Some("0123456789"),
    user: &[("name", "0123456789"), ("name", "abcdefghij")],
};

fn one(version: Version, bytes: &[u8]) -> Packet<'_> {
    let found = frame(bytes, ALL).unwrap().expect("a whole packet");
    assert_eq!(found.len, bytes.len(), "one packet");
    decode(found, version).unwrap()
}

fn id(value: u16) -> PacketId {
    PacketId::new(value).unwrap()
}

/// Every code that an encoder lets pass is one that the decoder accepts; a build with debug
/// assertions stops at the others, a build without shows them to the decoder here.
#[test]
fn our_own_reason_codes_are_listed() {
    let encoders: [fn(Reason, &mut Vec<u8>); 9] = [
        |r, out| ConnAckOut::new(r).encode(Version::V5, ALL, out).unwrap(),
        |r, out| ack(out, Version::V5, AckKind::PubAck, id(1), r),
        |r, out| ack(out, Version::V5, AckKind::PubRec, id(1), r),
        |r, out| ack(out, Version::V5, AckKind::PubRel, id(1), r),
        |r, out| ack(out, Version::V5, AckKind::PubComp, id(1), r),
        |r, out| {
            let reasons = &[r.code()][..];
            SubAckOut { packet_id: id(1), reasons, diagnostics: Diagnostics::NONE }
                .encode(Version::V5, ALL, out)
                .unwrap();
        },
        |r, out| {
            let reasons = &[r.code()][..];
            UnsubAckOut { packet_id: id(1), reasons, diagnostics: Diagnostics::NONE }
                .encode(Version::V5, ALL, out)
                .unwrap();
        },
        |r, out| DisconnectOut::new(r).encode(Version::V5, ALL, out).unwrap(),
        |r, out| {
            AuthOut { reason: r, method: "m", data: None, diagnostics: Diagnostics::NONE }
                .encode(ALL, out)
                .unwrap();
        },
    ];
    let counts = encoders.map(|encode| {
        let all = (0..=u8::MAX).filter_map(Reason::from_code);
        all.filter(|&reason| passes(encode, reason)).count()
    });
    assert_eq!(counts, [22, 9, 9, 2, 2, 12, 7, 30, 3]);
}

fn passes(encode: fn(Reason, &mut Vec<u8>), reason: Reason) -> bool {
    let encoded = std::panic::catch_unwind(|| {
        let mut out = Vec::new();
        encode(reason, &mut out);
        out
    });
    let decoded = encoded.map(|out| {
        let found = frame(&out, ALL).unwrap().expect("a whole packet");
        decode(found, Version::V5).is_ok()
    });
    decoded.unwrap_or(false)
}

/// Encodes with every limit from large to small: never above it, user properties go first, then
/// the reason string, and in the end nothing is written.
fn sheds(encode: impl Fn(usize, &mut Vec<u8>) -> Result<(), TooLarge>) {
    let mut whole = Vec::new();
    encode(ALL, &mut whole).unwrap();
    let mut stages = Vec::new();
    for max in (0..=whole.len()).rev() {
        let mut out = vec![0xEE];
        let stage = match encode(max, &mut out) {
            Ok(()) => {
                assert!(out.len() - 1 <= max, "never above the limit");
                let properties = properties_of(one(Version::V5, &out[1..]));
                (properties.user().count(), properties.reason_string().is_some())
            }
            Err(TooLarge) => {
                assert_eq!(out, [0xEE], "nothing is written");
                (0, false)
            }
        };
        if stages.last() != Some(&stage) {
            stages.push(stage);
        }
    }
    assert_eq!(stages, [(2, true), (0, true), (0, false)]);
}

#[test]
fn connack_sheds_user_properties_then_the_reason_string() {
    let mut connack = ConnAckOut::new(Reason::NOT_AUTHORIZED);
    connack.diagnostics = LONG;
    connack.assigned_client_id = Some("assigned");
    sheds(|max, out| connack.encode(Version::V5, max, out));
    let mut whole = Vec::new();
    connack.encode(Version::V5, ALL, &mut whole).unwrap();
    let Packet::ConnAck(received) = one(Version::V5, &whole) else { panic!() };
    sheds(|max, out| received.encode(Version::V5, max, out));
}

#[test]
fn acknowledgements_shed_user_properties_then_the_reason_string() {
    for kind in KINDS {
        let reason = Reason::SUCCESS;
        let out = AckOut { packet_id: id(7), reason, diagnostics: LONG };
        sheds(|max, bytes| out.encode(kind, Version::V5, max, bytes));
        let raw = raw_diagnostics();
        let properties = Properties::parse(&raw, Place::Ack).unwrap();
        let received = Ack { packet_id: id(7), reason, properties };
        sheds(|max, bytes| received.encode(kind, Version::V5, max, bytes));
    }
}

#[test]
fn suback_and_unsuback_shed_user_properties_then_the_reason_string() {
    let raw = raw_diagnostics();
    let (packet_id, reasons) = (id(7), &[0x00, 0x87][..]);
    let out = SubAckOut { packet_id, reasons, diagnostics: LONG };
    sheds(|max, bytes| out.encode(Version::V5, max, bytes));
    let properties = Properties::parse(&raw, Place::SubAck).unwrap();
    let received = SubAck { packet_id, reasons, properties };
    sheds(|max, bytes| received.encode(Version::V5, max, bytes));
    let out = UnsubAckOut { packet_id, reasons, diagnostics: LONG };
    sheds(|max, bytes| out.encode(Version::V5, max, bytes));
    let received = UnsubAck { packet_id, reasons, properties };
    sheds(|max, bytes| received.encode(Version::V5, max, bytes));
}

#[test]
fn disconnect_sheds_user_properties_then_the_reason_string() {
    for session_expiry in [None, Some(9)] {
        let mut out = DisconnectOut::new(Reason::QUOTA_EXCEEDED);
        (out.diagnostics, out.session_expiry) = (LONG, session_expiry);
        sheds(|max, bytes| out.encode(Version::V5, max, bytes));
        let raw = raw_diagnostics();
        let properties = Properties::parse(&raw, Place::Disconnect).unwrap();
        let received = Disconnect { reason: Reason::QUOTA_EXCEEDED, session_expiry, properties };
        sheds(|max, bytes| received.encode(Version::V5, max, bytes));
    }
}

#[test]
fn auth_sheds_user_properties_then_the_reason_string() {
    let (reason, data) = (Reason::CONTINUE_AUTHENTICATION, Some(&[1, 2][..]));
    let out = AuthOut { reason, method: "SAS", data, diagnostics: LONG };
    sheds(|max, bytes| out.encode(max, bytes));
    let raw = raw_diagnostics();
    let properties = Properties::parse(&raw, Place::Auth).unwrap();
    let received = Auth { reason, method: Some("SAS"), data, properties };
    sheds(|max, bytes| received.encode(max, bytes));
}

#[test]
fn a_connack_says_what_was_put_into_it() {
    let mut out = ConnAckOut::new(Reason::SUCCESS);
    out.session_present = true;
    out.session_expiry = Some(3600);
    out.receive_max = Some(16);
    out.maximum_qos = Some(QoS::AtLeastOnce);
    out.retain_available = Some(false);
    out.packet_max = Some(524_288);
    out.assigned_client_id = Some("auto-1");
    out.topic_alias_max = Some(10);
    out.wildcard_subscription_available = Some(true);
    out.subscription_id_available = Some(false);
    out.shared_subscription_available = Some(true);
    out.server_keep_alive = Some(1160);
    out.response_information = Some("re");
    out.server_reference = Some("other");
    out.authentication_method = Some("SAS");
    out.authentication_data = Some(&[7]);
    let mut bytes = Vec::new();
    out.encode(Version::V5, ALL, &mut bytes).unwrap();
    let Packet::ConnAck(seen) = one(Version::V5, &bytes) else { panic!() };
    assert!(seen.session_present);
    let wanted = [
        Property::SessionExpiry(3600),
        Property::ReceiveMax(16),
        Property::MaximumQoS(1),
        Property::RetainAvailable(false),
        Property::PacketMax(524_288),
        Property::AssignedClientId("auto-1"),
        Property::TopicAliasMax(10),
        Property::WildcardSubscriptionAvailable(true),
        Property::SubscriptionIdAvailable(false),
        Property::SharedSubscriptionAvailable(true),
        Property::ServerKeepAlive(1160),
        Property::ResponseInformation("re"),
        Property::ServerReference("other"),
        Property::AuthenticationMethod("SAS"),
        Property::AuthenticationData(&[7]),
    ];
    assert_eq!(seen.properties.iter().collect::<Vec<_>>(), wanted);
}

#[test]
fn a_connack_never_announces_qos_2_nor_a_session_of_a_refusal() {
    let mut out = ConnAckOut::new(Reason::NOT_AUTHORIZED);
    out.maximum_qos = Some(QoS::ExactlyOnce);
    out.session_present = true;
    let mut bytes = Vec::new();
    out.encode(Version::V5, ALL, &mut bytes).unwrap();
    assert_eq!(bytes, [0x20, 3, 0, 0x87, 0]);
    bytes.clear();
    out.encode(Version::V311, ALL, &mut bytes).unwrap();
    assert_eq!(bytes, [0x20, 2, 0, 5]);
}

#[test]
fn bare_acknowledgements_are_four_or_five_bytes() {
    for (kind, first) in KINDS.into_iter().zip([0x40, 0x50, 0x62, 0x70]) {
        for version in [Version::V311, Version::V5] {
            let mut quick = Vec::new();
            ack(&mut quick, version, kind, id(0x1234), Reason::SUCCESS);
            assert_eq!(quick, [first, 2, 0x12, 0x34]);
            let received = Ack {
                packet_id: id(0x1234),
                reason: Reason::SUCCESS,
                properties: Properties::EMPTY,
            };
            let mut slow = Vec::new();
            received.encode(kind, version, ALL, &mut slow).unwrap();
            assert_eq!(slow, quick);
        }
        let reason = match kind {
            AckKind::PubAck | AckKind::PubRec => Reason::NOT_AUTHORIZED,
            AckKind::PubRel | AckKind::PubComp => Reason::PACKET_IDENTIFIER_NOT_FOUND,
        };
        let mut out = Vec::new();
        ack(&mut out, Version::V5, kind, id(1), reason);
        ack(&mut out, Version::V311, kind, id(1), reason);
        assert_eq!(out, [first, 3, 0, 1, reason.code(), first, 2, 0, 1]);
    }
    assert!(matches!(one(Version::V5, &PINGREQ), Packet::PingReq));
    assert!(matches!(one(Version::V5, &PINGRESP), Packet::PingResp));
}

#[test]
fn old_clients_get_neither_reasons_nor_properties() {
    let mut out = Vec::new();
    let reasons = &[0, 1, 2, 0x87, 0xA2][..];
    SubAckOut { packet_id: id(9), reasons, diagnostics: LONG }
        .encode(Version::V311, ALL, &mut out)
        .unwrap();
    assert_eq!(out, [0x90, 7, 0, 9, 0, 1, 2, 0x80, 0x80]);
    out.clear();
    UnsubAckOut { packet_id: id(9), reasons, diagnostics: LONG }
        .encode(Version::V311, ALL, &mut out)
        .unwrap();
    assert_eq!(out, [0xB0, 2, 0, 9]);
    out.clear();
    DisconnectOut::new(Reason::QUOTA_EXCEEDED).encode(Version::V311, ALL, &mut out).unwrap();
    assert_eq!(out, [0xE0, 0]);
}

#[test]
fn a_client_builds_subscriptions() {
    let mut raw = Vec::new();
    let options = SubscribeOptions {
        qos: QoS::AtLeastOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::Never,
    };
    Filters::push(&mut raw, "a/#", options, Version::V5).unwrap();
    Filters::push(&mut raw, "b", SubscribeOptions::default(), Version::V5).unwrap();
    let filters = Filters::parse(&raw, Version::V5).unwrap();
    let subscribe = Subscribe {
        packet_id: id(1),
        subscription_id: Some(5),
        properties: Properties::EMPTY,
        filters,
    };
    let mut bytes = Vec::new();
    subscribe.encode(Version::V5, &mut bytes).unwrap();
    let Packet::Subscribe(seen) = one(Version::V5, &bytes) else { panic!() };
    assert_eq!((seen.filters.count(), seen.subscription_id), (2, Some(5)));
    let first = seen.filters.iter().next().unwrap();
    assert_eq!((first.text, first.options), ("a/#", options));

    let mut raw = Vec::new();
    FilterList::push(&mut raw, "a/#").unwrap();
    let filters = FilterList::parse(&raw, Version::V5).unwrap();
    let unsubscribe = Unsubscribe { packet_id: id(2), properties: Properties::EMPTY, filters };
    bytes.clear();
    unsubscribe.encode(Version::V5, &mut bytes).unwrap();
    assert!(matches!(one(Version::V5, &bytes), Packet::Unsubscribe(u) if u.filters.count() == 1));
}

#[test]
fn what_no_packet_can_carry_is_refused_and_leaves_the_buffer_alone() {
    let long = "x".repeat(65_536);
    let mut out = vec![1];
    let mut connect = Connect::new(Version::V5, &long);
    assert_eq!(connect.encode(&mut out), Err(TooLarge));
    (connect.client_id, connect.user_name) = ("d", Some(long.as_str()));
    assert_eq!(connect.encode(&mut out), Err(TooLarge));
    connect.user_name = None;
    connect.authentication_method = Some(&long);
    assert_eq!(connect.encode(&mut out), Err(TooLarge));
    assert_eq!(Property::User("k", &long).encode(&mut out), Err(TooLarge));
    let mut connack = ConnAckOut::new(Reason::SUCCESS);
    connack.assigned_client_id = Some(&long);
    assert_eq!(connack.encode(Version::V5, ALL, &mut out), Err(TooLarge));
    assert_eq!(FilterList::push(&mut out, &long), Err(TooLarge));
    let options = SubscribeOptions::default();
    assert_eq!(Filters::push(&mut out, &long, options, Version::V5), Err(TooLarge));
    assert_eq!(out, [1]);
}

#[test]
fn an_overlong_reason_string_is_left_out_rather_than_the_packet() {
    let long = "x".repeat(65_536);
    let diagnostics = Diagnostics { reason_string: Some(&long), user: &[] };
    let mut out = Vec::new();
    let ack = AckOut { packet_id: id(1), reason: Reason::QUOTA_EXCEEDED, diagnostics };
    ack.encode(AckKind::PubAck, Version::V5, ALL, &mut out).unwrap();
    assert_eq!(out, [0x40, 3, 0, 1, 0x97]);
}

#[test]
fn the_level_of_a_connect_can_be_peeked() {
    assert_eq!(Connect::peek_version(b"\0\x04MQTT\x05\x02"), Some(5));
    assert_eq!(Connect::peek_version(b"\0\x06MQIsdp\x03\x02"), Some(3));
    assert_eq!(Connect::peek_version(b"\0\x04MQTT"), None);
    assert_eq!(Connect::peek_version(b""), None);
}

#[test]
fn a_connack_of_either_version_is_understood() {
    let body = [1, 0];
    let seen = ConnAck::decode(&body, Version::V311).unwrap();
    assert_eq!((seen.session_present, seen.reason), (true, Reason::SUCCESS));
}

fn properties_of(packet: Packet<'_>) -> Properties<'_> {
    match packet {
        Packet::ConnAck(p) => p.properties,
        Packet::PubAck(p) | Packet::PubRec(p) | Packet::PubRel(p) | Packet::PubComp(p) => {
            p.properties
        }
        Packet::SubAck(p) => p.properties,
        Packet::UnsubAck(p) => p.properties,
        Packet::Disconnect(p) => p.properties,
        Packet::Auth(p) => p.properties,
        other => panic!("{} has no diagnostics", other.name()),
    }
}

fn raw_diagnostics() -> Vec<u8> {
    let mut raw = Vec::new();
    Property::User("name", "0123456789").encode(&mut raw).unwrap();
    Property::ReasonString("0123456789").encode(&mut raw).unwrap();
    Property::User("name", "abcdefghij").encode(&mut raw).unwrap();
    raw
}

const KINDS: [AckKind; 4] = [AckKind::PubAck, AckKind::PubRec, AckKind::PubRel, AckKind::PubComp];
