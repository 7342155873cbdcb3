//! Moments as documents show them: ISO 8601 in UTC with seven digits of the second (iot-hub
//! B1.1). Refuses to know the present one.

use std::fmt;

/// A moment in Unix milliseconds, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(Option<u64>);

impl Moment {
    /// What has not happened: `0001-01-01T00:00:00Z`.
    pub const NEVER: Self = Self(None);

    /// The moment so many milliseconds after 1970 began, at most the end of the year 9999.
    pub const fn at(unix_ms: u64) -> Self {
        Self(Some(if unix_ms < MOMENT_MS_MAX { unix_ms } else { MOMENT_MS_MAX }))
    }

    /// Unix milliseconds; `None` = never.
    pub const fn unix_ms(self) -> Option<u64> {
        self.0
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(unix_ms) = self.0 else { return f.write_str("0001-01-01T00:00:00Z") };
        let (days, of_day_ms) = (unix_ms / DAY_MS, unix_ms % DAY_MS);
        let (year, month, day) = date(days);
        let (of_day_s, ms) = (of_day_ms / 1000, of_day_ms % 1000);
        let (hour, minute, second) = (of_day_s / 3600, of_day_s / 60 % 60, of_day_s % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}0000Z")
    }
}

/// Year, month and day of the Gregorian calendar, so many days after 1970-01-01. Counted in years
/// that begin with March, so that a leap day is the last of its year.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + DAYS_FROM_YEAR_0_TO_1970;
    let era = days / DAYS_OF_400_YEARS;
    let of_era = days % DAYS_OF_400_YEARS;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

const DAY_MS: u64 = 86_400_000;
const DAYS_OF_400_YEARS: u64 = 146_097;
/// From March 1st of the year 0.
const DAYS_FROM_YEAR_0_TO_1970: u64 = 719_468;
/// 9999-12-31T23:59:59.999Z: four digits are all that readers understand.
const MOMENT_MS_MAX: u64 = 253_402_300_799_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_the_calendar() {
        let rows = [
            (0, "1970-01-01T00:00:00.0000000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.0000000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.0000000Z"),
            (1_600_987_195_320, "2020-09-24T22:39:55.3200000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.9990000Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.0000000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.0000000Z"),
            (u64::MAX, "9999-12-31T23:59:59.9990000Z"),
        ];
        for (unix_ms, text) in rows {
            assert_eq!(Moment::at(unix_ms).to_string(), text);
        }
        assert_eq!(Moment::NEVER.to_string(), "0001-01-01T00:00:00Z");
    }
}
