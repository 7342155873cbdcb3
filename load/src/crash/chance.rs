//! Choices that a seed repeats. Each is drawn from the seed, the round and a name, never from a
//! stream that timing could shift. Refuses to know what is chosen.

/// A source of choices.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The choices of one round about one thing.
    pub fn of(seed: u64, round: u64, name: &str) -> Self {
        let mut chance = Self(seed);
        for byte in round.to_be_bytes().iter().chain(name.as_bytes()) {
            chance.0 = chance.next() ^ u64::from(*byte);
        }
        chance
    }

    /// Any number (splitmix64).
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.next() % (high - low + 1)
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: u64) -> bool {
        self.next().is_multiple_of(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_names_differ() {
        let draw = |seed, round, name| Chance::of(seed, round, name).next();
        assert_eq!(draw(1, 2, "a"), draw(1, 2, "a"));
        let all = [draw(1, 2, "a"), draw(1, 2, "b"), draw(1, 3, "a"), draw(2, 2, "a")];
        let different: std::collections::BTreeSet<_> = all.into_iter().collect();
        assert_eq!(different.len(), all.len());
        let mut chance = Chance::of(7, 0, "x");
        assert!((0..1_000).all(|_| (50..=800).contains(&chance.between(50, 800))));
    }
}
