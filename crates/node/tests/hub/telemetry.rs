//! The telemetry channel at the home of devices: what is acknowledged is there, in order, for as
//! long as it was promised, and groups find where they were.

use crate::channel::{bodies, count, lines};
use crate::device::{ClassicHello, Device, Hello};
use crate::world::{NOW_MS, World, hub, take, take_after};
use broker::limits::Limits;
use crashdisk::{CrashDisk, Fault};
use hub::IfMatch;
use hub::channel::{Envelope, GroupName, Partitions};
use mqtt::qos::QoS;
use node::channel::{Channel, ChannelSettings, GroupAsk, NotCommitted, Offsets};
use node::devices::Hub;
use node::post::Post;
use std::sync::Arc;
use store::log::Credit;

const TELEMETRY: &str = "$iothub/telemetry";
const QOS_0: QoS = QoS::AtMostOnce;
pub const QOS_1: QoS = QoS::AtLeastOnce;

pub fn with_devices(mut world: World, ids: &[&str]) -> World {
    for id in ids {
        assert_eq!(take_after(&mut world, |w| w.put(id, IfMatch::Absent)), Ok(true));
    }
    world
}

pub fn connected(world: &mut World, id: &str) -> Device {
    let (device, heard) = Hello::new(id).connect(world);
    assert_eq!(heard, ["CONNACK 0"]);
    device
}

pub fn send(world: &mut World, device: &mut Device, qos: QoS, body: &str) -> Vec<String> {
    device.publish(world, (TELEMETRY, qos), (None, &[("@p", "v")]), body.as_bytes())
}

#[test]
fn telemetry_is_acknowledged_when_it_is_a_fact_and_stamped() {
    for world in [World::in_memory(), World::on(CrashDisk::new(1))] {
        let mut world = with_devices(world, &["d1", "d1/m"]);
        let mut module = connected(&mut world, "d1/m");
        let mut told = send(&mut world, &mut module, QOS_1, "{}");
        assert_eq!(told.is_empty(), world.keeps(), "nothing is told before it is a fact");
        assert_eq!(count(&mut world), usize::from(!world.keeps()));
        world.settled();
        told.extend(module.hear(&mut world));
        assert_eq!(told, ["PUBACK 0"]);
        assert_eq!(send(&mut world, &mut module, QOS_0, "0"), Vec::<String>::new());
        world.settled();
        let lines = lines(&mut world);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.0 == Partitions::default().of("d1")));
        assert!(lines[0].1 < lines[1].1);
        for part in [
            r#""enqueuedTime":"2023-11-14T22:13:20.000Z","source":"Telemetry","deviceId":"d1""#,
            r#""moduleId":"m""#,
            r#""iothub-connection-auth-generation-id":""#,
            r#""properties":{"p":"v"},"bodyBase64":"e30="}"#,
        ] {
            assert!(lines[0].2.contains(part), "{part}: {}", lines[0].2);
        }
        assert!(!lines[0].2.contains("auth-method"));
    }
}

/// A9: more than 16 unacknowledged PUBLISH of a client end its connection.
#[test]
fn telemetry_counts_against_the_receive_maximum() {
    let small = Limits { receive_max: 16, ..Limits::open() };
    let mut world = with_devices(World::on_limited(CrashDisk::new(2), small), &["d1"]);
    let mut device = connected(&mut world, "d1");
    for round in 0..2 {
        for n in 0..16 {
            let heard = send(&mut world, &mut device, QOS_1, "x");
            assert_eq!(heard, Vec::<String>::new(), "{round} {n}");
        }
        world.settled();
        assert_eq!(device.hear(&mut world).len(), 16);
    }
    (0..16).for_each(|_| drop(send(&mut world, &mut device, QOS_1, "x")));
    let heard = send(&mut world, &mut device, QOS_1, "x");
    assert_eq!(heard, ["DISCONNECT 147", "closed"]);
}

