//! Sending again, on a resumed session, what the client has not acknowledged (MQTT 5, 4.4).
//!
//! Owns which exchanges are taken up and in which order; how many at once is the new connection's
//! Receive Maximum. Knows nothing of messages that were never sent: they are the queue's.

use crate::homes::Homes;
use mqtt::packet_id::PacketId;
use mqtt::reason::Reason;
use mqtt::session::Exchange;
use mqtt::wire::{AckKind, encoder};
use std::collections::VecDeque;

impl Homes {
    /// Takes up the exchanges of a resumed session with their original identifiers, in the
    /// original order (4.4.0-1), then goes on with the queue.
    pub fn resume(&mut self, slot: u32) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        if session.durable.as_ref().is_some_and(|d| !d.exchanges().unloaded.is_empty()) {
            // What they are about has to be read first.
            return self.read_more(slot);
        }
        let (version, link) = (session.version, session.link());
        let (released, published): (Vec<_>, Vec<_>) = session
            .outbound
            .unacknowledged()
            .map(|u| (u.packet_id, u.exchange))
            .partition(|(_, exchange)| *exchange == Exchange::Released);
        let unsent = session.durable.as_ref().map(|d| &d.exchanges().unsent);
        let begins = |id: &PacketId| unsent.is_some_and(|unsent| unsent.contains(id));
        let again: VecDeque<_> =
            published.into_iter().map(|(id, _)| id).filter(|id| !begins(id)).collect();
        session.resend = (!again.is_empty()).then(|| Box::new(again));
        // Receive Maximum bounds PUBLISH only (3.3.4-10): every PUBREL goes at once.
        if let Some(out) = link.and_then(|l| self.output(l)) {
            for (id, _) in released {
                encoder::ack(out, version, AckKind::PubRel, id, Reason::SUCCESS);
            }
        }
        self.pump(slot);
    }

    /// Sends the next PUBLISH again; false if there is none.
    pub fn send_again(&mut self, slot: u32) -> bool {
        let Some(session) = self.sessions.at_mut(slot) else { return false };
        let Some(ids) = session.resend.as_mut() else { return false };
        let id = ids.pop_front();
        if ids.is_empty() {
            session.resend = None;
        }
        let Some(id) = id else { return false };
        let delivery = session.outbound.kept(id).cloned();
        if !delivery.is_some_and(|d| self.send(slot, &d, id.get(), true)) {
            self.as_if_delivered(slot, id);
        }
        true
    }
}
