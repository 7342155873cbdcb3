//! A publish that a durable session may get above QoS 0 is acknowledged only after the log has it,
//! wherever that session is at home (core.md 2); any other at once. Shards by hand: whether the
//! PUBACK is there before the turn ends is the point.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use broker::access::{Authorizer, Manage, PermissionSets, Principal, SessionQuota, Source};
use broker::budget::Budget;
use broker::limits::Limits;
use broker::rate::SharedBucket;
use broker::retained::Retained;
use broker::subscription::Interest;
use engine::{Engine, LogEnd, Memory};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::subscribe::Filters;
use mqtt::wire::unsubscribe::FilterList;
use mqtt::wire::{
    Connect, Disconnect, Properties, PublishOut, Subscribe, SubscribeOptions, Unsubscribe, Version,
};
use node::auth::{AuthOutcome, Listener};
use node::counters::Counters;
use node::effect::Effect;
use node::journal::SessionId;
use node::now::Now;
use node::shard::home_of;
use node::{LinkId, Settings, Shard};
use std::sync::Arc;
use store::op::{NamespaceId, Sequence};

use Answer::{AtOnce, Logged};

/// When a publisher hears of its QoS 1 publish.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    /// Nothing waits for the log.
    AtOnce,
    /// At the end of the turn, when the log has it.
    Logged,
}

#[test]
fn a_publish_waits_for_the_log_if_a_durable_session_anywhere_may_get_it() {
    use Step::{Connect, Disconnect, Lose, Subscribe, Unsubscribe};
    // (what the other client does, how a publish to "t/1" fares from then on)
    let rows: &[(Step, Answer)] = &[
        (Connect { expiry_s: 0 }, AtOnce),
        (Subscribe("t/1", QoS::AtLeastOnce), AtOnce),
        (Connect { expiry_s: 60 }, AtOnce),
        (Subscribe("t/1", QoS::AtMostOnce), AtOnce),
        (Subscribe("t/1", QoS::AtLeastOnce), Logged),
        (Subscribe("t/1", QoS::ExactlyOnce), Logged),
        (Subscribe("t/1", QoS::AtMostOnce), AtOnce),
        (Subscribe("t/+", QoS::ExactlyOnce), Logged),
        (Subscribe("u", QoS::ExactlyOnce), Logged),
        (Unsubscribe("t/+"), AtOnce),
        (Subscribe("$share/g/t/#", QoS::AtMostOnce), AtOnce),
        (Subscribe("$share/g/t/#", QoS::AtLeastOnce), Logged),
        (Subscribe("#", QoS::AtLeastOnce), Logged),
        (Unsubscribe("$share/g/t/#"), Logged),
        (Lose, Logged),
        (Connect { expiry_s: 60 }, Logged),
        (Unsubscribe("#"), AtOnce),
        (Subscribe("$share/g/t/1", QoS::AtLeastOnce), Logged),
        (Subscribe("t/1", QoS::AtLeastOnce), Logged),
        (Disconnect { expiry_s: 30 }, Logged),
        // It has its subscriptions yet, but not for longer than this connection.
        (Connect { expiry_s: 0 }, AtOnce),
        (Lose, AtOnce),
        (Connect { expiry_s: 60 }, AtOnce),
        (Subscribe("t/1", QoS::AtLeastOnce), Logged),
        (Disconnect { expiry_s: 0 }, AtOnce),
    ];
    // Both at home on the only reactor; on one of two; each on its own.
    for (reactors, home) in [(1, 0), (2, 1), (2, 0)] {
        let mut world = World::new(reactors, home);
        assert_eq!(world.publish(), AtOnce);
        for (n, (step, answer)) in rows.iter().enumerate() {
            world.step(step);
            assert_eq!(world.publish(), *answer, "row {n} {step:?}, at home on {home}/{reactors}");
        }
        let mut held = Vec::new();
        world.interest.each_held(&mut |filter| held.push(filter.text.to_owned()));
        assert!(held.is_empty(), "{held:?} are left behind");
    }
}

