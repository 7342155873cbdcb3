//! Events beside their facts (iot-hub B6): whatever crashes, and whatever the disk refuses, every
//! fact that is there has its event once, and every event its fact.

use crate::channel::{count, payloads};
use crate::device::Hello;
use crate::endpoints::{waits, with_routes};
use crate::foreman;
use crate::world::{World, code, take, take_after};
use crashdisk::{CrashDisk, Fault, below};
use hub::IfMatch;
use hub::channel::Envelope;
use hub::errors::ErrorCode;
use hub::identity::{BulkRow, Generation};
use hub::route::WantedEnrichment;
use hub::twin::Mode;
use mqtt::qos::QoS;
use node::channel::ChannelSettings;
use node::counters::Loss;
use node::devices::{Ask, Hub};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const IDS: [&str; 4] = ["d0", "d0/m", "d1", "d2"];

/// To two endpoints, which get something else: each event is two records.
fn telling() -> Hub {
    let [lives, twins] = ["DeviceLifecycleEvents", "TwinChangeEvents"];
    let routes =
        [lives, twins].into_iter().flat_map(|s| ["events", "one"].map(|to| (s, "true", to)));
    let (key, value, endpoints) = ("site", "$twin.tags.site", &["one"][..]);
    let enrichments = [WantedEnrichment { key, value, endpoints }];
    let routes: Vec<_> = routes.collect();
    with_routes(&["one"], &routes, &enrichments, ChannelSettings::default())
}

