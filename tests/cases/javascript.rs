//! The core again with mqtt.js: its idea of the protocol is not paho's.
use crate::accept::{connect, payloads, plain, publish, receive, subscribe, tls, with};
use e2e::{Foreign, Server, javascript};
use serde_json::json;

fn every_qos(version: u8) {
    if !Foreign::MqttJs.ready() {
        return;
    }
    let server = Server::new();
    let (mut sender, mut hearer) = (javascript(), javascript());
    connect(&mut sender, &plain(&server, version, "sender"));
    let credential = json!({"user": "any", "password": server.token()});
    connect(&mut hearer, &with(tls(&server, version, "hearer"), credential));
    for qos in 0..3 {
        let topic = format!("js/{qos}");
        subscribe(&mut hearer, &topic, qos);
        publish(&mut sender, &topic, "a", qos);
        let message = receive(&mut hearer);
        assert_eq!((&message["payload"], &message["qos"]), (&json!("a"), &json!(qos)));
    }
}

#[test]
fn every_qos_in_v311() {
    every_qos(4);
}

#[test]
fn every_qos_in_v5() {
    every_qos(5);
}

#[test]
fn properties_arrive() {
    if !Foreign::MqttJs.ready() {
        return;
    }
    let server = Server::new();
    let mut client = javascript();
    connect(&mut client, &plain(&server, 5, "js"));
    let id = json!({"properties": {"subscription_id": 9}});
    let filters = json!({"do": "subscribe", "filters": [{"filter": "js/+", "qos": 1}]});
    client.ask(&with(filters, id));
    let sent = json!({
        "payload_format": 1, "content_type": "text/plain", "response_topic": "js/reply",
        "correlation_data": "0102", "user": [["k", "1"], ["k", "2"]],
    });
    let command = json!({"do": "publish", "topic": "js/a", "payload": "x", "qos": 1});
    client.ask(&with(command, json!({"properties": sent})));
    let message = receive(&mut client);
    assert_eq!(message["properties"], with(sent, json!({"subscription_id": [9]})));
}

/// mqtt.js looks aliases up by itself: an unknown one or one above its maximum is an error there.
#[test]
fn aliases_of_the_server_are_understood() {
    if !Foreign::MqttJs.ready() {
        return;
    }
    let server = Server::new();
    let (mut sender, mut hearer) = (javascript(), javascript());
    connect(&mut sender, &plain(&server, 5, "sender"));
    let aliases = json!({"properties": {"topic_alias_max": 2}});
    connect(&mut hearer, &with(plain(&server, 5, "hearer"), aliases));
    subscribe(&mut hearer, "alias/#", 1);
    let mut used = 0;
    for round in 0..4 {
        for topic in ["alias/one", "alias/two", "alias/three", "alias/three"] {
            publish(&mut sender, topic, "x", round % 2);
            let message = receive(&mut hearer);
            assert_eq!(message["topic"], topic);
            used += usize::from(!message["properties"]["topic_alias"].is_null());
        }
    }
    assert!(used > 8, "{used} of 16 messages carry an alias");
}

#[test]
fn sessions_are_resumed_and_taken_over() {
    if !Foreign::MqttJs.ready() {
        return;
    }
    let server = Server::new();
    let durable = json!({"clean": false, "properties": {"session_expiry": 600}});
    let mut first = javascript();
    connect(&mut first, &with(plain(&server, 5, "js"), durable.clone()));
    subscribe(&mut first, "offline", 1);
    first.ask(&json!({"do": "disconnect"}));
    let mut sender = javascript();
    connect(&mut sender, &plain(&server, 5, "sender"));
    for payload in ["1", "2", "3"] {
        publish(&mut sender, "offline", payload, 1);
    }
    let mut second = javascript();
    let answer = connect(&mut second, &with(plain(&server, 5, "js"), durable.clone()));
    assert_eq!(answer["session_present"], true);
    assert_eq!(payloads(&mut second, 3), ["1", "2", "3"]);
    let mut third = javascript();
    connect(&mut third, &with(plain(&server, 5, "js"), durable));
    assert_eq!(second.ask(&json!({"do": "closed"}))["reason"], 0x8E);
}

#[test]
fn wills_and_retained_messages() {
    if !Foreign::MqttJs.ready() {
        return;
    }
    let server = Server::new();
    let mut mortal = javascript();
    let will = json!({"topic": "js/will", "payload": "gone", "qos": 1, "retain": true});
    connect(&mut mortal, &with(plain(&server, 5, "mortal"), json!({"will": will})));
    let mut watcher = javascript();
    connect(&mut watcher, &plain(&server, 4, "watcher"));
    subscribe(&mut watcher, "js/will", 1);
    mortal.kill();
    let message = receive(&mut watcher);
    assert_eq!((&message["payload"], &message["retain"]), (&json!("gone"), &json!(false)));
    let mut late = javascript();
    connect(&mut late, &plain(&server, 5, "late"));
    subscribe(&mut late, "js/will", 1);
    assert_eq!(receive(&mut late)["retain"], true);
}
