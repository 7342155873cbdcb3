//! Faults on purpose: every outcome of every operation (iot-hub A5, A13, A14), what is lost behind
//! an acknowledgement, and what comes late, over each way a device or a service meets it.

use crate::channel::count;
use crate::device::{ClassicHello, Device, Heard, Hello};
use crate::plane::with_device;
use crate::world::{Answer, World, code, take, take_after};
use crashdisk::CrashDisk;
use hub::errors::{ErrorCode, Refusal};
use hub::fault::{Effect, Odds, Operation, Pattern, Rule};
use hub::method::{Outcome, Request};
use hub::plane::Status;
use hub::telemetry::{AuthMethod, Scope};
use mqtt::qos::QoS;
use node::devices::{Ask, Sending, Ticket};
use std::num::NonZeroU32;

const QOS_0: QoS = QoS::AtMostOnce;
const QOS_1: QoS = QoS::AtLeastOnce;
const TELEMETRY: &str = "$iothub/telemetry";
const GET: &str = "$iothub/twin/get";
const PATCH: &str = "$iothub/twin/patch/reported";

/// Puts a fault into force that strikes so often.
fn fault(world: &World, operation: Operation, effect: Effect, count: u32) {
    let (devices, count) = (Pattern::parse("d1").unwrap(), NonZeroU32::new(count));
    let rule = Rule { operation, devices, effect, count, odds: Odds::ALWAYS };
    world.hub.faults.add(rule.check().unwrap()).unwrap();
}

fn struck(world: &World) -> u64 {
    world.hub.faults.list().iter().map(|fault| fault.struck).sum()
}

fn connected(world: &mut World) -> Device {
    let (device, heard) = Hello::new("d1").connect(world);
    assert_eq!(heard, ["CONNACK 0"]);
    device
}

fn telemetry(world: &mut World, device: &mut Device, qos: QoS) -> Heard {
    device.publish(world, (TELEMETRY, qos), (None, &[]), b"x")
}

fn sending() -> Sending {
    let (system, application) = (Default::default(), Default::default());
    Sending { body: b"x".to_vec(), system, application }
}

/// What goes with a status in an acknowledgement, by A13.
fn told(status: Status) -> String {
    let with = |has, name: &str| if has { format!(" {name}") } else { String::new() };
    let (trace_id, reason) = (status.has_trace_id(), status.has_reason());
    format!(" status={status}{}{}", with(trace_id, "trace-id"), with(reason, "reason"))
}

/// A14.1: as PUBACK at QoS 1, as DISCONNECT at QoS 0, as the end over MQTT 3.1.1, as C9 by HTTP.
#[test]
fn telemetry_has_every_outcome_on_demand() {
    let operation = Operation::SendTelemetry;
    let mut world = with_device(World::in_memory());
    for status in operation.statuses() {
        let (reason, told) = (status.ack_reason().code(), told(*status));
        fault(&world, operation, Effect::Status(*status), 4);
        let mut device = connected(&mut world);
        let heard = telemetry(&mut world, &mut device, QOS_1);
        assert_eq!(heard, [format!("PUBACK {reason}{told}")]);
        let heard = telemetry(&mut world, &mut device, QOS_0);
        assert_eq!(heard, [format!("DISCONNECT {reason}{told}"), "closed".to_owned()]);
        let (mut classic, _) = ClassicHello::new("d1").connect(&mut world);
        let topic = ("devices/d1/messages/events/", QOS_1);
        let heard = classic.publish(&mut world, topic, (None, &[]), b"x");
        assert_eq!(heard, ["closed"], "3.1.1 has no other word");
        let refused = event(&mut world);
        assert_eq!(code(take(&refused)), operation.refusal(*status, "").code);
        world.hub.faults.clear();
        let mut device = connected(&mut world);
        assert_eq!(telemetry(&mut world, &mut device, QOS_1), ["PUBACK 0"], "it is over");
    }
    assert_eq!(count(&mut world), operation.statuses().len(), "what was refused is not there");
}

fn event(world: &mut World) -> Answer<Result<(), Refusal>> {
    let sending = Box::new(sending());
    world.ask("d1", |reply| Ask::Event(sending, AuthMethod::Key(Scope::Device), reply))
}

