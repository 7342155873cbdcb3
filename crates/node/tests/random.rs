//! Random clients against all reactors: whatever they send, in whatever pieces, nothing panics,
//! every byte that comes back is a packet, the filters with a stream in the log are at any time
//! those that durable sessions hold, and in the end nothing is left behind.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[expect(dead_code, reason = "the transcripts use all of it")]
mod transcript;

use broker::limits::{Limits, QueueFull};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::connect::Connect;
use mqtt::wire::encoder::{PINGREQ, PublishOut, ack};
use mqtt::wire::subscribe::Filters;
use mqtt::wire::unsubscribe::FilterList;
use mqtt::wire::{
    AckKind, Disconnect, Packet, Properties, RetainHandling, Subscribe, SubscribeOptions,
    Unsubscribe, Version, Will, decode, frame,
};
use node::post::Post;
use std::collections::HashMap;
use std::sync::Arc;
use transcript::authority::Authority;
use transcript::keeping::Kept;
use transcript::reactors::{Posts, Reactors};

#[test]
fn random_clients_leave_nothing_behind() {
    for seed in 1..=SEEDS {
        let reactors = [1, 2, 8][seed as usize % 3];
        Run::new(seed, reactors).play();
    }
}

struct Run {
    seed: u64,
    chance: u64,
    reactors: Reactors,
    authority: Authority,
    /// Connection and version of each client that has one.
    clients: Vec<Option<(usize, Version)>>,
    /// Topics that each connection knows by alias; none where it announced none.
    aliases: HashMap<usize, [String; ALIASES]>,
}

impl Run {
    fn new(seed: u64, reactors: usize) -> Self {
        let mut limits = Limits::open();
        limits.session_queue_messages_max = 5;
        limits.output_bytes_max = 300;
        limits.receive_max = 3;
        limits.packet_bytes_max = 2_000;
        limits.topic_alias_max = 2;
        limits.fanout_per_turn_max = 3;
        limits.publisher_pending_max = 4;
        limits.retained_messages_max = 3;
        limits.session_expiry_max_s = 60;
        limits.queue_full = [
            QueueFull::DropOldest,
            QueueFull::DropNewest,
            QueueFull::Refuse,
            QueueFull::EndSession,
        ][seed as usize % 4];
        // Plenty, or so little that every rule of a full memory has its turn.
        let memory_bytes_max = [1 << 30, 20_000][seed as usize / 3 % 2];
        let kept = [Kept::InMemory, Kept::InLog][seed as usize / 7 % 2];
        limits.queued_total_bytes_max = seed.is_multiple_of(5).then_some(1_000);
        Self {
            seed,
            chance: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            reactors: Reactors::new(reactors, &Arc::new(limits), memory_bytes_max, kept),
            authority: Authority::default(),
            clients: vec![None; CLIENTS],
            aliases: HashMap::new(),
        }
    }

    fn play(&mut self) {
        for _ in 0..STEPS {
            let client = self.below(CLIENTS as u64) as usize;
            match self.below(40) {
                0 => self.lose(client),
                1 => self.reactors.now.wall_ms += self.below(20_000),
                2 => self.reactors.now.mono_ms += self.below(20_000),
                3 => self.stall(client),
                4 => self.reactors.posts_are = Posts::Full,
                5 => self.reactors.posts_are = Posts::Free,
                6 => self.change_rights(client),
                7 if self.below(4) == 0 => {
                    let delete = Post::Delete(format!("c{client}"), Box::new(|_| ()));
                    self.reactors.post_home(&format!("c{client}"), delete);
                }
                _ => self.say(client),
            }
            if self.below(3) == 0 {
                self.reactors.settle(&self.authority);
                self.check();
                self.check_held();
            }
        }
        self.end();
    }

    fn say(&mut self, client: usize) {
        let Some((at, version)) = self.clients[client] else { return self.connect(client) };
        if !self.reactors.connections[at].is_open() {
            self.clients[client] = None;
            return;
        }
        let mut bytes = Vec::new();
        for _ in 0..=self.below(4) {
            self.packet(version, &mut bytes);
        }
        if self.below(60) == 0 {
            let at = self.below(bytes.len() as u64) as usize;
            bytes[at] ^= 1 << self.below(8);
        }
        let cut = self.below(bytes.len() as u64 + 1) as usize;
        let (first, rest) = bytes.split_at(cut);
        self.reactors.connections[at].sent(first);
        if self.below(2) == 0 {
            self.reactors.settle(&self.authority);
        }
        self.reactors.connections[at].sent(rest);
    }

