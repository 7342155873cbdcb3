//! What a client hears and how it answers.

use super::{Client, Kind, Phase, Server};
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::{AckKind, ConnAck, Packet, Property, Publish, Version, decode, frame};

/// What a client learns from a packet.
pub(crate) enum Heard {
    /// CONNACK lets it in.
    Welcomed { present: bool },
    /// PUBLISH.
    Message {
        content: Content,
        qos: QoS,
        retain: bool,
        /// At QoS 2: it is not one that came before.
        is_new: bool,
    },
    /// PUBACK or PUBREC of the message with this number.
    Answered { number: u64, taken: bool },
    /// SUBACK: filter and No Local of those that it has above QoS 0 now.
    Granted { ask: u64, filters: Vec<(String, bool)> },
}

/// Topic and payload.
pub(crate) type Content = (String, Vec<u8>);

impl Client {
    /// Bytes came. Gives what they say, in order.
    pub fn hear(&mut self, bytes: &[u8], receive_max_v311: u16) -> Vec<Heard> {
        let mut told = Vec::new();
        self.heard.extend_from_slice(bytes);
        let heard = std::mem::take(&mut self.heard);
        let mut at = 0;
        while let Ok(Some(f)) = frame(&heard[at..], usize::MAX) {
            // What does not decode the ledger has seen already.
            if let Ok(packet) = decode(f, self.version) {
                if let Packet::ConnAck(c) = &packet {
                    self.on_connack(c, receive_max_v311, &mut told);
                } else if self.kind != Kind::Bad {
                    self.on_packet(&packet, &mut told);
                }
            }
            at += f.len;
        }
        self.heard = heard[at..].to_vec();
        told
    }

    fn on_connack(&mut self, c: &ConnAck<'_>, receive_max_v311: u16, told: &mut Vec<Heard>) {
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
        told.push(Heard::Welcomed { present: c.session_present });
        if c.session_present {
            self.resend();
        } else {
            self.forget();
            self.forgot = false;
        }
    }

    fn on_packet(&mut self, packet: &Packet<'_>, told: &mut Vec<Heard>) {
        match packet {
            Packet::Publish(p) => self.on_publish(p, told),
            Packet::PubAck(a) => {
                let id = a.packet_id.get();
                if let Some(at) = self.sent.iter().position(|s| s.id == id) {
                    let (number, taken) =
                        (self.sent.remove(at).message.number, !a.reason.is_error());
                    told.push(Heard::Answered { number, taken });
                }
            }
            Packet::PubRec(a) => {
                let id = a.packet_id.get();
                let Some(at) = self.sent.iter().position(|s| s.id == id) else {
                    return self.answer(AckKind::PubRel, id, Reason::PACKET_IDENTIFIER_NOT_FOUND);
                };
                let (number, taken) = (self.sent[at].message.number, !a.reason.is_error());
                told.push(Heard::Answered { number, taken });
                if !taken {
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
                let Some(asked) = self.asked.remove(&s.packet_id.get()) else { return };
                let all = asked.filters.into_iter().zip(s.reasons.iter());
                let held = all.filter(|(_, code)| (1..0x80).contains(*code));
                let filters = held.map(|((filter, _, no_local), _)| (filter, no_local)).collect();
                told.push(Heard::Granted { ask: asked.number, filters });
            }
            Packet::UnsubAck(u) => {
                self.asked.remove(&u.packet_id.get());
            }
            Packet::Auth(_) => self.renewing = false,
            _ => {}
        }
    }

    fn on_publish(&mut self, p: &Publish<'_>, told: &mut Vec<Heard>) {
        if p.alias > 0 && !p.topic.is_empty() {
            self.aliases_in.insert(p.alias, p.topic.to_owned());
        }
        let topic = match p.topic {
            "" => self.aliases_in.get(&p.alias).cloned().unwrap_or_default(),
            topic => topic.to_owned(),
        };
        let (content, qos, retain) = ((topic, p.payload.to_vec()), p.qos, p.retain);
        let id = p.packet_id.map_or(0, |id| id.get());
        let is_new = qos == QoS::ExactlyOnce && self.received.insert(id);
        told.push(Heard::Message { content, qos, retain, is_new });
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => self.answer(AckKind::PubAck, id, Reason::SUCCESS),
            QoS::ExactlyOnce => self.answer(AckKind::PubRec, id, Reason::SUCCESS),
        }
    }
}
