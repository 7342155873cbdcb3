//! One publish, owned and shared by everyone who must keep it.
//!
//! Owns the message, its deadline and its place in the log. Refuses to know who receives it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mqtt::message::Message;

use crate::budget::{Account, Charge};

/// One publish, owned and shared by everyone who must keep it: retained store, session queues,
/// other reactors. Immutable; a new publish to the topic is a new value.
pub struct Publication {
    /// Topic, forwardable properties, payload, QoS and RETAIN as published.
    pub message: Message,
    /// Domain wall time in ms after which nobody may get it any more; [`NEVER`] = no expiry
    /// (MQTT 5, 3.3.2.3.3).
    pub deadline_ms: u64,
    /// Who wants to hear of deliveries (`?wait=delivered` of HTTP Publish), if anybody.
    pub watch: Option<Arc<dyn Watch>>,
    /// Its bytes in the process's budget, given back with it.
    pub charge: Option<Charge>,
    /// Its place in the log, see [`sequence`](Self::sequence).
    pub place: Place,
}

/// A place in the log, known once what it belongs to is a fact.
#[derive(Debug, Default)]
pub struct Place(AtomicU64);

/// Hears of acknowledged deliveries of one publication (HTTP Publish, `?wait=delivered`).
///
/// Called on any reactor's thread, once per receiver that acknowledged; it must not block.
pub trait Watch: Send + Sync {
    /// One more receiver has acknowledged (PUBACK, or PUBREC at QoS 2: the message is its own
    /// from then on).
    fn delivered(&self);
}

impl Publication {
    /// A publish that is not in the log, never expires and is watched by nobody.
    pub fn new(message: Message) -> Self {
        Self { message, deadline_ms: NEVER, watch: None, charge: None, place: Place::default() }
    }

    /// The same for one receiver alone: how long it lives tells when that one has finished.
    pub fn own(&self) -> Self {
        let Self { message, deadline_ms, watch, .. } = self;
        let own =
            Self { deadline_ms: *deadline_ms, watch: watch.clone(), ..Self::new(message.clone()) };
        own.settled_at(self.sequence());
        own
    }

    /// Its place in the log; 0 = it is not there, or not yet.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.place.0.load(Ordering::Relaxed)
    }

    /// It has become a fact: set before anybody is told of it.
    pub fn settled_at(&self, sequence: u64) {
        self.place.0.store(sequence, Ordering::Relaxed);
    }

    /// Charges what keeping it costs to an account.
    pub fn charge_to(&mut self, account: &Arc<Account>) {
        self.charge = Some(account.charge(self.bytes() + KEPT_BYTES));
    }

    /// Whether the deadline has come. A publication without expiry never does.
    #[inline]
    pub fn expired(&self, now_ms: u64) -> bool {
        now_ms >= self.deadline_ms && self.deadline_ms != NEVER
    }

    /// The Message Expiry Interval to send now, in seconds, rounded up so that what is not yet
    /// expired never says 0 (MQTT 5, 3.3.2.3.3-6). `None` = no expiry; `Some(0)` = expired.
    #[inline]
    pub fn remaining_s(&self, now_ms: u64) -> Option<u32> {
        if self.deadline_ms == NEVER {
            return None;
        }
        let left_s = self.deadline_ms.saturating_sub(now_ms).div_ceil(1000);
        let left_s = u32::try_from(left_s).unwrap_or(u32::MAX);
        // Another reactor's turn may have begun before the one that took the message in.
        Some(left_s.min(self.message.expiry_s().unwrap_or(u32::MAX)))
    }

    /// What it costs to keep: topic, properties and payload in bytes.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.message.topic_bytes().len()
            + self.message.properties().len()
            + self.message.payload().len()
    }
}

impl fmt::Debug for Publication {
    /// Without payload: payloads do not belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication")
            .field("topic", &self.message.topic())
            .field("deadline_ms", &self.deadline_ms)
            .finish_non_exhaustive()
    }
}

/// Besides its content a kept publication is this value and its two counts.
pub const KEPT_BYTES: usize = size_of::<Publication>() + 2 * size_of::<usize>();
/// The deadline of what does not expire.
pub const NEVER: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt::qos::QoS;

    #[test]
    fn remaining_time_is_rounded_up_and_ends_at_the_deadline() {
        let message = Message::new("t", &[], b"x", QoS::AtMostOnce, false);
        let p = Publication { deadline_ms: 10_000, ..Publication::new(message) };
        for (now_ms, left, expired) in [
            (0, 10, false),
            (1, 10, false),
            (9_000, 1, false),
            (9_999, 1, false),
            (10_000, 0, true),
            (11_000, 0, true),
        ] {
            assert_eq!(p.remaining_s(now_ms), Some(left), "at {now_ms}");
            assert_eq!(p.expired(now_ms), expired, "at {now_ms}");
        }
    }

    #[test]
    fn a_clock_that_is_behind_adds_nothing() {
        let properties = [0x02, 0, 0, 0, 5];
        let message = Message::new("t", &properties, b"x", QoS::AtMostOnce, false);
        let p = Publication { deadline_ms: 15_000, ..Publication::new(message) };
        assert_eq!(p.remaining_s(9_998), Some(5), "never more than was received");
        assert_eq!(p.remaining_s(10_001), Some(5));
    }

    #[test]
    fn without_expiry_nothing_ever_expires() {
        let p = Publication::new(Message::new("t", &[], b"x", QoS::AtMostOnce, false));
        assert_eq!(p.remaining_s(u64::MAX), None);
        assert!(!p.expired(u64::MAX));
        assert_eq!(p.bytes(), 2);
    }
}
