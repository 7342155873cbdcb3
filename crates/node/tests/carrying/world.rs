//! Reactors, their log on a disk, and clients that answer everything but one message.

use super::client::{self, Got, Heard};
use broker::access::{Authorizer, Manage, PermissionSets, Principal, SessionQuota, Source};
use broker::budget::Budget;
use broker::limits::{Limits, QueueFull};
use broker::rate::SharedBucket;
use broker::retained::Retained;
use broker::subscription::Interest;
use crashdisk::{CrashDisk, CrashFile};
use engine::{Committer, Engine, Intake, Step};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::wire::AckKind;
use node::auth::{AuthOutcome, Listener};
use node::counters::{Counters, Loss};
use node::effect::Effect;
use node::journal::{Owner, Replay};
use node::keys::KeyRecords;
use node::now::Now;
use node::post::Post;
use node::record::{Record, settle};
use node::shard::home_of;
use node::{Found, LinkId, Restored, Settings, Shard, answer, resume};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use store::log::{Cleaner, Log, Options, Reader};
use store::op::{NamespaceId, Sequence};

/// How far behind a message under way may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub behind_records: usize,
    pub after_s: u32,
    /// Of a session or group.
    pub queue_messages_max: usize,
    pub queue_full: QueueFull,
}

impl Default for Bounds {
    fn default() -> Self {
        let limits = Limits::open();
        Self {
            behind_records: limits.carried_behind_records_max,
            after_s: limits.carried_after_s,
            queue_messages_max: limits.session_queue_messages_max,
            queue_full: limits.queue_full,
        }
    }
}

/// A connection: its reactor and place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At(usize, LinkId);

/// The files as they were behind a commit.
pub struct Moment {
    pub name: String,
    pub files: Files,
}

pub type Files = BTreeMap<String, Vec<u8>>;

pub struct World {
    shards: Vec<Shard>,
    committer: Committer<CrashDisk, Record>,
    reader: Reader<CrashFile>,
    cleaner: Cleaner<CrashDisk>,
    disk: CrashDisk,
    retained: Arc<Retained>,
    interest: Arc<Interest>,
    keys: Arc<KeyRecords>,
    bounds: Bounds,
    now: Now,
    posts: Vec<Vec<Post>>,
    clients: BTreeMap<String, At>,
    /// What clients have not answered.
    inbox: BTreeMap<String, Vec<Got>>,
    counters: Vec<Arc<Counters>>,
    moments: Option<Vec<Moment>>,
    last_id: u16,
    /// Bytes of what others than the first are.
    pub payload_bytes: usize,
    /// So many commits from now the power goes.
    pub power: Option<usize>,
    pub account: Account,
}

/// What clients know, whatever happens to the server.
#[derive(Default)]
pub struct Account {
    /// What a publisher has sent under each identifier.
    sent: BTreeMap<PacketId, Vec<u8>>,
    /// What it was promised.
    pub accepted: Vec<Vec<u8>>,
    /// Identifiers of QoS 2 that a client has taken and that were not released.
    held: BTreeMap<String, BTreeSet<PacketId>>,
    /// How often a message was taken as a new one.
    pub taken: BTreeMap<Vec<u8>, usize>,
    /// The same at QoS 2.
    pub taken_once: BTreeMap<Vec<u8>, usize>,
    /// How many messages were carried before the last start.
    carried: u64,
}

impl World {
    pub fn new(bounds: Bounds) -> Self {
        Self::with(1, bounds)
    }

    pub fn with(reactors: usize, bounds: Bounds) -> Self {
        Self::on(reactors, bounds, Files::new()).0
    }

