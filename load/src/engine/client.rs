//! One MQTT client without its socket: what it wants, what is under way, what it has received.
//! Turns packets into events and answers. Refuses to know sockets, time and what should arrive.

use super::event::{Correlation, Event, Message};
use super::stream::Transport;
use crate::hub::plane;
use crate::mark::Mark;
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::connect::Connect;
use mqtt::wire::encoder::{PublishOut, ack};
use mqtt::wire::property::{Properties, Property};
use mqtt::wire::subscribe::{Filters, Subscribe, SubscribeOptions};
use mqtt::wire::unsubscribe::{FilterList, Unsubscribe};
use mqtt::wire::{Ack, AckKind, ConnAck, DisconnectOut, PINGREQ, Packet, Publish, Version, Will};
use std::collections::{HashSet, VecDeque};

/// How a client connects.
#[derive(Clone, Debug)]
pub struct Plan {
    /// 3.1.1 or 5.
    pub version: Version,
    /// What carries it.
    pub transport: Transport,
    /// Client identifier.
    pub client_id: String,
    /// Whether a connect begins a new session.
    pub clean_start: bool,
    /// Session expiry in seconds (5); in 3.1.1 anything above 0 is clean session 0.
    pub expiry_s: u32,
    /// A message for when the connection is lost: topic and its mark.
    pub will: Option<(String, Mark)>,
    /// Seconds; pings are the owner's.
    pub keep_alive_s: u16,
    /// What it shows.
    pub credential: Credential,
    /// Receive Maximum (5); `None` = not said.
    pub receive_max: Option<u16>,
}

/// Who a client says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// The token over TLS, nothing on the plain port.
    ByTransport,
    /// The token, whatever carries it: one principal on all transports.
    Token,
    /// A device of the hub, by its own key (5).
    Device,
}

/// A message to publish.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Topic name.
    pub topic: &'a str,
    /// The level.
    pub qos: QoS,
    /// Whether it is to be retained.
    pub retain: bool,
    /// The payload.
    pub payload: &'a [u8],
}

/// A client's state beside its connection.
pub struct Client {
    /// How it connects.
    pub plan: Plan,
    window: usize,
    last_id: u16,
    flights: VecDeque<Flight>,
    unreleased: HashSet<u16>,
}

/// A publish of ours that is not through.
struct Flight {
    id: PacketId,
    stage: Stage,
}

enum Stage {
    /// PUBLISH sent. What to send again, if the session outlives the connection.
    Published(QoS, Option<Box<Kept>>),
    /// PUBREL sent.
    Released,
    /// PUBREL sent again: the server may have forgotten the exchange, which is no error during
    /// recovery (MQTT 5, 3.7.2.1).
    ReleasedAgain,
}

struct Kept {
    topic: String,
    retain: bool,
    payload: Vec<u8>,
}

impl Plan {
    /// A clean session over TCP, no keep-alive.
    pub fn new(version: Version, client_id: impl Into<String>) -> Self {
        Self {
            version,
            transport: Transport::Tcp,
            client_id: client_id.into(),
            clean_start: true,
            expiry_s: 0,
            will: None,
            keep_alive_s: 0,
            credential: Credential::ByTransport,
            receive_max: None,
        }
    }

    /// A session that outlives its connection.
    pub fn lasting(self, expiry_s: u32) -> Self {
        Self { clean_start: false, expiry_s, ..self }
    }

    /// Over another transport.
    pub fn over(self, transport: Transport) -> Self {
        Self { transport, ..self }
    }
}

impl Client {
    /// Nothing under way.
    pub fn new(plan: Plan) -> Self {
        let (flights, unreleased) = (VecDeque::new(), HashSet::new());
        Self { plan, window: WINDOW_V311, last_id: 0, flights, unreleased }
    }

