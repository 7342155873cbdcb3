//! Faults on purpose, as somebody uses them who tests what his device does when the hub fails.
use crate::hub_service::ask;
use e2e::device::Device;
use e2e::{Foreign, Server, Verb};
use serde_json::{Value, json};

#[track_caller]
fn told(verb: Verb) -> String {
    let output = verb.output();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    String::from_utf8(output.stdout).unwrap()
}

fn add(server: &Server, words: &[&str]) -> Value {
    let added = told(server.verb(&[&["fault", "add"], words, &["--json"]].concat()));
    serde_json::from_str(&added).unwrap()
}

fn device(server: &Server) -> Device {
    Device::connect(server, "device1", server.ready["device"]["key"].as_str().unwrap())
}

/// Reason and user properties of a PUBACK, as they lie in it.
#[track_caller]
fn puback(device: &mut Device) -> (u8, String) {
    let (first, body) = device.raw.packet();
    assert_eq!(first, 0x40, "{body:02x?}");
    let rest = String::from_utf8_lossy(body.get(3..).unwrap_or_default()).into_owned();
    (body.get(2).copied().unwrap_or(0), rest)
}

#[test]
fn a_device_meets_what_was_asked_for_and_no_more() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    let fault = add(
        &server,
        &["send-telemetry", "--device", "device*", "--status", "0501", "--count", "2"],
    );
    assert_eq!((&fault["id"], &fault["left"]), (&json!(1), &json!(2)));
    let mut device = device(&server);
    for refused in [true, true, false] {
        device.send("1", &[]);
        let (reason, rest) = puback(&mut device);
        assert_eq!(reason, if refused { 151 } else { 0 }, "{rest}");
        assert_eq!(rest.contains("0501"), refused, "{rest}");
    }
    let table = told(server.verb(&["fault", "list"]));
    let row = table.lines().nth(1).unwrap().split_whitespace().collect::<Vec<_>>();
    let expected = ["1", "send-telemetry", "device*", "status", "0501", "1.0", "2", "0"];
    assert_eq!(row, expected);

    // What is acknowledged is not there.
    add(&server, &["send-telemetry", "--drop-after-ack", "--count", "1"]);
    device.send("2", &[]);
    device.send("3", &[]);
    device.acknowledged(2);
    let tail = ["telemetry", "tail", "--from", "earliest", "-n", "2", "--json"];
    let kept = told(server.verb(&tail));
    let bodies: Vec<Value> = kept
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["body"].clone())
        .collect();
    assert_eq!(bodies, [json!(1), json!(3)]);
    let metrics = ask(&server, "GET", "/metrics", &[], "").text();
    assert!(metrics.contains("gridhub_hub_faults_total 3\n"), "{metrics}");
    assert!(metrics.contains("dropped_messages_total{reason=\"fault\"} 1\n"), "{metrics}");

    // Half an hour late, by the clock that tests move.
    add(&server, &["send-telemetry", "--delay", "30m", "--count", "1"]);
    device.send("4", &[]);
    let paused = || {
        let shown = told(server.verb(&["session", "show", "device1", "--json"]));
        let shown: Value = serde_json::from_str(&shown).unwrap();
        (shown["pausedBy"] == json!(["fault"])).then_some(())
    };
    e2e::until("the device waits", paused);
    assert_eq!(ask(&server, "POST", "/admin/clock", &[], r#"{"advance":"30m"}"#).status, 200);
    device.acknowledged(1);
    assert_eq!(told(server.verb(&["fault", "clear", "1"])), "");
    assert_eq!(told(server.verb(&["fault", "clear"])), "");
    assert_eq!(told(server.verb(&["fault", "list", "--json"])), "");
}

#[test]
fn what_cannot_be_is_said() {
    let server = Server::new();
    for (words, status, says) in [
        (&["fault", "add", "get-twin"][..], 2, "--status"),
        (&["fault", "add", "get-twin", "--status", "0501", "--delay", "1s"], 2, "cannot be used"),
        (&["fault", "add", "get-twin", "--status", "06A0"], 1, "it may have 0100, 0101"),
        (&["fault", "add", "reboot", "--delay", "1s"], 1, "receive-methods"),
        (&["fault", "clear", "7"], 1, "there is no fault '7'"),
    ] {
        let output = server.verb(words).output();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{words:?}: {said}");
        assert!(said.contains(says), "{words:?}: {said}");
    }
}
