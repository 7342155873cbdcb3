//! How many messages a second one principal may publish over HTTP: a token bucket each (event-grid
//! 2.7). Refuses to know what a message is.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::{Duration, Instant};

/// The buckets of all principals. A bucket holds one second's worth; a principal that has been
/// silent for a second costs nothing after the next sweep.
#[derive(Debug)]
pub struct RateLimit {
    per_second: NonZeroU32,
    buckets: Mutex<Buckets>,
}

#[derive(Debug, Default)]
struct Buckets {
    /// When each bucket will be full again; a time in the past is a full bucket.
    full_at: HashMap<Arc<str>, Instant>,
    sweep_at: usize,
}

impl RateLimit {
    /// `per_second` messages a second and principal.
    pub fn new(per_second: NonZeroU32) -> Self {
        RateLimit { per_second, buckets: Mutex::default() }
    }

    /// Takes one message from the principal's bucket.
    ///
    /// # Errors
    /// The whole seconds (at least one) after which there is room again.
    pub fn take(&self, principal: &Arc<str>, now: Instant) -> Result<(), u64> {
        let cost = Duration::from_secs(1) / self.per_second.get();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.sweep(now);
        let full_at = buckets.full_at.entry(Arc::clone(principal)).or_insert(now);
        let after = (*full_at).max(now) + cost;
        let debt = after.duration_since(now);
        if debt > Duration::from_secs(1) {
            return Err((debt - Duration::from_secs(1)).as_secs_f64().ceil().max(1.0) as u64);
        }
        *full_at = after;
        Ok(())
    }
}

impl Buckets {
    /// Forgets full buckets whenever their number has doubled since the last time.
    fn sweep(&mut self, now: Instant) {
        if self.full_at.len() < self.sweep_at.max(SWEEP_MIN) {
            return;
        }
        self.full_at.retain(|_, full_at| *full_at > now);
        self.sweep_at = self.full_at.len() * 2;
    }
}

/// Below this many buckets a sweep is not worth its walk.
const SWEEP_MIN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_burst_then_the_rate_for_each_principal() {
        let rate = RateLimit::new(NonZeroU32::new(10).unwrap());
        let (one, two): (Arc<str>, Arc<str>) = ("one".into(), "two".into());
        let start = Instant::now();
        for _ in 0..10 {
            assert_eq!(rate.take(&one, start), Ok(()));
        }
        assert_eq!(rate.take(&one, start), Err(1));
        assert_eq!(rate.take(&two, start), Ok(()));
        let later = start + Duration::from_millis(100);
        assert_eq!(rate.take(&one, later), Ok(()));
        assert_eq!(rate.take(&one, later), Err(1));
        assert_eq!(rate.take(&one, start + Duration::from_secs(60)), Ok(()));
    }

    #[test]
    fn silent_principals_are_forgotten() {
        let rate = RateLimit::new(NonZeroU32::new(10).unwrap());
        let start = Instant::now();
        for i in 0..10_000u32 {
            let name: Arc<str> = i.to_string().into();
            rate.take(&name, start + Duration::from_secs(u64::from(i))).unwrap();
        }
        assert!(rate.buckets.lock().unwrap().full_at.len() <= SWEEP_MIN);
    }
}
