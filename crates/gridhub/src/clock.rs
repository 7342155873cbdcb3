//! The two clocks of the process. The only place that reads them for the data plane.

use node::now::Now;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Shared by everything that asks for the time. Cheap to clone.
#[derive(Clone)]
pub struct Clock(Arc<Inner>);

struct Inner {
    started: Instant,
    /// How far the domain clock was moved, in milliseconds.
    moved_ms: AtomicU64,
    /// The domain clock never goes back, whatever the system's clock does.
    latest_ms: AtomicU64,
}

impl Clock {
    /// Both clocks, running.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            started: Instant::now(),
            moved_ms: AtomicU64::new(0),
            latest_ms: AtomicU64::new(0),
        }))
    }

    /// Both clocks at once.
    pub fn now(&self) -> Now {
        Now { mono_ms: self.mono_ms(), wall_ms: self.wall_ms() }
    }

    /// Milliseconds since the process began to serve: real time.
    pub fn mono_ms(&self) -> u64 {
        millis(self.0.started.elapsed())
    }

    /// The domain clock: milliseconds since 1970, as moved.
    pub fn wall_ms(&self) -> u64 {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis);
        let now = system.saturating_add(self.0.moved_ms.load(Ordering::Relaxed));
        self.0.latest_ms.fetch_max(now, Ordering::Relaxed).max(now)
    }

    /// The domain clock has been there before: it does not go behind that.
    pub fn not_before(&self, wall_ms: u64) {
        self.0.latest_ms.fetch_max(wall_ms, Ordering::Relaxed);
    }

    /// Moves the domain clock forward and nothing else.
    pub fn advance(&self, by: Duration) {
        self.0.moved_ms.fetch_add(millis(by), Ordering::Relaxed);
    }
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advancing_moves_the_domain_clock_only() {
        let clock = Clock::new();
        let before = clock.now();
        clock.advance(Duration::from_secs(3_600));
        let after = clock.now();
        assert!(after.wall_ms >= before.wall_ms + 3_600_000);
        assert!(after.mono_ms < before.mono_ms + 60_000);
    }
}
