//! When something that failed is tried again, and when not any more. Refuses to know what it is.

use std::time::Duration;

/// How long a batch is tried.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// After so many attempts it is given up; 0 = never.
    pub attempts_max: u32,
    /// The longest time between two of them.
    pub wait_max: Duration,
}

impl Patience {
    /// Whether the attempt, counted from 1, was the last one.
    pub fn is_over(&self, attempt: u32) -> bool {
        self.attempts_max != 0 && attempt >= self.attempts_max
    }

    /// How long to wait behind a failed attempt, counted from 1: a second, twice as long each time
    /// up to the maximum, less up to a half by chance, so that many do not come at once. What the
    /// other side asked for comes first, up to an hour.
    pub fn wait(&self, attempt: u32, asked: Option<Duration>, chance: u64) -> Duration {
        if let Some(asked) = asked {
            return asked.clamp(FIRST, ASKED_MAX);
        }
        let doubled = FIRST.saturating_mul(1 << attempt.saturating_sub(1).min(DOUBLED_MAX));
        let whole = doubled.min(self.wait_max);
        // 1/2 to 1 of it.
        whole / 2 + whole.mul_f64((chance >> 11) as f64 / (1_u64 << 54) as f64)
    }
}

const FIRST: Duration = Duration::from_secs(1);
const DOUBLED_MAX: u32 = 20;
const ASKED_MAX: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_maximum_and_end() {
        let patience = Patience { attempts_max: 3, wait_max: Duration::from_secs(5) };
        let ms = |attempt, chance| patience.wait(attempt, None, chance).as_millis();
        for (attempt, whole) in [(1, 1_000), (2, 2_000), (3, 4_000), (4, 5_000), (99, 5_000)] {
            assert_eq!(ms(attempt, 0), whole / 2, "{attempt}");
            assert!((whole - 2..=whole).contains(&ms(attempt, u64::MAX)), "{attempt}");
        }
        let asked = |s| patience.wait(1, Some(Duration::from_secs(s)), 0).as_secs();
        assert_eq!((asked(0), asked(17), asked(1 << 40)), (1, 17, 3_600));
        assert_eq!([1, 2, 3, 4].map(|n| patience.is_over(n)), [false, false, true, true]);
        let ever = Patience { attempts_max: 0, ..patience };
        assert!(!ever.is_over(u32::MAX));
    }
}
