//! What clients and the network between do, by chance.

use super::{Parcel, World};
use crate::client::{Content, METHOD};
use crate::client::{Heard, Kind, Outgoing, Phase, wishes};
use crate::ledger::Conn;
use crate::promises::Connecting;
use crate::socket::{ClientEnd, Place, Socket};
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::{Connect, Properties, Property, RetainHandling, SubscribeOptions, Version, Will};

impl World {
    /// A client does something.
    pub(super) fn act(&mut self, at: usize) {
        if self.clients[at].phase == Phase::Idle {
            return self.connect(at);
        }
        let odds = &self.swarm.odds;
        if self.chance.one_in(odds.loss) {
            return self.break_connection(at);
        }
        if self.chance.one_in(odds.stall)
            && let Some(socket) = self.clients[at].socket
        {
            self.sockets[socket].stalled ^= true;
        }
        if self.clients[at].phase == Phase::Connecting || self.clients[at].outgoing.len() > 6 {
            return self.send_some(at);
        }
        let odds = &self.swarm.odds;
        if self.chance.one_in(odds.crash) {
            self.break_connection(at);
            self.promises.forgets(at);
            return self.clients[at].forget();
        }
        if self.chance.one_in(odds.take_over) {
            // The old connection stays half open: the server has to end it.
            self.abandon(at, ClientEnd::Silent);
            return self.connect(at);
        }
        if self.chance.one_in(odds.rights) {
            self.clients[at].rights = self.chance.below(6);
        }
        if self.chance.one_in(odds.renewal) && self.clients[at].method && !self.clients[at].renewing
        {
            self.clients[at].renew();
        }
        match (self.clients[at].kind, self.chance.below(40)) {
            (Kind::Bad, _) => self.say_anything(at),
            (Kind::Crowd, _) if !self.clients[at].subscribed => self.subscribe(at),
            (Kind::Crowd, _) | (_, 0..14) => {}
            (_, 29..36) if !self.clients[at].may_ask() => {}
            (_, 14..29) => self.publish(at),
            (_, 29..34) => self.subscribe(at),
            (_, 34..36) => {
                let filter = self.chance.pick(self.swarm.filters);
                let ask = self.clients[at].unsubscribe(filter);
                self.promises.unsubscribes(at, ask, filter);
            }
            (_, 36) => self.clients[at].ping(),
            (_, 37) if self.chance.one_in(4) => return self.disconnect(at),
            _ => {}
        }
        self.send_some(at);
    }

    /// Some of the packets that wait go to the socket.
    fn send_some(&mut self, at: usize) {
        let Some(socket) = self.clients[at].socket else { return };
        if self.sockets[socket].client_end != ClientEnd::Open {
            return;
        }
        for _ in 0..self.chance.below(4) {
            if self.sockets[socket].to_server.len() > IN_PIPE_MAX {
                return;
            }
            let Some(bytes) = self.clients[at].outgoing.pop_front() else { return };
            self.sockets[socket].to_server.extend(bytes);
        }
    }

    /// A client reads what has arrived, or a piece of it.
    pub(super) fn carry(&mut self, at: usize) {
        let Some(socket) = self.clients[at].socket else { return };
        let s = &mut self.sockets[socket];
        if s.stalled && !self.healed {
            return;
        }
        if s.to_client.is_empty() {
            if s.server_ended {
                s.client_end = ClientEnd::Closed;
                self.clients[at].left();
                self.promises.alone(at);
            }
            return;
        }
        let most = s.to_client.len();
        let count = match self.chance.below(3) {
            0 if !self.healed => 1 + self.chance.below(most),
            _ => most,
        };
        let bytes: Vec<u8> = s.to_client.drain(..count).collect();
        let served = matches!(s.place, Place::At(..));
        for heard in self.clients[at].hear(&bytes, self.swarm.limits.receive_max) {
            if self.keeping.is_log() && self.clients[at].kind != Kind::Bad {
                let judged = self.promises.hears(at, &heard, served);
                let id = &self.clients[at].id;
                if let Err(why) = judged {
                    self.ledger.fail(|| format!("{id}: {why}"));
                }
            }
            if let Heard::Message { content, retain: false, is_new: true, .. } = heard {
                self.hand_over(at, content);
            }
        }
    }

