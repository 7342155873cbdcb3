//! Every QoS both ways with paho, MQTT 3.1, 3.1.1 and 5: what arrives is what was sent, at the
//! lower of the two.
use crate::accept::{connect, payloads, plain, publish, receive, subscribe, with};
use e2e::{Foreign, Server, paho};
use serde_json::json;

fn every_qos(version: u8) {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let (mut sender, mut hearer) = (paho(), paho());
    connect(&mut sender, &plain(&server, version, "sender"));
    connect(&mut hearer, &plain(&server, version, "hearer"));
    for granted in 0..3 {
        let filter = format!("q/{granted}/#");
        subscribe(&mut hearer, &filter, granted);
        for sent in 0..3 {
            let (topic, payload) = (format!("q/{granted}/{sent}"), format!("{granted}{sent}"));
            publish(&mut sender, &topic, &payload, sent);
            let message = receive(&mut hearer);
            assert_eq!(message["topic"], topic.as_str());
            assert_eq!(message["payload"], payload.as_str());
            assert_eq!(message["qos"], sent.min(granted), "sent {sent}, granted {granted}");
            assert_eq!((&message["retain"], &message["dup"]), (&json!(false), &json!(false)));
        }
    }
    assert_eq!(hearer.ask(&json!({"do": "quiet"}))["waiting"], 0);
}

#[test]
fn every_qos_in_v31() {
    every_qos(3);
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
fn versions_hear_each_other() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let (mut old, mut new) = (paho(), paho());
    connect(&mut old, &plain(&server, 4, "old"));
    connect(&mut new, &plain(&server, 5, "new"));
    subscribe(&mut old, "from/new", 2);
    subscribe(&mut new, "from/old", 2);
    publish(&mut old, "from/old", "a", 2);
    assert_eq!(receive(&mut new)["payload"], "a");
    let properties = json!({"user": [["k", "v"]], "content_type": "text/plain"});
    let command = json!({"do": "publish", "topic": "from/new", "payload": "b", "qos": 1});
    new.ask(&with(command, json!({"properties": properties})));
    assert_eq!(receive(&mut old)["payload"], "b");
}

#[test]
fn a_burst_arrives_in_order_and_once() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let (mut sender, mut hearer) = (paho(), paho());
    connect(&mut sender, &plain(&server, 5, "sender"));
    connect(&mut hearer, &plain(&server, 5, "hearer"));
    for qos in 0..3 {
        let topic = format!("burst/{qos}");
        subscribe(&mut hearer, &topic, qos);
        let sent: Vec<String> = (0..50).map(|n| n.to_string()).collect();
        for payload in &sent {
            publish(&mut sender, &topic, payload, qos);
        }
        assert_eq!(payloads(&mut hearer, sent.len()), sent, "QoS {qos}");
    }
    assert_eq!(hearer.ask(&json!({"do": "quiet"}))["waiting"], 0);
}

#[test]
fn a_large_payload_arrives_whole() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut client = paho();
    connect(&mut client, &plain(&server, 5, "big"));
    subscribe(&mut client, "big", 1);
    let times = 500_000;
    let command = json!({"do": "publish", "topic": "big", "payload": "x", "times": times});
    client.ask(&with(command, json!({"qos": 1})));
    let payload = receive(&mut client)["payload"].as_str().unwrap().len();
    assert_eq!(payload, times);
}
