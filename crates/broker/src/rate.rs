//! How often something may happen: a bucket that fills with time, as one number.
//!
//! Owns the arithmetic. Refuses to know what is counted and which clock runs: time is an argument.

use std::sync::atomic::{AtomicU64, Ordering};

/// So many a while, and so many at once after silence. Both at least 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    count: u64,
    per_us: u64,
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
        let (count, burst) = (u64::from(per_second), u64::from(burst.max(1)));
        (count > 0).then_some(Self { count, per_us: 1_000_000, burst })
    }

    /// So many in so many seconds, all of them at once after silence. `None` for 0.
    pub fn over(count: u32, seconds: u32) -> Option<Self> {
        let per_us = u64::from(seconds.max(1)) * 1_000_000;
        (count > 0).then_some(Self { count: count.into(), per_us, burst: count.into() })
    }

    /// When a bucket that is full at `full_at_us` is full once `n` are taken at `now_us`; more
    /// than it ever holds is given out of a full one. `None` = it does not hold so many.
    fn after(self, full_at_us: u64, n: u64, now_us: u64) -> Option<u64> {
        let missing_us = full_at_us.saturating_sub(now_us);
        let fits = self.wait_us(full_at_us, n, now_us) == 0;
        fits.then(|| now_us + missing_us + self.cost_us(n))
    }

    /// Microseconds until such a bucket holds `n`.
    fn wait_us(self, full_at_us: u64, n: u64, now_us: u64) -> u64 {
        let missing_us = full_at_us.saturating_sub(now_us);
        (missing_us + self.cost_us(n.min(self.burst))).saturating_sub(self.cost_us(self.burst))
    }

    fn cost_us(self, n: u64) -> u64 {
        n.saturating_mul(self.per_us) / self.count
    }
}

impl Bucket {
    /// Takes `n` at `now_us`; false if the bucket does not hold so many.
    pub fn take(&mut self, rate: Rate, n: u64, now_us: u64) -> bool {
        let after = rate.after(self.0, n, now_us);
        self.0 = after.unwrap_or(self.0);
        after.is_some()
    }

    /// Microseconds until it holds `n`.
    pub fn wait_us(self, rate: Rate, n: u64, now_us: u64) -> u64 {
        rate.wait_us(self.0, n, now_us)
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

    /// As [`Bucket::wait_us`].
    pub fn wait_us(&self, rate: Rate, n: u64, now_us: u64) -> u64 {
        rate.wait_us(self.0.load(Ordering::Relaxed), n, now_us)
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
        let minute = Rate::over(6, 60).unwrap();
        let mut bucket = Bucket::default();
        assert!(bucket.take(minute, 6, 0) && !bucket.take(minute, 1, 9_999_999));
        assert_eq!(bucket.wait_us(minute, 2, 1_000_000), 19_000_000);
        assert!(bucket.take(minute, 1, 10_000_000));
    }
}
