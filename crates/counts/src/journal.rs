//! What a start finds: held records of sessions with one subscription each, of sessions that
//! somebody began, subscribed in and left, and of retained messages; read and added up. The unit is
//! a session or a message.
use crate::{Case, Turns};
use broker::access::Source;
use broker::subscription::ReceiverOptions;
use mqtt::qos::QoS;
use mqtt::wire::Version;
use node::journal::{
    Content, Detached, Entry, Message, Owner, Presence, Publisher, Replay, Rights, SessionBegun,
    SessionId, Subscribed, Subscription, WillLeft,
};
use std::hint::black_box;
use store::log::{Kind, StreamId};
use store::op::Sequence;

pub const CASES: &[Case] = &[
    case("replay-sessions", |_| replaying(sessions())),
    case("replay-visits", |_| replaying(visits())),
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
        found.sessions.len() + found.retained.len()
    })
}

fn sessions() -> Records {
    (0..RECORDS).map(|n| record(&session(n, &client(n), &filter(n)))).collect()
}

fn visits() -> Records {
    let visit = |n| {
        let (client, filter) = (client(n), filter(n));
        let Entry::SessionBegun(mut begun) = session(n, &client, &filter) else { unreachable!() };
        let subscriptions = std::mem::take(&mut begun.subscriptions);
        let subscribed = Subscribed { session: SessionId(n), subscriptions };
        let left = Detached {
            session: SessionId(n),
            expiry_s: 86_400,
            ends_at_ms: 1_800_000_000_000 + n,
            will: WillLeft::Gone,
        };
        [
            record(&Entry::SessionBegun(begun)),
            record(&Entry::Subscribed(subscribed)),
            record(&Entry::Detached(left)),
        ]
    };
    (0..RECORDS).flat_map(visit).collect()
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
