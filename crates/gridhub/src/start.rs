//! Starting the data plane: one thread a reactor, and the log's where there is one.
//!
//! Owns the order: the log is read, each reactor takes in its sessions, then the log's threads
//! start, then reactors serve.

mod shared;

use crate::auth::Authenticator;
use crate::auth::tls::Trust;
use crate::clock::Clock;
use crate::config::{Config, Durability};
use crate::feed::Feed;
use crate::fresh::seed;
use crate::keep::{Entrance, Opened, Sharing, Threads, open};
use crate::latch::Latch;
use crate::net::{Authenticate, Hub, Inbox, Listening, Reactor, ReactorSettings, Reads};
use crate::outlet;
use anyhow::{Context, bail};
use broker::access::Source;
use engine::{Engine, LogEnd, Memory};
use hub::channel::Found as FoundChannel;
use hub::feedback::Outbox;
use hub::job::Board;
use hub::registry::Found as FoundDevice;
use node::devices::home_of_device;
use node::journal::{FoundRequest, FoundSession, SessionId};
use node::shard::home_of;
use node::{Found, Restored, Settings, Shard};
use shared::Shared;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use store::op::{NamespaceId, Sequence};

/// The running data plane.
pub struct DataPlane {
    pub hub: Hub,
    /// Keys of accepted publishes that have not ended.
    pub requests: Vec<FoundRequest>,
    /// Endpoints of the hub's own, to be started.
    pub outlets: outlet::Ready,
    reactors: Vec<JoinHandle<()>>,
    log: Option<Threads>,
}

impl DataPlane {
    /// Waits for the reactors, which were told to stop, then ends the log's threads.
    pub fn join(self) {
        for reactor in self.reactors {
            // One that panicked has nothing left to finish.
            let _ = reactor.join();
        }
        if let Some(log) = self.log {
            log.stop();
        }
    }
}

/// What all reactors share.
struct Common {
    count: usize,
    settings: Shared,
    inboxes: Arc<[Arc<Inbox>]>,
    clock: Clock,
    authenticator: Arc<Authenticator>,
    trust: Option<Arc<Trust>>,
}

/// What of the log one reactor begins with.
struct Begin {
    engine: Engine<node::record::Record>,
    log_end: Sequence,
    clock_record: Option<Sequence>,
    first_session: SessionId,
    sessions: Arc<Vec<FoundSession>>,
    devices: Vec<FoundDevice>,
    /// On reactor 0.
    telemetry: FoundChannel,
    /// Likewise.
    feedback: Outbox,
    /// Likewise.
    jobs: Board,
    rest: Arc<Found>,
}

/// How a reactor goes on once everybody has begun: with the way to the log, if there is one.
type Go = Option<Reads>;

/// Reads the log and starts everything.
///
/// # Errors
/// A log that cannot be read, a system that gives no thread.
pub fn start(
    config: &Config,
    clock: &Clock,
    authenticator: &Arc<Authenticator>,
    (listening, trust): (&[Listening], Option<Arc<Trust>>),
) -> anyhow::Result<DataPlane> {
    let mut opened = match (config.durability, &config.data) {
        (Durability::Memory, _) => None,
        (_, None) => bail!("what is kept needs a data directory"),
        (durability, Some(data)) => Some(open(&data.join(LOG), durability, NAMESPACE)?),
    };
    if let Some(opened) = &opened {
        clock.not_before(opened.found.clock_ms);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let count = config.reactors.unwrap_or(cores).clamp(1, REACTORS_MAX);
    let (mut polls, mut inboxes) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let poll = mio::Poll::new().context("cannot poll")?;
        let waker = mio::Waker::new(poll.registry(), Reactor::WAKER).context("cannot wake")?;
        inboxes.push(Arc::new(Inbox::new(waker)));
        polls.push(poll);
    }
    let (inboxes, settings): (Arc<[_]>, _) =
        (inboxes.into(), Shared::new(config, count, authenticator)?);
    if let Some(opened) = &mut opened {
        opened.begin_channel(settings.hub.as_ref().map(|hub| &*hub.channel), NAMESPACE)?;
    }
    let (clock, authenticator) = (clock.clone(), Arc::clone(authenticator));
    let mut common = Common { count, settings, inboxes, clock, authenticator, trust };
    let entrance = Entrance::new();
    // Beside the sessions: neither asks for the other before the first turn.
    let retained = opened.as_mut().map(|opened| common.restore_retained(opened)).transpose()?;
    let (begins, requests) = match &mut opened {
        Some(opened) => {
            (common.begins_with(&entrance, opened), std::mem::take(&mut opened.found.requests))
        }
        None => (common.begins(), Vec::new()),
    };
    let mut waiting = Waiting::default();
    let found: Vec<_> = begins.iter().map(|begin| Arc::clone(&begin.sessions)).collect();
    let begins = begins.into_iter().zip(Latch::all(count));
    for (me, (poll, begin)) in polls.into_iter().zip(begins).enumerate() {
        let sockets = Reactor::sockets(&poll, listening)?;
        waiting.spawn(&common, me, (poll, sockets), begin)?;
    }
    waiting.begun()?;
    if retained.is_some_and(|thread| thread.join().is_err()) {
        anyhow::bail!("the retained messages could not be taken in");
    }
    let channel = common.settings.hub.as_ref().map(|hub| Arc::clone(&hub.channel));
    let reader = opened.as_ref().map(|opened| opened.log.reader());
    let feed = channel.map(|channel| Feed::new(channel, reader));
    let outlets = std::mem::take(&mut common.settings.outlets);
    let log = opened.map(|opened| entrance.start(opened, common.sharing())).transpose()?;
    let reactors = waiting.go(log.as_ref().map(|log| &log.reads));
    // A million of them take a while to free; nobody waits for that. Without a thread it is here.
    let _ = std::thread::Builder::new().spawn(move || drop(found));
    let watch = log.as_ref().map(|log| Arc::clone(&log.watch));
    let hub = common.settings.hub((common.inboxes, common.clock), watch, feed);
    Ok(DataPlane { hub, requests, outlets, reactors, log })
}

