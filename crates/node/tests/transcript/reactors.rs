//! The outer loops of all reactors in one thread: turns, effects, posts and moving connections,
//! as the network does them. No sleeps: the world goes on until nothing is left to do.

use super::authority::Authority;
use super::connection::{Connection, End};
use super::keeping::{Keeping, Kept};
use broker::access::{Authorizer, SessionQuota};
use broker::budget::{Budget, Level};
use broker::limits::Limits;
use broker::publication::KEPT_BYTES;
use broker::rate::SharedBucket;
use broker::retained::Retained;
use broker::subscription::Interest;
use node::auth::{AuthRequest, Listener};
use node::counters::{Counters, Loss};
use node::effect::{Adoption, Effect};
use node::inspect::{SessionDetail, SessionSummary};
use node::journal::SessionId;
use node::now::Now;
use node::post::Post;
use node::{LinkId, Settings, Shard};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::channel;
use store::op::{NamespaceId, Sequence};

/// All reactors of a process.
pub struct Reactors {
    shards: Vec<Shard>,
    counters: Vec<Arc<Counters>>,
    /// The memory of the process.
    budget: Arc<Budget>,
    retained: Arc<Retained>,
    /// Which reactor wants which topics, and what the log keeps for durable sessions.
    interest: Arc<Interest>,
    keeping: Keeping,
    /// Posts for each shard.
    posts: Vec<Vec<Post>>,
    /// Connections on their way to each shard.
    moving: Vec<Vec<(usize, Box<Adoption>)>>,
    /// Which connection sits at a shard's place.
    seats: HashMap<(usize, u32), usize>,
    /// Requests without an answer yet.
    asked: Vec<(usize, LinkId, Box<AuthRequest>)>,
    /// Every connection there ever was.
    pub connections: Vec<Connection>,
    /// The two clocks.
    pub now: Now,
    /// Whether the posts between reactors take anything.
    pub posts_are: Posts,
}

/// How full the posts to other reactors are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posts {
    /// They take more.
    Free,
    /// At their bound.
    Full,
}

impl Reactors {
    /// `n` reactors of one namespace.
    pub fn new(n: usize, limits: &Arc<Limits>, memory_bytes_max: usize, kept: Kept) -> Self {
        let interest = Arc::new(Interest::new(n));
        let retained = Arc::new(Retained::new(limits));
        let quota = Arc::new(SessionQuota::new(limits.sessions_per_name_max));
        let budget = Arc::new(Budget::new(memory_bytes_max, limits.queued_total_bytes_max, n));
        let connects = Arc::new(SharedBucket::default());
        let keeping = Keeping::new(kept);
        let counters: Vec<_> = (0..n).map(|_| Arc::new(Counters::default())).collect();
        let shard = |reactor: usize| {
            Shard::new(Settings {
                reactor,
                reactors: n,
                limits: Arc::clone(limits),
                quota: Arc::clone(&quota),
                budget: Arc::clone(&budget),
                connects: Arc::clone(&connects),
                authorizer: Authorizer::new(limits),
                interest: Arc::clone(&interest),
                retained: Arc::clone(&retained),
                keys: Arc::clone(&keeping.keys),
                engine: keeping.engine(reactor),
                log_end: Sequence(0),
                clock_record: None,
                first_session: SessionId(1),
                hub: None,
                namespace: NamespaceId(1),
                counters: Arc::clone(&counters[reactor]),
                seed: [reactor as u64, 7],
            })
        };
        let shards: Vec<_> = (0..n).map(shard).collect();
        let now = Now { mono_ms: 1_000_000, wall_ms: 1_700_000_000_000 };
        let mut this = Self {
            shards,
            counters,
            budget,
            retained,
            interest,
            keeping,
            posts: Vec::new(),
            moving: Vec::new(),
            seats: HashMap::new(),
            asked: Vec::new(),
            connections: Vec::new(),
            now,
            posts_are: Posts::Free,
        };
        this.posts.resize_with(n, Vec::new);
        this.moving.resize_with(n, Vec::new);
        this.shards.iter_mut().for_each(|s| s.begin(now, 0));
        this
    }

    /// Accepts a connection of a client, on each reactor in turn.
    pub fn accept(&mut self, client: usize) -> usize {
        let at = self.connections.len();
        let reactor = at % self.shards.len();
        let id = self.shards[reactor].accept(Listener::Plain, None);
        self.connections.push(Connection::new(client, (reactor, id)));
        self.seats.insert((reactor, id.slot), at);
        at
    }

    /// The client's socket is gone.
    pub fn lost(&mut self, at: usize) {
        self.connections[at].end = End::Gone;
        self.connections[at].arrived = false;
        if let Some((reactor, id)) = self.connections[at].place.take() {
            self.seats.remove(&(reactor, id.slot));
            self.shards[reactor].lost(id);
        }
    }

    /// A planned stop.
    pub fn shut_down(&mut self) {
        self.shards.iter_mut().for_each(Shard::shut_down);
    }

