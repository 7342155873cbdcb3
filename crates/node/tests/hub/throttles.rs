//! Throttles and quotas of a hub and of its devices (iot-hub A5, A11, A13, C9): what each operation
//! is answered at its bound, over each way it comes, by the domain clock.

use crate::channel::count;
use crate::device::{ClassicHello, Device, Heard, Hello};
use crate::plane::with_device;
use crate::world::{Answer, World, hub, take};
use broker::limits::Limits;
use broker::rate::Rate;
use hub::errors::{ErrorCode, Refusal};
use hub::method::Request;
use hub::telemetry::{AuthMethod, Scope};
use mqtt::qos::QoS;
use node::devices::{Ask, Bounds, Hub, Metered, Sending, Throttles, Ticket};

const QOS_0: QoS = QoS::AtMostOnce;
const QOS_1: QoS = QoS::AtLeastOnce;
const TELEMETRY: &str = "$iothub/telemetry";
const GET: &str = "$iothub/twin/get";
const PATCH: &str = "$iothub/twin/patch/reported";

/// One of each kind in ten seconds.
fn slow() -> Bounds {
    let mut bounds = Bounds::default();
    for kind in [Metered::Telemetry, Metered::TwinReads, Metered::TwinUpdates, Metered::Commands] {
        bounds.set(kind, Rate::over(1, 10));
    }
    bounds.set(Metered::MethodBytes, Rate::over(4_096, 10));
    bounds
}

fn having(hub_wide: Bounds, device: Bounds) -> Hub {
    let mut hub = hub();
    hub.throttles = Throttles::new(hub_wide, device);
    hub
}

fn slow_hub() -> Hub {
    having(slow(), Bounds::default())
}

fn slow_devices() -> Hub {
    having(Bounds::default(), slow())
}

/// Two messages a day.
fn small_day() -> Hub {
    let mut bounds = Bounds::default();
    bounds.messages_per_day_max = 2;
    having(bounds, Bounds::default())
}

fn connected(world: &mut World, id: &str) -> Device {
    let (device, heard) = Hello::new(id).connect(world);
    assert_eq!(heard, ["CONNACK 0"]);
    device
}

fn telemetry(world: &mut World, device: &mut Device, qos: QoS) -> Heard {
    device.publish(world, (TELEMETRY, qos), (None, &[]), b"x")
}

fn sending() -> Box<Sending> {
    let (system, application) = (Default::default(), Default::default());
    Box::new(Sending { body: b"x".to_vec(), system, application })
}

fn refused<T: std::fmt::Debug>(answer: &Answer<Result<T, Refusal>>) -> (ErrorCode, Option<u32>) {
    let refusal = take(answer).unwrap_err();
    (refusal.code, refusal.retry_after_s)
}

fn done<T>(answer: &Answer<Result<T, Refusal>>) -> bool {
    take(answer).is_ok()
}

/// A11: 151 with 0501 as PUBACK at QoS 1, as DISCONNECT at QoS 0, a response to a request.
#[test]
fn a_device_at_its_bound_is_answered_as_the_table_says() {
    for make in [slow_hub as fn() -> Hub, slow_devices] {
        let mut world = with_device(World::making(make));
        let mut device = connected(&mut world, "d1");
        assert_eq!(telemetry(&mut world, &mut device, QOS_1), ["PUBACK 0"]);
        assert_eq!(telemetry(&mut world, &mut device, QOS_1), ["PUBACK 151 status=0501"]);
        for (topic, payload) in [(GET, ""), (PATCH, "{}")] {
            let first = device.request(&mut world, topic, payload);
            assert!(!first[0].contains("status"), "{first:?}");
            let second = device.request(&mut world, topic, payload);
            assert_eq!(second, ["$iothub/responses 63 status=0501 "]);
        }
        world.advance(9_999);
        let heard = telemetry(&mut world, &mut device, QOS_0);
        assert_eq!(heard, ["DISCONNECT 151 status=0501", "closed"]);
        world.advance(1);
        let mut device = connected(&mut world, "d1");
        assert_eq!(telemetry(&mut world, &mut device, QOS_1), ["PUBACK 0"]);
        assert_eq!(count(&mut world), 2);
    }
}

/// D2, D4.
#[test]
fn a_device_of_mqtt_311_gets_429_or_the_end() {
    let mut world = with_device(World::making(slow_devices));
    let (mut device, _) = ClassicHello::new("d1").connect(&mut world);
    device.subscribe(&mut world, &[("$iothub/twin/res/#", QOS_0)]);
    let mut get = |world: &mut World| {
        let topic = ("$iothub/twin/GET/?$rid=1", QOS_0);
        device.publish(world, topic, (None, &[]), b" ")[0].clone()
    };
    assert!(get(&mut world).starts_with("$iothub/twin/res/200/"));
    assert!(get(&mut world).starts_with("$iothub/twin/res/429/?$rid=1"));
    let to = ("devices/d1/messages/events/", QOS_1);
    assert_eq!(device.publish(&mut world, to, (None, &[]), b"x"), ["PUBACK 0"]);
    assert_eq!(device.publish(&mut world, to, (None, &[]), b"x"), ["closed"]);
}

