//! The MQTT 5 plane at the home of a device (iot-hub A): CONNECT, subscriptions, twins, and what
//! each mistake is answered.

use crate::device::{ClassicHello, Device, Hello};
use crate::world::{NOW_MS, World, hub, take, take_after};
use crashdisk::CrashDisk;
use hub::IfMatch;
use hub::sas::{Key, Token};
use mqtt::qos::QoS;
use node::devices::{Ask, Credential, Hub, KeysOff};

const QOS_0: QoS = QoS::AtMostOnce;
const QOS_1: QoS = QoS::AtLeastOnce;

pub fn with_device(mut world: World) -> World {
    assert_eq!(take_after(&mut world, |w| w.put("d1", IfMatch::Absent)), Ok(true));
    assert_eq!(take_after(&mut world, |w| w.put("d1/m", IfMatch::Absent)), Ok(true));
    world
}

fn connected(world: &mut World, id: &str) -> Device {
    let (device, heard) = Hello::new(id).connect(world);
    assert_eq!(heard, ["CONNACK 0"]);
    device
}

/// The rows of A5 that a home decides.
#[test]
fn who_connects_is_judged_at_home() {
    let mut world = with_device(World::in_memory());
    let denied = ["CONNACK 135 status=0101 trace-id", "closed"];
    let bad = ["CONNACK 131 status=0100 reason", "closed"];
    let hello = Hello::new;
    let with = |name, value: &str| {
        let mut with = Hello::new("d1");
        with.properties.push((name, value.to_owned()));
        with
    };
    let rows: Vec<(Hello<'_>, &[&str])> = vec![
        (hello("d1"), &["CONNACK 0"]),
        (hello("d1/m"), &["CONNACK 0"]),
        (Hello { key: 2, ..hello("d1") }, &["CONNACK 0"]),
        (with("host", "HUB"), &["CONNACK 0"]),
        (with("host", "hub"), &["CONNACK 0"]),
        (with("host", "other"), &["CONNACK 135 status=0101", "closed"]),
        (hello("d2"), &denied),
        (hello("d1/n"), &denied),
        (Hello { key: 3, ..hello("d1") }, &denied),
        (Hello { policy: Some("device"), ..hello("d1") }, &denied),
        (Hello { method: Some("X509"), ..hello("d1") }, &denied),
        (Hello { expiry_ms: NOW_MS - 300_001, ..hello("d1") }, &denied),
        (with("colour", "red"), &bad),
        (Hello { method: None, ..hello("d1") }, &bad),
        (Hello { properties: vec![], ..hello("d1") }, &bad),
        (hello("d/1/2"), &["CONNACK 133", "closed"]),
    ];
    for (n, (hello, expected)) in rows.iter().enumerate() {
        assert_eq!(hello.connect(&mut world).1, *expected, "row {n}");
    }
}

/// A3: what TLS has called the server may be signed; where there is nothing else, another name is
/// another hub's.
#[test]
fn the_name_in_tls_counts_where_no_property_names_a_host() {
    let unknown = ["CONNACK 135 status=0101", "closed"];
    let denied = ["CONNACK 135 status=0101 trace-id", "closed"];
    let called = |name, signed| Hello { server_name: Some(name), signed, ..Hello::new("d1") };
    let with_host = |name, signed| {
        let mut hello = called(name, signed);
        hello.properties.push(("host", "hub".to_owned()));
        hello
    };
    let good = &["CONNACK 0"][..];
    let rows = [
        (called("HUB", "hub"), good, good),
        (called("gateway", "hub"), good, &unknown),
        (called("gateway", "gateway"), good, &unknown),
        (called("gateway", "other"), &denied, &unknown),
        (with_host("gateway", "hub"), good, good),
        (with_host("gateway", "gateway"), &denied, &denied),
        (Hello { signed: "gateway", ..Hello::new("d1") }, &denied, &denied),
    ];
    let mut worlds = [World::in_memory(), World::alone()].map(with_device);
    for (n, (hello, beside_broker, alone)) in rows.into_iter().enumerate() {
        for (world, expected) in worlds.iter_mut().zip([beside_broker, alone]) {
            assert_eq!(hello.connect(world).1, *expected, "row {n}");
        }
    }
}

