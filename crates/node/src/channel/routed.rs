//! What routes make of a message (iot-hub B5): whether it goes to the built-in endpoint, the only
//! one there is, and what is added to it there. Refuses to know where messages come from.

use crate::devices::Hub;
use hub::channel::Head;
use hub::query::{self, Body};
use hub::route::{Added, Target};
use hub::telemetry::SystemName;
use hub::twin::Twin;

/// A message as routes look into it.
pub(super) struct Message<'m> {
    pub head: Head<'m>,
    pub system: Vec<(SystemName, String)>,
    pub properties: Vec<(&'m str, &'m str)>,
    pub body: &'m [u8],
    /// As B4 counts.
    pub bytes: usize,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// To the built-in endpoint; its payload is written up to the body.
    Goes,
    /// No route takes it.
    Nowhere,
    /// With what is added it is larger than messages are.
    TooLarge,
}

impl Message<'_> {
    /// Asks the routes; what goes is written to `out`.
    pub fn route(&self, hub: &Hub, twin: Option<&Twin>, out: &mut Vec<u8>) -> Fate {
        let (routing, source) = (&hub.routing, self.head.source);
        let mut stamped = Vec::new();
        self.each_stamp(|name, value| stamped.push((name, value.to_owned())));
        let all = self.system.iter().chain(&stamped);
        let system: Vec<(&str, &str)> =
            all.map(|(name, value)| (name.camel(), value.as_str())).collect();
        let said = |wanted: SystemName| {
            self.system.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.as_str())
        };
        let text = routing.looks_into_body(source).then(|| {
            let kind = said(SystemName::ContentType);
            Body::of(self.body, kind, said(SystemName::ContentEncoding))
        });
        let body = text.as_ref().and_then(|text| text.as_ref()?.value());
        let (properties, system) = (&*self.properties, &*system);
        let message = query::Message { properties, system, body: body.as_ref(), twin };
        if !routing.targets(source, &message).has(Target::EVENTS) {
            return Fate::Nowhere;
        }
        let name = hub.name();
        match routing.enrich(source, Target::EVENTS, name, &message, self.bytes) {
            Ok(added) => {
                self.encode(&added, out);
                Fate::Goes
            }
            Err(_) => Fate::TooLarge,
        }
    }

    fn encode(&self, added: &Added<'_>, out: &mut Vec<u8>) {
        let is_replaced = |name: &str| added.iter().any(|(key, _)| *key == name);
        let kept = self.properties.iter().copied().filter(|(name, _)| !is_replaced(name));
        let added = added.iter().map(|(key, value)| (*key, &**value));
        let properties: Vec<(&str, &str)> = kept.chain(added).collect();
        let system = |show: &mut dyn FnMut(SystemName, &str)| {
            self.system.iter().for_each(|(name, value)| show(*name, value));
        };
        self.head.encode(system, properties.into_iter(), out);
    }

    /// What the hub says of it, as routes may ask for it.
    fn each_stamp(&self, show: impl FnMut(SystemName, &str)) {
        self.head.stamp(None, show);
    }
}
