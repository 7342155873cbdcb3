//! Whole turns of one reactor with a hub and of the log's writer: from the bytes that devices send
//! to the bytes that answer them, what is kept on a disk in memory. The unit is a message or a
//! patch.
use crate::{Case, Turns};
use broker::access::{Authorizer, Manage, PermissionSets, Principal, SessionQuota, Source};
use broker::budget::Budget;
use broker::limits::Limits;
use broker::rate::SharedBucket;
use broker::retained::Retained;
use broker::subscription::Interest;
use crashdisk::CrashDisk;
use engine::{Committer, Engine, Intake};
use hub::identity::{Fresh, Generation, IdentityId, Policies, Wanted};
use hub::sas::{Key, SignedConnect};
use hub::{Etag, IfMatch};
use mqtt::qos::QoS;
use mqtt::wire::{Connect, Place, Properties, Property, PublishOut, Version};
use node::auth::Listener;
use node::channel::begin;
use node::counters::Counters;
use node::devices::{Ask, Asked, Hub, MakePrincipal};
use node::journal::{Replay, SessionId};
use node::keys::KeyRecords;
use node::now::Now;
use node::post::Post;
use node::record::{Record, settle};
use node::{LinkId, Settings, Shard, resume};
use std::sync::Arc;
use store::log::{Log, Options};
use store::op::{NamespaceId, Sequence};

pub const CASES: &[Case] =
    &[case("hub-telemetry", |_| sending(telemetry)), case("hub-reported", |_| sending(reported))];

const fn case(name: &'static str, ready: fn(usize) -> Turns) -> Case {
    Case { name, warm: 5, turns: 100, ready }
}

/// Each device sends one; all are kept with one commit, and then all are answered.
fn sending(one: fn(usize) -> Vec<u8>) -> Turns {
    let mut house = House::new();
    let links: Vec<LinkId> = (0..DEVICES).map(|n| house.connect(&format!("device-{n}"))).collect();
    let mut turn = 0;
    Box::new(move || {
        turn += 1;
        let bytes = one(turn);
        let written = house.turn(|shard| {
            for link in &links {
                assert_eq!(shard.input(*link, &bytes), bytes.len());
            }
        });
        assert_eq!(written, 0, "no answer before it is kept");
        let answered = house.commit();
        assert!(answered >= DEVICES * 4, "an answer each: {answered} bytes");
        DEVICES
    })
}

fn telemetry(turn: usize) -> Vec<u8> {
    publish("$iothub/telemetry", QoS::AtLeastOnce, &[], turn)
}

fn reported(turn: usize) -> Vec<u8> {
    let mut properties = Vec::new();
    Property::CorrelationData(&[7; 8]).encode(&mut properties).expect("short");
    publish("$iothub/twin/patch/reported", QoS::AtMostOnce, &properties, turn)
}

fn publish(topic: &str, qos: QoS, properties: &[u8], turn: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let payload = format!("{{\"temperature\":{},\"n\":{}}}", 10 + turn % 40, 100_000 + turn);
    let packet = PublishOut {
        version: Version::V5,
        dup: false,
        qos,
        retain: false,
        topic,
        packet_id: u16::from(qos > QoS::AtMostOnce) * 9,
        alias: 0,
        send_topic: true,
        subscription_ids: &[],
        properties,
        expiry: None,
        payload: payload.as_bytes(),
    };
    packet.encode(&mut bytes);
    bytes
}

/// One reactor with a hub, and where its records become facts.
struct House {
    shard: Shard,
    committer: Committer<CrashDisk, Record>,
    retained: Arc<Retained>,
    interest: Arc<Interest>,
    keys: Arc<KeyRecords>,
    told: Vec<Post>,
    dirty: Vec<u32>,
}