    /// Appends CONNECT.
    pub fn connect(&self, token: &str, out: &mut Vec<u8>) {
        if self.plan.credential == Credential::Device {
            let expiry_s = Some(self.plan.expiry_s).filter(|s| *s > 0);
            return plane::connect(&self.plan.client_id, expiry_s, out);
        }
        let mut connect = Connect::new(self.plan.version, &self.plan.client_id);
        connect.keep_alive = self.plan.keep_alive_s;
        connect.clean_start = match self.plan.version {
            Version::V311 => self.plan.expiry_s == 0,
            Version::V5 => self.plan.clean_start,
        };
        if self.plan.version == Version::V5 && self.plan.expiry_s > 0 {
            connect.session_expiry = Some(self.plan.expiry_s);
        }
        connect.receive_max = self.plan.receive_max.filter(|_| self.plan.version == Version::V5);
        let plain = self.plan.transport == Transport::Tcp;
        if !plain || self.plan.credential == Credential::Token {
            connect.user_name = Some("load");
            connect.password = Some(token.as_bytes());
        }
        let mut payload = Vec::new();
        if let Some((topic, mark)) = &self.plan.will {
            mark.write(Mark::BYTES, &mut payload);
            connect.will = Some(Will {
                qos: QoS::AtLeastOnce,
                retain: false,
                topic,
                payload: &payload,
                delay_s: 0,
                expiry: None,
                properties: Properties::EMPTY,
            });
        }
        connect.encode(out).expect("identifiers, topics and tokens of ours are short");
    }

    /// Publishes of ours that are not through.
    pub fn under_way(&self) -> usize {
        self.flights.len()
    }

    /// The packet identifier that was used last.
    pub fn last_id(&self) -> Option<PacketId> {
        PacketId::new(self.last_id)
    }

    /// Publishes at QoS 2 that the server has taken: PUBREC has come, PUBCOMP has not.
    pub fn taken(&self) -> impl Iterator<Item = PacketId> {
        let released = |f: &&Flight| matches!(f.stage, Stage::Released | Stage::ReleasedAgain);
        self.flights.iter().filter(released).map(|f| f.id)
    }

    /// How many more QoS > 0 publishes the server takes now.
    pub fn room(&self) -> usize {
        self.window.saturating_sub(self.flights.len())
    }

    /// Appends a PUBLISH. The caller has asked [`Client::room`].
    pub fn publish(&mut self, m: Outgoing<'_>, out: &mut Vec<u8>) {
        let mut id = 0;
        if m.qos > QoS::AtMostOnce {
            let next = self.next_id();
            id = next.get();
            let kept = (self.plan.expiry_s > 0).then(|| {
                let (topic, payload) = (m.topic.to_owned(), m.payload.to_vec());
                Box::new(Kept { topic, retain: m.retain, payload })
            });
            self.flights.push_back(Flight { id: next, stage: Stage::Published(m.qos, kept) });
        }
        encode(self.plan.version, false, id, m, out);
    }

    /// Appends a SUBSCRIBE for one filter.
    pub fn subscribe(&mut self, filter: &str, qos: QoS, out: &mut Vec<u8>) {
        let (version, mut raw) = (self.plan.version, Vec::new());
        let options = SubscribeOptions { qos, ..SubscribeOptions::default() };
        Filters::push(&mut raw, filter, options, version).expect("filters of ours are short");
        let filters = Filters::parse(&raw, version).expect("made by push");
        let packet_id = self.next_id();
        let properties = Properties::EMPTY;
        let packet = Subscribe { packet_id, subscription_id: None, properties, filters };
        packet.encode(version, out).expect("one short filter");
    }

    /// Appends an UNSUBSCRIBE for one filter.
    pub fn unsubscribe(&mut self, filter: &str, out: &mut Vec<u8>) {
        let (version, mut raw) = (self.plan.version, Vec::new());
        FilterList::push(&mut raw, filter).expect("filters of ours are short");
        let filters = FilterList::parse(&raw, version).expect("made by push");
        let packet =
            Unsubscribe { packet_id: self.next_id(), properties: Properties::EMPTY, filters };
        packet.encode(version, out).expect("one short filter");
    }

