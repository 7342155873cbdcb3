//! Many retained messages put in the order of their topics at once. It refuses to know why.
//!
//! A start has a million of them: comparing whole topics would look at twenty million, spread over
//! all memory. Here each is looked at about twice, and eight of its bytes are compared at a time.

use std::sync::Arc;

use super::levels::{ByTopic, common, hint};
use crate::publication::Publication;

struct Unsorted {
    hint: u64,
    by_topic: ByTopic,
    with: u64,
}

/// In the order of their topics, each with its number.
pub(super) fn sorted(
    all: impl Iterator<Item = (Arc<Publication>, u64)>,
) -> impl ExactSizeIterator<Item = (Arc<Publication>, u64)> {
    let unsorted = |(p, with)| Unsorted { hint: 0, by_topic: ByTopic(p), with };
    let mut all: Vec<Unsorted> = all.map(unsorted).collect();
    sort(&mut all);
    all.into_iter().map(|one| (one.by_topic.0, one.with))
}

fn sort(all: &mut [Unsorted]) {
    // What is still to be sorted, and how many bytes its topics begin with at least. Not by calls
    // of itself: topics choose how deep it goes.
    let mut open = vec![(0, all.len(), 0)];
    while let Some((begin, end, same)) = open.pop() {
        let run = &mut all[begin..end];
        let [first, others @ ..] = &*run else { continue };
        let known = &first.by_topic.topic()[same..];
        let more = others.iter().map(|e| common(known, &e.by_topic.topic()[same..])).min();
        let same = same + more.unwrap_or(0);
        run.iter_mut().for_each(|e| e.hint = hint(e.by_topic.topic(), same));
        run.sort_unstable_by_key(|e| e.hint);
        let is_alike = |run: &[Unsorted]| run.first().map(|e| e.hint) == run.last().map(|e| e.hint);
        if run.len() <= SHORT || is_alike(run) {
            // Few, or some that end there and some that go on with nothing but `/`.
            run.sort_unstable_by(|a, b| a.by_topic.cmp(&b.by_topic));
            continue;
        }
        let mut begin = begin;
        for alike in run.chunk_by(|a, b| a.hint == b.hint) {
            let end = begin + alike.len();
            if alike.len() > 1 {
                open.push((begin, end, same));
            }
            begin = end;
        }
    }
}

/// So few are compared as they are.
const SHORT: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use mqtt::message::Message;
    use mqtt::qos::QoS;

    #[test]
    fn sorts_whatever_topics_are_like() {
        let mut chance = Chance::new(9);
        let slashes = |n: usize| "a".to_owned() + &"/".repeat(n);
        let mut random = || chance.topic() + &chance.topic() + &chance.topic();
        let tables: [Vec<String>; 4] = [
            (0..100).map(slashes).collect(),
            (0..5_000).map(|n| format!("plants/{:03}/devices/{n:07}/st", n % 7)).collect(),
            (0..5_000).map(|_| random()).collect(),
            (0..50).flat_map(|n| [slashes(n), slashes(n) + "b", slashes(n) + "\u{1}"]).collect(),
        ];
        for mut topics in tables {
            topics.sort_by_key(|topic| topic.len() * 7919 % 13);
            let publication = |(topic, n): (&String, u64)| {
                let message = Message::new(topic, &[], b"x", QoS::AtMostOnce, true);
                (Arc::new(Publication::new(message)), n)
            };
            let sorted: Vec<_> = sorted(topics.iter().zip(0..).map(publication)).collect();
            assert!(sorted.iter().all(|(p, n)| p.message.topic() == topics[*n as usize]));
            topics.sort_by_key(|topic| topic.replace('/', "\0"));
            assert!(sorted.iter().map(|(p, _)| p.message.topic()).eq(topics.iter()));
        }
    }
}