    fn connect(&mut self, client: usize) {
        let version = if self.below(2) == 0 { Version::V311 } else { Version::V5 };
        let at = self.reactors.accept(client);
        self.clients[client] = Some((at, version));
        // Fewer identifiers than clients: take-overs happen.
        let id = format!("c{}", self.below(CLIENTS as u64 - 1));
        let mut c = Connect::new(version, &id);
        c.clean_start = self.below(2) == 0;
        c.keep_alive = self.below(3) as u16 * 5;
        if version == Version::V5 {
            c.session_expiry = (self.below(2) == 0).then_some(30);
            c.receive_max = (self.below(2) == 0).then_some(2);
            c.packet_max = (self.below(4) == 0).then_some(60);
            if self.below(2) == 0 {
                c.topic_alias_max = Some(ALIASES as u16);
                self.aliases.insert(at, [const { String::new() }; ALIASES]);
            }
        }
        let topic = self.topic();
        if self.below(2) == 0 {
            c.will = Some(Will {
                qos: self.qos(),
                retain: self.below(2) == 0,
                topic,
                payload: b"gone",
                delay_s: if version == Version::V5 { self.below(2) as u32 * 10 } else { 0 },
                expiry: None,
                properties: Properties::EMPTY,
            });
        }
        let mut bytes = Vec::new();
        c.encode(&mut bytes).unwrap();
        self.reactors.connections[at].sent(&bytes);
    }

    fn packet(&mut self, v: Version, out: &mut Vec<u8>) {
        let id = PacketId::new(1 + self.below(6) as u16).unwrap();
        match self.below(12) {
            0..=4 => self.publish(v, id, out),
            5 => {
                let filter = [
                    "#",
                    "a/+",
                    "a/b",
                    "+/b",
                    "b",
                    "a/#/b",
                    "$share/g/a/#",
                    "$share/g/a/b",
                    "$share/h/a/b",
                    "$share/h/+",
                    "$share/h/#",
                ];
                let mut raw = Vec::new();
                for _ in 0..=self.below(2) {
                    let options = SubscribeOptions {
                        qos: self.qos(),
                        no_local: v == Version::V5 && self.below(4) == 0,
                        retain_as_published: v == Version::V5 && self.below(2) == 0,
                        retain_handling: RetainHandling::Send,
                    };
                    let text = filter[self.below(filter.len() as u64) as usize];
                    let no_local = options.no_local && !text.starts_with("$share");
                    let options = SubscribeOptions { no_local, ..options };
                    Filters::push(&mut raw, text, options, v).unwrap();
                }
                let subscription_id =
                    (v == Version::V5 && self.below(2) == 0).then(|| 1 + self.below(3) as u32);
                let filters = Filters::parse(&raw, v).unwrap();
                let properties = Properties::EMPTY;
                let s = Subscribe { packet_id: id, subscription_id, properties, filters };
                s.encode(v, out).unwrap();
            }
            6 => {
                let mut raw = Vec::new();
                FilterList::push(&mut raw, UNSUBSCRIBED[self.below(6) as usize]).unwrap();
                let filters = FilterList::parse(&raw, v).unwrap();
                let u = Unsubscribe { packet_id: id, properties: Properties::EMPTY, filters };
                u.encode(v, out).unwrap();
            }
            7 => out.extend_from_slice(&PINGREQ),
            8 if self.below(10) == 0 => {
                let (reason, session_expiry) = match v {
                    Version::V311 => (Reason::SUCCESS, None),
                    Version::V5 => {
                        let expiry = [None, Some(0), Some(20)][self.below(3) as usize];
                        (Reason::DISCONNECT_WITH_WILL, expiry)
                    }
                };
                let d = Disconnect { reason, session_expiry, properties: Properties::EMPTY };
                d.encode(v, usize::MAX, out).unwrap();
            }
            n => {
                let kinds = [AckKind::PubAck, AckKind::PubRec, AckKind::PubRel, AckKind::PubComp];
                ack(out, v, kinds[n as usize % 4], id, Reason::SUCCESS);
            }
        }
    }

    fn publish(&mut self, version: Version, id: PacketId, out: &mut Vec<u8>) {
        let qos = self.qos();
        let alias = if version == Version::V5 && self.below(3) == 0 { 1 } else { 0 };
        let payload = vec![b'x'; [0, 3, 40, 400][self.below(4) as usize]];
        // Message Expiry, ten seconds.
        let properties: &[u8] =
            if version == Version::V5 && self.below(3) == 0 { &[2, 0, 0, 0, 10] } else { &[] };
        let p = PublishOut {
            version,
            dup: qos > QoS::AtMostOnce && self.below(4) == 0,
            qos,
            retain: self.below(3) == 0,
            topic: self.topic(),
            packet_id: id.get(),
            alias,
            send_topic: alias == 0 || self.below(2) == 0,
            subscription_ids: &[],
            properties,
            expiry: None,
            payload: &payload,
        };
        p.encode(out);
    }