/// Every device has its order and its partition, and after a crash all that was acknowledged.
#[test]
fn what_was_acknowledged_outlives_a_crash_in_order() {
    let ids = ["a", "b", "c", "d", "e"];
    let mut world = with_devices(World::on(CrashDisk::new(7)), &ids);
    let mut sent = vec![Vec::new(); 4];
    for round in 0..4 {
        let mut devices: Vec<Device> = ids.iter().map(|id| connected(&mut world, id)).collect();
        let mut told = 0;
        for n in 0..30 {
            for (device, id) in devices.iter_mut().zip(ids) {
                let body = format!("{id} {round} {n} {}", "x".repeat(100));
                told += send(&mut world, device, QOS_1, &body).len();
                sent[Partitions::default().of(id)].push(body);
            }
            if n % 7 == 0 {
                world.commit();
            }
        }
        world.settled();
        for device in &mut devices {
            let heard = device.hear(&mut world);
            assert!(heard.iter().all(|ack| ack == "PUBACK 0"), "{heard:?}");
            told += heard.len();
        }
        assert_eq!(told, 150);
        let ends: Vec<u64> = (0..4).map(|p| world.hub.channel.end(p).0).collect();
        world = world.crash();
        world.clean();
        assert_eq!(bodies(&mut world), sent);
        assert_eq!((0..4).map(|p| world.hub.channel.end(p).0).collect::<Vec<_>>(), ends);
    }
}

fn small_hub() -> Hub {
    let partitions = Partitions::new(2).unwrap();
    let settings = ChannelSettings { partitions, retention_ms: 3_600_000, bytes_max: 64 * 1024 };
    let mut hub = hub();
    hub.channel = Arc::new(Channel::new(settings));
    hub
}

#[test]
fn old_messages_go_and_give_their_space_back() {
    let mut world = with_devices(World::with(CrashDisk::new(3), small_hub), &["d1"]);
    let mut largest = 0;
    for round in 0..20 {
        let mut device = connected(&mut world, "d1");
        for n in 0..40 {
            send(&mut world, &mut device, QOS_1, &format!("{round} {n} {}", "x".repeat(400)));
        }
        world.settled();
        let left = count(&mut world);
        assert!(left * 450 < 70 * 1024, "{left}");
        assert!(round < 4 || left * 450 > 50 * 1024, "{left}");
        if round % 5 == 4 {
            world = world.crash();
            assert_eq!(count(&mut world), left, "a start goes on where it was");
        }
        world.clean();
        largest = largest.max(world.log().unwrap().extent().bytes);
    }
    assert!(largest < 256 * 1024, "{largest} bytes on the disk");
    // An hour later nothing is left, though nobody sends.
    world.settled();
    world.now.wall_ms += 3_600_000;
    world.settled();
    assert_eq!(count(&mut world), 0);
    let log = world.log();
    let next = world.hub.channel.first(log.as_ref(), world_partition()).unwrap();
    assert_eq!(next.0, world.hub.channel.end(world_partition()).0 + 1);
    // A partition that never had a message ends no earlier than it begins.
    let other = 1 - world_partition();
    let first = world.hub.channel.first(log.as_ref(), other).unwrap();
    assert_eq!(first, world.hub.channel.next(other));
    assert!(commit(&mut world, "g", vec![(other as u8, first.0)]).is_ok());
}

fn world_partition() -> usize {
    Partitions::new(2).unwrap().of("d1")
}