fn without_keys(keys_off: KeysOff) -> Hub {
    let mut hub = hub();
    hub.keys_off = keys_off;
    hub
}

/// A4: `disableDeviceSAS` and `disableModuleSAS`.
#[test]
fn keys_of_devices_or_modules_can_be_turned_off() {
    let of_devices = || without_keys(KeysOff { devices: true, modules: false });
    let of_modules = || without_keys(KeysOff { devices: false, modules: true });
    for (make, device, module) in
        [(of_devices as fn() -> Hub, false, true), (of_modules, true, false)]
    {
        let mut world = with_device(World::making(make));
        for (id, is_good) in [("d1", device), ("d1/m", module)] {
            let heard = Hello::new(id).connect(&mut world).1;
            assert_eq!(heard[0] == "CONNACK 0", is_good, "{id}");
            let heard = ClassicHello::new(id).connect(&mut world).1;
            assert_eq!(heard[0] == "CONNACK 0", is_good, "{id}, MQTT 3.1.1");
            let resource = format!("hub/devices/{}", id.replace('/', "/modules/"));
            let (key, expiry_s) = (Key::generated(&[1; 32]), NOW_MS / 1_000 + 60);
            let token = Token::make(&resource, expiry_s, None, &key);
            let shown = Credential::Token(token.as_str().into());
            let verified = take(&world.ask(id, |reply| Ask::Verify(shown, reply)));
            assert_eq!(verified.is_ok(), is_good, "{id}");
        }
    }
}

