//! Deliveries whose packet is looked at before it goes: for the client's Maximum Packet Size, and
//! for the topic alias that makes it shorter.
//!
//! Owns the choice of the packet's form. What may be sent at all is `deliver`'s; which topics have
//! an alias is `mqtt::session::SentAliases`'.

use crate::counters::Loss;
use crate::frames::{Frames, append};
use crate::homes::Homes;
use crate::link::Link;
use crate::session::Delivery;
use crate::source::Source;
use broker::router::Target;
use mqtt::qos::QoS;
use mqtt::session::{ALIAS_BYTES, SentAlias};
use mqtt::wire::encoder::PublishOut;

impl Homes {
    /// The end of `deliver` for a session that is `measured`.
    #[inline(never)]
    pub fn deliver_measured(
        &mut self,
        (slot, link): (u32, u32),
        (qos, retain): (QoS, bool),
        t: &Target,
        s: &mut Source<'_>,
        f: &mut Frames,
    ) {
        let Some(session) = self.sessions.at_mut(slot) else { return };
        let Some(l) = self.links.at_mut(link) else { return };
        let (version, packet_max) = (session.version, session.packet_max);
        if l.sent_aliases().is_none() {
            if f.frame(s, version, qos).bytes.len() > packet_max as usize {
                // As if delivered (MQTT 5, 3.1.2-25).
                return self.drop_one(slot, Loss::TooLarge);
            }
            let Some(id) = session.identify(&mut self.meter, (qos, retain), t, s) else {
                let delivery = Delivery::new(&mut self.meter, t, s, (qos, retain));
                return self.enqueue(slot, delivery);
            };
            self.counters.sent(version, qos);
            let frame = f.frame(s, version, qos);
            if let Some(out) = self.output(link) {
                append(out, frame, qos, retain, id);
            }
            return;
        }
        let mut packet = PublishOut {
            version,
            dup: false,
            qos,
            retain,
            topic: s.topic,
            packet_id: 0,
            alias: 0,
            send_topic: true,
            subscription_ids: &[],
            properties: s.properties,
            expiry: None,
            payload: s.payload,
        };
        let Some(alias) = fit(&mut packet, l, packet_max) else {
            return self.drop_one(slot, Loss::TooLarge);
        };
        let Some(id) = session.identify(&mut self.meter, (qos, retain), t, s) else {
            let delivery = Delivery::new(&mut self.meter, t, s, (qos, retain));
            return self.enqueue(slot, delivery);
        };
        packet.packet_id = id;
        self.counters.sent(version, qos);
        self.put(link, &packet, alias);
    }

    /// Appends a packet that `fit` to the connection's output: from here on the client knows its
    /// alias.
    pub fn put(&mut self, link: u32, packet: &PublishOut<'_>, alias: SentAlias) {
        if let SentAlias::Use(_) = alias {
            self.counters.alias_bytes_saved.add((packet.topic.len() - ALIAS_BYTES) as u64);
        }
        if let Some(aliases) = self.links.at_mut(link).and_then(Link::sent_aliases) {
            aliases.sent(packet.topic, alias);
        }
        if let Some(out) = self.output(link) {
            packet.encode(out);
        }
    }
}

/// Chooses topic, alias or both. `None`: the packet is too large for the client in any form.
pub(crate) fn fit(packet: &mut PublishOut<'_>, l: &mut Link, packet_max: u32) -> Option<SentAlias> {
    let planned = l.sent_aliases().map_or(SentAlias::None, |a| a.plan(packet.topic));
    // Setting an alias costs bytes that may be too many.
    for alias in [planned, SentAlias::None] {
        (packet.alias, packet.send_topic) = match alias {
            SentAlias::None => (0, true),
            SentAlias::Set(n) => (n, true),
            SentAlias::Use(n) => (n, false),
        };
        if packet.len() <= packet_max as usize {
            return Some(alias);
        }
    }
    None
}
