//! One reactor with its clients, clocks and an operator. Refuses to know what clients mean.

use std::sync::Arc;

use broker::access::{Authorizer, Manage, PermissionSets, Principal, SessionQuota, Source};
use broker::budget::Budget;
use broker::limits::{Limits, QueueFull};
use broker::publication::KEPT_BYTES;
use broker::rate::SharedBucket;
use broker::retained::Retained;
use broker::subscription::Interest;
use engine::{Engine, LogEnd, Memory};
use mqtt::reason::Reason;
use node::auth::{AuthOutcome, AuthRequest, Listener};
use node::counters::Counters;
use node::door::{Ingress, PublishRequest};
use node::effect::Effect;
use node::journal::SessionId;
use node::now::Now;
use node::post::Post;
use node::{LinkId, Settings, Shard};
use store::op::{NamespaceId, Sequence};

use super::client::Client;
use super::speech;
use crate::choices::Choices;

/// Everything around one shard.
pub struct World {
    shard: Shard,
    counters: Arc<Counters>,
    budget: Arc<Budget>,
    retained: Arc<Retained>,
    now: Now,
    /// Connections, the latest of each seat.
    clients: Vec<Option<Client>>,
    /// Requests without an answer yet.
    asked: Vec<(LinkId, Box<AuthRequest>)>,
    posts: Vec<Post>,
    sets: PermissionSets,
}

impl World {
    /// An empty reactor with small bounds.
    pub fn new(c: &mut Choices<'_>) -> Self {
        let limits = Arc::new(limits(c));
        let counters = Arc::new(Counters::default());
        let budget = Arc::new(Budget::new(MEMORY_BYTES, limits.queued_total_bytes_max, 1));
        let retained = Arc::new(Retained::new(&limits));
        let mut shard = Shard::new(Settings {
            reactor: 0,
            reactors: 1,
            quota: Arc::new(SessionQuota::new(limits.sessions_per_name_max)),
            budget: Arc::clone(&budget),
            connects: Arc::new(SharedBucket::default()),
            authorizer: Authorizer::new(&limits),
            interest: Arc::new(Interest::new(1)),
            retained: Arc::clone(&retained),
            keys: Arc::default(),
            engine: Engine::Memory(Memory::new(LogEnd::default())),
            log_end: Sequence(0),
            clock_record: None,
            first_session: SessionId(1),
            hub: None,
            namespace: NamespaceId(1),
            counters: Arc::clone(&counters),
            seed: [1, 7],
            limits,
        });
        let now = Now { mono_ms: 1_000_000, wall_ms: 1_700_000_000_000 };
        shard.begin(now, 0);
        let mut clients = Vec::new();
        clients.resize_with(SEATS, || None);
        let (asked, posts, sets) = (Vec::new(), Vec::new(), PermissionSets::default());
        Self { shard, counters, budget, retained, now, clients, asked, posts, sets }
    }

    /// One thing happens.
    pub fn step(&mut self, c: &mut Choices<'_>) {
        let seat = c.below(SEATS);
        match c.below(24) {
            0 => self.connect(c, seat),
            1 => self.lose(seat),
            2 => self.now.wall_ms += c.pick(&[1, 1_000, 20_000, 100_000]),
            3 => self.now.mono_ms += c.pick(&[1, 1_000, 20_000, 100_000]),
            4 => self.stall(seat),
            5 => self.raw(c, seat),
            6 => self.publish(c),
            7 => self.operator(c),
            8..=11 => self.answer(c, seat),
            12..=15 => self.turn(),
            _ => self.say(c, seat),
        }
    }

    fn connect(&mut self, c: &mut Choices<'_>, seat: usize) {
        self.lose(seat);
        let listener = c.pick(&[Listener::Plain, Listener::Tls]);
        let mut client = Client::new(self.shard.accept(listener, None));
        client.version = speech::connect(c, &mut client.unread);
        if c.one_in(16) {
            let at = c.below(client.unread.len().min(256));
            client.unread[at] ^= 1 << c.below(8);
            // The version may be another one now: the server's answer tells in which it speaks.
            client.version = mqtt::wire::Version::V5;
            return self.blind(client, seat);
        }
        self.clients[seat] = Some(client);
    }

    /// A CONNECT that may say anything: only that nothing panics is looked at.
    fn blind(&mut self, mut client: Client, seat: usize) {
        let Some(id) = client.place else { return };
        let bytes = std::mem::take(&mut client.unread);
        self.shard.input(id, &bytes);
        self.turn();
        self.shard.lost(id);
        self.clients[seat] = None;
    }