    /// A start on what a disk holds; how many messages lie there that were carried for nothing.
    pub fn on(reactors: usize, bounds: Bounds, files: Files) -> (Self, usize) {
        let disk = CrashDisk::holding(files);
        let (mut replay, mut carried) = (Replay::new(), Vec::new());
        let log = Log::open(disk.clone(), OPTIONS, |record| {
            replay.take(record).unwrap();
            if record.kind.0 == 15 && record.hold == store::log::Hold::UntilReleased {
                carried.push(record.sequence);
            }
        });
        let (mut log, mut found) = (log.unwrap().log, replay.finish());
        let unneeded = carried.iter().filter(|at| found.stale.binary_search(at).is_ok()).count();
        assert_eq!(unneeded + found.carried.len(), carried.len(), "each is one or the other");
        let end = resume(&mut log, &mut found, NAMESPACE).unwrap();
        let (reader, cleaner) = (log.reader(), log.cleaner());
        let intake = Intake::new(|| {});
        let committer = Committer::new(log, Arc::clone(&intake));
        let mut limits = Limits::open();
        limits.carried_behind_records_max = bounds.behind_records;
        limits.carried_after_s = bounds.after_s;
        limits.session_queue_messages_max = bounds.queue_messages_max;
        limits.queue_full = bounds.queue_full;
        let limits = Arc::new(limits);
        let interest = Arc::new(Interest::new(reactors));
        let retained = Arc::new(Retained::new(&limits));
        let (quota, keys) = (Arc::new(SessionQuota::new(99)), Arc::default());
        let counters: Vec<_> = (0..reactors).map(|_| Arc::<Counters>::default()).collect();
        let shard = |reactor: usize| {
            Shard::new(Settings {
                reactor,
                reactors,
                limits: Arc::clone(&limits),
                quota: Arc::clone(&quota),
                budget: Arc::new(Budget::new(1 << 30, None, reactors)),
                connects: Arc::new(SharedBucket::default()),
                authorizer: Authorizer::new(&limits),
                interest: Arc::clone(&interest),
                retained: Arc::clone(&retained),
                keys: Arc::clone(&keys),
                engine: Engine::Log(intake.handle(reactor as u8)),
                log_end: end,
                clock_record: found.clock_record.filter(|_| reactor == 0),
                first_session: found.next_session,
                namespace: NAMESPACE,
                counters: Arc::clone(&counters[reactor]),
                hub: None,
                seed: [reactor as u64, 7],
            })
        };
        let mut shards: Vec<Shard> = (0..reactors).map(shard).collect();
        let rest = Found {
            shared: found.shared.iter().map(|(at, _)| *at).collect(),
            carried: found.carried.iter().copied().collect(),
            groups: std::mem::take(&mut found.groups),
        };
        let now = Now { mono_ms: 1_000, wall_ms: 1_700_000_000_000 };
        let (mut homes, sessions) = (Vec::new(), std::mem::take(&mut found.sessions));
        homes.resize_with(reactors, Vec::new);
        for session in sessions {
            homes[home_of(session.client_text(), reactors)].push(session);
        }
        let principal = |owner: &Owner<'_>| Some(principal(owner.name));
        for (shard, sessions) in shards.iter_mut().zip(&homes) {
            let (rest, nobody) = (&rest, self::principal("nobody"));
            shard.restore(&Restored { sessions, rest, principal: &principal, nobody }, now);
        }
        let mut posts = Vec::new();
        posts.resize_with(reactors, Vec::new);
        let mut world = Self {
            shards,
            committer,
            reader,
            cleaner,
            disk,
            retained,
            interest,
            keys,
            bounds,
            now,
            posts,
            clients: BTreeMap::new(),
            inbox: BTreeMap::new(),
            counters,
            moments: None,
            last_id: 0,
            payload_bytes: 100,
            power: None,
            account: Account::default(),
        };
        world.committer.step(|_, _| {}, |_, _| {});
        world.cleaner.end_unheld();
        (world, unneeded)
    }

    /// The power goes; what was committed is there.
    pub fn crash(self) -> Self {
        let (last_id, payload_bytes) = (self.last_id, self.payload_bytes);
        let carried = self.count_carried();
        let world = Self::on(self.shards.len(), self.bounds, self.disk.contents()).0;
        let account = Account { carried, ..self.account };
        Self { last_id, payload_bytes, account, ..world }
    }

