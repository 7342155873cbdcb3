//! Identifiers of our making: assigned client identifiers (MQTT 5, 3.1.3-6) and those of traces,
//! unique and not to be guessed from each other.

use foldhash::quality::FixedState;
use std::hash::{BuildHasher, Hasher};

/// Makes them.
pub(crate) struct AssignedIds {
    key: FixedState,
    seed: u64,
    given: u64,
}

impl AssignedIds {
    /// `seed`: random in production, fixed in simulation.
    pub fn new(seed: [u64; 2]) -> Self {
        Self { key: FixedState::with_seed(seed[1]), seed: seed[0], given: 0 }
    }

    /// One that was not given before.
    pub fn next(&mut self) -> String {
        let [one, other] = self.halves();
        format!("auto-{one:016x}{:08x}", other as u32)
    }

    /// An identifier by which a refusal is found again in the log, in the form of a UUID.
    pub fn trace(&mut self) -> String {
        let [a, b] = self.halves();
        let (high, mid) = (a >> 32, a >> 16 & 0xFFFF);
        let (low, sequence, node) = (a & 0xFFF, b >> 48 & 0x3FFF | 0x8000, b & 0xFFFF_FFFF_FFFF);
        format!("{high:08x}-{mid:04x}-4{low:03x}-{sequence:04x}-{node:012x}")
    }

    /// A number that cannot be guessed.
    pub fn number(&mut self) -> u64 {
        self.halves()[0]
    }

    fn halves(&mut self) -> [u64; 2] {
        self.given += 1;
        let half = |salt: u64| {
            let mut h = self.key.build_hasher();
            h.write_u64(self.seed);
            h.write_u64(self.given);
            h.write_u64(salt);
            h.finish()
        };
        [half(1), half(2)]
    }
}
