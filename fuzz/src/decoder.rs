//! The decoder: what decodes encodes to the same meaning, whatever the bytes and their pieces.
//! Refuses to know sessions.

use mqtt::error::Wrong;
use mqtt::limits::PACKET_BYTES_MAX;
use mqtt::message::Message;
use mqtt::qos::QoS;
use mqtt::topic::TopicName;
use mqtt::wire::{
    Frame, Packet, Place, Properties, ProtocolName, Publish, PublishOut, Version, decode, frame,
    frame_v31, publish_forward,
};

use crate::choices::Choices;
use crate::meaning::Meaning;

/// First byte: version and largest packet; the rest is what a socket gave.
pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let how = choices.byte();
    let version = if how & 1 == 0 { Version::V5 } else { Version::V311 };
    let packet_max = if how & 2 == 0 { PACKET_BYTES_MAX } else { 64 };
    // MQTT 3.1 shares the packets of 3.1.1 and overlooks a flag.
    let read: Read = if how & 5 == 5 { frame_v31 } else { frame };
    let mut rest = choices.rest();
    for _ in 0..PACKETS_MAX {
        let found = read(rest, packet_max);
        pieces_agree(rest, packet_max, read);
        let f = match found {
            Ok(Some(f)) => f,
            Ok(None) => return,
            Err(wrong) => return frame_reason(wrong),
        };
        assert!(f.len <= packet_max && f.len <= rest.len() && f.body.len() < f.len);
        one(f, version);
        rest = &rest[f.len..];
    }
}

/// How the first packet is found.
type Read = for<'a> fn(&'a [u8], usize) -> Result<Option<Frame<'a>>, Wrong>;

/// A frame is incomplete until its last byte is there, and from then on the same; an error stays
/// the same error once it is seen.
fn pieces_agree(whole: &[u8], packet_max: usize, read: Read) {
    let found = read(whole, packet_max);
    let end = match found {
        Ok(Some(f)) => f.len,
        Ok(None) | Err(_) => whole.len(),
    };
    let near = end.saturating_sub(2).max(HEADER_BYTES_MAX + 2)..=(end + 2).min(whole.len());
    let mut seen_wrong = false;
    for cut in (0..=whole.len().min(HEADER_BYTES_MAX + 1)).chain(near) {
        match (read(&whole[..cut], packet_max), found) {
            (Ok(None), Ok(None)) => {}
            (Ok(None), Ok(Some(f))) => assert!(cut < f.len, "whole at {cut} of {}", f.len),
            (Ok(Some(piece)), Ok(Some(f))) => {
                assert!(cut >= f.len, "complete at {cut} of {}", f.len);
                assert_eq!(piece, f, "more bytes behind a packet changed it");
            }
            (Ok(None), Err(_)) => {
                assert!(!seen_wrong && cut < HEADER_BYTES_MAX, "an error went away at {cut}");
            }
            (Err(early), Err(wrong)) => {
                assert_eq!(early, wrong);
                seen_wrong = true;
            }
            (piece, found) => panic!("{piece:?} of {cut} bytes, {found:?} of all"),
        }
    }
}

fn one(f: Frame<'_>, version: Version) {
    let packet = match decode(f, version) {
        Ok(packet) => packet,
        Err(wrong) => return body_reason(f, wrong),
    };
    let version = if let Packet::Connect(c) = &packet { c.version } else { version };
    let meaning = Meaning::of(&packet);
    let mut bytes = Vec::new();
    packet.encode(version, PACKET_BYTES_MAX, &mut bytes).expect("what was decoded fits");
    let again = decoded(&bytes, version);
    assert_eq!(meaning, Meaning::of(&again), "{bytes:02X?}");
    let mut twice = Vec::new();
    again.encode(version, PACKET_BYTES_MAX, &mut twice).expect("what was decoded fits");
    assert_eq!(bytes, twice, "our own form is stable");
    assert!(bytes.len() <= f.len, "our form is the shortest: {bytes:02X?}");
    // 3.1 overlooks flags of CONNECT that we do not write again.
    let overlooks = matches!(&packet, Packet::Connect(c) if c.name == ProtocolName::MqIsdp);
    if bytes.len() == f.len && meaning.property_count() <= 1 && !overlooks {
        assert_eq!((bytes[0], &bytes[f.len - f.body.len()..]), (f.first, f.body));
    }
    sheds(&packet, version, &bytes);
    match &packet {
        Packet::Publish(p) => publish(p, version, &meaning),
        Packet::Connect(c) => {
            if let Some(will) = &c.will {
                assert!(TopicName::parse(will.topic).is_ok());
                passes_on(will.properties, will.expiry);
            }
        }
        Packet::Subscribe(s) => assert_eq!(s.filters.iter().count(), s.filters.count()),
        Packet::Unsubscribe(u) => assert_eq!(u.filters.iter().count(), u.filters.count()),
        _ => {}
    }
}

