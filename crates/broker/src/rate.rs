//! How often something may happen: a bucket that fills with time, as one number.
//!
//! Owns the arithmetic. Refuses to know what is counted and which clock runs: time is an argument.

use std::sync::atomic::{AtomicU64, Ordering};

/// So many a second, and so many at once after silence. Both at least 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    per_second: u64,
    burst: u64,
}

/// A bucket with one owner: when it will be full again, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bucket(u64);

/// A bucket of all threads.
#[derive(Debug, Default)]
pub struct SharedBucket(AtomicU64);

impl Rate {
    /// `None` for 0 a second, which stands for any number.
    pub fn new(per_second: u32, burst: u32) -> Option<Self> {
        let (per_second, burst) = (u64::from(per_second), u64::from(burst.max(1)));
        (per_second > 0).then_some(Self { per_second, burst })
    }

    /// When a bucket that is full at `full_at_us` is full once `n` are taken at `now_us`; more
    /// than it ever holds is given out of a full one. `None` = it does not hold so many.
    fn after(self, full_at_us: u64, n: u64, now_us: u64) -> Option<u64> {
        let cost_us = |n: u64| n.saturating_mul(1_000_000) / self.per_second;
        let missing_us = full_at_us.saturating_sub(now_us);
        let fits = missing_us + cost_us(n.min(self.burst)) <= cost_us(self.burst);
        fits.then(|| now_us + missing_us + cost_us(n))
    }
}

impl Bucket {
    /// Takes `n` at `now_us`; false if the bucket does not hold so many.
    pub fn take(&mut self, rate: Rate, n: u64, now_us: u64) -> bool {
        let after = rate.after(self.0, n, now_us);
        self.0 = after.unwrap_or(self.0);
        after.is_some()
    }

    /// Whether nothing was taken lately.
    pub fn is_full(self, now_us: u64) -> bool {
        self.0 <= now_us
    }
}

impl SharedBucket {
    /// As [`Bucket::take`].
    pub fn take(&self, rate: Rate, n: u64, now_us: u64) -> bool {
        let after = |full_at_us| rate.after(full_at_us, n, now_us);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_a_burst_and_then_its_rate() {
        let rate = Rate::new(10, 3).unwrap();
        assert_eq!(Rate::new(0, 3), None);
        let (mut bucket, shared) = (Bucket::default(), SharedBucket::default());
        // (milliseconds, how many, given)
        let rows = [
            (5_000, 1, true),
            (5_000, 2, true),
            (5_000, 1, false),
            (5_099, 1, false),
            (5_100, 1, true),
            (5_150, 1, false),
            (5_400, 9, true),
            (6_099, 1, false),
            (6_100, 1, true),
            (6_199, 1, false),
            (6_400, 3, true),
        ];
        for (at_ms, n, given) in rows {
            assert_eq!(bucket.take(rate, n, at_ms * 1_000), given, "{n} at {at_ms}");
            assert_eq!(shared.take(rate, n, at_ms * 1_000), given, "{n} at {at_ms}, shared");
        }
        assert!(!bucket.is_full(6_400_000) && bucket.is_full(10_000_000));
    }
}
