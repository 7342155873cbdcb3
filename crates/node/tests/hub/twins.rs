//! What is known of twins over time: what a device has missed, and what has changed them.

use crate::device::{Device, Hello};
use crate::plane::with_device;
use crate::world::{World, code, hub, take, take_after};
use crashdisk::CrashDisk;
use hub::IfMatch;
use hub::errors::ErrorCode;
use mqtt::qos::QoS;
use node::devices::{Ask, Hub, TwinHistory};

const QOS_0: QoS = QoS::AtMostOnce;
const DESIRED: (&str, QoS) = ("$iothub/twin/patch/desired", QOS_0);

fn connected(world: &mut World) -> Device {
    let (device, heard) = Hello::new("d1").connect(world);
    assert_eq!(heard, ["CONNACK 0"]);
    device
}

fn want(world: &mut World, desired: &str) {
    let body = format!("{{\"properties\":{{\"desired\":{desired}}}}}");
    take_after(world, |w| w.patch("d1", &body)).unwrap();
}

/// One notification with all of it behind SUBACK; without the property nothing is new.
#[test]
fn who_says_what_it_saw_hears_what_it_missed() {
    let mut world = with_device(World::in_memory());
    want(&mut world, r#"{"a":1,"b":{"x":1}}"#);
    want(&mut world, r#"{"b":{"y":2}}"#);
    want(&mut world, r#"{"c":3}"#);
    let told = |payload: &str| format!("{} version=4 {payload}", DESIRED.0);
    let whole = told(r#"{"a":1,"b":{"x":1,"y":2},"c":3,"$version":4}"#);
    type Said<'s> = &'s [(&'s str, &'s str)];
    let rows: [(Said<'_>, Vec<String>); 8] = [
        (&[], vec![]),
        (&[("since-version", "4")], vec![]),
        (&[("since-version", "3")], vec![told(r#"{"c":3,"$version":4}"#)]),
        (&[("since-version", "2")], vec![told(r#"{"b":{"y":2},"c":3,"$version":4}"#)]),
        (&[("since-version", "1")], vec![whole.clone()]),
        (&[("since-version", "0")], vec![whole.clone()]),
        // A version that is not there yet: the twin was made anew, or restored.
        (&[("since-version", "9"), ("x", "y")], vec![whole]),
        (&[("Since-Version", "1")], vec![]),
    ];
    for (said, missed) in rows {
        let mut device = connected(&mut world);
        let heard = device.subscribe_saying(&mut world, &[DESIRED], said);
        assert_eq!(heard[0], "SUBACK [0]");
        assert_eq!(heard[1..], missed, "{said:?}");
    }
    for bad in ["", "-1", "four", "18446744073709551616"] {
        let mut device = connected(&mut world);
        let filters = [("$iothub/methods/+", QOS_0), DESIRED];
        let heard = device.subscribe_saying(&mut world, &filters, &[("since-version", bad)]);
        assert_eq!(heard, ["SUBACK [0, 131]"], "only the filter that it is about: {bad}");
    }
    let mut device = connected(&mut world);
    let other = [("$iothub/methods/+", QOS_0)];
    let heard = device.subscribe_saying(&mut world, &other, &[("since-version", "1")]);
    assert_eq!(heard, ["SUBACK [0]"]);
    want(&mut world, r#"{"d":4}"#);
    assert_eq!(device.hear(&mut world), Vec::<String>::new());
}

/// Where a session is kept SUBACK waits for the log, and what was missed for SUBACK; a removal
/// makes it the whole section.
#[test]
fn what_was_missed_follows_the_suback_of_a_durable_session() {
    let mut world = with_device(World::on(CrashDisk::new(4)));
    want(&mut world, r#"{"a":1}"#);
    want(&mut world, r#"{"b":2}"#);
    want(&mut world, r#"{"a":null}"#);
    let hello = Hello { clean_start: false, session_expiry: Some(60), ..Hello::new("d1") };
    let (mut device, _) = hello.connect(&mut world);
    world.settled();
    assert_eq!(device.hear(&mut world), ["CONNACK 0"]);
    let since = [("since-version", "2")];
    let heard = device.subscribe_saying(&mut world, &[DESIRED], &since);
    assert_eq!(heard, Vec::<String>::new(), "nothing is told before it is a fact");
    world.settled();
    let missed = format!("{} version=4 {{\"b\":2,\"$version\":4}}", DESIRED.0);
    assert_eq!(device.hear(&mut world), ["SUBACK [0]".to_owned(), missed]);
}

fn history(world: &mut World, id: &str) -> String {
    String::from_utf8(take(&world.ask(id, Ask::TwinHistory)).unwrap()).unwrap()
}

fn two() -> Hub {
    let mut hub = hub();
    hub.twin_history = TwinHistory { changes_max: 2, bytes_max: 1 << 20 };
    hub
}

fn small() -> Hub {
    let mut hub = hub();
    hub.twin_history = TwinHistory { changes_max: 10, bytes_max: 2_000 };
    hub
}

#[test]
fn the_last_changes_of_a_twin_are_shown() {
    let mut world = with_device(World::making(two));
    assert_eq!(history(&mut world, "d1"), r#"{"forgotten":0,"changes":[]}"#);
    want(&mut world, r#"{"a":1}"#);
    let mut device = connected(&mut world);
    let _ = device.request(&mut world, "$iothub/twin/patch/reported", r#"{"r":true}"#);
    want(&mut world, r#"{"a":null}"#);
    assert_eq!(
        history(&mut world, "d1"),
        concat!(
            r#"{"forgotten":1,"changes":["#,
            r#"{"version":4,"time":"2023-11-14T22:13:20.0000000Z","by":"device","#,
            r#""reported":{"$version":2,"how":"patch","value":{"r":true}}},"#,
            r#"{"version":5,"time":"2023-11-14T22:13:20.0000000Z","by":"service","#,
            r#""desired":{"$version":3,"how":"patch","value":{"a":null}}}]}"#,
        )
    );
    assert_eq!(history(&mut world, "d1/m"), r#"{"forgotten":0,"changes":[]}"#);
    let unknown = take(&world.ask("d9", Ask::TwinHistory));
    assert_eq!(code(unknown), ErrorCode::DeviceNotFound);
    let gone = take_after(&mut world, |w| w.ask("d1", |reply| Ask::Delete(IfMatch::Any, reply)));
    assert_eq!(gone, Ok(()));
    assert_eq!(take_after(&mut world, |w| w.put("d1", IfMatch::Absent)), Ok(true));
    assert_eq!(history(&mut world, "d1"), r#"{"forgotten":0,"changes":[]}"#, "another life");
}

/// All histories together have a bound: what fills it keeps its place until its twin ends.
#[test]
fn histories_are_bounded_together() {
    let mut world = with_device(World::making(small));
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(1_500));
    want(&mut world, &long);
    want(&mut world, &long);
    let one = history(&mut world, "d1");
    assert!(one.starts_with(r#"{"forgotten":1,"changes":[{"version":4"#), "{one}");
    let patch = format!("{{\"properties\":{{\"desired\":{long}}}}}");
    take_after(&mut world, |w| w.patch("d1/m", &patch)).unwrap();
    assert_eq!(history(&mut world, "d1/m"), r#"{"forgotten":1,"changes":[]}"#);
    let gone = take_after(&mut world, |w| w.ask("d1", |reply| Ask::Delete(IfMatch::Any, reply)));
    assert_eq!(gone, Ok(()));
    for id in ["d1", "d1/m"] {
        assert_eq!(take_after(&mut world, |w| w.put(id, IfMatch::Absent)), Ok(true));
    }
    take_after(&mut world, |w| w.patch("d1/m", &patch)).unwrap();
    assert!(history(&mut world, "d1/m").starts_with(r#"{"forgotten":0,"changes":[{"#));
}

/// It begins with the start, which is said.
#[test]
fn a_start_begins_a_history_anew() {
    let mut world = with_device(World::on(CrashDisk::new(6)));
    want(&mut world, r#"{"a":1}"#);
    assert!(history(&mut world, "d1").contains("\"a\":1"));
    let mut world = world.crash();
    assert_eq!(history(&mut world, "d1"), r#"{"forgotten":0,"changes":[]}"#);
    want(&mut world, r#"{"a":2}"#);
    assert!(history(&mut world, "d1").contains("\"version\":4"));
}
