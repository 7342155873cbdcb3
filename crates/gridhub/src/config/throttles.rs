//! `[hub.throttles]` and `[hub.device_throttles]`: how much a hub and each of its devices may do
//! (iot-hub C9). Owns their spelling and the profile's defaults; what happens at a bound is the
//! node's.

use broker::rate::Rate;
use node::devices::{Bounds, Metered, Throttles};
use serde::{Deserialize, Serialize};

use super::Profile;
use super::hub::HubConfig;

/// Of all devices and services together. Absent = the profile's, 0 = no bound.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HubThrottles {
    /// CONNECT of devices.
    pub connects_per_second_max: Option<u32>,
    /// Messages of devices.
    pub telemetry_per_second_max: Option<u32>,
    /// Twins that are read.
    pub twin_reads_per_second_max: Option<u32>,
    /// Writes into twins.
    pub twin_updates_per_second_max: Option<u32>,
    /// Commands that are sent.
    pub commands_per_minute_max: Option<u32>,
    /// Bytes of method requests, in blocks of 4 KiB.
    pub method_bytes_per_second_max: Option<u32>,
    /// Requests for identities.
    pub registry_per_minute_max: Option<u32>,
    /// Pages of queries.
    pub queries_per_minute_max: Option<u32>,
    /// Messages of a day.
    pub messages_per_day_max: Option<u32>,
}

/// Of each device and module. 0 = no bound.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceThrottles {
    /// CONNECT.
    pub connects_per_second_max: u32,
    /// Messages.
    pub telemetry_per_second_max: u32,
    /// Reads of its twin.
    pub twin_reads_per_second_max: u32,
    /// Writes into its twin.
    pub twin_updates_per_second_max: u32,
    /// Commands that are sent to it.
    pub commands_per_minute_max: u32,
    /// Bytes of method requests, in blocks of 4 KiB.
    pub method_bytes_per_second_max: u32,
    /// Messages of a day.
    pub messages_per_day_max: u32,
}

impl HubThrottles {
    /// As written, with the profile's bounds filled in: in `iot-hub` those of one unit S1, which
    /// has no quota in the specification.
    pub fn effective(&self, profile: Profile) -> Self {
        let of = |said: Option<u32>, s1: u32| {
            Some(said.unwrap_or(if profile == Profile::IotHub { s1 } else { 0 }))
        };
        Self {
            connects_per_second_max: of(self.connects_per_second_max, 100),
            telemetry_per_second_max: of(self.telemetry_per_second_max, 100),
            twin_reads_per_second_max: of(self.twin_reads_per_second_max, 100),
            twin_updates_per_second_max: of(self.twin_updates_per_second_max, 50),
            commands_per_minute_max: of(self.commands_per_minute_max, 100),
            method_bytes_per_second_max: of(self.method_bytes_per_second_max, 160 * 1024),
            registry_per_minute_max: of(self.registry_per_minute_max, 100),
            queries_per_minute_max: of(self.queries_per_minute_max, 20),
            messages_per_day_max: of(self.messages_per_day_max, 0),
        }
    }
}

impl HubConfig {
    /// What is bounded, and not used yet.
    pub fn bounds(&self, profile: Profile) -> Throttles {
        let all = self.throttles.effective(profile);
        let each = &self.device_throttles;
        let rates = |rows: &[(Metered, u32, u32)], messages_per_day_max| {
            let mut bounds = Bounds::default();
            bounds.messages_per_day_max = messages_per_day_max;
            for (kind, count, seconds) in rows {
                bounds.set(*kind, Rate::over(*count, *seconds));
            }
            bounds
        };
        let some = |said: Option<u32>| said.unwrap_or(0);
        let hub = rates(
            &[
                (Metered::Connects, some(all.connects_per_second_max), 1),
                (Metered::Telemetry, some(all.telemetry_per_second_max), 1),
                (Metered::TwinReads, some(all.twin_reads_per_second_max), 1),
                (Metered::TwinUpdates, some(all.twin_updates_per_second_max), 1),
                (Metered::Commands, some(all.commands_per_minute_max), 60),
                (Metered::MethodBytes, some(all.method_bytes_per_second_max), 1),
                (Metered::Registry, some(all.registry_per_minute_max), 60),
                (Metered::Queries, some(all.queries_per_minute_max), 60),
            ],
            some(all.messages_per_day_max),
        );
        let device = rates(
            &[
                (Metered::Connects, each.connects_per_second_max, 1),
                (Metered::Telemetry, each.telemetry_per_second_max, 1),
                (Metered::TwinReads, each.twin_reads_per_second_max, 1),
                (Metered::TwinUpdates, each.twin_updates_per_second_max, 1),
                (Metered::Commands, each.commands_per_minute_max, 60),
                (Metered::MethodBytes, each.method_bytes_per_second_max, 1),
            ],
            each.messages_per_day_max,
        );
        Throttles::new(hub, device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(text: &str) -> HubConfig {
        toml::from_str(text).expect("readable")
    }

    #[test]
    fn nothing_is_bounded_in_open_and_one_unit_s1_in_iot_hub() {
        let none = HubConfig::default();
        assert!(none.bounds(Profile::Open).is_off());
        assert!(!none.bounds(Profile::IotHub).is_off());
        let s1 = none.throttles.effective(Profile::IotHub);
        assert_eq!((s1.queries_per_minute_max, s1.messages_per_day_max), (Some(20), Some(0)));
        for text in [
            "[throttles]\nqueries_per_minute_max = 1",
            "[throttles]\nmessages_per_day_max = 1",
            "[device_throttles]\ntelemetry_per_second_max = 1",
            "[device_throttles]\nmessages_per_day_max = 1",
        ] {
            assert!(!hub(text).bounds(Profile::Open).is_off(), "{text}");
        }
        let unbound = hub("[throttles]\nqueries_per_minute_max = 0");
        let shown = unbound.throttles.effective(Profile::IotHub);
        assert_eq!(shown.queries_per_minute_max, Some(0), "what is written holds");
    }
}