/// Reactors that have not begun to serve.
#[derive(Default)]
struct Waiting {
    threads: Vec<JoinHandle<()>>,
    begun: Vec<Receiver<usize>>,
    go: Vec<Sender<Go>>,
}

impl Waiting {
    fn spawn(
        &mut self,
        common: &Common,
        me: usize,
        (poll, sockets): (mio::Poll, Vec<crate::net::Socket>),
        (begin, latch): (Begin, Latch),
    ) -> anyhow::Result<()> {
        let (began, begun) = channel();
        let (go, may_go) = channel::<Go>();
        let (reactor, settings, restoring) = common.parts(me, begin)?;
        let thread = std::thread::Builder::new().name(format!("reactor-{me}"));
        // A shard is made on its own thread: what it shares inside is not for others.
        self.threads.push(thread.spawn(move || {
            let mut shard = Shard::new(settings);
            // Nobody waits any more if the start was given up.
            let _ = began.send(restoring.run(&mut shard));
            let Ok(reads) = may_go.recv() else { return };
            let settings = ReactorSettings { reads, ..reactor };
            let mut reactor = Reactor::new(poll, settings, shard, sockets);
            reactor.run();
            // What it has of another one's messages is not over because it ends.
            latch.wait();
        })?);
        self.begun.push(begun);
        self.go.push(go);
        Ok(())
    }

    fn begun(&self) -> anyhow::Result<()> {
        let mut ended = 0;
        for begun in &self.begun {
            ended += begun.recv().context("a reactor could not take in its sessions")?;
        }
        if ended > 0 {
            tracing::warn!(ended, "sessions have ended: their owners are not known any more");
        }
        Ok(())
    }

    fn go(self, reads: Option<&Reads>) -> Vec<JoinHandle<()>> {
        for go in self.go {
            // A reactor that is gone has panicked, and its thread says so.
            let _ = go.send(reads.cloned());
        }
        self.threads
    }
}

/// What a reactor's thread does first.
struct Restoring {
    sessions: Arc<Vec<FoundSession>>,
    devices: Vec<FoundDevice>,
    telemetry: FoundChannel,
    feedback: Outbox,
    jobs: Board,
    rest: Arc<Found>,
    authenticator: Arc<Authenticator>,
    clock: Clock,
}

impl Restoring {
    fn run(self, shard: &mut Shard) -> usize {
        let Self { sessions, devices, telemetry, feedback, jobs, rest, .. } = self;
        let (authenticator, clock) = (self.authenticator, self.clock);
        shard.restore_devices(devices);
        shard.restore_channel(telemetry);
        shard.restore_feedback(feedback);
        shard.restore_jobs(jobs);
        let principal = |owner: &node::journal::Owner<'_>| authenticator.recall(owner);
        let nobody = authenticator.nobody();
        let restored = Restored { sessions: &sessions, rest: &rest, principal: &principal, nobody };
        shard.restore(&restored, clock.now())
    }
}

impl Common {
    /// What each reactor begins with where nothing is kept.
    fn begins(&self) -> Vec<Begin> {
        let memory = LogEnd::default();
        let begin = |_| Begin {
            engine: Engine::Memory(Memory::new(memory.clone())),
            log_end: Sequence(0),
            clock_record: None,
            first_session: SessionId(1),
            sessions: Arc::default(),
            devices: Vec::new(),
            telemetry: FoundChannel::default(),
            feedback: Outbox::default(),
            jobs: Board::default(),
            rest: Arc::default(),
        };
        (0..self.count).map(begin).collect()
    }

