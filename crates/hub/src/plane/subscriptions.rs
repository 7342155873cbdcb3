//! What one client is subscribed to on the plane (iot-hub A7, A10): all that its session keeps.
//! Refuses to know the session's other half and when it ends.

use std::collections::BTreeSet;

use mqtt::qos::QoS;
use mqtt::reason::Reason;

use super::filter::{Filter, Subscription};

/// A set of subscriptions. `$iothub/responses` is always in it and never counted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscriptions {
    commands: Option<QoS>,
    all_methods: Presence,
    methods: BTreeSet<Box<str>>,
    desired: Presence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Presence {
    #[default]
    Absent,
    Present,
}

impl Subscriptions {
    /// One filter of a SUBSCRIBE; returns its code in SUBACK. A filter that is there already
    /// replaces itself and does not count twice; at `max` subscriptions a new one is 0x97. Where
    /// filters outside `$iothub/` are the broker's, ask [`Filter::of`] first.
    pub fn subscribe(&mut self, filter: &str, requested: QoS, max: usize) -> Reason {
        let subscription = match Filter::of(filter) {
            Filter::Hub(subscription) => subscription,
            Filter::Refused(reason) | Filter::Outside(reason) => return reason,
        };
        if subscription.counts() && !self.has(subscription) && self.len() >= max {
            return Reason::QUOTA_EXCEEDED;
        }
        let granted = subscription.granted(requested);
        match subscription {
            Subscription::Commands => self.commands = Some(granted),
            Subscription::AllMethods => self.all_methods = Presence::Present,
            Subscription::Method(name) => {
                self.methods.insert(name.into());
            }
            Subscription::Desired => self.desired = Presence::Present,
            Subscription::Responses => {}
        }
        match granted {
            QoS::AtMostOnce => Reason::GRANTED_QOS_0,
            QoS::AtLeastOnce | QoS::ExactlyOnce => Reason::GRANTED_QOS_1,
        }
    }

    /// One filter of an UNSUBSCRIBE; returns its code in UNSUBACK: 0x00, or 0x11 where there was
    /// none. `$iothub/responses` is 0x00 and stays.
    pub fn unsubscribe(&mut self, filter: &str) -> Reason {
        let Filter::Hub(subscription) = Filter::of(filter) else {
            return Reason::NO_SUBSCRIPTION_EXISTED;
        };
        if !self.has(subscription) {
            return Reason::NO_SUBSCRIPTION_EXISTED;
        }
        match subscription {
            Subscription::Commands => self.commands = None,
            Subscription::AllMethods => self.all_methods = Presence::Absent,
            Subscription::Method(name) => {
                self.methods.remove(name);
            }
            Subscription::Desired => self.desired = Presence::Absent,
            Subscription::Responses => {}
        }
        Reason::SUCCESS
    }

    /// Whether it is in the set.
    pub fn has(&self, subscription: Subscription<'_>) -> bool {
        match subscription {
            Subscription::Commands => self.commands.is_some(),
            Subscription::AllMethods => self.all_methods == Presence::Present,
            Subscription::Method(name) => self.methods.contains(name),
            Subscription::Desired => self.desired == Presence::Present,
            Subscription::Responses => true,
        }
    }

    /// With which QoS commands are sent; `None` = they wait. With QoS 0 delivery completes one.
    pub fn commands(&self) -> Option<QoS> {
        self.commands
    }

    /// Whether requests for this method are sent, once however many subscriptions overlap.
    pub fn hears_method(&self, name: &str) -> bool {
        self.all_methods == Presence::Present || self.methods.contains(name)
    }

    /// Whether changes of desired properties are sent.
    pub fn hears_desired(&self) -> bool {
        self.desired == Presence::Present
    }

    /// What counts against the limit.
    pub fn len(&self) -> usize {
        self.methods.len()
            + usize::from(self.commands.is_some())
            + usize::from(self.all_methods == Presence::Present)
            + usize::from(self.desired == Presence::Present)
    }

