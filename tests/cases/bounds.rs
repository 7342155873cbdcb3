//! At the bounds (core.md 5): what is dropped, refused or made to wait, that it is counted and
//! told, and that everything is as before once there is room.
use crate::accept::subscribed;
use crate::watched::metric;
use e2e::curl::Curl;
use e2e::raw::{Raw, connect, publish, subscribe};
use e2e::site::Site;
use e2e::token::{Signer, claims};
use e2e::{Foreign, Server, until};
use serde_json::{Value, json};

/// A server that anybody may use on its plain port, with these bounds.
fn bounded(site: &Site, bounds: &str) -> Server {
    let more = format!(
        "auth.anonymous = \"loopback\"\n\
         auth.issuers = [{{ issuer = \"*\", jwks_file = \".gridhub/jwks.json\" }}]\n\
         topicSpaces = [{{ name = \"all\", properties.topicTemplates = [\"#\"] }}]\n\
         permissionBindings = [\
         {{ name = \"say\", properties = {{ clientGroupName = \"$all\", topicSpaceName = \"all\", \
         permission = \"Publisher\" }} }}, \
         {{ name = \"hear\", properties = {{ clientGroupName = \"$all\", topicSpaceName = \"all\", \
         permission = \"Subscriber\" }} }}]\n{bounds}\n"
    );
    site.serve(&site.configure("durability = \"memory\"\nreactors = 1", &more))
}

/// A request with a token that may do everything.
fn asked(site: &Site, server: &Server, path: &str) -> Curl {
    let signer = Signer::of(&site.identity());
    let mut claims = claims("operator", 600);
    claims["roles"] = json!(["Publisher", "Subscriber", "Contributor"]);
    let token = signer.sign(&claims, &signer.kid());
    Curl::anonymous(server, path).header(&format!("Authorization: Bearer {token}"))
}