#[test]
fn the_first_message_since_a_time_is_found() {
    let both = [World::in_memory(), World::on(CrashDisk::new(5))];
    for world in both {
        let mut world = with_devices(world, &["d1", "d2"]);
        let (mut one, mut other) = (connected(&mut world, "d1"), connected(&mut world, "d2"));
        for n in 0..50 {
            world.now.wall_ms = NOW_MS + n * 1_000;
            send(&mut world, &mut one, QOS_1, &n.to_string());
            send(&mut world, &mut other, QOS_1, "x");
            world.settled();
        }
        let partition = Partitions::default().of("d1");
        for (ms, expected) in [
            (0, Some("0")),
            (NOW_MS, Some("0")),
            (NOW_MS + 1, Some("1")),
            (NOW_MS + 17_000, Some("17")),
            (NOW_MS + 48_001, Some("49")),
            (NOW_MS + 49_001, None),
        ] {
            let (log, channel) = (world.log(), &world.hub.channel);
            let from = channel.since(log.as_ref(), partition, ms).unwrap();
            let credit = Credit { records: 1, bytes: 1 };
            let page = channel.read(log.as_ref(), partition, from, credit).unwrap();
            let body = page.records.first().map(|(_, p)| Envelope::decode(p).unwrap().body);
            assert_eq!(body, expected.map(str::as_bytes), "{ms}");
            if expected.is_none() {
                assert_eq!(from.0, channel.end(partition).0 + 1);
            }
        }
    }
}

fn commit(world: &mut World, group: &str, offsets: Offsets) -> Result<Offsets, NotCommitted> {
    let name = GroupName::parse(group).unwrap();
    take_after(world, |w| {
        w.post(|reply| Post::Groups(Box::new(GroupAsk::Commit(name, offsets, reply))))
    })
}

fn end(world: &mut World, group: &str) -> Result<bool, NotCommitted> {
    let name = GroupName::parse(group).unwrap();
    take_after(world, |w| w.post(|reply| Post::Groups(Box::new(GroupAsk::End(name, reply)))))
}

fn groups(world: &mut World) -> Vec<(String, Offsets)> {
    let all = world.post(|reply| Post::Groups(Box::new(GroupAsk::All(reply))));
    take(&all).into_iter().map(|(name, offsets)| (name.to_string(), offsets)).collect()
}

#[test]
fn groups_find_where_they_were() {
    let mut world = with_devices(World::on(CrashDisk::new(4)), &["d1"]);
    let mut device = connected(&mut world, "d1");
    send(&mut world, &mut device, QOS_1, "x");
    world.settled();
    let partition = Partitions::default().of("d1");
    let (p, end_of) = (partition as u8, world.hub.channel.end(partition).0);
    assert_eq!(commit(&mut world, "$Default", vec![(p, end_of)]), Ok(vec![(p, end_of)]));
    let other = if p == 0 { 1 } else { 0 };
    let both = commit(&mut world, "$Default", vec![(other, 1)]).unwrap();
    assert_eq!(both.len(), 2);
    let beyond = NotCommitted::Beyond { partition: p, next: end_of + 1 };
    assert_eq!(commit(&mut world, "g", vec![(p, end_of + 2)]), Err(beyond));
    assert_eq!(commit(&mut world, "g", vec![(4, 1)]), Err(NotCommitted::Partition(4)));
    assert_eq!(commit(&mut world, "g", vec![]), Err(NotCommitted::Nothing));
    assert_eq!(groups(&mut world), [("$Default".to_owned(), both.clone())]);
    for n in 0..20 {
        assert!(commit(&mut world, &format!("g{n}"), vec![(0, 1)]).is_ok());
    }
    assert_eq!(commit(&mut world, "one-more", vec![(0, 1)]), Err(NotCommitted::TooMany));
    assert_eq!((end(&mut world, "g3"), end(&mut world, "g3")), (Ok(true), Ok(false)));
    for _ in 0..3 {
        world = world.crash();
        world.clean();
        let found = groups(&mut world);
        assert_eq!((found.len(), &found[0]), (20, &("$Default".to_owned(), both.clone())));
        assert!(found.iter().all(|(name, _)| name != "g3"));
    }
    assert!(commit(&mut world, "g3", vec![(0, 1)]).is_ok());
}

