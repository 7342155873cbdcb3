//! The hub's own API over MQTT 5 by paho-mqtt and mqtt.js (iot-hub A, E3): codecs that others
//! wrote, the API by hand.
use crate::accept::{connect, receive, subscribe, subscribed, tls, with};
use crate::hub_service::{ask, asking};
use aws_lc_rs::hmac;
use e2e::raw::{Raw, connect as raw_connect, string, subscribe as raw_subscribe};
use e2e::{Foreign, Options, Script, Server, javascript, paho, until};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// The keys of the device: bytes 0 to 31.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn with_device(server: &Server) {
    registered(server, "d5");
}

fn registered(server: &Server, id: &str) {
    let keys = json!({"primaryKey": KEY, "secondaryKey": KEY});
    let device = json!({"authentication": {"symmetricKey": keys}}).to_string();
    assert_eq!(ask(server, "PUT", &format!("/devices/{id}"), &[], &device).status, 200);
}

/// Method and data of a CONNECT or AUTH, and how long it is good (A3).
fn proof(valid_ms: u64, more: &[[&str; 2]]) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let expiry = (now.as_millis() as u64 + valid_ms).to_string();
    let hex: String = sign("d5", &expiry).iter().map(|byte| format!("{byte:02x}")).collect();
    let user: Vec<_> = more.iter().copied().chain([["sas-expiry", &expiry]]).collect();
    json!({"auth_method": "SAS", "auth_hex": hex, "user": user})
}

fn sign(id: &str, expiry: &str) -> Vec<u8> {
    let bytes: Vec<u8> = (0..32).collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
    hmac::sign(&key, format!("localhost\n{id}\n\n\n{expiry}\n").as_bytes()).as_ref().to_vec()
}

fn user(message: &Value, name: &str) -> String {
    let all = message["properties"]["user"].as_array();
    let value = all.and_then(|all| all.iter().find(|pair| pair[0] == name));
    value.map(|pair| pair[1].as_str().unwrap().to_owned()).unwrap_or_default()
}

fn say(client: &mut Script, topic: &str, payload: &str, properties: Value) -> Value {
    let command = json!({"do": "publish", "topic": topic, "payload": payload});
    client.ask(&with(command, json!({"properties": properties})))
}

fn waiting(server: &Server) -> u64 {
    let device = ask(server, "GET", "/devices/d5", &[], "").json();
    device["cloudToDeviceMessageCount"].as_u64().unwrap()
}

fn send(server: &Server, body: &str) {
    let to = ["iothub-to: /devices/d5/messages/deviceBound", "iothub-app-level: high"];
    assert_eq!(ask(server, "POST", "/messages/deviceBound", &to, body).status, 204);
}

