//! The exchanges of QoS 2 and flow control at the level of packets.
use e2e::Server;
use e2e::raw::{Raw, packet, publish, subscribe};

#[test]
fn a_repeated_qos2_publish_is_delivered_once() {
    let server = Server::new();
    let mut hearer = Raw::v5(&server, "hearer");
    hearer.send(&subscribe(1, "once", 0));
    assert_eq!(hearer.packet().0, 0x90);
    let mut sender = Raw::v5(&server, "sender");
    sender.send(&publish(0x34, "once", 9, Some(&[]), b"a"));
    assert_eq!(sender.packet().0, 0x50);
    sender.send(&publish(0x3C, "once", 9, Some(&[]), b"a"));
    assert_eq!(sender.packet().0, 0x50);
    sender.send(&packet(0x62, &[0, 9]));
    assert_eq!(sender.packet(), (0x70, vec![0, 9]));
    // The identifier is free again: the same bytes are a new message.
    sender.send(&publish(0x34, "once", 9, Some(&[]), b"b"));
    assert_eq!(sender.packet().0, 0x50);
    sender.send(&packet(0x62, &[0, 9]));
    assert_eq!(sender.packet(), (0x70, vec![0, 9]));
    let first = hearer.packet().1;
    let second = hearer.packet().1;
    assert_eq!((first.last(), second.last()), (Some(&b'a'), Some(&b'b')));
    // An identifier nobody used: told so, not closed (MQTT 5, 3.7.2.1).
    sender.send(&packet(0x62, &[0, 77]));
    assert_eq!(sender.packet(), (0x70, vec![0, 77, 0x92]));
}

#[test]
fn more_in_flight_than_announced_is_0x93() {
    let server = Server::new();
    let mut raw = Raw::open(&server);
    raw.send(&e2e::raw::connect(5, 2, "flood", &[]));
    let (_, connack) = raw.packet();
    let receive_max = receive_maximum(&connack);
    let mut flood = Vec::new();
    for id in 1..=receive_max.saturating_add(1) {
        flood.extend(publish(0x34, "flood", id, Some(&[]), b""));
    }
    raw.send(&flood);
    raw.disconnected(0x93);
}

/// From CONNACK by the crate's own decoder; 65,535 where it is silent (MQTT 5, 3.2.2.3.3).
fn receive_maximum(connack: &[u8]) -> u16 {
    let mut at = 3;
    while at < connack.len() {
        match connack[at] {
            0x21 => return u16::from_be_bytes([connack[at + 1], connack[at + 2]]),
            0x24 | 0x25 | 0x28 | 0x29 | 0x2A => at += 2,
            0x22 | 0x13 => at += 3,
            0x11 | 0x27 => at += 5,
            0x12 | 0x1A | 0x1C | 0x1F | 0x15 | 0x16 => {
                at += 3 + usize::from(u16::from_be_bytes([connack[at + 1], connack[at + 2]]));
            }
            other => panic!("property {other:#x} in CONNACK {connack:02x?}"),
        }
    }
    u16::MAX
}

#[test]
fn outbound_qos2_goes_through_its_four_steps() {
    let server = Server::new();
    let mut raw = Raw::v5(&server, "both");
    raw.send(&subscribe(1, "steps", 2));
    assert_eq!(raw.packet().0, 0x90);
    raw.send(&publish(0x34, "steps", 5, Some(&[]), b"x"));
    // It may be passed on at PUBLISH or at PUBREL (MQTT 5, 4.3.3).
    let (mut outbound, mut complete) = (None, false);
    while outbound.is_none() || !complete {
        let (first, body) = raw.packet();
        match first {
            0x50 => raw.send(&packet(0x62, &body[..2])),
            0x34 => outbound = Some([body[7], body[8]]),
            0x70 => complete = true,
            other => panic!("{other:#x} {body:02x?}"),
        }
    }
    let id = outbound.expect("the message came back");
    raw.send(&packet(0x50, &id));
    assert_eq!(raw.packet(), (0x62, id.to_vec()));
    raw.send(&packet(0x70, &id));
    raw.ping();
}

#[test]
fn a_second_subscribe_replaces_the_first() {
    let server = Server::new();
    let mut raw = Raw::v5(&server, "twice");
    for (id, qos) in [(1, 2), (2, 0)] {
        raw.send(&subscribe(id, "twice", qos));
        assert_eq!(raw.packet(), (0x90, vec![0, u8::try_from(id).unwrap(), 0, qos]));
    }
    raw.send(&publish(0x30, "twice", 0, Some(&[]), b"x"));
    assert_eq!(raw.packet().0, 0x30);
    raw.ping();
}

#[test]
fn server_topics_do_not_match_a_leading_wildcard() {
    let server = Server::new();
    let mut raw = Raw::v5(&server, "sys");
    for (id, filter) in [(1, "#"), (2, "+/broker/uptime")] {
        raw.send(&subscribe(id, filter, 0));
        assert_eq!(raw.packet().0, 0x90);
    }
    raw.send(&subscribe(3, "$SYS/#", 0));
    let (first, body) = raw.packet();
    assert_eq!((first, body[3]), (0x90, 0), "who may read # may read $SYS");
    // Whatever comes of it comes for the third filter only (MQTT 5, 4.7.2-1).
    let (first, body) = raw.packet();
    let topic = String::from_utf8_lossy(&body[2..]).into_owned();
    assert!(first & 0xF0 == 0x30 && topic.starts_with("$SYS/broker/"), "{topic}");
}
