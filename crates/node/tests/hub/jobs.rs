//! Jobs (iot-hub C7): what a service has asked for is done to every device that its condition
//! selects, whatever crashes in between.

use crate::device::{Device, Hello};
use crate::foreman::{
    Shown, cancel, counts, document, get, listening, method_job, plan, planned, rows, status,
    twin_job, version, with_devices,
};
use crate::world::{World, code, take, take_after};
use crashdisk::{CrashDisk, Fault, below};
use hub::IfMatch;
use hub::errors::ErrorCode;
use hub::job::{KEPT_PAYLOAD_BYTES_MAX, Kind, Loss, RUNNING_MAX, Status};
use mqtt::qos::QoS;
use node::devices::Ask;
use node::jobs::{JobAsk, JobPage};
use node::post::Post;
use serde_json::Value;
use std::collections::BTreeMap;

#[test]
fn a_job_writes_the_twins_that_its_condition_selects() {
    for world in [World::in_memory(), World::on(CrashDisk::new(1))] {
        let mut world = with_devices(world, 41);
        let rest = r#","queryCondition":"tags.even = true","startTime":"2023-11-14T22:13:30Z""#;
        let job = planned(&mut world, "j1", &twin_job("x", rest));
        assert_eq!((&job["jobId"], &job["status"]), (&"j1".into(), &"scheduled".into()));
        let again = take_after(&mut world, |world| plan(world, "j1", &twin_job("x", "")));
        assert_eq!(code(again), ErrorCode::JobAlreadyExists);
        world.advance(9_999);
        world.settled();
        assert_eq!(status(&mut world, "j1"), "scheduled");
        world.advance(1);
        world.commit();
        let seen = status(&mut world, "j1");
        assert!(["queued", "running", "completed"].contains(&&*seen), "{seen}");
        world.settled();
        assert_eq!(
            (status(&mut world, "j1"), counts(&mut world, "j1")),
            ("completed".into(), [21, 0, 21, 0, 0])
        );
        assert!(world.twin("d40").unwrap().contains(r#""tags":{"even":true,"x":1}"#));
        assert!(world.twin("d39").unwrap().contains(r#""tags":{"even":false}"#));
        assert_eq!((version(&mut world, "d40"), version(&mut world, "d39")), (4, 3));
        let all = rows(&mut world, "SELECT * FROM devices.jobs WHERE jobId = 'j1'");
        assert_eq!(all.len(), 21);
        assert!(all.iter().all(|row| row["status"] == "completed"), "{all:?}");
        let some = "SELECT * FROM devices.jobs WHERE deviceId = 'd4' AND status = 'completed'";
        assert_eq!(rows(&mut world, some).len(), 1);
        assert!(rows(&mut world, "SELECT * FROM devices.jobs WHERE status = 'failed'").is_empty());
        if world.keeps() {
            world = world.crash();
            assert_eq!(status(&mut world, "j1"), "completed");
            assert_eq!(rows(&mut world, "SELECT * FROM devices.jobs"), all);
        }
        // Nobody needs to know of it for ever.
        world.advance(30 * 86_400_000 + 1);
        world.settled();
        assert_eq!(code(get(&mut world, "j1")), ErrorCode::JobNotFound);
        assert_eq!(planned(&mut world, "j1", &twin_job("y", ""))["jobId"], "j1");
    }
}

#[test]
fn twins_refuse_one_by_one() {
    let mut world = with_devices(World::on(CrashDisk::new(2)), 3);
    assert!(take_after(&mut world, |w| w.patch("d1", r#"{"tags":{"other":1}}"#)).is_ok());
    let etag: Value = serde_json::from_str(&world.twin("d1").unwrap()).unwrap();
    let body = format!(
        r#"{{"type":"scheduleUpdateTwin","updateTwin":{{"etag":{},"tags":{{"z":1}}}}}}"#,
        etag["etag"]
    );
    planned(&mut world, "j", &body);
    world.settled();
    assert_eq!(
        (status(&mut world, "j"), counts(&mut world, "j")),
        ("completed".into(), [3, 2, 1, 0, 0])
    );
    let failed = rows(&mut world, "SELECT * FROM devices.jobs WHERE status = 'failed'");
    assert!(failed.iter().all(|row| row["error"]["code"] == "412001"), "{failed:?}");
    let none = r#","queryCondition":"tags.none = 1""#;
    assert_eq!(planned(&mut world, "none", &twin_job("x", none))["status"], "queued");
    world.settled();
    assert_eq!(
        (status(&mut world, "none"), counts(&mut world, "none")),
        ("completed".into(), [0; 5])
    );
    // A device that goes between its selection and its turn.
    planned(&mut world, "gone", &twin_job("x", r#","queryCondition":"deviceId = 'd2'""#));
    let delete = |world: &mut World| world.ask("d2", |reply| Ask::Delete(IfMatch::Any, reply));
    let gone = delete(&mut world);
    world.settled();
    assert_eq!(take(&gone), Ok(()));
    let last = document(get(&mut world, "gone"));
    assert!(["completed", "failed"].contains(&last["status"].as_str().unwrap()), "{last}");
}

/// The device answers the one call that it has heard.
fn answer(world: &mut World, device: &mut Device, payload: &[u8]) {
    let heard = device.hear(world);
    assert_eq!(heard.len(), 1, "{heard:?}");
    let correlation = heard[0].split(' ').nth(1).unwrap();
    let correlation: Vec<u8> = (0..correlation.len() / 2)
        .map(|n| u8::from_str_radix(&correlation[2 * n..2 * n + 2], 16).unwrap())
        .collect();
    let done = [("response-code", "200")];
    let to = ("$iothub/responses", QoS::AtMostOnce);
    let _ = device.publish(world, to, (Some(&correlation), &done), payload);
    world.settled();
}

/// What a job takes is a part of the memory for data, and what it does not keep is counted.
#[test]
fn jobs_are_charged_and_long_answers_counted() {
    let mut world = with_devices(World::in_memory(), 1);
    let before = world.budget.bytes();
    let mut device = listening(&mut world, "d0");
    for (id, bytes, lost) in [("fits", KEPT_PAYLOAD_BYTES_MAX, 0), ("long", 5_000, 1)] {
        planned(&mut world, id, &method_job(""));
        world.settled();
        answer(&mut world, &mut device, &vec![b'1'; bytes]);
        assert_eq!(status(&mut world, id), "completed");
        assert_eq!(world.hub.job_losses.of(Loss::AnswerTooLong), lost);
    }
    let row = rows(&mut world, "SELECT * FROM devices.jobs WHERE jobId = 'long'").remove(0);
    let answer = &row["outcome"]["deviceMethodResponse"];
    assert_eq!((&answer["status"], &answer["payload"]), (&200.into(), &Value::Null));
    let kept = world.budget.bytes();
    assert!(kept > before + KEPT_PAYLOAD_BYTES_MAX, "{before} {kept}");
    world.advance(30 * 86_400_000 + 1);
    world.settled();
    assert_eq!(code(get(&mut world, "fits")), ErrorCode::JobNotFound);
    let after = world.budget.bytes();
    assert!(after + KEPT_PAYLOAD_BYTES_MAX < kept, "{kept} {after}");
    assert_eq!(world.hub.job_losses.of(Loss::HistoryFull), 0);
    let full = world.budget.account(0).charge(1 << 30);
    world.settled();
    let refused = take_after(&mut world, |world| plan(world, "more", &method_job("")));
    assert_eq!(code(refused), ErrorCode::ServiceUnavailable, "there is no memory for it");
    drop(full);
    world.settled();
    planned(&mut world, "more", &method_job(""));
}

#[test]
fn devices_answer_fail_or_say_nothing() {
    for world in [World::in_memory(), World::on(CrashDisk::new(3))] {
        let mut world = with_devices(world, 3);
        let (mut device, _) = Hello::new("d0").connect(&mut world);
        let _silent = listening(&mut world, "d1");
        device.subscribe(&mut world, &[("$iothub/methods/+", QoS::AtMostOnce)]);
        planned(&mut world, "j", &method_job(""));
        world.settled();
        assert_eq!(
            (status(&mut world, "j"), counts(&mut world, "j")),
            ("running".into(), [3, 1, 0, 2, 0])
        );
        answer(&mut world, &mut device, b"{\"a\":1}");
        assert_eq!(counts(&mut world, "j"), [3, 1, 1, 1, 0]);
        world.advance(5_001);
        world.settled();
        assert_eq!(
            (status(&mut world, "j"), counts(&mut world, "j")),
            ("completed".into(), [3, 2, 1, 0, 0])
        );
        let all = rows(&mut world, "SELECT * FROM devices.jobs");
        let answer = &all[0]["outcome"]["deviceMethodResponse"];
        assert_eq!((&answer["status"], &answer["payload"]["a"]), (&200.into(), &1.into()));
        assert_eq!(
            (&all[1]["error"]["code"], &all[2]["error"]["code"]),
            (&"504101".into(), &"404103".into())
        );
        planned(&mut world, "all", &method_job(r#","queryCondition":"deviceId = 'd2'""#));
        world.settled();
        let job = document(get(&mut world, "all"));
        assert_eq!(
            (&job["status"], &job["failureReason"]),
            (&"failed".into(), &"all devices have failed".into())
        );
    }
}

/// Nobody is asked twice: of whom a start cannot tell whether it was, that is said.
#[test]
fn a_crash_between_question_and_answer_is_told() {
    let mut world = with_devices(World::on(CrashDisk::new(4)), 2);
    let _device = listening(&mut world, "d0");
    planned(&mut world, "j", &method_job(r#","queryCondition":"deviceId = 'd0'""#));
    world.settled();
    assert_eq!(counts(&mut world, "j"), [1, 0, 0, 1, 0]);
    let mut world = world.crash();
    let (mut device, _) = Hello::new("d0").connect(&mut world);
    device.subscribe(&mut world, &[("$iothub/methods/+", QoS::AtMostOnce)]);
    world.settled();
    assert!(device.hear(&mut world).is_empty());
    assert_eq!(
        (status(&mut world, "j"), counts(&mut world, "j")),
        ("failed".into(), [1, 1, 0, 0, 0])
    );
    let row = rows(&mut world, "SELECT * FROM devices.jobs").remove(0);
    assert_eq!(row["error"]["code"], "500001", "{row}");
    let mut world = world.crash();
    assert_eq!(status(&mut world, "j"), "failed");
}

#[test]
fn jobs_are_cancelled_run_out_of_time_and_wait_for_each_other() {
    for world in [World::in_memory(), World::on(CrashDisk::new(5))] {
        let mut world = with_devices(world, 1);
        // The device is waited for: the job runs as long.
        let slow = method_job(r#","maxExecutionTimeInSeconds":60"#)
            .replace(r#""connectTimeoutInSeconds":0"#, r#""connectTimeoutInSeconds":300"#);
        let ids: Vec<String> = (0..RUNNING_MAX + 2).map(|n| format!("j{n}")).collect();
        for id in &ids {
            planned(&mut world, id, &slow);
        }
        world.settled();
        let seen: Vec<String> = ids.iter().map(|id| status(&mut world, id)).collect();
        assert_eq!(seen.iter().filter(|status| *status == "running").count(), RUNNING_MAX);
        assert_eq!(seen[RUNNING_MAX..], ["queued", "queued"]);
        let page = |world: &mut World, page| {
            take(&world.post(|reply| Post::Jobs(Box::new(JobAsk::Page(page, reply)))))
        };
        let queued = JobPage {
            kind: Some(Kind::Method),
            status: Some(Status::Queued),
            after: None,
            count: 1,
        };
        let first = page(&mut world, queued);
        assert_eq!((first.rows.len(), first.next.is_some()), (1, true));
        let second = page(&mut world, JobPage { after: first.next, ..queued });
        assert_eq!((second.rows.len(), second.next), (1, None));
        let twins = JobPage { kind: Some(Kind::Twin), ..queued };
        assert!(page(&mut world, twins).rows.is_empty());
        for id in ["j0", "j11"] {
            let shown = document(take_after(&mut world, |world| cancel(world, id)));
            assert_eq!(shown["status"], "cancelled", "{shown}");
        }
        world.settled();
        assert_eq!(status(&mut world, "j10"), "running");
        assert_eq!(counts(&mut world, "j0"), [1, 0, 0, 1, 0], "who was asked may answer yet");
        let twice = take_after(&mut world, |world| cancel(world, "j0"));
        assert_eq!(code(twice), ErrorCode::OperationNotAllowedInCurrentState);
        let missing = take_after(&mut world, |world| cancel(world, "none"));
        assert_eq!(code(missing), ErrorCode::JobNotFound);
        world.advance(60_000);
        world.settled();
        let late = document(get(&mut world, "j1"));
        assert_eq!(
            (&late["status"], &late["failureReason"]),
            (&"failed".into(), &"the time of the job is over".into())
        );
        world.advance(300_000);
        world.settled();
        assert_eq!(counts(&mut world, "j0"), [1, 1, 0, 0, 0]);
        if world.keeps() {
            world = world.crash();
            let all: Vec<String> = ids.iter().map(|id| status(&mut world, id)).collect();
            assert_eq!((&*all[0], &*all[1], &*all[11]), ("cancelled", "failed", "cancelled"));
        }
    }
}

#[test]
fn a_full_disk_makes_a_job_wait() {
    let mut world = with_devices(World::on(CrashDisk::new(6)), 300);
    let soon = r#","startTime":"2023-11-14T22:13:21Z""#;
    planned(&mut world, "j", &twin_job(&"x".repeat(20), soon));
    // What there is of the segment is enough for some of them.
    world.disk.plan(0, Fault::Full(1 << 40));
    for _ in 0..5 {
        world.advance(1_000);
        world.settled();
    }
    let [devices, failed, succeeded, ..] = counts(&mut world, "j");
    assert!(devices == 300 && failed == 0 && (1..300).contains(&succeeded), "{succeeded}");
    let refused = take_after(&mut world, |world| plan(world, "k", &twin_job("x", "")));
    assert_eq!(code(refused), ErrorCode::ServiceUnavailable);
    world.disk.mend();
    for _ in 0..3 {
        world.advance(1_000);
        world.settled();
    }
    let all = [300, 0, 300, 0, 0];
    assert_eq!((status(&mut world, "j"), counts(&mut world, "j")), ("completed".into(), all));
    for n in 0..300 {
        assert_eq!(version(&mut world, &format!("d{n}")), 4, "d{n}");
    }
    let mut world = world.crash();
    assert_eq!(counts(&mut world, "j"), all);
    assert_eq!(code(get(&mut world, "k")), ErrorCode::JobNotFound);
}

/// Whatever crashes: an acknowledged job comes to its end, and each twin is written as often as
/// jobs say that they have.
#[test]
fn random_histories_run_every_job_and_write_no_twin_twice() {
    let (mut crashes, mut ended) = (0, 0);
    for seed in 0..25 {
        let mut chance = seed * 2 + 1;
        let mut world = with_devices(World::on(CrashDisk::new(seed)), 12);
        let mut asked: BTreeMap<String, Shown> = BTreeMap::new();
        let mut certain: BTreeMap<String, bool> = BTreeMap::new();
        for step in 0..120 {
            match below(&mut chance, 10) {
                0 => {
                    let id = format!("j{step}");
                    let rest = ["", r#","queryCondition":"tags.even = true""#]
                        [below(&mut chance, 2) as usize];
                    let answer = plan(&mut world, &id, &twin_job(&id, rest));
                    asked.insert(id, answer);
                }
                1 => {
                    world = world.crash();
                    (crashes, asked) = (crashes + 1, BTreeMap::new());
                }
                2 if below(&mut chance, 4) == 0 => {
                    let some = certain.keys().nth(below(&mut chance, 5) as usize).cloned();
                    if let Some(id) = some {
                        drop(cancel(&mut world, &id));
                        certain.insert(id, false);
                    }
                }
                3 => world.clean(),
                4 => world.advance(1_000),
                _ => world.commit(),
            }
            asked.retain(|id, answer| match answer.lock().unwrap().take() {
                Some(answer) => {
                    assert!(answer.is_ok(), "seed {seed}: {answer:?}");
                    certain.insert(id.clone(), true);
                    false
                }
                None => true,
            });
        }
        world = world.crash();
        (0..20).for_each(|_| {
            world.advance(1_000);
            world.settled();
        });
        for (id, is_to_complete) in &certain {
            let seen = status(&mut world, id);
            if *is_to_complete {
                assert_eq!(seen, "completed", "seed {seed}: {id}");
                let [devices, failed, succeeded, ..] = counts(&mut world, id);
                assert!(failed == 0 && succeeded == devices && devices >= 6, "seed {seed}: {id}");
            }
            ended += 1;
        }
        let mut written: BTreeMap<String, u64> = BTreeMap::new();
        for row in rows(&mut world, "SELECT * FROM devices.jobs WHERE status = 'completed'") {
            *written.entry(row["deviceId"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        for (id, writes) in written {
            assert_eq!(version(&mut world, &id), 3 + writes, "seed {seed}: {id}");
        }
    }
    assert!(crashes > 200 && ended > 150, "{crashes} {ended}");
}
