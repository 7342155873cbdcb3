//! The packets by which a client answers what it was sent, and goes on with its own QoS 2
//! exchanges (MQTT 5, 4.3).

use crate::shard::Shard;
use broker::limits::RefusedDelivery;
use mqtt::error::Wrong;
use mqtt::reason::Reason;
use mqtt::wire::{Ack, AckKind, encoder};

impl Shard {
    /// PUBACK: an outbound QoS 1 message has arrived.
    #[inline]
    pub(crate) fn on_puback(&mut self, link: u32, a: &Ack<'_>) -> Result<(), Wrong> {
        self.puback::<true>(link, a)
    }

    /// A device may answer a command by it.
    fn on_puback_of_device(&mut self, link: u32, a: &Ack<'_>) -> Result<(), Wrong> {
        if !self.command_answered(self.homes.link_id(link), a) {
            return self.puback::<false>(link, a);
        }
        if let Some((_, slot, _)) = self.homes.attached(link) {
            self.homes.pump(slot);
        }
        Ok(())
    }

    #[inline]
    fn puback<const MAY_SETTLE: bool>(&mut self, link: u32, a: &Ack<'_>) -> Result<(), Wrong> {
        let disconnects = self.homes.limits.refused_delivery == RefusedDelivery::Disconnect;
        let Some((_, slot, session)) = self.homes.attached(link) else { return Ok(()) };
        if MAY_SETTLE && session.device.is_some() {
            return self.on_puback_of_device(link, a);
        }
        // A stray identifier is ignored: the exchange may have ended before a reconnect.
        if let Ok(kept) = session.outbound.puback(a.packet_id) {
            session.answered(a.packet_id);
            let held_up = session.is_held_up();
            let given = session.take_given(a.packet_id);
            self.homes.over(kept, given);
            self.homes.changed(slot);
            if held_up {
                self.homes.pump(slot);
            }
        }
        if disconnects && a.reason.is_error() { Err(DELIVERY_REFUSED) } else { Ok(()) }
    }

    /// PUBREC: an outbound QoS 2 message has arrived, or was refused.
    pub(crate) fn on_pubrec(&mut self, link: u32, a: &Ack<'_>) {
        let Some((l, slot, session)) = self.homes.attached(link) else { return };
        let version = l.version;
        session.answered(a.packet_id);
        if a.reason.is_error() {
            if let Ok(kept) = session.outbound.pubrec_refused(a.packet_id) {
                let given = session.take_given(a.packet_id);
                self.homes.over(kept, given);
                self.homes.changed(slot);
            }
            return self.homes.pump(slot);
        }
        if session.is_in_log(a.packet_id) {
            let id = self.homes.link_id(link);
            return self.keep_release(id, slot, a.packet_id);
        }
        let reason = match session.outbound.pubrec(a.packet_id) {
            Ok(kept) => {
                self.homes.released(slot, a.packet_id, kept);
                Reason::SUCCESS
            }
            Err(_) => Reason::PACKET_IDENTIFIER_NOT_FOUND,
        };
        if let Some(out) = self.homes.output(link) {
            encoder::ack(out, version, AckKind::PubRel, a.packet_id, reason);
        }
    }

    /// PUBREL: the client releases an inbound QoS 2 identifier.
    pub(crate) fn on_pubrel(&mut self, link: u32, a: &Ack<'_>) {
        let Some((l, slot, session)) = self.homes.attached(link) else { return };
        let version = l.version;
        if session.durable.as_ref().is_some_and(|d| d.exchanges().received.contains(&a.packet_id)) {
            let id = self.homes.link_id(link);
            return self.keep_complete(id, slot, a.packet_id);
        }
        let known = session.received.release(a.packet_id);
        let reason = if known { Reason::SUCCESS } else { Reason::PACKET_IDENTIFIER_NOT_FOUND };
        if let Some(out) = self.homes.output(link) {
            encoder::ack(out, version, AckKind::PubComp, a.packet_id, reason);
        }
    }

    /// PUBCOMP: an outbound QoS 2 exchange is over.
    pub(crate) fn on_pubcomp(&mut self, link: u32, a: &Ack<'_>) {
        let Some((_, slot, session)) = self.homes.attached(link) else { return };
        let Ok(kept) = session.outbound.pubcomp(a.packet_id) else { return };
        let held_up = session.is_held_up();
        self.homes.had_to_the_end(slot, a.packet_id, kept.as_ref());
        self.homes.changed(slot);
        if held_up {
            self.homes.pump(slot);
        }
    }
}

const DELIVERY_REFUSED: Wrong = Wrong::new(
    Reason::IMPLEMENTATION_SPECIFIC_ERROR,
    "event-grid 3.3",
    "this namespace ends a connection that answers a delivery with an error",
);
