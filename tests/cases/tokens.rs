//! Every way a token can be wrong, over MQTT and HTTP: refused, with the reason, without the token.
use crate::accept::problem;
use e2e::curl::Curl;
use e2e::raw::{End, Raw, authentication, connect, connect_with};
use e2e::tls::Proof;
use e2e::token::{Signer, claims};
use e2e::{Foreign, Server};
use serde_json::{Value, json};

/// `{"alg":"none","typ":"JWT"}`
const NONE: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";

/// What is wrong, the token, and a word that the refusal must say.
fn rows(signer: &Signer) -> Vec<(&'static str, String, &'static str)> {
    let changed = |name: &str, value: Value| {
        let mut claims = claims("pump", 3_600);
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        signer.sign(&claims, &signer.kid())
    };
    let good = signer.good("pump", 3_600);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let payload = message.split_once('.').unwrap().1;
    vec![
        ("wrong audience", changed("aud", json!("https://other.example")), "audience"),
        ("no audience", changed("aud", json!(null)), "audience"),
        ("expired", signer.good("pump", -3_600), "expired"),
        ("no expiry", changed("exp", json!(null)), "exp"),
        ("not yet", changed("nbf", json!(4_000_000_000_u64)), "clock"),
        ("nobody", changed("oid", json!("")), "oid"),
        ("unknown key", signer.sign(&claims("pump", 3_600), "other-key"), "kid"),
        ("alg none", format!("{NONE}.{payload}."), "alg"),
        ("alg none, signed", format!("{NONE}.{payload}.{signature}"), "alg"),
        ("symmetric", signer.symmetric(&claims("pump", 3_600)), "alg"),
        ("tampered", format!("{message}.{}", "A".repeat(86)), "signature"),
    ]
}

/// CONNACK of a connection over TLS: reason and reason string.
#[track_caller]
fn refused(server: &Server, bytes: &[u8]) -> (u8, String) {
    let mut raw = Raw::tls(server, &Proof::Nothing);
    raw.send(bytes);
    let (first, body) = raw.packet();
    assert_eq!(first, 0x20);
    assert_eq!(raw.closed(), [], "closed behind CONNACK");
    (body[1], problem(&body[2..]))
}

#[test]
fn what_is_wrong_with_a_token_is_said_everywhere() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    let signer = Signer::of(server.data());
    let mut findings = Vec::new();
    for (name, token, word) in rows(&signer) {
        let mut say = |by: &str, status: u16, expected: u16, why: &str| {
            let signature = token.rsplit('.').next().filter(|s| !s.is_empty());
            let secret = signature.is_some_and(|s| why.contains(s));
            if status != expected || !why.to_lowercase().contains(word) || secret {
                findings.push(format!("{name} by {by}: {status} {why}"));
            }
        };
        let method = connect(5, 2, "c", &authentication("OAUTH2-JWT", &token));
        let (reason, why) = refused(&server, &method);
        say("method", reason.into(), 0x87, &why);
        let password = connect_with(5, 0xC2, &[], &["c", "pump", &token]);
        let (reason, why) = refused(&server, &password);
        say("password", reason.into(), 0x87, &why);
        let header = format!("Authorization: Bearer {token}");
        let path = "/mqtt/messages?topic=a&api-version=2025-08-01-preview";
        let answer = Curl::anonymous(&server, path).header(&header).post(b"x").send();
        say("HTTP", answer.status, 401, &answer.text());
        let mut old = Raw::tls(&server, &Proof::Nothing);
        old.send(&connect_with(4, 0xC2, &[], &["c", "pump", &token]));
        let code = old.packet().1[1];
        // 3.1.1 says 5, "not authorized", and no more (event-grid 3.5).
        say("3.1.1", code.into(), 5, word);
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

#[test]
fn a_token_ends_by_the_clock() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    let token = Signer::of(server.data()).good("pump", 3_600);
    let login = |level: u8, id: &str| connect_with(level, 0xC2, &[], &[id, "pump", &token]);
    let mut new = Raw::tls(&server, &Proof::Nothing);
    new.send(&login(5, "new"));
    assert_eq!(new.packet().1[1], 0);
    let mut old = Raw::tls(&server, &Proof::Nothing);
    old.send(&login(4, "old"));
    assert_eq!(old.packet(), (0x20, vec![0, 0]));
    let header = format!("Authorization: Bearer {token}");
    let publish = || {
        let path = "/mqtt/messages?topic=a&api-version=2025-08-01-preview";
        Curl::anonymous(&server, path).header(&header).post(b"x").send()
    };
    assert_eq!(publish().status, 204);
    server.advance("61m");
    new.disconnected(0x87);
    let (packets, end) = old.outcome(e2e::DEADLINE);
    assert_eq!((packets, end), (vec![], End::Closed), "3.1.1 is closed without a word");
    // Remembered tokens end too.
    assert!(publish().refused(401).contains("expired"));
    let (reason, why) = refused(&server, &login(5, "new"));
    assert_eq!(reason, 0x87);
    assert!(why.contains("expired"), "{why}");
}