    /// A post for the home of a client.
    pub fn post_home(&mut self, client: &str, post: Post) {
        let home = self.shards[0].home_of(client);
        self.posts[home].push(post);
    }

    /// A post for each reactor.
    pub fn post_all(&mut self, post: impl Fn() -> Post) {
        self.posts.iter_mut().for_each(|posts| posts.push(post()));
    }

    /// A post for the last reactor: whoever has no home enters anywhere.
    pub fn post_somewhere(&mut self, post: Post) {
        let last = self.posts.len() - 1;
        self.posts[last].push(post);
    }

    /// Messages dropped for one reason, on all reactors.
    pub fn dropped(&self, why: Loss) -> u64 {
        self.counters.iter().map(|c| c.dropped(why)).sum()
    }

    /// Shared groups, messages that wait in them, and messages that members gave back.
    pub fn shared(&self) -> [u64; 3] {
        let sum = |of: fn(&Counters) -> u64| self.counters.iter().map(|c| of(c)).sum();
        [
            sum(|c| c.shared_groups.get()),
            sum(|c| c.shared_waiting.get()),
            sum(|c| c.shared_returned.get()),
        ]
    }

    /// Bytes of data that the process holds, without empty buffers.
    pub fn held_bytes(&self) -> usize {
        self.budget.bytes() - self.budget.spare_bytes()
    }

    /// What of that the retained messages hold.
    pub fn retained_bytes(&self) -> usize {
        let kept = self.retained.counts();
        kept.bytes + kept.messages * KEPT_BYTES
    }

    /// Bytes in the queues of all sessions.
    pub fn queued_bytes(&self) -> usize {
        self.budget.queued_bytes()
    }

    /// How full the process is.
    pub fn level(&self) -> Level {
        self.budget.level()
    }

    /// Publishers that are not read now, and connections without CONNECT.
    pub fn paused_and_opening(&self) -> (u64, u64) {
        let paused = |c: &Arc<Counters>| c.paused.iter().map(|p| p.get()).sum::<u64>();
        let openings = self.counters.iter().map(|c| c.openings.get()).sum();
        (self.counters.iter().map(paused).sum(), openings)
    }

    /// Connections, sessions and subscriptions that are there.
    pub fn left_behind(&self) -> (u64, u64, u64) {
        let sum = |of: fn(&Counters) -> u64| self.counters.iter().map(|c| of(c)).sum();
        let subscriptions = sum(|c| c.subscriptions.get());
        (sum(|c| c.connections.get()), sum(|c| c.sessions.get()), subscriptions)
    }

    /// Filters with a stream in the log, and how many sessions hold each.
    pub fn held(&self) -> BTreeMap<String, u32> {
        let mut all = BTreeMap::new();
        self.interest.each_held(&mut |h| assert!(all.insert(h.text.into(), h.holders).is_none()));
        all
    }

    /// The same as the sessions have it: filters above QoS 0 of those that outlive connections.
    pub fn held_by_sessions(&mut self) -> BTreeMap<String, u32> {
        let mut all = BTreeMap::new();
        for shard in &mut self.shards {
            for client in sessions_of(shard) {
                let detail = session_of(shard, client);
                let filters = detail.filters.into_iter();
                // One that the log keeps goes on being kept until it ends.
                let filters = filters.filter(|_| detail.expiry_s > 0 || detail.summary.durable);
                for (text, _) in filters.filter(|(_, qos)| *qos > 0) {
                    *all.entry(text).or_insert(0) += 1;
                }
            }
        }
        all
    }

    /// Turns of every reactor until nothing is left to do.
    pub fn settle(&mut self, authority: &Authority) {
        for _ in 0..TURNS_MAX {
            let waiting = (0..self.shards.len()).map(|n| usize::from(self.turn(n, authority)));
            let waiting = waiting.sum::<usize>();
            let Self { keeping, retained, interest, posts, now, .. } = self;
            let made = keeping.step(retained, interest, now.wall_ms, posts);
            if waiting == 0 && !made && self.is_quiet(authority) {
                return;
            }
        }
        let waits: Vec<_> = self.shards.iter().map(Shard::wait_ms).collect();
        let asked = self.asked.len();
        let arrived = self.connections.iter().filter(|c| c.arrived).count();
        let posts: Vec<_> = self.posts.iter().map(Vec::len).collect();
        panic!("no rest: waits {waits:?}, asked {asked}, arrived {arrived}, posts {posts:?}");
    }

    fn is_quiet(&self, authority: &Authority) -> bool {
        self.posts.iter().all(Vec::is_empty)
            && !self.asked.iter().any(|(_, _, request)| authority.answer(request).is_some())
            && self.moving.iter().all(Vec::is_empty)
            && !self.connections.iter().any(|c| c.arrived)
    }