/// C9: 429001 of the hub, 429005 of a device, with the seconds to wait.
#[test]
fn services_are_told_how_long_to_wait() {
    let event = |world: &mut World| {
        let method = AuthMethod::Key(Scope::Device);
        world.ask("d1", |reply| Ask::Event(sending(), method, reply))
    };
    let send = |world: &mut World| world.ask("d1", |reply| Ask::Send(sending(), reply));
    for (make, code) in [
        (slow_hub as fn() -> Hub, ErrorCode::ThrottlingException),
        (slow_devices, ErrorCode::DeviceThrottlingLimitExceeded),
    ] {
        let mut world = with_device(World::making(make));
        let slow = (code, Some(10));
        assert!(done(&world.ask("d1", Ask::Twin)));
        assert_eq!(refused(&world.ask("d1", Ask::Twin)), slow);
        assert!(done(&world.patch("d1", "{}")));
        assert_eq!(refused(&world.patch("d1", "{}")), slow);
        assert!(done(&send(&mut world)));
        assert_eq!(refused(&send(&mut world)), slow);
        assert!(done(&event(&mut world)));
        assert_eq!(refused(&event(&mut world)), slow);
        let invoke = |world: &mut World| {
            let request = Box::new(Request::read(br#"{"methodName":"m"}"#).unwrap());
            let answer = world.ask("d1", |reply| Ask::Invoke(request, Ticket(1), reply));
            take(&answer).unwrap_err().refusal
        };
        assert_eq!(invoke(&mut world).code, ErrorCode::DeviceNotOnline);
        let second = invoke(&mut world);
        assert_eq!((second.code, second.retry_after_s), slow);
        world.advance(7_500);
        assert_eq!(refused(&world.ask("d1", Ask::Twin)), (code, Some(3)));
        world.advance(2_500);
        assert!(done(&world.ask("d1", Ask::Twin)));
        // Another device has its own bound, but no other hub.
        let other = world.ask("d1/m", Ask::Twin);
        assert_eq!(done(&other), code == ErrorCode::DeviceThrottlingLimitExceeded);
    }
}

/// A13: 0502 until midnight, for whatever is a message.
#[test]
fn a_day_has_so_many_messages() {
    let mut world = with_device(World::making(small_day));
    let mut device = connected(&mut world, "d1");
    assert_eq!(telemetry(&mut world, &mut device, QOS_1), ["PUBACK 0"]);
    assert_eq!(device.request(&mut world, GET, "").len(), 1);
    assert_eq!(telemetry(&mut world, &mut device, QOS_1), ["PUBACK 151 status=0502"]);
    let heard = device.request(&mut world, GET, "");
    assert_eq!(heard, ["$iothub/responses 63 status=0502 "]);
    // 22:13:20, by the clock of these worlds.
    let until_midnight = Some(6_400);
    let full = (ErrorCode::IotHubQuotaExceeded, until_midnight);
    assert_eq!(refused(&world.ask("d1", Ask::Twin)), full);
    world.advance(6_399_999);
    assert_eq!(refused(&world.ask("d1", Ask::Twin)), (ErrorCode::IotHubQuotaExceeded, Some(1)));
    world.advance(1);
    assert!(done(&world.ask("d1", Ask::Twin)));
}

/// A5.
#[test]
fn connections_have_their_rate() {
    let rate = || {
        let mut bounds = Bounds::default();
        bounds.set(Metered::Connects, Rate::over(2, 1));
        having(bounds, Bounds::default())
    };
    let mut world = with_device(World::making(rate));
    connected(&mut world, "d1");
    connected(&mut world, "d1/m");
    let refused = ["CONNACK 159 status=0501", "closed"];
    assert_eq!(Hello::new("d1").connect(&mut world).1, refused);
    let classic = ClassicHello::new("d1").connect(&mut world).1;
    assert_eq!(classic, ["CONNACK 136", "closed"], "3 on the wire");
    // Who would not be let in takes nobody's place.
    let denied = ["CONNACK 135 status=0101 trace-id", "closed"];
    assert_eq!(Hello { key: 3, ..Hello::new("d1") }.connect(&mut world).1, denied);
    world.advance(500);
    connected(&mut world, "d1");
}

/// `limits.session_publishes_per_second_max` holds for devices as for all connections.
#[test]
fn a_connection_s_own_rate_holds_for_devices() {
    let limits = Limits { session_publishes_per_second_max: 2, ..Limits::open() };
    let mut world = with_device(World::limited(hub, limits));
    let mut device = connected(&mut world, "d1");
    let mut say = |world: &mut World| telemetry(world, &mut device, QOS_1);
    assert_eq!([say(&mut world), say(&mut world)], [["PUBACK 0"]; 2]);
    assert_eq!(say(&mut world), ["PUBACK 151 status=0501"]);
    assert_eq!(device.request(&mut world, GET, ""), ["$iothub/responses 63 status=0501 "]);
    let heard = telemetry(&mut world, &mut device, QOS_1);
    assert_eq!(heard, ["DISCONNECT 150", "closed"], "it goes on for too long");
    let mut device = connected(&mut world, "d1");
    assert_eq!(telemetry(&mut world, &mut device, QOS_1), ["PUBACK 0"]);
    telemetry(&mut world, &mut device, QOS_1);
    let heard = telemetry(&mut world, &mut device, QOS_0);
    assert_eq!(heard, ["DISCONNECT 151 status=0501", "closed"]);
}
