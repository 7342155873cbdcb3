//! What a start finds: held records of sessions with one subscription each and of retained
//! messages, read and added up; a record is the unit.
use crate::{Case, Turns};
use broker::access::Source;
use broker::subscription::ReceiverOptions;
use mqtt::qos::QoS;
use mqtt::wire::Version;
use node::journal::{
    Content, Entry, Message, Owner, Presence, Publisher, Replay, Rights, SessionBegun, SessionId,
    Subscription,
};
use std::hint::black_box;
use store::log::{Kind, StreamId};
use store::op::Sequence;

pub const CASES: &[Case] = &[
    case("replay-sessions", |_| replaying(sessions())),
    case("replay-retained", |_| replaying(retained())),
];

const fn case(name: &'static str, ready: fn(usize) -> Turns) -> Case {
    Case { name, warm: 1, turns: 2, ready }
}

type Records = Vec<(Kind, Vec<u8>)>;

fn replaying(records: Records) -> Turns {
    Box::new(move || {
        let mut replay = Replay::new();
        for ((kind, payload), at) in records.iter().zip(1..) {
            replay.add(Sequence(at), *kind, payload).expect("written by us");
        }
        let found = black_box(replay.finish());
        assert_eq!(found.sessions.len() + found.retained.len(), records.len());
        records.len()
    })
}

fn sessions() -> Records {
    (0..RECORDS).map(|n| record(&session(n, &client(n), &filter(n)))).collect()
}

fn retained() -> Records {
    let topic = |n| format!("site/07/device/{n:07}/status00");
    let message = |n| record(&retained_message(&topic(n)));
    (0..RECORDS).map(message).collect()
}

fn client(n: u64) -> String {
    format!("sensor-{n:07}")
}

fn filter(n: u64) -> String {
    format!("site/07/device/{n:07}/#")
}

fn session<'a>(n: u64, client: &'a str, filter: &'a str) -> Entry<'a> {
    let subscription = Subscription {
        filter,
        options: ReceiverOptions::new(QoS::AtLeastOnce, false, false),
        subscription_id: 0,
        stream: StreamId(n as u32),
        since: Sequence(n),
    };
    Entry::SessionBegun(SessionBegun {
        session: SessionId(n),
        client,
        version: Version::V5,
        expiry_s: 86_400,
        presence: Presence::Connected,
        will: None,
        owner: Owner {
            name: client,
            source: Source::Certificate,
            expires_at_ms: None,
            rights: Rights::ByName,
        },
        subscriptions: vec![subscription],
    })
}

fn retained_message(topic: &str) -> Entry<'_> {
    let (qos, payload) = (QoS::AtLeastOnce, &PAYLOAD);
    let content = Content { topic, properties: &[], payload, qos, retain: true };
    Entry::Message(Message { content, deadline_ms: u64::MAX, publisher: Publisher::Passing })
}

fn record(entry: &Entry<'_>) -> (Kind, Vec<u8>) {
    let mut payload = Vec::new();
    entry.encode(&mut payload);
    (entry.kind(), payload)
}

const RECORDS: u64 = 20_000;
const PAYLOAD: [u8; 64] = [b'x'; 64];
