//! Profile `event-grid`: what Event Grid refuses, with its reason codes and bounds
//! (event-grid 3 and 10).
use crate::accept::subscribed;
use e2e::curl::Curl;
use e2e::raw::{Raw, connect, connect_with, packet, publish, string, subscribe};
use e2e::tls::Proof;
use e2e::{Foreign, Options, Server};

fn server() -> Server {
    Server::start(&Options::with(&["--profile", "event-grid"]))
}

/// CONNACK's body for this CONNECT.
#[track_caller]
fn connack(raw: &mut Raw, bytes: &[u8]) -> Vec<u8> {
    raw.send(bytes);
    let (first, body) = raw.packet();
    assert_eq!(first, 0x20);
    body
}

fn has(connack: &[u8], property: &[u8]) -> bool {
    connack.windows(property.len()).any(|window| window == property)
}

#[test]
fn connack_announces_the_bounds() {
    let server = server();
    let hours = [0x11, 0, 0, 0x1C, 0x20];
    let mut bytes = connect(5, 2, "bounds", &hours);
    // Keep Alive 0 would be none at all.
    bytes[11] = 0;
    let told = connack(&mut Raw::open(&server), &bytes);
    assert_eq!(told[1], 0);
    let rows: [(&str, &[u8]); 7] = [
        ("Maximum QoS 1", &[0x24, 1]),
        ("no subscription identifiers", &[0x29, 0]),
        ("Receive Maximum 1000", &[0x21, 0x03, 0xE8]),
        ("Maximum Packet Size 512 KiB", &[0x27, 0, 8, 0, 0]),
        ("Topic Alias Maximum 10", &[0x22, 0, 10]),
        ("Session Expiry lowered to 1 h", &[0x11, 0, 0, 0x0E, 0x10]),
        ("Server Keep Alive 1160 s", &[0x13, 0x04, 0x88]),
    ];
    for (name, property) in rows {
        assert!(has(&told, property), "{name}: {told:02x?}");
    }
    assert!(!has(&told, &[0x2A, 0]), "shared subscriptions are available: {told:02x?}");
    let modest = connack(&mut Raw::open(&server), &connect(5, 2, "modest", &[0x11, 0, 0, 0, 9]));
    assert!(!has(&modest, &[0x11, 0, 0]) && !has(&modest, &[0x13, 4]), "{modest:02x?}");
}

#[test]
fn packets_that_event_grid_ends_the_connection_for() {
    let server = server();
    let identifier = {
        let body = [&[0, 1, 2, 0x0B, 1][..], &string("a"), &[0]].concat();
        packet(0x82, &body)
    };
    let rows = [
        ("QoS 2", publish(0x34, "a", 1, Some(&[]), b""), 0x9B),
        ("a subscription identifier", identifier, 0xA1),
        ("alias 11", publish(0x30, "a", 0, Some(&[0x23, 0, 11]), b""), 0x94),
        ("over 512 KiB", publish(0x30, "a", 0, Some(&[]), &vec![0; 512 << 10]), 0x95),
    ];
    for (name, bytes, reason) in rows {
        let mut raw = Raw::v5(&server, "ends");
        raw.send(&bytes);
        let told = raw.closed();
        let said: Vec<_> = told.iter().map(|(first, body)| (*first, body[0])).collect();
        assert_eq!(said, [(0xE0, reason)], "{name}");
    }
    let mut old = Raw::v311(&server, "ends");
    old.send(&publish(0x34, "a", 1, None, b""));
    assert_eq!(old.closed(), [], "3.1.1 is closed");
}

#[test]
fn topics_have_8_levels_and_256_bytes() {
    let server = server();
    let mut raw = Raw::v5(&server, "levels");
    let long = |bytes: usize| "x".repeat(bytes);
    for (topic, puback, suback) in [
        ("1/2/3/4/5/6/7/8".to_string(), None, 1),
        ("1/2/3/4/5/6/7/8/9".to_string(), Some(0x90), 0x8F),
        (long(256), None, 1),
        (long(257), Some(0x90), 0x8F),
        ("$own/x".to_string(), Some(0x87), 0x87),
    ] {
        raw.send(&publish(0x32, &topic, 1, Some(&[]), b"x"));
        let (first, body) = raw.packet();
        let refused = body.get(2).copied().filter(|reason| *reason >= 0x80);
        assert_eq!((first, refused), (0x40, puback), "{topic}");
        raw.send(&subscribe(2, &topic, 1));
        subscribed(&mut raw, &[suback]);
    }
    raw.send(&subscribe(3, "two", 2));
    subscribed(&mut raw, &[1]);
    let filters: Vec<u8> =
        (0..11).flat_map(|n| [string(&format!("f{n}")), vec![0]].concat()).collect();
    raw.send(&packet(0x82, &[&[0, 4, 0][..], &filters].concat()));
    subscribed(&mut raw, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x97]);
}

