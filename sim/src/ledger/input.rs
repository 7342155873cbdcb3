//! What shards decode: each packet of a good client changes the account as the standard says.

use super::attempt::{Attempt, Fate, Publisher};
use super::conn::{Goodbye, Opened, Will};
use super::session::{Scan, Sub};
use super::{Ledger, Scope};
use crate::filter::covers;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::{
    Connect, Packet, Publish, RetainHandling, Subscribe, Unsubscribe, Version, decode, frame,
};

/// How a connection stands after its bytes were decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Open,
    Ended,
}

impl Ledger {
    /// A shard has used these bytes of a connection.
    pub fn input(&mut self, conn: usize, bytes: &[u8], after: After) {
        if self.conns[conn].client.is_none() {
            return;
        }
        if self.scope == Scope::Little {
            if let Ok(Some(f)) = frame(bytes, usize::MAX)
                && let Ok(Packet::Connect(c)) = decode(f, Version::V5)
            {
                self.conns[conn].version = c.version;
            }
            return;
        }
        self.conns[conn].last_seen_ms = self.now.mono_ms;
        let mut at = 0;
        while let Ok(Some(f)) = frame(&bytes[at..], usize::MAX) {
            match decode(f, self.conns[conn].version) {
                Ok(packet) => self.packet(conn, &packet),
                Err(e) => self.fail(|| format!("a good client sent a wrong packet: {e:?}")),
            }
            at += f.len;
        }
        for number in std::mem::take(&mut self.conns[conn].fresh) {
            let a = &mut self.attempts[number];
            if a.fate == Fate::Pending {
                // Nothing refuses QoS 0, except bounds of retained messages.
                let taken = after == After::Open && (self.takes_all || !a.retain);
                a.fate = if taken { Fate::Accepted } else { Fate::Maybe };
            }
        }
    }

    fn packet(&mut self, conn: usize, packet: &Packet<'_>) {
        if let Packet::Connect(c) = packet {
            return self.connect(conn, c);
        }
        if self.conns[conn].deaf || self.conns[conn].goodbye.is_some() {
            return;
        }
        let Some(client) = self.attached(conn) else { return };
        match packet {
            Packet::Publish(p) => self.publish(conn, client, p),
            Packet::PubAck(a) => {
                self.land(conn, a.packet_id.get(), |f| f.qos == QoS::AtLeastOnce);
            }
            Packet::PubRec(a) if a.reason.is_error() => {
                self.land(conn, a.packet_id.get(), |f| f.qos == QoS::ExactlyOnce && !f.released);
            }
            Packet::PubRec(a) => {
                let id = a.packet_id.get();
                self.release(conn, id);
                self.conns[conn].pubrels.push(id);
            }
            Packet::PubRel(a) => {
                let id = a.packet_id.get();
                if let Some(s) = &mut self.sessions[client] {
                    s.received.remove(&id);
                    s.unsure.remove(&id);
                }
                self.conns[conn].pubcomps.push_back(id);
            }
            Packet::PubComp(a) => self.land(conn, a.packet_id.get(), |f| f.released),
            Packet::Subscribe(s) => self.subscribe(conn, client, s),
            Packet::Unsubscribe(u) => self.unsubscribe(conn, client, u),
            Packet::PingReq => self.conns[conn].pings += 1,
            Packet::Disconnect(d) => {
                let normal = d.reason == Reason::NORMAL_DISCONNECTION;
                let goodbye = if normal { Goodbye::Normal } else { Goodbye::WithWill };
                self.conns[conn].goodbye = Some(goodbye);
                let max = self.limits.session_expiry_max_s;
                if let (Some(s), Some(expiry_s)) = (&mut self.sessions[client], d.session_expiry) {
                    s.expiry_s = expiry_s.min(max);
                }
            }
            _ => {}
        }
    }

    fn connect(&mut self, conn: usize, c: &Connect<'_>) {
        let l = &self.limits;
        let v5 = c.version == Version::V5;
        let asked_s = match (v5, c.clean_start) {
            (true, _) => c.session_expiry.unwrap_or(0),
            (false, true) => 0,
            (false, false) => u32::MAX,
        };
        let window = if v5 {
            c.receive_max.unwrap_or(u16::MAX).min(l.inflight_out_max)
        } else {
            l.inflight_out_v311_max
        };
        let keep_alive_s = match l.keep_alive_max_s {
            Some(max) if c.keep_alive == 0 || c.keep_alive > max => max,
            _ => c.keep_alive,
        };
        let nobody = Publisher::Service;
        let will = c.will.map(|w| Will {
            delay_s: w.delay_s.min(l.will_delay_max_s),
            attempt: Attempt {
                content: (w.topic.to_owned(), w.payload.to_vec()),
                qos: w.qos,
                retain: w.retain,
                expiry_s: w.expiry,
                ..Attempt::empty(nobody)
            },
        });
        let opened = Opened {
            clean: c.clean_start,
            expiry_s: asked_s.min(l.session_expiry_max_s),
            keep_alive_s,
            packet_max: c.packet_max.map_or(usize::MAX, |n| n as usize),
            window,
            alias_max: c.topic_alias_max.unwrap_or(0),
            will,
        };
        self.conns[conn].version = c.version;
        self.conns[conn].opened = opened;
    }

