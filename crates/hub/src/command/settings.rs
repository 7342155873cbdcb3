//! What an operator may set of commands (iot-hub B2). Refuses to know where settings are written.

use super::limits::{
    DEAD_LETTERS_RANGE, DELIVERIES_RANGE, DEPTH_RANGE, LOCK_MS_RANGE, TTL_MS_RANGE,
};
use crate::OutOfRange;

/// The settings of all queues of a hub. The default is B2's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// `maxDeliveryCount`: the so-many-th abandon ends a command.
    pub deliveries_max: u32,
    /// `defaultTtlAsIso8601`, of a command without an expiry of its own, in milliseconds.
    pub ttl_default_ms: u64,
    /// How long a connection or an HTTP client has a command, in milliseconds.
    pub lock_ms: u64,
    /// Commands that may wait for one device, those in work among them.
    pub depth_max: u32,
    /// Dead letters that are kept of one device; the oldest goes first. Ours.
    pub dead_letters_max: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            deliveries_max: 10,
            ttl_default_ms: 3_600_000,
            lock_ms: 60_000,
            depth_max: 50,
            dead_letters_max: 10,
        }
    }
}

impl Settings {
    /// Whether all are in their ranges.
    ///
    /// # Errors
    /// The first that is not.
    pub fn check(&self) -> Result<(), OutOfRange> {
        let check = OutOfRange::check;
        check("deliveries_max", self.deliveries_max.into(), DELIVERIES_RANGE)?;
        check("ttl_default_ms", self.ttl_default_ms, TTL_MS_RANGE)?;
        check("lock_ms", self.lock_ms, LOCK_MS_RANGE)?;
        check("depth_max", self.depth_max.into(), DEPTH_RANGE)?;
        check("dead_letters_max", self.dead_letters_max.into(), DEAD_LETTERS_RANGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_have_the_ranges_of_the_table() {
        let default = Settings::default();
        assert_eq!(default.check(), Ok(()));
        let said = |settings: Settings| settings.check().map_err(|e| e.to_string());
        let rows = [
            (Settings { deliveries_max: 1, ..default }, None),
            (Settings { deliveries_max: 100, ..default }, None),
            (
                Settings { deliveries_max: 0, ..default },
                Some("deliveries_max is 0; it is between 1"),
            ),
            (Settings { deliveries_max: 101, ..default }, Some("deliveries_max is 101")),
            (Settings { ttl_default_ms: 60_000, ..default }, None),
            (Settings { ttl_default_ms: 59_999, ..default }, Some("ttl_default_ms")),
            (Settings { ttl_default_ms: 172_800_001, ..default }, Some("ttl_default_ms")),
            (Settings { lock_ms: 4_999, ..default }, Some("lock_ms")),
            (Settings { depth_max: 0, ..default }, Some("depth_max")),
            (Settings { dead_letters_max: 0, ..default }, None),
            (Settings { dead_letters_max: 1_001, ..default }, Some("dead_letters_max")),
        ];
        for (settings, expected) in rows {
            match (said(settings), expected) {
                (Ok(()), None) => {}
                (Err(found), Some(part)) => assert!(found.starts_with(part), "{found}"),
                (found, _) => panic!("{settings:?}: {found:?}"),
            }
        }
    }
}
