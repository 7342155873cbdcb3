//! Sessions that outlive connections, with paho: resumed, queued for, expired.
use crate::accept::{connect, payloads, plain, publish, receive, subscribe, with};
use e2e::{Foreign, Script, Server, paho};
use serde_json::{Value, json};

fn durable() -> Value {
    json!({"clean": false, "properties": {"session_expiry": 3600}})
}

/// Connects with a session that stays; `present` is what CONNACK must say.
#[track_caller]
fn resume(server: &Server, version: u8, name: &str, present: bool) -> Script {
    let mut client = paho();
    let answer = connect(&mut client, &with(plain(server, version, name), durable()));
    assert_eq!(answer["session_present"], present, "{name}");
    client
}

fn queued_offline(version: u8) {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut hearer = resume(&server, version, "stays", false);
    subscribe(&mut hearer, "s/#", 2);
    hearer.ask(&json!({"do": "disconnect"}));
    let mut sender = paho();
    connect(&mut sender, &plain(&server, 5, "sender"));
    publish(&mut sender, "s/0", "lost", 0);
    for n in 0..10 {
        publish(&mut sender, "s/1", &format!("one {n}"), 1);
        publish(&mut sender, "s/2", &format!("two {n}"), 2);
    }
    let mut hearer = resume(&server, version, "stays", true);
    // Order holds for a topic; a client shows QoS 2 only after its longer exchange.
    let (one, two): (Vec<String>, Vec<String>) =
        payloads(&mut hearer, 20).into_iter().partition(|p| p.starts_with("one"));
    let numbered = |word: &str| (0..10).map(|n| format!("{word} {n}")).collect::<Vec<_>>();
    assert_eq!((one, two), (numbered("one"), numbered("two")));
    publish(&mut sender, "s/1", "live", 1);
    assert_eq!(receive(&mut hearer)["payload"], "live");
}

#[test]
fn an_absent_v311_session_is_queued_for() {
    queued_offline(4);
}

#[test]
fn an_absent_v5_session_is_queued_for() {
    queued_offline(5);
}

#[test]
fn what_was_not_acknowledged_comes_again() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut hearer = paho();
    let more = with(durable(), json!({"manual_ack": true}));
    connect(&mut hearer, &with(plain(&server, 5, "again"), more));
    subscribe(&mut hearer, "again", 1);
    let mut sender = paho();
    connect(&mut sender, &plain(&server, 5, "sender"));
    publish(&mut sender, "again", "x", 1);
    assert_eq!(receive(&mut hearer)["dup"], false);
    hearer.kill();
    let mut hearer = resume(&server, 5, "again", true);
    let message = receive(&mut hearer);
    assert_eq!((&message["payload"], &message["dup"]), (&json!("x"), &json!(true)));
    hearer.ask(&json!({"do": "disconnect"}));
    let mut hearer = resume(&server, 5, "again", true);
    publish(&mut sender, "again", "next", 1);
    assert_eq!(receive(&mut hearer)["payload"], "next");
}

#[test]
fn a_clean_start_forgets() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut first = resume(&server, 5, "forget", false);
    subscribe(&mut first, "forget", 1);
    first.ask(&json!({"do": "disconnect"}));
    let mut second = paho();
    let answer = connect(&mut second, &plain(&server, 5, "forget"));
    assert_eq!(answer["session_present"], false);
    publish(&mut second, "forget", "x", 1);
    subscribe(&mut second, "other", 1);
    publish(&mut second, "other", "y", 1);
    assert_eq!(receive(&mut second)["payload"], "y");
}

#[test]
fn a_session_expires_with_the_clock() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut first = resume(&server, 5, "brief", false);
    first.ask(&json!({"do": "disconnect"}));
    server.advance("59m");
    let mut second = resume(&server, 5, "brief", true);
    second.ask(&json!({"do": "disconnect"}));
    server.advance("61m");
    resume(&server, 5, "brief", false);
}

#[test]
fn disconnect_may_change_the_expiry() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut first = resume(&server, 5, "shorter", false);
    first.ask(&json!({"do": "disconnect", "properties": {"session_expiry": 10}}));
    server.advance("11s");
    let mut second = resume(&server, 5, "shorter", false);
    second.ask(&json!({"do": "disconnect", "properties": {"session_expiry": 0}}));
    resume(&server, 5, "shorter", false);
}
