//! Reactors, their log on a disk, and clients that answer everything but one message.

mod clients;
mod turns;

use super::account::Account;
use super::client::Got;
use broker::access::{Authorizer, Manage, PermissionSets, Principal, SessionQuota, Source};
use broker::budget::Budget;
use broker::limits::{Limits, QueueFull};
use broker::rate::SharedBucket;
use broker::retained::Retained;
use broker::subscription::Interest;
use crashdisk::{CrashDisk, CrashFile};
use engine::{Committer, Engine, Intake};
use node::counters::{Counters, Loss};
use node::journal::{Owner, Replay};
use node::keys::KeyRecords;
use node::now::Now;
use node::post::Post;
use node::record::Record;
use node::shard::home_of;
use node::{Found, LinkId, Restored, Settings, Shard, resume};
use std::collections::BTreeMap;
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

    /// Ends a session.
    pub fn delete(&mut self, name: &str) {
        let home = home_of(name, self.shards.len());
        self.posts[home].push(Post::Delete(name.to_owned(), Box::new(|_| ())));
        self.settle();
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

    fn input(&mut self, At(reactor, link): At, bytes: &[u8]) {
        self.shards[reactor].begin(self.now, 0);
        assert_eq!(self.shards[reactor].input(link, bytes), bytes.len());
    }
}

fn principal(name: &str) -> Arc<Principal> {
    let all = || vec!["#".to_owned()];
    let permissions = PermissionSets::default().intern(all(), all(), Manage::No);
    let (name, source) = (name.into(), Source::Certificate);
    Arc::new(Principal { name, permissions, expires_at_ms: None, source })
}

const OPTIONS: Options = Options { segment_bytes: 64 * 1024, identity: 7 };
const NAMESPACE: NamespaceId = NamespaceId(1);
