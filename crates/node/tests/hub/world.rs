//! One reactor with a hub, by hand, and where its records become facts.

use broker::access::{Authorizer, Manage, PermissionSets, Principal, SessionQuota, Source};
use broker::budget::Budget;
use broker::limits::Limits;
use broker::rate::SharedBucket;
use broker::retained::Retained;
use broker::subscription::Interest;
use crashdisk::CrashDisk;
use engine::{Committer, Engine, Intake, LogEnd, Memory};
use hub::errors::{ErrorCode, Refusal};
use hub::identity::{Fresh, Generation, IdentityId, Policies, Thumbprint, Wanted};
use hub::twin::Mode;
use hub::{Etag, IfMatch};
use node::channel::begin;
use node::counters::Counters;
use node::devices::{
    Ask, Asked, CertificateNames, Counts, Hub, MakePrincipal, Page, ReadCertificate, Scope,
};
use node::door::Reply;
use node::journal::{Replay, SessionId};
use node::keys::KeyRecords;
use node::now::Now;
use node::post::Post;
use node::record::{Record, settle};
use node::{Found, LinkId, Restored, Settings, Shard, resume};
use std::sync::{Arc, Mutex};
use store::disk::Disk;
use store::log::{Log, Options, Reader};
use store::op::{NamespaceId, Sequence};

const NAMESPACE: NamespaceId = NamespaceId(1);
pub const NOW_MS: u64 = 1_700_000_000_000;
const NOW: Now = Now { mono_ms: 1, wall_ms: NOW_MS };
/// Makes the hub of a world, again after each crash.
type MakeHub = fn() -> Hub;

/// One reactor, and where its records become facts.
pub struct World {
    pub disk: CrashDisk,
    pub shard: Shard,
    pub now: Now,
    retained: Arc<Retained>,
    interest: Arc<Interest>,
    keys: Arc<KeyRecords>,
    committer: Option<Committer<CrashDisk, Record>>,
    told: Vec<Post>,
    /// Connections that were closed, until their devices hear of it.
    pub closed: Vec<LinkId>,
    pub hub: Arc<Hub>,
    pub budget: Arc<Budget>,
    pub counters: Arc<Counters>,
    make: MakeHub,
    numbers: u64,
}

/// An answer that has come, or has not.
pub type Answer<T> = Arc<Mutex<Option<T>>>;
/// The etag after a write, or why there was none.
pub type Patched = Answer<Result<u64, Refusal>>;

impl World {
    pub fn in_memory() -> Self {
        Self::making(hub)
    }

    /// Nothing but a hub: profile `iot-hub`.
    pub fn alone() -> Self {
        Self::making(|| {
            let mut hub = hub();
            hub.scope = Scope::Alone;
            hub
        })
    }

    /// In memory, with a hub of one's own.
    pub fn making(make: MakeHub) -> Self {
        let limits = match make().scope {
            Scope::Alone => Limits::iot_hub(),
            Scope::WithBroker => Limits::open(),
        };
        Self::limited(make, limits)
    }

    /// In memory, with bounds of one's own too.
    pub fn limited(make: MakeHub, limits: Limits) -> Self {
        let engine = Engine::Memory(Memory::new(LogEnd::default()));
        Self::having((CrashDisk::new(1), limits), engine, None, (Arc::new(make()), make))
    }

    pub fn on(disk: CrashDisk) -> Self {
        Self::with(disk, hub)
    }

    /// With a hub of one's own.
    pub fn with(disk: CrashDisk, make: MakeHub) -> Self {
        Self::with_limits(disk, make, Limits::open())
    }

    /// With bounds of one's own.
    pub fn on_limited(disk: CrashDisk, limits: Limits) -> Self {
        Self::with_limits(disk, hub, limits)
    }

