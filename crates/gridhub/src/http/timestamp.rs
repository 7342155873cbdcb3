//! Wall milliseconds as ISO 8601 text in UTC. Refuses to know what time it is.

/// `2026-11-21T10:00:00.000Z`; `wall_ms` counts from 1970-01-01T00:00:00Z. Years above 9999 are
/// written with as many digits as they have.
pub fn iso8601(wall_ms: u64) -> String {
    let (days, of_day_ms) = (wall_ms / DAY_MS, wall_ms % DAY_MS);
    let (year, month, day) = civil(days);
    let (seconds, ms) = (of_day_ms / 1000, of_day_ms % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
}

/// Days since 1970-01-01 to the proleptic Gregorian date. Years are counted from the first of
/// March, so that the leap day is the last day of its year; 400 years are 146,097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + DAYS_FROM_MARCH_0000;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

const DAY_MS: u64 = 86_400_000;
const DAYS_FROM_MARCH_0000: u64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        let rows = [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.000Z"),
            (1_709_164_800_001, "2024-02-29T00:00:00.001Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_763_719_200_000, "2025-11-21T10:00:00.000Z"),
        ];
        for (ms, text) in rows {
            assert_eq!(iso8601(ms), text);
        }
        assert!(iso8601(u64::MAX).ends_with('Z'));
    }
}
