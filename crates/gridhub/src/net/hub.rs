//! What the control plane may ask of the data plane: everything goes by posts to reactors.

use crate::backup::Source;
use crate::clock::Clock;
use crate::feed::Feed;
use crate::http::backend::{Backend, Family};
use crate::http::websocket::Upgraded;
use crate::keep::{State, Watch};
use crate::net::inbox::{Inbox, Parcel};
use crate::net::metrics;
use crate::outlet::Endpoint;
use broker::access::{Authorizer, Principal};
use broker::budget::Budget;
use broker::limits::Limits;
use broker::retained::Retained;
use hub::query::Refused;
use mqtt::reason::Reason;
use node::channel::{GroupAsk, Taken};
use node::counters::Counters;
use node::devices::{Asked, Counts, Hub as Devices, Page, Scan, Scanned, Shown, home_of_device};
use node::door::{Ingress, PublishRequest, Published, Reply};
use node::feedback::FeedbackAsk;
use node::inspect::{SessionDetail, SessionSummary};
use node::jobs::JobAsk;
use node::post::{Deleted, Post};
use node::shard::home_of;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// A handle on all reactors. Cheap to clone.
#[derive(Clone)]
pub struct Hub(Arc<Inner>);

struct Inner {
    inboxes: Arc<[Arc<Inbox>]>,
    counters: Vec<Arc<Counters>>,
    retained: Arc<Retained>,
    budget: Arc<Budget>,
    limits: Arc<Limits>,
    authorizer: Authorizer,
    clock: Clock,
    devices: Option<Arc<Devices>>,
    feed: Option<Arc<Feed>>,
    endpoints: Arc<[Arc<Endpoint>]>,
    log: Option<Arc<Watch>>,
    ready: AtomicBool,
    /// WebSockets handed over, to deal them out.
    websockets: AtomicUsize,
}

/// What a hub is made of.
pub struct HubSettings {
    /// Every reactor's post.
    pub inboxes: Arc<[Arc<Inbox>]>,
    /// Every reactor's counters.
    pub counters: Vec<Arc<Counters>>,
    /// Retained messages.
    pub retained: Arc<Retained>,
    /// The memory of the process.
    pub budget: Arc<Budget>,
    /// Bounds of the namespace.
    pub limits: Arc<Limits>,
    /// Who may what.
    pub authorizer: Authorizer,
    /// The clocks.
    pub clock: Clock,
    /// What all homes of devices share, where there is a hub.
    pub devices: Option<Arc<Devices>>,
    /// Its telemetry, for readers.
    pub feed: Option<Arc<Feed>>,
    /// Its own endpoints.
    pub endpoints: Arc<[Arc<Endpoint>]>,
    /// The log, where there is one.
    pub log: Option<Arc<Watch>>,
}

impl Hub {
    /// A hub that is not ready.
    pub fn new(s: HubSettings) -> Self {
        Self(Arc::new(Inner {
            inboxes: s.inboxes,
            counters: s.counters,
            retained: s.retained,
            budget: s.budget,
            limits: s.limits,
            authorizer: s.authorizer,
            clock: s.clock,
            devices: s.devices,
            feed: s.feed,
            endpoints: s.endpoints,
            log: s.log,
            ready: AtomicBool::new(false),
            websockets: AtomicUsize::new(0),
        }))
    }

    /// Every listener accepts, or a stop has begun.
    pub fn set_ready(&self, ready: bool) {
        self.0.ready.store(ready, Ordering::Release);
    }

    /// Ends every connection and then the reactors.
    pub fn stop(&self) {
        self.set_ready(false);
        for inbox in self.0.inboxes.iter() {
            inbox.send(Parcel::Stop);
        }
    }

    /// Every reactor's counters.
    pub fn reactor_counters(&self) -> &[Arc<Counters>] {
        &self.0.counters
    }

    /// Publishes a retained message of the broker itself.
    pub fn tell(&self, request: PublishRequest) {
        self.post(0, Post::Own(Box::new(request)));
    }

    /// How far an endpoint has taken what goes to it.
    pub fn taken(&self, taken: Taken) {
        self.post(0, Post::Taken(Box::new(taken)));
    }

    fn ingress(&self, principal: Arc<Principal>, request: PublishRequest, reply: Reply<Published>) {
        // One principal's publishes take one way, so that they keep their order.
        let home = home_of(&principal.name, self.0.inboxes.len());
        self.post(home, Post::Ingress(Box::new(Ingress { principal, request, reply })));
    }

    fn post(&self, reactor: usize, post: Post) {
        self.0.inboxes[reactor].send(Parcel::Post(post));
    }

