//! What a client hears and how it answers.

use super::{Client, Kind, Phase, Server};
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::{AckKind, ConnAck, Packet, Property, Publish, Version, decode, frame};

/// A QoS 2 message that reached the application: topic and payload.
pub(crate) type Handed = (String, Vec<u8>);

impl Client {
    /// Bytes came. Gives QoS 2 messages that reached the application.
    pub fn hear(&mut self, bytes: &[u8], receive_max_v311: u16) -> Vec<Handed> {
        let mut handed = Vec::new();
        self.heard.extend_from_slice(bytes);
        let heard = std::mem::take(&mut self.heard);
        let mut at = 0;
        while let Ok(Some(f)) = frame(&heard[at..], usize::MAX) {
            // What does not decode the ledger has seen already.
            if let Ok(packet) = decode(f, self.version) {
                if let Packet::ConnAck(c) = &packet {
                    self.on_connack(c, receive_max_v311);
                } else if self.kind != Kind::Bad {
                    self.on_packet(&packet, &mut handed);
                }
            }
            at += f.len;
        }
        self.heard = heard[at..].to_vec();
        handed
    }

    fn on_connack(&mut self, c: &ConnAck<'_>, receive_max_v311: u16) {
        if c.reason.is_error() {
            return;
        }
        self.phase = Phase::Open;
        self.forgot = false;
        let mut server = Server { receive_max: u16::MAX, alias_max: 0, qos_max: QoS::ExactlyOnce };
        for property in c.properties.iter() {
            match property {
                Property::ReceiveMax(n) => server.receive_max = n,
                Property::TopicAliasMax(n) => server.alias_max = n,
                Property::MaximumQoS(n) => {
                    server.qos_max = QoS::from_bits(n).unwrap_or_default();
                }
                _ => {}
            }
        }
        if self.version == Version::V311 {
            // It cannot be told, and keeps to what the operator told its user.
            server.receive_max = receive_max_v311;
        }
        self.server = server;
        if c.session_present {
            self.resend();
        } else {
            self.forget();
            self.forgot = false;
        }
    }

    fn on_packet(&mut self, packet: &Packet<'_>, handed: &mut Vec<Handed>) {
        match packet {
            Packet::Publish(p) => self.on_publish(p, handed),
            Packet::PubAck(a) => {
                let id = a.packet_id.get();
                self.sent.retain(|s| s.id != id);
            }
            Packet::PubRec(a) => {
                let id = a.packet_id.get();
                let Some(at) = self.sent.iter().position(|s| s.id == id) else {
                    return self.answer(AckKind::PubRel, id, Reason::PACKET_IDENTIFIER_NOT_FOUND);
                };
                if a.reason.is_error() {
                    self.sent.remove(at);
                } else {
                    self.sent[at].released = true;
                    self.answer(AckKind::PubRel, id, Reason::SUCCESS);
                }
            }
            Packet::PubRel(a) => {
                let id = a.packet_id.get();
                let known = self.received.remove(&id);
                let reason =
                    if known { Reason::SUCCESS } else { Reason::PACKET_IDENTIFIER_NOT_FOUND };
                self.answer(AckKind::PubComp, id, reason);
            }
            Packet::PubComp(a) => {
                let id = a.packet_id.get();
                self.sent.retain(|s| s.id != id);
            }
            Packet::SubAck(s) => {
                self.asked.remove(&s.packet_id.get());
            }
            Packet::UnsubAck(u) => {
                self.asked.remove(&u.packet_id.get());
            }
            Packet::Auth(_) => self.renewing = false,
            _ => {}
        }
    }

    fn on_publish(&mut self, p: &Publish<'_>, handed: &mut Vec<Handed>) {
        if p.alias > 0 && !p.topic.is_empty() {
            self.aliases_in.insert(p.alias, p.topic.to_owned());
        }
        let Some(id) = p.packet_id.map(|id| id.get()) else { return };
        if p.qos == QoS::AtLeastOnce {
            return self.answer(AckKind::PubAck, id, Reason::SUCCESS);
        }
        if self.received.insert(id) && !p.retain {
            let topic = match p.topic {
                "" => self.aliases_in.get(&p.alias).cloned().unwrap_or_default(),
                topic => topic.to_owned(),
            };
            handed.push((topic, p.payload.to_vec()));
        }
        self.answer(AckKind::PubRec, id, Reason::SUCCESS);
    }
}
