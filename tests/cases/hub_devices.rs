//! Azure's device SDKs as they come from PyPI and npm (iot-hub E): twins, methods and commands over
//! the protocols that they speak, with the services' side by Azure's SDK and curl.
use crate::hub_service::ask;
use e2e::curl::Answer;
use e2e::ports::StandardPorts;
use e2e::{Foreign, Options, Script, Server, azure_device_node, azure_device_python, azure_python};
use serde_json::{Value, json};

/// On the ports that the SDKs have built in.
fn server(ports: &[u16]) -> Server {
    let mut words = vec!["--mqtts", "127.0.0.1:8883"];
    if ports.contains(&443) {
        words.extend(["--https", "127.0.0.1:443"]);
    }
    Server::start(&Options::with(&words))
}

/// Registers a module of device1 and says how it connects.
fn module(server: &Server, name: &str) -> String {
    let made = ask(server, "PUT", &format!("/devices/device1/modules/{name}"), &[], "{}").json();
    let key = made["authentication"]["symmetricKey"]["primaryKey"].as_str().unwrap();
    format!("HostName=localhost;DeviceId=device1;ModuleId={name};SharedAccessKey={key}")
}

fn device1(server: &Server) -> String {
    server.ready["device"]["connection_string"].as_str().unwrap().to_owned()
}

#[track_caller]
fn send(server: &Server, more: &[&str], body: &str) -> Answer {
    let to = ["iothub-to: /devices/device1/messages/deviceBound"];
    let answer = ask(server, "POST", "/messages/deviceBound", &[&to, more].concat(), body);
    assert_eq!(answer.status, 204, "{}", answer.text());
    answer
}

/// Twin, method and desired properties of a device or module that has just connected.
fn serves(server: &Server, sdk: &mut Script, twin_path: &str, call: &str, to: Value) {
    let twin = sdk.ask(&json!({"do": "twin"}))["twin"].clone();
    assert!(twin["desired"]["$version"].is_u64(), "{twin}");
    let report = json!({"do": "report", "patch": {"firmware": "1.0", "n": 7}});
    sdk.ask(&report);
    let seen = ask(server, "GET", twin_path, &[], "").json();
    assert_eq!(seen["properties"]["reported"]["firmware"], "1.0");
    assert_eq!(seen["connectionState"], "Connected");
    let patch = r#"{"properties":{"desired":{"interval":10}}}"#;
    let patched = ask(server, "PATCH", twin_path, &[], patch);
    assert_eq!(patched.status, 200, "{}", patched.text());
    let heard = sdk.ask(&json!({"do": "next", "of": "patches"}))["next"].clone();
    assert_eq!(heard["interval"], 10, "{heard}");
    assert_eq!(heard["$version"], patched.json()["properties"]["desired"]["$version"]);
    let twin = sdk.ask(&json!({"do": "twin"}))["twin"].clone();
    assert_eq!((&twin["reported"]["n"], &twin["desired"]["interval"]), (&json!(7), &json!(10)));
    // By the service SDK.
    let mut service = azure_python(server, &server.text("hub_connection_string"));
    let method = json!({"method_name": "echo", "payload": {"a": [1, "é"]},
                        "response_timeout_in_seconds": 15, "connect_timeout_in_seconds": 5});
    let model = json!({"model": "CloudToDeviceMethod", "fields": method});
    let args: Vec<Value> = to.as_array().unwrap().iter().cloned().chain([model]).collect();
    let answer = service.ask(&json!({"call": call, "args": args}));
    assert_eq!(answer["result"], json!({"status": 207, "payload": {"a": [1, "é"]}}), "{answer}");
    let heard = sdk.ask(&json!({"do": "next", "of": "methods"}))["next"].clone();
    assert_eq!((&heard["name"], &heard["payload"]), (&json!("echo"), &json!({"a": [1, "é"]})));
}

