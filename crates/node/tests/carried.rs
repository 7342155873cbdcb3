//! What one message under way may keep of the log: a client that never answers it, or a member of a
//! shared group that stays away with it, does not keep all that comes behind. The message itself is
//! there after a crash at any step, under its identifier, as it was.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod carrying;

use carrying::account::Account;
use carrying::client::Got;
use carrying::world::{Bounds, World};
use mqtt::qos::QoS;
use std::collections::BTreeMap;

use QoS::{AtLeastOnce, ExactlyOnce};

/// The log without what nobody needs, in bytes, is small: one message of many is needed.
#[test]
fn a_message_without_answer_keeps_itself_only() {
    for qos in [AtLeastOnce, ExactlyOnce] {
        let mut world = World::new(Bounds::default());
        let subscriber = world.connect("s");
        world.subscribe(subscriber, "t/#", qos);
        let first = a_first_and_many_others(&mut world, qos, OTHERS);
        let kept = world.clean();
        assert!(kept < SMALL_BYTES, "{kept} bytes are kept for one message at {qos:?}");
        // Twice: what was found is kept on by who found it.
        for _ in 0..2 {
            world = world.crash();
            let again = world.connect("s");
            let got = world.take(again);
            assert_eq!(got, [Got { dup: true, ..first.clone() }], "{qos:?}");
        }
        let again = world.connect("s");
        world.take(again);
        world.answer(again, &first);
        world.pass_time();
        assert_eq!(world.carried(), [], "nothing is kept for what is over");
        let mut world = world.crash();
        let again = world.connect("s");
        assert_eq!(world.take(again), [], "it was answered");
    }
}

#[test]
fn without_that_bound_it_keeps_everything() {
    let bounds = Bounds { after_s: 1_000_000, ..Bounds::default() };
    let mut world = World::new(bounds);
    let subscriber = world.connect("s");
    world.subscribe(subscriber, "t/#", AtLeastOnce);
    a_first_and_many_others(&mut world, AtLeastOnce, OTHERS);
    assert!(world.clean() > 4 * SMALL_BYTES, "the other test would not see it");
}

/// One member goes away with a message, the other one goes on.
#[test]
fn a_member_that_stays_away_keeps_its_message_only() {
    for qos in [AtLeastOnce, ExactlyOnce] {
        for reactors in [1, 2] {
            let mut world = World::with(reactors, Bounds::default());
            let away = world.connect("a");
            world.subscribe(away, "$share/g/t/#", qos);
            world.publish_first(qos);
            let first = world.take(away).remove(0);
            let here = world.connect("b");
            world.subscribe(here, "$share/g/t/#", qos);
            world.lose(away);
            world.publish_others(OTHERS, qos);
            world.pass_time();
            let kept = world.clean();
            assert!(kept < SMALL_BYTES, "{kept} bytes for one at {qos:?}, {reactors} reactors");
            let mut world = world.crash();
            let away = world.connect("a");
            let back: Vec<Got> = world.take(away);
            let here = world.connect("b");
            let other = world.take(here);
            let of_first = |got: &[Got]| got.iter().filter(|g| g.payload == first.payload).count();
            match qos {
                ExactlyOnce => {
                    assert_eq!(back, [Got { dup: true, ..first.clone() }]);
                    assert_eq!(of_first(&other), 0, "nobody else gets it");
                }
                _ => {
                    // The group offers it again, to whoever comes first.
                    let same = |g: &Got| Got { dup: false, ..g.clone() } == first;
                    assert!(back.iter().any(same), "{back:?}");
                }
            }
        }
    }
}

/// A QoS 1 message that moved on in its group's stream is another member's when its session ends,
/// and the next run's if that one never answers.
#[test]
fn a_message_of_a_session_that_ends_goes_on_to_another_member() {
    let mut world = World::new(Bounds::default());
    let away = world.connect("a");
    world.subscribe(away, "$share/g/t/#", AtLeastOnce);
    world.publish_first(AtLeastOnce);
    let first = world.take(away).remove(0);
    let here = world.connect("b");
    world.subscribe(here, "$share/g/t/#", AtLeastOnce);
    world.lose(away);
    world.publish_others(OTHERS, AtLeastOnce);
    world.pass_time();
    world.delete("a");
    let payloads = |got: Vec<Got>| got.into_iter().map(|g| g.payload).collect::<Vec<_>>();
    assert_eq!(payloads(world.take(here)), [&*first.payload]);
    world.pass_time();
    assert!(world.clean() < SMALL_BYTES);
    let mut world = world.crash();
    let here = world.connect("b");
    let got = payloads(world.take(here));
    assert!(got.contains(&first.payload), "{got:?}");
}