/// From CONNECT to a command, the same for both.
fn lives(server: &Server, client: &mut Script) {
    let more = json!({"properties": proof(60_000, &VERSION), "keep_alive": 1000});
    let hello = with(tls(server, 5, "d5"), more);
    let accepted = connect(client, &hello);
    assert_eq!(accepted["properties"]["auth_method"], "SAS");
    for (filter, qos) in
        [("$iothub/commands", 1), ("$iothub/methods/+", 0), ("$iothub/twin/patch/desired", 0)]
    {
        subscribe(client, filter, qos);
    }
    for (filter, reason) in [("$iothub/#", 0xA2), ("$iothub/none", 0x8F)] {
        let filters = json!([{"filter": filter, "qos": 1}]);
        let answer = client.ask(&json!({"do": "subscribe", "filters": filters}));
        assert_eq!(answer["reasons"], json!([reason]), "{filter}");
    }
    say(client, "$iothub/twin/get", "", json!({"correlation_data": "01"}));
    let twin = receive(client);
    assert_eq!(twin["topic"], "$iothub/responses");
    assert_eq!(twin["properties"]["correlation_data"], "01");
    let document: Value = serde_json::from_str(twin["payload"].as_str().unwrap()).unwrap();
    assert_eq!(document["reported"]["$version"], 1, "{document}");
    let report = json!({"correlation_data": "02"});
    say(client, "$iothub/twin/patch/reported", r#"{"n":1}"#, report);
    let patched = receive(client);
    assert_eq!((user(&patched, "version"), user(&patched, "status")), ("2".into(), "".into()));
    let wrong = json!({"correlation_data": "03", "user": [["if-version", "1"]]});
    say(client, "$iothub/twin/patch/reported", r#"{"n":2}"#, wrong);
    assert_eq!(user(&receive(client), "status"), "0104");
    let body = r#"{"properties":{"desired":{"interval":10}}}"#;
    assert_eq!(ask(server, "PATCH", "/twins/d5", &[], body).status, 200);
    let desired = receive(client);
    assert_eq!(desired["topic"], "$iothub/twin/patch/desired");
    assert_eq!(user(&desired, "version"), "2");
    std::thread::scope(|scope| {
        let body = r#"{"methodName":"echo","payload":{"a":1.50}}"#;
        let call = asking(server, "POST", "/twins/d5/methods", &[], body);
        let call = scope.spawn(move || call.send());
        let asked = receive(client);
        assert_eq!((&asked["topic"], &asked["payload"]), (&json!(ECHO), &json!(r#"{"a":1.50}"#)));
        let correlation = asked["properties"]["correlation_data"].clone();
        let answer = json!({"correlation_data": correlation, "user": [["response-code", "207"]]});
        say(client, "$iothub/responses", r#"[1.50]"#, answer);
        let answered = call.join().unwrap();
        assert_eq!(answered.text(), r#"{"status":207,"payload":[1.50]}"#);
    });
    let nowhere = json!({"do": "publish", "topic": "$iothub/none", "payload": "", "qos": 1});
    let refused = client.ask(&nowhere);
    assert_eq!((&refused["reason"], user(&refused, "status")), (&json!(131), "0504".into()));
    send(server, "stop");
    let command = receive(client);
    assert_eq!(
        (&command["topic"], &command["payload"]),
        (&json!("$iothub/commands"), &json!("stop"))
    );
    let about = ["sequence-no", "delivery-count", "@level"].map(|name| user(&command, name));
    assert_eq!(about, ["1", "0", "high"]);
    until("its PUBACK completes it", || (waiting(server) == 0).then_some(()));
}

#[test]
fn paho_lives_as_a_device() {
    if !Foreign::Paho.ready() || !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    with_device(&server);
    let mut client = paho();
    lives(&server, &mut client);
    client.ask(&json!({"do": "disconnect"}));
}

#[test]
fn mqtt_js_lives_as_a_device_and_renews_its_proof() {
    if !Foreign::MqttJs.ready() || !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    with_device(&server);
    let mut client = javascript();
    lives(&server, &mut client);
    // What is refused without a status is abandoned.
    client.ask(&json!({"do": "acks", "codes": [131]}));
    send(&server, "again");
    let again = receive(&mut client);
    assert_eq!((&again["payload"], user(&again, "delivery-count")), (&json!("again"), "1".into()));
    until("the second time completes it", || (waiting(&server) == 0).then_some(()));
    let renew = json!({"do": "reauthenticate", "properties": proof(900_000, &[])});
    let renewed = client.ask(&renew);
    assert_eq!(
        (&renewed["reason"], &renewed["properties"]["auth_method"]),
        (&json!(0), &json!("SAS"))
    );
    // Past the first proof and what the hub is patient for.
    server.advance("10m");
    say(&mut client, "$iothub/twin/get", "", json!({"correlation_data": "04"}));
    assert_eq!(receive(&mut client)["properties"]["correlation_data"], "04");
    server.advance("12m");
    let closed = client.ask(&json!({"do": "closed"}));
    assert_eq!(closed["reason"], 135, "{closed}");
    let wrong = with(tls(&server, 5, "d6"), json!({"properties": proof(60_000, &VERSION)}));
    assert_eq!(javascript().ask(&wrong)["reason"], 135);
}

/// Nobody has to wait for CONNACK (MQTT 5, 3.1.4): what comes with CONNECT is heard, wherever the
/// device is at home.
#[test]
fn what_comes_with_connect_is_heard_at_every_home() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::start(&Options::with(&["--reactors", "2"]));
    for n in 0..8 {
        let id = format!("p{n}");
        registered(&server, &id);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let expiry = (now.as_millis() + 60_000).to_string();
        let mac = sign(&id, &expiry);
        let mut block = [&[0x15][..], &string("SAS"), &[0x16, 0, 32], &mac].concat();
        for [name, value] in [VERSION[0], ["host", "localhost"], ["sas-expiry", &expiry]] {
            block.extend([&[0x26][..], &string(name), &string(value)].concat());
        }
        let mut raw = Raw::open(&server);
        raw.send(&[raw_connect(5, 2, &id, &block), raw_subscribe(1, COMMANDS, 1)].concat());
        let (first, connack) = raw.packet();
        assert_eq!((first, connack[1]), (0x20, 0), "{connack:02x?}");
        subscribed(&mut raw, &[1]);
    }
}

const COMMANDS: &str = "$iothub/commands";
const VERSION: [[&str; 2]; 1] = [["api-version", "2020-10-01-preview"]];
const ECHO: &str = "$iothub/methods/echo";
