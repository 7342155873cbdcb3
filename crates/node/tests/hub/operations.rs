//! The operations of iot-hub A14, section by section as the page has them, at QoS 0 and at QoS 1.

use crate::device::Device;
use crate::tables::{
    GET, PATCH, QOS_0, QOS_1, RESPONSES, TELEMETRY, alone, asked, connected, correlation,
};
use crate::world::{World, take, take_after};
use hub::errors::ErrorCode;
use hub::telemetry::{ApplicationProperties, SystemProperties};
use node::devices::{Ask, Sending};

/// A14: what each operation does when it goes well, and what a client's answer does. Its failures
/// are `faults`, status by status.
#[test]
fn a14_each_operation_is_as_its_section_says() {
    let mut world = alone();
    let mut device = connected(&mut world);
    // A14.1: MessageAck; "the hub must handle alias-only PUBLISH".
    for (qos, heard) in [(QOS_0, &[][..]), (QOS_1, &["PUBACK 0"])] {
        let all = [
            ("content-encoding", "utf-8"),
            ("message-id", "m"),
            ("user-id", "u"),
            ("correlation-id", "c"),
            ("creation-time", "1600987195320"),
            ("@name", "v"),
            ("@", ""),
        ];
        let said = device.publish(&mut world, (TELEMETRY, qos), (None, &all), b"\xff\x00");
        assert_eq!(said, heard, "A14.1 {qos:?}");
        for topic in [TELEMETRY, ""] {
            let said = device.publish_as(&mut world, (topic, qos), 3, b"x");
            assert_eq!(said, heard, "A14.1 by alias {qos:?}");
        }
    }
    // A14.2: no user properties; content is ignored.
    for payload in ["", "{"] {
        let told = device.request(&mut world, GET, payload);
        let twin = r#"{"desired":{"$version":1},"reported":{"$version":1}}"#;
        assert_eq!(told, [format!("$iothub/responses 63 {twin}")], "A14.2");
    }
    // A14.3: `version`, empty payload; `if-version` that differs.
    let patch = |world: &mut World, device: &mut Device, user: &[(&str, &str)]| {
        device.publish(world, (PATCH, QOS_0), (Some(b"c"), user), b"{\"a\":1}")
    };
    for (user, told) in [
        (&[][..], "version=2"),
        (&[("if-version", "2")], "version=3"),
        (&[("if-version", "2")], "status=0104"),
        (&[("@ignored", "x")], "version=4"),
    ] {
        let heard = patch(&mut world, &mut device, user);
        assert_eq!(heard, [format!("$iothub/responses 63 {told} ")], "A14.3 {user:?}");
    }
    a14_4_commands(&mut world);
    // A14.5: what the device answers, and what the caller gets.
    for (said, code) in [
        (&[("response-code", "200")][..], None),
        (&[("status", "06A0")], Some(ErrorCode::DeviceNotOnline)),
        (&[("status", "0603")], Some(ErrorCode::DeviceNotOnline)),
        (&[("status", "0100")], Some(ErrorCode::DeviceNotOnline)),
    ] {
        let (mut device, call) = asked(&mut world);
        let request = device.hear(&mut world);
        assert!(request[0].starts_with("$iothub/methods/m "), "A14.5 {request:?}");
        assert!(request[0].ends_with(" [1.0]"), "A14.5 {request:?}");
        let correlation = correlation(&request);
        assert!((1..=16).contains(&correlation.len()));
        let to = (RESPONSES, QOS_0);
        let heard = device.publish(&mut world, to, (Some(&correlation), said), b"7");
        assert_eq!(heard, Vec::<String>::new());
        let outcome = take(&call);
        assert_eq!(outcome.as_ref().err().map(|failed| failed.refusal.code), code, "{said:?}");
        if let Ok(reply) = outcome {
            assert_eq!((reply.status, &*reply.payload), (200, &b"7"[..]));
        }
    }
    // A14.6: `version`, and the patch with `$version`; not queued.
    let mut device = connected(&mut world);
    let want = r#"{"properties":{"desired":{"on":true,"off":null}}}"#;
    take_after(&mut world, |w| w.patch("d1", want)).unwrap();
    let filter = [("$iothub/twin/patch/desired", QOS_1)];
    assert_eq!(device.subscribe(&mut world, &filter), ["SUBACK [0]"], "A14.6: not queued");
    take_after(&mut world, |w| w.patch("d1", want)).unwrap();
    let told = r#"$iothub/twin/patch/desired version=3 {"on":true,"off":null,"$version":3}"#;
    assert_eq!(device.hear(&mut world), [told], "A14.6");
}

/// A14.4: the client's PUBACK, row by row.
fn a14_4_commands(world: &mut World) {
    /// What has become of the command.
    #[derive(Debug, PartialEq)]
    enum Now {
        Completed,
        Again,
        Dead,
    }
    for (reason, status, expected) in [
        (0, None, Now::Completed),
        (0x10, None, Now::Completed),
        (0, Some("0603"), Now::Completed),
        (131, Some("0603"), Now::Again),
        (131, Some("0100"), Now::Dead),
        (131, Some("0501"), Now::Again),
        (131, Some("0104"), Now::Dead),
        (131, Some("none"), Now::Again),
        (131, None, Now::Again),
        (151, None, Now::Again),
        (135, Some("0101"), Now::Dead),
    ] {
        let sending = Box::new(Sending {
            body: b"x".to_vec(),
            system: SystemProperties::default(),
            application: ApplicationProperties::default(),
        });
        let number = take_after(world, |w| w.ask("d1", |reply| Ask::Send(sending, reply))).unwrap();
        // Commands wait in the queue while the device has no subscription.
        let mut device = connected(world);
        let heard = device.subscribe(world, &[("$iothub/commands", QOS_1)]);
        let told = format!(
            "#1 $iothub/commands sequence-no={number} enqueued-time={} delivery-count=0 x",
            world.now.wall_ms
        );
        assert_eq!(heard, ["SUBACK [1]".to_owned(), told], "A14.4: the list is exhaustive");
        let mut heard = device.settle(world, 1, reason, status);
        heard.extend(device.hear(world));
        let shown = take(&world.ask("d1", Ask::Commands)).unwrap();
        let now = match (heard.first(), shown.waiting.len()) {
            (Some(again), 1) if again.contains("delivery-count=1") => Now::Again,
            (None, 0) if shown.dead.iter().any(|dead| dead.content.read().sequence == number) => {
                Now::Dead
            }
            (None, 0) => Now::Completed,
            other => panic!("{other:?}"),
        };
        assert_eq!(now, expected, "A14.4: {reason} {status:?}");
        // "No PUBACK, connection lost": it waits again, and can be purged.
        world.turn(|shard| shard.lost(device.link));
        let waited = u32::from(expected == Now::Again);
        assert_eq!(take_after(world, |w| w.ask("d1", Ask::Purge)), Ok(waited));
    }
}