    /// A QoS 2 message reaches the application.
    fn hand_over(&mut self, at: usize, content: Content) {
        let is_one = match self.keeping.is_log() {
            true => self.promises.comes_once(&content),
            false => self.ledger.with_content(&content).len() == 1,
        };
        let again = is_one && self.clients[at].handed.contains(&content);
        let id = &self.clients[at].id;
        self.ledger.check(!again, || format!("{id} got a QoS 2 message twice: {content:?}"));
        self.clients[at].handed.push(content);
    }

    /// The network breaks: what is under way is lost, and the server hears of it or not.
    fn break_connection(&mut self, at: usize) {
        let silent = self.chance.one_in(self.swarm.odds.half_open);
        self.abandon(at, if silent { ClientEnd::Silent } else { ClientEnd::Broken });
    }

    pub(super) fn abandon(&mut self, at: usize, end: ClientEnd) {
        if let Some(socket) = self.clients[at].socket {
            self.sockets[socket].cut(end);
            let (step, id) = (self.step, &self.clients[at].id);
            self.trace.note(&[socket], || format!("{step:>6} {id} #{socket} is {end:?}"));
        }
        self.clients[at].left();
        self.promises.alone(at);
    }

    pub(super) fn disconnect(&mut self, at: usize) {
        let Some(socket) = self.clients[at].socket else { return };
        let reasons = [Reason::NORMAL_DISCONNECTION, Reason::DISCONNECT_WITH_WILL];
        let v5 = self.clients[at].version == Version::V5;
        let reason = if v5 { self.chance.pick(&reasons) } else { reasons[0] };
        let lasts = self.clients[at].lasts;
        let expiry_s = (v5 && lasts && self.chance.one_in(3)).then(|| self.chance.pick(&[0, 30]));
        self.clients[at].disconnect(reason, expiry_s);
        self.promises.leaves(at, expiry_s);
        while let Some(bytes) = self.clients[at].outgoing.pop_front() {
            self.sockets[socket].to_server.extend(bytes);
        }
        self.sockets[socket].client_end = ClientEnd::Closed;
        self.clients[at].left();
    }

    pub(super) fn connect(&mut self, at: usize) {
        let reactor = self.chance.below(self.swarm.reactors);
        let socket = self.sockets.len();
        self.sockets.push(Socket::new(at, reactor));
        let good = self.ledger.client_of(&self.clients[at].id);
        self.ledger.conns.push(Conn::new(good));
        self.inboxes[reactor].push(Parcel::Accept(socket));
        let odds = &self.swarm.odds;
        let c = &mut self.chance;
        let version = if c.one_in(odds.v311) { Version::V311 } else { Version::V5 };
        let v5 = version == Version::V5;
        let id = self.clients[at].id.clone();
        let mut connect = Connect::new(version, &id);
        connect.clean_start = self.clients[at].forgot || (!self.healed && c.one_in(odds.clean));
        let keeps = !self.healed && c.one_in(odds.keep_alive);
        connect.keep_alive = if keeps { c.pick(&[5, 30]) } else { 0 };
        if v5 {
            connect.session_expiry = c.pick(&[None, Some(20), Some(100), Some(u32::MAX)]);
            if self.healed && self.keeping.is_log() && self.clients[at].lasts {
                // What it was promised is to be seen.
                connect.session_expiry = Some(u32::MAX);
            }
            connect.receive_max = c.one_in(odds.small_window).then(|| c.pick(&[1, 2, 5]));
            let small = !self.healed && c.one_in(odds.small_packets);
            connect.packet_max = small.then(|| c.pick(&[60, 100]));
            connect.topic_alias_max = c.one_in(odds.alias).then(|| c.pick(&[1, 3]));
            connect.authentication_method =
                (odds.renewal > 0 && self.clients[at].kind == Kind::Good).then_some(METHOD);
        }
        let topic = c.pick(self.swarm.topics);
        self.messages += 1;
        let payload = format!("w{}", self.messages).into_bytes();
        if self.clients[at].kind == Kind::Good && c.one_in(odds.will) {
            let qos = c.pick(&QOS).min(self.swarm.qos_max);
            connect.will = Some(Will {
                qos,
                retain: c.one_in(odds.retain),
                topic,
                payload: &payload,
                delay_s: if v5 { c.pick(&[0, 10, 40]) } else { 0 },
                expiry: None,
                properties: Properties::EMPTY,
            });
        }
        self.promises.connects(at, &Connecting::of(&connect));
        if let Some(w) = &connect.will {
            let (topic, payload, qos) = (w.topic.to_owned(), w.payload.to_vec(), w.qos);
            let (number, retain, properties) = (self.messages, w.retain, Vec::new());
            let will = Outgoing { number, topic, payload, qos, retain, properties };
            self.promises.may_publish(&will);
        }
        self.clients[at].connect(socket, &connect);
    }