    /// How many messages were carried.
    pub fn count_carried(&self) -> u64 {
        self.account.carried + self.counters.iter().map(|c| c.carried.get()).sum::<u64>()
    }

    /// How many messages were dropped because a queue was full, since the start.
    pub fn count_dropped(&self) -> u64 {
        self.counters.iter().map(|c| c.dropped(Loss::QueueFull)).sum()
    }

    /// Whether the power has gone.
    pub fn is_dark(&self) -> bool {
        self.power == Some(0)
    }

    /// Whether a client is.
    pub fn is_connected(&self, name: &str) -> bool {
        self.clients.contains_key(name)
    }

    /// What a client has not answered, and may answer.
    pub fn unanswered(&self, at: At) -> Vec<Got> {
        self.inbox.get(&self.name(at)).cloned().unwrap_or_default()
    }

    /// Some time.
    pub fn pass_ms(&mut self, ms: u64) {
        self.now.mono_ms += ms;
        self.settle();
    }

    pub fn watch_commits(&mut self) {
        self.moments = Some(Vec::new());
    }

    pub fn moments(&mut self) -> Vec<Moment> {
        self.moments.take().unwrap()
    }

    pub fn connect(&mut self, name: &str) -> At {
        let reactor = home_of(name, self.shards.len());
        let shard = &mut self.shards[reactor];
        shard.begin(self.now, 0);
        let link = shard.accept(Listener::Plain, None);
        let expiry_s = if name == PUBLISHER { 0 } else { u32::MAX };
        shard.input(link, &client::connect(name, expiry_s));
        shard.authenticated(link, AuthOutcome::Granted(principal(name)));
        let at = At(reactor, link);
        self.inbox.remove(name);
        self.clients.insert(name.to_owned(), at);
        self.settle();
        at
    }

    pub fn link(&self, name: &str) -> At {
        self.clients[name]
    }

    pub fn lose(&mut self, at: At) {
        self.shards[at.0].lost(at.1);
        let name = self.name(at);
        self.clients.remove(&name);
        self.inbox.remove(&name);
        self.settle();
    }

    /// Ends a session.
    pub fn delete(&mut self, name: &str) {
        let home = home_of(name, self.shards.len());
        self.posts[home].push(Post::Delete(name.to_owned(), Box::new(|_| ())));
        self.settle();
    }

    pub fn subscribe(&mut self, at: At, filter: &str, qos: QoS) {
        self.input(at, &client::subscribe(filter, qos, false));
        self.settle();
    }

    /// Not to what the client publishes itself.
    pub fn subscribe_to_others(&mut self, at: At, filter: &str, qos: QoS) {
        self.input(at, &client::subscribe(filter, qos, true));
        self.settle();
    }

    /// What a client got and has not answered.
    pub fn take(&mut self, at: At) -> Vec<Got> {
        self.settle();
        let name = self.name(at);
        self.inbox.remove(&name).unwrap_or_default()
    }

    pub fn answer(&mut self, at: At, got: &Got) {
        let name = self.name(at);
        self.inbox.entry(name).or_default().retain(|one| one.packet_id != got.packet_id);
        let kind = match got.qos {
            QoS::ExactlyOnce => AckKind::PubRec,
            _ => AckKind::PubAck,
        };
        self.input(at, &client::answer(kind, got.packet_id));
        self.settle();
    }

    /// Everything that a client gets, which it answers.
    pub fn take_and_answer(&mut self, at: At) -> Vec<Got> {
        let mut all = Vec::new();
        loop {
            let got = self.take(at);
            if got.is_empty() {
                return all;
            }
            got.iter().for_each(|one| self.answer(at, one));
            all.extend(got);
        }
    }

    pub fn publish_first(&mut self, qos: QoS) {
        self.publish(qos, b"the first");
        self.settle();
    }

