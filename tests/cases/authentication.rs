//! Who gets in and as whom: anonymous on loopback, tokens, certificates, and refusals that say why.
use crate::accept::{connect, plain, publish, receive, subscribe, tls, with};
use e2e::server::Folder;
use e2e::{Foreign, Script, Server, paho};
use serde_json::{Value, json};

fn verb(server: &Server, words: &[&str]) -> String {
    let output = server.verb(words).output();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_string()
}

fn refused(command: &Value) -> Value {
    let mut client = paho();
    let answer = client.ask(command);
    assert_ne!(answer["reason"], 0, "{command}");
    answer
}

fn works(client: &mut Script) {
    subscribe(client, "mine", 1);
    publish(client, "mine", "x", 1);
    assert_eq!(receive(client)["payload"], "x");
}

#[test]
fn a_token_works_as_password_and_by_its_method() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let token = server.token();
    for version in [4, 5] {
        let mut client = paho();
        let password = json!({"user": "whoever", "password": token});
        connect(&mut client, &with(tls(&server, version, "by-password"), password));
        works(&mut client);
    }
    let mut client = paho();
    let method = json!({"auth_method": "OAUTH2-JWT", "auth_data": token});
    let command = with(tls(&server, 5, "by-method"), json!({"properties": method}));
    let answer = connect(&mut client, &command);
    assert_eq!(answer["properties"]["auth_method"], "OAUTH2-JWT");
    works(&mut client);
}

#[test]
fn a_refusal_says_why_without_the_secret() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let token = server.token();
    let (head, _) = token.rsplit_once('.').unwrap();
    let tampered = format!("{head}.AAAA{}", "A".repeat(82));
    for (password, reasons) in [(tampered.as_str(), [0x87, 0x86]), ("nonsense", [0x87, 0x86])] {
        let credential = json!({"user": "whoever", "password": password});
        let answer = refused(&with(tls(&server, 5, "bad"), credential));
        let reason = answer["reason"].as_u64().unwrap();
        assert!(reasons.contains(&reason), "{answer}");
        let why = answer["properties"]["reason_string"].as_str().unwrap_or_default();
        assert!(!why.is_empty() && !why.contains(password), "{answer}");
    }
    let nobody = refused(&tls(&server, 5, "nobody"));
    assert!([0x87, 0x86].contains(&nobody["reason"].as_u64().unwrap()), "{nobody}");
    let method = json!({"auth_method": "OAUTH2-JWT", "auth_data": tampered});
    let answer = refused(&with(tls(&server, 5, "bad"), json!({"properties": method})));
    assert_eq!(answer["reason"], 0x87);
    let unknown = json!({"properties": {"auth_method": "KERBEROS", "auth_data": "x"}});
    assert_eq!(refused(&with(tls(&server, 5, "bad"), unknown))["reason"], 0x8C);
}

#[test]
fn a_token_has_a_role_and_an_end() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let token = verb(&server, &["token", "--name", "ear", "--role", "subscriber", "--ttl", "1h"]);
    let credential = json!({"user": "ear", "password": token});
    let mut client = paho();
    let command = with(tls(&server, 5, "ear"), credential);
    connect(&mut client, &command);
    subscribe(&mut client, "any/thing", 1);
    let publish = json!({"do": "publish", "topic": "any/thing", "payload": "x", "qos": 1});
    assert_eq!(client.ask(&publish)["reason"], 0x87);
    server.advance("2h");
    // A token that was not renewed ends the connection (event-grid 3.5).
    assert_eq!(client.ask(&json!({"do": "closed"}))["reason"], 0x87);
    assert_eq!(refused(&command)["reason"], 0x87);
}

#[test]
fn certificates_of_the_dev_authority_are_clients() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let files = &server.ready["client"];
    let pair = json!({"cert": files["cert_file"], "key": files["key_file"]});
    for version in [4, 5] {
        let mut client = paho();
        let named = json!({"user": "client1"});
        connect(&mut client, &with(with(tls(&server, version, "c1"), pair.clone()), named));
        works(&mut client);
    }
    let folder = Folder::new();
    let out = folder.path().to_str().unwrap();
    let made: Value =
        serde_json::from_str(&verb(&server, &["cert", "pump-7", "--out", out, "--json"])).unwrap();
    let mut client = paho();
    let pair = json!({"cert": made["cert_file"], "key": made["key_file"]});
    connect(&mut client, &with(tls(&server, 5, "any-id"), pair));
    works(&mut client);
}

#[test]
fn the_plain_port_takes_anyone_on_loopback() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut client = paho();
    connect(&mut client, &plain(&server, 4, "anonymous"));
    works(&mut client);
}
