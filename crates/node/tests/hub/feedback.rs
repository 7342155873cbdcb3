//! Feedback of commands (iot-hub B2, C6): what a sender wanted to hear comes until somebody has
//! understood it, and nothing else comes.

use crate::world::{Answer, World, code, hub, take, take_after};
use crashdisk::{CrashDisk, Fault, below};
use hub::command::Settlement;
use hub::errors::{ErrorCode, Refusal};
use hub::telemetry::SystemProperties;
use hub::{IfMatch, LockToken};
use node::devices::{Ask, Hub, Sending};
use node::feedback::{FeedbackAsk, FeedbackGiven, FeedbackSettlement};
use node::post::Post;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn send(world: &mut World, id: &str, (name, ack): (&str, &str)) -> Answer<Result<u64, Refusal>> {
    let system = SystemProperties {
        message_id: Some(name.to_owned().into()),
        ack: Some(ack.to_owned().into()),
        ..SystemProperties::default()
    };
    let sending = Sending { body: b"x".to_vec(), system, application: Default::default() };
    world.ask(id, |reply| Ask::Send(Box::new(sending), reply))
}

fn sent(world: &mut World, name: &str, ack: &str) {
    assert!(take_after(world, |world| send(world, "d1", (name, ack))).is_ok());
}

/// The device fetches its next command and says what becomes of it.
fn settled(world: &mut World, id: &str, how: Settlement) -> Option<Result<(), Refusal>> {
    let received = take(&world.ask(id, |reply| Ask::Receive(10_000, reply))).ok()??;
    Some(take_after(world, |w| w.ask(id, |reply| Ask::Settle(received.token, how, reply))))
}

fn receive(world: &mut World) -> Option<FeedbackGiven> {
    take(&world.post(|reply| Post::Feedback(Box::new(FeedbackAsk::Receive(reply))))).unwrap()
}

fn settle(
    world: &mut World,
    token: LockToken,
    how: FeedbackSettlement,
) -> Answer<Result<(), Refusal>> {
    world.post(|reply| Post::Feedback(Box::new(FeedbackAsk::Settle(token, how, reply))))
}

/// Message id and status code of each end in a batch.
fn ends(given: &FeedbackGiven) -> Vec<(String, String)> {
    let ends: Vec<Value> = serde_json::from_slice(&given.delivery.body).unwrap();
    let text = |end: &Value, key: &str| end[key].as_str().unwrap().to_owned();
    ends.iter().map(|end| (text(end, "originalMessageId"), text(end, "statusCode"))).collect()
}

fn complete(world: &mut World, given: &FeedbackGiven) -> Result<(), Refusal> {
    take_after(world, |world| settle(world, given.token, FeedbackSettlement::Complete))
}

/// All that comes within a day, completed.
fn drain(world: &mut World) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for _ in 0..20 {
        world.advance(60_000);
        world.settled();
        while let Some(given) = receive(world) {
            all.extend(ends(&given));
            complete(world, &given).unwrap();
        }
    }
    all
}

fn with_device(mut world: World) -> World {
    assert_eq!(take_after(&mut world, |world| world.put("d1", IfMatch::Absent)), Ok(true));
    world
}

