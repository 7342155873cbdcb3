//! How much one principal may publish over HTTP in a second, in messages and in bytes: a token
//! bucket for each (event-grid 2.7). Refuses to know what a message is.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::{Duration, Instant};

/// What a second may hold; `None` = any amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rates {
    pub messages: Option<NonZeroU32>,
    pub bytes: Option<NonZeroU32>,
}

/// The buckets of all principals. A bucket holds one second's worth; a principal that has been
/// silent until its buckets are full costs nothing after the next sweep.
#[derive(Debug)]
pub struct RateLimit {
    rates: Rates,
    buckets: Mutex<Buckets>,
}

/// Which bucket was empty, and the whole seconds (at least one) after which there is room again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    pub by: Throttle,
    pub retry_after_s: u64,
}

/// The rates, in the order they are checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttle {
    Messages,
    Bytes,
}

#[derive(Debug, Default)]
struct Buckets {
    of: HashMap<Arc<str>, Pair>,
    sweep_at: usize,
}

/// When each bucket will be full again; a time in the past is a full bucket.
#[derive(Clone, Copy, Debug)]
struct Pair {
    messages_full_at: Instant,
    bytes_full_at: Instant,
}

impl RateLimit {
    /// `None` when nothing is limited.
    pub fn new(rates: Rates) -> Option<Self> {
        let limited = rates != Rates::default();
        limited.then(|| RateLimit { rates, buckets: Mutex::default() })
    }

    /// Takes one message of `bytes` from the principal's buckets, or nothing.
    ///
    /// # Errors
    /// When one of the buckets does not hold that much.
    pub fn take(&self, principal: &Arc<str>, bytes: usize, now: Instant) -> Result<(), Throttled> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.sweep(now);
        let full = Pair { messages_full_at: now, bytes_full_at: now };
        let pair = buckets.of.entry(Arc::clone(principal)).or_insert(full);
        let throttled = |by| move |retry_after_s| Throttled { by, retry_after_s };
        let messages = after(self.rates.messages, 1, pair.messages_full_at, now)
            .map_err(throttled(Throttle::Messages))?;
        let bytes = after(self.rates.bytes, bytes, pair.bytes_full_at, now)
            .map_err(throttled(Throttle::Bytes))?;
        *pair = Pair { messages_full_at: messages, bytes_full_at: bytes };
        Ok(())
    }
}

/// When the bucket will be full once `amount` is taken. More than a bucket holds is given out of a
/// full one, or it could never be sent.
///
/// # Errors
/// The whole seconds until the bucket holds enough.
fn after(
    per_second: Option<NonZeroU32>,
    amount: usize,
    full_at: Instant,
    now: Instant,
) -> Result<Instant, u64> {
    let Some(per_second) = per_second else { return Ok(now) };
    let cost_ns = (amount as u64).saturating_mul(1_000_000_000) / u64::from(per_second.get());
    let cost = Duration::from_nanos(cost_ns);
    let missing = full_at.max(now).duration_since(now);
    let short = (missing + cost.min(BUCKET)).saturating_sub(BUCKET);
    if !short.is_zero() {
        return Err(short.as_secs_f64().ceil() as u64);
    }
    Ok(now + missing + cost)
}

impl Buckets {
    /// Forgets full buckets whenever their number has doubled since the last time.
    fn sweep(&mut self, now: Instant) {
        if self.of.len() < self.sweep_at.max(SWEEP_MIN) {
            return;
        }
        self.of.retain(|_, pair| pair.messages_full_at.max(pair.bytes_full_at) > now);
        self.sweep_at = self.of.len() * 2;
    }
}

const BUCKET: Duration = Duration::from_secs(1);
/// Below this many principals a sweep is not worth its walk.
const SWEEP_MIN: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(messages: u32, bytes: u32) -> RateLimit {
        let rates = Rates { messages: NonZeroU32::new(messages), bytes: NonZeroU32::new(bytes) };
        RateLimit::new(rates).unwrap()
    }

    fn throttled(by: Throttle, retry_after_s: u64) -> Result<(), Throttled> {
        Err(Throttled { by, retry_after_s })
    }

    #[test]
    fn a_second_of_burst_then_the_rate_for_each_principal() {
        let rate = limit(10, 0);
        let (one, two): (Arc<str>, Arc<str>) = ("one".into(), "two".into());
        let start = Instant::now();
        for _ in 0..10 {
            assert_eq!(rate.take(&one, 1_000_000, start), Ok(()));
        }
        assert_eq!(rate.take(&one, 0, start), throttled(Throttle::Messages, 1));
        assert_eq!(rate.take(&two, 0, start), Ok(()));
        let later = start + Duration::from_millis(100);
        assert_eq!(rate.take(&one, 0, later), Ok(()));
        assert_eq!(rate.take(&one, 0, later), throttled(Throttle::Messages, 1));
        assert_eq!(rate.take(&one, 0, start + Duration::from_secs(60)), Ok(()));
    }

    #[test]
    fn bytes_are_counted_and_a_large_payload_needs_a_full_bucket() {
        let rate = limit(0, 1000);
        let one: Arc<str> = "one".into();
        let start = Instant::now();
        assert_eq!(rate.take(&one, 600, start), Ok(()));
        assert_eq!(rate.take(&one, 401, start), throttled(Throttle::Bytes, 1));
        assert_eq!(rate.take(&one, 400, start), Ok(()));
        let full = start + Duration::from_secs(1);
        assert!(rate.take(&one, 5000, full - Duration::from_millis(1)).is_err());
        assert_eq!(rate.take(&one, 5000, full), Ok(()));
        assert_eq!(rate.take(&one, 1000, full), throttled(Throttle::Bytes, 5));
        assert_eq!(rate.take(&one, 1000, full + Duration::from_secs(5)), Ok(()));
    }

    #[test]
    fn a_refusal_takes_nothing() {
        let rate = limit(2, 1000);
        let one: Arc<str> = "one".into();
        let start = Instant::now();
        assert_eq!(rate.take(&one, 1000, start), Ok(()));
        for _ in 0..5 {
            assert_eq!(rate.take(&one, 1, start), throttled(Throttle::Bytes, 1));
        }
        assert_eq!(rate.take(&one, 0, start), Ok(()));
        assert!(RateLimit::new(Rates::default()).is_none());
    }

    #[test]
    fn silent_principals_are_forgotten() {
        let rate = limit(10, 0);
        let start = Instant::now();
        for i in 0..10_000u32 {
            let name: Arc<str> = i.to_string().into();
            rate.take(&name, 0, start + Duration::from_secs(u64::from(i))).unwrap();
        }
        assert!(rate.buckets.lock().unwrap().of.len() <= SWEEP_MIN);
    }
}
