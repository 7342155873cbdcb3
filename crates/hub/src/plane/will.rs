//! The will of a connection of the plane (iot-hub A2): telemetry or nothing. Refuses to know when
//! it is sent.

use std::borrow::Cow;

use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::Will;

use super::telemetry::telemetry;
use super::topic::Topic;
use crate::telemetry::Message;

/// Why a will is refused, and the connection with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WillRefused {
    /// Its topic is not `$iothub/telemetry`.
    Topic,
    /// It is to be retained.
    Retained,
    /// QoS 2.
    ExactlyOnce,
    /// It is no telemetry; the sentence says why.
    Telemetry(Cow<'static, str>),
}

impl WillRefused {
    /// Reason code of CONNACK (A5).
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Topic => Reason::TOPIC_NAME_INVALID,
            Self::Retained => Reason::RETAIN_NOT_SUPPORTED,
            Self::ExactlyOnce => Reason::QOS_NOT_SUPPORTED,
            Self::Telemetry(_) => Reason::IMPLEMENTATION_SPECIFIC_ERROR,
        }
    }

    /// One sentence.
    pub fn why(&self) -> &str {
        match self {
            Self::Topic => "the topic of a will is $iothub/telemetry",
            Self::Retained => "a will is not retained",
            Self::ExactlyOnce => "the QoS of a will is 0 or 1",
            Self::Telemetry(why) => why,
        }
    }
}

/// The telemetry that a will is, marked as one.
///
/// # Errors
/// The first rule that it breaks.
pub fn will<'w>(will: &Will<'w>) -> Result<Message<'w>, WillRefused> {
    if Topic::of(will.topic) != Topic::Telemetry {
        return Err(WillRefused::Topic);
    }
    if will.qos == QoS::ExactlyOnce {
        return Err(WillRefused::ExactlyOnce);
    }
    if will.retain {
        return Err(WillRefused::Retained);
    }
    let mut message = telemetry(will.properties, will.payload)
        .map_err(|error| WillRefused::Telemetry(error.to_string().into()))?;
    message.mark_as_will();
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::super::telemetry::tests::block;
    use super::*;
    use mqtt::wire::{Properties, Property};

    #[test]
    fn a_will_is_telemetry() {
        let raw = block(&[Property::WillDelay(5), Property::User("@a", "1")]);
        let good = Will {
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: "$iothub/telemetry",
            payload: b"gone",
            delay_s: 5,
            expiry: None,
            properties: Properties::trusted(&raw),
        };
        let message = will(&good).unwrap();
        assert_eq!(message.body, b"gone");
        assert!(message.application.iter().eq([("a", "1"), ("iothub-MessageType", "Will")]));

        let bad = block(&[Property::User("a", "1")]);
        let telemetry = WillRefused::Telemetry(
            "property 'a' is not defined for this operation; one of your own begins with '@'"
                .into(),
        );
        for (refused, error) in [
            (Will { topic: "a", ..good }, WillRefused::Topic),
            (Will { topic: "$iothub/twin/get", ..good }, WillRefused::Topic),
            (Will { qos: QoS::ExactlyOnce, ..good }, WillRefused::ExactlyOnce),
            (Will { retain: true, ..good }, WillRefused::Retained),
            (Will { properties: Properties::trusted(&bad), ..good }, telemetry),
        ] {
            assert_eq!(will(&refused), Err(error));
        }
    }
}