    /// Whether nothing counts.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Filter and QoS of each that counts: what a session keeps. Subscribing to them again, each
    /// with its QoS, gives an equal set.
    pub fn iter(&self) -> impl Iterator<Item = (String, QoS)> {
        let one = |there: bool, filter: &str| there.then(|| (filter.into(), QoS::AtMostOnce));
        let commands = self.commands.map(|qos| ("$iothub/commands".into(), qos));
        let methods =
            self.methods.iter().map(|name| (format!("$iothub/methods/{name}"), QoS::AtMostOnce));
        commands
            .into_iter()
            .chain(one(self.all_methods == Presence::Present, "$iothub/methods/+"))
            .chain(one(self.desired == Presence::Present, "$iothub/twin/patch/desired"))
            .chain(methods)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 50;
    const ONE: QoS = QoS::AtLeastOnce;

    #[test]
    fn subscribing_and_unsubscribing() {
        let mut set = Subscriptions::default();
        let rows = [
            ("$iothub/commands", 0x01),
            ("$iothub/methods/+", 0x00),
            ("$iothub/methods/abc", 0x00),
            ("$iothub/twin/patch/desired", 0x00),
            ("$iothub/responses", 0x00),
            ("$iothub/#", 0xA2),
            ("$iothub/telemetry", 0x8F),
            ("a/b", 0x8F),
            ("$share/g/$iothub/commands", 0x9E),
        ];
        for (filter, code) in rows {
            assert_eq!(set.subscribe(filter, ONE, MAX).code(), code, "{filter}");
        }
        assert_eq!((set.len(), set.commands(), set.hears_desired()), (4, Some(ONE), true));
        assert!(set.hears_method("abc") && set.hears_method("other"));
        assert_eq!(set.subscribe("$iothub/commands", QoS::AtMostOnce, MAX).code(), 0);
        assert_eq!((set.len(), set.commands()), (4, Some(QoS::AtMostOnce)));

        for (filter, first, second) in [
            ("$iothub/methods/+", 0x00, 0x11),
            ("$iothub/responses", 0x00, 0x00),
            ("$iothub/twin/patch/desired", 0x00, 0x11),
            ("$iothub/commands", 0x00, 0x11),
            ("$iothub/methods/never", 0x11, 0x11),
            ("$iothub/#", 0x11, 0x11),
            ("a/b", 0x11, 0x11),
        ] {
            let codes = [(); 2].map(|()| set.unsubscribe(filter).code());
            assert_eq!(codes, [first, second], "{filter}");
        }
        assert!(set.hears_method("abc") && !set.hears_method("other") && !set.is_empty());
        assert_eq!(set.unsubscribe("$iothub/methods/abc").code(), 0);
        assert_eq!(set, Subscriptions::default());
    }

    #[test]
    fn fifty_count_and_repeats_and_responses_do_not() {
        let mut set = Subscriptions::default();
        for n in 0..50 {
            for _ in 0..2 {
                let filter = format!("$iothub/methods/m{n}");
                assert_eq!(set.subscribe(&filter, ONE, MAX).code(), 0);
            }
        }
        assert_eq!(set.subscribe("$iothub/commands", ONE, MAX).code(), 0x97);
        assert_eq!(set.subscribe("$iothub/methods/+", ONE, MAX).code(), 0x97);
        assert_eq!(set.subscribe("$iothub/responses", ONE, MAX).code(), 0);
        assert_eq!(set.subscribe("$iothub/methods/m7", ONE, MAX).code(), 0);
        assert_eq!(set.unsubscribe("$iothub/methods/m7").code(), 0);
        assert_eq!(set.subscribe("$iothub/commands", ONE, MAX).code(), 1);
        assert_eq!(set.len(), 50);
    }

    #[test]
    fn what_a_session_keeps_makes_the_same_set() {
        let mut set = Subscriptions::default();
        for filter in ["$iothub/commands", "$iothub/methods/b", "$iothub/methods/a"] {
            set.subscribe(filter, ONE, MAX);
        }
        let mut again = Subscriptions::default();
        for (filter, qos) in set.iter() {
            again.subscribe(&filter, qos, MAX);
        }
        assert_eq!(again, set);
        assert_eq!(set.iter().count(), 3);
        set.subscribe("$iothub/methods/+", ONE, MAX);
        set.subscribe("$iothub/twin/patch/desired", ONE, MAX);
        assert_eq!(set.iter().count(), 5);
    }
}
