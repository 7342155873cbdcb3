//! A data plane of a few lines: it authorizes and retains as the real one, and keeps what it was
//! given.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use broker::access::{Authorizer, Manage, PermissionSets, Principal, Source};
use broker::limits::Limits;
use broker::publication::{NEVER, Publication, Watch};
use broker::retained::Retained;
use hub::query::Refused;
use mqtt::message::Message;
use mqtt::reason::Reason;
use node::channel::GroupAsk;
use node::devices::{Asked, Counts, Hub, Page, Scan, Scanned, Shown, Throttles};
use node::door::{PublishRequest, Published};
use node::feedback::FeedbackAsk;
use node::inspect::{SessionDetail, SessionSummary};
use node::jobs::JobAsk;
use node::post::{Deleted, Post};
use tokio::sync::Semaphore;
use tokio::time::Duration;

use super::homes::{HOMES, Homes};
use crate::backup;
use crate::feed::Feed;
use crate::http::backend::{Backend, Family, Kind};
use crate::http::bearer::{Bearer, TokenRefused};
use crate::http::websocket::Upgraded;
use crate::keep::State;
use crate::outlet::Endpoint;

pub struct Double {
    pub seen: Mutex<Vec<PublishRequest>>,
    pub watches: Mutex<Vec<Arc<dyn Watch>>>,
    /// Answers for the next publishes, before any is accepted.
    pub refusals: Mutex<VecDeque<Published>>,
    /// One permit for each publish that may go on.
    pub gate: Semaphore,
    pub ready: AtomicBool,
    pub wall_ms: AtomicU64,
    pub retained: Retained,
    pub limits: Limits,
    pub log: Option<State>,
    pub homes: Option<Homes>,
    authorizer: Authorizer,
}

impl Double {
    pub fn open() -> Self {
        Self::with(Limits::open())
    }

    pub fn with(limits: Limits) -> Self {
        Double {
            seen: Mutex::default(),
            watches: Mutex::default(),
            refusals: Mutex::default(),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            ready: AtomicBool::new(true),
            wall_ms: AtomicU64::new(1_763_719_200_000),
            retained: Retained::new(&limits),
            authorizer: Authorizer::new(&limits),
            log: None,
            homes: None,
            limits,
        }
    }

    /// A double with a log that is doing like this.
    pub fn durable(state: State) -> Self {
        Double { log: Some(state), ..Self::open() }
    }

    /// A double with a hub.
    pub fn hub() -> Self {
        Double { homes: Some(Homes::two()), ..Self::open() }
    }

    /// A double with a hub that may do so much.
    pub fn bound(throttles: Throttles) -> Self {
        Double { homes: Some(Homes::bound(throttles)), ..Self::open() }
    }

    /// A double whose publishes wait for permits.
    pub fn gated() -> Self {
        Double { gate: Semaphore::new(0), ..Self::open() }
    }

    pub fn topics(&self) -> Vec<String> {
        self.seen.lock().unwrap().iter().map(|request| request.topic.clone()).collect()
    }

    fn keep(&self, request: &PublishRequest) {
        if !request.retain {
            return;
        }
        let (topic, payload) = (&*request.topic, &*request.payload);
        let message = Message::new(topic, &request.properties, payload, request.qos, true);
        let now_ms = self.wall_ms.load(Ordering::Relaxed);
        let deadline_ms = message.expiry_s().map_or(NEVER, |s| now_ms + u64::from(s) * 1000);
        let publication = Publication { deadline_ms, ..Publication::new(message) };
        self.retained.apply(&Arc::new(publication), 0, now_ms).unwrap();
    }
}

impl Backend for Arc<Double> {
    async fn publish(&self, who: Arc<Principal>, request: PublishRequest) -> Published {
        self.gate.acquire().await.unwrap().forget();
        if let Some(refusal) = self.refusals.lock().unwrap().pop_front() {
            return refusal;
        }
        if let Err(denied) = self.authorizer.publish(&who.permissions, &request.topic) {
            return Published::Denied(denied);
        }
        self.keep(&request);
        self.watches.lock().unwrap().extend(request.watch.clone());
        let subscribers = u32::from(request.watch.is_some()) * 2;
        self.seen.lock().unwrap().push(request);
        Published::Accepted { sequence: 0, subscribers }
    }

    fn retained(&self) -> &Retained {
        &self.retained
    }

    fn limits(&self) -> &Limits {
        &self.limits
    }

    fn authorizer(&self) -> &Authorizer {
        &self.authorizer
    }

    async fn sessions(&self) -> Vec<SessionSummary> {
        vec![summary("b/1"), summary("a")]
    }

    async fn session(&self, client_id: &str) -> Option<SessionDetail> {
        (client_id == "b/1").then(|| detail(client_id))
    }

    async fn disconnect(&self, client_id: &str) -> bool {
        client_id == "b/1"
    }

    async fn delete(&self, client_id: &str) -> Deleted {
        match client_id {
            "b/1" => Deleted::Done,
            "full" => Deleted::Unstored { why: "the disk is full" },
            _ => Deleted::Absent,
        }
    }

