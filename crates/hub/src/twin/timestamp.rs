//! A moment as text, ISO 8601 in UTC, without the heap. Refuses to know what it is the time of.

use std::fmt;

/// A moment in the form that the hub shows (B1.1): `2026-11-22T10:00:00.0000000Z`, or
/// `0001-01-01T00:00:00Z` for never.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    bytes: [u8; LEN],
    len: u8,
}

impl Timestamp {
    /// Wall milliseconds since 1970; what lies behind the year 9999 is shown as its last moment.
    pub fn at(ms: u64) -> Self {
        let ms = ms.min(LAST_MS);
        let (days, of_day) = (ms / DAY_MS, ms % DAY_MS);
        let (year, month, day) = date(days);
        let mut bytes = *b"0000-00-00T00:00:00.0000000Z";
        let (seconds, fraction) = (of_day / 1000, of_day % 1000);
        put(&mut bytes[0..4], year);
        put(&mut bytes[5..7], month);
        put(&mut bytes[8..10], day);
        put(&mut bytes[11..13], seconds / 3600);
        put(&mut bytes[14..16], seconds / 60 % 60);
        put(&mut bytes[17..19], seconds % 60);
        put(&mut bytes[20..23], fraction);
        Self { bytes, len: LEN as u8 }
    }

    /// The moment that never was.
    pub fn never() -> Self {
        let mut bytes = [0; LEN];
        bytes[..NEVER.len()].copy_from_slice(NEVER);
        Self { bytes, len: NEVER.len() as u8 }
    }

    /// A moment, or never.
    pub fn of(ms: Option<u64>) -> Self {
        ms.map_or_else(Self::never, Self::at)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Year, month and day of a day since 1970 (after H. Hinnant's `civil_from_days`).
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

fn put(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

const LEN: usize = 28;
const NEVER: &[u8] = b"0001-01-01T00:00:00Z";
const DAY_MS: u64 = 86_400_000;
/// 9999-12-31T23:59:59.999Z.
const LAST_MS: u64 = 253_402_300_799_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_as_the_hub_does() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.0000000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.0000000Z"),
            (1_600_987_195_320, "2020-09-24T22:39:55.3200000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.9990000Z"),
            (1_735_689_599_001, "2024-12-31T23:59:59.0010000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.0000000Z"),
            (u64::MAX, "9999-12-31T23:59:59.9990000Z"),
        ] {
            assert_eq!(Timestamp::at(ms).as_str(), text);
        }
        assert_eq!(Timestamp::of(None).as_str(), "0001-01-01T00:00:00Z");
    }
}