    fn say(&mut self, c: &mut Choices<'_>, seat: usize) {
        if self.clients[seat].is_none() {
            return self.connect(c, seat);
        }
        let Some(client) = &mut self.clients[seat] else { return };
        let mut bytes = Vec::new();
        speech::packet(c, client.version, &mut bytes);
        if bytes.is_empty() {
            return;
        }
        if c.one_in(32) {
            let at = c.below(bytes.len().min(256));
            bytes[at] ^= 1 << c.below(8);
        }
        self.send(c, seat, &bytes);
    }

    /// In one piece or in two with a turn between.
    fn send(&mut self, c: &mut Choices<'_>, seat: usize, bytes: &[u8]) {
        let cut = if c.one_in(4) { c.below(bytes.len().min(256)) } else { bytes.len() };
        let (first, second) = bytes.split_at(cut);
        for piece in [first, second] {
            if let Some(client) = &mut self.clients[seat] {
                client.unread.extend_from_slice(piece);
            }
            if !second.is_empty() {
                self.turn();
            }
        }
    }

    fn raw(&mut self, c: &mut Choices<'_>, seat: usize) {
        let len = c.below(24);
        let bytes = c.take(len);
        if let Some(client) = self.clients[seat].as_mut().filter(|c| c.observer.is_open()) {
            client.unread.extend_from_slice(bytes);
        }
    }

    fn answer(&mut self, c: &mut Choices<'_>, seat: usize) {
        let Some(client) = &mut self.clients[seat] else { return };
        let open: Vec<_> = client.observer.open().collect();
        if open.is_empty() {
            return;
        }
        let (id, open) = c.pick(&open[..open.len().min(256)]);
        speech::answer(c, client.version, id, open, &mut client.unread);
    }

    /// The network loses the connection.
    fn lose(&mut self, seat: usize) {
        if let Some(id) = self.clients[seat].take().and_then(|client| client.place) {
            self.shard.lost(id);
        }
    }

    fn stall(&mut self, seat: usize) {
        if let Some(client) = &mut self.clients[seat] {
            client.stalled = !client.stalled;
        }
    }

    /// HTTP Publish.
    fn publish(&mut self, c: &mut Choices<'_>) {
        let request = PublishRequest {
            topic: c.pick(speech::TOPICS).to_owned(),
            qos: speech::level(c),
            retain: c.one_in(3),
            properties: Vec::new(),
            payload: vec![b'h'; c.pick(&[0, 5, 500])],
            watch: None,
            key: None,
        };
        let principal = self.principal("http", "#");
        let ingress = Ingress { principal, request, reply: Box::new(|_| ()) };
        self.posts.push(Post::Ingress(Box::new(ingress)));
    }

    fn operator(&mut self, c: &mut Choices<'_>) {
        let client = c.pick(speech::CLIENTS).to_owned();
        self.posts.push(match c.below(4) {
            0 => Post::Disconnect(client, Box::new(|_| ())),
            1 => Post::Delete(client, Box::new(|_| ())),
            2 => Post::Session(client, Box::new(|_| ())),
            _ => Post::Sessions(Box::new(|_| ())),
        });
        if c.one_in(32) {
            self.shard.shut_down();
        }
    }

    /// One turn of the reactor, and further ones while it has work that needs no input.
    fn turn(&mut self) {
        for _ in 0..TURNS_MAX {
            self.shard.begin(self.now, 0);
            for post in std::mem::take(&mut self.posts) {
                self.shard.post_in(post);
            }
            for seat in 0..SEATS {
                self.input(seat);
            }
            self.authenticate();
            self.finish();
            if self.shard.wait_ms() != Some(0) {
                return;
            }
        }
        panic!("no rest: the shard has always something to do");
    }

    fn input(&mut self, seat: usize) {
        let Some(client) = &mut self.clients[seat] else { return };
        let Some(id) = client.place.filter(|id| self.shard.wants_input(*id)) else { return };
        let bytes = std::mem::take(&mut client.unread);
        let max = self.shard.read_max(id).unwrap_or(usize::MAX).min(bytes.len());
        let used = self.shard.input(id, &bytes[..max]);
        assert!(used <= max);
        client.observer.taken(&bytes[..used], client.version);
        client.unread = bytes[used..].to_vec();
    }

    /// Answers, but for the client `held`.
    fn authenticate(&mut self) {
        for (id, request) in std::mem::take(&mut self.asked) {
            match &*request.client_id {
                "held" if request.renewal_of.is_none() => self.asked.push((id, request)),
                "no" => {
                    let (reason, rule) = (Reason::NOT_AUTHORIZED, "script");
                    let refused = AuthOutcome::Refused { reason, why: "no".to_owned(), rule };
                    self.shard.post_in(Post::Authenticated(id, refused));
                }
                client => {
                    let filters = if client == "few" { "a/#" } else { "#" };
                    let granted = AuthOutcome::Granted(self.principal(client, filters));
                    self.shard.post_in(Post::Authenticated(id, granted));
                }
            }
        }
    }

