//! How it ends: everyone is told, the exit status is 0, and in time.
use crate::accept::{connect, plain, tls, with};
use e2e::{Foreign, Server, paho};
use serde_json::json;
use std::time::{Duration, Instant};

#[test]
fn sigterm_tells_v5_clients_and_exits_with_0() {
    if !Foreign::Paho.ready() {
        return;
    }
    let mut server = Server::new();
    let (mut new, mut old, mut secure) = (paho(), paho(), paho());
    connect(&mut new, &plain(&server, 5, "new"));
    connect(&mut old, &plain(&server, 4, "old"));
    let credential = json!({"user": "x", "password": server.token()});
    connect(&mut secure, &with(tls(&server, 5, "secure"), credential));
    let start = Instant::now();
    server.terminate();
    for client in [&mut new, &mut secure] {
        let answer = client.ask(&json!({"do": "closed"}));
        assert_eq!((&answer["reason"], &answer["by_packet"]), (&json!(0x8B), &json!(true)));
    }
    assert_eq!(old.ask(&json!({"do": "closed"}))["by_packet"], false);
    let status = server.ended();
    assert_eq!(status.code(), Some(0), "{}", server.said().join("\n"));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_planned_stop_sends_no_will() {
    if !Foreign::Paho.ready() {
        return;
    }
    let mut server = Server::new();
    let (mut mortal, mut watcher) = (paho(), paho());
    let will = json!({"will": {"topic": "will", "payload": "gone", "qos": 1}});
    connect(&mut mortal, &with(plain(&server, 5, "mortal"), will));
    connect(&mut watcher, &plain(&server, 5, "watcher"));
    crate::accept::subscribe(&mut watcher, "will", 1);
    server.terminate();
    assert_eq!(watcher.ask(&json!({"do": "closed"}))["reason"], 0x8B);
    assert_eq!(watcher.ask(&json!({"do": "quiet"}))["waiting"], 0);
    assert!(server.ended().success());
}