#[test]
fn every_end_is_told_to_who_asked_for_it() {
    for world in [World::making(patient), World::with(CrashDisk::new(1), patient)] {
        let mut world = with_device(world);
        // B2: what is asked for, what happens, what is told.
        let mut expected = Vec::new();
        for (end, told) in [
            ("complete", ["", "Success", "", "Success"]),
            ("reject", ["", "", "Rejected", "Rejected"]),
            ("abandon", ["", "", "DeliveryCountExceeded", "DeliveryCountExceeded"]),
            ("purge", ["", "", "Purged", "Purged"]),
            ("expire", ["", "", "Expired", "Expired"]),
        ] {
            for (ack, told) in ["none", "positive", "negative", "full"].into_iter().zip(told) {
                let name = format!("{end}-{ack}");
                sent(&mut world, &name, ack);
                if !told.is_empty() {
                    expected.push((name, told.to_owned()));
                }
                match end {
                    "complete" => drop(settled(&mut world, "d1", Settlement::Complete).unwrap()),
                    "reject" => drop(settled(&mut world, "d1", Settlement::Reject).unwrap()),
                    "abandon" => (0..3).for_each(|_| {
                        settled(&mut world, "d1", Settlement::Abandon).unwrap().unwrap();
                    }),
                    "purge" => drop(take_after(&mut world, |w| w.ask("d1", Ask::Purge))),
                    _ => {
                        world.advance(3_600_001);
                        world.settled();
                    }
                }
            }
        }
        if world.keeps() {
            world = world.crash();
        }
        let mut heard = drain(&mut world);
        expected.sort();
        heard.sort();
        assert_eq!(heard, expected);
        assert_eq!(world.hub.feedback_room.taken(), 0);
    }
}

#[test]
fn a_batch_is_locked_given_back_and_understood() {
    let mut world = with_device(World::on(CrashDisk::new(2)));
    sent(&mut world, "m1", "full");
    assert!(receive(&mut world).is_none());
    settled(&mut world, "d1", Settlement::Complete).unwrap().unwrap();
    let first = receive(&mut world).unwrap();
    assert_eq!(ends(&first), [("m1".into(), "Success".into())]);
    assert!(receive(&mut world).is_none(), "it is locked");
    world.advance(60_000);
    let second = receive(&mut world).unwrap();
    assert_eq!(code(complete(&mut world, &first)), ErrorCode::DeviceMessageLockLost);
    let back = settle(&mut world, second.token, FeedbackSettlement::Abandon);
    assert!(back.lock().unwrap().is_none(), "it is no fact yet");
    world.settled();
    assert_eq!(take(&back), Ok(()));
    let mut world = world.crash();
    let third = receive(&mut world).unwrap();
    assert_eq!((third.delivery.deliveries, ends(&third)), (1, ends(&first)));
    assert_eq!(complete(&mut world, &third), Ok(()));
    let mut world = world.crash();
    assert!(drain(&mut world).is_empty());
    assert_eq!(world.hub.feedback_room.taken(), 0);
}

#[test]
fn what_is_given_back_too_often_or_read_by_nobody_is_over() {
    let mut world = with_device(World::on(CrashDisk::new(3)));
    for name in ["often", "late"] {
        sent(&mut world, name, "positive");
    }
    settled(&mut world, "d1", Settlement::Complete).unwrap().unwrap();
    for n in 0..10 {
        let given = receive(&mut world).unwrap();
        assert_eq!(given.delivery.deliveries, n);
        let back = settle(&mut world, given.token, FeedbackSettlement::Abandon);
        world.settled();
        assert_eq!(take(&back), Ok(()));
    }
    settled(&mut world, "d1", Settlement::Complete).unwrap().unwrap();
    world.advance(14_000);
    assert!(receive(&mut world).is_none(), "the next batch is 15 s behind the last");
    world.advance(1_000);
    assert_eq!(ends(&receive(&mut world).unwrap()), [("late".into(), "Success".into())]);
    // Half of its hour here, the other half behind a start.
    world.advance(1_800_000);
    let mut world = world.crash();
    assert!(receive(&mut world).is_some());
    world.advance(1_815_000);
    world.settled();
    assert!(receive(&mut world).is_none());
    assert_eq!(world.hub.feedback_room.taken(), 0);
}

#[test]
fn a_deleted_device_takes_its_feedback_along() {
    for is_told in [true, false] {
        let mut world = with_device(World::on(CrashDisk::new(4)));
        assert!(take_after(&mut world, |w| w.put("d2", IfMatch::Absent)).is_ok());
        for id in ["d1", "d2"] {
            assert!(take_after(&mut world, |w| send(w, id, (id, "full"))).is_ok());
            settled(&mut world, id, Settlement::Reject).unwrap().unwrap();
        }
        let gone = world.ask("d1", |reply| Ask::Delete(IfMatch::Any, reply));
        world.commit();
        assert_eq!(take(&gone), Ok(()));
        if is_told {
            world.settled();
        }
        let mut world = world.crash();
        assert!(take_after(&mut world, |w| w.put("d1", IfMatch::Absent)).is_ok());
        assert_eq!(drain(&mut world), [("d2".into(), "Rejected".into())]);
        assert_eq!(world.hub.feedback_room.taken(), 0);
    }
}

