//! Whole turns of one reactor, from the bytes that were read to the bytes that are written, a
//! delivery as the unit: what a message costs beside its system calls.
use crate::wire::publish;
use crate::{Case, Turns};
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
use mqtt::wire::{
    AckKind, Connect, Properties, Subscribe, SubscribeOptions, Version, encoder::ack,
};
use node::auth::{AuthOutcome, Listener};
use node::counters::Counters;
use node::effect::Effect;
use node::journal::SessionId;
use node::now::Now;
use node::post::Post;
use node::{LinkId, Settings, Shard};
use std::sync::Arc;
use store::op::{NamespaceId, Sequence};

pub const CASES: &[Case] = &[
    case("pair-v311-q0", 100, |turns| pair(Client::V311, QoS::AtMostOnce, turns)),
    case("pair-v311-q1", 100, |turns| pair(Client::V311, QoS::AtLeastOnce, turns)),
    case("pair-v311-q2", 100, |turns| pair(Client::V311, QoS::ExactlyOnce, turns)),
    case("pair-v5-q0", 100, |turns| pair(Client::V5, QoS::AtMostOnce, turns)),
    case("pair-v5-q1", 100, |turns| pair(Client::V5, QoS::AtLeastOnce, turns)),
    case("pair-v5-q0-alias", 100, |turns| pair(Client::V5Aliases, QoS::AtMostOnce, turns)),
    case("fanout-q0", 10, |turns| fan_out(QoS::AtMostOnce, turns)),
    case("fanout-q1", 10, |turns| fan_out(QoS::AtLeastOnce, turns)),
];

const fn case(name: &'static str, turns: usize, ready: fn(usize) -> Turns) -> Case {
    Case { name, warm: 5, turns, ready }
}

/// What a client says in CONNECT.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    V311,
    V5,
    /// With a Topic Alias Maximum.
    V5Aliases,
}

impl Client {
    fn version(self) -> Version {
        if self == Self::V311 { Version::V311 } else { Version::V5 }
    }
}

/// One publisher, one subscriber, a window of 16: what either sends is made before the count.
fn pair(client: Client, qos: QoS, turns: usize) -> Turns {
    let mut r = Reactor::new();
    let (version, ids) = (client.version(), |turn: usize| block(turn, WINDOW));
    let hearer = r.connect("hearer", client);
    r.subscribe(hearer, version, qos);
    let sender = r.connect("sender", client);
    let published: Vec<u8> =
        block(0, WINDOW).into_iter().flat_map(|id| publish(version, qos, TOPIC, id)).collect();
    // The sender's identifiers are free again when a turn is over; the hearer's go on and on.
    let releases = acks(AckKind::PubRel, version, &block(0, WINDOW));
    let answers: Vec<_> = (0..turns)
        .map(|turn| match qos {
            QoS::AtMostOnce => [vec![], vec![]],
            QoS::AtLeastOnce => [acks(AckKind::PubAck, version, &ids(turn)), vec![]],
            QoS::ExactlyOnce => [
                acks(AckKind::PubRec, version, &ids(turn)),
                acks(AckKind::PubComp, version, &ids(turn)),
            ],
        })
        .collect();
    let mut turn = 0;
    Box::new(move || {
        let [first, second] = &answers[turn];
        turn += 1;
        let mut written = r.turn(&[(sender, &published)]);
        assert!(written >= WINDOW * 64, "16 deliveries: {written} bytes");
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => written = r.turn(&[(hearer, first)]),
            QoS::ExactlyOnce => {
                written = r.turn(&[(hearer, first), (sender, &releases)]);
                assert_eq!(written, 2 * 4 * WINDOW, "PUBREL and PUBCOMP");
                written = r.turn(&[(hearer, second)]);
            }
        }
        assert!(qos == QoS::AtMostOnce || written == 0, "the exchange is over: {written}");
        WINDOW
    })
}

/// One publisher, a thousand subscribers, four messages at once.
fn fan_out(qos: QoS, turns: usize) -> Turns {
    let mut r = Reactor::new();
    let version = Version::V311;
    let hearers: Vec<_> = (0..HEARERS)
        .map(|n| {
            let link = r.connect(&format!("hearer-{n}"), Client::V311);
            r.subscribe(link, version, qos);
            link
        })
        .collect();
    let sender = r.connect("sender", Client::V311);
    let published: Vec<u8> =
        block(0, AT_ONCE).into_iter().flat_map(|id| publish(version, qos, TOPIC, id)).collect();
    let answers: Vec<_> =
        (0..turns).map(|turn| acks(AckKind::PubAck, version, &block(turn, AT_ONCE))).collect();
    let mut turn = 0;
    Box::new(move || {
        let mut written = r.turn(&[(sender, &published)]);
        while r.shard.wait_ms() == Some(0) {
            written += r.turn(&[]);
        }
        assert!(written > HEARERS * AT_ONCE * 64, "{written} bytes");
        if qos > QoS::AtMostOnce {
            let each: Vec<_> = hearers.iter().map(|h| (*h, answers[turn].as_slice())).collect();
            assert_eq!(r.turn(&each), 0, "the exchanges are over");
        }
        turn += 1;
        HEARERS * AT_ONCE
    })
}