    fn publish(&mut self, conn: usize, client: usize, p: &Publish<'_>) {
        let c = &mut self.conns[conn];
        if p.alias > 0 && !p.topic.is_empty() {
            c.aliases_in.insert(p.alias, p.topic.to_owned());
        }
        let topic = match p.topic {
            "" => c.aliases_in.get(&p.alias).cloned().unwrap_or_default(),
            topic => topic.to_owned(),
        };
        let version = c.version;
        let Some(s) = &mut self.sessions[client] else { return };
        let id = p.packet_id.map_or(0, |id| id.get());
        let unsure = p.qos == QoS::ExactlyOnce && s.unsure.contains(&id);
        if p.qos == QoS::ExactlyOnce && s.received.contains(&id) && !unsure {
            return self.conns[conn].pubrecs.push_back((id, None));
        }
        let mut a = Attempt::new(Publisher::Session(client, s.generation), &topic, p);
        if unsure {
            a.fate = Fate::Maybe;
        } else if !s.rights.publish.iter().any(|r| covers(r, &topic)) {
            a.fate = Fate::Refused;
        } else if p.qos == QoS::ExactlyOnce {
            s.received.insert(id);
        }
        let refused = a.fate == Fate::Refused;
        let number = self.enter(a);
        let c = &mut self.conns[conn];
        if refused && version == Version::V311 {
            c.deaf = true;
            return;
        }
        match p.qos {
            QoS::AtMostOnce => c.fresh.push(number),
            QoS::AtLeastOnce => c.pubacks.push_back((id, number)),
            QoS::ExactlyOnce => c.pubrecs.push_back((id, Some(number))),
        }
    }

    fn subscribe(&mut self, conn: usize, client: usize, s: &Subscribe<'_>) {
        let mut granted = Vec::new();
        for (n, r) in s.filters.iter().enumerate() {
            self.at += 1;
            let (at, mono) = (self.at, self.limits.subscriptions_per_session_max);
            let qos = r.options.qos.min(self.limits.maximum_qos);
            let filters_max = self.limits.filters_per_subscribe_max;
            let Some(session) = &mut self.sessions[client] else { return };
            let is_new = !session.subs.iter().any(|sub| sub.filter == r.text);
            let allowed = session.rights.subscribe.iter().any(|right| covers(right, r.text));
            if !allowed || n >= filters_max || (is_new && session.subs.len() >= mono) {
                granted.push(None);
                continue;
            }
            let held = session.subs.iter().find(|sub| sub.filter == r.text).map(|sub| sub.since);
            session.unsubscribe(at, |sub| sub.filter == r.text);
            let id = s.subscription_id.unwrap_or(0);
            let scans = match r.options.retain_handling {
                RetainHandling::Send => true,
                RetainHandling::SendIfNew => is_new,
                RetainHandling::Never => false,
            };
            session.subs.push(Sub {
                filter: r.text.to_owned(),
                qos,
                no_local: r.options.no_local,
                retain_as_published: r.options.retain_as_published,
                id,
                from: at,
                until: u64::MAX,
                // What is on its way still comes to a subscription that replaces one.
                since: if scans { held.unwrap_or(at) } else { 0 },
            });
            granted.push(Some(qos.bits()));
            if scans {
                let filter = r.text.to_owned();
                self.scan(client, Scan { filter, qos, id, at, brought: Default::default() });
            }
        }
        self.conns[conn].subacks.push_back((s.packet_id.get(), granted));
        // One that was replaced may say No Local now.
        self.forgive();
    }

    fn unsubscribe(&mut self, conn: usize, client: usize, u: &Unsubscribe<'_>) {
        self.at += 1;
        let at = self.at;
        let mut was_there = Vec::new();
        for (text, _) in u.filters.iter() {
            let Some(s) = &mut self.sessions[client] else { return };
            was_there.push(s.unsubscribe(at, |sub| sub.filter == text) > 0);
        }
        self.conns[conn].unsubacks.push_back((u.packet_id.get(), was_there));
        self.forgive();
    }

    /// Whether a connection's silence explains that it was closed for it.
    pub fn was_silent(&self, conn: usize) -> bool {
        let c = &self.conns[conn];
        let silent_ms = self.now.mono_ms - c.last_seen_ms;
        let keep_alive_ms = u64::from(c.opened.keep_alive_s) * 1_500;
        c.opened.keep_alive_s > 0 && silent_ms >= keep_alive_ms
    }
}
