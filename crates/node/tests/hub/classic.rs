//! The MQTT 3.1.1 device API at the home of a device (iot-hub D1, D2, D4).

use crate::device::{ClassicHello, Device};
use crate::plane::with_device;
use crate::world::{NOW_MS, World, take, take_after};
use crashdisk::CrashDisk;
use hub::errors::ErrorCode;
use hub::sas::{Key, Token};
use hub::telemetry::{AuthMethod, Scope};
use mqtt::qos::QoS;
use node::devices::{Ask, Credential};

const QOS_0: QoS = QoS::AtMostOnce;
const QOS_1: QoS = QoS::AtLeastOnce;

fn connected(world: &mut World, id: &str) -> Device {
    let (device, heard) = ClassicHello::new(id).connect(world);
    assert_eq!(heard, ["CONNACK 0"]);
    device
}

#[test]
fn user_name_and_token_are_judged() {
    let mut world = with_device(World::in_memory());
    let hello = ClassicHello::new;
    let named = |name: &str| ClassicHello { user_name: name.to_owned(), ..hello("d1") };
    let for_it = |resource: &str| ClassicHello { resource: resource.to_owned(), ..hello("d1") };
    let (in_, out) = (&["CONNACK 0"][..], &["CONNACK 135", "closed"][..]);
    let rows = [
        (hello("d1"), in_),
        (hello("d1/m"), in_),
        (ClassicHello { key: 2, ..hello("d1") }, in_),
        (named("hub/d1"), in_),
        (named("HUB/d1/api-version=2016-11-14"), in_),
        (for_it("hub"), in_),
        (for_it("hub/devices"), in_),
        (ClassicHello { key: 3, ..hello("d1") }, out),
        (hello("d2"), out),
        (hello("d1/n"), out),
        (named("hub/d2/?api-version=2021-04-12"), out),
        (named("other/d1/?api-version=2021-04-12"), out),
        (for_it("hub/devices/d2"), out),
        (for_it("other/devices/d1"), out),
    ];
    for (n, (hello, expected)) in rows.iter().enumerate() {
        assert_eq!(hello.connect(&mut world).1, *expected, "row {n}");
    }
}

#[test]
fn the_same_token_is_judged_by_http() {
    let mut world = with_device(World::in_memory());
    let expiry_s = NOW_MS / 1_000;
    let token = |key: u8, resource: &str, expiry_s| {
        Token::make(resource, expiry_s, None, &Key::generated(&[key; 32]))
    };
    let (good, later) = ("hub/devices/d1", expiry_s + 60);
    for (id, token, why) in [
        ("d1", token(1, good, later), None),
        ("d1", token(2, good, later), None),
        ("d1", token(1, "hub/devices/d2", later), Some("does not cover")),
        ("d1", token(1, good, expiry_s - 400), Some("expired")),
        ("d1", token(3, good, later), Some("does not let 'd1' in")),
        ("d9", token(1, "hub/devices/d9", later), Some("does not let 'd9' in")),
        ("d1", "SharedAccessSignature sr=hub".to_owned(), Some("has no sig")),
        ("d1", format!("{}&skn=none", token(1, good, later)), Some("does not let 'd1' in")),
    ] {
        let shown = Credential::Token(token.as_str().into());
        let verified = take(&world.ask(id, |reply| Ask::Verify(shown, reply)));
        match why {
            None => assert_eq!(verified, Ok(AuthMethod::Key(Scope::Device)), "{token}"),
            Some(why) => {
                let refusal = verified.unwrap_err();
                assert_eq!(refusal.code, ErrorCode::IotHubUnauthorizedAccess);
                assert!(refusal.message.contains(why), "{}", refusal.message);
            }
        }
    }
}

