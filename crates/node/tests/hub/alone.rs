//! Profile `iot-hub`: nothing but the hub (iot-hub A5, A6, A9, A10).

use crate::device::Hello;
use crate::plane::with_device;
use crate::world::World;
use mqtt::qos::QoS;

const QOS_0: QoS = QoS::AtMostOnce;
const QOS_1: QoS = QoS::AtLeastOnce;

#[test]
fn connack_announces_what_the_plane_has() {
    let mut world = with_device(World::alone());
    let (device, heard) =
        Hello { session_expiry: Some(60), ..Hello::new("d1") }.connect(&mut world);
    assert_eq!(heard, ["CONNACK 0"]);
    assert_eq!(
        device.announced,
        [
            "SessionExpiry(4294967295)",
            "ReceiveMax(16)",
            "MaximumQoS(1)",
            "RetainAvailable(false)",
            "PacketMax(262144)",
            "TopicAliasMax(10)",
            "SubscriptionIdAvailable(false)",
            "SharedSubscriptionAvailable(false)",
            "ServerKeepAlive(1140)",
            "AuthenticationMethod(\"SAS\")",
        ]
    );
}

#[test]
fn there_is_nothing_outside_the_hub() {
    let mut world = with_device(World::alone());
    let (mut device, _) = Hello::new("d1").connect(&mut world);
    for (filter, code) in [("a/b", 0x8F), ("#", 0x8F), ("$share/g/a", 0x9E), ("$SYS/#", 0x8F)] {
        let heard = device.subscribe(&mut world, &[(filter, QOS_0)]);
        assert_eq!(heard, [format!("SUBACK [{code}]")], "{filter}");
    }
    let heard = device.publish(&mut world, ("a/b", QOS_1), (None, &[]), b"");
    assert_eq!(heard, ["PUBACK 144 reason"]);
    let heard = device.publish(&mut world, ("a/b", QOS_0), (None, &[]), b"");
    assert_eq!(heard, ["DISCONNECT 144 reason", "closed"]);
}

#[test]
fn fifty_subscriptions_and_no_more() {
    let mut world = with_device(World::alone());
    let (mut device, _) = Hello::new("d1").connect(&mut world);
    for n in 0..50 {
        let filter = format!("$iothub/methods/m{n}");
        assert_eq!(device.subscribe(&mut world, &[(&filter, QOS_0)]), ["SUBACK [0]"]);
    }
    let more = [("$iothub/commands", QOS_1), ("$iothub/methods/m7", QOS_0)];
    assert_eq!(device.subscribe(&mut world, &more), ["SUBACK [151, 0]"]);
    assert_eq!(device.subscribe(&mut world, &[("$iothub/responses", QOS_0)]), ["SUBACK [0]"]);
}

/// Whoever comes is a device, or is told what a device says.
#[test]
fn every_connect_is_for_the_hub() {
    let mut world = with_device(World::alone());
    let nothing = Hello { method: None, properties: vec![], ..Hello::new("d1") };
    let heard = nothing.connect(&mut world).1;
    assert_eq!(heard, ["CONNACK 131 status=0100 reason", "closed"]);
    let other = Hello { method: Some("OAUTH2-JWT"), ..Hello::new("d1") };
    assert_eq!(other.connect(&mut world).1, ["CONNACK 140 status=0100 reason", "closed"]);
}
