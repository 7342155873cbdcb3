//! Subscriptions of sessions that are kept: SUBACK and UNSUBACK go out when the log knows them.

use super::entries::{NO_STREAM, Then};
use crate::handover::Handover;
use crate::journal::{Entry, Subscribed, Subscription, Unsubscribed};
use crate::shard::Shard;
use broker::subscription::FilterId;
use mqtt::qos::QoS;
use store::log::StreamId;
use store::op::Sequence;

impl Shard {
    /// A subscription was granted: its stream, and what it reads behind. `new` is its stream if it
    /// has one only now. `None` = the session is not kept.
    pub(crate) fn reads(
        &mut self,
        slot: u32,
        filter: FilterId,
        new: Option<StreamId>,
        qos: QoS,
    ) -> Option<(StreamId, Sequence)> {
        let end = Sequence(self.heard.up_to);
        let Self { homes, perform, router, .. } = self;
        let receiver = router.index.get(filter, homes.session_ref(slot));
        let durable = homes.sessions.at_mut(slot)?.durable.as_deref_mut()?;
        durable.has_no_local |= receiver.is_some_and(|receiver| receiver.options.no_local());
        if qos == QoS::AtMostOnce {
            durable.reads_no_more(filter).for_each(|need| perform.need(need));
            return Some((NO_STREAM, Sequence(0)));
        }
        if let Some(stream) = new {
            durable.reads(filter, stream, end).into_iter().for_each(|need| perform.need(need));
        }
        let standing = durable.standing(filter)?;
        Some((standing.stream, standing.since))
    }

    /// A subscription has ended.
    pub(crate) fn reads_no_more(&mut self, slot: u32, filter: FilterId) {
        let Self { homes, perform, .. } = self;
        let session = homes.sessions.at_mut(slot);
        if let Some(durable) = session.and_then(|s| s.durable.as_deref_mut()) {
            durable.reads_no_more(filter).for_each(|need| perform.need(need));
        }
    }

    /// SUBACK, and retained messages behind it, once the log knows what was granted.
    pub(crate) fn keep_subscribed(
        &mut self,
        link: u32,
        slot: u32,
        subscriptions: Vec<Subscription<'_>>,
        packet: Vec<u8>,
        handovers: Vec<Handover>,
    ) {
        let Some(session) = self.durable(slot).map(|d| d.id) else { return };
        let entry = Entry::Subscribed(Subscribed { session, subscriptions });
        let (link, packet) = (self.homes.link_id(link), packet.into());
        self.keep_change(slot, &entry, Then::Answer { link, packet, handovers });
    }

    /// Subscriptions that have ended.
    pub(crate) fn keep_unsubscribed(&mut self, slot: u32, filters: Vec<&str>, then: Then) {
        let Some(session) = self.durable(slot).map(|d| d.id) else { return };
        let entry = Entry::Unsubscribed(Unsubscribed { session, filters });
        self.keep_change(slot, &entry, then);
    }
}