fn session(site: &Site, server: &Server, client: &str) -> Value {
    let answer = asked(site, server, &format!("/admin/sessions/{client}")).send();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The reason of CONNACK for a client that comes now.
fn reason_of_connack(server: &Server, level: u8, client: &str) -> u8 {
    let mut raw = Raw::open(server);
    raw.send(&connect(level, 2, client, &[]));
    raw.packet().1[1]
}

/// A client whose session lasts a minute.
fn durable(server: &Server, client: &str, clean_start: u8) -> Raw {
    let mut raw = Raw::open(server);
    raw.send(&connect(5, clean_start << 1, client, &[0x11, 0, 0, 0, 60]));
    assert_eq!(raw.packet().1[1], 0, "CONNACK");
    raw
}

#[test]
fn a_full_memory_refuses_and_goes_on_when_there_is_room() {
    if !Foreign::Curl.ready() {
        return;
    }
    let site = Site::new();
    let server = bounded(
        &site,
        "process.memory_bytes_max = 4000000\nlimits.queued_total_bytes_max = 100000000",
    );
    let mut absent = durable(&server, "absent", 1);
    absent.send(&subscribe(1, "t", 1));
    subscribed(&mut absent, &[1]);
    absent.send(&[0xE0, 0]);
    assert_eq!(absent.closed(), []);
    let mut p = Raw::v5(&server, "p");
    let mut sent: u16 = 0;
    loop {
        sent += 1;
        assert!(sent < 100, "four megabytes hold a hundred times sixty thousand bytes");
        p.send(&publish(0x32, "t", sent, Some(&[]), &[b'x'; 60_000]));
        let (first, body) = p.packet();
        assert_eq!(first, 0x40);
        match body.get(2) {
            Some(0x97) => break,
            reason => assert!(reason.is_none_or(|r| *r == 0), "{reason:?}"),
        }
    }
    assert!(metric(&server, "gridhub_memory_bytes", "") <= 4_100_000.0);
    assert_eq!(metric(&server, "gridhub_memory_bytes_max", ""), 4_000_000.0);
    assert_eq!(metric(&server, "gridhub_memory_pressure", ""), 2.0);
    // QoS 0 is nobody's any more; whoever is new stays outside; HTTP says when to come again.
    p.send(&publish(0x30, "anybody", 0, Some(&[]), b"lost"));
    p.ping();
    assert_eq!(metric(&server, "gridhub_mqtt_dropped_messages_total", "\"memory\""), 1.0);
    assert_eq!(reason_of_connack(&server, 5, "new"), 0x97);
    assert_eq!(reason_of_connack(&server, 4, "new"), 3);
    let path = "/mqtt/messages?topic=t&api-version=2025-08-01-preview";
    let answer = asked(&site, &server, path).post(b"x").send();
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
    answer.refused(429);
    // What waits is fetched: by the one client that may come.
    let mut back = durable(&server, "absent", 0);
    for _ in 1..sent {
        let (first, body) = back.packet();
        assert_eq!(first, 0x32);
        back.send(&[0x40, 2, body[3], body[4]]);
    }
    back.ping();
    until("room", || (metric(&server, "gridhub_memory_pressure", "") == 0.0).then_some(()));
    assert_eq!(reason_of_connack(&server, 5, "new"), 0);
    p.send(&publish(0x32, "t", 200, Some(&[]), b"x"));
    assert_eq!(p.packet().1.get(2).copied().unwrap_or(0), 0);
    assert_eq!(metric(&server, "gridhub_memory_pressures_total", ""), 1.0);
    let log = server.log_at_end().join("\n");
    for words in ["data is nearly full: QoS 0", "data is full: what", "data: room again"] {
        assert_eq!(log.matches(words).count(), 1, "{words} in\n{log}");
    }
}

#[test]
fn clients_that_connect_too_fast_are_turned_away() {
    if !Foreign::Curl.ready() {
        return;
    }
    let site = Site::new();
    let bounds = "limits.connects_per_second_max = 1\nlimits.connects_burst_max = 3";
    let server = bounded(&site, bounds);
    // A slow machine may give one more a second.
    let answers: Vec<u8> =
        (0..60).map(|n| reason_of_connack(&server, 5, &format!("c{n}"))).collect();
    assert_eq!(answers[..3], [0, 0, 0]);
    let refused = answers.iter().filter(|reason| **reason == 0x9F).count();
    assert!(refused >= 40, "{answers:02x?}");
    assert_eq!(refused, answers.iter().filter(|reason| **reason != 0).count());
    let kind = "ConnectPacketsPerNamespace";
    let throttled = metric(&server, "gridhub_mqtt_throttling_enforcements_total", kind);
    assert_eq!(throttled, refused as f64);
    let lines = server.log_at_end();
    let told: Vec<_> = lines.iter().filter(|line| line.contains("turned away")).collect();
    assert!((1..30).contains(&told.len()), "one line a second: {told:?}");
    assert!(told[0].contains("connects_per_second_max"), "{told:?}");
}

#[test]
fn newcomers_wait_while_too_many_have_not_sent_connect() {
    if !Foreign::Curl.ready() {
        return;
    }
    let site = Site::new();
    let server = bounded(&site, "limits.opening_connections_max = 2");
    let mut served = Raw::v5(&server, "served");
    let silent = [Raw::open(&server), Raw::open(&server)];
    until("both at the door", || {
        (metric(&server, "gridhub_mqtt_opening_connections", "") == 2.0).then_some(())
    });
    let mut late = Raw::open(&server);
    late.send(&connect(5, 2, "late", &[]));
    until("newcomers that wait", || {
        (metric(&server, "gridhub_mqtt_accept_waits_total", "") > 0.0).then_some(())
    });
    served.ping();
    assert_eq!(metric(&server, "gridhub_mqtt_connections", ""), 3.0);
    drop(silent);
    assert_eq!(late.packet().1[1], 0, "CONNACK");
}

#[test]
fn a_subscriber_that_does_not_read_is_seen_and_recovers() {
    if !Foreign::Curl.ready() {
        return;
    }
    let site = Site::new();
    let bounds = "limits.packet_bytes_max = 65536\nlimits.output_bytes_max = 65536\n\
                  limits.http_body_bytes_max = 1024\nlimits.http_retained_body_bytes_max = 1024";
    let server = bounded(&site, bounds);
    let mut slow = Raw::v5(&server, "slow");
    slow.send(&subscribe(1, "t", 0));
    subscribed(&mut slow, &[0]);
    assert_eq!(session(&site, &server, "slow")["stalledSeconds"], Value::Null);
    let mut p = Raw::v5(&server, "p");
    let mut sent = 0;
    let stalled = until("a stall", || {
        for _ in 0..100 {
            p.send(&publish(0x30, "t", 0, Some(&[]), &[b'x'; 60_000]));
        }
        sent += 100;
        p.ping();
        Some(session(&site, &server, "slow")).filter(|s| s["stalledSeconds"].is_u64())
    });
    let lost = stalled["droppedBy"]["output_full"].as_u64().unwrap();
    assert!(lost > 0 && stalled["dropped"] == lost, "{stalled}");
    assert_eq!(stalled["bounds"]["outputBytes"]["max"], 65_536);
    assert!(stalled["heldBytes"].as_u64().unwrap() > 0, "{stalled}");
    for _ in lost..sent {
        assert_eq!(slow.packet().0, 0x30);
    }
    let healthy = until("recovery", || {
        Some(session(&site, &server, "slow")).filter(|s| s["stalledSeconds"].is_null())
    });
    assert_eq!(healthy["dropped"], lost);
    let log = server.log_at_end().join("\n");
    for words in ["does not keep up", "keeps up again"] {
        assert!(log.contains(words), "{words} in\n{log}");
    }
}