/// Something that is done to devices, by a number that makes it another one than the last.
#[derive(Debug, Clone, Copy)]
enum Deed {
    Put(&'static str),
    /// Of the identity only, which is no event.
    Change(&'static str),
    Patch(&'static str),
    Replace(&'static str),
    /// By the device, which connects for it.
    Report(&'static str),
    /// A row that creates an identity and writes into its twin.
    Row(&'static str),
    Job,
    Delete(&'static str),
}

/// All sorts, on devices with modules and without.
const DEEDS: [Deed; 16] = [
    Deed::Put("d0"),
    Deed::Put("d0/m"),
    Deed::Patch("d0"),
    Deed::Row("d1"),
    Deed::Patch("d0/m"),
    Deed::Report("d0"),
    Deed::Change("d0"),
    Deed::Replace("d0"),
    Deed::Job,
    Deed::Patch("d1"),
    Deed::Delete("d1"),
    Deed::Report("d0/m"),
    Deed::Row("d1"),
    Deed::Delete("d0"),
    Deed::Put("d0"),
    Deed::Replace("d0"),
];

impl Deed {
    /// Asks for it. Who waits for an answer is not looked at.
    fn ask(self, world: &mut World, n: u64) {
        let desired = format!(r#"{{"desired":{{"n":{n},"k{n}":1}}}}"#);
        let twin = format!(r#"{{"tags":{{"n":{n},"site":"s{n}"}},"properties":{desired}}}"#);
        match self {
            Self::Put(id) => drop(world.put(id, IfMatch::Absent)),
            Self::Change(id) => drop(world.put(id, IfMatch::Any)),
            Self::Patch(id) => drop(world.patch(id, &twin)),
            Self::Replace(id) => drop(world.ask(id, |reply| {
                Ask::WriteTwin(Mode::Replace, twin.into_bytes(), IfMatch::Any, reply)
            })),
            Self::Report(id) => {
                let (mut device, _) = Hello::new(id).connect(world);
                device.subscribe(world, &[("$iothub/responses/+", QoS::AtMostOnce)]);
                let reported = format!("{{\"n\":{n},\"r{n}\":true}}");
                device.request(world, "$iothub/twin/patch/reported", &reported);
            }
            Self::Row(id) => {
                let body = format!(
                    r#"[{{"id":"{id}","importMode":"createOrUpdate","tags":{{"n":{n}}}}}]"#
                );
                let mut rows = BulkRow::read_all(body.as_bytes()).unwrap();
                let (row, fresh) = (Box::new(rows.remove(0).unwrap()), world.fresh());
                drop(world.ask(id, |reply| Ask::Row(row, fresh, reply)));
            }
            Self::Job => {
                let body = format!(
                    r#"{{"type":"scheduleUpdateTwin","updateTwin":{{"tags":{{"job":{n}}}}}}}"#
                );
                drop(foreman::plan(world, &format!("j{n}"), &body));
            }
            Self::Delete(id) => drop(world.ask(id, |reply| Ask::Delete(IfMatch::Any, reply))),
        }
    }
}

/// The lives and twins of all identities.
type Account = BTreeMap<String, (Generation, Value)>;

/// What events add up to. Each must follow on the one before it.
fn told(all: &[Vec<u8>]) -> Account {
    let mut account = Account::new();
    for envelope in all.iter().map(|payload| Envelope::decode(payload).unwrap()) {
        let ids = envelope.head.ids;
        let id = ids.module.map_or(ids.device.to_owned(), |m| format!("{}/{m}", ids.device));
        let body: Value = serde_json::from_slice(envelope.body).unwrap();
        let (_, operation) =
            envelope.properties.iter().find(|(name, _)| *name == "opType").unwrap();
        if *operation == "createDeviceIdentity" {
            let twin = json!({"version": 2, "tags": {}, "properties": body["properties"]});
            assert_eq!(body["version"], 2);
            let before = account.insert(id, (envelope.head.generation, twin));
            assert!(before.is_none(), "{body} comes twice");
            continue;
        }
        let Some((generation, twin)) = account.get_mut(&id) else { panic!("nothing of {body}") };
        assert_eq!(*generation, envelope.head.generation);
        let follows = body["version"].as_u64().unwrap() - twin["version"].as_u64().unwrap();
        match *operation {
            "updateTwin" => merge(twin, &body),
            "replaceTwin" => *twin = shown(&body),
            _ => {
                assert_eq!((*operation, follows), ("deleteDeviceIdentity", 0));
                assert_eq!(body["properties"], twin["properties"]);
                account.remove(&id);
                continue;
            }
        }
        assert_eq!(follows, 1, "{body}");
    }
    account
}

fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch.clone(),
    }
}

/// Of a twin's document what events tell too.
fn shown(twin: &Value) -> Value {
    let [version, tags, properties] = ["version", "tags", "properties"].map(|key| &twin[key]);
    json!({"version": version, "tags": tags, "properties": properties})
}

/// What is there.
fn kept(world: &mut World) -> Account {
    let mut account = Account::new();
    for id in IDS {
        let Ok(found) = take_after(world, |w| w.ask(id, Ask::Get)) else { continue };
        let twin = serde_json::from_str(&world.twin(id).unwrap()).unwrap();
        account.insert(id.to_owned(), (found.identity.generation(), shown(&twin)));
    }
    account
}

/// Every fact has its event at both endpoints, and every event its fact.
fn check(world: &mut World) -> Account {
    let kept = kept(world);
    assert_eq!(told(&payloads(world)), kept);
    let built_in = count(world);
    assert_eq!(waits(world, 0).len(), built_in);
    kept
}

#[test]
fn events_say_what_is_so_once_their_fact_is_one() {
    for mut world in [World::making(telling), World::with(CrashDisk::new(1), telling)] {
        let mut events = 0;
        for (n, deed) in (1..).zip(DEEDS) {
            deed.ask(&mut world, n);
            world.settled();
            check(&mut world);
            let before = std::mem::replace(&mut events, count(&mut world));
            let told = match deed {
                Deed::Change(_) => 0,
                // An identity and its twin; two devices; one with its module.
                Deed::Row(_) | Deed::Job | Deed::Delete("d0") => 2,
                _ => 1,
            };
            assert_eq!(events - before, told, "{n} {deed:?}");
        }
        let site = waits(&mut world, 0).into_iter().rfind(|line| line.contains("site=")).unwrap();
        assert!(site.contains("site=s16 "), "a route sees the twin after the write: {site}");
    }
}

/// The power goes between any two commits, before or behind each.
#[test]
fn a_crash_leaves_a_fact_with_its_event_or_neither() {
    let (mut crashes, mut lost, mut events) = (0, 0, 0);
    for end in 0.. {
        let mut world = World::with(CrashDisk::new(end + 1), telling);
        let mut left = end;
        'until: for (n, deed) in (1..).zip(DEEDS) {
            deed.ask(&mut world, n);
            // A job takes more commits than others.
            for _ in 0..6 {
                if left == 0 {
                    break 'until;
                }
                left -= 1;
                world.commit();
            }
        }
        if left > 0 {
            break;
        }
        let before = count(&mut world);
        let mut world = world.crash();
        lost += usize::from(count(&mut world) < before);
        check(&mut world);
        (crashes, events) = (crashes + 1, events.max(before));
        Deed::Patch("d0").ask(&mut world, 99);
        check(&mut world);
    }
    assert_eq!((crashes, lost), (DEEDS.len() * 6 + 1, 0), "what readers have seen stays");
    assert_eq!(events, 19);
}

/// The power goes in the middle of whatever the disk does.
#[test]
fn a_torn_batch_leaves_neither() {
    let mut whole = 0;
    // All that is done takes the disk 58 calls.
    for n in 0..350 {
        let mut world = World::with(CrashDisk::new(n * 2 + 1), telling);
        world.disk.plan(n % 70, Fault::PowerLoss);
        for (n, deed) in (1..).zip(DEEDS) {
            deed.ask(&mut world, n);
            (0..6).for_each(|_| world.commit());
        }
        let mut world = world.crash();
        let kept = check(&mut world);
        if kept.get("d0").is_some_and(|(_, twin)| twin["tags"]["n"] == 16) {
            whole += 1;
        }
    }
    assert!((1..100).contains(&whole), "{whole} were done before");
}

#[test]
fn what_a_full_disk_refuses_has_no_event() {
    let mut world = World::with(CrashDisk::new(6), telling);
    Deed::Put("d0").ask(&mut world, 1);
    world.settled();
    world.disk.plan(0, Fault::Full(1 << 40));
    let large = format!("{{\"tags\":{{\"x\":\"{}\"}}}}", "y".repeat(1_500));
    let mut written = 0;
    let refused = loop {
        match take_after(&mut world, |world| world.patch("d0", &large)) {
            Ok(_) => written += 1,
            Err(refusal) => break refusal.code,
        }
        assert!(written < 100, "a segment has 16 KB");
    };
    assert_eq!((refused, written > 0), (ErrorCode::ServiceUnavailable, true));
    let gone = world.ask("d0", |reply| Ask::Delete(IfMatch::Any, reply));
    world.commit();
    assert_eq!(code(take(&gone)), ErrorCode::ServiceUnavailable);
    world.disk.mend();
    let kept = check(&mut world);
    assert_eq!(kept["d0"].1["version"], 2 + written);
    assert_eq!(world.counters.dropped(Loss::Storage), 0, "their writers were told");
    assert_eq!(check(&mut world.crash()), kept);
}

#[test]
fn random_histories_tell_every_fact_once() {
    let (mut crashes, mut facts) = (0, 0);
    for seed in 0..40 {
        let mut chance = seed * 2 + 1;
        let mut world = World::with(CrashDisk::new(seed), telling);
        for step in 0..150 {
            let id = IDS[below(&mut chance, 4) as usize];
            let deed = match below(&mut chance, 20) {
                0 => Deed::Put(id),
                1 => Deed::Change(id),
                2 => Deed::Delete(id),
                3 => Deed::Row(["d1", "d2"][below(&mut chance, 2) as usize]),
                4 => Deed::Job,
                5 | 6 => Deed::Report(id),
                7 | 8 => Deed::Replace(id),
                9..12 => Deed::Patch(id),
                12 if below(&mut chance, 2) == 0 => {
                    world = world.crash();
                    check(&mut world);
                    crashes += 1;
                    continue;
                }
                13 if below(&mut chance, 3) == 0 => {
                    world.disk.plan(below(&mut chance, 9), Fault::PowerLoss);
                    continue;
                }
                14 => {
                    world.clean();
                    continue;
                }
                _ => {
                    world.commit();
                    continue;
                }
            };
            deed.ask(&mut world, step);
        }
        let mut world = world.crash();
        check(&mut world);
        facts += count(&mut world);
    }
    assert!(crashes > 80 && facts > 500, "{crashes} {facts}");
}
