//! How an endpoint is doing, for operators: what became of its messages, and its health (iot-hub
//! B5). Refuses to know the endpoint.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Of one endpoint, since the start.
#[derive(Debug, Default)]
pub struct State {
    delivered: AtomicU64,
    failed: AtomicU64,
    dead_lettered: AtomicU64,
    dropped: AtomicU64,
    /// When the oldest message that is being given to it was taken; 0 = none is.
    oldest_ms: AtomicU64,
    times: Mutex<Times>,
}

#[derive(Debug, Default, Clone)]
struct Times {
    took_ms: Option<u64>,
    /// It has taken nothing since.
    fails_since_ms: Option<u64>,
    lost_ms: Option<u64>,
    why: Option<String>,
}

/// A moment's look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The one word.
    pub health: Health,
    /// Messages that it took.
    pub delivered: u64,
    /// Attempts that failed, a batch each.
    pub failed: u64,
    /// Messages that went to the dead letters.
    pub dead_lettered: u64,
    /// Messages that became too old or too much while they waited, or could not be read.
    pub dropped: u64,
    /// How long the oldest one that is being given to it has waited, milliseconds.
    pub age_ms: u64,
    /// When it took something last, wall milliseconds.
    pub took_ms: Option<u64>,
    /// Since when it fails, likewise.
    pub fails_since_ms: Option<u64>,
    /// Why the last attempt failed.
    pub why: Option<String>,
}

/// As the hub's documents call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// Nothing was tried since the start.
    Unknown,
    /// The last attempt went well.
    Healthy,
    /// So did it, and in the last ten minutes messages were lost to dead letters or time.
    Degraded,
    /// The last attempt failed.
    Unhealthy,
    /// For an hour all did. It is tried on.
    Dead,
}

impl State {
    /// It took so many messages.
    pub fn took(&self, messages: u64, now_ms: u64) {
        self.delivered.fetch_add(messages, Ordering::Relaxed);
        let mut times = self.times();
        times.took_ms = Some(now_ms);
        times.fails_since_ms = None;
    }

    /// An attempt failed. Whether the one before had not.
    pub fn fails(&self, why: &str, now_ms: u64) -> bool {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut times = self.times();
        times.why = Some(why.to_owned());
        let is_first = times.fails_since_ms.is_none();
        times.fails_since_ms.get_or_insert(now_ms);
        is_first
    }

    /// So many messages are dead letters now.
    pub fn died(&self, messages: u64, now_ms: u64) {
        self.dead_lettered.fetch_add(messages, Ordering::Relaxed);
        self.times().lost_ms = Some(now_ms);
    }

    /// So many messages are lost.
    pub fn dropped(&self, messages: u64, now_ms: u64) {
        self.dropped.fetch_add(messages, Ordering::Relaxed);
        self.times().lost_ms = Some(now_ms);
    }

    /// When the oldest message under way was taken; 0 = none is.
    pub fn oldest(&self, enqueued_ms: u64) {
        self.oldest_ms.store(enqueued_ms, Ordering::Relaxed);
    }

    /// How it is doing.
    pub fn seen(&self, now_ms: u64) -> Seen {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        let times = self.times().clone();
        let oldest_ms = get(&self.oldest_ms);
        Seen {
            health: times.health(now_ms),
            delivered: get(&self.delivered),
            failed: get(&self.failed),
            dead_lettered: get(&self.dead_lettered),
            dropped: get(&self.dropped),
            age_ms: if oldest_ms == 0 { 0 } else { now_ms.saturating_sub(oldest_ms) },
            took_ms: times.took_ms,
            fails_since_ms: times.fails_since_ms,
            why: times.why,
        }
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Times {
    fn health(&self, now_ms: u64) -> Health {
        let is_within = |at_ms: u64, ms: u64| now_ms.saturating_sub(at_ms) < ms;
        match (self.fails_since_ms, self.took_ms) {
            (Some(since_ms), _) if is_within(since_ms, DEAD_MS) => Health::Unhealthy,
            (Some(_), _) => Health::Dead,
            (None, _) if self.lost_ms.is_some_and(|at_ms| is_within(at_ms, DEGRADED_MS)) => {
                Health::Degraded
            }
            (None, Some(_)) => Health::Healthy,
            (None, None) => Health::Unknown,
        }
    }
}

impl Health {
    /// All, in the order of the metric's numbers.
    pub const ALL: [Self; 5] =
        [Self::Unknown, Self::Healthy, Self::Degraded, Self::Unhealthy, Self::Dead];

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
            Self::Dead => "dead",
        }
    }
}

const DEAD_MS: u64 = 3_600_000;
const DEGRADED_MS: u64 = 600_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_follows_what_happens() {
        let state = State::default();
        let health = |now_ms| state.seen(now_ms).health;
        assert_eq!(health(5), Health::Unknown);
        assert!(state.fails("no", 10) && !state.fails("still no", 20));
        assert_eq!((health(20), health(10 + DEAD_MS)), (Health::Unhealthy, Health::Dead));
        state.took(3, 30);
        assert_eq!(health(40), Health::Healthy);
        state.died(2, 50);
        assert_eq!((health(60), health(50 + DEGRADED_MS)), (Health::Degraded, Health::Healthy));
        state.dropped(1, 60);
        state.oldest(70);
        let Seen { delivered, failed, dead_lettered, dropped, age_ms, why, .. } = state.seen(100);
        assert_eq!((delivered, failed, dead_lettered, dropped, age_ms), (3, 2, 2, 1, 30));
        assert_eq!(why.as_deref(), Some("still no"));
    }
}