#[derive(Debug)]
enum Step {
    Connect { expiry_s: u32 },
    Subscribe(&'static str, QoS),
    Unsubscribe(&'static str),
    Disconnect { expiry_s: u32 },
    Lose,
}

/// A publisher at home on the last reactor and another client at home somewhere.
struct World {
    shards: Vec<Shard>,
    interest: Arc<Interest>,
    publisher: LinkId,
    other: Option<LinkId>,
    home: usize,
}

impl World {
    fn new(reactors: usize, home: usize) -> Self {
        let interest = Arc::new(Interest::new(reactors));
        let mut shards = shards(&interest);
        let last = reactors - 1;
        let publisher = connect(&mut shards[last], last, ["p", "q", "r", "s", "u"], 0, reactors);
        Self { shards, interest, publisher, other: None, home }
    }

    fn step(&mut self, step: &Step) {
        let (home, reactors) = (self.home, self.shards.len());
        let shard = &mut self.shards[home];
        shard.begin(NOW, 0);
        match *step {
            Step::Connect { expiry_s } => {
                let names = ["a", "b", "c", "d", "e"];
                self.other = Some(connect(shard, home, names, expiry_s, reactors));
            }
            Step::Lose => shard.lost(self.other.take().unwrap()),
            Step::Subscribe(filter, qos) => {
                shard.input(self.other.unwrap(), &subscribe(filter, qos));
            }
            Step::Unsubscribe(filter) => {
                shard.input(self.other.unwrap(), &unsubscribe(filter));
            }
            Step::Disconnect { expiry_s } => {
                shard.input(self.other.unwrap(), &disconnect(expiry_s));
            }
        }
        turn(shard);
    }

    fn publish(&mut self) -> Answer {
        let shard = self.shards.last_mut().unwrap();
        shard.begin(NOW, 0);
        let bytes = publish();
        assert_eq!(shard.input(self.publisher, &bytes), bytes.len());
        let at_once = drain(shard, self.publisher);
        turn(shard);
        let later = drain(shard, self.publisher);
        match (at_once, later) {
            (PUBACK, 0) => AtOnce,
            (0, PUBACK) => Logged,
            other => panic!("bytes at once and later: {other:?}"),
        }
    }
}

/// How many bytes the client got; they are taken.
fn drain(shard: &mut Shard, link: LinkId) -> usize {
    let len = shard.output(link.slot).len();
    assert!(len == 0 || shard.output(link.slot)[0] == 0x40, "a PUBACK");
    shard.taken(link.slot, len);
    // Without a subscriber it has a reason code, as 3.4.2.1 allows.
    if len == PUBACK + 1 || len == PUBACK + 2 { PUBACK } else { len }
}

fn shards(interest: &Arc<Interest>) -> Vec<Shard> {
    let limits = Arc::new(Limits::open());
    let reactors = interest.reactors();
    let log = LogEnd::default();
    let retained = Arc::new(Retained::new(&limits));
    let quota = Arc::new(SessionQuota::new(9));
    let shard = |reactor: usize| {
        Shard::new(Settings {
            reactor,
            reactors,
            limits: Arc::clone(&limits),
            quota: Arc::clone(&quota),
            budget: Arc::new(Budget::new(1 << 30, None, reactors)),
            connects: Arc::new(SharedBucket::default()),
            authorizer: Authorizer::new(&limits),
            interest: Arc::clone(interest),
            retained: Arc::clone(&retained),
            keys: Arc::default(),
            engine: Engine::Memory(Memory::new(log.clone())),
            log_end: Sequence(0),
            clock_record: None,
            first_session: SessionId(1),
            hub: None,
            namespace: NamespaceId(1),
            counters: Arc::new(Counters::default()),
            seed: [reactor as u64, 7],
        })
    };
    (0..reactors).map(shard).collect()
}

/// A client that is at home on the shard with this number, with the first fitting name.
fn connect(
    shard: &mut Shard,
    home: usize,
    names: [&str; 5],
    expiry_s: u32,
    reactors: usize,
) -> LinkId {
    let client = names.into_iter().find(|c| home_of(c, reactors) == home).unwrap();
    shard.begin(NOW, 0);
    let link = shard.accept(Listener::Plain, None);
    let mut bytes = Vec::new();
    let mut packet = Connect::new(Version::V5, client);
    (packet.clean_start, packet.session_expiry) = (false, Some(expiry_s));
    packet.encode(&mut bytes).unwrap();
    shard.input(link, &bytes);
    let all = || vec!["#".to_owned()];
    let permissions = PermissionSets::default().intern(all(), all(), Manage::No);
    let (name, source) = (client.into(), Source::Token);
    let principal = Principal { name, permissions, expires_at_ms: None, source };
    shard.authenticated(link, AuthOutcome::Granted(Arc::new(principal)));
    turn(shard);
    let len = shard.output(link.slot).len();
    shard.taken(link.slot, len);
    link
}

/// The log is polled, and closed connections are forgotten.
fn turn(shard: &mut Shard) {
    shard.end();
    let mut effects = Vec::new();
    shard.take_effects(&mut effects);
    for effect in effects {
        if let Effect::Close(id, _) = effect {
            shard.forget(id);
        }
    }
}

fn subscribe(filter: &str, qos: QoS) -> Vec<u8> {
    let (mut raw, mut bytes) = (Vec::new(), Vec::new());
    let options = SubscribeOptions { qos, ..SubscribeOptions::default() };
    Filters::push(&mut raw, filter, options, Version::V5).unwrap();
    let filters = Filters::parse(&raw, Version::V5).unwrap();
    let (packet_id, properties) = (PacketId::new(1).unwrap(), Properties::EMPTY);
    let s = Subscribe { packet_id, subscription_id: None, properties, filters };
    s.encode(Version::V5, &mut bytes).unwrap();
    bytes
}

fn unsubscribe(filter: &str) -> Vec<u8> {
    let (mut raw, mut bytes) = (Vec::new(), Vec::new());
    FilterList::push(&mut raw, filter).unwrap();
    let filters = FilterList::parse(&raw, Version::V5).unwrap();
    let (packet_id, properties) = (PacketId::new(1).unwrap(), Properties::EMPTY);
    let u = Unsubscribe { packet_id, properties, filters };
    u.encode(Version::V5, &mut bytes).unwrap();
    bytes
}

fn disconnect(expiry_s: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let (reason, properties) = (Reason::SUCCESS, Properties::EMPTY);
    let d = Disconnect { reason, session_expiry: Some(expiry_s), properties };
    d.encode(Version::V5, usize::MAX, &mut bytes).unwrap();
    bytes
}

fn publish() -> Vec<u8> {
    let mut bytes = Vec::new();
    PublishOut {
        version: Version::V5,
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: false,
        topic: "t/1",
        packet_id: 1,
        alias: 0,
        send_topic: true,
        subscription_ids: &[],
        properties: &[],
        expiry: None,
        payload: b"x",
    }
    .encode(&mut bytes);
    bytes
}

const NOW: Now = Now { mono_ms: 1_000, wall_ms: 1_700_000_000_000 };
/// Bytes of a PUBACK without reason code and properties.
const PUBACK: usize = 4;