    /// Takes in the retained messages of the log.
    fn restore_retained(&self, opened: &mut Opened) -> anyhow::Result<JoinHandle<()>> {
        let (found, clock_ms) = (std::mem::take(&mut opened.found.retained), opened.found.clock_ms);
        let account = Arc::clone(self.settings.budget.account(0));
        let retained = Arc::clone(&self.settings.retained);
        let thread = std::thread::Builder::new().name("retained".into());
        Ok(thread.spawn(move || {
            let found = found.into_iter().map(|one| one.restored(&account));
            retained.restore(found, clock_ms);
        })?)
    }

    /// Where a session is at home: a module's is where its device is.
    fn home(&self, session: &FoundSession) -> usize {
        let client = session.client_text();
        match client.split_once('/') {
            Some((device, _)) if session.now().owner.source == Source::Device => {
                home_of_device(device, self.count)
            }
            _ => home_of(client, self.count),
        }
    }

    /// What each reactor begins with.
    fn begins_with(&self, entrance: &Entrance, opened: &mut Opened) -> Vec<Begin> {
        let Opened { found, end, .. } = opened;
        let rest = Arc::new(Found::of(found));
        self.settings.keys.restore(&found.requests, |at| rest.shared.contains(&at));
        let mut homes: Vec<Vec<FoundSession>> = Vec::new();
        homes.resize_with(self.count, Vec::new);
        for session in std::mem::take(&mut found.sessions) {
            homes[self.home(&session)].push(session);
        }
        let mut devices: Vec<Vec<FoundDevice>> = Vec::new();
        devices.resize_with(self.count, Vec::new);
        for device in std::mem::take(&mut found.devices) {
            devices[home_of_device(device.identity.ids().device, self.count)].push(device);
        }
        let mut telemetry = std::mem::take(&mut found.channel);
        let mut feedback = std::mem::take(&mut found.feedback);
        let mut jobs = std::mem::take(&mut found.jobs);
        self.settings.interest.reserve(homes.iter().map(Vec::len).sum());
        let begin = |(me, (sessions, devices))| Begin {
            // Fewer than 65 reactors.
            engine: Engine::Log(entrance.intake.handle(me as u8)),
            log_end: *end,
            clock_record: found.clock_record,
            first_session: found.next_session,
            sessions: Arc::new(sessions),
            devices,
            telemetry: std::mem::take(&mut telemetry),
            feedback: std::mem::take(&mut feedback),
            jobs: std::mem::take(&mut jobs),
            rest: Arc::clone(&rest),
        };
        homes.into_iter().zip(devices).enumerate().map(begin).collect()
    }

    fn parts(
        &self,
        me: usize,
        begin: Begin,
    ) -> anyhow::Result<(ReactorSettings, Settings, Restoring)> {
        let Begin { engine, log_end, clock_record, first_session, sessions, .. } = begin;
        let Begin { devices, telemetry, feedback, jobs, rest, .. } = begin;
        let s = &self.settings;
        let settings = Settings {
            reactor: me,
            reactors: self.count,
            limits: Arc::clone(&s.limits),
            quota: Arc::clone(&s.quota),
            budget: Arc::clone(&s.budget),
            connects: Arc::clone(&s.connects),
            authorizer: s.authorizer.clone(),
            interest: Arc::clone(&s.interest),
            retained: Arc::clone(&s.retained),
            keys: Arc::clone(&s.keys),
            engine,
            log_end,
            clock_record: clock_record.filter(|_| me == 0),
            first_session,
            namespace: NAMESPACE,
            hub: s.hub.clone(),
            counters: Arc::clone(&s.counters[me]),
            seed: seed().context("the system gives no random bytes")?,
        };
        let asked = Arc::clone(&self.authenticator);
        let authenticate: Authenticate = Arc::new(move |request, reply| {
            asked.authenticate(request, reply);
        });
        let reactor = ReactorSettings {
            me,
            inboxes: Arc::clone(&self.inboxes),
            clock: self.clock.clone(),
            authenticate,
            post_bytes_max: s.limits.post_bytes_max,
            openings_max: s.limits.opening_connections_max.div_ceil(self.count),
            reads: None,
            trust: self.trust.clone(),
        };
        let (authenticator, clock) = (Arc::clone(&self.authenticator), self.clock.clone());
        Ok((
            reactor,
            settings,
            Restoring { sessions, devices, telemetry, feedback, jobs, rest, authenticator, clock },
        ))
    }

    fn sharing(&self) -> Sharing {
        let clock = self.clock.clone();
        Sharing {
            inboxes: Arc::clone(&self.inboxes),
            retained: Arc::clone(&self.settings.retained),
            keys: Arc::clone(&self.settings.keys),
            interest: Arc::clone(&self.settings.interest),
            hub: self.settings.hub.clone(),
            wall: Arc::new(move || clock.wall_ms()),
        }
    }
}

/// The log's place in a data directory.
pub const LOG: &str = "log";
/// The one namespace of this process.
pub const NAMESPACE: NamespaceId = NamespaceId(1);
const REACTORS_MAX: usize = 64;