    fn hub(&self) -> Option<&Hub> {
        self.homes.as_ref().map(|homes| &*homes.hub)
    }

    fn feed(&self) -> Option<&Arc<Feed>> {
        self.homes.as_ref().map(|homes| &homes.feed)
    }

    fn endpoints(&self) -> &[Arc<Endpoint>] {
        self.homes.as_ref().map_or(&[], |homes| &homes.endpoints)
    }

    fn groups(&self, ask: GroupAsk) {
        let homes = self.homes.as_ref().expect("nobody asks where there is no hub");
        homes.post(0, Post::Groups(Box::new(ask)));
    }

    fn feedback(&self, ask: FeedbackAsk) {
        let homes = self.homes.as_ref().expect("nobody asks where there is no hub");
        homes.post(0, Post::Feedback(Box::new(ask)));
    }

    fn jobs(&self, ask: JobAsk) {
        let homes = self.homes.as_ref().expect("nobody asks where there is no hub");
        homes.post(0, Post::Jobs(Box::new(ask)));
    }

    fn ask(&self, asked: Asked) {
        let homes = self.homes.as_ref().expect("nobody asks where there is no hub");
        homes.post(homes.of(asked.id.device.as_str()), Post::Asked(Box::new(asked)));
    }

    fn homes(&self) -> usize {
        HOMES
    }

    async fn devices(&self, home: usize, page: Page) -> Option<Vec<Shown>> {
        self.homes.as_ref()?.ask(home, |reply| Post::Devices(Box::new(page), reply)).await
    }

    async fn device_counts(&self) -> Option<Counts> {
        let mut all = Counts::default();
        for home in 0..HOMES {
            let of_home = self.homes.as_ref()?.ask(home, Post::DeviceCounts).await?;
            all.enabled += of_home.enabled;
            all.disabled += of_home.disabled;
        }
        Some(all)
    }

    async fn scan(&self, home: usize, scan: Scan) -> Option<Result<Scanned, Refused>> {
        self.homes.as_ref()?.ask(home, |reply| Post::Scan(Box::new(scan), reply)).await
    }

    fn take_in(&self, _: Upgraded) {
        panic!("a stream in memory is no socket");
    }

    fn counters(&self) -> Vec<Family> {
        let labels = vec![("protocol", "MQTT5".to_owned())];
        vec![Family {
            name: "gridhub_mqtt_request_count_total",
            help: "Requests.",
            kind: Kind::Counter,
            samples: vec![(labels, 7)],
        }]
    }

    fn log(&self) -> Option<State> {
        self.log.clone()
    }

    fn backup(&self) -> Option<backup::Source> {
        self.log.as_ref().map(|_| backup::Source::new(Vec::new(), 5))
    }

    fn wall_ms(&self) -> u64 {
        self.wall_ms.load(Ordering::Relaxed)
    }

    fn advance(&self, by: Duration) {
        self.wall_ms.fetch_add(by.as_millis() as u64, Ordering::Relaxed);
    }

    fn ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }
}

fn summary(client_id: &str) -> SessionSummary {
    SessionSummary {
        client_id: client_id.to_owned(),
        name: "client1".into(),
        connected: true,
        durable: true,
        subscriptions: 1,
        queued_messages: 3,
    }
}

fn detail(client_id: &str) -> SessionDetail {
    SessionDetail {
        summary: summary(client_id),
        protocol: "5",
        home: 1,
        expiry_s: u32::MAX,
        expires_in_s: None,
        keep_alive_s: 60,
        inflight_out: 2,
        inflight_out_max: 10,
        inflight_in: 0,
        queued_bytes: 300,
        queue_messages_max: 100,
        queue_bytes_max: 1000,
        dropped: 4,
        dropped_by: vec![("queue_full", 4)],
        stalled_for_s: Some(2),
        paused_by: vec!["post"],
        paused_for_s: Some(1),
        inflight_carried: 1,
        inflight_bytes: 20,
        alias_bytes: 7,
        alias_bytes_max: 8,
        output_bytes: 5,
        output_bytes_max: 6,
        filters: vec![("x/#".to_owned(), 1)],
        will_topic: None,
    }
}

/// Tokens that are what they say.
pub struct Tokens;

impl Bearer for Tokens {
    fn bearer(&self, token: &str) -> Result<Arc<Principal>, TokenRefused> {
        let all = || vec!["#".to_owned()];
        let (publish, subscribe, manage) = match token {
            "all" | "other" => (all(), all(), Manage::Yes),
            "publisher" => (vec!["devices/#".to_owned()], Vec::new(), Manage::No),
            "subscriber" => (Vec::new(), vec!["devices/#".to_owned()], Manage::No),
            _ => {
                return Err(TokenRefused {
                    why: "the token has expired; get a new one with gridhub token".to_owned(),
                });
            }
        };
        Ok(Arc::new(Principal {
            name: token.into(),
            permissions: PermissionSets::default().intern(publish, subscribe, manage),
            expires_at_ms: None,
            source: Source::Token,
        }))
    }
}

/// As a full reactor would answer.
pub fn quota() -> Published {
    Published::Refused { reason: Reason::QUOTA_EXCEEDED, why: "a queue is full" }
}
