//! How tests say what a script client should do, and what they expect of its answers.
use e2e::raw::Raw;
use e2e::{Script, Server};
use serde_json::{Value, json};

/// A CONNECT to the plain listener in this protocol level.
pub fn plain(server: &Server, version: u8, client_id: &str) -> Value {
    json!({
        "do": "connect", "host": "127.0.0.1", "port": server.port("mqtt"),
        "version": version, "client_id": client_id,
    })
}

/// A CONNECT to the TLS listener, the server's certificate checked, no credential yet.
pub fn tls(server: &Server, version: u8, client_id: &str) -> Value {
    let mut command = plain(server, version, client_id);
    command["host"] = json!("localhost");
    command["port"] = json!(server.port("mqtts"));
    command["ca"] = json!(server.text("ca_file"));
    command
}

/// A command with more members.
pub fn with(mut command: Value, more: Value) -> Value {
    let Value::Object(members) = more else { panic!("members wanted: {more}") };
    let object = command.as_object_mut().expect("a command is an object");
    object.extend(members);
    command
}

/// Connects; must be accepted. Returns the answer.
#[track_caller]
pub fn connect(client: &mut Script, command: &Value) -> Value {
    let answer = client.ask(command);
    assert_eq!(answer["reason"], 0, "{answer}");
    answer
}

/// Subscribes to one filter; must be granted at this QoS.
#[track_caller]
pub fn subscribe(client: &mut Script, filter: &str, qos: u8) {
    let filters = json!([{"filter": filter, "qos": qos}]);
    let answer = client.ask(&json!({"do": "subscribe", "filters": filters}));
    assert_eq!(answer["reasons"], json!([qos]), "{filter}");
}

/// Publishes and waits for the acknowledgement, which must be a success.
#[track_caller]
pub fn publish(client: &mut Script, topic: &str, payload: &str, qos: u8) {
    let command = json!({"do": "publish", "topic": topic, "payload": payload, "qos": qos});
    let reason = client.ask(&command)["reason"].as_u64().expect("a number");
    assert!(reason < 0x80, "{topic}: {reason:#x}");
}

/// The next message.
#[track_caller]
pub fn receive(client: &mut Script) -> Value {
    client.ask(&json!({"do": "receive"}))["messages"][0].clone()
}

/// The payloads of the next messages.
#[track_caller]
pub fn payloads(client: &mut Script, count: usize) -> Vec<String> {
    let answer = client.ask(&json!({"do": "receive", "count": count}));
    let messages = answer["messages"].as_array().expect("a list").iter();
    messages.map(|m| m["payload"].as_str().expect("text").to_string()).collect()
}

/// The next packet must be SUBACK of MQTT 5 with these reasons.
#[track_caller]
pub fn subscribed(raw: &mut Raw, reasons: &[u8]) {
    let (first, body) = raw.packet();
    assert_eq!(first, 0x90, "{body:02x?}");
    // Behind the packet identifier and the properties, whose length fits one byte or two.
    assert_eq!(&body[body.len() - reasons.len()..], reasons, "{body:02x?}");
}

/// The Reason String of a property block that begins with its length; empty if there is none.
pub fn problem(block: &[u8]) -> String {
    let at = block.iter().position(|byte| *byte == 0x1F).filter(|at| at + 3 <= block.len());
    let Some(at) = at else { return String::new() };
    let length = usize::from(u16::from_be_bytes([block[at + 1], block[at + 2]]));
    let text = block.get(at + 3..at + 3 + length).unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}