    /// Everything a client has received is a row of packets.
    fn check(&mut self) {
        for (at, version) in self.clients.iter().flatten() {
            let received = &mut self.reactors.connections[*at].received;
            let mut from = 0;
            while let Some(f) = frame(&received[from..], usize::MAX).unwrap() {
                let packet = decode(f, *version)
                    .unwrap_or_else(|e| panic!("seed {}: {e}: {:02x?}", self.seed, f.body));
                if let Packet::Publish(p) = packet
                    && p.alias > 0
                {
                    let known = self.aliases.get_mut(at).expect("only who takes aliases gets one");
                    let known = &mut known[usize::from(p.alias) - 1];
                    if !p.topic.is_empty() {
                        p.topic.clone_into(known);
                    }
                    assert!(
                        !known.is_empty(),
                        "seed {}: alias {} is not known",
                        self.seed,
                        p.alias
                    );
                }
                from += f.len;
            }
            received.drain(..from);
        }
    }

    /// Each filter that a durable session has above QoS 0 is held, once a session, and no other.
    fn check_held(&mut self) {
        let (held, by_sessions) = (self.reactors.held(), self.reactors.held_by_sessions());
        assert_eq!(held, by_sessions, "seed {}: streams", self.seed);
    }

    fn end(&mut self) {
        // Some are not read when they go.
        self.reactors.settle(&self.authority);
        for client in 0..CLIENTS {
            self.lose(client);
        }
        self.reactors.posts_are = Posts::Free;
        // Connections of replaced clients, then keep-alives, wills and expiries.
        for _ in 0..4 {
            for at in 0..self.reactors.connections.len() {
                if self.reactors.connections[at].is_open() {
                    self.reactors.lost(at);
                }
            }
            self.reactors.settle(&self.authority);
            self.reactors.now.wall_ms += 3_600_000;
            self.reactors.now.mono_ms += 3_600_000;
        }
        let (held, retained) = (self.reactors.held_bytes(), self.reactors.retained_bytes());
        assert_eq!(held, retained, "seed {}: bytes of the budget", self.seed);
        assert_eq!(self.reactors.queued_bytes(), 0, "seed {}: bytes in queues", self.seed);
        assert_eq!(self.reactors.paused_and_opening(), (0, 0), "seed {}", self.seed);
        let left = self.reactors.left_behind();
        assert_eq!(left, (0, 0, 0), "seed {}: connections, sessions, subscriptions", self.seed);
        assert!(self.reactors.held().is_empty(), "seed {}: streams", self.seed);
        let [groups, waiting, _] = self.reactors.shared();
        assert_eq!((groups, waiting), (0, 0), "seed {}: groups, messages in them", self.seed);
    }

    fn lose(&mut self, client: usize) {
        if let Some((at, _)) = self.clients[client].take()
            && self.reactors.connections[at].is_open()
        {
            self.reactors.lost(at);
        }
    }

    /// From its next connection on a client may subscribe to less, or to everything again.
    fn change_rights(&mut self, client: usize) {
        let filters = ["#", "a/#", "a/b,b"][self.below(3) as usize];
        let rule = format!("c{client} subscribe={filters}");
        self.authority.rule(&rule, self.reactors.now.wall_ms);
    }

    /// The client reads nothing for a while, or everything at last.
    fn stall(&mut self, client: usize) {
        if let Some((at, _)) = self.clients[client] {
            let stalled = &mut self.reactors.connections[at].stalled;
            *stalled = !*stalled;
            self.reactors.read(at);
        }
    }

    fn topic(&mut self) -> &'static str {
        ["a", "a/b", "b", "a/b/c", "$x", "a/long", "b/long", "c/long"][self.below(8) as usize]
    }

    fn qos(&mut self) -> QoS {
        QoS::from_bits(self.below(3) as u8).unwrap()
    }

    fn below(&mut self, n: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 11) % n
    }
}

const SEEDS: u64 = 600;
const STEPS: usize = 300;
const CLIENTS: usize = 6;
const UNSUBSCRIBED: [&str; 6] = ["#", "a/b", "b", "$share/g/a/#", "$share/g/a/b", "$share/h/a/b"];
/// Topic Alias Maximum of those that announce one.
const ALIASES: usize = 2;
