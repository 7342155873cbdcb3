//! The tables of iot-hub A10 and A11, row by row as the page has them, against a hub that is
//! alone (profile `iot-hub`): one test a section, each row at QoS 0 and at QoS 1.

use crate::device::{Device, Heard, Hello};
use crate::plane::with_device;
use crate::world::{Answer, World, take};
use hub::errors::ErrorCode;
use hub::fault::{Effect, Odds, Operation, Pattern, Rule};
use hub::method::{Outcome, Request};
use hub::plane::Status;
use mqtt::qos::QoS;
use node::devices::{Ask, Ticket};
use std::num::NonZeroU32;

pub const QOS_0: QoS = QoS::AtMostOnce;
pub const QOS_1: QoS = QoS::AtLeastOnce;
pub const TELEMETRY: &str = "$iothub/telemetry";
pub const GET: &str = "$iothub/twin/get";
pub const PATCH: &str = "$iothub/twin/patch/reported";
pub const RESPONSES: &str = "$iothub/responses";

pub fn alone() -> World {
    with_device(World::alone())
}

pub fn connected(world: &mut World) -> Device {
    let (device, heard) = Hello::new("d1").connect(world);
    assert_eq!(heard, ["CONNACK 0"]);
    device
}

/// A10: "SUBACK per filter", the code for each QoS that is asked for.
#[test]
fn a10_each_filter_is_answered_by_its_row() {
    let rows: &[(&str, &str, [u8; 2])] = &[
        ("commands", "$iothub/commands", [0, 1]),
        ("methods/{name}", "$iothub/methods/reboot", [0, 0]),
        ("methods/+", "$iothub/methods/+", [0, 0]),
        ("twin/patch/desired", "$iothub/twin/patch/desired", [0, 0]),
        ("responses", RESPONSES, [0, 0]),
        ("any other wildcard", "$iothub/#", [0xA2; 2]),
        ("any other wildcard", "$iothub/+", [0xA2; 2]),
        ("any other wildcard", "$iothub/twin/#", [0xA2; 2]),
        ("any other wildcard", "$iothub/methods/#", [0xA2; 2]),
        ("any other literal", "$iothub/x", [0x8F; 2]),
        ("any other literal", "$iothub/commands/", [0x8F; 2]),
        ("not under $iothub/", "a/b", [0x8F; 2]),
        ("not under $iothub/", "#", [0x8F; 2]),
        ("not under $iothub/", "+", [0x8F; 2]),
        ("without the prefix", "methods/reboot", [0x8F; 2]),
        ("$share", "$share/g/$iothub/commands", [0x9E; 2]),
        ("$share", "$share/g/a", [0x9E; 2]),
        ("only published", TELEMETRY, [0x8F; 2]),
        ("only published", GET, [0x8F; 2]),
        ("only published", PATCH, [0x8F; 2]),
    ];
    let mut world = alone();
    let mut device = connected(&mut world);
    for (row, filter, codes) in rows {
        for (qos, code) in [QOS_0, QOS_1].into_iter().zip(codes) {
            let heard = device.subscribe(&mut world, &[(filter, qos)]);
            assert_eq!(heard, [format!("SUBACK [{code}]")], "{row}: {filter} {qos:?}");
        }
    }
    // "Granting happens per filter; one bad filter does not fail the others."
    let mixed = [("a/b", QOS_1), ("$iothub/commands", QOS_1), ("$iothub/#", QOS_0)];
    assert_eq!(device.subscribe(&mut world, &mixed), ["SUBACK [143, 1, 162]"]);
    // UNSUBACK; responses are silently reinstated.
    let gone = ["$iothub/commands", "$iothub/commands", RESPONSES, RESPONSES, "$iothub/x", "a/b"];
    let heard = device.unsubscribe(&mut world, &gone);
    assert_eq!(heard, ["UNSUBACK [0, 17, 0, 0, 17, 17]"]);
    assert_eq!(device.request(&mut world, GET, "").len(), 1, "responses come all the same");
    // "Would exceed 50": a repeated filter and responses do not count.
    let mut device = connected(&mut world);
    for n in 0..50 {
        let filter = format!("$iothub/methods/m{n}");
        assert_eq!(device.subscribe(&mut world, &[(&filter, QOS_0)]), ["SUBACK [0]"]);
    }
    let more = [("$iothub/commands", QOS_1), ("$iothub/methods/m7", QOS_0), (RESPONSES, QOS_0)];
    assert_eq!(device.subscribe(&mut world, &more), ["SUBACK [151, 0, 0]"]);
}

