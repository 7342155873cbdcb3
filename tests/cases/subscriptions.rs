//! What a subscription asks for, with paho: options, identifiers, retained.
use crate::accept::{connect, payloads, plain, publish, receive, subscribe, with};
use e2e::{Foreign, Script, Server, paho};
use serde_json::{Value, json};

fn client(server: &Server, name: &str) -> Script {
    let mut client = paho();
    connect(&mut client, &plain(server, 5, name));
    client
}

#[track_caller]
fn subscribe_with(client: &mut Script, filter: Value, properties: Value) {
    let command = json!({"do": "subscribe", "filters": [filter], "properties": properties});
    let reasons = &client.ask(&command)["reasons"];
    assert!(reasons[0].as_u64().is_some_and(|r| r < 3), "{reasons}");
}

#[track_caller]
fn retain(client: &mut Script, topic: &str, payload: &str) {
    let command = json!({"do": "publish", "topic": topic, "payload": payload, "qos": 1});
    client.ask(&with(command, json!({"retain": true})));
}

#[test]
fn identifiers_come_with_each_matching_subscription() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut hearer = client(&server, "ids");
    let one = json!({"subscription_id": 7});
    subscribe_with(&mut hearer, json!({"filter": "ids/+", "qos": 1}), one);
    let big = json!({"subscription_id": 268_435_455});
    subscribe_with(&mut hearer, json!({"filter": "ids/#", "qos": 1}), big);
    publish(&mut hearer, "ids/a/b", "deep", 1);
    let message = receive(&mut hearer);
    assert_eq!(message["properties"]["subscription_id"], json!([268_435_455]));
    publish(&mut hearer, "ids/a", "both", 1);
    // Overlapping subscriptions: one copy with all ids, or a copy for each (MQTT 5, 3.3.4-3).
    let mut ids = Vec::new();
    while ids.len() < 2 {
        let message = receive(&mut hearer);
        assert_eq!(message["payload"], "both");
        let more = message["properties"]["subscription_id"].as_array().unwrap().clone();
        ids.extend(more.iter().map(|v| v.as_u64().unwrap()));
    }
    ids.sort_unstable();
    assert_eq!(ids, [7, 268_435_455]);
}

#[test]
fn no_local_keeps_the_senders_own_messages_away() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let (mut own, mut other) = (client(&server, "own"), client(&server, "other"));
    let filter = json!({"filter": "local", "qos": 1, "no_local": true});
    subscribe_with(&mut own, filter, json!({}));
    publish(&mut own, "local", "mine", 1);
    publish(&mut other, "local", "theirs", 1);
    assert_eq!(receive(&mut own)["payload"], "theirs");
    assert_eq!(own.ask(&json!({"do": "quiet"}))["waiting"], 0);
}

#[test]
fn retain_as_published_and_retain_handling() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut sender = client(&server, "sender");
    let mut hearer = client(&server, "hearer");
    retain(&mut sender, "kept/a", "old");
    let never = json!({"filter": "kept/+", "qos": 1, "retain_handling": 2,
        "retain_as_published": true});
    subscribe_with(&mut hearer, never, json!({}));
    retain(&mut sender, "kept/b", "live");
    let message = receive(&mut hearer);
    // Nothing kept came, and the flag of the live one is as it was published.
    assert_eq!((&message["payload"], &message["retain"]), (&json!("live"), &json!(true)));
    let if_new = json!({"filter": "kept/+", "qos": 1, "retain_handling": 1});
    subscribe_with(&mut hearer, if_new, json!({}));
    retain(&mut sender, "kept/c", "flag");
    let message = receive(&mut hearer);
    // Not new, so nothing kept again; without the option the flag of a live one is cleared.
    assert_eq!((&message["payload"], &message["retain"]), (&json!("flag"), &json!(false)));
    let always = json!({"filter": "kept/+", "qos": 1, "retain_handling": 0});
    subscribe_with(&mut hearer, always, json!({}));
    let mut kept = payloads(&mut hearer, 3);
    kept.sort_unstable();
    assert_eq!(kept, ["flag", "live", "old"]);
}

#[test]
fn retained_messages_are_replaced_and_removed() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut sender = client(&server, "sender");
    for payload in ["1", "2"] {
        retain(&mut sender, "keep", payload);
    }
    let mut hearer = client(&server, "hearer");
    subscribe(&mut hearer, "keep", 1);
    let message = receive(&mut hearer);
    assert_eq!((&message["payload"], &message["retain"]), (&json!("2"), &json!(true)));
    retain(&mut sender, "keep", "");
    // The empty one is an ordinary message to who is subscribed already (MQTT 5, 3.3.1.3).
    assert_eq!(receive(&mut hearer)["payload"], "");
    let mut late = client(&server, "late");
    subscribe(&mut late, "keep", 1);
    publish(&mut sender, "keep", "after", 1);
    assert_eq!(receive(&mut late)["payload"], "after");
}

#[test]
fn unsubscribing_ends_it() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut client = client(&server, "gone");
    subscribe(&mut client, "a", 1);
    subscribe(&mut client, "b", 1);
    let answer = client.ask(&json!({"do": "unsubscribe", "filters": ["a", "never"]}));
    assert_eq!(answer["reasons"], json!([0, 0x11]));
    publish(&mut client, "a", "x", 1);
    publish(&mut client, "b", "y", 1);
    assert_eq!(receive(&mut client)["payload"], "y");
}