impl House {
    fn new() -> Self {
        let limits = Arc::new(Limits::open());
        let (retained, interest) = (Arc::new(Retained::new(&limits)), Arc::new(Interest::new(1)));
        let (keys, hub): (Arc<KeyRecords>, _) = (Arc::default(), Arc::new(hub()));
        let options = Options { segment_bytes: 16 * 1024, identity: 7 };
        let opened = Log::open(CrashDisk::new(1), options, |_| unreachable!("it is empty"));
        let mut log = opened.expect("an empty disk").log;
        let mut found = Replay::new().finish();
        resume(&mut log, &mut found, NAMESPACE).expect("room");
        begin(Some(&hub.channel), &mut log, &mut found.channel, NAMESPACE).expect("room");
        let intake = Intake::new(|| {});
        let shard = Shard::new(Settings {
            reactor: 0,
            reactors: 1,
            quota: Arc::new(SessionQuota::new(limits.sessions_per_name_max)),
            budget: Arc::new(Budget::new(1 << 30, None, 1)),
            connects: Arc::new(SharedBucket::default()),
            authorizer: Authorizer::new(&limits),
            interest: Arc::clone(&interest),
            retained: Arc::clone(&retained),
            keys: Arc::clone(&keys),
            limits,
            engine: Engine::Log(intake.handle(0)),
            log_end: Sequence(0),
            clock_record: None,
            first_session: SessionId(1),
            hub: Some(hub),
            namespace: NAMESPACE,
            counters: Arc::new(Counters::default()),
            seed: [1, 2],
        });
        let committer = Committer::new(log, intake);
        let (told, dirty) = (Vec::new(), Vec::new());
        let mut house = Self { shard, committer, retained, interest, keys, told, dirty };
        house.shard.restore_channel(found.channel);
        house
    }

    /// What the outer loop does in a turn; gives how many bytes were written.
    fn turn(&mut self, act: impl FnOnce(&mut Shard)) -> usize {
        self.shard.begin(NOW, 0);
        act(&mut self.shard);
        self.shard.end();
        self.shard.take_dirty(&mut self.dirty);
        let mut written = 0;
        for link in self.dirty.drain(..) {
            let n = self.shard.output(link).len();
            self.shard.taken(link, n);
            written += n;
        }
        written
    }

    /// What waits becomes facts, and the reactor hears of them.
    fn commit(&mut self) -> usize {
        let Self { retained, interest, keys, told, .. } = self;
        self.committer.step(
            |fact, needs| settle(fact, needs, retained, interest, keys, NOW.wall_ms),
            |_, facts| told.push(Post::Facts(facts)),
        );
        let told = std::mem::take(told);
        self.turn(|shard| told.into_iter().for_each(|post| shard.post_in(post)))
    }

    /// A device, registered and connected.
    fn connect(&mut self, id: &str) -> LinkId {
        let named = IdentityId::parse(id).expect("a name");
        let generation = Generation::beginning(NOW.wall_ms, 1);
        let fresh = Fresh {
            generation,
            etag: Etag(1),
            primary: [1; 32],
            secondary: [2; 32],
            now_ms: NOW.wall_ms,
        };
        let wanted = Wanted::read(b"{}", named.clone()).expect("a document");
        let reply = Box::new(|put: Result<_, _>| assert!(put.is_ok()));
        let ask = Ask::Put(Box::new(wanted), IfMatch::Absent, Box::new(fresh), reply);
        self.turn(|shard| shard.post_in(Post::Asked(Box::new(Asked { id: named, ask }))));
        (0..3).for_each(|_| _ = self.commit());
        let mut link = None;
        let hello = connect(id);
        let mut written = self.turn(|shard| {
            let accepted = shard.accept(Listener::Tls, None);
            shard.input(accepted, &hello);
            link = Some(accepted);
        });
        (0..3).for_each(|_| written += self.commit());
        assert!(written > 0, "CONNACK");
        link.expect("accepted")
    }
}

/// CONNECT with the primary key.
fn connect(id: &str) -> Vec<u8> {
    let expiry = (NOW.wall_ms + 60_000).to_string();
    let signed = SignedConnect { client_id: id, policy: None, at: None, expiry: &expiry };
    let mac = signed.sign(&Key::generated(&[1; 32]), "hub");
    let mut raw = Vec::new();
    for (name, value) in [("api-version", "2020-10-01-preview"), ("sas-expiry", &expiry)] {
        Property::User(name, value).encode(&mut raw).expect("short");
    }
    let mut c = Connect::new(Version::V5, id);
    c.authentication_method = Some("SAS");
    c.authentication_data = Some(&mac);
    c.properties = Properties::parse(&raw, Place::Connect).expect("of CONNECT");
    let mut bytes = Vec::new();
    c.encode(&mut bytes).expect("it fits");
    bytes
}

fn hub() -> Hub {
    let sets = PermissionSets::default();
    let principal: MakePrincipal = Box::new(move |name, expires_at_ms| {
        let permissions = sets.intern(vec!["#".into()], vec!["#".into()], Manage::No);
        let (name, source) = (name.into(), Source::Device);
        Arc::new(Principal { name, permissions, expires_at_ms, source })
    });
    Hub::new(vec!["hub".into()], Policies::default(), principal, Box::new(|_| None))
}

const NAMESPACE: NamespaceId = NamespaceId(1);
const NOW: Now = Now { mono_ms: 1_000, wall_ms: 1_700_000_000_000 };
const DEVICES: usize = 16;
