//! The server of a seed: all its shards and what they share, made at the beginning and again after
//! each crash. Refuses to know connections, which the world keeps.

use crate::authority::Authority;
use crate::keeping::{Keeping, NAMESPACE, Opened};
use crate::swarm::Swarm;
use broker::access::{Authorizer, SessionQuota};
use broker::budget::Budget;
use broker::rate::SharedBucket;
use broker::retained::Retained;
use broker::subscription::Interest;
use node::counters::Counters;
use node::journal::{FoundSession, Owner, SessionId};
use node::keys::KeyRecords;
use node::now::Now;
use node::shard::home_of;
use node::{Found, Restored, Settings, Shard};
use std::sync::Arc;
use store::op::Sequence;

/// All reactors of one process.
pub(super) struct Server {
    pub shards: Vec<Shard>,
    pub counters: Vec<Arc<Counters>>,
    pub retained: Arc<Retained>,
    pub interest: Arc<Interest>,
    pub keys: Arc<KeyRecords>,
    pub quota: Arc<SessionQuota>,
    pub budget: Arc<Budget>,
}

impl Server {
    /// Reactors that know nothing yet.
    pub fn new(swarm: &Swarm, keeping: &Keeping, opened: Option<&Opened>) -> Self {
        let n = swarm.reactors;
        let limits = Arc::new(swarm.limits.clone());
        let interest = Arc::new(Interest::new(n));
        let retained = Arc::new(Retained::new(&limits));
        let keys: Arc<KeyRecords> = Arc::default();
        let quota = Arc::new(SessionQuota::new(limits.sessions_per_name_max));
        let budget = Arc::new(Budget::new(MEMORY_BYTES, None, n));
        let connects = Arc::new(SharedBucket::default());
        let counters: Vec<_> = (0..n).map(|_| Arc::new(Counters::default())).collect();
        let shard = |reactor: usize| {
            Shard::new(Settings {
                reactor,
                reactors: n,
                limits: Arc::clone(&limits),
                quota: Arc::clone(&quota),
                budget: Arc::clone(&budget),
                connects: Arc::clone(&connects),
                authorizer: Authorizer::new(&limits),
                interest: Arc::clone(&interest),
                retained: Arc::clone(&retained),
                keys: Arc::clone(&keys),
                engine: keeping.engine(reactor),
                log_end: opened.map_or(Sequence(0), |o| o.end),
                clock_record: opened.and_then(|o| o.found.clock_record).filter(|_| reactor == 0),
                first_session: opened.map_or(SessionId(1), |o| o.found.next_session),
                hub: None,
                namespace: NAMESPACE,
                counters: Arc::clone(&counters[reactor]),
                seed: [reactor as u64, 7],
            })
        };
        let shards = (0..n).map(shard).collect();
        Self { shards, counters, retained, interest, keys, quota, budget }
    }

    /// Takes in what the log has, in the order of a start.
    pub fn restore(&mut self, opened: Opened, authority: &Authority, now: Now) {
        let found = opened.found;
        let rest = Found {
            shared: found.shared.iter().map(|(at, _)| *at).collect(),
            carried: found.carried.iter().copied().collect(),
            groups: found.groups,
        };
        self.keys.restore(&found.requests, |at| rest.shared.contains(&at));
        let clock_ms = found.clock_ms;
        let retained = found.retained.into_iter();
        let account = self.budget.account(0);
        self.retained.restore(retained.map(|one| one.restored(account)), clock_ms);
        let mut homes: Vec<Vec<FoundSession>> = Vec::new();
        homes.resize_with(self.shards.len(), Vec::new);
        for session in found.sessions {
            homes[home_of(session.client().as_str(), self.shards.len())].push(session);
        }
        let principal = |owner: &Owner<'_>| authority.recall(owner);
        for (shard, sessions) in self.shards.iter_mut().zip(homes) {
            let (rest, nobody) = (&rest, authority.nobody());
            let restored = Restored { sessions: &sessions, rest, principal: &principal, nobody };
            shard.restore(&restored, now);
        }
    }
}

/// More than any seed holds: what memory pressure refuses is tried elsewhere.
const MEMORY_BYTES: usize = 1 << 30;
