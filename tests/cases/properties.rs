//! What MQTT 5 carries beside the payload, with paho: round trips, aliases, expiry, limits.
use crate::accept::{connect, plain, publish, receive, subscribe, with};
use e2e::{Foreign, Script, Server, paho};
use serde_json::{Value, json};

fn client(server: &Server, name: &str, more: Value) -> Script {
    let mut client = paho();
    connect(&mut client, &with(plain(server, 5, name), more));
    client
}

#[test]
fn every_user_visible_property_arrives() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut client = client(&server, "round", json!({}));
    subscribe(&mut client, "round/+", 1);
    let sent = json!({
        "payload_format": 1, "content_type": "application/json; charset=utf-8",
        "response_topic": "round/reply/é", "correlation_data": "00ff10",
        "user": [["k", "1"], ["other", ""], ["k", "2"]],
    });
    let command = json!({"do": "publish", "topic": "round/a", "payload": "{}", "qos": 1});
    client.ask(&with(command, json!({"properties": sent})));
    let message = receive(&mut client);
    // Order and repeats of user properties are kept (MQTT 5, 3.3.2-18).
    assert_eq!(message["properties"], sent);
}

/// As the public interoperability tests expect it: topic and alias first, then the alias alone.
/// paho shows the packets as they are.
#[test]
fn the_server_sets_aliases_for_who_takes_them() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut hearer = client(&server, "hearer", json!({"properties": {"topic_alias_max": 1}}));
    subscribe(&mut hearer, "TopicA", 2);
    for qos in 0..3 {
        publish(&mut hearer, "TopicA", "x", qos);
    }
    for topic in ["TopicA", "", ""] {
        let message = receive(&mut hearer);
        assert_eq!(
            (&message["topic"], &message["properties"]["topic_alias"]),
            (&json!(topic), &json!(1))
        );
    }
}

#[test]
fn a_topic_alias_stands_for_its_topic() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut client = client(&server, "alias", json!({}));
    subscribe(&mut client, "alias/#", 1);
    for (topic, payload, alias) in
        [("alias/one", "1", 1), ("", "2", 1), ("alias/two", "3", 1), ("", "4", 1)]
    {
        let properties = json!({"topic_alias": alias});
        let command = json!({"do": "publish", "topic": topic, "payload": payload, "qos": 1});
        client.ask(&with(command, json!({"properties": properties})));
    }
    for (topic, payload) in
        [("alias/one", "1"), ("alias/one", "2"), ("alias/two", "3"), ("alias/two", "4")]
    {
        let message = receive(&mut client);
        assert_eq!((&message["topic"], &message["payload"]), (&json!(topic), &json!(payload)));
        let alias = &message["properties"]["topic_alias"];
        assert!(alias.is_null(), "the sender's alias is not the receiver's: {message}");
    }
}

#[test]
fn what_expired_is_not_delivered_and_what_is_left_is_told() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let durable = json!({"clean": false, "properties": {"session_expiry": 3600}});
    let mut hearer = client(&server, "later", durable.clone());
    subscribe(&mut hearer, "expiry/#", 1);
    hearer.ask(&json!({"do": "disconnect"}));
    let mut sender = client(&server, "sender", json!({}));
    for (topic, expiry) in [("expiry/short", 10), ("expiry/long", 1000)] {
        let command = json!({"do": "publish", "topic": topic, "payload": "x", "qos": 1});
        sender.ask(&with(command, json!({"properties": {"expiry": expiry}})));
    }
    publish(&mut sender, "expiry/never", "x", 1);
    server.advance("100s");
    let mut hearer = client(&server, "later", durable);
    let message = receive(&mut hearer);
    assert_eq!(message["topic"], "expiry/long");
    // The value sent is what was received minus the time it waited (MQTT 5, 3.3.2-6).
    let left = message["properties"]["expiry"].as_u64().unwrap();
    assert!((880..=900).contains(&left), "{left}");
    let message = receive(&mut hearer);
    assert_eq!(message["topic"], "expiry/never");
    assert!(message["properties"]["expiry"].is_null());
}

#[test]
fn receive_maximum_holds_deliveries_back() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let more = json!({"manual_ack": true, "properties": {"receive_max": 2}});
    let mut hearer = client(&server, "narrow", more);
    let mut sender = client(&server, "sender", json!({}));
    subscribe(&mut hearer, "flow", 1);
    for n in 0..5 {
        publish(&mut sender, "flow", &n.to_string(), 1);
    }
    let first = hearer.ask(&json!({"do": "receive", "count": 2}));
    // A QoS 0 message is not held back (MQTT 5, 3.3.4-8), so it overtakes what waits.
    subscribe(&mut hearer, "aside", 0);
    publish(&mut sender, "aside", "now", 0);
    assert_eq!(receive(&mut hearer)["payload"], "now");
    assert_eq!(hearer.ask(&json!({"do": "quiet"}))["waiting"], 0);
    for (held, next) in first["messages"].as_array().unwrap().iter().zip(["2", "3"]) {
        hearer.ask(&json!({"do": "acknowledge", "id": held["id"], "qos": 1}));
        assert_eq!(receive(&mut hearer)["payload"], next);
    }
}

#[test]
fn maximum_packet_size_of_the_receiver_is_respected() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut hearer = client(&server, "small", json!({"properties": {"packet_max": 100}}));
    let mut sender = client(&server, "sender", json!({}));
    subscribe(&mut hearer, "size", 1);
    let command = json!({"do": "publish", "topic": "size", "payload": "x", "qos": 1});
    sender.ask(&with(command, json!({"times": 200})));
    publish(&mut sender, "size", "fits", 1);
    // What does not fit counts as delivered (MQTT 5, 3.1.2-25).
    assert_eq!(receive(&mut hearer)["payload"], "fits");
}

#[test]
fn connack_tells_what_the_server_can_do() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut client = paho();
    let answer = connect(&mut client, &plain(&server, 5, ""));
    let told = &answer["properties"];
    assert!(told["assigned_client_id"].as_str().is_some_and(|id| !id.is_empty()), "{told}");
    assert_eq!(told["packet_max"], 1 << 20, "{told}");
    assert!(told["receive_max"].as_u64().is_some_and(|n| n > 0), "{told}");
    assert!(told["topic_alias_max"].as_u64().is_some_and(|n| n > 0), "{told}");
    // Absent means available and QoS 2 (MQTT 5, 3.2.2.3).
    for name in ["wildcard_available", "subscription_id_available"] {
        assert!(told[name].is_null() || told[name] == 1, "{name}: {told}");
    }
    assert!(told["maximum_qos"].is_null(), "{told}");
}