/// The power goes behind any commit: the message is there, at QoS 2 once, and what was written for
/// nothing is let go.
#[test]
fn a_stop_between_any_two_steps_loses_and_doubles_nothing() {
    let bounds = Bounds { behind_records: 3, after_s: 1, ..Bounds::default() };
    let mut stale = BTreeMap::new();
    for qos in [AtLeastOnce, ExactlyOnce] {
        for filters in [["t/#", "none"], ["$share/g/t/#", "$share/g/t/#"]] {
            for reactors in [1, 2] {
                let mut world = World::with(reactors, bounds);
                // Segments fill, and what is not needed is gone.
                world.payload_bytes = 8_000;
                let first = world.connect("a");
                world.subscribe(first, filters[0], qos);
                world.publish_first(qos);
                assert_eq!(world.take(first).len(), 1);
                if filters[1] != "none" {
                    let second = world.connect("b");
                    world.subscribe(second, filters[1], qos);
                    world.lose(first);
                }
                world.watch_commits();
                for _ in 0..8 {
                    world.publish_others(5, qos);
                    world.pass_time();
                }
                let moments = world.moments();
                assert!(moments.len() > 10);
                for disk in moments {
                    let name = format!("{qos:?} {filters:?} {reactors} {}", disk.name);
                    let (mut world, unneeded) = World::on(reactors, bounds, disk.files);
                    *stale.entry((qos, filters)).or_insert(0) += unneeded;
                    let mut got = Vec::new();
                    for client in ["a", "b"] {
                        let link = world.connect(client);
                        got.extend(world.take_and_answer(link));
                    }
                    let firsts = got.iter().filter(|g| g.payload == b"the first").count();
                    match qos {
                        ExactlyOnce => assert_eq!(firsts, 1, "{name}: {got:?}"),
                        _ => assert!(firsts >= 1, "{name}: {got:?}"),
                    }
                    world.pass_time();
                    assert_eq!(world.carried(), [], "{name}: it is over");
                }
            }
        }
    }
    for (of, count) in stale {
        // What a group moves in its stream is not held.
        let is_held = of.0 == ExactlyOnce || of.1[0] == "t/#";
        assert!(count > 0 || !is_held, "{of:?}: the power never went in between");
    }
}

/// Members of a group come, go and answer as they like, and the power goes behind any commit.
#[test]
fn random_members_get_everything_and_nothing_twice() {
    let mut moved = 0;
    for seed in 1..=SEEDS {
        let mut run = Run { chance: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1, sent: 0 };
        let behind_records = [0, 3, 20][run.below(3)];
        let bounds = Bounds { behind_records, after_s: 1, ..Bounds::default() };
        let mut world = World::with(1 + run.below(2), bounds);
        world.payload_bytes = 4_000;
        let qos = [AtLeastOnce, ExactlyOnce][run.below(2)];
        for name in MEMBERS {
            let at = world.connect(name);
            let granted = if run.below(4) == 0 { AtLeastOnce } else { qos };
            world.subscribe(at, "$share/g/t/#", granted);
        }
        for _ in 0..80 {
            world = run.step(world, qos);
        }
        world = run.heal(world);
        moved += world.count_carried();
        let Account { accepted, taken, taken_once, .. } = &world.account;
        for payload in accepted {
            let name = String::from_utf8_lossy(&payload[..payload.len().min(12)]).into_owned();
            let count = taken.get(payload).copied().unwrap_or(0);
            assert!(count > 0, "seed {seed}: {name} is lost at {qos:?}");
        }
        let twice = taken_once.values().filter(|count| **count > 1).count();
        assert_eq!(twice, 0, "seed {seed}: at QoS 2");
    }
    assert!(moved > 20, "{moved} were carried");
}

fn a_first_and_many_others(world: &mut World, qos: QoS, others: usize) -> Got {
    world.publish_first(qos);
    let subscriber = world.link("s");
    let first = world.take(subscriber).remove(0);
    assert_eq!((first.qos, first.dup, first.ids.as_slice()), (qos, false, &[7][..]));
    world.publish_others(others, qos);
    world.pass_time();
    first
}

/// What happens by chance.
struct Run {
    chance: u64,
    sent: usize,
}

impl Run {
    fn below(&mut self, n: usize) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance % n as u64) as usize
    }

    fn step(&mut self, mut world: World, qos: QoS) -> World {
        let name = MEMBERS[self.below(MEMBERS.len())];
        match self.below(12) {
            0..3 => {
                for _ in 0..=self.below(6) {
                    self.sent += 1;
                    let payload = format!("m{} {}", self.sent, "x".repeat(world.payload_bytes));
                    world.publish(qos, payload.as_bytes());
                }
            }
            3 if !world.is_connected(name) => drop(world.connect(name)),
            4 if world.is_connected(name) => world.lose(world.link(name)),
            5..8 if world.is_connected(name) => {
                let at = world.link(name);
                for got in world.unanswered(at) {
                    if self.below(3) > 0 {
                        world.answer(at, &got);
                    }
                    if world.is_dark() {
                        break;
                    }
                }
            }
            8 => world.power = Some(1 + self.below(8)),
            _ => {
                let ms = [100, 1_000, 1_500][self.below(3)];
                world.pass_ms(ms);
            }
        }
        world.settle();
        if world.is_dark() { world.crash() } else { world }
    }

    /// Everybody is there and answers everything.
    fn heal(&mut self, mut world: World) -> World {
        world.power = None;
        world = world.crash();
        for _ in 0..6 {
            for name in MEMBERS {
                let at = match world.is_connected(name) {
                    true => world.link(name),
                    false => world.connect(name),
                };
                world.take_and_answer(at);
            }
            world.pass_ms(1_500);
        }
        assert_eq!(world.carried(), [], "nothing is under way");
        world
    }
}

const MEMBERS: [&str; 3] = ["a", "b", "c"];
const SEEDS: u64 = 60;
const OTHERS: usize = 20_000;
const SMALL_BYTES: u64 = 600_000;