/// A14.2 and A14.3: as a response at QoS 0; D2 has words of its own.
#[test]
fn twins_have_every_outcome_on_demand() {
    for (operation, topic, payload) in
        [(Operation::GetTwin, GET, ""), (Operation::PatchTwinReported, PATCH, "{\"a\":1}")]
    {
        let mut world = with_device(World::in_memory());
        let mut device = connected(&mut world);
        for status in operation.statuses() {
            fault(&world, operation, Effect::Status(*status), 1);
            let heard = device.request(&mut world, topic, payload);
            assert_eq!(heard, [format!("$iothub/responses 63{} ", told(*status))]);
        }
        assert!(!world.twin("d1").unwrap().contains(r#""a":1"#), "nothing was written");
        let heard = device.request(&mut world, topic, payload);
        assert!(!heard[0].contains("status"), "the connection stays: {heard:?}");
        let (mut classic, _) = ClassicHello::new("d1").connect(&mut world);
        classic.subscribe(&mut world, &[("$iothub/twin/res/#", QOS_0)]);
        let ask = match operation {
            Operation::GetTwin => "$iothub/twin/GET/?$rid=7",
            _ => "$iothub/twin/PATCH/properties/reported/?$rid=7",
        };
        for status in operation.statuses() {
            fault(&world, operation, Effect::Status(*status), 1);
            let heard = classic.publish(&mut world, (ask, QOS_0), (None, &[]), payload.as_bytes());
            let number = match status.number() {
                0x0001 => "204/?$rid=7&$version=2",
                0x0100 => "400/?$rid=7",
                0x0104 => "412/?$rid=7",
                0x0501 | 0x0502 => "429/?$rid=7",
                0x0603 => "503/?$rid=7",
                _ => "500/?$rid=7",
            };
            let answered = format!("$iothub/twin/res/{number}");
            assert!(heard.len() == 1 && heard[0].starts_with(&answered), "{status}: {heard:?}");
        }
    }
}

/// A5.
#[test]
fn a_connect_has_every_outcome_on_demand() {
    let mut world = with_device(World::in_memory());
    for (status, plane, classic) in [
        (Status::BAD_REQUEST, "CONNACK 131 status=0100 reason", 135),
        (Status::NOT_AUTHORIZED, "CONNACK 135 status=0101 trace-id", 135),
        (Status::THROTTLED, "CONNACK 159 status=0501", 136),
        (Status::SERVER_BUSY, "CONNACK 137 status=0603", 136),
    ] {
        fault(&world, Operation::Connect, Effect::Status(status), 2);
        assert_eq!(Hello::new("d1").connect(&mut world).1, [plane, "closed"]);
        let heard = ClassicHello::new("d1").connect(&mut world).1;
        assert_eq!(heard, [format!("CONNACK {classic}"), "closed".to_owned()]);
        connected(&mut world);
    }
    fault(&world, Operation::Connect, Effect::DropAfterAck, 1);
    assert_eq!(Hello::new("d1").connect(&mut world).1, ["CONNACK 0", "closed"]);
    fault(&world, Operation::Connect, Effect::Delay(5_000), 1);
    let (mut device, heard) = Hello::new("d1").connect(&mut world);
    assert_eq!(heard, Vec::<String>::new());
    world.advance(4_999);
    assert_eq!(device.hear(&mut world), Vec::<String>::new());
    world.advance(1);
    assert_eq!(device.hear(&mut world), ["CONNACK 0"]);
    assert_eq!(device.request(&mut world, GET, "").len(), 1);
    // CONNECT has its deadline all the same.
    fault(&world, Operation::Connect, Effect::Delay(40_000), 1);
    let (mut device, _) = Hello::new("d1").connect(&mut world);
    world.advance(30_001);
    assert_eq!(device.hear(&mut world), ["closed"]);
    world.advance(10_000);
    assert_eq!(device.hear(&mut world), Vec::<String>::new());
}

/// With a log CONNACK waits for it, and the end for CONNACK.
#[test]
fn a_durable_session_is_dropped_behind_its_connack() {
    let mut world = with_device(World::on(CrashDisk::new(3)));
    fault(&world, Operation::Connect, Effect::DropAfterAck, 1);
    let hello = || Hello { clean_start: false, session_expiry: Some(60), ..Hello::new("d1") };
    let (mut device, heard) = hello().connect(&mut world);
    assert_eq!(heard, Vec::<String>::new());
    world.settled();
    assert_eq!(device.hear(&mut world), ["CONNACK 0", "closed"]);
    let (mut device, _) = hello().connect(&mut world);
    world.settled();
    assert_eq!(device.hear(&mut world), ["CONNACK 0"]);
}

fn invoke(world: &mut World) -> Answer<Outcome> {
    let body = r#"{"methodName":"m","responseTimeoutInSeconds":30}"#;
    let request = Box::new(Request::read(body.as_bytes()).unwrap());
    world.ask("d1", |reply| Ask::Invoke(request, Ticket(1), reply))
}

fn failed(answer: &Answer<Outcome>) -> ErrorCode {
    take(answer).unwrap_err().refusal.code
}

/// Answers the one request that was heard.
fn answer(world: &mut World, device: &mut Device, heard: &[String]) {
    let hex = heard[0].split(' ').nth(1).unwrap();
    let byte = |n: usize| u8::from_str_radix(&hex[2 * n..2 * n + 2], 16).unwrap();
    let correlation: Vec<u8> = (0..hex.len() / 2).map(byte).collect();
    let (to, done) = (("$iothub/responses", QOS_0), [("response-code", "7")]);
    let heard = device.publish(world, to, (Some(&correlation), &done), b"1");
    assert_eq!(heard, Vec::<String>::new());
}

/// A14.5 and B3: what the caller hears.
#[test]
fn methods_have_every_outcome_on_demand() {
    let operation = Operation::ReceiveMethods;
    let mut world = with_device(World::in_memory());
    let mut device = connected(&mut world);
    device.subscribe(&mut world, &[("$iothub/methods/+", QOS_0)]);
    for status in operation.statuses() {
        fault(&world, operation, Effect::Status(*status), 1);
        let refused = invoke(&mut world);
        assert_eq!(failed(&refused), operation.refusal(*status, "").code, "{status}");
        assert_eq!(device.hear(&mut world), Vec::<String>::new(), "the device was not asked");
    }
    fault(&world, operation, Effect::DropAfterAck, 1);
    let call = invoke(&mut world);
    let heard = device.hear(&mut world);
    answer(&mut world, &mut device, &heard);
    assert!(call.lock().unwrap().is_none(), "its answer was lost");
    world.advance(30_001);
    assert_eq!(failed(&call), ErrorCode::GatewayTimeout);
    // Late, but in time.
    fault(&world, operation, Effect::Delay(29_000), 1);
    let call = invoke(&mut world);
    assert_eq!(device.hear(&mut world), Vec::<String>::new());
    world.advance(29_000);
    let heard = device.hear(&mut world);
    answer(&mut world, &mut device, &heard);
    assert_eq!(take(&call).unwrap().status, 7);
    // Too late: nobody asks the device any more.
    fault(&world, operation, Effect::Delay(31_000), 1);
    let call = invoke(&mut world);
    world.advance(30_001);
    assert_eq!(failed(&call), ErrorCode::GatewayTimeout);
    world.advance(1_000);
    assert_eq!(device.hear(&mut world), Vec::<String>::new());
}

fn command(world: &mut World) {
    let sending = Box::new(sending());
    take_after(world, |w| w.ask("d1", |reply| Ask::Send(sending, reply))).unwrap();
}

fn waiting(world: &mut World) -> (u32, usize) {
    let shown = take(&world.ask("d1", Ask::Commands)).unwrap();
    (shown.waiting.len() as u32, shown.dead.len())
}

/// A14.4: what the device answers is taken for something else, or not heard, or it gets it late.
#[test]
fn commands_have_every_outcome_on_demand() {
    let operation = Operation::ReceiveCommands;
    let mut world = with_device(World::in_memory());
    let mut device = connected(&mut world);
    device.subscribe(&mut world, &[("$iothub/commands", QOS_1)]);
    command(&mut world);
    assert!(device.hear(&mut world)[0].contains("delivery-count=0"));
    fault(&world, operation, Effect::Status(Status::SERVER_BUSY), 1);
    let heard = device.puback(&mut world, 1, None);
    assert!(heard[0].contains("sequence-no=1") && heard[0].contains("delivery-count=1"));
    fault(&world, operation, Effect::Status(Status::BAD_REQUEST), 1);
    let id = heard[0][1..].split(' ').next().unwrap().parse().unwrap();
    assert_eq!(device.puback(&mut world, id, None), Vec::<String>::new());
    assert_eq!(waiting(&mut world), (0, 1), "as if it had rejected it");
    // Its answer is lost with the connection.
    command(&mut world);
    let heard = device.hear(&mut world);
    let id = heard[0][1..].split(' ').next().unwrap().parse().unwrap();
    fault(&world, operation, Effect::DropAfterAck, 1);
    assert_eq!(device.puback(&mut world, id, None), ["closed"]);
    assert_eq!(waiting(&mut world), (1, 1));
    let mut device = connected(&mut world);
    let heard = device.subscribe(&mut world, &[("$iothub/commands", QOS_1)]);
    assert!(heard[1].contains("sequence-no=2"), "it comes again: {heard:?}");
    device.puback(&mut world, 1, None);
    // One is late, and those behind it with it.
    fault(&world, operation, Effect::Delay(5_000), 1);
    command(&mut world);
    command(&mut world);
    assert_eq!(device.hear(&mut world), Vec::<String>::new());
    world.advance(5_000);
    let heard = device.hear(&mut world);
    let numbers: Vec<&str> = heard.iter().map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(numbers, ["sequence-no=3", "sequence-no=4"]);
}

/// D6.
#[test]
fn commands_by_http_are_struck_too() {
    let mut world = with_device(World::in_memory());
    command(&mut world);
    let receive = |world: &mut World| world.ask("d1", |reply| Ask::Receive(10_000, reply));
    fault(&world, Operation::ReceiveCommands, Effect::Delay(1_000), 1);
    let received = receive(&mut world);
    assert!(received.lock().unwrap().is_none());
    world.advance(1_000);
    let received = take(&received).unwrap().unwrap();
    fault(&world, Operation::ReceiveCommands, Effect::DropAfterAck, 1);
    let complete = hub::command::Settlement::Complete;
    let settle = |reply| Ask::Settle(received.token, complete, reply);
    assert_eq!(take(&world.ask("d1", settle)), Ok(()), "so it seems");
    assert_eq!(waiting(&mut world), (1, 0));
    world.advance(9_000);
    assert!(take(&receive(&mut world)).unwrap().is_some(), "it comes again");
}

/// A14.6: not acknowledged, so the service's write is.
#[test]
fn desired_properties_are_lost_or_late() {
    let operation = Operation::ReceiveDesired;
    let mut world = with_device(World::in_memory());
    let mut device = connected(&mut world);
    device.subscribe(&mut world, &[("$iothub/twin/patch/desired", QOS_0)]);
    let patch = |world: &mut World, body: &str| {
        let body = format!("{{\"properties\":{{\"desired\":{body}}}}}");
        take_after(world, |w| w.patch("d1", &body)).unwrap();
    };
    fault(&world, operation, Effect::DropAfterAck, 1);
    patch(&mut world, r#"{"a":1}"#);
    assert_eq!(device.hear(&mut world), Vec::<String>::new());
    fault(&world, operation, Effect::Delay(5_000), 1);
    patch(&mut world, r#"{"b":2}"#);
    patch(&mut world, r#"{"c":3}"#);
    assert_eq!(device.hear(&mut world), Vec::<String>::new(), "none overtakes");
    world.advance(5_000);
    let merged = r#"$iothub/twin/patch/desired version=4 {"b":2,"c":3,"$version":4}"#;
    assert_eq!(device.hear(&mut world), [merged], "B1.7: merged in one");
    patch(&mut world, r#"{"d":4}"#);
    assert_eq!(device.hear(&mut world).len(), 1);
}

/// What was acknowledged is lost, or the connection is.
#[test]
fn what_is_acknowledged_is_dropped() {
    for world in [World::in_memory(), World::on(CrashDisk::new(5))] {
        let mut world = with_device(world);
        let mut device = connected(&mut world);
        fault(&world, Operation::SendTelemetry, Effect::DropAfterAck, 3);
        assert_eq!(telemetry(&mut world, &mut device, QOS_1), ["PUBACK 0"]);
        assert_eq!(telemetry(&mut world, &mut device, QOS_0), Vec::<String>::new());
        assert_eq!(take(&event(&mut world)), Ok(()));
        let mut heard = telemetry(&mut world, &mut device, QOS_1);
        world.settled();
        heard.extend(device.hear(&mut world));
        assert_eq!((heard, count(&mut world)), (vec!["PUBACK 0".to_owned()], 1));
        fault(&world, Operation::PatchTwinReported, Effect::DropAfterAck, 1);
        let mut heard = device.request(&mut world, PATCH, "{\"a\":1}");
        world.settled();
        heard.extend(device.hear(&mut world));
        assert_eq!(heard, ["$iothub/responses 63 version=2 ", "closed"]);
        assert!(world.twin("d1").unwrap().contains(r#""a":1"#), "it is done");
        fault(&world, Operation::GetTwin, Effect::DropAfterAck, 1);
        let mut device = connected(&mut world);
        let heard = device.request(&mut world, GET, "");
        assert!(heard.len() == 2 && heard[1] == "closed", "{heard:?}");
    }
}

/// A device whose operation is late is not read meanwhile, so nothing overtakes.
#[test]
fn what_is_put_off_keeps_its_place() {
    let mut world = with_device(World::in_memory());
    let mut device = connected(&mut world);
    fault(&world, Operation::GetTwin, Effect::Delay(2_000), 1);
    assert_eq!(device.request(&mut world, GET, ""), Vec::<String>::new());
    assert!(!world.shard.wants_input(device.link), "it is not read");
    world.advance(1_999);
    assert_eq!(device.hear(&mut world), Vec::<String>::new());
    world.advance(1);
    assert_eq!(device.hear(&mut world).len(), 1);
    assert!(world.shard.wants_input(device.link));
    fault(&world, Operation::SendTelemetry, Effect::Delay(2_000), 2);
    assert_eq!(telemetry(&mut world, &mut device, QOS_1), Vec::<String>::new());
    let answered = event(&mut world);
    assert_eq!((count(&mut world), answered.lock().unwrap().is_none()), (0, true));
    world.advance(2_000);
    assert_eq!((device.hear(&mut world), take(&answered)), (vec!["PUBACK 0".to_owned()], Ok(())));
    assert_eq!((count(&mut world), struck(&world)), (2, 3));
    // Who has gone meanwhile is not asked for.
    fault(&world, Operation::GetTwin, Effect::Delay(2_000), 1);
    device.request(&mut world, GET, "");
    world.turn(|shard| shard.lost(device.link));
    world.advance(2_000);
    connected(&mut world);
}

#[test]
fn others_are_spared_and_odds_come_from_the_seed() {
    let mut world = with_device(World::in_memory());
    fault(&world, Operation::SendTelemetry, Effect::DropAfterAck, 0);
    let (mut module, _) = Hello::new("d1/m").connect(&mut world);
    assert_eq!(telemetry(&mut world, &mut module, QOS_1), ["PUBACK 0"]);
    assert_eq!((count(&mut world), struck(&world)), (1, 0));
    world.hub.faults.clear();
    let (operation, effect) = (Operation::SendTelemetry, Effect::Status(Status::SERVER_BUSY));
    let (devices, odds) = (Pattern::any(), Odds::new(0.25).unwrap());
    world.hub.faults.add(Rule { operation, devices, effect, count: None, odds }).unwrap();
    let refused =
        (0..400).filter(|_| telemetry(&mut world, &mut module, QOS_1)[0].contains("0603"));
    let refused = refused.count();
    assert!((60..140).contains(&refused), "{refused} of 400");
    assert_eq!(struck(&world), refused as u64);
}
