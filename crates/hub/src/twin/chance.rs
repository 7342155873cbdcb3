//! Reproducible chance for the tests of this crate: a generator, and documents over few keys, so
//! that patches meet what is there.

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

    pub(crate) fn one_of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }

    /// The JSON text of an object; nulls as members where `nulls`.
    pub(crate) fn object(&mut self, depth: usize, nulls: bool) -> String {
        let members: Vec<String> = (0..self.below(5))
            .map(|_| {
                let key = self.one_of(&["a", "b", "c", "d", "é", "long-key", ""]);
                format!("\"{key}\":{}", self.value(depth, nulls))
            })
            .collect();
        format!("{{{}}}", members.join(","))
    }

    fn value(&mut self, depth: usize, nulls: bool) -> String {
        match self.below(if depth == 0 { 6 } else { 10 }) {
            0 if nulls => "null".to_owned(),
            0 | 1 => self.one_of(&["true", "false"]).to_owned(),
            2 => self.one_of(&["0", "-1", "1.0", "2e3", "4503599627370495"]).to_owned(),
            3 => "[1,[],{\"a\":\"b\"},true]".to_owned(),
            4 => format!("\"{}\"", "x".repeat(self.below(200))),
            5 => self.one_of(&["\"\"", "\"\\u0000é\"", "\"text\""]).to_owned(),
            _ => self.object(depth - 1, nulls),
        }
    }
}
