//! What ties an answer to its request (iot-hub A14.5, D2): correlation data of MQTT 5, `$rid` of
//! MQTT 3.1.1. Refuses to know topics and where numbers come from.

use std::fmt;

use crate::plane::Correlation;

/// A number that no other call of the device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rid(pub u64);

impl Rid {
    /// Reads `$rid` of an answer over MQTT 3.1.1; `None` = no request of ours had it.
    pub fn parse(text: &str) -> Option<Self> {
        let is_ours = (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        if is_ours { u64::from_str_radix(text, 16).ok().map(Self) } else { None }
    }

    /// The correlation data of a request over MQTT 5.
    pub fn correlation(self) -> Correlation {
        Correlation::numbered(self.0)
    }

    /// That of an answer; `None` = no request of ours had it.
    pub fn of_correlation(data: &Correlation) -> Option<Self> {
        data.number().map(Self)
    }
}

/// `$rid` of a request over MQTT 3.1.1.
impl fmt::Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_by_both_ways() {
        for rid in [Rid(0), Rid(0xab_cdef), Rid(u64::MAX)] {
            assert_eq!(Rid::of_correlation(&rid.correlation()), Some(rid));
            assert_eq!(Rid::parse(&rid.to_string()), Some(rid));
        }
        assert_eq!(Rid::parse("A"), Some(Rid(10)), "SDKs send it back in any case");
        for other in ["", "+1", "0x1", "11112222333344445", "é", "-1", " 1"] {
            assert_eq!(Rid::parse(other), None, "{other}");
        }
    }
}
