//! What a client subscribes to, and the code that it is answered (iot-hub A10). Refuses to know
//! what it has subscribed to already.

use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::topic::TopicFilter;

use super::topic::{METHODS, PREFIX};
use crate::method::MethodName;

/// A filter of a SUBSCRIBE or UNSUBSCRIBE, judged alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter<'f> {
    /// A subscription that the plane has.
    Hub(Subscription<'f>),
    /// Meant for the plane, which has no such subscription: the code for SUBACK.
    Refused(Reason),
    /// Not under `$iothub/`: the code for SUBACK where nothing else exists (profile `iot-hub`).
    Outside(Reason),
}

/// What a client hears of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscription<'f> {
    /// `$iothub/commands`
    Commands,
    /// `$iothub/methods/+`
    AllMethods,
    /// `$iothub/methods/{name}`
    Method(&'f str),
    /// `$iothub/twin/patch/desired`
    Desired,
    /// `$iothub/responses`, which everybody has.
    Responses,
}

impl<'f> Filter<'f> {
    /// Reads a filter, whatever was asked for with it: No Local, Retain As Published and Retain
    /// Handling have no effect, and a Subscription Identifier is DISCONNECT 161 (A9).
    pub fn of(text: &'f str) -> Self {
        let shared = text.strip_prefix("$share/").map(|rest| rest.split_once('/').unzip().1);
        if let Some(inner) = shared {
            let inside = inner.is_some_and(|inner| inner.starts_with(PREFIX));
            let reason = Reason::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
            return if inside { Self::Refused(reason) } else { Self::Outside(reason) };
        }
        let Some(rest) = text.strip_prefix(PREFIX) else {
            return Self::Outside(Reason::TOPIC_FILTER_INVALID);
        };
        let Ok(filter) = TopicFilter::parse(text) else {
            return Self::Refused(Reason::TOPIC_FILTER_INVALID);
        };
        match Subscription::of(rest) {
            Some(subscription) => Self::Hub(subscription),
            None if filter.has_wildcard() => {
                Self::Refused(Reason::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED)
            }
            None => Self::Refused(Reason::TOPIC_FILTER_INVALID),
        }
    }
}

impl<'f> Subscription<'f> {
    /// Of a valid filter, what stands behind `$iothub/`.
    fn of(rest: &'f str) -> Option<Self> {
        match rest {
            "commands" => Some(Self::Commands),
            "twin/patch/desired" => Some(Self::Desired),
            "responses" => Some(Self::Responses),
            _ => match rest.strip_prefix(METHODS)? {
                "+" => Some(Self::AllMethods),
                name if MethodName::is_name(name) => Some(Self::Method(name)),
                _ => None,
            },
        }
    }

    /// What SUBACK grants: commands with at most QoS 1, everything else with 0.
    pub fn granted(self, requested: QoS) -> QoS {
        match self {
            Self::Commands => requested.min(QoS::AtLeastOnce),
            Self::AllMethods | Self::Method(_) | Self::Desired | Self::Responses => QoS::AtMostOnce,
        }
    }

    /// Whether a request for this method is for the subscription.
    pub fn hears_method(self, name: &str) -> bool {
        match self {
            Self::AllMethods => true,
            Self::Method(own) => own == name,
            Self::Commands | Self::Desired | Self::Responses => false,
        }
    }

    /// Whether it counts against the limit of subscriptions.
    pub const fn counts(self) -> bool {
        !matches!(self, Self::Responses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table() {
        let invalid = Reason::TOPIC_FILTER_INVALID;
        let refused = Filter::Refused(invalid);
        let wildcard = Filter::Refused(Reason::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED);
        let shared = Reason::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
        let long = format!("$iothub/methods/{}", "m".repeat(101));
        let rows = [
            ("$iothub/commands", Filter::Hub(Subscription::Commands)),
            ("$iothub/methods/reboot", Filter::Hub(Subscription::Method("reboot"))),
            ("$iothub/methods/+", Filter::Hub(Subscription::AllMethods)),
            ("$iothub/twin/patch/desired", Filter::Hub(Subscription::Desired)),
            ("$iothub/responses", Filter::Hub(Subscription::Responses)),
            ("$iothub/#", wildcard),
            ("$iothub/+", wildcard),
            ("$iothub/twin/#", wildcard),
            ("$iothub/twin/+", wildcard),
            ("$iothub/methods/#", wildcard),
            ("$iothub/methods/+/#", wildcard),
            ("$iothub/+/reboot", wildcard),
            ("$iothub/commands/#", wildcard),
            ("$iothub/commands/", refused),
            ("$iothub/other", refused),
            ("$iothub/methods/", refused),
            ("$iothub/methods/a/b", refused),
            ("$iothub/methods/a b", refused),
            ("$iothub/methods/a$b", refused),
            (&*long, refused),
            ("$iothub/", refused),
            ("$iothub/a#", refused),
            ("$iothub/methods/a+", refused),
            ("$iothub/telemetry", refused),
            ("$iothub/twin/get", refused),
            ("$iothub/twin/patch/reported", refused),
            ("$share/g/$iothub/commands", Filter::Refused(shared)),
            ("$share/g/a", Filter::Outside(shared)),
            ("$share/g", Filter::Outside(shared)),
            ("a/b", Filter::Outside(invalid)),
            ("#", Filter::Outside(invalid)),
            ("+", Filter::Outside(invalid)),
            ("+/commands", Filter::Outside(invalid)),
            ("$iothub", Filter::Outside(invalid)),
            ("$IotHub/commands", Filter::Outside(invalid)),
            ("methods/reboot", Filter::Outside(invalid)),
            ("", Filter::Outside(invalid)),
        ];
        for (text, filter) in rows {
            assert_eq!(Filter::of(text), filter, "{text}");
        }
    }

    #[test]
    fn what_is_granted_and_heard() {
        let asked = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
        let rows = [
            (Subscription::Commands, [0, 1, 1], [false, false]),
            (Subscription::AllMethods, [0, 0, 0], [true, true]),
            (Subscription::Method("a"), [0, 0, 0], [true, false]),
            (Subscription::Desired, [0, 0, 0], [false, false]),
            (Subscription::Responses, [0, 0, 0], [false, false]),
        ];
        for (subscription, granted, heard) in rows {
            assert_eq!(asked.map(|qos| subscription.granted(qos).bits()), granted);
            assert_eq!(["a", "A"].map(|name| subscription.hears_method(name)), heard);
            assert_eq!(subscription.counts(), subscription != Subscription::Responses);
        }
    }
}