#[test]
fn there_is_a_bound_and_a_full_disk_takes_neither_the_end_nor_its_report() {
    let small = || {
        let mut hub = hub();
        hub.feedback.items_max = 64;
        hub
    };
    let mut world = with_device(World::with(CrashDisk::new(5), small));
    for n in 0..66 {
        sent(&mut world, &format!("m{n}"), "full");
        settled(&mut world, "d1", Settlement::Complete).unwrap().unwrap();
    }
    let room = &world.hub.feedback_room;
    assert_eq!((room.taken(), room.dropped()), (64, 2));
    assert_eq!(drain(&mut world).len(), 64);
    sent(&mut world, "last", "full");
    let received = take(&world.ask("d1", |reply| Ask::Receive(300_000, reply))).unwrap().unwrap();
    world.disk.plan(0, Fault::Full(1 << 40));
    let large = format!("{{\"tags\":{{\"x\":\"{}\"}}}}", "y".repeat(3_000));
    for patch in [&*large, r#"{"tags":{"y":1}}"#] {
        while take_after(&mut world, |world| world.patch("d1", patch)).is_ok() {}
    }
    let ask = |reply| Ask::Settle(received.token, Settlement::Complete, reply);
    let refused = code(take_after(&mut world, |world| world.ask("d1", ask)));
    assert_eq!((refused, world.hub.feedback_room.taken()), (ErrorCode::ServiceUnavailable, 0));
    world.disk.mend();
    settled(&mut world, "d1", Settlement::Reject).unwrap().unwrap();
    assert_eq!(drain(&mut world), [("last".into(), "Rejected".into())]);
}

/// What the sender of a command knows.
struct Sent {
    device: String,
    ack: &'static str,
    answer: Answer<Result<u64, Refusal>>,
    is_certain: bool,
}

/// What readers know of an end: how it was, and whether they have understood it.
struct Told {
    how: String,
    is_understood: bool,
}

/// A hub over crashes, and what everybody around it has been promised.
struct Ledger {
    seed: u64,
    sent: BTreeMap<String, Sent>,
    told: BTreeMap<String, Told>,
    gone: BTreeSet<String>,
    lives: [u32; 2],
}

impl Ledger {
    /// A batch has come.
    fn hear(&mut self, given: &FeedbackGiven) {
        for (name, how) in ends(given) {
            let (seed, sent) = (self.seed, &self.sent[&name]);
            let is_wanted = match sent.ack {
                "positive" => how == "Success",
                "negative" => how != "Success",
                ack => ack == "full",
            };
            assert!(is_wanted, "seed {seed}: {name} {how}");
            assert!(!self.gone.contains(&sent.device), "seed {seed}: {name} of a device gone");
            let first = Told { how: how.clone(), is_understood: false };
            let told = self.told.entry(name.clone()).or_insert(first);
            assert_eq!(told.how, how, "seed {seed}: {name} has ended once");
            assert!(!told.is_understood, "seed {seed}: {name} again");
        }
    }

    fn understood(&mut self, given: &FeedbackGiven) {
        for (name, _) in ends(given) {
            self.told.get_mut(&name).unwrap().is_understood = true;
        }
    }

    fn take_answers(&mut self) {
        for sent in self.sent.values_mut() {
            let answer = sent.answer.lock().unwrap().take();
            sent.is_certain |= answer.is_some_and(|answer| answer.is_ok());
        }
    }

    /// All commands have ended, and all feedback was read: what every sender wanted has come.
    fn judge(&self) -> usize {
        for (name, sent) in &self.sent {
            let lives = !self.gone.contains(&sent.device);
            if sent.ack == "full" && sent.is_certain && lives {
                assert!(self.told.contains_key(name), "seed {}: {name} was lost", self.seed);
            }
        }
        self.told.len()
    }
}

