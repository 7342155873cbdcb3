//! Retained messages for a new subscription, in chunks (core.md 4).
//!
//! What was stored up to the moment of subscribing is handed over; what is stored later comes by
//! the subscription itself. So each version of a topic arrives once and never after a newer one.

use crate::counters::Loss;
use crate::session::Delivery;
use crate::shard::Shard;
use broker::retained::{ScanCursor, ScanEnd};
use broker::router::Ids;
use broker::subscription::{FilterId, SessionRef};
use mqtt::qos::QoS;
use mqtt::topic::TopicFilter;

/// A hand-over under way.
pub(crate) struct Handover {
    session: SessionRef,
    filter: FilterId,
    /// The store's order at SUBSCRIBE: later values come live.
    until: u64,
    qos: QoS,
    id: u32,
    cursor: ScanCursor,
}

impl Handover {
    pub fn new(session: SessionRef, filter: FilterId, until: u64, qos: QoS, id: u32) -> Self {
        Self { session, filter, until, qos, id, cursor: ScanCursor::default() }
    }
}

impl Shard {
    /// Starts a hand-over; a short one ends at once.
    pub(crate) fn hand_over(&mut self, mut h: Handover) {
        if self.hand_over_some(&mut h) == ScanEnd::More {
            self.handovers.push_back(h);
        }
    }

    /// Goes on with hand-overs whose receivers have room; whether one can go on at once.
    pub(crate) fn run_handovers(&mut self) -> bool {
        let mut ready = false;
        for _ in 0..self.handovers.len() {
            let Some(mut h) = self.handovers.pop_front() else { break };
            if !self.has_room(&h) {
                self.handovers.push_back(h);
            } else if self.hand_over_some(&mut h) == ScanEnd::More {
                ready |= self.has_room(&h);
                self.handovers.push_back(h);
            }
        }
        ready
    }

    /// A connected session with room for a chunk; one that is gone may end its hand-over.
    fn has_room(&self, h: &Handover) -> bool {
        let Some(s) = self.homes.sessions.get(h.session.slot, h.session.generation) else {
            return true;
        };
        let Some(link) = s.link() else { return true };
        let output = self.homes.links.at(link).map_or(0, |l| l.output.len());
        output < self.homes.output_bytes_max / 2 && s.queued().0 < CHUNK
    }

    fn hand_over_some(&mut self, h: &mut Handover) -> ScanEnd {
        let slot = h.session.slot;
        if self.router.index.get(h.filter, h.session).is_none() {
            return ScanEnd::Done;
        }
        let Ok(filter) = TopicFilter::parse(self.router.index.filter(h.filter)) else {
            return ScanEnd::Done;
        };
        let mut found = Vec::new();
        let now_ms = self.homes.now.wall_ms;
        let end = self.retained.list(filter, &mut h.cursor, CHUNK, now_ms, &mut found);
        for item in found {
            if item.order > h.until {
                continue;
            }
            let qos = item.publication.message.qos().min(h.qos);
            let ids = if h.id == 0 { Ids::None } else { Ids::One(h.id) };
            let place = self.homes.meter.deliveries.one();
            let publication = item.publication;
            let (member, taken) = (None, 0);
            let delivery = Delivery { publication, ids, qos, retain: true, member, taken, place };
            if qos > QoS::AtMostOnce {
                self.homes.enqueue(slot, delivery);
            } else if self.homes.sessions.at(slot).is_some_and(|s| s.link().is_some()) {
                self.homes.send(slot, &delivery, 0, false);
            } else {
                self.homes.drop_one(slot, Loss::Absent);
            }
        }
        self.homes.pump(slot);
        end
    }
}

/// Messages read from the store at once, under its lock.
const CHUNK: usize = 256;
