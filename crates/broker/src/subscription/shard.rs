//! Generations by first level: when a cached match is still true.
//!
//! Owns the division of topics into 256 shards and the comparison of their generations. Refuses
//! to know what is cached.

/// The shard of a topic: all topics with the same first level share it (`core.md` 6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Shard(u8);

/// The state of everything that may match topics of one shard. Two equal stamps of one shard and
/// one index mean the same matches.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stamp(pub(super) u64);

/// Which generation a filter belongs to.
pub(super) enum FilterShard {
    /// Begins with a level: only topics of that shard can match.
    Level(Shard),
    /// Begins with a wildcard: topics of every shard can match.
    Wildcard,
}

impl Shard {
    /// The shard of a topic's (or filter's) first level.
    #[inline]
    pub fn of(topic: &str) -> Self {
        let mut h: u32 = 0x811c_9dc5;
        for &b in topic.as_bytes() {
            if b == b'/' {
                break;
            }
            h = (h ^ u32::from(b)).wrapping_mul(0x0100_0193);
        }
        Self((h ^ (h >> 8) ^ (h >> 16) ^ (h >> 24)) as u8)
    }

    #[inline]
    pub(super) fn at(self) -> usize {
        self.0 as usize
    }
}

impl FilterShard {
    pub(super) fn of(filter: &str) -> Self {
        match filter.as_bytes() {
            [b'#', ..] | [b'+'] | [b'+', b'/', ..] => Self::Wildcard,
            _ => Self::Level(Shard::of(filter)),
        }
    }
}

/// Number of shards; a change to a filter spoils one in 256 of the cached topics.
pub(super) const SHARDS: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_and_the_filters_that_may_match_it_share_a_shard() {
        for (topic, filter) in [("a/b", "a/#"), ("a", "a/#"), ("/x", "/+"), ("$SYS/x", "$SYS/#")] {
            match FilterShard::of(filter) {
                FilterShard::Level(shard) => assert_eq!(shard, Shard::of(topic)),
                FilterShard::Wildcard => panic!("{filter} begins with a level"),
            }
        }
        for filter in ["#", "+", "+/a", "+/#"] {
            assert!(matches!(FilterShard::of(filter), FilterShard::Wildcard), "{filter}");
        }
    }

    #[test]
    fn first_levels_spread_over_the_shards() {
        let used: std::collections::HashSet<usize> =
            (0..4096).map(|n| Shard::of(&format!("device{n}/x")).at()).collect();
        assert!(used.len() > 240, "{} of {SHARDS}", used.len());
    }
}
