//! What shards say: every answer is due, in its order, with the code that the account explains.

use super::attempt::Fate;
use super::delivery::Delivered;
use super::{Ledger, Scope};
use broker::limits::QueueFull;
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::{Ack, ConnAck, Packet, Publish, SubAck, UnsubAck, Version, decode, frame};

impl Ledger {
    /// A shard has put these bytes into a connection's output: whole packets.
    pub fn output(&mut self, conn: usize, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            let Ok(Some(f)) = frame(&bytes[at..], usize::MAX) else {
                return self.fail(|| format!("no packet: {:02x?}", &bytes[at..]));
            };
            at += f.len;
            if self.conns[conn].client.is_none() || self.scope == Scope::Little {
                // Nobody knows which version a broken CONNECT claimed.
                self.sent[usize::from(f.first >> 1 & 3) % 3] += u64::from(f.first >> 4 == PUBLISH);
                continue;
            }
            let packet_max = self.conns[conn].opened.packet_max;
            let version = self.conns[conn].version;
            match decode(f, version) {
                Ok(packet) => {
                    let name = packet.name();
                    let what = || format!("{name} of {} bytes, {packet_max} may be", f.len);
                    self.check(f.len <= packet_max, what);
                    self.said(conn, &packet, f.len);
                }
                Err(e) => self.fail(|| format!("{e:?}: {:02x?}", f.body)),
            }
        }
    }

    fn said(&mut self, conn: usize, packet: &Packet<'_>, len: usize) {
        if let Packet::Publish(p) = packet {
            self.sent[usize::from(p.qos.bits())] += 1;
        }
        match packet {
            Packet::ConnAck(c) => self.connack(conn, c),
            Packet::Publish(p) => self.delivered(conn, p, len),
            Packet::PubAck(a) => self.puback(conn, a),
            Packet::PubRec(a) => self.pubrec(conn, a),
            Packet::PubRel(a) => self.pubrel(conn, a),
            Packet::PubComp(a) => {
                let due = self.conns[conn].pubcomps.pop_front();
                let what = || format!("PUBCOMP {}, due is {due:?}", a.packet_id.get());
                self.check(due == Some(a.packet_id.get()), what);
            }
            Packet::SubAck(s) => self.suback(conn, s),
            Packet::UnsubAck(u) => self.unsuback(conn, u),
            Packet::PingResp => {
                let due = self.conns[conn].pings > 0;
                self.conns[conn].pings -= usize::from(due);
                self.check(due, || "PINGRESP without PINGREQ".to_owned());
            }
            Packet::Disconnect(d) => self.farewell(conn, d.reason),
            Packet::Auth(_) => {
                let due = self.conns[conn].renewals > 0;
                self.conns[conn].renewals -= usize::from(due);
                self.check(due, || "AUTH that nobody asked for".to_owned());
            }
            other => self.fail(|| format!("a server does not send {}", other.name())),
        }
    }

    fn connack(&mut self, conn: usize, c: &ConnAck<'_>) {
        if !c.reason.is_error() {
            let due = self.conns[conn].connack.take();
            let what = || format!("session present = {}, due is {due:?}", c.session_present);
            return self.check(due == Some(c.session_present), what);
        }
        let allowed = [
            Reason::NOT_AUTHORIZED,
            Reason::QUOTA_EXCEEDED,
            Reason::PACKET_TOO_LARGE,
            // What 3.1.1 has for a quota.
            Reason::SERVER_UNAVAILABLE,
        ];
        let what = || format!("a good CONNECT is refused: {:#04x}", c.reason.code());
        self.check(allowed.contains(&c.reason), what);
    }

    fn puback(&mut self, conn: usize, a: &Ack<'_>) {
        let due = self.conns[conn].pubacks.pop_front();
        match due {
            Some((id, number)) if id == a.packet_id.get() => self.answered(conn, number, a),
            _ => self.fail(|| format!("PUBACK {}, due is {due:?}", a.packet_id.get())),
        }
    }

    fn pubrec(&mut self, conn: usize, a: &Ack<'_>) {
        let due = self.conns[conn].pubrecs.pop_front();
        match due {
            Some((id, Some(number))) if id == a.packet_id.get() => {
                if let Some(client) = self.serves(conn)
                    && let Some(s) = &mut self.sessions[client]
                {
                    s.unsure.remove(&id);
                    if a.reason.is_error() {
                        s.received.remove(&id);
                    }
                }
                self.answered(conn, number, a);
            }
            Some((id, None)) if id == a.packet_id.get() && !a.reason.is_error() => {}
            _ => self.fail(|| format!("PUBREC {}, due is {due:?}", a.packet_id.get())),
        }
    }

    fn answered(&mut self, conn: usize, number: usize, a: &Ack<'_>) {
        let denied = self.attempts[number].fate == Fate::Refused;
        if a.reason.is_error() {
            let said = a.reason == Reason::NOT_AUTHORIZED;
            let unsure = self.attempts[number].fate == Fate::Maybe;
            let what = || format!("{:#04x} for a publish, denied: {denied}", a.reason.code());
            self.check(said == denied || unsure, what);
            return self.refuse(number);
        }
        if self.conns[conn].version == Version::V5
            && a.reason == Reason::NO_MATCHING_SUBSCRIBERS
            && self.sessions.iter().flatten().any(|s| s.owed.iter().any(|o| o.attempt == number))
        {
            let shown = self.attempts[number].content_shown();
            self.fail(|| format!("somebody subscribes to what nobody matched: {shown}"));
        }
        self.accept(number);
    }

    fn pubrel(&mut self, conn: usize, a: &Ack<'_>) {
        let due = &mut self.conns[conn].pubrels;
        let place = due.iter().position(|id| *id == a.packet_id.get());
        if let Some(at) = place {
            due.remove(at);
        }
        let what = || format!("PUBREL {} is not due", a.packet_id.get());
        self.check(place.is_some(), what);
        let waits = self.attached(conn).and_then(|client| self.sessions[client].as_ref());
        let id = a.packet_id.get();
        let known = waits.is_none_or(|s| s.flights.iter().any(|f| f.id == id && f.released));
        let said = a.reason == Reason::SUCCESS;
        let v5 = self.conns[conn].version == Version::V5;
        let what = || format!("PUBREL {id} {:#04x}, known: {known}", a.reason.code());
        self.check(!v5 || said == known, what);
    }

    fn suback(&mut self, conn: usize, s: &SubAck<'_>) {
        let due = self.conns[conn].subacks.pop_front();
        let codes: Vec<Option<u8>> = s.reasons.iter().map(|c| (*c < 0x80).then_some(*c)).collect();
        let same = due.as_ref().is_some_and(|(id, d)| *id == s.packet_id.get() && *d == codes);
        let what = || format!("SUBACK {} {:?}, due is {due:?}", s.packet_id.get(), s.reasons);
        self.check(same, what);
    }

    fn unsuback(&mut self, conn: usize, u: &UnsubAck<'_>) {
        let due = self.conns[conn].unsubacks.pop_front();
        let codes: Vec<bool> = u.reasons.iter().map(|c| *c == 0).collect();
        let v5 = self.conns[conn].version == Version::V5;
        let same =
            due.as_ref().is_some_and(|(id, d)| *id == u.packet_id.get() && (!v5 || *d == codes));
        self.check(same, || format!("UNSUBACK {:?}, due is {due:?}", u.reasons));
    }

    /// A correct client is sent away only for what it cannot help.
    fn farewell(&mut self, conn: usize, reason: Reason) {
        let explained = match reason {
            Reason::SESSION_TAKEN_OVER => self.attaching.is_some_and(|by| by != conn),
            Reason::KEEP_ALIVE_TIMEOUT => self.was_silent(conn),
            Reason::QUOTA_EXCEEDED => self.limits.queue_full == QueueFull::EndSession,
            Reason::NOT_AUTHORIZED | Reason::ADMINISTRATIVE_ACTION => true,
            _ => false,
        };
        let why = || format!("a good client is sent away: {:#04x}", reason.code());
        self.check(explained, why);
    }

    fn delivered(&mut self, conn: usize, p: &Publish<'_>, len: usize) {
        let topic = match (p.alias, p.topic) {
            (0, topic) => topic.to_owned(),
            (alias, topic) => {
                let max = self.conns[conn].opened.alias_max;
                self.check(alias <= max, || format!("alias {alias}, {max} may be"));
                let known = &mut self.conns[conn].aliases_out;
                if !topic.is_empty() {
                    known.insert(alias, topic.to_owned());
                }
                known.get(&alias).cloned().unwrap_or_default()
            }
        };
        self.check(!topic.is_empty(), || format!("alias {} was never set", p.alias));
        let dup = p.dup;
        self.check(!dup || p.qos > QoS::AtMostOnce, || "DUP at QoS 0".to_owned());
        let id = p.packet_id.map_or(0, PacketId::get);
        let ids = p.properties.subscription_ids().collect();
        self.delivery(conn, &Delivered { p, id, topic, ids, len });
    }
}

const PUBLISH: u8 = 3;