    fn publish(&mut self, at: usize) {
        let topic = self.chance.pick(self.swarm.topics);
        let client = &self.clients[at];
        let qos_max = self.swarm.qos_max.min(client.server.qos_max);
        let mut qos = self.chance.pick(&QOS).min(qos_max);
        if !client.has_quota() {
            qos = QoS::AtMostOnce;
        }
        let v5 = client.version == Version::V5;
        let message = self.message(topic.to_owned(), qos, v5);
        let use_alias = self.chance.one_in(self.swarm.odds.alias);
        self.promises.publishes(at, &message);
        self.clients[at].publish(&message, use_alias);
    }

    /// A message with a payload of its own.
    pub(super) fn message(&mut self, topic: String, qos: QoS, v5: bool) -> Outgoing {
        let (odds, c) = (&self.swarm.odds, &mut self.chance);
        self.messages += 1;
        let retain = c.one_in(odds.retain);
        let mut payload = format!("m{}.", self.messages).into_bytes();
        payload.resize(payload.len() + c.below(self.swarm.payload_bytes + 1), b'x');
        if retain && c.one_in(odds.clear) {
            payload.clear();
        }
        let mut properties = Vec::new();
        if v5 && c.one_in(odds.expiry) {
            let seconds = Property::MessageExpiry(c.pick(&[0, 5, 60]));
            seconds.encode(&mut properties).expect("a number fits");
        }
        if v5 && c.one_in(4) {
            let kind = Property::ContentType(c.pick(&["text", "json"]));
            kind.encode(&mut properties).expect("a word fits");
        }
        Outgoing { number: self.messages, topic, payload, qos, retain, properties }
    }

    fn subscribe(&mut self, at: usize) {
        let (odds, c) = (&self.swarm.odds, &mut self.chance);
        let v5 = self.clients[at].version == Version::V5;
        let mut filters = Vec::new();
        for _ in 0..=c.below(2) {
            let handling = [RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::Never];
            let options = SubscribeOptions {
                qos: c.pick(&QOS),
                no_local: v5 && c.one_in(odds.no_local),
                retain_as_published: v5 && c.one_in(3),
                retain_handling: if v5 { c.pick(&handling) } else { RetainHandling::Send },
            };
            filters.push((c.pick(self.swarm.filters), options));
        }
        let id = c.one_in(odds.identifier).then(|| 1 + c.below(3) as u32);
        let ask = self.clients[at].subscribe(&filters, id);
        self.promises.subscribes(at, ask, &wishes(&filters));
    }

    /// A client that keeps to nothing: packets with broken bits, in any order.
    fn say_anything(&mut self, at: usize) {
        match self.chance.below(4) {
            0 => self.subscribe(at),
            1 => self.clients[at].ping(),
            2 => {
                let qos = self.chance.pick(&QOS);
                let message = self.message("bad/x".to_owned(), qos, false);
                self.clients[at].publish(&message, false);
            }
            _ => {
                self.clients[at].unsubscribe("#");
            }
        }
        self.clients[at].lose_count();
        if self.chance.one_in(3)
            && let Some(bytes) = self.clients[at].outgoing.back_mut()
        {
            let (place, bit) = (self.chance.below(bytes.len()), self.chance.below(8));
            bytes[place] ^= 1 << bit;
        }
        self.send_some(at);
        let gone = |s: &Socket| s.place == Place::Gone && s.to_client.is_empty();
        if let Some(socket) = self.clients[at].socket
            && gone(&self.sockets[socket])
        {
            self.abandon(at, ClientEnd::Closed);
        }
    }
}

const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
/// A client waits while so much is on its way.
const IN_PIPE_MAX: usize = 600;
