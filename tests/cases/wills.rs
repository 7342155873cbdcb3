//! Last wills with paho: sent, delayed, cancelled, dropped.
use crate::accept::{connect, plain, publish, receive, subscribe, with};
use e2e::{Foreign, Script, Server, paho};
use serde_json::{Value, json};

fn watcher(server: &Server) -> Script {
    let mut watcher = paho();
    connect(&mut watcher, &plain(server, 5, "watcher"));
    subscribe(&mut watcher, "will/#", 2);
    watcher
}

fn mortal(server: &Server, version: u8, name: &str, will: Value, expiry: u32) -> Script {
    let mut client = paho();
    let more = json!({"will": will, "properties": {"session_expiry": expiry}});
    connect(&mut client, &with(plain(server, version, name), more));
    client
}

#[test]
fn a_lost_connection_sends_the_will() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut watcher = watcher(&server);
    for version in [4, 5] {
        for qos in 0..3 {
            let topic = format!("will/{version}/{qos}");
            let will = json!({"topic": topic, "payload": "gone", "qos": qos, "retain": true});
            mortal(&server, version, "mortal", will, 0).kill();
            let message = receive(&mut watcher);
            assert_eq!(message["topic"], topic.as_str());
            assert_eq!(message["qos"], qos);
        }
    }
    // Retained, so who comes later finds them.
    let mut late = paho();
    connect(&mut late, &plain(&server, 5, "late"));
    subscribe(&mut late, "will/+/1", 1);
    assert_eq!(late.ask(&json!({"do": "receive", "count": 2}))["messages"][0]["retain"], true);
}

#[test]
fn a_normal_disconnect_drops_the_will_and_0x04_sends_it() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut watcher = watcher(&server);
    let will = |payload: &str| json!({"topic": "will/a", "payload": payload, "qos": 1});
    mortal(&server, 5, "polite", will("no"), 0).ask(&json!({"do": "disconnect"}));
    mortal(&server, 5, "wants", will("yes"), 0).ask(&json!({"do": "disconnect", "reason": 4}));
    assert_eq!(receive(&mut watcher)["payload"], "yes");
}

#[test]
fn a_delayed_will_waits_for_the_clock() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut watcher = watcher(&server);
    let properties = json!({"will_delay": 60, "content_type": "text/plain", "user": [["a", "b"]]});
    let will = json!({"topic": "will/late", "payload": "gone", "qos": 1, "properties": properties});
    mortal(&server, 5, "delayed", will, 3600).kill();
    // Once the server has seen the close, the delay runs.
    e2e::until("the close", || {
        let answer = e2e::curl::Curl::to(&server, "/admin/sessions/delayed").send();
        (answer.json()["connected"] == false).then_some(())
    });
    server.advance("59s");
    publish(&mut watcher, "will/marker", "before", 1);
    assert_eq!(receive(&mut watcher)["payload"], "before");
    server.advance("2s");
    let message = receive(&mut watcher);
    assert_eq!(message["payload"], "gone");
    assert_eq!(message["properties"]["content_type"], "text/plain");
    assert_eq!(message["properties"]["user"], json!([["a", "b"]]));
    assert!(message["properties"]["will_delay"].is_null());
}

#[test]
fn coming_back_in_time_cancels_a_delayed_will() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut watcher = watcher(&server);
    let will = json!({"topic": "will/no", "payload": "no", "properties": {"will_delay": 60}});
    mortal(&server, 5, "returns", will, 3600).kill();
    let mut back = paho();
    let more = json!({"clean": false, "properties": {"session_expiry": 3600}});
    connect(&mut back, &with(plain(&server, 5, "returns"), more));
    server.advance("2m");
    publish(&mut watcher, "will/marker", "only", 1);
    assert_eq!(receive(&mut watcher)["payload"], "only");
}

#[test]
fn the_end_of_the_session_sends_a_delayed_will() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut watcher = watcher(&server);
    let will = json!({"topic": "will/end", "payload": "end", "properties": {"will_delay": 3600}});
    mortal(&server, 5, "ends", will, 0).kill();
    // Without a session to return to, there is nothing to wait for (MQTT 5, 3.1.3.2.2).
    assert_eq!(receive(&mut watcher)["payload"], "end");
}