    /// Asks the homes of a client until one knows it; `None` if the reactor is gone.
    async fn ask_client<T: Send + 'static>(
        &self,
        client: &str,
        post: impl Fn(String, Reply<T>) -> Post,
        knows: impl Fn(&T) -> bool,
    ) -> Option<T> {
        let mut answer = None;
        for home in self.homes_of(client) {
            answer = self.ask_home(home, |reply| post(client.to_owned(), reply)).await;
            if answer.as_ref().is_some_and(&knows) {
                break;
            }
        }
        answer
    }

    /// Where a client may be at home: a module is where its device is, and who else is called like
    /// one is where any client is.
    fn homes_of(&self, client: &str) -> impl Iterator<Item = usize> {
        let (count, own) = (self.homes(), home_of(client, self.homes()));
        let device = client.split_once('/').filter(|_| self.0.devices.is_some());
        let of_device = device.map(|(device, _)| home_of_device(device, count));
        [own].into_iter().chain(of_device.filter(|home| *home != own))
    }

    /// Asks a reactor; `None` if it is gone.
    async fn ask_home<T: Send + 'static>(
        &self,
        home: usize,
        post: impl FnOnce(Reply<T>) -> Post,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.post(home, post(Box::new(move |value| drop(reply.send(value)))));
        answer.await.ok()
    }
}

impl Backend for Hub {
    async fn publish(&self, who: Arc<Principal>, request: PublishRequest) -> Published {
        let (reply, answer) = oneshot::channel();
        self.ingress(who, request, Box::new(move |published| drop(reply.send(published))));
        answer.await.unwrap_or(Published::Refused {
            reason: Reason::SERVER_SHUTTING_DOWN,
            why: "the server shuts down",
        })
    }

    fn retained(&self) -> &Retained {
        &self.0.retained
    }

    fn limits(&self) -> &Limits {
        &self.0.limits
    }

    fn authorizer(&self) -> &Authorizer {
        &self.0.authorizer
    }

    async fn sessions(&self) -> Vec<SessionSummary> {
        let mut all = Vec::new();
        for reactor in 0..self.0.inboxes.len() {
            all.extend(self.ask_home(reactor, Post::Sessions).await.unwrap_or_default());
        }
        all.sort_by(|a, b| a.client_id.cmp(&b.client_id));
        all
    }

    async fn session(&self, client_id: &str) -> Option<SessionDetail> {
        self.ask_client(client_id, Post::Session, Option::is_some).await.flatten()
    }

    async fn disconnect(&self, client_id: &str) -> bool {
        self.ask_client(client_id, Post::Disconnect, |done| *done).await.unwrap_or(false)
    }

    async fn delete(&self, client_id: &str) -> Deleted {
        let known = |deleted: &Deleted| !matches!(deleted, Deleted::Absent);
        self.ask_client(client_id, Post::Delete, known).await.unwrap_or(Deleted::Absent)
    }

    fn hub(&self) -> Option<&Devices> {
        self.0.devices.as_deref()
    }

    fn feed(&self) -> Option<&Arc<Feed>> {
        self.0.feed.as_ref()
    }

    fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.0.endpoints
    }

    fn groups(&self, ask: GroupAsk) {
        self.post(0, Post::Groups(Box::new(ask)));
    }

    fn feedback(&self, ask: FeedbackAsk) {
        self.post(0, Post::Feedback(Box::new(ask)));
    }

    fn jobs(&self, ask: JobAsk) {
        self.post(0, Post::Jobs(Box::new(ask)));
    }

    fn ask(&self, asked: Asked) {
        let home = home_of_device(asked.id.device.as_str(), self.0.inboxes.len());
        self.post(home, Post::Asked(Box::new(asked)));
    }

    fn homes(&self) -> usize {
        self.0.inboxes.len()
    }

    async fn devices(&self, home: usize, page: Page) -> Option<Vec<Shown>> {
        self.ask_home(home, |reply| Post::Devices(Box::new(page), reply)).await
    }

    async fn device_counts(&self) -> Option<Counts> {
        let mut all = Counts::default();
        for home in 0..self.homes() {
            let of_home = self.ask_home(home, Post::DeviceCounts).await?;
            all.enabled += of_home.enabled;
            all.disabled += of_home.disabled;
            all.connected += of_home.connected;
        }
        Some(all)
    }

    async fn scan(&self, home: usize, scan: Scan) -> Option<Result<Scanned, Refused>> {
        self.ask_home(home, |reply| Post::Scan(Box::new(scan), reply)).await
    }

    fn take_in(&self, upgraded: Upgraded) {
        // Its home is not known before CONNECT: any reactor will do.
        let turn = self.0.websockets.fetch_add(1, Ordering::Relaxed);
        let reactor = turn % self.0.inboxes.len();
        self.0.inboxes[reactor].send(Parcel::TakeIn(Box::new(upgraded)));
    }

    fn counters(&self) -> Vec<Family> {
        metrics::families(&self.0.counters, &self.0.retained, &self.0.budget)
    }

    fn log(&self) -> Option<State> {
        self.0.log.as_ref().map(|log| log.state())
    }

    fn backup(&self) -> Option<Source> {
        let log = self.0.log.as_ref()?;
        Some(Source::new(log.pieces(), self.0.clock.wall_ms()))
    }

    fn wall_ms(&self) -> u64 {
        self.0.clock.wall_ms()
    }

    fn advance(&self, by: Duration) {
        self.0.clock.advance(by);
        // Deadlines that have passed now must not wait for the next packet.
        for inbox in self.0.inboxes.iter() {
            inbox.send(Parcel::Wake);
        }
    }

    fn ready(&self) -> bool {
        self.0.ready.load(Ordering::Acquire)
    }
}
