//! Commands over both protocols and by lock (iot-hub B2, A14.4, D2): none is lost, each is settled
//! once.

use crate::device::{ClassicHello, Device, Hello};
use crate::plane::with_device;
use crate::world::{Answer, World, code, take, take_after};
use crashdisk::{CrashDisk, below};
use hub::IfMatch;
use hub::command::Settlement;
use hub::errors::{ErrorCode, Refusal};
use mqtt::qos::QoS;
use node::devices::{Ask, Sending};
use std::collections::BTreeSet;

const QOS_0: QoS = QoS::AtMostOnce;
const QOS_1: QoS = QoS::AtLeastOnce;

fn send(world: &mut World, id: &str, body: &str) -> Answer<Result<u64, Refusal>> {
    let sending = Sending {
        body: body.as_bytes().to_vec(),
        system: Default::default(),
        application: Default::default(),
    };
    world.ask(id, |reply| Ask::Send(Box::new(sending), reply))
}

fn sent(world: &mut World, body: &str) -> u64 {
    take_after(world, |world| send(world, "d1", body)).unwrap()
}

fn listening(world: &mut World) -> Device {
    let (mut device, _) = Hello::new("d1").connect(world);
    let heard = device.subscribe(world, &[("$iothub/commands", QOS_1)]);
    assert_eq!(heard[0], "SUBACK [1]");
    device
}

fn waiting(world: &mut World) -> u32 {
    take(&world.ask("d1", Ask::Get)).unwrap().activity.commands
}

#[test]
fn a_device_of_mqtt_5_settles_what_it_gets() {
    for world in [World::in_memory(), World::on(CrashDisk::new(1))] {
        let mut world = with_device(world);
        assert_eq!(sent(&mut world, "one"), 1);
        let (mut device, _) = Hello::new("d1").connect(&mut world);
        let heard = device.subscribe(&mut world, &[("$iothub/commands", QOS_1)]);
        let first = "#1 $iothub/commands sequence-no=1 enqueued-time=1700000000000 \
                     delivery-count=0 one";
        assert_eq!(heard, ["SUBACK [1]", first]);
        assert_eq!(sent(&mut world, "two"), 2);
        assert_eq!(device.hear(&mut world).len(), 1, "it does not wait for the answer");
        assert_eq!(waiting(&mut world), 2);
        assert!(device.puback(&mut world, 1, None).is_empty());
        world.settled();
        assert_eq!(waiting(&mut world), 1);
        // Abandoned, it comes again, and counts.
        let mut heard = device.puback(&mut world, 2, Some("0603"));
        world.settled();
        heard.extend(device.hear(&mut world));
        assert!(heard[0].contains("sequence-no=2") && heard[0].contains("delivery-count=1"));
        let id = heard[0][1..].split(' ').next().unwrap().parse().unwrap();
        assert!(device.puback(&mut world, id, Some("0100")).is_empty());
        world.settled();
        assert_eq!(waiting(&mut world), 0);
        let shown = take(&world.ask("d1", Ask::Commands)).unwrap();
        assert_eq!(shown.waiting.len(), 0);
        let dead = shown.dead;
        assert_eq!((dead.len(), dead[0].deliveries), (1, 1));
        assert_eq!(dead[0].outcome.status_code(), "Rejected");
    }
}

#[test]
fn a_device_of_mqtt_311_completes_by_puback_and_a_lost_connection_gives_back() {
    let mut world = with_device(World::in_memory());
    assert_eq!(sent(&mut world, "x"), 1);
    let filter = [("devices/d1/messages/devicebound/#", QOS_1)];
    let (mut device, _) = ClassicHello::new("d1").connect(&mut world);
    let heard = device.subscribe(&mut world, &filter);
    assert!(heard[1].starts_with("#1 devices/d1/messages/devicebound/"), "{heard:?}");
    assert!(heard[1].contains("%24.to=%2Fdevices%2Fd1%2Fmessages%2FdeviceBound"), "{heard:?}");
    world.turn(|shard| shard.lost(device.link));
    let (mut device, _) = ClassicHello::new("d1").connect(&mut world);
    let heard = device.subscribe(&mut world, &filter);
    assert!(heard[1].starts_with("#1 devices/d1/messages/devicebound/"), "again: {heard:?}");
    assert!(device.puback(&mut world, 1, None).is_empty());
    assert_eq!(waiting(&mut world), 0);
}

#[test]
fn a_window_a_packet_size_and_qos_0_are_kept() {
    let mut world = with_device(World::in_memory());
    let (mut small, _) = Hello { packet_max: Some(120), ..Hello::new("d1") }.connect(&mut world);
    let _ = small.subscribe(&mut world, &[("$iothub/commands", QOS_1)]);
    assert_eq!(sent(&mut world, &"x".repeat(200)), 1);
    assert_eq!(sent(&mut world, "y"), 2);
    let heard = small.hear(&mut world);
    assert_eq!(heard.len(), 1, "the large one stays and keeps nobody waiting: {heard:?}");
    assert!(heard[0].contains("sequence-no=2"));
    let (mut device, _) = Hello::new("d1").connect(&mut world);
    let heard = device.subscribe(&mut world, &[("$iothub/commands", QOS_0)]);
    assert_eq!(heard.len(), 3, "{heard:?}");
    assert_eq!(waiting(&mut world), 0, "with QoS 0 delivery completes");
}