    fn with_limits(disk: CrashDisk, make: MakeHub, limits: Limits) -> Self {
        let mut replay = Replay::new();
        let options = Options { segment_bytes: 16 * 1024, identity: 7 };
        let opened = Log::open(disk.clone(), options, |record| replay.take(record).unwrap());
        let mut log = opened.unwrap().log;
        let mut found = replay.finish();
        resume(&mut log, &mut found, NAMESPACE).unwrap();
        let hub = Arc::new(make());
        begin(Some(&hub.channel), &mut log, &mut found.channel, NAMESPACE).unwrap();
        let committer = |log, intake: &Arc<Intake<Record>>| {
            let mut committer = Committer::new(log, Arc::clone(intake));
            committer.step(|_, _| {}, |_, _| {});
            committer.log().cleaner().end_unheld();
            committer
        };
        let intake = Intake::new(|| {});
        let engine = Engine::Log(intake.handle(0));
        let committer = committer(log, &intake);
        let mut world = Self::having((disk, limits), engine, Some(committer), (hub, make));
        world.shard.restore_channel(std::mem::take(&mut found.channel));
        world.shard.restore_devices(std::mem::take(&mut found.devices));
        world.shard.restore_feedback(std::mem::take(&mut found.feedback));
        world.shard.restore_jobs(std::mem::take(&mut found.jobs));
        let shared = found.shared.iter().map(|(at, _)| *at).collect();
        let rest = Found {
            groups: std::mem::take(&mut found.groups),
            shared,
            carried: found.carried.iter().copied().collect(),
        };
        let hub = Arc::clone(&world.hub);
        let nobody = hub.principal("nobody", None);
        world.shard.restore(
            &Restored {
                sessions: &found.sessions,
                rest: &rest,
                principal: &|owner| Some(hub.principal(owner.name, None)),
                nobody,
            },
            NOW,
        );
        world
    }

    fn having(
        (disk, limits): (CrashDisk, Limits),
        engine: Engine<Record>,
        committer: Option<Committer<CrashDisk, Record>>,
        (hub, make): (Arc<Hub>, MakeHub),
    ) -> Self {
        let limits = Arc::new(limits);
        let (interest, retained) = (Arc::new(Interest::new(1)), Arc::new(Retained::new(&limits)));
        let (keys, counters): (Arc<KeyRecords>, Arc<Counters>) = Default::default();
        let budget = Arc::new(Budget::new(1 << 30, None, 1));
        let shard = Shard::new(Settings {
            reactor: 0,
            reactors: 1,
            authorizer: Authorizer::new(&limits),
            limits,
            quota: Arc::new(SessionQuota::new(9)),
            budget: Arc::clone(&budget),
            connects: Arc::new(SharedBucket::default()),
            interest: Arc::clone(&interest),
            retained: Arc::clone(&retained),
            keys: Arc::clone(&keys),
            engine,
            log_end: Sequence(0),
            clock_record: None,
            first_session: SessionId(1),
            hub: Some(Arc::clone(&hub)),
            namespace: NAMESPACE,
            counters: Arc::clone(&counters),
            seed: [1, 7],
        });
        let now = NOW;
        Self {
            now,
            disk,
            shard,
            retained,
            interest,
            keys,
            committer,
            told: Vec::new(),
            closed: Vec::new(),
            hub,
            budget,
            counters,
            make,
            numbers: 0,
        }
    }

    /// The power goes: what was synced is there, and some of the rest.
    pub fn crash(self) -> Self {
        let make = self.make;
        self.crash_into(make)
    }

    /// Likewise, and who starts it again has another hub.
    pub fn crash_into(self, make: MakeHub) -> Self {
        let Self { disk, shard, committer, numbers, now, .. } = self;
        drop((shard, committer));
        disk.crash();
        Self { numbers, now, ..Self::with(disk, make) }
    }