    /// So many others, which whoever gets them answers; all that is left is the first.
    pub fn publish_others(&mut self, count: usize, qos: QoS) {
        for n in 0..count {
            self.publish(qos, format!("{n} {}", "x".repeat(self.payload_bytes)).as_bytes());
            if n % AT_ONCE == AT_ONCE - 1 || n + 1 == count {
                self.now.mono_ms += 20;
                self.settle();
                self.answer_others();
            }
        }
    }

    /// Time enough for everything that is told late.
    pub fn pass_time(&mut self) {
        let seconds = (2 * u64::from(self.bounds.after_s) + 8).min(60);
        for _ in 0..seconds {
            self.now.mono_ms += 1_000;
            self.settle();
            self.answer_others();
        }
    }

    /// Cleans as far as that goes; the bytes that are left.
    pub fn clean(&mut self) -> u64 {
        for _ in 0..100 {
            self.cleaner.clean(OPTIONS.segment_bytes).unwrap();
            self.cleaner.release_tombstones();
        }
        self.disk.bytes()
    }

    /// Records of messages that a start would find carried.
    pub fn carried(&self) -> Vec<Sequence> {
        let mut replay = Replay::new();
        let disk = CrashDisk::holding(self.disk.contents());
        Log::open(disk, OPTIONS, |record| replay.take(record).unwrap()).unwrap();
        replay.finish().carried
    }

    fn answer_others(&mut self) {
        let names: Vec<String> = self.clients.keys().cloned().collect();
        loop {
            let mut quiet = true;
            for name in &names {
                let at = self.clients[name];
                for got in self.inbox.remove(name).unwrap_or_default() {
                    if got.payload != b"the first" {
                        quiet = false;
                        let kind = match got.qos {
                            QoS::ExactlyOnce => AckKind::PubRec,
                            _ => AckKind::PubAck,
                        };
                        self.input(at, &client::answer(kind, got.packet_id));
                    } else {
                        self.inbox.entry(format!("{name} unanswered")).or_default().push(got);
                    }
                }
            }
            if quiet {
                break;
            }
            self.settle();
        }
        for name in names {
            if let Some(first) = self.inbox.remove(&format!("{name} unanswered")) {
                self.inbox.insert(name, first);
            }
        }
    }

    /// One message.
    pub fn publish(&mut self, qos: QoS, payload: &[u8]) {
        let at = match self.clients.get(PUBLISHER) {
            Some(at) => *at,
            None => self.connect(PUBLISHER),
        };
        self.publish_from(at, qos, payload);
    }

    /// One message of this client.
    pub fn publish_from(&mut self, at: At, qos: QoS, payload: &[u8]) {
        self.last_id = self.last_id % 60_000 + 1;
        self.account.sent.insert(PacketId::new(self.last_id).unwrap(), payload.to_vec());
        self.input(at, &client::publish(self.last_id, qos, payload));
    }

    fn input(&mut self, At(reactor, link): At, bytes: &[u8]) {
        self.shards[reactor].begin(self.now, 0);
        assert_eq!(self.shards[reactor].input(link, bytes), bytes.len());
    }

    fn name(&self, at: At) -> String {
        self.clients.iter().find(|(_, other)| **other == at).unwrap().0.clone()
    }

    /// Everything that can happen without time happens, or the power goes.
    pub fn settle(&mut self) {
        for _ in 0..10_000 {
            if self.is_dark() {
                return;
            }
            let mut busy = false;
            for n in 0..self.shards.len() {
                busy |= self.turn(n);
            }
            busy |= self.commit();
            if self.is_dark() {
                return;
            }
            busy |= self.read_all();
            if !busy && self.posts.iter().all(Vec::is_empty) {
                return;
            }
        }
        let waits: Vec<_> = self.shards.iter().map(Shard::wait_ms).collect();
        let posts: Vec<_> = self.posts.iter().map(Vec::len).collect();
        panic!("no rest: waits {waits:?}, posts {posts:?}");
    }

