//! `[hub.connect]`: how exactly the CONNECT of a device is taken (iot-hub A2, A3, A7). Owns its
//! spelling.

use hub::plane::{AbsentExpiry, ApiVersions, Leniency, OtherProperties};
use serde::{Deserialize, Serialize};

use super::duration::HumanDuration;
use super::mistake::Mistake;

/// How CONNECT is taken. The default is the specification's.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectConfig {
    /// What user properties of MQTT 5 do that the API does not have.
    pub other_properties: OtherPropertiesName,
    /// Whether `api-version` may be that of the vendor's one sample, too.
    pub sample_api_version: bool,
    /// What no Session Expiry Interval means with Clean Start 0.
    pub absent_expiry: AbsentExpiryName,
    /// By how much the clock of a device may be behind.
    pub clock_skew: HumanDuration,
}

/// [`OtherProperties`] as the file spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherPropertiesName {
    /// They are refused.
    Refuse,
    /// They mean nothing.
    Ignore,
}

/// [`AbsentExpiry`] as the file spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbsentExpiryName {
    /// The session ends with the connection.
    Ends,
    /// It never does.
    NeverEnds,
}

impl Default for ConnectConfig {
    fn default() -> Self {
        Self {
            other_properties: OtherPropertiesName::Refuse,
            sample_api_version: false,
            absent_expiry: AbsentExpiryName::Ends,
            clock_skew: HumanDuration::from_ms(node::devices::SKEW_MS),
        }
    }
}

impl ConnectConfig {
    /// As the hub takes it.
    pub fn leniency(&self) -> Leniency {
        Leniency {
            other_properties: match self.other_properties {
                OtherPropertiesName::Refuse => OtherProperties::Refused,
                OtherPropertiesName::Ignore => OtherProperties::Ignored,
            },
            api_versions: match self.sample_api_version {
                false => ApiVersions::Current,
                true => ApiVersions::AlsoSample,
            },
            absent_expiry: match self.absent_expiry {
                AbsentExpiryName::Ends => AbsentExpiry::Ends,
                AbsentExpiryName::NeverEnds => AbsentExpiry::NeverEnds,
            },
        }
    }

    /// What cannot be.
    pub fn check(&self) -> Option<Mistake> {
        let message = || format!("{} is more than {SKEW_MAX}", self.clock_skew);
        (self.clock_skew > SKEW_MAX).then(|| Mistake::new("hub.connect.clock_skew", message()))
    }
}

/// What is behind by more has no clock.
const SKEW_MAX: HumanDuration = HumanDuration::from_ms(24 * 3_600_000);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_strict_and_each_key_does_something() {
        let read = |text| toml::from_str::<ConnectConfig>(text).expect("readable");
        let strict = Leniency::default();
        assert_eq!(read("").leniency(), strict);
        for (text, expected) in [
            (
                "other_properties = \"ignore\"",
                Leniency { other_properties: OtherProperties::Ignored, ..strict },
            ),
            (
                "sample_api_version = true",
                Leniency { api_versions: ApiVersions::AlsoSample, ..strict },
            ),
            (
                "absent_expiry = \"never-ends\"",
                Leniency { absent_expiry: AbsentExpiry::NeverEnds, ..strict },
            ),
        ] {
            assert_eq!(read(text).leniency(), expected, "{text}");
        }
        assert_eq!(read("clock_skew = \"1d\"").check(), None);
        let mistake = read("clock_skew = \"25h\"").check().expect("too much");
        assert_eq!(mistake.path, "hub.connect.clock_skew");
        assert_eq!(mistake.message, "1d1h is more than 1d");
    }
}
