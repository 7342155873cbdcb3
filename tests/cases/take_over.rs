//! Two connections of one client id: the newer wins (MQTT 5, 3.1.4-3).
use crate::accept::{connect, plain, publish, receive, subscribe, with};
use e2e::{Foreign, Server, paho};
use serde_json::json;

#[test]
fn the_older_connection_is_told_0x8e() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let durable = json!({"clean": false, "properties": {"session_expiry": 60}});
    let mut older = paho();
    connect(&mut older, &with(plain(&server, 5, "same"), durable.clone()));
    subscribe(&mut older, "same", 1);
    let mut newer = paho();
    let answer = connect(&mut newer, &with(plain(&server, 5, "same"), durable));
    assert_eq!(answer["session_present"], true);
    assert_eq!(older.ask(&json!({"do": "closed"}))["reason"], 0x8E);
    publish(&mut newer, "same", "x", 1);
    assert_eq!(receive(&mut newer)["payload"], "x");
}

#[test]
fn an_older_v311_connection_is_closed() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let (mut older, mut newer) = (paho(), paho());
    connect(&mut older, &plain(&server, 4, "same"));
    connect(&mut newer, &plain(&server, 4, "same"));
    let answer = older.ask(&json!({"do": "closed"}));
    assert_eq!(answer["by_packet"], false, "3.1.1 has no DISCONNECT from a server");
}

#[test]
fn a_take_over_sends_the_will() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut watcher = paho();
    connect(&mut watcher, &plain(&server, 5, "watcher"));
    subscribe(&mut watcher, "will", 1);
    let will = json!({"will": {"topic": "will", "payload": "gone", "qos": 1}});
    let (mut older, mut newer) = (paho(), paho());
    connect(&mut older, &with(plain(&server, 5, "same"), will));
    connect(&mut newer, &plain(&server, 5, "same"));
    assert_eq!(receive(&mut watcher)["payload"], "gone");
}
