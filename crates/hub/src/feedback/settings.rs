//! What an operator may set of feedback (iot-hub B2), and the bounds. Refuses to know where
//! settings are written.

use std::ops::RangeInclusive;

use crate::OutOfRange;
use crate::command::{DELIVERIES_RANGE, TTL_MS_RANGE};

/// The settings of a hub. The default is B2's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `feedback.ttlAsIso8601`: how long a batch can be read, in milliseconds.
    pub ttl_ms: u64,
    /// `feedback.maxDeliveryCount`: the so-many-th abandon ends a batch.
    pub deliveries_max: u32,
    /// `feedback.lockDurationAsIso8601`: how long a reader has a batch, in milliseconds.
    pub lock_ms: u64,
    /// Ends that wait to be read; a further one is dropped and counted. Ours.
    pub items_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { ttl_ms: 3_600_000, deliveries_max: 10, lock_ms: 60_000, items_max: 10_000 }
    }
}

impl Settings {
    /// Whether all are in their ranges.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let check = OutOfRange::check;
        check("feedback.ttl_ms", self.ttl_ms, TTL_MS_RANGE)?;
        check("feedback.deliveries_max", self.deliveries_max.into(), DELIVERIES_RANGE)?;
        check("feedback.lock_ms", self.lock_ms, LOCK_MS_RANGE)?;
        check("feedback.items_max", self.items_max.into(), ITEMS_RANGE)
    }
}

/// What `feedback.lockDurationAsIso8601` may be, PT5S to PT300S, in milliseconds.
const LOCK_MS_RANGE: RangeInclusive<u64> = 5_000..=300_000;
/// Ours.
const ITEMS_RANGE: RangeInclusive<u64> = 64..=100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_the_ranges_of_the_table() {
        let default = Settings::default();
        let rows = [
            (default, None),
            (Settings { ttl_ms: 59_999, ..default }, Some("feedback.ttl_ms")),
            (Settings { deliveries_max: 101, ..default }, Some("feedback.deliveries_max")),
            (Settings { lock_ms: 5_000, ..default }, None),
            (Settings { lock_ms: 300_001, ..default }, Some("feedback.lock_ms")),
            (Settings { items_max: 63, ..default }, Some("feedback.items_max")),
        ];
        for (settings, name) in rows {
            assert_eq!(settings.check().err().map(|e| e.name), name);
        }
    }
}
