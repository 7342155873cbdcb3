//! What a filter costs in memory.
//!
//! Owns the bounds of `performance.md` for 200,000 filters, measured as the resident size of this
//! process, allocator overhead included. One test in its own process, so that nothing else moves
//! the figure.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use broker::subscription::{Index, Interest, Receiver, ReceiverOptions, SessionRef};
use mqtt::qos::QoS;
use mqtt::topic::TopicFilter;

#[test]
fn two_hundred_thousand_filters_fit_their_budget() {
    // (what, filter, bytes a filter at most)
    let exact = |n: usize| format!("site/plant/line/device/{n:07}");
    let shared = |n: usize| format!("site/plant{}/device{n:06}/+/state", n % 100);
    let deep = |n: usize| format!("site/plant{}/line{}/dev{n:06}/#", n % 10, n % 1000);
    assert_eq!(exact(0).len(), 30);
    let exact_bytes = index_bytes(&exact);
    let shared_bytes = index_bytes(&shared);
    let deep_bytes = index_bytes(&deep);
    let interest_bytes = interest_bytes(&exact);
    println!("bytes a filter: exact {exact_bytes}, inner + {shared_bytes}, final # {deep_bytes}");
    println!("bytes a filter in the interest: {interest_bytes}");
    let (exact_held, shared_held, deep_held) =
        (held_bytes(&exact), held_bytes(&shared), held_bytes(&deep));
    println!("more when held: exact {exact_held}, inner + {shared_held}, final # {deep_held}");
    assert!(exact_bytes <= 160, "{exact_bytes} bytes an exact filter");
    assert!(shared_bytes <= 240, "{shared_bytes} bytes a filter with three nodes of its own");
    assert!(deep_bytes <= 220, "{deep_bytes} bytes a filter with one node of its own");
    assert!(exact_held <= 110, "{exact_held} bytes an exact filter that is held");
    assert!(shared_held <= 300, "{shared_held} bytes a held filter with three nodes of its own");
    assert!(deep_held <= 260, "{deep_held} bytes a held filter with one node of its own");
    assert!(interest_bytes <= 60, "{interest_bytes} bytes an exact filter of the interest");
}

fn index_bytes(filter: &dyn Fn(usize) -> String) -> usize {
    let before = resident_bytes();
    let mut index = Index::new();
    for n in 0..FILTERS {
        let session = SessionRef { slot: u32::try_from(n).unwrap(), generation: 0 };
        let options = ReceiverOptions::new(QoS::AtLeastOnce, false, false);
        let receiver = Receiver { session, options, subscription_id: 0, since: 0 };
        index.subscribe(TopicFilter::parse(&filter(n)).unwrap(), receiver);
    }
    assert_eq!(index.filters(), FILTERS);
    let bytes = resident_bytes().saturating_sub(before);
    // Kept, so that the next measurement cannot live in what this one gives back.
    std::mem::forget(index);
    bytes / FILTERS
}

fn interest_bytes(filter: &dyn Fn(usize) -> String) -> usize {
    let before = resident_bytes();
    let interest = Interest::new(2);
    (0..FILTERS).for_each(|n| interest.add(n % 2, &filter(n)));
    let bytes = resident_bytes().saturating_sub(before);
    std::mem::forget(interest);
    bytes / FILTERS
}

/// As many holders again cost nothing: they are counted.
fn held_bytes(filter: &dyn Fn(usize) -> String) -> usize {
    let before = resident_bytes();
    let interest = Interest::new(2);
    (0..2 * FILTERS).for_each(|n| assert!(interest.hold(filter(n % FILTERS).as_str()).is_ok()));
    let bytes = resident_bytes().saturating_sub(before);
    std::mem::forget(interest);
    bytes / FILTERS
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

const FILTERS: usize = 200_000;
