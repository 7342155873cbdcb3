//! From a matched session to its socket: the hot path of a broker.
//!
//! QoS 0 goes into the connection's output or nowhere. QoS 1 and 2 take a packet identifier and a
//! place in the window, or wait in the session's queue, in order (MQTT 5, 4.6 and 4.9).

use crate::counters::Loss;
use crate::durable::{Begin, Way};
use crate::effect::Notice;
use crate::frames::{Frames, append};
use crate::homes::Homes;
use crate::link::Link;
use crate::losses::{Recovered, Tell};
use crate::measured::fit;
use crate::meter::Meter;
use crate::session::{Delivery, Origin, Queue, Session, State};
use crate::source::Source;
use broker::limits::QueueFull;
use broker::router::{Ids, Target};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::wire::encoder::PublishOut;
use store::op::Sequence;

impl Homes {
    /// Delivers one publish to one session.
    #[inline]
    pub fn deliver(&mut self, t: &Target, s: &mut Source<'_>, f: &mut Frames, origin: Origin) {
        let slot = t.session.slot;
        let Some(mut session) = self.sessions.get_mut(slot, t.session.generation) else { return };
        let for_own = t.options.is_for_own();
        if (t.options.no_local() || for_own) && origin.is(self.me, t) != for_own {
            return;
        }
        let qos = s.qos.min(t.options.qos());
        let retain = s.retain && t.options.retain_as_published();
        if qos > QoS::AtMostOnce && session.durable.is_some() {
            match self.take_logged(slot, s) {
                Way::Done => return,
                Way::Queue => return self.deliver_absent(slot, qos, retain, t, s),
                Way::Send => {}
            }
            let Some(again) = self.sessions.at_mut(slot) else { return };
            session = again;
        }
        let State::Connected { link } = session.state else {
            return self.deliver_absent(slot, qos, retain, t, s);
        };
        let Some(l) = self.links.at_mut(link) else { return };
        let full = l.output.len() > self.output_bytes_max;
        if full && qos == QoS::AtMostOnce {
            // Before anything is made for it: a stalled receiver costs its publishers nothing.
            return self.drop_one(slot, Loss::OutputFull);
        }
        let begins = qos == QoS::ExactlyOnce && session.durable.is_some();
        if full || t.ids != Ids::None || session.waits() || begins {
            return self.deliver_slowly(slot, qos, retain, t, s);
        }
        if session.measured {
            return self.deliver_measured((slot, link), (qos, retain), t, s, f);
        }
        let Some(id) = session.identify(&mut self.meter, (qos, retain), t, s) else {
            let delivery = Delivery::new(&mut self.meter, t, s, (qos, retain));
            return self.enqueue(slot, delivery);
        };
        let frame = f.frame(s, session.version, qos);
        let out = write_to(l, &mut self.dirty, link).buffer(&mut self.pool);
        append(out, frame, qos, retain, id);
        self.counters.sent(session.version, qos);
    }

    /// A receiver that needs bytes of its own, has a queue, or (above QoS 0) does not keep up.
    fn deliver_slowly(
        &mut self,
        slot: u32,
        qos: QoS,
        retain: bool,
        t: &Target,
        s: &mut Source<'_>,
    ) {
        let delivery = Delivery::new(&mut self.meter, t, s, (qos, retain));
        if qos == QoS::AtMostOnce {
            self.send(slot, &delivery, 0, false);
        } else if self.sessions.at(slot).is_some_and(|s| !s.waits()) && self.has_room(slot) {
            self.start(slot, delivery);
        } else {
            self.enqueue(slot, delivery);
            self.pump(slot);
        }
    }

    /// A receiver without connection: QoS 0 is never queued.
    pub(crate) fn deliver_absent(
        &mut self,
        slot: u32,
        qos: QoS,
        retain: bool,
        t: &Target,
        s: &mut Source<'_>,
    ) {
        if qos == QoS::AtMostOnce {
            self.drop_one(slot, Loss::Absent);
        } else {
            let delivery = Delivery::new(&mut self.meter, t, s, (qos, retain));
            self.enqueue(slot, delivery);
        }
    }

