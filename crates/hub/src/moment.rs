//! Moments as documents show them and as queries read them: ISO 8601 (iot-hub B1.1). Refuses to
//! know the present one, and what it is the time of.

use std::fmt;

use crate::short_text::{SHORT_BYTES_MAX, ShortText};

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

    /// As documents show it, in UTC with seven digits of the second:
    /// `2026-11-22T10:00:00.0000000Z`, or `0001-01-01T00:00:00Z` for never.
    pub fn text(self) -> ShortText {
        ShortText::filled(|place| match self.0 {
            Some(unix_ms) => {
                put_moment(place, unix_ms);
                place.len()
            }
            None => {
                place[..NEVER.len()].copy_from_slice(NEVER);
                NEVER.len()
            }
        })
    }

    /// The moment that a text says in any form that [`ticks`](Self::ticks) reads, to the
    /// millisecond. `None` for no time and for one before 1970, but for that of never.
    pub fn parse(text: &str) -> Option<Self> {
        match Self::ticks(text)? - TICKS_TO_1970 {
            TICKS_TO_NEVER => Some(Self::NEVER),
            ticks => u64::try_from(ticks.div_euclid(MS_TICKS)).ok().map(Self::at),
        }
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
}

/// Its [`text`](Moment::text).
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl From<Option<u64>> for Moment {
    /// Unix milliseconds; `None` = never.
    fn from(unix_ms: Option<u64>) -> Self {
        unix_ms.map_or(Self::NEVER, Self::at)
    }
}

/// A moment until the end of the year 9999.
fn put_moment(place: &mut [u8; SHORT_BYTES_MAX], unix_ms: u64) {
    let (days, of_day_ms) = (unix_ms / DAY_MS, unix_ms % DAY_MS);
    let (year, month, day) = date(days);
    let (seconds, fraction_ms) = (of_day_ms / 1000, of_day_ms % 1000);
    *place = *b"0000-00-00T00:00:00.0000000Z";
    put(&mut place[0..4], year);
    put(&mut place[5..7], month);
    put(&mut place[8..10], day);
    put(&mut place[11..13], seconds / 3600);
    put(&mut place[14..16], seconds / 60 % 60);
    put(&mut place[17..19], seconds % 60);
    put(&mut place[20..23], fraction_ms);
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

const NEVER: &[u8] = b"0001-01-01T00:00:00Z";
const MS_TICKS: i64 = 10_000;
const HOUR_TICKS: i64 = 3_600_000 * MS_TICKS;
const DAY_MS: u64 = 86_400_000;
const DAYS_OF_400_YEARS: u64 = 146_097;
/// From March 1st of the year 0.
const DAYS_FROM_YEAR_0_TO_1970: u64 = 719_468;
const TICKS_TO_1970: i64 = DAYS_FROM_YEAR_0_TO_1970 as i64 * 24 * HOUR_TICKS;
/// From 1970 back to 0001-01-01T00:00:00Z.
const TICKS_TO_NEVER: i64 = -719_162 * 24 * HOUR_TICKS;
/// 9999-12-31T23:59:59.999Z: four digits are all that readers understand.
const MOMENT_MS_MAX: u64 = 253_402_300_799_999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_as_the_hub_does() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.0000000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.0000000Z"),
            (951_868_800_000, "2000-03-01T00:00:00.0000000Z"),
            (1_600_987_195_320, "2020-09-24T22:39:55.3200000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.9990000Z"),
            (1_735_689_599_001, "2024-12-31T23:59:59.0010000Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.0000000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.0000000Z"),
            (u64::MAX, "9999-12-31T23:59:59.9990000Z"),
        ] {
            assert_eq!(Moment::at(ms).to_string(), text);
        }
        assert_eq!(Moment::NEVER.to_string(), "0001-01-01T00:00:00Z");
        assert_eq!([None, Some(5)].map(Moment::from), [Moment::NEVER, Moment::at(5)]);
    }

    #[test]
    fn moments_are_read_as_they_are_shown() {
        for ms in [0, 1, 951_868_800_000, 1_600_987_195_320, MOMENT_MS_MAX] {
            assert_eq!(Moment::parse(Moment::at(ms).text().as_str()), Some(Moment::at(ms)));
        }
        let rows = [
            ("2020-09-24T22:39:55.3209999Z", Some(Moment::at(1_600_987_195_320))),
            ("2020-09-25T00:39:55.32+02:00", Some(Moment::at(1_600_987_195_320))),
            ("0001-01-01T00:00:00Z", Some(Moment::NEVER)),
            ("0001-01-01T00:00:00.0000000", Some(Moment::NEVER)),
            ("0001-01-01T00:00:01Z", None),
            ("1969-12-31T23:59:59.9999999Z", None),
            ("yesterday", None),
        ];
        for (text, moment) in rows {
            assert_eq!(Moment::parse(text), moment, "{text}");
        }
    }

    #[test]
    fn moments_are_read_in_all_their_forms() {
        let ticks = |text: &str| Moment::ticks(text);
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
            let shown = Moment::at(at_day * DAY_MS + 1).text();
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
