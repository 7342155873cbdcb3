//! `[hub.feedback]`: how long and how often what becomes of commands can be read (iot-hub B2). Owns
//! its spelling; the ranges are crate `hub`'s.

use hub::feedback::Settings;
use serde::{Deserialize, Serialize};

use super::duration::HumanDuration;
use super::mistake::Mistake;

/// How feedback waits for its readers.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeedbackConfig {
    /// `feedback.ttlAsIso8601`.
    pub ttl: HumanDuration,
    /// `feedback.maxDeliveryCount`.
    pub deliveries_max: u32,
    /// `feedback.lockDurationAsIso8601`.
    pub lock: HumanDuration,
    /// Ends that wait; ours.
    pub items_max: u32,
}

impl Default for FeedbackConfig {
    fn default() -> Self {
        let Settings { ttl_ms, deliveries_max, lock_ms, items_max } = Settings::default();
        let (ttl, lock) = (HumanDuration::from_ms(ttl_ms), HumanDuration::from_ms(lock_ms));
        Self { ttl, deliveries_max, lock, items_max }
    }
}

impl FeedbackConfig {
    /// As the hub takes it.
    ///
    /// # Errors
    /// The first mistake.
    pub fn settings(&self) -> Result<Settings, Mistake> {
        let Self { deliveries_max, items_max, .. } = *self;
        let (ttl_ms, lock_ms) = (self.ttl.ms(), self.lock.ms());
        let settings = Settings { ttl_ms, deliveries_max, lock_ms, items_max };
        let wrong = |wrong| Mistake::out_of_range("hub", &wrong);
        settings.check().map(|()| settings).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_table() {
        for (text, path) in [
            ("", None),
            ("ttl = \"2d\"\nlock = \"5s\"\ndeliveries_max = 100\nitems_max = 64", None),
            ("ttl = \"59s\"", Some("hub.feedback.ttl: 59s is not in the range of 1m to 2d")),
            ("lock = \"301s\"", Some("hub.feedback.lock: 5m1s is not in the range of 5s to 5m")),
            (
                "deliveries_max = 0",
                Some("hub.feedback.deliveries_max: 0 is not in the range of 1 to 100"),
            ),
            (
                "items_max = 63",
                Some("hub.feedback.items_max: 63 is not in the range of 64 to 100000"),
            ),
        ] {
            let config: FeedbackConfig = toml::from_str(text).expect("readable");
            let found = config.settings().err().map(|m| format!("{}: {}", m.path, m.message));
            assert_eq!(found.as_deref(), path);
        }
        let usual = FeedbackConfig::default().settings().expect("the default");
        assert_eq!(usual, Settings::default());
    }
}