#[test]
fn a_twin_is_read_and_written_by_request_ids() {
    for world in [World::in_memory(), World::on(CrashDisk::new(1))] {
        let mut world = with_device(world);
        let mut device = connected(&mut world, "d1");
        let said = |device: &mut Device, world: &mut World, topic: &str, qos, payload: &str| {
            let mut heard = device.publish(world, (topic, qos), (None, &[]), payload.as_bytes());
            world.settled();
            heard.extend(device.hear(world));
            heard
        };
        let get = "$iothub/twin/GET/?$rid=1";
        let nothing: [&str; 0] = [];
        assert_eq!(said(&mut device, &mut world, get, QOS_0, " "), nothing, "nobody listens");
        let filters = [("$iothub/twin/res/#", QOS_0), ("$iothub/methods/POST/#", QOS_1)];
        assert_eq!(device.subscribe(&mut world, &filters), ["SUBACK [0, 1]"]);
        let begun = r#"{"desired":{"$version":1},"reported":{"$version":1}}"#;
        let told = said(&mut device, &mut world, get, QOS_0, " ");
        assert_eq!(told, [format!("$iothub/twin/res/200/?$rid=1 {begun}")]);
        let patch = "$iothub/twin/PATCH/properties/reported/?$rid=a-b";
        let told = said(&mut device, &mut world, patch, QOS_1, r#"{"a":1}"#);
        assert!(told.contains(&"PUBACK 0".to_owned()), "{told:?}");
        assert!(
            told.contains(&"$iothub/twin/res/204/?$rid=a-b&$version=2 ".to_owned()),
            "{told:?}"
        );
        let stale = format!("{patch}&$version=1");
        let told = said(&mut device, &mut world, &stale, QOS_0, "{}");
        assert_eq!(told, ["$iothub/twin/res/412/?$rid=a-b "]);
        let told = said(&mut device, &mut world, patch, QOS_0, "[]");
        assert!(told[0].starts_with("$iothub/twin/res/400/?$rid=a-b {\"errorCode\":400004,"));
        assert!(world.twin("d1").unwrap().contains(r#""modelId":"dtmi:a;1""#));
    }
}

#[test]
fn what_is_no_topic_of_the_device_ends_the_connection_or_is_the_brokers() {
    let mut world = with_device(World::in_memory());
    for topic in ["$iothub/x", "$iothub/twin/GET/", "$iothub/methods/res/abc/?$rid=1"] {
        let mut device = connected(&mut world, "d1");
        let heard = device.publish(&mut world, (topic, QOS_0), (None, &[]), b"");
        assert_eq!(heard, ["closed"], "{topic}");
    }
    let mut device = connected(&mut world, "d1");
    assert_eq!(device.subscribe(&mut world, &[("$iothub/x/#", QOS_0)]), ["SUBACK [128]"]);
    assert_eq!(device.subscribe(&mut world, &[("a/#", QOS_1)]), ["SUBACK [1]"]);
    let heard = device.publish(&mut world, ("a/b", QOS_0), (None, &[]), b"x");
    assert_eq!(heard, ["a/b x"]);
}

#[test]
fn desired_changes_come_with_their_version_and_subscriptions_stay() {
    let mut world = with_device(World::on(CrashDisk::new(7)));
    let hello = || ClassicHello { clean_session: false, ..ClassicHello::new("d1") };
    let (mut device, _) = hello().connect(&mut world);
    world.settled();
    assert_eq!(device.hear(&mut world), ["CONNACK 0"]);
    device.subscribe(&mut world, &[("$iothub/twin/PATCH/properties/desired/#", QOS_1)]);
    world.settled();
    assert_eq!(device.hear(&mut world), ["SUBACK [1]"]);
    let mut world = world.crash();
    let (mut device, _) = hello().connect(&mut world);
    world.settled();
    assert_eq!(device.hear(&mut world), ["CONNACK 0"]);
    let _ = take_after(&mut world, |w| w.patch("d1", r#"{"properties":{"desired":{"n":1}}}"#));
    let told = "$iothub/twin/PATCH/properties/desired/?$version=2 {\"n\":1,\"$version\":2}";
    assert_eq!(device.hear(&mut world), [told]);
}
