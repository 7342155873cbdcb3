//! What the clients of a world do, and what they have got.

use super::super::client::{self, Got};
use super::{At, World, principal};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::wire::AckKind;
use node::auth::{AuthOutcome, Listener};
use node::shard::home_of;

impl World {
    /// Whether a client is.
    pub fn is_connected(&self, name: &str) -> bool {
        self.clients.contains_key(name)
    }

    /// What a client has not answered, and may answer.
    pub fn unanswered(&self, at: At) -> Vec<Got> {
        self.inbox.get(&self.name(at)).cloned().unwrap_or_default()
    }

    pub fn connect(&mut self, name: &str) -> At {
        let reactor = home_of(name, self.shards.len());
        let shard = &mut self.shards[reactor];
        shard.begin(self.now, 0);
        let link = shard.accept(Listener::Plain, None);
        let expiry_s = if name == PUBLISHER { 0 } else { u32::MAX };
        shard.input(link, &client::connect(name, expiry_s));
        shard.authenticated(link, AuthOutcome::Granted(principal(name)));
        let at = At(reactor, link);
        self.inbox.remove(name);
        self.clients.insert(name.to_owned(), at);
        self.settle();
        at
    }

    pub fn link(&self, name: &str) -> At {
        self.clients[name]
    }

    pub fn lose(&mut self, at: At) {
        self.shards[at.0].lost(at.1);
        let name = self.name(at);
        self.clients.remove(&name);
        self.inbox.remove(&name);
        self.settle();
    }

    pub fn subscribe(&mut self, at: At, filter: &str, qos: QoS) {
        self.input(at, &client::subscribe(filter, qos, false));
        self.settle();
    }

    /// Not to what the client publishes itself.
    pub fn subscribe_to_others(&mut self, at: At, filter: &str, qos: QoS) {
        self.input(at, &client::subscribe(filter, qos, true));
        self.settle();
    }

    /// What a client got and has not answered.
    pub fn take(&mut self, at: At) -> Vec<Got> {
        self.settle();
        let name = self.name(at);
        self.inbox.remove(&name).unwrap_or_default()
    }

    pub fn answer(&mut self, at: At, got: &Got) {
        let name = self.name(at);
        self.inbox.entry(name).or_default().retain(|one| one.packet_id != got.packet_id);
        let kind = match got.qos {
            QoS::ExactlyOnce => AckKind::PubRec,
            _ => AckKind::PubAck,
        };
        self.input(at, &client::answer(kind, got.packet_id));
        self.settle();
    }

    /// Everything that a client gets, which it answers.
    pub fn take_and_answer(&mut self, at: At) -> Vec<Got> {
        let mut all = Vec::new();
        loop {
            let got = self.take(at);
            if got.is_empty() {
                return all;
            }
            got.iter().for_each(|one| self.answer(at, one));
            all.extend(got);
        }
    }

    pub fn publish_first(&mut self, qos: QoS) {
        self.publish(qos, b"the first");
        self.settle();
    }

    /// So many others, which whoever gets them answers; all that is left is the first.
    pub fn publish_others(&mut self, count: usize, qos: QoS) {
        for n in 0..count {
            self.publish(qos, format!("{n} {}", "x".repeat(self.payload_bytes)).as_bytes());
            if n % AT_ONCE == AT_ONCE - 1 || n + 1 == count {
                self.now.mono_ms += 20;
                self.settle();
                self.answer_others();
            }
        }
    }

    pub(super) fn answer_others(&mut self) {
        let names: Vec<String> = self.clients.keys().cloned().collect();
        loop {
            let mut quiet = true;
            for name in &names {
                let at = self.clients[name];
                for got in self.inbox.remove(name).unwrap_or_default() {
                    if got.payload != b"the first" {
                        quiet = false;
                        let kind = match got.qos {
                            QoS::ExactlyOnce => AckKind::PubRec,
                            _ => AckKind::PubAck,
                        };
                        self.input(at, &client::answer(kind, got.packet_id));
                    } else {
                        self.inbox.entry(format!("{name} unanswered")).or_default().push(got);
                    }
                }
            }
            if quiet {
                break;
            }
            self.settle();
        }
        for name in names {
            if let Some(first) = self.inbox.remove(&format!("{name} unanswered")) {
                self.inbox.insert(name, first);
            }
        }
    }

    /// One message.
    pub fn publish(&mut self, qos: QoS, payload: &[u8]) {
        let at = match self.clients.get(PUBLISHER) {
            Some(at) => *at,
            None => self.connect(PUBLISHER),
        };
        self.publish_from(at, qos, payload);
    }

    /// One message of this client.
    pub fn publish_from(&mut self, at: At, qos: QoS, payload: &[u8]) {
        self.last_id = self.last_id % 60_000 + 1;
        self.account.sent.insert(PacketId::new(self.last_id).unwrap(), payload.to_vec());
        self.input(at, &client::publish(self.last_id, qos, payload));
    }

    fn name(&self, at: At) -> String {
        self.clients.iter().find(|(_, other)| **other == at).unwrap().0.clone()
    }
}

const PUBLISHER: &str = "p";
const AT_ONCE: usize = 50;
