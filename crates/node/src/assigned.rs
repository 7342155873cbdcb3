//! Assigned client identifiers (MQTT 5, 3.1.3-6): unique, and not to be guessed from each other.

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
        self.given += 1;
        let half = |salt: u64| {
            let mut h = self.key.build_hasher();
            h.write_u64(self.seed);
            h.write_u64(self.given);
            h.write_u64(salt);
            h.finish()
        };
        format!("auto-{:016x}{:08x}", half(1), half(2) as u32)
    }
}
