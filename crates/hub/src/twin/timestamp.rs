//! A moment as text and back, ISO 8601, without the heap. Refuses to know what it is the time of.

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

    /// How many tenths of a microsecond after the year 0 a text says, so that moments can be
    /// compared however they are written: a date, perhaps a time after `T` or a blank with 0 to 7
    /// digits of a fraction, perhaps `Z` or a distance from UTC; without one it is UTC.
    pub fn ticks(text: &str) -> Option<i64> {
        let (date, time) = match text.split_once(['T', 't', ' ']) {
            Some((date, time)) => (date, Some(time)),
            None => (text, None),
        };
        let mut parts = date.split('-');
        let (year, month) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?);
        let day = digits(parts.next()?, 2)?;
        if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let of_day = time.map_or(Some(0), ticks_of_day)?;
        Some(days(year, month, day) * 24 * HOUR_TICKS + of_day)
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

/// The other side of [`date`], in days after the year 0.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
}

/// `HH:MM`, perhaps seconds with a fraction, perhaps a zone.
fn ticks_of_day(text: &str) -> Option<i64> {
    let (clock, zone) = match text.find(['Z', 'z', '+', '-']) {
        Some(at) => text.split_at(at),
        None => (text, "Z"),
    };
    let minutes = |text: &str| {
        let (hours, minutes) = text.split_once(':')?;
        let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
        (hours < 24 && minutes < 60).then_some(hours * HOUR_TICKS + minutes * (HOUR_TICKS / 60))
    };
    let (clock, rest) = clock.split_at_checked(5)?;
    let seconds = match rest.strip_prefix(':') {
        None if rest.is_empty() => 0,
        None => return None,
        Some(seconds) => {
            let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
            let width = fraction.len();
            let fraction = if width <= 7 { digits(fraction, width)? } else { return None };
            let scale = 10_i64.pow(7 - width as u32);
            digits(whole, 2).filter(|&s| s < 61)? * (HOUR_TICKS / 3600) + fraction * scale
        }
    };
    let ahead = match zone.split_at_checked(1)? {
        ("Z" | "z", "") => 0,
        ("+", distance) => minutes(distance)?,
        ("-", distance) => -minutes(distance)?,
        _ => return None,
    };
    Some(minutes(clock)? + seconds - ahead)
}

/// A number of so many digits, 1 to 7.
fn digits(text: &str, width: usize) -> Option<i64> {
    let good = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    if good { text.parse().ok() } else { None }
}

fn put(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

const LEN: usize = 28;
const NEVER: &[u8] = b"0001-01-01T00:00:00Z";
const HOUR_TICKS: i64 = 3_600 * 10_000_000;
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

    #[test]
    fn moments_are_read_in_all_their_forms() {
        let ticks = |text: &str| Timestamp::ticks(text);
        for (text, same) in [
            ("2020-09-13T12:26:40Z", "2020-09-13T12:26:40.0000000Z"),
            ("2020-09-13T12:26:40.5Z", "2020-09-13 12:26:40.5000000"),
            ("2020-09-13", "2020-09-13T00:00"),
            ("2020-09-13t23:30:00-01:00", "2020-09-14T00:30z"),
            ("2020-03-01T00:30:00+01:00", "2020-02-29T23:30:00Z"),
            ("2000-12-31T23:59:60Z", "2001-01-01"),
        ] {
            assert!(ticks(text).is_some(), "{text}");
            assert_eq!(ticks(text), ticks(same), "{text} {same}");
        }
        let day = 24 * HOUR_TICKS;
        let epoch = ticks("1970-01-01").unwrap();
        for at_day in (0..80_000).step_by(17) {
            let shown = Timestamp::at(at_day * DAY_MS + 1);
            assert_eq!(ticks(shown.as_str()), Some(epoch + at_day as i64 * day + 10_000));
        }
        assert!(ticks("0001-01-01T00:00:00Z") < ticks("1969-12-31T23:59:59.9999999Z"));
        for text in [
            "",
            "2020",
            "2020-1-01",
            "2020-13-01",
            "2020-01-01T",
            "2020-01-01T1:00",
            "2020-01-01T24:00",
            "2020-01-01T00:00:00.Z",
            "2020-01-01T00:00:00.00000000Z",
            "2020-01-01T00:00é00",
            "2020-01-01T00:00:00+1",
            "2020-01-01T00:00:00Zx",
            "+020-01-01",
            "2020-01-01T00:00x",
        ] {
            assert_eq!(ticks(text), None, "{text}");
        }
    }
}