#[test]
fn connects_that_are_refused() {
    let server = server();
    let will = [&[0][..], &string("will"), &string("gone")].concat();
    let mut body = [&string("MQTT")[..], &[5, 0x16, 0, 60, 0], &string("mortal")].concat();
    body.extend(&will);
    let rows = [
        ("a will at QoS 2", packet(0x10, &body), 0x9B),
        ("a long client id", connect(5, 2, &"x".repeat(129), &[]), 0x85),
    ];
    for (name, bytes, reason) in rows {
        let mut raw = Raw::open(&server);
        assert_eq!(connack(&mut raw, &bytes)[1], reason, "{name}");
        assert_eq!(raw.closed(), [], "{name}");
    }
    assert_eq!(connack(&mut Raw::open(&server), &connect(5, 2, &"é".repeat(128), &[]))[1], 0);
}

#[test]
fn one_session_for_each_name() {
    let server = server();
    let token = server.token();
    let login = |level: u8, id: &str| {
        let mut raw = Raw::tls(&server, &Proof::Nothing);
        let properties: &[u8] = if level == 5 { &[0x11, 0, 0, 1, 0] } else { &[] };
        let body = connack(&mut raw, &connect_with(level, 0xC0, properties, &[id, "x", &token]));
        (raw, body[1])
    };
    let (mut first, reason) = login(5, "first");
    assert_eq!(reason, 0);
    assert_eq!((login(5, "second").1, login(4, "second").1), (0x97, 3));
    // The same identifier takes over; the name's one session is the same.
    let (_, reason) = login(5, "first");
    assert_eq!(reason, 0);
    first.disconnected(0x8E);
    // Another principal may not have it (event-grid 3.4).
    assert_eq!(connack(&mut Raw::open(&server), &connect(5, 2, "first", &[]))[1], 0x87);
}

#[test]
fn a_full_queue_ends_the_session() {
    let server = server();
    for (count, present) in [(100, 1), (101, 0)] {
        let name = format!("absent-{count}");
        let login = connect(5, 0, &name, &[0x11, 0, 0, 14, 16]);
        let mut raw = Raw::open(&server);
        assert_eq!(connack(&mut raw, &login)[..2], [0, 0]);
        raw.send(&subscribe(1, &name, 1));
        subscribed(&mut raw, &[1]);
        raw.send(&[0xE0, 0]);
        assert_eq!(raw.closed(), []);
        let mut sender = Raw::v5(&server, "sender");
        for n in 1..=count {
            sender.send(&publish(0x32, &name, n, Some(&[]), b"x"));
            assert_eq!(sender.packet().1[..2], n.to_be_bytes());
        }
        let mut again = Raw::open(&server);
        assert_eq!(connack(&mut again, &login)[..2], [present, 0], "{count} messages");
    }
}

#[test]
fn http_publish_has_the_same_bounds() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = server();
    let long = "x".repeat(257);
    for topic in ["1%2F2%2F3%2F4%2F5%2F6%2F7%2F8%2F9", &long, "%24own"] {
        let path = format!("/mqtt/messages?topic={topic}&api-version=2025-08-01-preview");
        Curl::to(&server, &path).post(b"x").send().refused(403);
    }
    let path = "/mqtt/messages?topic=1%2F2%2F3%2F4%2F5%2F6%2F7%2F8&api-version=2025-08-01-preview";
    assert_eq!(Curl::to(&server, path).post(b"x").send().status, 204);
}

#[test]
fn there_is_no_sys() {
    let server = server();
    let mut raw = Raw::v5(&server, "curious");
    raw.send(&subscribe(1, "$SYS/#", 0));
    subscribed(&mut raw, &[0x87]);
    raw.ping();
}