#[test]
fn services_and_devices_by_http_have_their_errors() {
    let mut world = with_device(World::in_memory());
    assert_eq!(code(take(&send(&mut world, "d9", "x"))), ErrorCode::DeviceNotFound);
    assert_eq!(code(take(&send(&mut world, "d1/m", "x"))), ErrorCode::ArgumentInvalid);
    for n in 1..=50 {
        assert_eq!(sent(&mut world, "x"), n);
    }
    let full = ErrorCode::DeviceMaximumQueueDepthExceeded;
    assert_eq!(code(take(&send(&mut world, "d1", "x"))), full);
    let receive =
        |world: &mut World| take(&world.ask("d1", |reply| Ask::Receive(10_000, reply))).unwrap();
    let settle = |world: &mut World, token, how| {
        take(&world.ask("d1", |reply| Ask::Settle(token, how, reply)))
    };
    let first = receive(&mut world).unwrap();
    assert_eq!(first.delivery.content.read().sequence, 1);
    assert_eq!(settle(&mut world, first.token, Settlement::Complete), Ok(()));
    let lost = ErrorCode::DeviceMessageLockLost;
    assert_eq!(code(settle(&mut world, first.token, Settlement::Complete)), lost);
    let second = receive(&mut world).unwrap();
    world.advance(10_001);
    assert_eq!(code(settle(&mut world, second.token, Settlement::Complete)), lost);
    let purged = take(&world.ask("d1", Ask::Purge));
    assert_eq!((purged, waiting(&mut world)), (Ok(49), 0));
    assert!(receive(&mut world).is_none());
    // Time ends what nobody fetches.
    assert_eq!(sent(&mut world, "x"), 51);
    world.advance(3_600_001);
    assert_eq!(waiting(&mut world), 0);
    let _ = take_after(&mut world, |w| w.ask("d1", |reply| Ask::Delete(IfMatch::Any, reply)));
    assert_eq!(code(take(&send(&mut world, "d1", "x"))), ErrorCode::DeviceNotFound);
}

/// A ledger over crashes: what was answered is delivered until it is settled, and what was settled
/// and told so never comes again.
#[test]
fn random_histories_lose_no_command_and_settle_none_twice() {
    let (mut crashes, mut delivered) = (0, 0);
    for seed in 0..30 {
        let mut chance = seed * 2 + 1;
        let mut world = with_device(World::on(CrashDisk::new(seed)));
        let mut device = listening(&mut world);
        let mut waits: BTreeSet<u64> = BTreeSet::new();
        let mut asked: Vec<Answer<Result<u64, Refusal>>> = Vec::new();
        // Packet identifier and number of what the device has; of what it settled since the last
        // commit nobody knows.
        let mut has: Vec<(u16, u64)> = Vec::new();
        let mut unknown: BTreeSet<u64> = BTreeSet::new();
        for _ in 0..150 {
            let mut heard = Vec::new();
            match below(&mut chance, 8) {
                0 | 1 => asked.push(send(&mut world, "d1", "x")),
                2 => world.commit(),
                3 if below(&mut chance, 3) == 0 => {
                    world = world.crash();
                    (crashes, device) = (crashes + 1, listening(&mut world));
                    asked.clear();
                    has.clear();
                    heard = device.hear(&mut world);
                }
                4 | 5 if !has.is_empty() => {
                    let (packet, number) =
                        has.swap_remove(below(&mut chance, has.len() as u64) as usize);
                    let abandons = below(&mut chance, 6) == 0;
                    heard = device.puback(&mut world, packet, abandons.then_some("0603"));
                    if !abandons {
                        waits.remove(&number);
                        unknown.insert(number);
                    }
                }
                6 => {
                    world.settled();
                    unknown.clear();
                }
                _ => {}
            }
            heard.extend(device.hear(&mut world));
            for answer in asked.extract_if(.., |answer| answer.lock().unwrap().is_some()) {
                if let Ok(number) = take(&answer) {
                    waits.insert(number);
                }
            }
            for line in heard.iter().filter(|line| line.starts_with('#')) {
                let packet = line[1..].split(' ').next().unwrap().parse().unwrap();
                let number = line.split("sequence-no=").nth(1).unwrap();
                let number: u64 = number.split(' ').next().unwrap().parse().unwrap();
                assert!(
                    waits.contains(&number) || unknown.contains(&number) || !asked.is_empty(),
                    "seed {seed}: {line}"
                );
                has.push((packet, number));
                delivered += 1;
            }
        }
        world = world.crash();
        let mut device = listening(&mut world);
        world.settled();
        let heard = device.hear(&mut world).len() as u32;
        assert!(waiting(&mut world) as usize >= waits.len(), "seed {seed}: {waits:?}, {heard}");
    }
    assert!(crashes > 100 && delivered > 500, "{crashes} {delivered}");
}
