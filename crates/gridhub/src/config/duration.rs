//! Human durations ("1h30m", "250ms"): the one place that reads and writes them.
//! Knows nothing of what a duration is for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A span of time written as a person writes it: numbers with a unit (`ms`, `s`, `m`, `h`, `d`),
/// largest first, without spaces: `1h30m`. A number without a unit is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HumanDuration(Duration);

impl HumanDuration {
    /// Wraps a duration; parts below a millisecond are not shown.
    pub const fn new(duration: Duration) -> Self {
        Self(duration)
    }

    /// So many milliseconds.
    pub const fn from_ms(ms: u64) -> Self {
        Self(Duration::from_millis(ms))
    }

    /// The duration itself.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// It in milliseconds.
    pub fn ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl FromStr for HumanDuration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("'{text}' is not a duration; write for example 30s, 5m, 1h30m or 7d");
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(wrong());
        }
        let mut total_ms: u64 = 0;
        let mut last_unit_ms = u64::MAX;
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, after) = tail.split_at(letters);
            let unit_ms = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?.1;
            if unit_ms >= last_unit_ms {
                return Err(wrong());
            }
            let count: u64 = number.parse().map_err(|_| wrong())?;
            let part = count.checked_mul(unit_ms).ok_or_else(wrong)?;
            total_ms = total_ms.checked_add(part).ok_or_else(wrong)?;
            last_unit_ms = unit_ms;
            rest = after;
        }
        Ok(Self(Duration::from_millis(total_ms)))
    }
}

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.ms();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (name, unit_ms) in UNITS {
            if rest >= *unit_ms {
                write!(f, "{}{name}", rest / unit_ms)?;
                rest %= unit_ms;
            }
        }
        Ok(())
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How often something happens: `"off"` or a duration above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// Never.
    Off,
    /// Every so often; above zero.
    Every(HumanDuration),
}

impl FromStr for Interval {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        match text.parse::<HumanDuration>() {
            Ok(every) if every.get().is_zero() => {
                Err("an interval of zero never ends; write \"off\" to switch it off".into())
            }
            Ok(every) => Ok(Self::Every(every)),
            Err(why) => Err(format!("{why}, or \"off\"")),
        }
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Off => serializer.serialize_str("off"),
            Self::Every(every) => serializer.collect_str(every),
        }
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

const UNITS: &[(&str, u64)] =
    &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_what_people_write() {
        for (text, ms, canonical) in [
            ("1h", 3_600_000, "1h"),
            ("30s", 30_000, "30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90m", 5_400_000, "1h30m"),
            ("250ms", 250, "250ms"),
            ("7d", 604_800_000, "7d"),
            ("0s", 0, "0s"),
        ] {
            let parsed: HumanDuration = text.parse().expect(text);
            assert_eq!(parsed.get(), Duration::from_millis(ms), "{text}");
            assert_eq!(parsed.to_string(), canonical);
        }
    }

    #[test]
    fn refuses_what_is_ambiguous() {
        for text in ["", "5", "h", "1x", "1m1h", "1s1s", "-1s", "1.5h", "99999999999999999999d"] {
            assert!(text.parse::<HumanDuration>().is_err(), "{text}");
        }
        assert!("0s".parse::<Interval>().is_err());
        assert_eq!("off".parse::<Interval>(), Ok(Interval::Off));
    }
}
