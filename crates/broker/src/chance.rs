//! Reproducible chance for the tests of this crate.
//!
//! Owns a generator and random topics and filters over a small alphabet, so that they often meet.

/// A xorshift generator: the same seed, the same sequence.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    /// A topic of one to four levels.
    pub(crate) fn topic(&mut self) -> String {
        let topic = self.joined(&["a", "b", "ab", "", "a\u{1}", "é"], &["$x", "$", "a", "b"]);
        if topic.is_empty() { "a".to_owned() } else { topic }
    }

    /// A filter of one to four levels, mostly with wildcards.
    pub(crate) fn filter(&mut self) -> String {
        let levels = ["a", "b", "ab", "", "+", "+", "é"];
        let mut filter = self.joined(&levels, &["$x", "$", "a", "+", "+"]);
        match self.below(4) {
            0 if filter.len() > 4 => filter.push_str("/#"),
            1 => {
                filter = filter.rsplit_once('/').map_or("#".into(), |(head, _)| format!("{head}/#"))
            }
            _ => {}
        }
        if filter.is_empty() { "+".to_owned() } else { filter }
    }

    fn joined(&mut self, levels: &[&str], first: &[&str]) -> String {
        let mut text = first[self.below(first.len())].to_owned();
        for _ in 0..self.below(4) {
            text.push('/');
            text.push_str(levels[self.below(levels.len())]);
        }
        text
    }
}
