//! A registry at its home, on a disk that crashes: what was answered is there afterwards, each
//! version of a twin was handed out once, and a full disk changes nothing (iot-hub B1, C3).

use crate::world::{Patched, World, code, take, take_after};
use crashdisk::{CrashDisk, Fault, below};
use hub::IfMatch;
use hub::errors::ErrorCode;
use hub::identity::{BulkRow, RowError};
use hub::query::Query;
use node::devices::{Ask, Counts, Scan};
use node::post::Post;
use std::collections::BTreeMap;
use std::sync::Arc;

#[test]
fn nothing_is_answered_before_it_is_a_fact_and_all_that_was_is_there_after_a_crash() {
    let mut world = World::on(CrashDisk::new(3));
    let created = world.put("d1", IfMatch::Absent);
    let patched = world.patch("d1", r#"{"tags":{"a":1}}"#);
    assert!(created.lock().unwrap().is_none() && patched.lock().unwrap().is_none());
    world.commit();
    assert_eq!(take(&created), Ok(true));
    assert!(patched.lock().unwrap().is_none(), "its own record comes behind");
    world.commit();
    assert_eq!(take(&patched), Ok(2));
    let unanswered = world.patch("d1", r#"{"tags":{"a":2}}"#);
    let mut world = world.crash();
    assert!(unanswered.lock().unwrap().is_none());
    assert!(world.twin("d1").unwrap().contains(r#""version":3,"tags":{"a":1}"#));
    assert_eq!(world.counts(), Counts { enabled: 1, ..Counts::default() });
    assert_eq!(
        code(take_after(&mut world, |w| w.put("d1", IfMatch::Absent))),
        ErrorCode::DeviceAlreadyExists
    );
}

#[test]
fn a_device_takes_its_modules_with_it_and_stays_away() {
    let mut world = World::on(CrashDisk::new(4));
    let put =
        |world: &mut World, id: &str| take_after(world, |world| world.put(id, IfMatch::Absent));
    assert_eq!(code(put(&mut world, "d1/m")), ErrorCode::DeviceNotFound);
    for id in ["d1", "d1/m", "d1/n", "d2"] {
        assert_eq!(put(&mut world, id), Ok(true));
    }
    assert!(take_after(&mut world, |w| w.patch("d1/m", r#"{"tags":{"a":1}}"#)).is_ok());
    let modules = take(&world.ask("d1", Ask::Modules)).unwrap();
    assert_eq!(modules.len(), 2);
    let gone = take_after(&mut world, |w| w.ask("d1", |reply| Ask::Delete(IfMatch::Any, reply)));
    assert_eq!(gone, Ok(()));
    let mut world = world.crash();
    assert_eq!(world.devices(), ["d2"]);
    assert_eq!(code(world.twin("d1/m")), ErrorCode::ModuleNotFound);
    // A new life has a new twin.
    assert_eq!(put(&mut world, "d1"), Ok(true));
    assert_eq!(put(&mut world, "d1/m"), Ok(true));
    let mut world = world.crash();
    assert!(world.twin("d1/m").unwrap().contains(r#""version":2,"tags":{}"#));
    assert_eq!(world.counts().enabled, 2);
}

#[test]
fn a_full_disk_refuses_and_changes_nothing() {
    let mut world = World::on(CrashDisk::new(6));
    assert_eq!(take_after(&mut world, |w| w.put("d1", IfMatch::Absent)), Ok(true));
    world.disk.plan(0, Fault::Full(1 << 40));
    let large = |n: u64| format!("{{\"tags\":{{\"n\":{n},\"x\":\"{}\"}}}}", "y".repeat(3_000));
    let mut written = 0;
    let refused = loop {
        match take_after(&mut world, |world| world.patch("d1", &large(written + 1))) {
            Ok(_) => written += 1,
            Err(refusal) => break refusal.code,
        }
        assert!(written < 100, "a segment has 16 KB");
    };
    assert_eq!(refused, ErrorCode::ServiceUnavailable);
    let refused = world.patch("d1", &large(99));
    let behind = world.patch("d1", r#"{"tags":{"x":null,"b":1}}"#);
    world.commit();
    assert_eq!(code(take(&refused)), ErrorCode::ServiceUnavailable);
    world.disk.mend();
    world.settled();
    assert!(take(&behind).is_ok(), "what waited has its turn");
    let mut world = world.crash();
    let tags = format!("\"tags\":{{\"n\":{written},\"b\":1}}");
    let twin = world.twin("d1").unwrap();
    assert!(twin.contains(&tags), "{tags} {twin}");
    assert_eq!(world.devices(), ["d1"]);
}

/// Rows of a bulk operation, one of which would leave half of itself.
#[test]
fn a_row_is_whole_or_not_at_all() {
    for mut world in [World::in_memory(), World::on(CrashDisk::new(8))] {
        let body = br#"[
            {"id":"d1","importMode":"create","tags":{"a":1}},
            {"id":"d2","importMode":"create","tags":{"$a":1}},
            {"id":"d1","importMode":"updateTwin","tags":{"b":2}}
        ]"#;
        let mut rows = BulkRow::read_all(body).unwrap().into_iter();
        let mut row = |world: &mut World| {
            let (row, fresh) = (Box::new(rows.next().unwrap()?), world.fresh());
            let id = row.id.to_string();
            take_after(world, |world| world.ask(&id, |reply| Ask::Row(row, fresh, reply)))
        };
        assert_eq!(row(&mut world), Ok(()));
        let refused: Result<(), RowError> = row(&mut world);
        assert_eq!(refused.unwrap_err().refusal.code, ErrorCode::ArgumentInvalid);
        let twice = row(&mut world).unwrap_err().refusal.code;
        assert_eq!(twice, ErrorCode::DeviceDefinedMultipleTimes);
        assert_eq!(world.devices(), ["d1"]);
        assert!(world.twin("d1").unwrap().contains(r#""tags":{"a":1}"#));
    }
}

#[test]
fn queries_go_through_all_of_a_home_in_parts() {
    let mut world = World::in_memory();
    for n in 0..2_500 {
        let id = format!("d{n:04}");
        assert_eq!(take(&world.put(&id, IfMatch::Absent)), Ok(true));
        if n % 5 == 0 {
            assert!(take(&world.patch(&id, r#"{"tags":{"fifth":true}}"#)).is_ok());
        }
    }
    let query = "SELECT deviceId FROM devices WHERE tags.fifth = true";
    let (rows, parts) = scan(&mut world, query, 400);
    assert_eq!((rows.len(), parts), (500, 3));
    assert_eq!(rows[1], r#"{"deviceId":"d0005"}"#);
    let query = "SELECT COUNT() AS n FROM devices GROUP BY tags.fifth";
    assert_eq!(scan(&mut world, query, 9).0, [r#"{"n":500}"#, r#"{"n":2000}"#]);
}

fn scan(world: &mut World, query: &str, rows: usize) -> (Vec<String>, usize) {
    let query = Arc::new(Query::parse(query).unwrap());
    let (mut found, mut parts, mut after, mut tally) = (Vec::new(), 0, None, query.tally());
    loop {
        let scan = Scan { query: Arc::clone(&query), after, rows, tally };
        let part = take(&world.post(|reply| Post::Scan(Box::new(scan), reply))).unwrap();
        parts += 1;
        found.extend(part.rows.into_iter().map(|(_, row)| String::from_utf8(row).unwrap()));
        (after, tally) = (part.next, part.tally);
        if after.is_none() {
            let mut row = |row: &[u8]| found.push(String::from_utf8(row.to_vec()).unwrap());
            tally.iter().for_each(|tally| tally.write_rows(&mut row));
            return (found, parts);
        }
    }
}

/// Whatever the crash leaves: an answered write is there, and no version comes twice.
#[test]
fn random_histories_lose_nothing_that_was_answered() {
    let mut crashes = 0;
    for seed in 0..40 {
        let mut chance = seed * 2 + 1;
        let mut world = World::on(CrashDisk::new(seed));
        // By device: the highest answered value, and the highest that was asked for.
        let mut answered: BTreeMap<String, u64> = BTreeMap::new();
        let mut asked: Vec<(String, u64, Patched)> = Vec::new();
        let mut etags: BTreeMap<String, u64> = BTreeMap::new();
        let mut value = 0;
        for _ in 0..300 {
            let id = format!("d{}", below(&mut chance, 3));
            match below(&mut chance, 12) {
                0 => drop(world.put(&id, IfMatch::Absent)),
                1 => drop(world.put(&id, IfMatch::Any)),
                2 => {
                    world = world.crash();
                    crashes += 1;
                    asked.clear();
                    for (id, value) in &answered {
                        let twin = world.twin(id).unwrap();
                        let json: serde_json::Value = serde_json::from_str(&twin).unwrap();
                        assert!(json["tags"]["n"].as_u64() >= Some(*value), "{seed}: {id} {twin}");
                    }
                    etags.clear();
                }
                3 | 4 => world.commit(),
                _ => {
                    value += 1;
                    let answer = world.patch(&id, &format!("{{\"tags\":{{\"n\":{value}}}}}"));
                    asked.push((id, value, answer));
                }
            }
            asked.retain(|(id, value, answer)| {
                let Some(answer) = answer.lock().unwrap().take() else { return true };
                if let Ok(etag) = answer {
                    let before = etags.insert(id.clone(), etag);
                    assert!(before.is_none_or(|before| before < etag), "{before:?} {etag}");
                    answered.insert(id.clone(), *value);
                }
                false
            });
        }
    }
    assert!(crashes > 500, "{crashes}");
}
