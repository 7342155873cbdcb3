//! A subscription that replaces one loses nothing (MQTT 5, 3.8.4-4), not even what is on its way
//! from another reactor at that moment. Two shards by hand: the order of their turns is the point.

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
use mqtt::wire::subscribe::Filters;
use mqtt::wire::{
    Connect, Packet, Properties, PublishOut, Subscribe, SubscribeOptions, Version, decode, frame,
};
use node::auth::{AuthOutcome, Listener};
use node::counters::Counters;
use node::effect::Effect;
use node::journal::SessionId;
use node::now::Now;
use node::post::Post;
use node::shard::home_of;
use node::{LinkId, Settings, Shard};
use std::sync::Arc;
use store::op::{NamespaceId, Sequence};

#[test]
fn a_retained_publish_on_its_way_still_comes_live() {
    let [mut here, mut there] = shards();
    let subscriber = connect(&mut here, 0);
    here.input(subscriber, &subscribe(1));
    turn(&mut here);
    let publisher = connect(&mut there, 1);
    there.input(publisher, &publish("first"));
    turn(&mut there);
    there.input(publisher, &publish("second"));
    turn(&mut there);
    let post = there.take_post(0).unwrap();
    // The first has been replaced in the store before the subscription is.
    here.begin(NOW, 0);
    here.input(subscriber, &subscribe(2));
    here.post_in(Post::Publishes(post));
    turn(&mut here);
    assert_eq!(payloads(here.output(subscriber.slot)), ["second", "first", "second"]);
}

fn shards() -> [Shard; 2] {
    let limits = Arc::new(Limits::open());
    let (interest, log) = (Arc::new(Interest::new(2)), LogEnd::default());
    let retained = Arc::new(Retained::new(&limits));
    let quota = Arc::new(SessionQuota::new(9));
    [0, 1].map(|reactor| {
        Shard::new(Settings {
            reactor,
            reactors: 2,
            limits: Arc::clone(&limits),
            quota: Arc::clone(&quota),
            budget: Arc::new(Budget::new(1 << 30, None, 2)),
            connects: Arc::new(SharedBucket::default()),
            authorizer: Authorizer::new(&limits),
            interest: Arc::clone(&interest),
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
    })
}

/// A client that is at home on the shard with this number.
fn connect(shard: &mut Shard, home: usize) -> LinkId {
    let client = ["a", "b", "c", "d"].into_iter().find(|c| home_of(c, 2) == home).unwrap();
    shard.begin(NOW, 0);
    let link = shard.accept(Listener::Plain, None);
    let mut bytes = Vec::new();
    Connect::new(Version::V5, client).encode(&mut bytes).unwrap();
    shard.input(link, &bytes);
    let all = || vec!["#".to_owned()];
    let permissions = PermissionSets::default().intern(all(), all(), Manage::No);
    let (name, source) = (client.into(), Source::Token);
    let principal = Principal { name, permissions, expires_at_ms: None, source };
    shard.post_in(Post::Authenticated(link, AuthOutcome::Granted(Arc::new(principal))));
    turn(shard);
    link
}

fn turn(shard: &mut Shard) {
    shard.end();
    let mut effects: Vec<Effect> = Vec::new();
    shard.take_effects(&mut effects);
}

fn subscribe(id: u16) -> Vec<u8> {
    let (mut raw, mut bytes) = (Vec::new(), Vec::new());
    let options = SubscribeOptions { retain_as_published: true, ..SubscribeOptions::default() };
    Filters::push(&mut raw, "t", options, Version::V5).unwrap();
    let filters = Filters::parse(&raw, Version::V5).unwrap();
    let (packet_id, properties) = (PacketId::new(id).unwrap(), Properties::EMPTY);
    let s = Subscribe { packet_id, subscription_id: None, properties, filters };
    s.encode(Version::V5, &mut bytes).unwrap();
    bytes
}

fn publish(payload: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    PublishOut {
        version: Version::V5,
        dup: false,
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: "t",
        packet_id: 1,
        alias: 0,
        send_topic: true,
        subscription_ids: &[],
        properties: &[],
        expiry: None,
        payload: payload.as_bytes(),
    }
    .encode(&mut bytes);
    bytes
}

fn payloads(mut bytes: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(f) = frame(bytes, usize::MAX).unwrap() {
        if let Packet::Publish(p) = decode(f, Version::V5).unwrap() {
            all.push(String::from_utf8_lossy(p.payload).into_owned());
        }
        bytes = &bytes[f.len..];
    }
    all
}

const NOW: Now = Now { mono_ms: 1_000, wall_ms: 1_700_000_000_000 };
