//! Numbers of the language: whole ones exactly, as far as 64 bits go, others as floats. Refuses to
//! know how documents write them.

use std::cmp::Ordering;

/// A number; a float is finite.
#[derive(Debug, Clone, Copy)]
pub enum Number {
    /// A whole number.
    Integer(i64),
    /// Any other, or one beyond 64 bits.
    Float(f64),
}

impl Number {
    /// A decimal number as JSON writes it; none if it is too large for a float.
    pub fn parse(text: &str) -> Option<Self> {
        match text.parse::<i64>() {
            Ok(integer) => Some(Self::Integer(integer)),
            Err(_) => Self::finite(text.parse().ok()?),
        }
    }

    /// A float that is one.
    pub fn finite(float: f64) -> Option<Self> {
        float.is_finite().then_some(Self::Float(float))
    }

    /// As a float, perhaps rounded.
    pub fn float(self) -> f64 {
        match self {
            Self::Integer(integer) => integer as f64,
            Self::Float(float) => float,
        }
    }

    /// The order of the numbers themselves: an integer is not rounded for it.
    pub fn order(self, other: Self) -> Ordering {
        match (self.whole(), other.whole()) {
            (Some(a), Some(b)) => a.cmp(&b),
            // Of two, the whole one is nearer to zero than a float beyond 64 bits.
            (Some(_), None) if other.float().abs() >= WHOLE_BELOW => {
                if other.float() > 0.0 {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            (None, Some(_)) if self.float().abs() >= WHOLE_BELOW => other.order(self).reverse(),
            _ => self.float().total_cmp(&other.float()),
        }
    }

    /// JSON text, the same for equal numbers.
    pub fn write(self, out: &mut Vec<u8>) {
        let text = match (self.whole(), self) {
            (Some(whole), _) => whole.to_string(),
            (None, number) => format!("{:?}", number.float()),
        };
        out.extend_from_slice(text.as_bytes());
    }

    fn whole(self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(integer),
            Self::Float(float)
                if float.trunc() == float && (-WHOLE_BELOW..WHOLE_BELOW).contains(&float) =>
            {
                Some(float as i64)
            }
            Self::Float(_) => None,
        }
    }
}

impl From<i64> for Number {
    fn from(integer: i64) -> Self {
        Self::Integer(integer)
    }
}

/// 2^63.
const WHOLE_BELOW: f64 = 9_223_372_036_854_775_808.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared_without_rounding() {
        let n = |text| Number::parse(text).unwrap();
        for (a, b, order) in [
            ("1", "1.0", Ordering::Equal),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            ("9007199254740993", "9007199254740992.0", Ordering::Greater),
            ("-0", "0.0", Ordering::Equal),
            ("9223372036854775807", "9223372036854775808", Ordering::Less),
            ("9223372036854775808", "9223372036854775807", Ordering::Greater),
            ("-9223372036854775808", "-9223372036854775808.0", Ordering::Equal),
            ("-9223372036854775807", "-1e300", Ordering::Greater),
            ("2", "1.5", Ordering::Greater),
            ("1e300", "2e300", Ordering::Less),
            ("1e3", "1000", Ordering::Equal),
            ("0.1", "0.2", Ordering::Less),
        ] {
            assert_eq!(n(a).order(n(b)), order, "{a} {b}");
        }
        assert!(Number::parse("1e999").is_none());
        for (number, text) in [("1.0", "1"), ("1e2", "100"), ("0.5", "0.5"), ("1e300", "1e300")] {
            let mut out = Vec::new();
            n(number).write(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }
}
