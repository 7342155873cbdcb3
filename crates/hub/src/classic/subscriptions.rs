//! What one device is subscribed to (iot-hub D1, D2): all that its session keeps. Refuses to know
//! the session's other half and when it ends.

use mqtt::qos::QoS;

use super::filter::Subscription;
use crate::identity::IdentityId;

/// A set of subscriptions, each with the QoS that it was granted. There are five kinds, which is
/// the bound of D4 too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Subscriptions([Option<QoS>; 5]);

impl Subscriptions {
    /// One filter of a SUBSCRIBE; returns what SUBACK grants, `None` for 0x80.
    pub fn subscribe(&mut self, id: &IdentityId, filter: &str, requested: QoS) -> Option<QoS> {
        let subscription = Subscription::of(id, filter)?;
        let granted = subscription.granted(requested);
        self.0[subscription as usize] = Some(granted);
        Some(granted)
    }

    /// One filter of an UNSUBSCRIBE, which in MQTT 3.1.1 always succeeds.
    pub fn unsubscribe(&mut self, id: &IdentityId, filter: &str) {
        if let Some(subscription) = Subscription::of(id, filter) {
            self.0[subscription as usize] = None;
        }
    }

    /// The QoS that a subscription was granted; `None` = it is not there. A command that is
    /// delivered with QoS 0 is complete.
    pub fn get(&self, subscription: Subscription) -> Option<QoS> {
        self.0[subscription as usize]
    }

    /// Filter and QoS of each: what a session keeps. Subscribing to them again gives an equal set.
    pub fn iter(&self, id: &IdentityId) -> impl Iterator<Item = (String, QoS)> {
        ALL.into_iter().filter_map(|one| Some((one.filter(id)?, self.get(one)?)))
    }
}

const ALL: [Subscription; 5] = [
    Subscription::Commands,
    Subscription::Inputs,
    Subscription::Methods,
    Subscription::TwinResponses,
    Subscription::Desired,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscribing_and_unsubscribing() {
        for (id, own, count) in [
            ("D1", "devices/D1/messages/devicebound/#", 4),
            ("D1/m", "devices/D1/modules/m/inputs/#", 4),
        ] {
            let id = IdentityId::parse(id).unwrap();
            let mut set = Subscriptions::default();
            let methods = "$iothub/methods/POST/#";
            let twin = "$iothub/twin/res/#";
            let desired = "$iothub/twin/PATCH/properties/desired/#";
            for (filter, requested) in [(own, 2), (methods, 1), (twin, 0), (desired, 1), (own, 1)] {
                let requested = QoS::from_bits(requested).unwrap();
                let granted = requested.min(QoS::AtLeastOnce);
                assert_eq!(set.subscribe(&id, filter, requested), Some(granted), "{filter}");
            }
            assert_eq!(set.subscribe(&id, "devices/D2/#", QoS::AtMostOnce), None);
            assert_eq!(set.get(Subscription::Methods), Some(QoS::AtLeastOnce));
            assert_eq!(set.get(Subscription::TwinResponses), Some(QoS::AtMostOnce));

            let mut again = Subscriptions::default();
            for (filter, qos) in set.iter(&id) {
                assert_eq!(again.subscribe(&id, &filter, qos), Some(qos), "{filter}");
            }
            assert_eq!((again, set.iter(&id).count()), (set, count));

            for filter in [own, methods, twin, desired, "a/b"] {
                set.unsubscribe(&id, filter);
            }
            assert_eq!(set, Subscriptions::default());
        }
    }
}
