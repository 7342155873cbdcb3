//! `[hub.commands]`: how commands wait for their devices (iot-hub B2). Owns its spelling; the
//! ranges are crate `hub`'s.

use hub::command::Settings;
use serde::{Deserialize, Serialize};

use super::duration::HumanDuration;
use super::mistake::Mistake;

/// How commands wait.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CommandsConfig {
    /// Commands of one device; the cloud has 50.
    pub depth_max: u32,
    /// `defaultTtlAsIso8601`.
    pub ttl_default: HumanDuration,
    /// `maxDeliveryCount`.
    pub deliveries_max: u32,
    /// The cloud has 60 seconds.
    pub lock: HumanDuration,
    /// Dead letters of one device; ours.
    pub dead_letters_max: u32,
}

impl Default for CommandsConfig {
    fn default() -> Self {
        let Settings { deliveries_max, ttl_default_ms, lock_ms, depth_max, dead_letters_max } =
            Settings::default();
        let ttl_default = HumanDuration::from_ms(ttl_default_ms);
        let lock = HumanDuration::from_ms(lock_ms);
        Self { depth_max, ttl_default, deliveries_max, lock, dead_letters_max }
    }
}

impl CommandsConfig {
    /// As the hub takes it.
    ///
    /// # Errors
    /// The first mistake.
    pub fn settings(&self) -> Result<Settings, Mistake> {
        let Self { depth_max, deliveries_max, dead_letters_max, .. } = *self;
        let (ttl_default_ms, lock_ms) = (self.ttl_default.ms(), self.lock.ms());
        let settings =
            Settings { deliveries_max, ttl_default_ms, lock_ms, depth_max, dead_letters_max };
        let wrong = |wrong| Mistake::out_of_range("hub.commands", &wrong);
        settings.check().map(|()| settings).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_table() {
        for (text, mistake) in [
            ("", None),
            ("depth_max = 1000\nttl_default = \"1m\"\ndead_letters_max = 0", None),
            ("depth_max = 0", Some("hub.commands.depth_max: 0 is not in the range of 1 to 1000")),
            (
                "ttl_default = \"3d\"",
                Some("hub.commands.ttl_default: 3d is not in the range of 1m to 2d"),
            ),
            (
                "deliveries_max = 101",
                Some("hub.commands.deliveries_max: 101 is not in the range of 1 to 100"),
            ),
            ("lock = \"1s\"", Some("hub.commands.lock: 1s is not in the range of 5s to 5m")),
            (
                "dead_letters_max = 1001",
                Some("hub.commands.dead_letters_max: 1001 is not in the range of 0 to 1000"),
            ),
        ] {
            let config: CommandsConfig = toml::from_str(text).expect("readable");
            let found = config.settings().err().map(|m| format!("{}: {}", m.path, m.message));
            assert_eq!(found.as_deref(), mistake);
        }
        let usual = CommandsConfig::default().settings().expect("the default");
        assert_eq!(usual, Settings::default());
    }
}
