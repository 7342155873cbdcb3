//! What routes make of a message (iot-hub B5): which endpoints it goes to, and what is added to it
//! there. Refuses to know where messages come from, and what endpoints are.

use crate::devices::Hub;
use hub::channel::Head;
use hub::query::{self, Body};
use hub::route::{Added, Targets};
use hub::telemetry::SystemName;
use hub::twin::Twin;
use smallvec::SmallVec;

/// A message as routes look into it.
pub(super) struct Message<'m> {
    pub head: Head<'m>,
    pub system: Vec<(SystemName, String)>,
    pub properties: Vec<(&'m str, &'m str)>,
    pub body: &'m [u8],
    /// As B4 counts.
    pub bytes: usize,
}

/// Where a message goes. Where nothing is in it no route takes the message.
#[derive(Debug, Default)]
pub(super) struct Routed {
    /// One for all endpoints that get the same, in the order of their payloads.
    pub parts: SmallVec<[Part; 1]>,
    /// So many endpoints would get more, with what is added there, than messages have.
    pub too_large: usize,
}

/// What some endpoints get.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub targets: Targets,
    /// Where its payload up to the body ends; it begins where that of the part before ends.
    pub end: usize,
}

impl Routed {
    /// All get the same.
    pub fn whole(targets: Targets, end: usize) -> Self {
        Self { parts: SmallVec::from_buf([Part { targets, end }]), too_large: 0 }
    }
}

impl Message<'_> {
    /// Asks the routes; what goes is written to `out`, which is empty.
    pub fn route(&self, hub: &Hub, twin: Option<&Twin>, out: &mut Vec<u8>) -> Routed {
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
        let targets = routing.targets(source, &message);
        let (name, mut routed) = (hub.name(), Routed::default());
        let mut all: SmallVec<[(Added<'_>, Targets); 1]> = SmallVec::new();
        for target in targets.iter() {
            let Ok(added) = routing.enrich(source, target, name, &message, self.bytes) else {
                routed.too_large += 1;
                continue;
            };
            match all.iter_mut().find(|(other, _)| *other == added) {
                Some((_, targets)) => *targets = targets.with(target),
                None => all.push((added, Targets::only(target))),
            }
        }
        for (added, targets) in all {
            self.encode(&added, out);
            routed.parts.push(Part { targets, end: out.len() });
        }
        routed
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
