//! Peers that break the rules, byte by byte: the right reason, then the close, nobody else hurt.
use e2e::Server;
use e2e::raw::{End, Raw, connect, packet, publish, string, subscribe};

/// What was wrong, what is sent, and the reasons that the specification allows for it.
type Row = (&'static str, Vec<u8>, &'static [u8]);

const MALFORMED: &[u8] = &[0x81];
const PROTOCOL: &[u8] = &[0x82];
/// So that a table with several wrong rows shows them all in bearable time.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
const EITHER: &[u8] = &[0x81, 0x82];

/// After an accepted MQTT 5 CONNECT.
fn rows() -> Vec<Row> {
    let after_id = |id: u16, rest: &[u8]| [&id.to_be_bytes()[..], rest].concat();
    let subscribe_with = |properties: &[u8]| {
        let mut body = vec![0, 1, u8::try_from(properties.len()).unwrap()];
        body.extend_from_slice(properties);
        body.extend(string("a"));
        body.push(0);
        packet(0x82, &body)
    };
    let qos0 = |topic, properties: &[u8]| publish(0x30, topic, 0, Some(properties), b"x");
    vec![
        ("a second CONNECT", connect(5, 2, "again", &[]), PROTOCOL),
        ("packet type 0", packet(0x00, &[]), EITHER),
        ("CONNACK from a client", packet(0x20, &[0, 0, 0]), PROTOCOL),
        ("PINGRESP from a client", packet(0xD0, &[]), PROTOCOL),
        ("SUBACK from a client", packet(0x90, &[0, 1, 0, 0]), PROTOCOL),
        ("AUTH without a method", packet(0xF0, &[]), PROTOCOL),
        ("PINGREQ with flags", vec![0xC1, 0], MALFORMED),
        ("a length of five bytes", vec![0xC0, 0x80, 0x80, 0x80, 0x80, 1], MALFORMED),
        ("QoS 3", publish(0x36, "a", 1, Some(&[]), b""), MALFORMED),
        ("DUP at QoS 0", publish(0x38, "a", 0, Some(&[]), b""), EITHER),
        ("packet identifier 0", packet(0x32, &[0, 1, b'a', 0, 0, 0]), EITHER),
        ("a wildcard in a topic", qos0("a/+", &[]), &[0x81, 0x82, 0x90]),
        ("U+0000 in a topic", qos0("a\0b", &[]), &[0x81, 0x82, 0x90]),
        ("no topic and no alias", qos0("", &[]), PROTOCOL),
        ("a surrogate in a topic", packet(0x30, &[0, 3, 0xED, 0xA0, 0x80, 0]), MALFORMED),
        ("alias 0", qos0("a", &[0x23, 0, 0]), &[0x94]),
        ("an alias above the maximum", qos0("a", &[0x23, 0xFF, 0xFF]), &[0x94]),
        ("an alias never set", qos0("", &[0x23, 0, 1]), EITHER),
        ("a subscription identifier", qos0("a", &[0x0B, 1]), PROTOCOL),
        ("payload format 2", qos0("a", &[0x01, 2]), EITHER),
        ("a property twice", qos0("a", &[0x01, 0, 0x01, 0]), PROTOCOL),
        ("a property of another packet", qos0("a", &[0x11, 0, 0, 0, 1]), EITHER),
        ("an unknown property", qos0("a", &[0x7F, 0]), MALFORMED),
        ("a property cut short", qos0("a", &[0x02, 0]), MALFORMED),
        ("a response topic with +", qos0("a", &[0x08, 0, 1, b'+']), EITHER),
        ("a topic cut short", packet(0x30, &[0, 9, b'a']), MALFORMED),
        ("SUBSCRIBE with flags 0", packet(0x80, &after_id(1, &[0, 0, 1, b'a', 0])), MALFORMED),
        ("SUBSCRIBE without filters", packet(0x82, &after_id(1, &[0])), EITHER),
        ("SUBSCRIBE with identifier 0", subscribe(0, "a", 0), EITHER),
        ("reserved option bits", subscribe(1, "a", 0xC0), EITHER),
        ("subscription QoS 3", subscribe(1, "a", 3), EITHER),
        ("retain handling 3", subscribe(1, "a", 0x30), EITHER),
        ("no local on a shared one", subscribe(1, "$share/g/a", 4), PROTOCOL),
        ("subscription identifier 0", subscribe_with(&[0x0B, 0]), EITHER),
        ("UNSUBSCRIBE without filters", packet(0xA2, &after_id(1, &[0])), EITHER),
        ("UNSUBSCRIBE with flags 0", packet(0xA0, &after_id(1, &[0, 0, 1, b'a'])), MALFORMED),
        ("PUBREL with flags 0", packet(0x60, &[0, 1]), MALFORMED),
        ("PUBACK cut short", packet(0x40, &[0]), MALFORMED),
        ("DISCONNECT with flags", vec![0xE1, 0], MALFORMED),
        ("an expiry from nothing", packet(0xE0, &[0, 5, 0x11, 0, 0, 0, 9]), PROTOCOL),
        ("a packet too large", packet(0x30, &vec![0; (1 << 20) + 1]), &[0x95]),
    ]
}

