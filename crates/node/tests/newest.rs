//! What one session that stays away keeps of the log when the newest are dropped: what waits for
//! it, and nothing of what came behind that. Whoever comes back gets what waited, in order, and
//! then what came since, after a crash at any step too.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod carrying;

use broker::limits::QueueFull;
use carrying::client::Got;
use carrying::world::{Bounds, World};
use mqtt::qos::QoS::{AtLeastOnce, ExactlyOnce};

#[test]
fn the_log_stays_small_while_one_session_is_away() {
    for qos in [AtLeastOnce, ExactlyOnce] {
        let mut world = World::new(BOUNDS);
        world.payload_bytes = 10;
        let subscriber = world.connect("s");
        for filter in ["t/#", "t/+"] {
            world.subscribe(subscriber, filter, qos);
        }
        world.lose(subscriber);
        let mut next = 0;
        for part in 0..12 {
            others(&mut world, &mut next, 8_000);
            world.pass_time();
            let kept = world.clean();
            assert!(kept < KEPT_BYTES_MAX, "{kept} bytes are kept after part {part}");
            if part % 5 == 4 {
                world = world.crash();
            }
        }
        let again = world.connect("s");
        let got = numbers(&world.take_and_answer(again));
        assert!(got[..QUEUE_MAX] == (0..QUEUE_MAX).collect::<Vec<_>>(), "the oldest");
        // A start drops nothing that is left; what came right before a crash may be.
        assert!(got.len() < QUEUE_MAX + 3 * 8_000 && is_ascending(&got), "{} more", got.len());
        let first = next;
        others(&mut world, &mut next, 100);
        let got = numbers(&world.take_and_answer(again));
        assert!(got == (first..next).collect::<Vec<_>>(), "{} new ones", got.len());
        world.pass_time();
        assert!(world.clean() < 3 * SEGMENT_BYTES, "nothing is left");
    }
}

/// It comes back for a moment again and again, so that what waits lies between gaps.
#[test]
fn gaps_behind_gaps_keep_what_lies_between() {
    let mut world = World::with(2, BOUNDS);
    world.payload_bytes = 10;
    let mut at = world.connect("s");
    world.subscribe(at, "t/#", AtLeastOnce);
    let (mut next, mut had) = (0, Vec::new());
    for round in 0..24 {
        world.lose(at);
        others(&mut world, &mut next, [700, 2_500, 5_000, 100][round % 4]);
        world.pass_ms(2_000);
        let kept = world.clean();
        assert!(kept < KEPT_BYTES_MAX, "{kept} bytes are kept after round {round}");
        at = world.connect("s");
        for got in world.take(at).iter().take(300) {
            world.answer(at, got);
            had.push(number(got));
        }
    }
    // What was sent and not answered comes again.
    world.lose(at);
    at = world.connect("s");
    had.extend(world.take_and_answer(at).iter().map(number));
    assert!(is_ascending(&had), "what was answered does not come again");
    let dropped = world.count_dropped() as usize;
    assert_eq!(had.len() + dropped, next);
    assert!(dropped > next / 2 && had.len() > 24 * 300, "{dropped} of {next}");
}

/// The power goes behind any commit.
#[test]
fn a_stop_behind_any_commit_leaves_the_oldest_in_order() {
    let mut world = World::with(2, BOUNDS);
    world.payload_bytes = 10;
    let subscriber = world.connect("s");
    world.subscribe(subscriber, "t/#", AtLeastOnce);
    world.lose(subscriber);
    let mut next = 0;
    others(&mut world, &mut next, 900);
    world.watch_commits();
    others(&mut world, &mut next, 4_000);
    world.pass_time();
    let moments = world.moments();
    assert!(moments.len() > 80, "{} moments", moments.len());
    for moment in moments.into_iter().step_by(3) {
        let name = moment.name;
        let mut world = World::on(2, BOUNDS, moment.files).0;
        let again = world.connect("s");
        let got = numbers(&world.take_and_answer(again));
        let sure = got.len().min(QUEUE_MAX);
        assert!(sure >= 900, "{name}: {sure}");
        assert!(got[..sure] == (0..sure).collect::<Vec<_>>(), "{name}: the oldest");
        assert!(is_ascending(&got), "{name}");
    }
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

/// With which the payload begins.
fn number(got: &Got) -> usize {
    let text = String::from_utf8(got.payload.clone()).unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

/// Of those that come for the first time.
fn numbers(got: &[Got]) -> Vec<usize> {
    got.iter().filter(|got| !got.dup).map(number).collect()
}

fn is_ascending(got: &[usize]) -> bool {
    got.is_sorted_by(|a, b| a < b)
}

const QUEUE_MAX: usize = 1_000;
const BOUNDS: Bounds = Bounds {
    behind_records: 10_000,
    after_s: 1,
    queue_messages_max: QUEUE_MAX,
    queue_full: QueueFull::DropNewest,
};
const SEGMENT_BYTES: u64 = 64 * 1024;
const KEPT_BYTES_MAX: u64 = 600_000;