#[test]
fn a_device_reads_and_writes_its_twin() {
    for world in [World::in_memory(), World::on(CrashDisk::new(1))] {
        let mut world = with_device(world);
        let mut device = connected(&mut world, "d1");
        let twin = device.request(&mut world, "$iothub/twin/get", "");
        let begun = r#"{"desired":{"$version":1},"reported":{"$version":1}}"#;
        assert_eq!(twin, [format!("$iothub/responses 63 {begun}")]);
        let patch = "$iothub/twin/patch/reported";
        // The second comes while the first is on its way to the log.
        let mut told = device.request(&mut world, patch, r#"{"a":1}"#);
        told.extend(device.request(&mut world, "$iothub/twin/get", ""));
        assert_eq!(told.is_empty(), world.keeps(), "nothing is told before it is a fact");
        world.settled();
        told.extend(device.hear(&mut world));
        let after = r#"{"desired":{"$version":1},"reported":{"a":1,"$version":2}}"#;
        let version = "$iothub/responses 63 version=2 ".to_owned();
        assert_eq!(told, [version, format!("$iothub/responses 63 {after}")]);
        let stale = [("if-version", "1")];
        let failed = device.publish(&mut world, (patch, QOS_0), (Some(b"x"), &stale), b"{}");
        assert_eq!(failed, ["$iothub/responses 78 status=0104 "]);
        for bad in [&b"[]"[..], b"{", b"{\"a.b\":1}", b"{\"$version\":1}"] {
            let failed = device.publish(&mut world, (patch, QOS_0), (Some(b"x"), &[]), bad);
            assert_eq!(failed, ["$iothub/responses 78 status=0100 reason "]);
        }
        assert!(world.twin("d1").unwrap().contains(r#""a":1"#));
        assert!(world.twin("d1").unwrap().contains(r#""connectionState":"Connected""#));
    }
}

#[test]
fn changes_of_desired_are_heard_by_who_subscribed() {
    let mut world = with_device(World::in_memory());
    let mut device = connected(&mut world, "d1");
    let wanted = r#"{"properties":{"desired":{"on":true}}}"#;
    let _ = take_after(&mut world, |w| w.patch("d1", wanted));
    assert_eq!(device.hear(&mut world), Vec::<String>::new());
    let filter = [("$iothub/twin/patch/desired", QOS_1)];
    assert_eq!(device.subscribe(&mut world, &filter), ["SUBACK [0]"]);
    let _ = take_after(&mut world, |w| w.patch("d1", r#"{"tags":{"x":1}}"#));
    let _ = take_after(&mut world, |w| w.patch("d1", wanted));
    let told = "$iothub/twin/patch/desired version=3 {\"on\":true,\"$version\":3}";
    assert_eq!(device.hear(&mut world), [told]);
    assert_eq!(device.unsubscribe(&mut world, &[filter[0].0, filter[0].0]), ["UNSUBACK [0, 17]"]);
    let _ = take_after(&mut world, |w| w.patch("d1", wanted));
    assert_eq!(device.hear(&mut world), Vec::<String>::new());
}

/// A10, where the broker is beside the hub: what is not under `$iothub/` is the broker's.
#[test]
fn each_filter_has_its_code() {
    let mut world = with_device(World::in_memory());
    let mut device = connected(&mut world, "d1");
    let rows: &[(&str, QoS, u8)] = &[
        ("$iothub/commands", QOS_1, 1),
        ("$iothub/commands", QoS::ExactlyOnce, 1),
        ("$iothub/commands", QOS_0, 0),
        ("$iothub/methods/reboot", QOS_1, 0),
        ("$iothub/methods/+", QOS_1, 0),
        ("$iothub/twin/patch/desired", QOS_0, 0),
        ("$iothub/responses", QOS_1, 0),
        ("$iothub/#", QOS_0, 0xA2),
        ("$iothub/+", QOS_0, 0xA2),
        ("$iothub/telemetry", QOS_0, 0x8F),
        ("$iothub/twin/get", QOS_0, 0x8F),
        ("$share/g/$iothub/commands", QOS_0, 0x9E),
        ("a/b", QOS_1, 1),
    ];
    for (filter, qos, code) in rows {
        let heard = device.subscribe(&mut world, &[(filter, *qos)]);
        assert_eq!(heard, [format!("SUBACK [{code}]")], "{filter} {qos:?}");
    }
    let heard = device.unsubscribe(&mut world, &["$iothub/responses", "$iothub/x", "a/b", "c"]);
    assert_eq!(heard, ["UNSUBACK [0, 17, 0, 17]"]);
}

/// A8 and A9.
#[test]
fn a_proof_is_renewed_or_the_connection_ends() {
    let mut world = with_device(World::in_memory());
    let mut device = connected(&mut world, "d1");
    let heard = device.renew(&mut world, "d1", 2, NOW_MS + 120_000);
    assert_eq!(heard, ["AUTH 0 SAS"]);
    let heard = device.renew(&mut world, "d1", 3, NOW_MS + 120_000);
    assert_eq!(heard, ["DISCONNECT 135 status=0101 trace-id", "closed"]);
    let mut device = connected(&mut world, "d1");
    let mut module = connected(&mut world, "d1/m");
    assert_eq!(world.counts().connected, 1, "modules are not counted");
    let gone = take_after(&mut world, |w| w.ask("d1", |reply| Ask::Delete(IfMatch::Any, reply)));
    assert_eq!(gone, Ok(()));
    assert_eq!(device.hear(&mut world), ["DISCONNECT 135", "closed"]);
    assert_eq!(module.hear(&mut world), ["DISCONNECT 135", "closed"]);
    assert_eq!(world.counts().connected, 0);
}

/// A7: what a session keeps is what it is subscribed to, over a crash too.
#[test]
fn subscriptions_outlive_connections_and_crashes() {
    let mut world = with_device(World::on(CrashDisk::new(2)));
    let hello = || Hello { clean_start: false, session_expiry: Some(60), ..Hello::new("d1") };
    let (mut device, _) = hello().connect(&mut world);
    world.settled();
    assert_eq!(device.hear(&mut world), ["CONNACK 0"]);
    let filters = [("$iothub/twin/patch/desired", QOS_0), ("$iothub/commands", QOS_1)];
    device.subscribe(&mut world, &filters);
    world.settled();
    assert_eq!(device.hear(&mut world), ["SUBACK [0, 1]"]);
    let mut world = world.crash();
    let (mut device, _) = hello().connect(&mut world);
    world.settled();
    assert_eq!(device.hear(&mut world), ["CONNACK 0"]);
    let _ = take_after(&mut world, |w| w.patch("d1", r#"{"properties":{"desired":{"n":1}}}"#));
    let told = "$iothub/twin/patch/desired version=2 {\"n\":1,\"$version\":2}";
    assert_eq!(device.hear(&mut world), [told]);
}