fn decoded(bytes: &[u8], version: Version) -> Packet<'_> {
    let f = frame(bytes, PACKET_BYTES_MAX).expect("ours").expect("whole");
    assert_eq!(f.len, bytes.len());
    decode(f, version).unwrap_or_else(|wrong| panic!("{wrong}: {bytes:02X?}"))
}

/// With less room than it needs a packet loses diagnostics or is not written; nothing else.
fn sheds(packet: &Packet<'_>, version: Version, whole: &[u8]) {
    let bounded = matches!(
        packet,
        Packet::ConnAck(_)
            | Packet::PubAck(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::PubComp(_)
            | Packet::SubAck(_)
            | Packet::UnsubAck(_)
            | Packet::Disconnect(_)
            | Packet::Auth(_)
    );
    if !bounded {
        return;
    }
    let before = [0xAA];
    for room in [whole.len() - 1, whole.len() / 2, 4] {
        let mut out = before.to_vec();
        match packet.encode(version, room, &mut out) {
            Err(_) => assert_eq!(out, before, "a refused packet leaves nothing"),
            Ok(()) => {
                assert!(out.len() - 1 <= room);
                let kept = decoded(&out[1..], version);
                assert_eq!(kept.name(), packet.name());
                assert!(
                    Meaning::of(&kept).property_count() <= Meaning::of(packet).property_count()
                );
            }
        }
    }
}

/// The way of a PUBLISH through the server: kept as a message, sent by the hot encoder.
fn publish(p: &Publish<'_>, version: Version, meaning: &Meaning<'_>) {
    assert!(p.topic.is_empty() == TopicName::parse(p.topic).is_err());
    assert_eq!(p.packet_id.is_some(), p.qos != QoS::AtMostOnce);
    let mut scratch = Vec::new();
    let forward = publish_forward(p.properties, &mut scratch);
    let message = Message::new(p.topic, forward.raw, p.payload, p.qos, p.retain);
    assert_eq!((message.topic(), message.payload()), (p.topic, p.payload));
    assert_eq!((message.expiry_s(), message.expiry_at()), (p.expiry, forward.expiry_at));
    passes_on(p.properties, p.expiry);
    let ids: Vec<u32> = p.properties.subscription_ids().collect();
    let out = PublishOut {
        version,
        dup: p.dup,
        qos: p.qos,
        retain: p.retain,
        topic: p.topic,
        packet_id: p.packet_id.map_or(0, |id| id.get()),
        alias: p.alias,
        send_topic: !p.topic.is_empty(),
        subscription_ids: &ids,
        properties: message.properties(),
        expiry: None,
        payload: message.payload(),
    };
    let mut bytes = Vec::new();
    out.encode(&mut bytes);
    assert_eq!(bytes.len(), out.len());
    assert_eq!(&Meaning::of(&decoded(&bytes, version)), meaning);
    if let Some(at) = forward.expiry_at {
        bytes.clear();
        PublishOut { expiry: Some((at, 7)), ..out }.encode(&mut bytes);
        let Packet::Publish(sent) = decoded(&bytes, version) else { panic!("a PUBLISH") };
        assert_eq!(sent.expiry, Some(7));
    }
}

/// What is passed on is a valid block for a PUBLISH, without what belongs to one connection.
fn passes_on(properties: Properties<'_>, expiry: Option<u32>) {
    let mut scratch = Vec::new();
    let forward = publish_forward(properties, &mut scratch);
    let passed = Properties::parse(forward.raw, Place::Publish).expect("a block for a PUBLISH");
    assert_eq!((passed.expiry(), passed.subscription_ids().count()), (expiry, 0));
    assert!(passed.user().eq(properties.user()), "user properties keep their order (3.3.2-17)");
    assert_eq!(passed.content_type(), properties.content_type());
    assert_eq!(passed.response_topic(), properties.response_topic());
    assert_eq!(passed.correlation_data(), properties.correlation_data());
    assert_eq!(passed.payload_format(), properties.payload_format());
}

/// Before a body is looked at: Malformed Packet or Packet too large (MQTT 5, 4.13.1).
fn frame_reason(wrong: Wrong) {
    assert!([0x81, 0x95].contains(&wrong.reason.code()), "{wrong}");
    named(wrong);
}

/// What a body can be refused with, and by which packet.
fn body_reason(f: Frame<'_>, wrong: Wrong) {
    let allowed: &[u8] = match f.first >> 4 {
        1 => &[0x81, 0x82, 0x84],
        3 => &[0x81, 0x82, 0x94],
        _ => &[0x81, 0x82],
    };
    assert!(allowed.contains(&wrong.reason.code()), "{wrong}");
    named(wrong);
}

fn named(wrong: Wrong) {
    assert!(wrong.clause.starts_with("MQTT ") && !wrong.what.is_empty(), "{wrong}");
}

/// Packets of one input that are looked at.
const PACKETS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 5;
