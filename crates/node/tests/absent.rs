//! What one session or group that stays away may keep of the log: no more than its queue's bound
//! and what is dropped behind that before it is let go of. Whoever comes back gets the newest
//! messages within the bound, in order, after a crash at any step too.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod carrying;

use broker::limits::QueueFull;
use carrying::client::Got;
use carrying::world::{At, Bounds, World};
use mqtt::qos::QoS::{AtLeastOnce, ExactlyOnce};

/// Through and through: the log is cleaned and measured all along.
#[test]
fn the_log_stays_small_while_one_session_is_away() {
    let mut world = World::new(BOUNDS);
    world.payload_bytes = 10;
    let subscriber = world.connect("s");
    world.subscribe(subscriber, "t/#", AtLeastOnce);
    world.lose(subscriber);
    for part in 0..20 {
        world.publish_others(10_000, AtLeastOnce);
        let kept = world.clean();
        assert!(kept < KEPT_BYTES_MAX, "{kept} bytes are kept after part {part}");
        if part == 9 {
            world = world.crash();
        }
    }
    let again = world.connect("s");
    assert_eq!(numbers(&world.take_and_answer(again)), (9_000..10_000).collect::<Vec<_>>());
    world.publish_others(1, AtLeastOnce);
    world.pass_time();
    assert!(world.clean() < 3 * SEGMENT_BYTES, "nothing is left");
}

/// What waits is the bound, whatever was left by how many runs.
#[test]
fn many_starts_do_not_make_a_queue_longer() {
    for filter in ["t/#", "$share/g/t/#"] {
        let mut world = World::new(BOUNDS);
        world.payload_bytes = 10;
        let subscriber = world.connect("s");
        world.subscribe(subscriber, filter, AtLeastOnce);
        world.lose(subscriber);
        let mut last = Vec::new();
        for run in 0..6 {
            // More than is counted for, less than is.
            let count = [900, 3_000, 300, 1_500, 10, 700][run];
            let payloads = (0..count).map(|n| format!("{} ", run * 10_000 + n));
            for (n, payload) in payloads.enumerate() {
                world.publish(AtLeastOnce, payload.as_bytes());
                last.push(run * 10_000 + n);
                if n % 50 == 49 {
                    world.pass_ms(20);
                }
            }
            world.settle();
            world.pass_time();
            assert!(world.clean() < KEPT_BYTES_MAX);
            world = world.crash();
        }
        let again = world.connect("s");
        let got = numbers(&world.take_and_answer(again));
        assert_eq!(got, last[last.len() - QUEUE_MAX..], "{filter}");
    }
}

/// The power goes behind any commit.
#[test]
fn a_stop_behind_any_commit_leaves_the_newest_in_order() {
    for (filter, qos) in [("t/#", AtLeastOnce), ("t/#", ExactlyOnce), ("$share/g/t/#", AtLeastOnce)]
    {
        let mut world = World::with(2, BOUNDS);
        world.payload_bytes = 10;
        let subscriber = world.connect("s");
        world.subscribe(subscriber, filter, qos);
        world.lose(subscriber);
        world.publish_others(1_500, qos);
        world.watch_commits();
        world.publish_others(4_000, qos);
        world.pass_time();
        let moments = world.moments();
        assert!(moments.len() > 80, "{} moments", moments.len());
        for (n, moment) in moments.into_iter().enumerate().filter(|(n, _)| n % 3 == 0) {
            let name = format!("{filter} {qos:?} {n}: {}", moment.name);
            let mut world = World::on(2, BOUNDS, moment.files).0;
            let again = world.connect("s");
            let got = numbers(&world.take_and_answer(again));
            assert_eq!(got.len(), QUEUE_MAX, "{name}: {:?} to {:?}", got.first(), got.last());
            assert!(is_newest(&got), "{name}: {got:?}");
        }
    }
}

