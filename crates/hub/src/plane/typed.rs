//! The types of property values (iot-hub A12): exact, without sign where there is none, without
//! blanks. Refuses to know which property has which.

use std::str::FromStr;

use crate::Moment;

/// `u32`: decimal, no sign.
pub(super) fn u32(text: &str) -> Option<u32> {
    unsigned(text)
}

/// `u64`: decimal, no sign.
pub(crate) fn u64(text: &str) -> Option<u64> {
    unsigned(text)
}

/// `i32`: decimal, perhaps with a minus.
pub(crate) fn i32(text: &str) -> Option<i32> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if is_digits(digits) { text.parse().ok() } else { None }
}

/// `time`: decimal milliseconds since 1970 began.
pub(super) fn time(text: &str) -> Option<Moment> {
    unsigned(text).map(Moment::at)
}

/// `creation-time`: a `time` of 1 to 19 digits, or ISO 8601 with date and time of day, perhaps 1 to
/// 7 digits of a fraction, perhaps a `Z`. A distance from UTC is none, be it `+00:00`.
pub(super) fn creation_time(text: &str) -> Option<Moment> {
    if is_digits(text) {
        return if text.len() <= TIME_DIGITS_MAX { time(text) } else { None };
    }
    let (_, of_day) = text.split_once(['T', 't'])?;
    if of_day.contains(['+', '-']) { None } else { Moment::parse(text) }
}

fn unsigned<N: FromStr>(text: &str) -> Option<N> {
    if is_digits(text) { text.parse().ok() } else { None }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

const TIME_DIGITS_MAX: usize = 19;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact() {
        assert_eq!(["0", "4294967295", "007"].map(u32), [Some(0), Some(u32::MAX), Some(7)]);
        assert_eq!(u64("18446744073709551615"), Some(u64::MAX));
        let limits = ["-2147483648", "2147483647", "0"].map(i32);
        assert_eq!(limits, [Some(i32::MIN), Some(i32::MAX), Some(0)]);
        for bad in ["", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "-", "--1", "١", "1_000", "-1"] {
            assert_eq!((u32(bad), u64(bad), time(bad)), (None, None, None), "{bad}");
        }
        for bad in ["", "+1", " 1", "-", "--1", "1.0", "2147483648", "-2147483649"] {
            assert_eq!(i32(bad), None, "{bad}");
        }
        assert_eq!(u32("4294967296"), None);
        assert_eq!(u64("18446744073709551616"), None);
    }

    #[test]
    fn creation_times_have_two_forms() {
        let moment = Some(Moment::at(1_600_987_195_320));
        let whole = Some(Moment::at(1_619_004_616_000));
        for (text, expected) in [
            ("1600987195320", moment),
            ("0", Some(Moment::at(0))),
            ("9999999999999999999", Some(Moment::at(u64::MAX))),
            ("2020-09-24T22:39:55.32Z", moment),
            ("2020-09-24T22:39:55.3200000Z", moment),
            ("2020-09-24T22:39:55.32", moment),
            ("2021-04-21T11:30:16Z", whole),
            ("2021-04-21t11:30:16z", whole),
            ("2021-04-21T11:30:16-07:00", None),
            ("2021-04-21T11:30:16+00:00", None),
            ("2021-04-21T11:30:16.12345678Z", None),
            ("2021-04-21", None),
            ("10000000000000000000", None),
            ("-1", None),
            ("1600987195320.5", None),
            ("", None),
            ("now", None),
        ] {
            assert_eq!(creation_time(text), expected, "{text}");
        }
    }
}