    /// One turn; whether the shard has more to do at once.
    fn turn(&mut self, n: usize, authority: &Authority) -> bool {
        let others = ((1 << self.shards.len()) - 1) & !(1 << n);
        let full = if self.posts_are == Posts::Full { others } else { 0 };
        self.shards[n].begin(self.now, full);
        for post in std::mem::take(&mut self.posts[n]) {
            self.shards[n].post_in(post);
        }
        for (at, adoption) in std::mem::take(&mut self.moving[n]) {
            let id = self.shards[n].adopt(Listener::Plain, &adoption);
            self.connections[at].place = Some((n, id));
            self.seats.insert((n, id.slot), at);
        }
        for at in 0..self.connections.len() {
            let here = self.connections[at].place.is_some_and(|(reactor, _)| reactor == n);
            if here && self.connections[at].arrived {
                self.connections[at].arrived = false;
                self.input(at);
            }
        }
        self.answer(n, authority);
        self.finish(n);
        for (to, posts) in self.posts.iter_mut().enumerate() {
            posts.extend(self.shards[n].take_post(to).map(Post::Publishes));
        }
        self.shards[n].wait_ms() == Some(0)
    }

    /// Lets the shard decode what a connection has sent, if it wants to.
    fn input(&mut self, at: usize) {
        let Some((n, id)) = self.connections[at].place else { return };
        if !self.shards[n].wants_input(id) {
            return;
        }
        let bytes = std::mem::take(&mut self.connections[at].unread);
        let used = self.shards[n].input(id, &bytes);
        self.connections[at].unread = bytes[used..].to_vec();
    }

    /// Answers requests about credentials, unless the authority holds them back.
    fn answer(&mut self, n: usize, authority: &Authority) {
        for (at, id, request) in std::mem::take(&mut self.asked) {
            match authority.answer(&request).filter(|_| at == n) {
                Some(outcome) => self.shards[n].post_in(Post::Authenticated(id, outcome)),
                None => self.asked.push((at, id, request)),
            }
        }
    }

    fn finish(&mut self, n: usize) {
        loop {
            self.shards[n].end();
            let mut effects = Vec::new();
            self.shards[n].take_effects(&mut effects);
            if effects.is_empty() {
                break;
            }
            effects.into_iter().for_each(|effect| self.perform(n, effect));
        }
        let mut dirty = Vec::new();
        self.shards[n].take_dirty(&mut dirty);
        for slot in dirty {
            if let Some(at) = self.seats.get(&(n, slot)).copied() {
                self.read(at);
            }
        }
    }

    /// The client reads what waits for it, unless it is stalled.
    pub fn read(&mut self, at: usize) {
        let Some((n, id)) = self.connections[at].place else { return };
        while !self.connections[at].stalled && !self.shards[n].output(id.slot).is_empty() {
            let bytes = self.shards[n].output(id.slot).to_vec();
            self.connections[at].received.extend_from_slice(&bytes);
            self.shards[n].taken(id.slot, bytes.len());
        }
    }

    fn perform(&mut self, n: usize, effect: Effect) {
        match effect {
            Effect::Authenticate(id, request) => self.asked.push((n, id, request)),
            Effect::Close(id, _) => self.close(n, id),
            Effect::Move(id, home, adoption) => {
                let Some(at) = self.seats.remove(&(n, id.slot)) else { return };
                self.connections[at].place = None;
                self.moving[home].push((at, adoption));
            }
            Effect::Resume(id) => {
                let seat = self.seats.get(&(n, id.slot)).copied();
                if let Some(at) = seat.filter(|at| self.connections[*at].place == Some((n, id))) {
                    self.input(at);
                }
            }
            Effect::Read(job) => {
                let post = self.keeping.read(*job);
                self.posts[n].push(post);
            }
            Effect::Notice(_) => {}
        }
    }

    /// What waits is written, then the connection ends.
    fn close(&mut self, n: usize, id: LinkId) {
        let seat = self.seats.get(&(n, id.slot)).copied();
        if let Some(at) = seat.filter(|at| self.connections[*at].place == Some((n, id))) {
            self.connections[at].stalled = false;
            self.read(at);
            self.connections[at].end = End::Closed;
            self.connections[at].arrived = false;
            self.connections[at].place = None;
            self.seats.remove(&(n, id.slot));
        }
        self.shards[n].forget(id);
    }
}

fn sessions_of(shard: &mut Shard) -> Vec<String> {
    let (tell, told) = channel();
    let reply = move |all: Vec<SessionSummary>| tell.send(all).expect("the test waits");
    shard.post_in(Post::Sessions(Box::new(reply)));
    told.recv().expect("answered at once").into_iter().map(|s| s.client_id).collect()
}

fn session_of(shard: &mut Shard, client: String) -> SessionDetail {
    let (tell, told) = channel();
    let reply = move |one: Option<SessionDetail>| tell.send(one).expect("the test waits");
    shard.post_in(Post::Session(client, Box::new(reply)));
    told.recv().expect("answered at once").expect("it is in the list")
}

/// More turns than any script needs.
const TURNS_MAX: usize = 100_000;