/// What a session publishes itself lies in its streams and is not for it; what two of its filters
/// match lies in two streams and is one message.
#[test]
fn exactly_what_was_dropped_is_let_go_of() {
    let mut world = World::new(BOUNDS);
    world.payload_bytes = 10;
    let subscriber = world.connect("s");
    for filter in ["t/#", "t/+"] {
        world.subscribe_to_others(subscriber, filter, AtLeastOnce);
    }
    let mut next = 0;
    // Nothing is answered: what does not go out lies in the log, between messages of its own.
    for _ in 0..60 {
        others(&mut world, &mut next, 40);
        for _ in 0..30 {
            world.publish_from(subscriber, AtLeastOnce, b"own");
        }
        world.pass_ms(20);
    }
    world.lose(subscriber);
    others(&mut world, &mut next, 4_000);
    world.pass_time();
    assert!(world.clean() < KEPT_BYTES_MAX + IN_FLIGHT_BYTES);
    let again = world.connect("s");
    let got = world.take_and_answer(again);
    let (sent_before, new): (Vec<Got>, Vec<Got>) = got.into_iter().partition(|got| got.dup);
    assert!(!sent_before.is_empty());
    assert_eq!(numbers(&new), (next - QUEUE_MAX..next).collect::<Vec<_>>());
}

#[test]
fn the_log_stays_small_while_all_members_of_a_group_are_away() {
    let mut world = World::with(2, BOUNDS);
    world.payload_bytes = 10;
    for name in ["a", "b"] {
        let at = world.connect(name);
        world.subscribe(at, "$share/g/t/#", AtLeastOnce);
        world.lose(at);
    }
    for part in 0..10 {
        world.publish_others(10_000, AtLeastOnce);
        let kept = world.clean();
        assert!(kept < KEPT_BYTES_MAX, "{kept} bytes are kept after part {part}");
        if part == 4 {
            world = world.crash();
        }
    }
    let again = world.connect("b");
    assert_eq!(numbers(&world.take_and_answer(again)), (9_000..10_000).collect::<Vec<_>>());
}

/// A client that is there and never answers is no better than one that is away.
#[test]
fn the_log_stays_small_while_a_client_does_not_answer() {
    let mut world = World::new(BOUNDS);
    world.payload_bytes = 10;
    let subscriber: At = world.connect("s");
    world.subscribe(subscriber, "t/#", AtLeastOnce);
    let mut next = 0;
    others(&mut world, &mut next, 40_000);
    world.pass_ms(2_000);
    let kept = world.clean();
    assert!(kept < KEPT_BYTES_MAX + IN_FLIGHT_BYTES, "{kept} bytes are kept");
}

fn others(world: &mut World, next: &mut usize, count: usize) {
    for n in 0..count {
        world.publish(AtLeastOnce, format!("{next} ").as_bytes());
        *next += 1;
        if n % 50 == 49 || n + 1 == count {
            world.pass_ms(20);
        }
    }
}

/// The numbers with which payloads begin.
fn numbers(got: &[Got]) -> Vec<usize> {
    let number = |got: &Got| {
        let text = String::from_utf8(got.payload.clone()).unwrap();
        text.split(' ').next().unwrap().parse().unwrap()
    };
    got.iter().map(number).collect()
}

/// Each is behind the one before it: all of one count, which began again once.
fn is_newest(got: &[usize]) -> bool {
    got.windows(2).all(|two| two[1] == two[0] + 1 || (two[0], two[1]) == (1_499, 0))
}

const QUEUE_MAX: usize = 1_000;
const BOUNDS: Bounds = Bounds {
    behind_records: 10_000,
    after_s: 1,
    queue_messages_max: QUEUE_MAX,
    queue_full: QueueFull::DropOldest,
};
const SEGMENT_BYTES: u64 = 64 * 1024;
/// All messages of the shortest test would be four times that.
const KEPT_BYTES_MAX: u64 = 600_000;
/// Of messages that were sent and not answered, and of what came between.
const IN_FLIGHT_BYTES: u64 = 500_000;
