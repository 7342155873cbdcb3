//! How long the disk takes to make things last. Owns the counts; whoever syncs measures.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts of syncs by how long they took. Shared by all files of a disk.
#[derive(Debug, Default)]
pub struct SyncTimes {
    /// By [`BOUNDS_US`], the last one for all that took longer.
    counts: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// The same, as read at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// Upper bound in microseconds, and how many took at most that, the shorter ones among them.
    pub up_to_us: Vec<(u64, u64)>,
    /// How many there were.
    pub count: u64,
    /// How long all took together, in microseconds.
    pub sum_us: u64,
}

impl SyncTimes {
    /// One sync took so long.
    pub fn took(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let at = BOUNDS_US.iter().position(|bound| us <= *bound).unwrap_or(BOUNDS_US.len());
        self.counts[at].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    /// What is counted so far.
    pub fn read(&self) -> Times {
        let mut count = 0;
        let mut so_far = |at: usize| {
            count += self.counts[at].load(Ordering::Relaxed);
            count
        };
        let up_to_us = BOUNDS_US.iter().enumerate().map(|(at, us)| (*us, so_far(at))).collect();
        let all = so_far(BOUNDS_US.len());
        Times { up_to_us, count: all, sum_us: self.sum_us.load(Ordering::Relaxed) }
    }
}

/// From the cache of a controller to a disk that is ill.
const BOUNDS_US: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 1_000_000, 10_000_000];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_at_its_bound_and_above() {
        let times = SyncTimes::default();
        for us in [100, 101, 3_000, 60_000_000] {
            times.took(Duration::from_micros(us));
        }
        let read = times.read();
        let at = |bound: u64| read.up_to_us.iter().find(|(us, _)| *us == bound).unwrap().1;
        assert_eq!([at(100), at(250), at(2_500), at(5_000), at(10_000_000)], [1, 2, 2, 3, 3]);
        assert_eq!((read.count, read.sum_us), (4, 60_003_201));
    }
}
