//! The order of topics by their levels. It refuses to know what is kept in that order.
//!
//! `/` counts as 0x00, which no topic contains (MQTT 5, 4.7.3-2), so that everything below a level
//! is one range: `a`, `a/b`, `a/b/c`, `a+b`.

use crate::publication::Publication;
use std::cmp::Ordering;
use std::sync::Arc;

/// A publication in the order of its topic.
#[derive(Clone)]
pub(super) struct ByTopic(pub(super) Arc<Publication>);

impl ByTopic {
    pub(super) fn topic(&self) -> &[u8] {
        self.0.message.topic_bytes()
    }
}

impl Ord for ByTopic {
    fn cmp(&self, other: &Self) -> Ordering {
        by_levels(self.topic(), other.topic())
    }
}

impl PartialOrd for ByTopic {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByTopic {
    fn eq(&self, other: &Self) -> bool {
        self.topic() == other.topic()
    }
}

impl Eq for ByTopic {}

/// Compares level by level.
pub(super) fn by_levels(a: &[u8], b: &[u8]) -> Ordering {
    let at = common(a, b);
    let at_place = |topic: &[u8]| topic.get(at).map(|b| if *b == b'/' { 0 } else { *b });
    at_place(a).cmp(&at_place(b))
}

/// How many bytes both begin with.
pub(super) fn common(a: &[u8], b: &[u8]) -> usize {
    let bytes_max = a.len().min(b.len());
    let mut at = 0;
    for (a, b) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        let differs = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differs != 0 {
            return at + differs.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while at < bytes_max && a[at] == b[at] {
        at += 1;
    }
    at
}

/// The eight bytes from `at` on as a number: among topics that are equal before `at` one with a
/// smaller hint comes before one with a larger; equal hints say nothing.
pub(super) fn hint(topic: &[u8], at: usize) -> u64 {
    let rest = topic.get(at..).unwrap_or_default();
    let mut bytes = [0; 8];
    match rest.first_chunk() {
        Some(chunk) => bytes = *chunk,
        None => bytes[..rest.len()].copy_from_slice(rest),
    }
    for byte in &mut bytes {
        if *byte == b'/' {
            *byte = 0;
        }
    }
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    #[test]
    fn what_is_below_a_level_comes_right_behind_it() {
        let topics = [
            "",
            "$",
            "a",
            "a/",
            "a//",
            "a/b",
            "a/b/c/d/e/f/g",
            "a/b/c/d/e/g",
            "a\u{1}",
            "a+b",
            "b",
        ];
        for (n, a) in topics.iter().enumerate() {
            for (m, b) in topics.iter().enumerate() {
                let (a, b) = (a.as_bytes(), b.as_bytes());
                assert_eq!(by_levels(a, b), n.cmp(&m), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn hints_agree_with_the_order() {
        let mut chance = Chance::new(5);
        for _ in 0..100_000 {
            let (a, b) = (chance.topic() + &chance.topic(), chance.topic() + &chance.topic());
            let (a, b) = (a.as_bytes(), b.as_bytes());
            let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
            assert_eq!(common(a, b), same);
            for at in 0..=same {
                match hint(a, at).cmp(&hint(b, at)) {
                    Ordering::Equal => {}
                    order => assert_eq!(order, by_levels(a, b), "{a:?} {b:?} from {at}"),
                }
            }
        }
    }
}
