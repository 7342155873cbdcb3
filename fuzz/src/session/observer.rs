//! What a strict client watches: the legal order of packets and the bounds it has announced.
//! Refuses to know how the server decides.

use std::collections::{BTreeMap, BTreeSet};

use mqtt::qos::QoS;
use mqtt::wire::{
    Ack, Connect, Frame, Packet, ProtocolName, Publish, Version, decode, frame, frame_v31,
};

/// One connection as its client sees it.
#[derive(Default)]
pub struct Observer {
    /// Bytes that are no whole packet yet.
    received: Vec<u8>,
    stage: Stage,
    told: Told,
    /// QoS > 0 that the server sent here and that is not finished.
    open: BTreeMap<u16, Open>,
    /// Answered before it was read: the server may have finished it already.
    early: BTreeSet<u16>,
    /// Aliases that the server has set.
    aliases: BTreeMap<u16, String>,
    /// What the server has taken and must answer: identifier, and how many filters.
    subscribes: Vec<(u16, usize)>,
    unsubscribes: Vec<(u16, usize)>,
    /// Identifiers of publishes and releases that may be answered.
    published: BTreeSet<(u8, u16)>,
    pings: usize,
}

/// How far the connection is.
#[derive(Default, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No CONNACK yet.
    #[default]
    Opening,
    /// CONNACK with success came.
    Open,
    /// Refused, or DISCONNECT came: nothing more may come.
    Over,
}

/// What the client announced in CONNECT.
struct Told {
    receive_max: usize,
    packet_max: usize,
    alias_max: u16,
    problem_information: bool,
    is_31: bool,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            receive_max: usize::from(u16::MAX),
            packet_max: usize::MAX,
            alias_max: 0,
            problem_information: true,
            is_31: false,
        }
    }
}

/// A QoS > 0 publish under way to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// QoS 1: PUBACK is due.
    Acknowledge,
    /// QoS 2: PUBREC is due.
    Receive,
    /// QoS 2: PUBREL is awaited, or PUBCOMP due.
    Complete,
}

impl Observer {
    /// What is under way, for a client that answers properly.
    pub fn open(&self) -> impl Iterator<Item = (u16, Open)> {
        self.open.iter().map(|(id, open)| (*id, *open))
    }

    /// Whether the connection was accepted and not ended.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// The server took these bytes, whole packets and perhaps something wrong behind them.
    pub fn taken(&mut self, mut bytes: &[u8], version: Version) {
        while let Some(f) = self.said(bytes) {
            bytes = &bytes[f.len..];
            let Ok(packet) = decode(f, version) else { return };
            self.took(&packet);
        }
    }

