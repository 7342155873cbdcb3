//! Homes of devices in memory, each a shard on a thread of its own as in the server: what services
//! ask of them is decided by the real thing.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use broker::access::{Authorizer, Manage, PermissionSets, Principal, SessionQuota, Source};
use broker::budget::Budget;
use broker::limits::Limits;
use broker::rate::SharedBucket;
use broker::retained::Retained;
use broker::subscription::Interest;
use engine::{Engine, LogEnd, Memory};
use hub::identity::{Policies, Policy, Right, Rights};
use hub::sas::{Key, SymmetricKeys};
use node::devices::{Hub, Throttles, home_of_device};
use node::door::Reply;
use node::journal::SessionId;
use node::now::Now;
use node::post::Post;
use node::{Settings, Shard};
use store::op::{NamespaceId, Sequence};
use tokio::sync::oneshot;

use crate::feed::Feed;
use crate::outlet::Endpoint;

pub struct Homes {
    pub hub: Arc<Hub>,
    pub feed: Arc<Feed>,
    pub endpoints: Vec<Arc<Endpoint>>,
    posts: Vec<Sender<Post>>,
}

impl Homes {
    /// Two of them, of the hub `hub` with a policy for each right.
    pub fn two() -> Self {
        Self::bound(Throttles::default())
    }

    /// Of a hub that may do so much.
    pub fn bound(throttles: Throttles) -> Self {
        let (principal, names) = (Box::new(principal), Box::new(|_: &[u8]| None));
        let mut hub = Hub::new(vec!["hub".into()], policies(), principal, names);
        hub.throttles = throttles;
        let hub = Arc::new(hub);
        let (all, inboxes): (Vec<_>, Vec<_>) = (0..HOMES).map(|_| channel::<Post>()).unzip();
        for (me, posts) in inboxes.into_iter().enumerate() {
            let (hub, others) = (Arc::clone(&hub), all.clone());
            std::thread::spawn(move || {
                let mut shard = shard(me, hub);
                for post in posts {
                    let mut post = Some(post);
                    // As many turns as there is something to do at once.
                    while post.is_some() || shard.wait_ms() == Some(0) {
                        shard.begin(Now { mono_ms: 1, wall_ms: WALL_MS }, 0);
                        post.take().into_iter().for_each(|post| shard.post_in(post));
                        shard.end();
                        for (other, inbox) in others.iter().enumerate() {
                            if let Some(batch) = shard.take_post(other) {
                                // Whoever is gone needs nothing more.
                                let _ = inbox.send(Post::Publishes(batch));
                            }
                        }
                    }
                }
            });
        }
        let feed = Feed::new(Arc::clone(&hub.channel), None);
        Homes { posts: all, hub, feed, endpoints: Vec::new() }
    }

    pub fn of(&self, device: &str) -> usize {
        home_of_device(device, HOMES)
    }

    pub fn post(&self, home: usize, post: Post) {
        self.posts[home].send(post).unwrap();
    }

    pub async fn ask<T: Send + 'static>(
        &self,
        home: usize,
        post: impl FnOnce(Reply<T>) -> Post,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.post(home, post(Box::new(move |value| drop(reply.send(value)))));
        answer.await.ok()
    }
}

/// A device that may nothing beside the hub.
fn principal(name: &str, expires_at_ms: Option<u64>) -> Arc<Principal> {
    let permissions = PermissionSets::default().intern(Vec::new(), Vec::new(), Manage::No);
    Arc::new(Principal { name: name.into(), permissions, expires_at_ms, source: Source::Device })
}

/// The policy named after each right, and `owner` with all; the keys are the names' first letters.
fn policies() -> Policies {
    let all = Right::ALL.map(|right| (right.as_str(), Rights::of(&[right])));
    let all = all.into_iter().chain([("owner", Rights::of(&Right::ALL))]);
    let policy = |(name, rights): (&str, Rights)| Policy {
        name: name.into(),
        rights,
        keys: SymmetricKeys { primary: key(name), secondary: Key::generated(&[0; 32]) },
    };
    Policies::new(all.map(policy).collect()).unwrap()
}

/// The primary key of a policy.
pub fn key(policy: &str) -> Key {
    Key::generated(&[policy.len() as u8; 32])
}

fn shard(me: usize, hub: Arc<Hub>) -> Shard {
    let limits = Arc::new(Limits::open());
    Shard::new(Settings {
        reactor: me,
        reactors: HOMES,
        authorizer: Authorizer::new(&limits),
        quota: Arc::new(SessionQuota::new(9)),
        budget: Arc::new(Budget::new(1 << 30, None, HOMES)),
        connects: Arc::new(SharedBucket::default()),
        interest: Arc::new(Interest::new(HOMES)),
        retained: Arc::new(Retained::new(&limits)),
        keys: Arc::default(),
        engine: Engine::Memory(Memory::new(LogEnd::default())),
        log_end: Sequence(0),
        clock_record: None,
        first_session: SessionId(1),
        hub: Some(hub),
        namespace: NamespaceId(1),
        counters: Arc::default(),
        seed: [1, 7],
        limits,
    })
}

pub const HOMES: usize = 2;
/// As the double's clock begins.
const WALL_MS: u64 = 1_763_719_200_000;
