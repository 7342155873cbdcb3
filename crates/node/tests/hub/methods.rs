//! Direct methods over both protocols (iot-hub B3, A14.5, D2).

use crate::device::{ClassicHello, Device, Hello};
use crate::plane::with_device;
use crate::world::{Answer, World, take, take_after};
use hub::IfMatch;
use hub::errors::ErrorCode;
use hub::method::{Outcome, Request};
use mqtt::qos::QoS;
use node::devices::{Ask, Ticket};

const QOS_0: QoS = QoS::AtMostOnce;

fn invoke(world: &mut World, id: &str, body: &str) -> Answer<Outcome> {
    let request = Box::new(Request::read(body.as_bytes()).unwrap());
    world.ask(id, |reply| Ask::Invoke(request, Ticket(1), reply))
}

fn failed(answer: &Answer<Outcome>) -> ErrorCode {
    take(answer).unwrap_err().refusal.code
}

fn waits(answer: &Answer<Outcome>) -> bool {
    answer.lock().unwrap().is_none()
}

/// A device of MQTT 5 that hears of `reboot`.
fn listening(world: &mut World) -> Device {
    let (mut device, _) = Hello::new("d1").connect(world);
    device.subscribe(world, &[("$iothub/methods/reboot", QOS_0), ("$iothub/methods/+", QOS_0)]);
    device
}

const REBOOT: &str = r#"{"methodName":"reboot","payload":{"in":1}}"#;

#[test]
fn a_device_of_mqtt_5_answers() {
    let mut world = with_device(World::in_memory());
    assert_eq!(failed(&invoke(&mut world, "d9", REBOOT)), ErrorCode::DeviceNotFound);
    assert_eq!(failed(&invoke(&mut world, "d1", REBOOT)), ErrorCode::DeviceNotOnline);
    let mut device = listening(&mut world);
    let answer = invoke(&mut world, "d1", REBOOT);
    let heard = device.hear(&mut world);
    assert_eq!(heard.len(), 1, "once, however many subscriptions overlap: {heard:?}");
    let words: Vec<&str> = heard[0].split(' ').collect();
    assert_eq!((words[0], words[2]), ("$iothub/methods/reboot", r#"{"in":1}"#));
    let correlation: Vec<u8> = (0..words[1].len() / 2)
        .map(|n| u8::from_str_radix(&words[1][2 * n..2 * n + 2], 16).unwrap())
        .collect();
    assert!(waits(&answer));
    let done = [("response-code", "7")];
    let to = ("$iothub/responses", QOS_0);
    let other = device.publish(&mut world, to, (Some(b"nobody"), &done), b"");
    assert!(other.is_empty() && waits(&answer), "a late answer is nobody's");
    let _ = device.publish(&mut world, to, (Some(&correlation), &done), b" [1.0] ");
    let reply = take(&answer).unwrap();
    assert_eq!((reply.status, &*reply.payload), (7, &b"[1.0]"[..]));
}

#[test]
fn a_device_of_mqtt_311_answers_with_its_status() {
    let mut world = with_device(World::in_memory());
    let (mut device, _) = ClassicHello::new("d1").connect(&mut world);
    let _ = device.subscribe(&mut world, &[("$iothub/methods/POST/#", QOS_0)]);
    let answer = invoke(&mut world, "d1", REBOOT);
    let heard = device.hear(&mut world);
    let (topic, payload) = heard[0].split_once(' ').unwrap();
    let rid = topic.strip_prefix("$iothub/methods/POST/reboot/?$rid=").unwrap();
    assert_eq!(payload, r#"{"in":1}"#);
    let to = format!("$iothub/methods/res/-3/?$rid={rid}");
    // Python's SDK answers at QoS 1.
    let heard = device.publish(&mut world, (&to, QoS::AtLeastOnce), (None, &[]), b"");
    assert_eq!(heard, ["PUBACK 0"]);
    let reply = take(&answer).unwrap();
    assert_eq!((reply.status, &*reply.payload), (-3, &b""[..]));
}

#[test]
fn who_waits_for_a_device_gets_it_when_it_listens() {
    let mut world = with_device(World::in_memory());
    let body = r#"{"methodName":"reboot","connectTimeoutInSeconds":10}"#;
    let answer = invoke(&mut world, "d1", body);
    assert!(waits(&answer));
    let mut device = listening(&mut world);
    assert!(device.hear(&mut world).is_empty(), "it was heard with the SUBACK");
    world.advance(29_000);
    assert!(waits(&answer), "the response has its own time");
    world.advance(2_000);
    assert_eq!(failed(&answer), ErrorCode::GatewayTimeout);
    let answer = invoke(&mut world, "d1/m", body);
    world.advance(11_000);
    assert_eq!(failed(&answer), ErrorCode::DeviceNotOnline);
}

#[test]
fn who_hangs_up_leaves_nothing_behind() {
    let mut world = with_device(World::in_memory());
    let body = r#"{"methodName":"reboot","connectTimeoutInSeconds":10}"#;
    let answer = invoke(&mut world, "d1", body);
    world.tell("d1", Ask::HangUp(Ticket(1)));
    let (mut device, _) = Hello::new("d1").connect(&mut world);
    let heard = device.subscribe(&mut world, &[("$iothub/methods/+", QOS_0)]);
    assert_eq!(heard, ["SUBACK [0]"], "nobody waits for it");
    world.advance(60_000);
    assert!(waits(&answer), "and nobody is told");
}

#[test]
fn what_ends_a_connection_ends_its_calls() {
    let mut world = with_device(World::in_memory());
    let device = listening(&mut world);
    let answer = invoke(&mut world, "d1", REBOOT);
    world.turn(|shard| shard.lost(device.link));
    assert_eq!(failed(&answer), ErrorCode::DeviceNotOnline);
    let _device = listening(&mut world);
    let answer = invoke(&mut world, "d1", REBOOT);
    let gone = take_after(&mut world, |w| w.ask("d1", |reply| Ask::Delete(IfMatch::Any, reply)));
    assert_eq!(gone, Ok(()));
    assert_eq!(failed(&answer), ErrorCode::DeviceNotFound);
    assert_eq!(take_after(&mut world, |w| w.put("d1", IfMatch::Absent)), Ok(true));
    let (mut small, _) = Hello { packet_max: Some(60), ..Hello::new("d1") }.connect(&mut world);
    let _ = small.subscribe(&mut world, &[("$iothub/methods/+", QOS_0)]);
    let long = format!(r#"{{"methodName":"reboot","payload":"{}"}}"#, "x".repeat(60));
    assert_eq!(failed(&invoke(&mut world, "d1", &long)), ErrorCode::DeviceNotOnline);
}