/// Two days are enough for all that a history takes.
fn patient() -> Hub {
    let mut hub = hub();
    hub.feedback.ttl_ms = 172_800_000;
    hub.feedback.deliveries_max = 100;
    hub.commands.deliveries_max = 3;
    hub
}

#[test]
fn random_histories_lose_no_report_and_bring_none_that_was_understood() {
    let (mut crashes, mut heard) = (0, 0);
    for seed in 0..60 {
        let mut chance = seed * 2 + 1;
        let mut world = World::with(CrashDisk::new(seed), patient);
        let (sent, told, gone) = Default::default();
        let mut ledger = Ledger { seed, sent, told, gone, lives: [0; 2] };
        for id in ["d0", "d1"] {
            assert!(take_after(&mut world, |w| w.put(id, IfMatch::Absent)).is_ok());
        }
        for step in 0..200 {
            let which = below(&mut chance, 2) as usize;
            let id = format!("d{which}");
            let life = format!("{id}.{}", ledger.lives[which]);
            match below(&mut chance, 12) {
                0 => drop(take_after(&mut world, |w| w.put(&id, IfMatch::Absent))),
                1..=3 => {
                    let acks = ["none", "positive", "negative", "full", "full"];
                    let ack = acks[below(&mut chance, 5) as usize];
                    let name = format!("m{step}");
                    let answer = send(&mut world, &id, (&name, ack));
                    let sent = Sent { device: life, ack, answer, is_certain: false };
                    ledger.sent.insert(name, sent);
                }
                4 | 5 => {
                    let all = [Settlement::Complete, Settlement::Reject, Settlement::Abandon];
                    let how = all[below(&mut chance, 3) as usize];
                    let got = take(&world.ask(&id, |reply| Ask::Receive(10_000, reply)));
                    if let Ok(Some(got)) = got {
                        world.ask(&id, |reply| Ask::Settle(got.token, how, reply));
                    }
                }
                6 if below(&mut chance, 4) == 0 => {
                    let gone = take_after(&mut world, |w| {
                        w.ask(&id, |reply| Ask::Delete(IfMatch::Any, reply))
                    });
                    if gone.is_ok() {
                        ledger.gone.insert(life);
                        ledger.lives[which] += 1;
                    }
                }
                6 => drop(world.ask(&id, Ask::Purge)),
                7 => world.advance([1_000, 20_000, 1_000_000][below(&mut chance, 3) as usize]),
                8 if below(&mut chance, 2) == 0 => {
                    ledger.take_answers();
                    (world, crashes) = (world.crash(), crashes + 1);
                }
                8 | 9 => world.commit(),
                10 => world.clean(),
                _ => {
                    let Some(given) = receive(&mut world) else { continue };
                    ledger.hear(&given);
                    let how = match below(&mut chance, 3) {
                        0 => FeedbackSettlement::Abandon,
                        _ => FeedbackSettlement::Complete,
                    };
                    let answer = settle(&mut world, given.token, how);
                    if below(&mut chance, 3) > 0 {
                        world.settled();
                        assert_eq!(take(&answer), Ok(()), "seed {seed}");
                        if how == FeedbackSettlement::Complete {
                            ledger.understood(&given);
                        }
                    }
                }
            }
            ledger.take_answers();
        }
        world = world.crash();
        // Whatever waits has expired then.
        (0..2).for_each(|_| world.advance(3_600_001));
        world.settled();
        for _ in 0..200 {
            world.advance(60_000);
            world.settled();
            while let Some(given) = receive(&mut world) {
                ledger.hear(&given);
                assert_eq!(complete(&mut world, &given), Ok(()), "seed {seed}");
                ledger.understood(&given);
            }
        }
        heard += ledger.judge();
        assert_eq!(world.hub.feedback_room.taken(), 0, "seed {seed}");
    }
    assert!(crashes > 100 && heard > 500, "{crashes} {heard}");
}