/// A full disk: the device hears that it may send again, and nothing else is lost.
#[test]
fn what_the_disk_refuses_is_said_so() {
    let mut world = with_devices(World::on(CrashDisk::new(6)), &["d1"]);
    let mut device = connected(&mut world, "d1");
    world.disk.plan(0, Fault::Full(1 << 40));
    for _ in 0..200 {
        send(&mut world, &mut device, QOS_1, &"x".repeat(1_000));
    }
    world.settled();
    let heard = device.hear(&mut world);
    let refused = heard.iter().filter(|ack| *ack == "PUBACK 131 status=0603 trace-id").count();
    let taken = heard.iter().filter(|ack| *ack == "PUBACK 0").count();
    assert!(refused > 0 && refused + taken == 200, "{heard:?}");
    assert_eq!(count(&mut world), taken);
}

/// What a device of MQTT 3.1.1 says in its topic, and its will (D1 to D4).
#[test]
fn devices_of_mqtt_311_send_by_topic() {
    for world in [World::in_memory(), World::on(CrashDisk::new(1))] {
        let mut world = with_devices(world, &["d1"]);
        let hello = ClassicHello {
            will: Some(("devices/d1/messages/events/a=b", "gone")),
            ..ClassicHello::new("d1")
        };
        let (mut device, _) = hello.connect(&mut world);
        let topic = "devices/d1/messages/events/%24.ct=application%2Fjson&%24.ce=utf-8&x=1";
        let mut told = device.publish(&mut world, (topic, QOS_1), (None, &[]), b"{\"n\":1}");
        assert_eq!(told.is_empty(), world.keeps(), "nothing is told before it is a fact");
        world.settled();
        told.extend(device.hear(&mut world));
        assert_eq!(told, ["PUBACK 0"]);
        world.turn(|shard| shard.lost(device.link));
        world.settled();
        let lines = lines(&mut world);
        assert_eq!(lines.len(), 2);
        for (n, part) in [
            (0, r#""content-type":"application/json""#),
            (0, r#""properties":{"x":"1"},"body":{"n":1}}"#),
            (0, r#"\"scope\":\"device\",\"type\":\"sas\""#),
            (0, r#""dt-dataschema":"dtmi:a;1""#),
            (1, r#""properties":{"a":"b","iothub-MessageType":"Will"},"bodyBase64":"Z29uZQ=="}"#),
        ] {
            assert!(lines[n].2.contains(part), "{part}: {}", lines[n].2);
        }
        let (mut device, _) = ClassicHello::new("d1").connect(&mut world);
        let other = "devices/d1/messages/events/a=%00";
        let heard = device.publish(&mut world, (other, QOS_1), (None, &[]), b"");
        assert_eq!(heard, ["closed"]);
    }
    let mut world = with_devices(World::in_memory(), &["d1"]);
    let hello = ClassicHello { will: Some(("a/b", "gone")), ..ClassicHello::new("d1") };
    assert_eq!(hello.connect(&mut world).1, ["CONNACK 135", "closed"]);
}

/// It has no other way to be told than the end of its connection.
#[test]
fn a_device_of_mqtt_311_is_closed_where_the_disk_refuses() {
    let mut world = with_devices(World::on(CrashDisk::new(6)), &["d1"]);
    let (mut device, _) = ClassicHello::new("d1").connect(&mut world);
    world.disk.plan(0, Fault::Full(1 << 40));
    let mut heard = Vec::new();
    for _ in 0..200 {
        let to = ("devices/d1/messages/events/", QOS_1);
        heard.extend(device.publish(&mut world, to, (None, &[]), &[b'x'; 1_000]));
    }
    world.settled();
    heard.extend(device.hear(&mut world));
    assert_eq!(heard.last().map(String::as_str), Some("closed"));
    let taken = heard.iter().filter(|ack| *ack == "PUBACK 0").count();
    assert_eq!(count(&mut world), taken);
}