    /// Puts a delivery at the end of the session's queue; at its bound the policy decides.
    pub fn enqueue(&mut self, slot: u32, delivery: Delivery) {
        let limits = &self.limits;
        let (messages_max, bytes_max) =
            (limits.session_queue_messages_max, limits.session_queue_bytes_max);
        let policy = limits.queue_full;
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let bytes = delivery.publication.bytes();
        let namespace_full = self.meter.is_namespace_full(bytes);
        let queue = session.queue.get_or_insert_with(|| Queue::new(&self.meter.queued));
        let own_full = queue.waiting.len() >= messages_max || queue.bytes + bytes > bytes_max;
        if !own_full && !namespace_full {
            return queue.push(delivery);
        }
        let why = if own_full { Loss::QueueFull } else { Loss::NamespaceFull };
        // `Refuse` is decided before a publish is accepted; what still comes is the newest. What
        // could not stay even alone need not have others make room.
        let alone = queue.waiting.is_empty() || bytes > bytes_max;
        match policy {
            QueueFull::EndSession => {
                self.counters.lose(why);
                self.overflowed.push(self.session_ref(slot));
            }
            QueueFull::DropOldest if !alone => {
                queue.push(delivery);
                let mut displaced = Vec::new();
                while queue.waiting.len() > messages_max
                    || queue.bytes > bytes_max
                    || (self.meter.is_namespace_full(0) && !queue.waiting.is_empty())
                {
                    match queue.pop() {
                        Some(oldest) => displaced.push(oldest),
                        None => break,
                    }
                }
                self.displace(slot, displaced, why);
            }
            QueueFull::DropOldest | QueueFull::DropNewest | QueueFull::Refuse => {
                self.drop_one(slot, why);
            }
        }
    }

    /// Sends as far as window and output allow: first what has to be sent again, then the queue.
    pub fn pump(&mut self, slot: u32) {
        while self.has_room(slot) {
            if !self.send_again(slot) && !self.send_waiting(slot) {
                break;
            }
        }
        if self.sessions.at(slot).is_some_and(Session::is_stalled) {
            self.relieve(slot);
        }
        self.read_more(slot);
    }

    /// Whether one more exchange may be under way to a connected client.
    fn has_room(&self, slot: u32) -> bool {
        let Some(session) = self.sessions.at(slot) else { return false };
        let Some(link) = session.link() else { return false };
        let output = self.links.at(link).map_or(usize::MAX, |l| l.output.len());
        session.under_way() < session.window && output <= self.output_bytes_max
    }

    /// Sends the first message of the queue; false if there is none that can be sent.
    fn send_waiting(&mut self, slot: u32) -> bool {
        let now_ms = self.now.wall_ms;
        let Some(session) = self.sessions.at_mut(slot) else { return false };
        let Some(queue) = session.queue.as_mut() else { return false };
        let Some(delivery) = queue.pop() else {
            session.queue = None;
            return false;
        };
        if delivery.publication.expired(now_ms) {
            self.drop_one(slot, Loss::Expired);
            if let Some(member) = delivery.member {
                self.shares.finished(member);
            }
            return true;
        }
        self.start(slot, delivery)
    }

    /// Opens an exchange and sends its PUBLISH. While every identifier is taken the message goes
    /// back to the front of the queue: false.
    fn start(&mut self, slot: u32, delivery: Delivery) -> bool {
        let Some(session) = self.sessions.at_mut(slot) else { return false };
        // Without a durable session only the identifier is kept, unless somebody has to be told.
        let told = delivery.publication.watch.is_some() || delivery.member.is_some();
        let kept = session.is_durable() || told;
        let Some(id) = session.outbound.send(delivery.qos, kept.then(|| delivery.clone())) else {
            session.queue.get_or_insert_with(|| Queue::new(&self.meter.queued)).unpop(delivery);
            return false;
        };
        let sequence = Sequence(delivery.publication.sequence());
        if delivery.qos == QoS::ExactlyOnce
            && let Some(durable) = session.durable.as_deref_mut()
            && (sequence.0 > 0 || !durable.exchanges().unsent.is_empty())
        {
            // Its PUBLISH goes out when the log knows of it (core.md 2), or behind those of which
            // it has to know first.
            durable.exchanges_mut().unsent.push_back(id);
            if sequence.0 > 0 {
                let session = self.session_ref(slot);
                let via = self.via_of(&delivery);
                self.begun.push(Begin { session, packet_id: id, sequence, via });
            }
            return true;
        }
        if !self.send(slot, &delivery, id.get(), false) {
            self.as_if_delivered(slot, id);
        }
        true
    }

