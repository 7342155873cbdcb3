//! What happens to devices, told to the channel where a route asks for it (iot-hub B6). Refuses to
//! know what an event looks like: crate `hub` makes it.
//!
//! An event follows its fact and has a record of its own: who crashes between them has the fact
//! only.

use super::routed::Message as Routable;
use crate::session::Origin;
use crate::shard::Shard;
use crate::waiting::Completion;
use hub::channel::Head;
use hub::event::{Event, Lifecycle, Link, Origin as Of};
use hub::identity::{Generation, IdentityId};
use hub::registry::Ids;
use hub::route::Source;
use hub::twin::{About, Record};

impl Shard {
    /// An identity is there, or is about to go.
    pub(crate) fn tell_lifecycle(&mut self, id: &IdentityId, what: Lifecycle) {
        if !self.is_event_wanted(Source::DeviceLifecycleEvents) {
            return;
        }
        let Some(seen) = self.devices.seen(Ids::from(id)) else { return };
        let about = About::of(&seen.identity, &seen.activity, &seen.model_id);
        let generation = seen.identity.generation;
        self.tell_event(id, generation, |of| of.lifecycle(what, &seen.twin, &about));
    }

    /// A record has been applied to a twin.
    pub(crate) fn tell_twin_changed(&mut self, id: &IdentityId, record: &Record) {
        if !self.is_event_wanted(Source::TwinChangeEvents) {
            return;
        }
        let Some(seen) = self.devices.seen(Ids::from(id)) else { return };
        let about = About::of(&seen.identity, &seen.activity, &seen.model_id);
        let generation = seen.identity.generation;
        self.tell_event(id, generation, |of| of.twin_changed(&seen.twin, &about, record));
    }

    /// A device or module has connected or disconnected.
    pub(crate) fn tell_connection(&mut self, id: &IdentityId, what: Link) {
        if !self.is_event_wanted(Source::DeviceConnectionStateEvents) {
            return;
        }
        let sequence = self.channel.sequence.next(self.homes.now.wall_ms);
        self.channel.sequence = sequence;
        let Some(sender) = self.devices.sender(Ids::from(id)) else { return };
        let generation = sender.generation;
        self.tell_event(id, generation, |of| of.connection(what, sequence));
    }

    fn is_event_wanted(&self, source: Source) -> bool {
        self.devices.hub.as_ref().is_some_and(|hub| hub.routing.wants(source))
    }

    fn tell_event(
        &mut self,
        id: &IdentityId,
        generation: Generation,
        make: impl FnOnce(&Of<'_>) -> Event,
    ) {
        let Some(hub) = self.devices.hub.clone() else { return };
        let (correlation_id, now_ms) = (self.ids.trace(), self.homes.now.wall_ms);
        let (hub_name, correlation_id) = (hub.name(), &*correlation_id);
        let event = make(&Of { hub_name, id, generation, correlation_id, at_ms: now_ms, now_ms });
        let (ids, source) = (Ids::from(id), event.source);
        let head = Head { enqueued_ms: now_ms, ids, generation, source, auth_method: None };
        let said = event.system.iter().filter(|(name, _)| Head::carries(*name));
        let routable = Routable {
            head,
            system: said.map(|(name, value)| (*name, value.to_string())).collect(),
            properties: event.property_view(),
            body: &event.body,
            bytes: event.bytes(),
        };
        let mut bytes = Vec::new();
        let twin = hub.routing.looks_into_twin(source).then(|| self.devices.twin_of(ids));
        let routed =
            routable.route(&hub, twin.as_ref().and_then(|twin| twin.as_deref()), &mut bytes);
        let parts = (&bytes[..], &event.body[..]);
        self.goes(Origin::LOG, &hub, (&head, parts), (routed, Completion::None));
    }
}