    /// The next packet of the client: MQTT 3.1 overlooks a flag.
    fn said<'b>(&self, bytes: &'b [u8]) -> Option<Frame<'b>> {
        let found = frame(bytes, usize::MAX);
        let found = if self.told.is_31 { found.or(frame_v31(bytes, usize::MAX)) } else { found };
        found.ok().flatten()
    }

    fn took(&mut self, packet: &Packet<'_>) {
        match packet {
            Packet::Connect(c) => self.connects(c),
            Packet::Publish(Publish { packet_id: Some(id), qos, .. }) => {
                self.published.insert((qos.bits(), id.get()));
            }
            Packet::PubRel(a) => {
                self.published.insert((RELEASED, a.packet_id.get()));
            }
            Packet::PubAck(a) => self.answered(a, Open::Acknowledge, None),
            Packet::PubRec(a) if a.reason.is_error() => self.answered(a, Open::Receive, None),
            Packet::PubRec(a) => self.answered(a, Open::Receive, Some(Open::Complete)),
            Packet::PubComp(a) => self.answered(a, Open::Complete, None),
            Packet::Subscribe(s) => self.subscribes.push((s.packet_id.get(), s.filters.count())),
            Packet::Unsubscribe(u) => {
                self.unsubscribes.push((u.packet_id.get(), u.filters.count()));
            }
            Packet::PingReq => self.pings += 1,
            _ => {}
        }
    }

    fn connects(&mut self, c: &Connect<'_>) {
        self.told = Told {
            receive_max: c.receive_max.map_or(usize::from(u16::MAX), usize::from),
            packet_max: c.packet_max.map_or(usize::MAX, |max| max as usize),
            alias_max: c.topic_alias_max.unwrap_or(0),
            problem_information: c.request_problem_information,
            is_31: c.name == ProtocolName::MqIsdp,
        };
    }

    fn answered(&mut self, a: &Ack<'_>, at: Open, next: Option<Open>) {
        let id = a.packet_id.get();
        if self.open.get(&id) == Some(&at) {
            match next {
                Some(next) => self.open.insert(id, next),
                None => self.open.remove(&id),
            };
        } else {
            self.early.insert(id);
        }
    }

    /// Everything that the server had to say was read: what was answered before is decided.
    pub fn caught_up(&mut self) {
        self.early.clear();
    }

    /// Bytes came from the server.
    pub fn receives(&mut self, bytes: &[u8], version: Version) {
        self.received.extend_from_slice(bytes);
        let received = std::mem::take(&mut self.received);
        let mut rest = &received[..];
        while let Some(f) = frame(rest, usize::MAX).expect("the server sends packets") {
            let packet = decode(f, version)
                .unwrap_or_else(|wrong| panic!("{wrong}: {:02X?}", &rest[..f.len]));
            assert!(f.len <= self.told.packet_max, "Maximum Packet Size (3.1.2-24): {packet:?}");
            self.hears(&packet, version);
            rest = &rest[f.len..];
        }
        self.received = rest.to_vec();
    }

    /// The server has closed the connection: no half packet is left behind.
    pub fn closed(&self) {
        assert!(self.received.is_empty(), "half a packet: {:02X?}", self.received);
    }

    fn hears(&mut self, packet: &Packet<'_>, version: Version) {
        match (self.stage, packet) {
            (Stage::Over, _) => panic!("{} behind the last packet", packet.name()),
            (Stage::Opening, Packet::ConnAck(c)) => {
                self.stage = if c.reason.is_error() { Stage::Over } else { Stage::Open };
                return;
            }
            (Stage::Opening, _) => panic!("{} before CONNACK (3.2.0-1)", packet.name()),
            (Stage::Open, _) => {}
        }
        match packet {
            Packet::Publish(p) => self.publish(p, version),
            Packet::PubAck(a) => self.answers(1, a),
            Packet::PubRec(a) => self.answers(2, a),
            Packet::PubComp(a) => self.answers(RELEASED, a),
            Packet::PubRel(a) => self.diagnosed(a),
            Packet::SubAck(s) => {
                let asked = take(&mut self.subscribes, s.packet_id.get());
                assert_eq!(asked, Some(s.reasons.len()), "SUBACK as asked (3.8.4-6)");
            }
            Packet::UnsubAck(u) => {
                let asked = take(&mut self.unsubscribes, u.packet_id.get()).expect("it was asked");
                let said = if version == Version::V5 { asked } else { 0 };
                assert_eq!(said, u.reasons.len(), "a reason for each filter (3.11.3-1)");
            }
            Packet::PingResp => {
                self.pings = self.pings.checked_sub(1).expect("PINGRESP answers PINGREQ");
            }
            Packet::Disconnect(_) if version == Version::V5 => self.stage = Stage::Over,
            Packet::Auth(_) if version == Version::V5 => {}
            _ => panic!("{} is not for a client of {version:?}", packet.name()),
        }
    }

    fn publish(&mut self, p: &Publish<'_>, version: Version) {
        if p.alias != 0 {
            assert!(p.alias <= self.told.alias_max, "Topic Alias Maximum (3.1.2-26)");
            if p.topic.is_empty() {
                assert!(self.aliases.contains_key(&p.alias), "an alias nobody has set");
            } else {
                self.aliases.insert(p.alias, p.topic.to_owned());
            }
        }
        let Some(id) = p.packet_id.map(|id| id.get()) else { return };
        if self.early.remove(&id) {
            return;
        }
        let open = if p.qos == QoS::AtLeastOnce { Open::Acknowledge } else { Open::Receive };
        let before = self.open.insert(id, open);
        assert_eq!(before, None, "identifier {id} is in use (2.2.1-4)");
        if version == Version::V5 {
            let under_way = self.open.len();
            assert!(under_way <= self.told.receive_max, "Receive Maximum (3.3.4-9)");
        }
    }

    /// An answer to something that was sent, and not yet answered that often.
    fn answers(&mut self, to: u8, a: &Ack<'_>) {
        assert!(self.published.contains(&(to, a.packet_id.get())), "{a:?} answers nothing");
        self.diagnosed(a);
    }

    /// Without Request Problem Information no reason string stands in an acknowledgement
    /// (3.1.2-29).
    fn diagnosed(&self, a: &Ack<'_>) {
        assert!(self.told.problem_information || a.properties.is_empty(), "{a:?}");
    }
}

fn take(asked: &mut Vec<(u16, usize)>, id: u16) -> Option<usize> {
    let at = asked.iter().position(|(known, _)| *known == id)?;
    Some(asked.remove(at).1)
}

/// Stands for PUBREL among the levels of QoS.
const RELEASED: u8 = 3;