    pub fn post<T: Send + 'static>(&mut self, post: impl FnOnce(Reply<T>) -> Post) -> Answer<T> {
        let answer: Answer<T> = Arc::default();
        let into = Arc::clone(&answer);
        let reply: Reply<T> = Box::new(move |value| {
            let before = into.lock().unwrap().replace(value);
            assert!(before.is_none(), "an answer comes once");
        });
        self.shard.begin(self.now, 0);
        self.shard.post_in(post(reply));
        self.shard.end();
        answer
    }

    /// What has no answer.
    pub fn tell(&mut self, id: &str, ask: Ask) {
        let id = IdentityId::parse(id).unwrap();
        self.turn(|shard| shard.post_in(Post::Asked(Box::new(Asked { id, ask }))));
    }

    pub fn ask<T: Send + 'static>(
        &mut self,
        id: &str,
        ask: impl FnOnce(Reply<T>) -> Ask,
    ) -> Answer<T> {
        let id = IdentityId::parse(id).unwrap();
        self.post(|reply| Post::Asked(Box::new(Asked { id, ask: ask(reply) })))
    }

    /// A turn of the reactor.
    pub fn turn<T>(&mut self, act: impl FnOnce(&mut Shard) -> T) -> T {
        self.shard.begin(self.now, 0);
        let done = act(&mut self.shard);
        self.shard.end();
        done
    }

    /// Time passes.
    pub fn advance(&mut self, by_ms: u64) {
        self.now.wall_ms += by_ms;
        self.now.mono_ms += by_ms;
        self.turn(|_| ());
    }

    /// Whether there is a log.
    pub fn keeps(&self) -> bool {
        self.committer.is_some()
    }

    /// The log, for readers.
    pub fn log(&mut self) -> Option<Reader<<CrashDisk as Disk>::File>> {
        self.committer.as_mut().map(|committer| committer.log().reader())
    }

    /// Gives space back that nobody needs.
    pub fn clean(&mut self) {
        let committer = self.committer.as_mut().unwrap();
        committer.log().cleaner().clean(16 * 1024).unwrap();
    }

    /// One commit, and what follows.
    pub fn commit(&mut self) {
        let Some(committer) = &mut self.committer else { return self.turn(|_| ()) };
        let told = &mut self.told;
        committer.step(
            |fact, needs| {
                settle(fact, needs, &self.retained, &self.interest, &self.keys, self.now.wall_ms);
            },
            |_, facts| told.push(Post::Facts(facts)),
        );
        self.shard.begin(self.now, 0);
        for post in std::mem::take(&mut self.told) {
            self.shard.post_in(post);
        }
        self.shard.end();
    }

    pub fn fresh(&mut self) -> Box<Fresh> {
        self.numbers += 1;
        let generation = Generation::beginning(NOW_MS, self.numbers);
        let (etag, primary, secondary) = (Etag(self.numbers), [1; 32], [2; 32]);
        Box::new(Fresh { generation, etag, primary, secondary, now_ms: NOW_MS })
    }

    pub fn put(&mut self, id: &str, if_match: IfMatch) -> Answer<Result<bool, Refusal>> {
        self.put_as(id, if_match, "{}")
    }

    /// As [`put`](Self::put), of a document.
    pub fn put_as(
        &mut self,
        id: &str,
        if_match: IfMatch,
        document: &str,
    ) -> Answer<Result<bool, Refusal>> {
        let wanted = Wanted::read(document.as_bytes(), IdentityId::parse(id).unwrap()).unwrap();
        let fresh = self.fresh();
        self.ask(id, |reply: Reply<Result<bool, Refusal>>| {
            let reply: Reply<_> = Box::new(move |put: Result<node::devices::Placed, Refusal>| {
                reply(put.map(|placed| placed.is_new));
            });
            Ask::Put(Box::new(wanted), if_match, fresh, reply)
        })
    }

    pub fn patch(&mut self, id: &str, body: &str) -> Patched {
        let body = body.as_bytes().to_vec();
        self.ask(id, |reply: Reply<Result<u64, Refusal>>| {
            let reply: Reply<_> = Box::new(move |shown: Result<_, Refusal>| {
                reply(shown.map(|shown: node::devices::TwinShown| shown.etag.0));
            });
            Ask::WriteTwin(Mode::Merge, body, IfMatch::Any, reply)
        })
    }

    pub fn twin(&mut self, id: &str) -> Result<String, Refusal> {
        let answer = self.ask(id, Ask::Twin);
        self.settled();
        take(&answer).map(|shown| String::from_utf8(shown.json).unwrap())
    }

    pub fn settled(&mut self) {
        (0..50).for_each(|_| self.commit());
    }

    pub fn counts(&mut self) -> Counts {
        take(&self.post(Post::DeviceCounts))
    }

    pub fn devices(&mut self) -> Vec<String> {
        let page = Page { after: None, count: 9 };
        let shown = take(&self.post(|reply| Post::Devices(Box::new(page), reply)));
        shown.iter().map(|shown| shown.identity.names().0.to_owned()).collect()
    }
}

pub fn take<T>(answer: &Answer<T>) -> T {
    answer.lock().unwrap().take().expect("it has come")
}

pub fn code<T: std::fmt::Debug>(answer: Result<T, Refusal>) -> ErrorCode {
    answer.unwrap_err().code
}

pub fn take_after<T>(world: &mut World, ask: impl FnOnce(&mut World) -> Answer<T>) -> T {
    let answer = ask(world);
    world.settled();
    take(&answer)
}

pub fn hub() -> Hub {
    let sets = PermissionSets::default();
    let principal: MakePrincipal = Box::new(move |name, expires_at_ms| {
        let permissions = sets.intern(vec!["#".into()], vec!["#".into()], Manage::No);
        let (name, source) = (name.into(), Source::Device);
        Arc::new(Principal { name, permissions, expires_at_ms, source })
    });
    // A certificate is its common name, twenty times its length the thumbprint.
    let names: ReadCertificate = Box::new(|der| {
        let print = Thumbprint::parse(&format!("{:02x}", der.len()).repeat(20));
        Some(CertificateNames {
            thumbprints: print.into_iter().collect(),
            common_name: String::from_utf8(der.to_vec()).ok(),
        })
    });
    Hub::new(vec!["hub".into()], Policies::default(), principal, names)
}
