//! What happens to devices, told to the channel where a route asks for it (iot-hub B6). Refuses to
//! know what an event looks like: crate `hub` makes it.
//!
//! A write into a twin, and that an identity comes or goes, are facts of the log: their events are
//! submitted beside them, into the batch that the log has whole or not at all, and say what is so
//! once that is a fact. A connection is no fact of the log: its event stands alone.

use super::routed::Message as Routable;
use crate::devices::Seen;
use crate::session::Origin;
use crate::shard::Shard;
use crate::waiting::Completion;
use hub::channel::Head;
use hub::event::{Event, Lifecycle, Link, Origin as Of};
use hub::identity::{Generation, IdentityId, Packed};
use hub::registry::Ids;
use hub::route::Source;
use hub::twin::{Record, Twin};
use std::borrow::Cow;

/// To whom something happens.
struct Whose<'w> {
    id: &'w IdentityId,
    generation: Generation,
    /// As routes see it; `None`: as it is known.
    twin: Option<&'w Twin>,
}

impl Shard {
    /// An identity is about to be new: its record is submitted in this turn, as with all that is
    /// only about to be.
    pub(crate) fn submit_created(&mut self, identity: &Packed) {
        if self.is_event_wanted(Source::DeviceLifecycleEvents) {
            let twin = Twin::new(identity.generation().begun_ms());
            self.submit_lifecycle(&Seen::new(identity), &twin, Lifecycle::Created);
        }
    }

    /// Identities are about to be gone, in this order.
    pub(crate) fn submit_deleted(&mut self, all: &[IdentityId]) {
        if !self.is_event_wanted(Source::DeviceLifecycleEvents) {
            return;
        }
        for ids in all.iter().map(Ids::from) {
            let twin = self.devices.twin_of(ids).map(Cow::into_owned);
            if let (Some(seen), Some(twin)) = (self.devices.seen(ids), twin) {
                self.submit_lifecycle(&seen, &twin, Lifecycle::Deleted);
            }
        }
    }

    fn submit_lifecycle(&mut self, seen: &Seen, twin: &Twin, what: Lifecycle) {
        let (id, generation) = (&seen.identity.id(), seen.identity.generation);
        let whose = Whose { id, generation, twin: Some(twin) };
        self.submit_event(whose, Completion::Beside, |of| of.lifecycle(what, twin, &seen.about()));
    }

    /// A record is about to be applied to a twin, which is `twin` then.
    pub(crate) fn submit_twin_changed(&mut self, id: &IdentityId, twin: &Twin, record: &Record) {
        if !self.is_event_wanted(Source::TwinChangeEvents) {
            return;
        }
        let Some(seen) = self.devices.seen(Ids::from(id)) else { return };
        let whose = Whose { id, generation: seen.identity.generation, twin: Some(twin) };
        self.submit_event(whose, Completion::Beside, |of| {
            of.twin_changed(twin, &seen.about(), record)
        });
    }

    /// A device or module has connected or disconnected.
    pub(crate) fn tell_connection(&mut self, id: &IdentityId, what: Link) {
        if !self.is_event_wanted(Source::DeviceConnectionStateEvents) {
            return;
        }
        let sequence = self.channel.sequence.next(self.homes.now.wall_ms);
        self.channel.sequence = sequence;
        let Some(sender) = self.devices.sender(Ids::from(id)) else { return };
        let whose = Whose { id, generation: sender.generation, twin: None };
        self.submit_event(whose, Completion::None, |of| of.connection(what, sequence));
    }

    fn is_event_wanted(&self, source: Source) -> bool {
        self.devices.hub.as_ref().is_some_and(|hub| hub.routing.wants(source))
    }

    fn submit_event(
        &mut self,
        Whose { id, generation, twin }: Whose<'_>,
        completion: Completion,
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
        let known = || twin.map(Cow::Borrowed).or_else(|| self.devices.twin_of(ids));
        let twin = hub.routing.looks_into_twin(source).then(known).flatten();
        let routed = routable.route(&hub, twin.as_deref(), &mut bytes);
        let parts = (&bytes[..], &event.body[..]);
        self.goes(Origin::LOG, &hub, (&head, parts), (routed, completion));
    }
}