/// The packet identifiers of a turn: they go up by one each.
fn block(turn: usize, size: usize) -> Vec<u16> {
    let first = turn * size + 1;
    (first..first + size).map(|id| u16::try_from(id).expect("few turns")).collect()
}

fn acks(kind: AckKind, version: Version, ids: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for id in ids {
        let id = PacketId::new(*id).expect("above zero");
        ack(&mut bytes, version, kind, id, Reason::SUCCESS);
    }
    bytes
}

/// One reactor without sockets.
struct Reactor {
    shard: Shard,
    sets: PermissionSets,
    effects: Vec<Effect>,
    dirty: Vec<u32>,
}

impl Reactor {
    fn new() -> Self {
        let limits = Arc::new(Limits::open());
        let mut shard = Shard::new(Settings {
            reactor: 0,
            reactors: 1,
            quota: Arc::new(SessionQuota::new(limits.sessions_per_name_max)),
            budget: Arc::new(Budget::new(1 << 30, None, 1)),
            connects: Arc::new(SharedBucket::default()),
            authorizer: Authorizer::new(&limits),
            interest: Arc::new(Interest::new(1)),
            retained: Arc::new(Retained::new(&limits)),
            keys: Arc::default(),
            limits,
            engine: Engine::Memory(Memory::new(LogEnd::default())),
            log_end: Sequence(0),
            clock_record: None,
            first_session: SessionId(1),
            hub: None,
            namespace: NamespaceId(1),
            counters: Arc::new(Counters::default()),
            seed: [1, 2],
        });
        shard.begin(NOW, 0);
        let (sets, effects, dirty) = (PermissionSets::default(), Vec::new(), Vec::new());
        Self { shard, sets, effects, dirty }
    }

    /// What the outer loop does in a turn; gives how many bytes were written.
    fn turn(&mut self, inputs: &[(LinkId, &[u8])]) -> usize {
        self.shard.begin(NOW, 0);
        for (link, bytes) in inputs {
            self.shard.count_input(bytes.len());
            assert_eq!(self.shard.input(*link, bytes), bytes.len());
        }
        self.shard.end();
        self.shard.take_effects(&mut self.effects);
        self.shard.take_dirty(&mut self.dirty);
        let mut written = 0;
        for link in self.dirty.drain(..) {
            let n = self.shard.output(link).len();
            self.shard.taken(link, n);
            written += n;
        }
        written
    }

    fn connect(&mut self, name: &str, client: Client) -> LinkId {
        let link = self.shard.accept(Listener::Plain, None);
        let mut c = Connect::new(client.version(), name);
        c.topic_alias_max = (client == Client::V5Aliases).then_some(16);
        let mut bytes = Vec::new();
        c.encode(&mut bytes).expect("it fits");
        self.turn(&[(link, &bytes)]);
        let permissions = self.sets.intern(vec!["#".to_owned()], vec!["#".to_owned()], Manage::No);
        for effect in std::mem::take(&mut self.effects) {
            if let Effect::Authenticate(id, _) = effect {
                let principal = Principal {
                    name: name.into(),
                    permissions: Arc::clone(&permissions),
                    expires_at_ms: None,
                    source: Source::Token,
                };
                let granted = AuthOutcome::Granted(Arc::new(principal));
                self.shard.post_in(Post::Authenticated(id, granted));
            }
        }
        assert!(self.turn(&[]) > 0, "CONNACK");
        self.effects.clear();
        link
    }

    fn subscribe(&mut self, link: LinkId, version: Version, qos: QoS) {
        let mut raw = Vec::new();
        let options = SubscribeOptions { qos, ..SubscribeOptions::default() };
        Filters::push(&mut raw, TOPIC, options, version).expect("it fits");
        let s = Subscribe {
            packet_id: PacketId::new(1).expect("above zero"),
            subscription_id: None,
            properties: Properties::EMPTY,
            filters: Filters::parse(&raw, version).expect("a filter"),
        };
        let mut bytes = Vec::new();
        s.encode(version, &mut bytes).expect("it fits");
        assert!(self.turn(&[(link, &bytes)]) > 0, "SUBACK");
    }
}

const NOW: Now = Now { mono_ms: 1_000, wall_ms: 1_700_000_000_000 };
const TOPIC: &str = "site/7/device/00042/state";
const WINDOW: usize = 16;
const HEARERS: usize = 1_000;
const AT_ONCE: usize = 4;