#[test]
fn v5_is_told_what_was_wrong_and_closed() {
    let server = Server::new();
    let mut wrong = Vec::new();
    for (name, bytes, reasons) in rows() {
        let mut raw = Raw::v5(&server, "hostile");
        raw.send(&bytes);
        let (packets, end) = raw.outcome(PATIENCE);
        let told = packets.last().map(|(first, body)| (*first, body.first().copied()));
        let fine = matches!(told, Some((0xE0, Some(reason))) if reasons.contains(&reason));
        if !fine || end == End::Silent {
            wrong.push(format!("{name}: {packets:02x?} {end:?}, expected one of {reasons:02x?}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    Raw::v5(&server, "healthy").ping();
}

#[test]
fn v311_is_closed_without_a_word() {
    let server = Server::new();
    let rows = [
        ("a second CONNECT", connect(4, 2, "again", &[])),
        ("QoS 3", publish(0x36, "a", 1, None, b"")),
        ("a wildcard in a topic", publish(0x30, "a/#", 0, None, b"")),
        ("an empty topic", publish(0x30, "", 0, None, b"")),
        ("SUBSCRIBE without filters", packet(0x82, &[0, 1])),
        ("subscription QoS 3", packet(0x82, &[0, 1, 0, 1, b'a', 3])),
        ("PUBREL with flags 0", packet(0x60, &[0, 1])),
        ("AUTH", packet(0xF0, &[])),
        ("a packet too large", packet(0x30, &vec![0; (1 << 20) + 1])),
    ];
    for (name, bytes) in rows {
        let mut raw = Raw::v311(&server, "hostile");
        raw.send(&bytes);
        assert_eq!(raw.closed(), [], "{name}");
    }
    Raw::v311(&server, "healthy").ping();
}

/// Before anything was accepted: the reasons allowed in CONNACK; none at all is allowed too.
#[test]
fn a_bad_connect_is_refused_and_closed() {
    let server = Server::new();
    let name = |name: &str, level: u8, flags: u8| {
        packet(0x10, &[&string(name)[..], &[level, flags, 0, 60, 0], &string("id")].concat())
    };
    let expiry_twice = [0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1];
    let method = [&[0x15][..], &string("NOBODYS")].concat();
    let rows: [(&str, Vec<u8>, &[u8]); 12] = [
        ("another protocol", name("MQTX", 5, 2), &[0x84]),
        ("level 6", name("MQTT", 6, 2), &[0x84, 0x01]),
        ("level 3 of this name", name("MQTT", 3, 2), &[0x84, 0x01]),
        ("the reserved flag", connect(5, 3, "id", &[]), EITHER),
        ("will QoS without a will", connect(5, 0x0A, "id", &[]), EITHER),
        ("will retain without a will", connect(5, 0x22, "id", &[]), EITHER),
        ("will QoS 3", connect(5, 0x1E, "id", &[]), EITHER),
        ("an expiry twice", connect(5, 2, "id", &expiry_twice), PROTOCOL),
        ("receive maximum 0", connect(5, 2, "id", &[0x21, 0, 0]), PROTOCOL),
        ("packet maximum 0", connect(5, 2, "id", &[0x27, 0, 0, 0, 0]), PROTOCOL),
        ("data without a method", connect(5, 2, "id", &[0x16, 0, 1, b'x']), PROTOCOL),
        ("an unknown method", connect(5, 2, "id", &method), &[0x8C, 0x87]),
    ];
    for (name, bytes, reasons) in rows {
        let mut raw = Raw::open(&server);
        raw.send(&bytes);
        let packets = raw.closed();
        let fine = match &packets[..] {
            [] => true,
            [(0x20, body)] => reasons.contains(&body[1]),
            _ => false,
        };
        assert!(fine, "{name}: {packets:02x?}");
    }
    let unnamed = connect(4, 0, "", &[]);
    let mut raw = Raw::open(&server);
    raw.send(&unnamed);
    assert_eq!(raw.closed(), [(0x20, vec![0, 2])], "3.1.1: no name and a session to keep");
}

#[test]
fn whatever_comes_before_connect_is_closed_in_silence() {
    let server = Server::new();
    let http = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
    let hello = vec![0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0];
    let publish = publish(0x30, "a", 0, Some(&[]), b"x");
    let huge = vec![0x10, 0xFF, 0xFF, 0xFF, 0x7F];
    for bytes in [http, hello, publish, huge, vec![0xC0, 0], vec![0xE0, 0], vec![0; 64]] {
        let mut raw = Raw::open(&server);
        raw.send(&bytes);
        let packets = raw.closed();
        // A CONNECT that is too large may be told so.
        assert!(packets.iter().all(|(first, _)| *first == 0x20), "{bytes:02x?}: {packets:02x?}");
    }
}

#[test]
fn bytes_may_come_one_by_one_or_all_at_once() {
    let server = Server::new();
    let story = |client_id| {
        let hello = publish(0x30, client_id, 0, Some(&[]), b"x");
        let subscribe = subscribe(1, client_id, 0);
        [connect(5, 2, client_id, &[]), subscribe, hello, packet(0xC0, &[])].concat()
    };
    let mut whole = Raw::open(&server);
    whole.send(&story("whole"));
    let mut dribble = Raw::open(&server);
    for byte in story("dribble") {
        dribble.send(&[byte]);
    }
    for raw in [&mut whole, &mut dribble] {
        let firsts: Vec<u8> = (0..4).map(|_| raw.packet().0).collect();
        assert_eq!(firsts, [0x20, 0x90, 0x30, 0xD0]);
    }
}

#[test]
fn a_filter_that_is_wrong_is_refused_alone() {
    let server = Server::new();
    let body = [
        &[0, 7, 0][..],
        &string("a/#/b"),
        &[1],
        &string("good"),
        &[1],
        &string("a+"),
        &[1],
        &string(""),
        &[1],
    ]
    .concat();
    let mut raw = Raw::v5(&server, "filters");
    raw.send(&packet(0x82, &body));
    let (first, body) = raw.packet();
    assert_eq!((first, &body[..2]), (0x90, &[0, 7][..]));
    // Before the reasons stands a reason string, if any.
    assert!(body.ends_with(&[0x8F, 1, 0x8F, 0x8F]), "{body:02x?}");
    let mut raw = Raw::v311(&server, "filters");
    let body = [&[0, 7][..], &string("a/#/b"), &[1], &string("good"), &[1]].concat();
    raw.send(&packet(0x82, &body));
    assert_eq!(raw.packet(), (0x90, vec![0, 7, 0x80, 1]));
}

#[test]
fn reserved_topics_are_refused() {
    let server = Server::new();
    for topic in ["$SYS/x", "$gridhub/x", "$iothub/x", "$share/g/x"] {
        let mut raw = Raw::v5(&server, "reserved");
        raw.send(&publish(0x32, topic, 1, Some(&[]), b"x"));
        let (first, body) = raw.packet();
        assert_eq!((first, &body[..3]), (0x40, &[0, 1, 0x87][..]), "{topic}");
        let reason = String::from_utf8_lossy(&body[4..]).into_owned();
        assert!(reason.contains('$'), "the refusal says why: {reason}");
    }
}