    /// Appends a PINGREQ.
    pub fn ping(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&PINGREQ);
    }

    /// Appends a normal DISCONNECT.
    pub fn leave(&self, out: &mut Vec<u8>) {
        let goodbye = DisconnectOut::new(Reason::NORMAL_DISCONNECTION);
        goodbye.encode(self.plan.version, usize::MAX, out).expect("two bytes");
    }

    /// Takes one packet of the server: an answer goes to `out`. `Err` for what a server must not
    /// send.
    pub fn take(
        &mut self,
        p: &Packet<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Option<Event>, &'static str> {
        Ok(match p {
            Packet::ConnAck(ack) => Some(self.connected(ack, out)),
            Packet::Publish(publish) => self.received(publish, out),
            Packet::PubAck(a) => Some(self.finished(a, "PUBACK without PUBLISH")?),
            Packet::PubComp(a) => Some(self.finished(a, "PUBCOMP without PUBREL")?),
            Packet::PubRec(a) => self.released(a, out)?,
            Packet::PubRel(a) => {
                self.unreleased.remove(&a.packet_id.get());
                ack(out, self.plan.version, AckKind::PubComp, a.packet_id, Reason::SUCCESS);
                None
            }
            Packet::SubAck(a) => {
                let first = a.reasons.first().copied().unwrap_or(0x80);
                Some(Event::Subscribed(
                    Reason::from_code(first).unwrap_or(Reason::UNSPECIFIED_ERROR),
                ))
            }
            Packet::UnsubAck(_) => Some(Event::Unsubscribed),
            Packet::PingResp => Some(Event::Pong),
            Packet::Disconnect(d) => Some(Event::Told(d.reason)),
            _ => return Err("a packet that only clients send"),
        })
    }

    fn connected(&mut self, a: &ConnAck<'_>, out: &mut Vec<u8>) -> Event {
        if a.reason != Reason::SUCCESS {
            return Event::Refused(a.reason);
        }
        self.window = match self.plan.version {
            Version::V311 => WINDOW_V311,
            Version::V5 => a
                .properties
                .iter()
                .find_map(|p| match p {
                    Property::ReceiveMax(max) => Some(usize::from(max)),
                    _ => None,
                })
                .unwrap_or(65_535),
        };
        if a.session_present {
            self.send_again(out);
        } else {
            self.flights.clear();
            self.unreleased.clear();
        }
        Event::Up { session_present: a.session_present }
    }

    /// What the server has not answered, in its order (MQTT 5, 4.4).
    fn send_again(&mut self, out: &mut Vec<u8>) {
        let version = self.plan.version;
        for flight in &mut self.flights {
            match &flight.stage {
                Stage::Released | Stage::ReleasedAgain => {
                    flight.stage = Stage::ReleasedAgain;
                    ack(out, version, AckKind::PubRel, flight.id, Reason::SUCCESS);
                }
                Stage::Published(_, None) => {}
                Stage::Published(qos, Some(kept)) => {
                    let (topic, payload) = (&*kept.topic, &*kept.payload);
                    let m = Outgoing { topic, qos: *qos, retain: kept.retain, payload };
                    encode(version, true, flight.id.get(), m, out);
                }
            }
        }
    }

    fn received(&mut self, p: &Publish<'_>, out: &mut Vec<u8>) -> Option<Event> {
        let mut first = true;
        if let Some(id) = p.packet_id {
            let kind = if p.qos == QoS::ExactlyOnce {
                first = self.unreleased.insert(id.get());
                AckKind::PubRec
            } else {
                AckKind::PubAck
            };
            ack(out, self.plan.version, kind, id, Reason::SUCCESS);
        }
        let correlation = p.properties.correlation_data().and_then(Correlation::new);
        let message = Message {
            mark: Mark::read(p.payload),
            qos: p.qos,
            dup: p.dup,
            retain: p.retain,
            correlation,
            refused: correlation.is_some() && p.properties.user().any(|(name, _)| name == "status"),
        };
        first.then_some(Event::Message(message))
    }

    fn finished(&mut self, a: &Ack<'_>, wrong: &'static str) -> Result<Event, &'static str> {
        let at = self.find(a.packet_id).ok_or(wrong)?;
        let again =
            self.flights.remove(at).is_some_and(|f| matches!(f.stage, Stage::ReleasedAgain));
        let forgotten = again && a.reason == Reason::PACKET_IDENTIFIER_NOT_FOUND;
        Ok(Event::Done(a.packet_id, if forgotten { Reason::SUCCESS } else { a.reason }))
    }

    fn released(&mut self, a: &Ack<'_>, out: &mut Vec<u8>) -> Result<Option<Event>, &'static str> {
        let at = self.find(a.packet_id).ok_or("PUBREC without PUBLISH")?;
        if a.reason.is_error() {
            self.flights.remove(at);
            return Ok(Some(Event::Done(a.packet_id, a.reason)));
        }
        self.flights[at].stage = Stage::Released;
        ack(out, self.plan.version, AckKind::PubRel, a.packet_id, Reason::SUCCESS);
        Ok(None)
    }

    fn find(&self, id: PacketId) -> Option<usize> {
        self.flights.iter().position(|flight| flight.id == id)
    }

    /// The next identifier that no exchange of ours holds.
    fn next_id(&mut self) -> PacketId {
        loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let id = PacketId::new(self.last_id).expect("counted from 1 and wrapped to 1");
            if self.find(id).is_none() {
                return id;
            }
        }
    }
}