    fn turn(&mut self, n: usize) -> bool {
        self.shards[n].begin(self.now, 0);
        for post in std::mem::take(&mut self.posts[n]) {
            self.shards[n].post_in(post);
        }
        loop {
            self.shards[n].end();
            let mut effects = Vec::new();
            self.shards[n].take_effects(&mut effects);
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                match effect {
                    Effect::Read(job) => self.posts[n].push(answer(&self.reader, *job)),
                    Effect::Close(id, _) => self.shards[n].forget(id),
                    _ => {}
                }
            }
        }
        for (to, posts) in self.posts.iter_mut().enumerate() {
            posts.extend(self.shards[n].take_post(to).map(Post::Publishes));
        }
        self.shards[n].wait_ms() == Some(0)
    }

    fn commit(&mut self) -> bool {
        let Self { committer, retained, interest, keys, posts, now, .. } = self;
        let step = committer.step(
            |fact, needs| settle(fact, needs, retained, interest, keys, now.wall_ms),
            |reactor, facts| posts[reactor].push(Post::Facts(facts)),
        );
        if self.moments.is_some() || self.power.is_some() {
            self.cleaner.clean(OPTIONS.segment_bytes).unwrap();
        }
        if let (Step::Committed(_), Some(moments)) = (&step, &mut self.moments) {
            let name = format!("commit {} at {} ms", moments.len(), self.now.mono_ms);
            moments.push(Moment { name, files: self.disk.contents() });
        }
        if let (Step::Committed(_), Some(left)) = (&step, &mut self.power) {
            *left = left.saturating_sub(1);
        }
        !matches!(step, Step::Idle)
    }

    /// Clients read what waits for them, and end QoS 2 as they should.
    fn read_all(&mut self) -> bool {
        let mut busy = false;
        for (name, At(reactor, link)) in self.clients.clone() {
            let bytes = self.shards[reactor].output(link.slot).to_vec();
            self.shards[reactor].taken(link.slot, bytes.len());
            for one in client::heard(&bytes) {
                match one {
                    Heard::Publish(got) => {
                        self.account.take(&name, &got);
                        self.inbox.entry(name.clone()).or_default().push(got);
                    }
                    Heard::PubAck(id) => self.account.accept(id),
                    Heard::PubRel(id) => {
                        busy = true;
                        self.account.release(&name, id);
                        let done = client::answer(AckKind::PubComp, id);
                        self.input(At(reactor, link), &done);
                    }
                    Heard::PubRec(id) => {
                        busy = true;
                        self.account.accept(id);
                        let next = client::answer(AckKind::PubRel, id);
                        self.input(At(reactor, link), &next);
                    }
                    Heard::Other => {}
                }
            }
        }
        busy
    }
}

impl Account {
    fn take(&mut self, client: &str, got: &Got) {
        let held = self.held.entry(client.to_owned()).or_default();
        let is_new = got.qos < QoS::ExactlyOnce || held.insert(got.packet_id);
        if is_new && got.qos == QoS::ExactlyOnce {
            *self.taken_once.entry(got.payload.clone()).or_insert(0) += 1;
        }
        if is_new {
            *self.taken.entry(got.payload.clone()).or_insert(0) += 1;
        }
    }

    fn release(&mut self, client: &str, id: PacketId) {
        self.held.entry(client.to_owned()).or_default().remove(&id);
    }

    fn accept(&mut self, id: PacketId) {
        self.accepted.extend(self.sent.remove(&id));
    }
}

fn principal(name: &str) -> Arc<Principal> {
    let all = || vec!["#".to_owned()];
    let permissions = PermissionSets::default().intern(all(), all(), Manage::No);
    let (name, source) = (name.into(), Source::Certificate);
    Arc::new(Principal { name, permissions, expires_at_ms: None, source })
}

const PUBLISHER: &str = "p";
const AT_ONCE: usize = 50;
const OPTIONS: Options = Options { segment_bytes: 64 * 1024, identity: 7 };
const NAMESPACE: NamespaceId = NamespaceId(1);
