//! What a subscription asks for, with paho: options, identifiers, retained, shared groups.
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
fn a_shared_group_gets_each_message_once() {
    if !Foreign::Paho.ready() {
        return;
    }
    let server = Server::new();
    let mut probe = paho();
    let told = connect(&mut probe, &plain(&server, 5, "probe"));
    if told["properties"]["shared_available"] == 0 {
        // Announced as absent: then it is refused as absent (MQTT 5, 3.2.2.3.13).
        let filters = json!([{"filter": "$share/group/work/#", "qos": 1}]);
        let answer = probe.ask(&json!({"do": "subscribe", "filters": filters}));
        assert_eq!(answer["reasons"], json!([0x9E]));
        return;
    }
    let mut members = [client(&server, "m1"), client(&server, "m2")];
    for member in &mut members {
        subscribe(member, "$share/group/work/#", 1);
    }
    let mut whole = client(&server, "whole");
    subscribe(&mut whole, "work/#", 1);
    let mut sender = client(&server, "sender");
    let sent: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    for payload in &sent {
        publish(&mut sender, "work/a", payload, 1);
    }
    assert_eq!(payloads(&mut whole, sent.len()), sent);
    let waiting = |member: &mut Script| {
        member.ask(&json!({"do": "quiet"}))["waiting"].as_u64().unwrap() as usize
    };
    let counts = e2e::until("the group's share", || {
        let counts = [waiting(&mut members[0]), waiting(&mut members[1])];
        (counts.iter().sum::<usize>() >= sent.len()).then_some(counts)
    });
    assert!(counts.iter().all(|n| *n > 0), "one member got nothing: {counts:?}");
    let mut heard: Vec<String> = Vec::new();
    for (member, count) in members.iter_mut().zip(counts) {
        heard.extend(payloads(member, count));
    }
    heard.sort_unstable_by_key(|p| p.parse::<u32>().unwrap());
    assert_eq!(heard, sent);
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
