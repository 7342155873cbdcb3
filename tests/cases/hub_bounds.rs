//! What a hub takes in a minute, and what a device hears of the time that it was away, with the
//! built binary.
use crate::hub_service::ask;
use e2e::device::Device;
use e2e::raw::{packet, string};
use e2e::{Foreign, Options, Server};
use serde_json::json;

fn device(server: &Server) -> Device {
    Device::connect(server, "device1", server.ready["device"]["key"].as_str().unwrap())
}

fn query(server: &Server) -> (u16, Option<u64>) {
    let body = r#"{"query":"SELECT * FROM devices"}"#;
    let answer = ask(server, "POST", "/devices/query", &[], body);
    (answer.status, answer.header("retry-after").and_then(|text| text.parse().ok()))
}

/// Profile `iot-hub` has the bounds of one unit S1: 20 queries a minute.
#[test]
fn a_hub_in_its_profile_is_bounded_and_an_open_one_is_not() {
    if !Foreign::Curl.ready() {
        return;
    }
    let open = Server::new();
    assert!((0..25).all(|_| query(&open) == (200, None)));
    let server = Server::start(&Options::with(&["--profile", "iot-hub"]));
    let refused = (0..25).map(|_| query(&server)).find(|(status, _)| *status != 200).unwrap();
    assert_eq!(refused.0, 429);
    assert!(refused.1.is_some_and(|seconds| (1..=4).contains(&seconds)), "{refused:?}");
    assert_eq!(ask(&server, "POST", "/admin/clock", &[], r#"{"advance":"1m"}"#).status, 200);
    assert_eq!(query(&server), (200, None));
}

#[test]
fn a_device_that_was_away_hears_what_it_missed_and_people_what_changed_it() {
    if !Foreign::Curl.ready() {
        return;
    }
    let server = Server::new();
    for value in ["1", "2"] {
        let body = format!("{{\"properties\":{{\"desired\":{{\"n{value}\":{value}}}}}}}");
        assert_eq!(ask(&server, "PATCH", "/twins/device1", &[], &body).status, 200);
    }
    let mut device = device(&server);
    let said = [&[0x26][..], &string("since-version"), &string("2")].concat();
    let filter = [&string("$iothub/twin/patch/desired")[..], &[0]].concat();
    let subscribe = [&[0, 1, said.len() as u8][..], &said, &filter].concat();
    device.raw.send(&packet(0x82, &subscribe));
    let (first, body) = device.raw.packet();
    assert_eq!((first, body.last()), (0x90, Some(&0)), "SUBACK {body:02x?}");
    let (first, body) = device.raw.packet();
    let text = String::from_utf8_lossy(&body);
    assert_eq!(first, 0x30);
    assert!(text.ends_with(r#"{"n2":2,"$version":3}"#), "only what is new: {text}");

    let history = ask(&server, "GET", "/admin/devices/device1/twin/history", &[], "").json();
    let changes = history["changes"].as_array().unwrap();
    let desired: Vec<_> = changes.iter().map(|change| change["desired"]["value"].clone()).collect();
    assert_eq!(desired, [json!({"n1": 1}), json!({"n2": 2})]);
    assert_eq!(changes[1]["by"], "service");
}
