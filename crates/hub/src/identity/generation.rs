//! Which life of an id it is (iot-hub B1.1). Refuses to know where new numbers come from.

use std::fmt;

/// A life of an id: another number after each new creation. Its text is opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation(pub u64);

impl Generation {
    /// A life that begins now: the time in units of 100 ns since the year 1, as the cloud's are,
    /// with `chance` in the digits below a millisecond, so that two lives of one id differ.
    pub fn beginning(now_ms: u64, chance: u64) -> Self {
        let ticks = now_ms.saturating_mul(TICKS_PER_MS).saturating_add(UNIX_TICKS);
        Self(ticks.saturating_add(chance % TICKS_PER_MS))
    }

    /// When it began, Unix milliseconds: the time of its first twin.
    pub fn begun_ms(self) -> u64 {
        self.0.saturating_sub(UNIX_TICKS) / TICKS_PER_MS
    }
}

const TICKS_PER_MS: u64 = 10_000;
/// 1970 in units of 100 ns since the year 1.
const UNIX_TICKS: u64 = 621_355_968_000_000_000;

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_looks_like_the_clouds() {
        let made = Generation::beginning(1_600_000_000_123, 20_005);
        assert_eq!((made.0, made.begun_ms()), (637_355_968_001_230_005, 1_600_000_000_123));
        assert_eq!(Generation(7).begun_ms(), 0);
        assert_eq!(Generation(637_000_000_000_000_001).to_string(), "637000000000000001");
    }
}
