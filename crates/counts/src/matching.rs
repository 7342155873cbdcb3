//! From a topic to its receivers: by the router's cache, and as if for the first time, with few
//! and with many filters beside the one that matches.
use crate::{Case, Turns};
use broker::access::{Authorizer, Manage, PermissionSets};
use broker::limits::Limits;
use broker::router::Router;
use broker::subscription::{Interest, Receiver, ReceiverOptions, SessionRef};
use mqtt::qos::QoS;
use mqtt::topic::TopicFilter;
use std::hint::black_box;
use std::sync::Arc;

pub const CASES: &[Case] = &[
    Case {
        name: "match-cached-100",
        warm: 2,
        turns: 100,
        ready: |turns| matching(turns, 100, Topics::Known),
    },
    Case {
        name: "match-cached-200k",
        warm: 2,
        turns: 100,
        ready: |turns| matching(turns, MANY, Topics::Known),
    },
    Case {
        name: "match-new-100",
        warm: 40,
        turns: 100,
        ready: |turns| matching(turns, 100, Topics::New),
    },
    Case {
        name: "match-new-200k",
        warm: 40,
        turns: 100,
        ready: |turns| matching(turns, MANY, Topics::New),
    },
];

/// Which topics are published to.
#[derive(Clone, Copy)]
enum Topics {
    /// The same in each turn.
    Known,
    /// Others in each turn.
    New,
}

/// Half of the filters are exact, the others have wildcards; each topic matches one or two.
fn matching(turns: usize, filters: usize, topics: Topics) -> Turns {
    let limits = Limits::open();
    let interest = Arc::new(Interest::new(1));
    let mut router = Router::new(Authorizer::new(&limits), interest, 0);
    for n in 0..filters {
        let device = n / 2;
        let text = match n % 4 {
            0 | 2 => topic(device, 0),
            1 => format!("site/{}/device/{device:06}/+", device % 50),
            _ => format!("site/{}/device/{device:06}/#", device % 50),
        };
        let slot = u32::try_from(n % 1_000).expect("below 1000");
        let session = SessionRef { slot, generation: 0 };
        let options = ReceiverOptions::new(QoS::AtLeastOnce, false, false);
        let receiver = Receiver { session, options, subscription_id: 0, since: 0 };
        let filter = TopicFilter::parse(&text).expect("a filter");
        router.index.subscribe(filter, receiver);
    }
    let sets = PermissionSets::default();
    let set = sets.intern(vec!["#".to_owned()], vec![], Manage::No);
    let of_turn = |turn| (0..TOPICS).map(|n| topic(n, turn)).collect();
    let lists: Vec<Vec<String>> = match topics {
        Topics::Known => vec![of_turn(1)],
        Topics::New => (1..=turns).map(of_turn).collect(),
    };
    let mut turn = 0;
    Box::new(move || {
        let mut receivers = 0;
        for name in &lists[turn % lists.len()] {
            receivers += black_box(router.route(&set, name)).targets.len();
        }
        turn += 1;
        assert!(receivers >= TOPICS, "each topic has a receiver");
        TOPICS
    })
}

fn topic(device: usize, turn: usize) -> String {
    format!("site/{}/device/{device:06}/{turn}", device % 50)
}

const TOPICS: usize = 50;
const MANY: usize = 200_000;
