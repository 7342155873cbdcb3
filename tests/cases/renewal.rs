//! AUTH: a token renewed on an open connection, byte by byte over TLS (MQTT 5, 4.12.1).
use crate::accept::subscribed;
use e2e::raw::{Raw, auth, authentication, connect, connect_with, packet, publish, subscribe};
use e2e::tls::Proof;
use e2e::token::{Signer, claims};
use e2e::{Foreign, Server};
use serde_json::json;

const METHOD: &str = "OAUTH2-JWT";
const RE_AUTHENTICATE: u8 = 0x19;

/// Connected by the method, as the principal of this token.
#[track_caller]
fn by_method(server: &Server, token: &str) -> Raw {
    let mut raw = Raw::tls(server, &Proof::Nothing);
    raw.send(&connect(5, 2, "renewing", &authentication(METHOD, token)));
    let (first, body) = raw.packet();
    assert_eq!((first, body[1]), (0x20, 0), "{body:02x?}");
    raw
}

fn renew(raw: &mut Raw, token: &str) {
    raw.send(&auth(RE_AUTHENTICATE, &authentication(METHOD, token)));
}

#[test]
fn a_new_token_of_the_same_principal_keeps_the_connection() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    let signer = Signer::of(server.data());
    let mut raw = by_method(&server, &signer.good("pump", 3_600));
    renew(&mut raw, &signer.good("pump", 4 * 3_600));
    // Traffic goes on meanwhile (4.12.1): what is behind AUTH is answered.
    raw.send(&publish(0x32, "a", 7, Some(&[]), b"x"));
    let mut seen = [raw.packet(), raw.packet()];
    seen.sort_unstable_by_key(|(first, _)| *first);
    assert_eq!((seen[0].0, &seen[0].1[..2]), (0x40, &[0, 7][..]), "{seen:02x?}");
    let method = [&[0x15, 0, 10][..], METHOD.as_bytes()].concat();
    let success = [&[0, u8::try_from(method.len()).unwrap()][..], &method].concat();
    assert_eq!(seen[1], (0xF0, success), "AUTH with Success and the same method");
    // The first token is over, the second is not.
    server.advance("2h");
    raw.ping();
    server.advance("3h");
    raw.disconnected(0x87);
}

#[test]
fn another_principal_or_a_bad_token_is_refused() {
    let server = Server::new();
    let signer = Signer::of(server.data());
    let tampered = {
        let good = signer.good("pump", 3_600);
        let (head, _) = good.rsplit_once('.').unwrap();
        format!("{head}.{}", "A".repeat(86))
    };
    for token in [signer.good("valve", 3_600), tampered, "nonsense".into(), String::new()] {
        let mut raw = by_method(&server, &signer.good("pump", 3_600));
        renew(&mut raw, &token);
        raw.disconnected(0x87);
    }
}

#[test]
fn a_renewal_changes_what_is_permitted() {
    let server = Server::new();
    let signer = Signer::of(server.data());
    let mut raw = by_method(&server, &signer.good("pump", 3_600));
    raw.send(&subscribe(1, "a", 1));
    subscribed(&mut raw, &[1]);
    let mut fewer = claims("pump", 3_600);
    fewer["roles"] = json!(["Publisher"]);
    renew(&mut raw, &signer.sign(&fewer, &signer.kid()));
    assert_eq!(raw.packet().0, 0xF0);
    raw.send(&subscribe(2, "b", 1));
    subscribed(&mut raw, &[0x87]);
    // The subscription without right has ended: no copy comes before the answer to PINGREQ.
    raw.send(&publish(0x32, "a", 7, Some(&[]), b"x"));
    assert_eq!(raw.packet().0, 0x40);
    raw.ping();
}

#[test]
fn auth_without_a_method_or_with_another_one_is_refused() {
    let server = Server::new();
    let signer = Signer::of(server.data());
    let token = signer.good("pump", 3_600);
    let mut raw = Raw::tls(&server, &Proof::Nothing);
    // By password: no method was agreed (4.12.0-7).
    raw.send(&connect_with(5, 0xC2, &[], &["by-password", "pump", &token]));
    assert_eq!(raw.packet().1[1], 0);
    renew(&mut raw, &token);
    raw.disconnected(0x82);

    let mut raw = by_method(&server, &token);
    raw.send(&auth(RE_AUTHENTICATE, &authentication("SCRAM-SHA-256", &token)));
    raw.disconnected(0x8C);
    // AUTH without reason and properties means Success, which only a server may say.
    for bytes in [packet(0xF0, &[]), auth(0x18, &authentication(METHOD, &token))] {
        let mut raw = by_method(&server, &token);
        raw.send(&bytes);
        let told = raw.closed();
        let (first, body) = told.last().expect("DISCONNECT before the close");
        assert!(*first == 0xE0 && [0x82, 0x8C].contains(&body[0]), "{told:02x?}");
    }
}