fn encode(version: Version, dup: bool, packet_id: u16, m: Outgoing<'_>, out: &mut Vec<u8>) {
    let packet = PublishOut {
        version,
        dup,
        qos: m.qos,
        retain: m.retain,
        topic: m.topic,
        packet_id,
        alias: 0,
        send_topic: true,
        subscription_ids: &[],
        properties: &[],
        expiry: None,
        payload: m.payload,
    };
    packet.encode(out);
}

/// 3.1.1 has no Receive Maximum: what a careful client keeps under way.
const WINDOW_V311: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use mqtt::wire::{ConnAckOut, decode, frame};

    fn take(client: &mut Client, bytes: &[u8], out: &mut Vec<u8>) -> Option<Event> {
        let frame = frame(bytes, usize::MAX).unwrap().unwrap();
        client.take(&decode(frame, client.plan.version).unwrap(), out).unwrap()
    }

    fn id(raw: u16) -> PacketId {
        PacketId::new(raw).unwrap()
    }

    fn up(client: &mut Client, session_present: bool, out: &mut Vec<u8>) {
        let mut bytes = Vec::new();
        let ack = ConnAckOut { session_present, ..ConnAckOut::new(Reason::SUCCESS) };
        ack.encode(client.plan.version, usize::MAX, &mut bytes).unwrap();
        assert_eq!(take(client, &bytes, out), Some(Event::Up { session_present }));
    }

    #[test]
    fn sends_again_what_was_not_answered_and_nothing_else() {
        let mut client = Client::new(Plan::new(Version::V5, "a").lasting(60));
        let mut out = Vec::new();
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::ExactlyOnce] {
            client.publish(Outgoing { topic: "t", qos, retain: false, payload: b"p" }, &mut out);
        }
        out.clear();
        assert_eq!(take(&mut client, &[0x50, 2, 0, 3], &mut out), None);
        assert_eq!(out, [0x62, 2, 0, 3]);
        out.clear();
        up(&mut client, true, &mut out);
        assert_eq!(out[0] & 0x0F, 0x0A, "DUP and QoS 1");
        assert_eq!(out.len(), 2 * 9 + 4);
        assert_eq!(
            take(&mut client, &[0x40, 2, 0, 1], &mut out),
            Some(Event::Done(id(1), Reason::SUCCESS))
        );
        assert_eq!(client.under_way(), 2);
        let forgotten = take(&mut client, &[0x70, 3, 0, 3, 0x92], &mut out);
        assert_eq!(forgotten, Some(Event::Done(id(3), Reason::SUCCESS)), "in recovery only");
        out.clear();
        up(&mut client, false, &mut out);
        assert_eq!((client.under_way(), out.len()), (0, 0));
    }

    #[test]
    fn a_repeated_qos_2_publish_is_one_message() {
        let mut client = Client::new(Plan::new(Version::V311, "a"));
        let mut out = Vec::new();
        let publish = [0x34, 6, 0, 1, b't', 0, 9, b'p'];
        assert!(take(&mut client, &publish, &mut out).is_some());
        assert!(take(&mut client, &publish, &mut out).is_none());
        assert_eq!(out, [0x50, 2, 0, 9, 0x50, 2, 0, 9]);
        take(&mut client, &[0x62, 2, 0, 9], &mut out);
        assert!(take(&mut client, &publish, &mut out).is_some());
    }
}