/// Commands of before and after it came, in order, each once.
fn receives(server: &Server, sdk: &mut Script, first: &str) {
    let more = [
        "iothub-messageid: m-2",
        "iothub-correlationid: c-2",
        "content-type: application/json",
        "iothub-contentencoding: utf-8",
        "iothub-app-level: high & low",
    ];
    send(server, &more, r#"{"to":"é"}"#);
    let next = |sdk: &mut Script| sdk.ask(&json!({"do": "next", "of": "messages"}))["next"].clone();
    assert_eq!(next(sdk)["data"], first);
    let second = next(sdk);
    assert_eq!(second["data"], r#"{"to":"é"}"#);
    assert_eq!((&second["message_id"], &second["correlation_id"]), (&json!("m-2"), &json!("c-2")));
    assert_eq!(second["properties"]["level"], "high & low", "{second}");
    let count = || {
        let shown = ask(server, "GET", "/devices/device1", &[], "").json();
        shown["cloudToDeviceMessageCount"].as_u64()
    };
    e2e::until("both are complete", || (count() == Some(0)).then_some(()));
}

/// What a device sends is told by `gridhub telemetry tail`: the last of `count` records.
fn tells(server: &Server, sdk: &mut Script, count: usize) -> Value {
    sdk.ask(&json!({"do": "send", "data": r#"{"t":21.50}"#}));
    let count = count.to_string();
    let words = ["telemetry", "tail", "--from", "earliest", "--json", "-n", &count];
    let output = server.verb(&words).output();
    let text = String::from_utf8(output.stdout).unwrap();
    let record: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&record["deviceId"], &record["body"]), (&json!("device1"), &json!({"t": 21.50})));
    record
}

fn a_device_and_a_module(server: &Server, mut start: impl FnMut(&str, &str) -> Script) {
    send(server, &[], "first");
    let mut device = start("device", &device1(server));
    assert_eq!(device.ask(&json!({"do": "connect"}))["connected"], true);
    receives(server, &mut device, "first");
    let record = tells(server, &mut device, 1);
    assert_eq!(record["properties"]["Level"], "high & low", "{record}");
    serves(server, &mut device, "/twins/device1", "invoke_device_method", json!(["device1"]));
    let mut one = start("module", &module(server, "m"));
    assert_eq!(one.ask(&json!({"do": "connect"}))["connected"], true);
    let path = "/twins/device1/modules/m";
    let to = json!(["device1", "m"]);
    serves(server, &mut one, path, "invoke_device_module_method", to);
    one.ask(&json!({"do": "disconnect"}));
    device.ask(&json!({"do": "disconnect"}));
    let body = r#"{"methodName":"echo"}"#;
    let gone = e2e::until("the device is gone", || {
        let answer = ask(server, "POST", "/twins/device1/methods", &[], body);
        (answer.status == 404).then_some(answer)
    });
    assert_eq!(gone.header("iothub-errorcode"), Some("DeviceNotOnline"));
}

fn python(kind: &str, transport: &str, ports: &[u16]) {
    if !Foreign::AzurePython.ready() || !Foreign::Curl.ready() {
        return;
    }
    let Some(_ports) = StandardPorts::take(ports) else { return };
    let server = server(ports);
    a_device_and_a_module(&server, |subject, text| {
        azure_device_python(&server, &[kind, transport, subject], text)
    });
}

#[test]
fn python_async_over_mqtt() {
    python("async", "tcp", &[8883]);
}

#[test]
fn python_sync_over_mqtt() {
    python("sync", "tcp", &[8883]);
}

#[test]
fn python_async_over_websocket() {
    python("async", "websocket", &[8883, 443]);
}

#[test]
fn python_sync_over_websocket() {
    python("sync", "websocket", &[8883, 443]);
}

fn node(kind: &str, ports: &[u16]) {
    let all = [Foreign::AzureNode, Foreign::AzurePython, Foreign::Curl];
    if !all.into_iter().all(Foreign::ready) {
        return;
    }
    let Some(_ports) = StandardPorts::take(ports) else { return };
    let server = server(ports);
    let to = json!(["device1"]);
    send(&server, &[], "first");
    let mut device = azure_device_node(&server, kind, &device1(&server));
    assert_eq!(device.ask(&json!({"do": "connect"}))["connected"], true);
    receives(&server, &mut device, "first");
    let record = tells(&server, &mut device, 1);
    assert_eq!(record["properties"]["Level"], "high & low", "{record}");
    serves(&server, &mut device, "/twins/device1", "invoke_device_method", to);
    device.ask(&json!({"do": "disconnect"}));
}

#[test]
fn node_over_mqtt() {
    node("Mqtt", &[8883]);
}

#[test]
fn node_over_websocket() {
    node("MqttWs", &[8883, 443]);
}

#[test]
fn node_over_http_settles_commands_one_by_one() {
    if !Foreign::AzureNode.ready() || !Foreign::Curl.ready() {
        return;
    }
    let Some(_ports) = StandardPorts::take(&[8883, 443]) else { return };
    let server = server(&[8883, 443]);
    let more = ["iothub-messageid: m-1", "iothub-app-level: high"];
    send(&server, &more, "complete");
    let mut device = azure_device_node(&server, "Http", &device1(&server));
    device.ask(&json!({"do": "connect"}));
    let next =
        |device: &mut Script| device.ask(&json!({"do": "next", "of": "messages"}))["next"].clone();
    let settle = |device: &mut Script, how: &str| device.ask(&json!({"do": "settle", "how": how}));
    let first = next(&mut device);
    assert_eq!((&first["data"], &first["message_id"]), (&json!("complete"), &json!("m-1")));
    assert_eq!(first["properties"]["iothub-app-level"], "high", "{first}");
    assert_eq!(settle(&mut device, "complete")["settled"], true);
    assert!(settle(&mut device, "complete")["refused"].is_string(), "its lock is gone");
    let record = tells(&server, &mut device, 1);
    assert_eq!(record["properties"]["level"], "high & low", "headers have no case: {record}");
    device.ask(&json!({"do": "sendMany", "all": ["1", "2"]}));
    let record = tells(&server, &mut device, 4);
    assert_eq!(record["properties"]["level"], "high & low", "{record}");
    send(&server, &[], "reject");
    assert_eq!(next(&mut device)["data"], "reject");
    assert_eq!(settle(&mut device, "reject")["settled"], true);
    send(&server, &[], "abandon");
    assert_eq!(next(&mut device)["data"], "abandon");
    assert_eq!(settle(&mut device, "abandon")["settled"], true);
    assert_eq!(next(&mut device)["data"], "abandon", "again");
    assert_eq!(settle(&mut device, "complete")["settled"], true);
    let shown = ask(&server, "GET", "/admin/devices/device1/commands", &[], "").json();
    assert_eq!(shown["waiting"], json!([]));
    let dead = &shown["deadLetters"];
    assert_eq!((dead.as_array().unwrap().len(), &dead[0]["outcome"]), (1, &json!("Rejected")));
    device.ask(&json!({"do": "disconnect"}));
}