    /// Ends an exchange whose PUBLISH is too large for the client (MQTT 5, 3.1.2-25).
    pub fn as_if_delivered(&mut self, slot: u32, id: PacketId) {
        self.exchange_over(slot, id);
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let ended = session.outbound.puback(id).or_else(|_| session.outbound.pubrec_refused(id));
        if let Some(member) = ended.ok().flatten().and_then(|d| d.member) {
            self.shares.finished(member);
        }
    }

    /// Encodes one delivery for its receiver alone; false if the client does not take packets so
    /// large.
    pub fn send(&mut self, slot: u32, d: &Delivery, id: u16, dup: bool) -> bool {
        let now_ms = self.now.wall_ms;
        let Some(session) = self.sessions.at(slot) else { return true };
        let Some(link) = session.link() else { return true };
        let Some(l) = self.links.at_mut(link) else { return true };
        let m = &d.publication.message;
        let expiry = m.expiry_at().zip(d.publication.remaining_s(now_ms));
        let mut packet = PublishOut {
            version: session.version,
            dup,
            qos: d.qos,
            retain: d.retain,
            topic: m.topic(),
            packet_id: id,
            alias: 0,
            send_topic: true,
            subscription_ids: d.ids.as_slice(),
            properties: m.properties(),
            expiry,
            payload: m.payload(),
        };
        let Some(alias) = fit(&mut packet, l, session.packet_max) else {
            self.drop_one(slot, Loss::TooLarge);
            return false;
        };
        self.counters.sent(session.version, d.qos);
        self.put(link, &packet, alias);
        true
    }

    /// Nothing is dropped silently.
    pub fn drop_one(&mut self, slot: u32, why: Loss) {
        self.drop_many(slot, why, 1);
    }

    pub fn drop_many(&mut self, slot: u32, why: Loss, n: u64) {
        self.counters.lose_many(why, n);
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let losses = session.losses.get_or_insert_default();
        if losses.add(why, n, self.now.mono_ms) == Tell::Begun {
            let client = session.client.as_str().to_owned();
            self.notice(Notice::Stalled { client, why: why.name() });
        }
    }

    /// A session whose output has been taken: if nothing waits any more, its stall is over.
    pub fn keeps_up(&mut self, slot: u32) {
        let now_ms = self.now.mono_ms;
        let Some(session) = self.sessions.at_mut(slot).filter(|s| !s.waits()) else { return };
        let recovered = session.losses.as_mut().and_then(|l| l.recover(now_ms));
        if let Some(Recovered { lost, seconds }) = recovered {
            let client = session.client.as_str().to_owned();
            self.notice(Notice::Recovered { client, lost, seconds });
        }
    }

    /// Sessions whose queue overflowed under `end-session`: the shard ends them after the fan-out.
    pub fn take_overflowed(&mut self) -> Vec<broker::subscription::SessionRef> {
        std::mem::take(&mut self.overflowed)
    }
}

impl Delivery {
    pub fn new(
        meter: &mut Meter,
        t: &Target,
        s: &mut Source<'_>,
        (qos, retain): (QoS, bool),
    ) -> Self {
        let publication = s.keep(meter).clone();
        let place = meter.deliveries.one();
        let taken = publication.sequence();
        Self { publication, ids: t.ids.clone(), qos, retain, member: None, taken, place }
    }
}

impl Origin {
    /// Whether this publisher is the target itself.
    #[inline]
    fn is(&self, me: usize, t: &Target) -> bool {
        self.slot == t.session.slot
            && self.generation == t.session.generation
            && self.reactor as usize == me
    }
}

#[inline]
fn write_to<'l>(l: &'l mut Link, dirty: &mut Vec<u32>, slot: u32) -> &'l mut crate::output::Output {
    if !l.flags.dirty {
        l.flags.dirty = true;
        dirty.push(slot);
    }
    &mut l.output
}

impl Session {
    /// Opens an exchange for a message above QoS 0 and gives its identifier; 0 at QoS 0. `None`
    /// while the window is full or every identifier is taken.
    #[inline(always)]
    pub fn identify(
        &mut self,
        meter: &mut Meter,
        (qos, retain): (QoS, bool),
        t: &Target,
        s: &mut Source<'_>,
    ) -> Option<u16> {
        if qos == QoS::AtMostOnce {
            return Some(0);
        }
        if self.outbound.open() >= self.window {
            return None;
        }
        // Without a durable session only the identifier is kept.
        let kept = self.is_durable() || s.is_watched();
        let kept = kept.then(|| Delivery::new(meter, t, s, (qos, retain)));
        self.outbound.send(qos, kept).map(PacketId::get)
    }
}
