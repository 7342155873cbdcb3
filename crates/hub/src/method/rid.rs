//! What ties an answer to its request (iot-hub A14.5, D2): correlation data of MQTT 5, `$rid` of
//! MQTT 3.1.1. Refuses to know where numbers come from.

use super::name::MethodName;
use crate::plane::Correlation;

/// A number that no other call of the connection has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rid(pub u64);

impl Rid {
    /// The correlation data of a request over MQTT 5.
    pub fn correlation(self) -> Correlation {
        Correlation::numbered(self.0)
    }

    /// That of an answer; `None` = no request of ours had it.
    pub fn of_correlation(data: &Correlation) -> Option<Self> {
        data.number().map(Self)
    }

    /// The topic of a request over MQTT 3.1.1: `$iothub/methods/POST/{name}/?$rid={rid}`.
    pub fn request_topic(self, name: &MethodName) -> String {
        format!("$iothub/methods/POST/{}/?$rid={:x}", name.as_str(), self.0)
    }
}

/// Reads the topic of an answer over MQTT 3.1.1, `$iothub/methods/res/{status}/?$rid={rid}`: the
/// text of the status and the number, `None` where no request of ours had such a one. Other
/// parameters are not looked at. The whole is `None` for another topic.
pub fn read_response_topic(topic: &str) -> Option<(&str, Option<Rid>)> {
    let (status, rest) = topic.strip_prefix("$iothub/methods/res/")?.split_once('/')?;
    let parameters = rest.strip_prefix('?')?;
    let rid = parameters
        .split('&')
        .find_map(|one| one.strip_prefix("$rid=").or_else(|| one.strip_prefix("%24rid=")))?;
    let is_ours = (1..=16).contains(&rid.len()) && rid.bytes().all(|b| b.is_ascii_hexdigit());
    let rid = if is_ours { u64::from_str_radix(rid, 16).ok() } else { None };
    Some((status, rid.map(Rid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_by_both_ways() {
        for rid in [Rid(0), Rid(0xab_cdef), Rid(u64::MAX)] {
            assert_eq!(Rid::of_correlation(&rid.correlation()), Some(rid));
            let topic = rid.request_topic(&MethodName::parse("reboot").unwrap());
            let begin = "$iothub/methods/POST/reboot/?$rid=";
            let text = topic.strip_prefix(begin).unwrap();
            let answer = format!("$iothub/methods/res/200/?$rid={text}");
            assert_eq!(read_response_topic(&answer), Some(("200", Some(rid))));
        }
        for (topic, expected) in [
            ("$iothub/methods/res/-1/?$rid=A", Some(("-1", Some(Rid(10))))),
            ("$iothub/methods/res/x/?%24rid=1", Some(("x", Some(Rid(1))))),
            ("$iothub/methods/res/200/?a=b&$rid=1", Some(("200", Some(Rid(1))))),
            ("$iothub/methods/res/200/?$rid=+1", Some(("200", None))),
            ("$iothub/methods/res/200/?$rid=11112222333344445", Some(("200", None))),
            ("$iothub/methods/res/200/?$rid=", Some(("200", None))),
            ("$iothub/methods/res/200/", None),
            ("$iothub/methods/res/200?$rid=1", None),
            ("$iothub/methods/res//", None),
            ("$iothub/methods/POST/200/?$rid=1", None),
        ] {
            assert_eq!(read_response_topic(topic), expected, "{topic}");
        }
    }
}