/// What a client publishes, and what it hears at QoS 0 and at QoS 1.
struct Mistake<'m> {
    row: &'m str,
    topic: &'m str,
    correlation: Option<&'m [u8]>,
    user: &'m [(&'m str, &'m str)],
    payload: &'m [u8],
    /// Of a fault: an outcome that cannot be had by a packet alone.
    status: Option<Status>,
    heard: [&'m [&'m str]; 2],
}

/// A11: the violation matrix.
#[test]
fn a11_each_mistake_is_answered_by_its_row() {
    const C: Option<&[u8]> = Some(b"c");
    const LONG: Option<&[u8]> = Some(&[7; 17]);
    const ENDS: &[&str] = &["DISCONNECT 131 status=0100 reason", "closed"];
    const ACK: &[&str] = &["PUBACK 131 status=0100 reason"];
    const BAD: [&[&str]; 2] = [ENDS, ACK];
    const RESPONSE: [&[&str]; 2] = [&["$iothub/responses 63 status=0100 reason "], ACK];
    const NOT_ALLOWED: [&[&str]; 2] =
        [&["DISCONNECT 131 status=0102 reason", "closed"], &["PUBACK 131 status=0102 reason"]];
    let plain = Mistake {
        row: "",
        topic: TELEMETRY,
        correlation: None,
        user: &[],
        payload: b"{}",
        status: None,
        heard: BAD,
    };
    let outside = [&["DISCONNECT 144 reason", "closed"][..], &["PUBACK 144 reason"]];
    let undefined = [&["DISCONNECT 144 reason", "closed"][..], &["PUBACK 131 status=0504 reason"]];
    let denied = [
        &["DISCONNECT 135 status=0101 trace-id", "closed"][..],
        &["PUBACK 135 status=0101 trace-id"],
    ];
    let throttled = [&["DISCONNECT 151 status=0501", "closed"][..], &["PUBACK 151 status=0501"]];
    let quota = [&["DISCONNECT 151 status=0502", "closed"][..], &["PUBACK 151 status=0502"]];
    let twice = [("message-id", "1"), ("message-id", "2")];
    let local = [("creation-time", "2021-04-21T11:30:16-07:00")];
    let one_too_much = [("response-code", "1"), ("colour", "red")];
    let rows = [
        Mistake { row: "undefined topic", topic: "$iothub/x", heard: undefined, ..plain },
        Mistake { row: "undefined topic", topic: "$iothub/telemetry/", heard: undefined, ..plain },
        Mistake { row: "topic outside", topic: "a/b", heard: outside, ..plain },
        Mistake { row: "telemetry: unknown property", user: &[("colour", "red")], ..plain },
        Mistake { row: "telemetry: malformed value", user: &[("creation-time", "x")], ..plain },
        Mistake { row: "telemetry: malformed value", user: &local, ..plain },
        Mistake { row: "telemetry: bad property", user: &twice, ..plain },
        Mistake {
            row: "telemetry: not authorised",
            status: Some(Status::NOT_AUTHORIZED),
            heard: denied,
            ..plain
        },
        Mistake {
            row: "telemetry: throttled",
            status: Some(Status::THROTTLED),
            heard: throttled,
            ..plain
        },
        Mistake {
            row: "telemetry: quota",
            status: Some(Status::QUOTA_EXCEEDED),
            heard: quota,
            ..plain
        },
        Mistake { row: "no Correlation Data", topic: GET, ..plain },
        Mistake { row: "no Correlation Data", topic: PATCH, correlation: Some(b""), ..plain },
        Mistake { row: "no Correlation Data", topic: RESPONSES, ..plain },
        Mistake { row: "long Correlation", correlation: LONG, heard: [ENDS; 2], ..plain },
        Mistake { row: "long", topic: GET, correlation: LONG, heard: [ENDS; 2], ..plain },
        Mistake { row: "long", topic: PATCH, correlation: LONG, heard: [ENDS; 2], ..plain },
        Mistake { row: "long", topic: RESPONSES, correlation: LONG, heard: [ENDS; 2], ..plain },
        Mistake {
            row: "bad content: JSON",
            topic: PATCH,
            correlation: C,
            payload: b"{",
            heard: RESPONSE,
            ..plain
        },
        Mistake {
            row: "bad content: unknown property",
            topic: GET,
            correlation: C,
            user: &[("colour", "red")],
            heard: RESPONSE,
            ..plain
        },
        Mistake {
            row: "bad content: if-version",
            topic: PATCH,
            correlation: C,
            user: &[("if-version", "-1")],
            heard: RESPONSE,
            ..plain
        },
        Mistake {
            row: "unknown correlation",
            topic: RESPONSES,
            correlation: C,
            user: &[("response-code", "1")],
            heard: [&[], ACK],
            ..plain
        },
        Mistake {
            row: "neither response-code nor status",
            topic: RESPONSES,
            correlation: C,
            heard: [&[], ACK],
            ..plain
        },
        Mistake {
            row: "response with an unknown property",
            topic: RESPONSES,
            correlation: C,
            user: &one_too_much,
            heard: [&[], ACK],
            ..plain
        },
        Mistake { row: "s2c-only", topic: "$iothub/commands", heard: NOT_ALLOWED, ..plain },
        Mistake { row: "s2c-only", topic: "$iothub/methods/m", heard: NOT_ALLOWED, ..plain },
        Mistake {
            row: "s2c-only",
            topic: "$iothub/twin/patch/desired",
            heard: NOT_ALLOWED,
            ..plain
        },
    ];
    let mut world = alone();
    for Mistake { row, topic, correlation, user, payload, status, heard } in rows {
        for (qos, expected) in [QOS_0, QOS_1].into_iter().zip(heard) {
            if let Some(status) = status {
                fault(&world, Effect::Status(status));
            }
            let mut device = connected(&mut world);
            let said = device.publish(&mut world, (topic, qos), (correlation, user), payload);
            assert_eq!(said, expected, "{row}: {topic} {qos:?}");
        }
    }
    // "ReqRep request at QoS 1": no response either.
    for (topic, user) in [(GET, &[][..]), (PATCH, &[]), (RESPONSES, &[("response-code", "1")])] {
        let mut device = connected(&mut world);
        let heard = device.publish(&mut world, (topic, QOS_1), (C, user), b"{}");
        assert_eq!(heard, ACK, "{topic}");
    }
    // "Unknown topic alias".
    for qos in [QOS_0, QOS_1] {
        let mut device = connected(&mut world);
        let heard = device.publish_as(&mut world, ("", qos), 3, b"x");
        assert_eq!(heard, ["DISCONNECT 130", "closed"], "{qos:?}");
    }
    // "The invoker gets 'target failed'; connection stays."
    let (mut device, call) = asked(&mut world);
    let correlation = correlation(&device.hear(&mut world));
    let to = (RESPONSES, QOS_0);
    let heard = device.publish(&mut world, to, (Some(&correlation), &[]), b"1");
    assert_eq!(heard, Vec::<String>::new());
    assert_eq!(take(&call).unwrap_err().refusal.code, ErrorCode::GenericBadGateway);
    assert_eq!(device.request(&mut world, GET, "").len(), 1);
}

fn fault(world: &World, effect: Effect) {
    let (operation, devices) = (Operation::SendTelemetry, Pattern::any());
    let (count, odds) = (NonZeroU32::new(1), Odds::ALWAYS);
    world.hub.faults.add(Rule { operation, devices, effect, count, odds }).unwrap();
}

/// A device that is asked for method `m`.
pub fn asked(world: &mut World) -> (Device, Answer<Outcome>) {
    let mut device = connected(world);
    device.subscribe(world, &[("$iothub/methods/+", QOS_0)]);
    let request = Box::new(Request::read(br#"{"methodName":"m","payload":[1.0]}"#).unwrap());
    let call = world.ask("d1", |reply| Ask::Invoke(request, Ticket(1), reply));
    (device, call)
}

/// Of the request that was heard.
pub fn correlation(heard: &Heard) -> Vec<u8> {
    let hex = heard[0].split(' ').nth(1).unwrap();
    let byte = |n: usize| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap();
    (0..hex.len() / 2).map(byte).collect()
}
