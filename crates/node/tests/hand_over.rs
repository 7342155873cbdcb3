//! A connection that moves to its home keeps its place until the outer loop is told to move it.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

#[expect(dead_code, reason = "the transcripts use all of it")]
mod transcript;

use broker::access::{Authorizer, SessionQuota};
use broker::budget::Budget;
use broker::limits::Limits;
use broker::rate::SharedBucket;
use broker::retained::Retained;
use broker::subscription::Interest;
use engine::{Engine, LogEnd, Memory};
use mqtt::wire::Version;
use mqtt::wire::connect::Connect;
use node::auth::Listener;
use node::counters::Counters;
use node::effect::Effect;
use node::journal::SessionId;
use node::now::Now;
use node::{Settings, Shard};
use std::sync::Arc;
use store::op::{NamespaceId, Sequence};
use transcript::authority::Authority;

/// The sockets of a reactor lie at the numbers of their links. A connection accepted or adopted
/// in the same turn must not get the number of one that is still to be moved: its socket would
/// take the other's place, which closed without a word.
#[test]
fn a_place_is_free_only_when_its_connection_has_moved() {
    let mut shard = shard();
    let away = (0..).map(|n| format!("c{n}")).find(|c| shard.home_of(c) == 1).unwrap();
    let id = shard.accept(Listener::Plain, None);
    let mut bytes = Vec::new();
    Connect::new(Version::V5, &away).encode(&mut bytes).unwrap();
    assert_eq!(shard.input(id, &bytes), bytes.len());
    let mut effects = Vec::new();
    shard.take_effects(&mut effects);
    let Some(Effect::Authenticate(asked, request)) = effects.pop() else { panic!("no question") };
    let outcome = Authority::default().answer(&request).unwrap();
    shard.authenticated(asked, outcome);
    let other = shard.accept(Listener::Plain, None);
    assert_ne!(other.slot, id.slot, "the first has not moved");
    assert!(!shard.wants_input(id));
    shard.take_effects(&mut effects);
    assert!(matches!(&effects[..], [Effect::Move(moved, 1, _)] if *moved == id));
    let next = shard.accept(Listener::Plain, None);
    assert_eq!(next.slot, id.slot, "now it has");
    assert_ne!(next, id);
}

/// The first of two reactors.
fn shard() -> Shard {
    let limits = Arc::new(Limits::open());
    let mut shard = Shard::new(Settings {
        reactor: 0,
        reactors: 2,
        quota: Arc::new(SessionQuota::new(limits.sessions_per_name_max)),
        budget: Arc::new(Budget::new(1 << 30, None, 2)),
        connects: Arc::new(SharedBucket::default()),
        authorizer: Authorizer::new(&limits),
        interest: Arc::new(Interest::new(2)),
        retained: Arc::new(Retained::new(&limits)),
        keys: Arc::default(),
        engine: Engine::Memory(Memory::new(LogEnd::default())),
        log_end: Sequence(0),
        clock_record: None,
        first_session: SessionId(1),
        hub: None,
        namespace: NamespaceId(1),
        counters: Arc::new(Counters::default()),
        seed: [0, 7],
        limits,
    });
    shard.begin(Now { mono_ms: 1_000_000, wall_ms: 1_700_000_000_000 }, 0);
    shard
}