    fn principal(&self, name: &str, filters: &str) -> Arc<Principal> {
        let all = || vec![filters.to_owned()];
        let permissions = self.sets.intern(all(), all(), Manage::No);
        let source = Source::Token;
        Arc::new(Principal { name: name.into(), permissions, expires_at_ms: None, source })
    }

    /// The turn ends: effects, and what waits for sockets.
    fn finish(&mut self) {
        for _ in 0..TURNS_MAX {
            self.shard.end();
            let mut effects = Vec::new();
            self.shard.take_effects(&mut effects);
            let quiet = effects.is_empty();
            for effect in effects {
                self.perform(effect);
            }
            let mut dirty = Vec::new();
            self.shard.take_dirty(&mut dirty);
            for seat in 0..SEATS {
                self.read(seat);
            }
            if quiet {
                return;
            }
        }
        panic!("no rest: effects without end");
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Authenticate(id, request) => self.asked.push((id, request)),
            Effect::Close(id, _) => self.close(id),
            Effect::Resume(id) => {
                let here = |client: &Option<Client>| {
                    client.as_ref().is_some_and(|client| client.place == Some(id))
                };
                if let Some(seat) = self.clients.iter().position(here) {
                    self.input(seat);
                }
            }
            Effect::Move(..) => panic!("there is one reactor"),
            Effect::Read(_) | Effect::Notice(_) => {}
        }
    }

    fn close(&mut self, id: LinkId) {
        for seat in 0..SEATS {
            let Some(client) = &mut self.clients[seat] else { continue };
            if client.place == Some(id) {
                client.stalled = false;
                self.read(seat);
                if let Some(client) = &mut self.clients[seat] {
                    client.place = None;
                    client.observer.closed();
                }
            }
        }
        self.shard.forget(id);
    }

    /// The client reads what waits for it.
    fn read(&mut self, seat: usize) {
        let Some(client) = &mut self.clients[seat] else { return };
        let Some(id) = client.place.filter(|_| !client.stalled) else { return };
        while !self.shard.output(id.slot).is_empty() {
            let bytes = self.shard.output(id.slot).to_vec();
            client.observer.receives(&bytes, client.version);
            self.shard.taken(id.slot, bytes.len());
        }
        client.observer.caught_up();
    }

    /// Everybody goes; keep-alives, wills and expiries pass. Nothing is left.
    pub fn end(&mut self) {
        self.turn();
        for _ in 0..4 {
            (0..SEATS).for_each(|seat| self.lose(seat));
            self.turn();
            self.now.wall_ms += 3_600_000;
            self.now.mono_ms += 3_600_000;
        }
        self.turn();
        let c = Arc::clone(&self.counters);
        let gauges = [
            &c.connections,
            &c.sessions,
            &c.subscriptions,
            &c.openings,
            &c.shared_groups,
            &c.shared_waiting,
        ];
        let left = gauges.map(|gauge| gauge.get());
        if left != [0; 6] {
            self.posts.push(Post::Sessions(Box::new(|all| eprintln!("{all:?}"))));
            self.turn();
        }
        let what = "connections, sessions, subscriptions, openings, shared groups, waiting in them";
        assert_eq!(left, [0; 6], "{what}");
        assert_eq!(self.budget.queued_bytes(), 0, "bytes in queues");
        let held = self.budget.bytes() - self.budget.spare_bytes();
        let kept = self.retained.counts();
        let retained = kept.bytes + kept.messages * KEPT_BYTES;
        assert_eq!(held, retained, "bytes of the budget, and of them retained");
        let paused: u64 = c.paused.iter().map(|count| count.get()).sum();
        assert_eq!(paused, 0, "publishers that are not read");
    }
}

/// Bounds that are soon met, and a policy of the fuzzer's choice.
fn limits(c: &mut Choices<'_>) -> Limits {
    let mut limits = if c.one_in(4) { Limits::event_grid() } else { Limits::open() };
    limits.session_queue_messages_max = 5;
    limits.output_bytes_max = c.pick(&[300, 2_000]);
    limits.receive_max = 3;
    limits.packet_bytes_max = 2_000;
    limits.topic_alias_max = 2;
    limits.fanout_per_turn_max = 3;
    limits.publisher_pending_max = 4;
    limits.retained_messages_max = 3;
    limits.session_expiry_max_s = 60;
    limits.queue_full = c.pick(&[
        QueueFull::DropOldest,
        QueueFull::DropNewest,
        QueueFull::Refuse,
        QueueFull::EndSession,
    ]);
    limits
}

const SEATS: usize = 5;
/// Small enough that a fuzzer comes to the mark.
const MEMORY_BYTES: usize = 64 * 1024;
const TURNS_MAX: usize = 10_000;
