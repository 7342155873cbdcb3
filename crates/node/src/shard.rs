//! One reactor's share of the broker, and the calls its outer loop makes each turn:
//! `begin`, any number of `accept`, `input`, `lost`, `post`, then `end`, then write what is dirty.

use crate::assigned::AssignedIds;
use crate::auth::{Certificate, Listener};
use crate::channel::Keeper;
use crate::devices::Devices;
use crate::durable::{ClockTold, Endings, Watched};
use crate::effect::Effect;
use crate::facts::Heard;
use crate::fanout::Fanout;
use crate::feedback::Desk;
use crate::frames::Frames;
use crate::handover::Handover;
use crate::homes::Homes;
use crate::ingress::FANOUT_PENDING_MAX;
use crate::jobs;
use crate::journal::SessionId;
use crate::keys::KeyRecords;
use crate::link::{Link, LinkId, Pause, Phase};
use crate::meter::Sum;
use crate::now::Now;
use crate::perform::Perform;
use crate::post::PublishBatch;
use crate::seldom::Seldom;
use crate::session::Origin;
use crate::settings::Settings;
use crate::share::HandingOut;
use crate::sweep::SWEEP_MS;
use crate::timers::Timer;
use broker::rate::SharedBucket;
use broker::retained::Retained;
use broker::router::Router;
use mqtt::reason::Reason;
use std::collections::VecDeque;
use std::hash::BuildHasher;
use std::sync::Arc;
use store::op::Sequence;

/// Everything one reactor decides.
pub struct Shard {
    pub(crate) homes: Homes,
    pub(crate) router: Router,
    pub(crate) retained: Arc<Retained>,
    pub(crate) keys: Arc<KeyRecords>,
    pub(crate) perform: Perform,
    pub(crate) heard: Heard,
    /// Sessions that end, until the log knows that.
    pub(crate) endings: Endings,
    pub(crate) devices: Devices,
    /// What this reactor has of the telemetry channel.
    pub(crate) channel: Keeper,
    /// The feedback of commands, on reactor 0.
    pub(crate) feedback: Desk,
    /// Jobs: all on reactor 0, their work here.
    pub(crate) jobs: jobs::Desk,
    /// What the log has of the clock.
    pub(crate) clock: ClockTold,
    /// Messages of which somebody wants to hear how they are delivered.
    pub(crate) watched: Watched,
    /// The next session of this reactor in the log.
    pub(crate) next_session: SessionId,
    pub(crate) fanout: Fanout,
    /// Receivers of fan-out jobs that this turn may still serve.
    fanout_left: usize,
    pub(crate) handovers: VecDeque<Handover>,
    pub(crate) frames: Frames,
    /// What other reactors get at the end of the turn.
    pub(crate) posts: Vec<PublishBatch>,
    /// Reactors whose post takes nothing more now.
    pub(crate) full_posts: u64,
    /// Full posts that the log knows of.
    pub(crate) told_posts: u64,
    pub(crate) post_line: Seldom,
    /// CONNECT of all reactors.
    pub(crate) connects: Arc<SharedBucket>,
    pub(crate) turned_away_line: Seldom,
    /// Publishers that wait for another reactor.
    pub(crate) waiting_for_posts: Vec<Origin>,
    pub(crate) ids: AssignedIds,
    work_left: bool,
}

impl Shard {
    /// An empty shard.
    pub fn new(s: Settings) -> Self {
        let mut posts = Vec::new();
        posts.resize_with(s.reactors, PublishBatch::default);
        Self {
            homes: Homes::new(s.reactor, s.limits, s.quota, s.counters, s.budget),
            router: Router::new(s.authorizer, s.interest, s.reactor),
            retained: s.retained,
            keys: s.keys,
            perform: Perform::new(s.engine, s.namespace),
            heard: Heard::new(s.reactors, s.log_end.0),
            endings: Endings::default(),
            devices: Devices::new(s.hub),
            channel: Keeper::default(),
            feedback: Desk::default(),
            jobs: jobs::Desk::default(),
            clock: ClockTold { at: s.clock_record },
            watched: Watched::default(),
            next_session: SessionId(s.first_session.0 + s.reactor as u64),
            fanout: Fanout::default(),
            fanout_left: 0,
            handovers: VecDeque::new(),
            frames: Frames::default(),
            posts,
            full_posts: 0,
            told_posts: 0,
            post_line: Seldom::default(),
            connects: s.connects,
            turned_away_line: Seldom::default(),
            waiting_for_posts: Vec::new(),
            ids: AssignedIds::new(s.seed),
            work_left: false,
        }
    }

    /// A turn begins: the time, and which reactors' posts are full (bit n = reactor n).
    pub fn begin(&mut self, now: Now, full_posts: u64) {
        self.homes.now = now;
        self.fanout_left = self.fanout.share(self.homes.limits.fanout_per_turn_max, now.mono_ms);
        self.homes.heard = Sequence(self.heard.up_to);
        self.homes.meter.begin(self.retained.index_bytes());
        self.feel();
        self.see_posts(full_posts);
        if self.homes.me == 0 {
            self.homes.arm(Timer::Sweep, now.wall_ms + SWEEP_MS);
        }
        if full_posts == 0 && !self.waiting_for_posts.is_empty() {
            for origin in std::mem::take(&mut self.waiting_for_posts) {
                self.unpause(origin, Pause::Post);
            }
        }
        while let Some(timer) = self.homes.timers.pop(now.mono_ms, now.wall_ms) {
            match timer {
                Timer::Link(link) => self.link_due(link),
                Timer::Session(slot) => self.session_due(slot),
                Timer::Token(link) => self.token_due(link),
                Timer::Calls => self.calls_due(),
                Timer::Feedback => self.feedback_due(),
                Timer::Jobs => self.jobs.wake(),
                Timer::Late => self.late_due(),
                Timer::Sweep => self.sweep(),
                Timer::Progress => self.keep_progress(),
            }
        }
        if self.jobs.take_due() {
            self.jobs_due();
        }
    }

    /// A new connection; `certificate` is the client's, verified by TLS.
    pub fn accept(&mut self, listener: Listener, certificate: Option<Certificate>) -> LinkId {
        self.accept_since(listener, certificate, self.homes.now.mono_ms)
    }

    /// The same for a connection that began earlier elsewhere: one deadline covers all that comes
    /// before CONNACK (core.md 6).
    pub fn accept_since(
        &mut self,
        listener: Listener,
        certificate: Option<Certificate>,
        began_ms: u64,
    ) -> LinkId {
        let link = Link::new(listener, certificate, began_ms, &self.homes.meter.openings);
        let (slot, generation) = self.homes.links.insert(link);
        let deadline_ms = u64::from(self.homes.limits.connect_deadline_s) * 1_000;
        self.homes.arm(Timer::Link(slot), began_ms + deadline_ms);
        LinkId { slot, generation }
    }

    /// The certificate of a connection whose TLS handshake ended after `accept`.
    pub fn identify(&mut self, id: LinkId, certificate: Certificate) {
        if let Some(l) = self.homes.links.get_mut(id.slot, id.generation) {
            l.extra.get_or_insert_default().certificate = Some(certificate);
        }
    }

    /// The TLS of a connection has called this server so (SNI). The hub's own names say nothing
    /// new; one that is none of them may be what a device has signed (iot-hub A3).
    pub fn called(&mut self, id: LinkId, server_name: &str) {
        let is_new = self.devices.hub.as_ref().is_some_and(|hub| !hub.is_host(server_name));
        if let Some(l) = self.homes.links.get_mut(id.slot, id.generation).filter(|_| is_new) {
            l.extra.get_or_insert_default().server_name = Some(server_name.into());
        }
    }

    /// A turn ends: what the log made a fact goes on, fan-out and hand-overs run their share.
    pub fn end(&mut self) {
        self.keep_begun();
        if self.jobs.is_busy() {
            self.jobs_end_turn();
        }
        self.settle();
        let Self { homes, router, posts, full_posts, fanout, fanout_left, frames, .. } = self;
        let mut out = HandingOut { homes, router, posts, full_posts: *full_posts };
        for origin in fanout.run(&mut out, frames, fanout_left, FANOUT_PENDING_MAX) {
            self.unpause(origin, Pause::Fanout);
        }
        let more = !self.handovers.is_empty() && self.run_handovers();
        self.end_overflowed();
        // A will of an ended session may have come.
        self.keep_begun();
        self.settle();
        if self.endings.is_any_refused() && !self.perform.is_idle() {
            // What the disk takes now, it takes with them.
            self.end_refused();
        }
        if self.devices.hub.as_ref().is_some_and(|hub| hub.channel.is_over()) {
            self.keep_channel();
        }
        self.perform.flush();
        self.share_turn();
        self.tell_account();
        self.homes.end_notices();
        let has_work = self.shares_left() || self.jobs.has_work();
        self.work_left = more || !self.fanout.is_empty() || has_work;
        self.show();
    }

    /// What there is, for whoever asks for the counters.
    pub(crate) fn show(&self) {
        let subscriptions = self.router.index.subscriptions() + self.homes.shares.len();
        let counters = &self.homes.counters;
        counters.openings.set(self.homes.meter.openings.get() as u64);
        counters.connections.set(self.homes.links.len() as u64);
        counters.sessions.set(self.homes.sessions.len() as u64);
        counters.subscriptions.set(subscriptions as u64);
    }

    /// Whether messages with many receivers are being handed out.
    #[inline]
    pub fn fans_out(&self) -> bool {
        !self.fanout.is_empty()
    }

    /// Milliseconds until there is something to do without input; 0 = at once.
    pub fn wait_ms(&self) -> Option<u64> {
        if self.work_left || !self.waiting_for_posts.is_empty() {
            return Some(u64::from(!self.work_left));
        }
        self.homes.timers.wait_ms(self.homes.now.mono_ms, self.homes.now.wall_ms)
    }

    /// What is to be done outside, in order, before anything is accepted or adopted: the places
    /// of connections that move are free from now on.
    pub fn take_effects(&mut self, into: &mut Vec<Effect>) {
        while let Some(id) = self.homes.moving.pop() {
            self.forget(id);
        }
        into.append(&mut self.homes.effects);
    }

    /// Places of connections with bytes to write, each once.
    pub fn take_dirty(&mut self, into: &mut Vec<u32>) {
        for link in self.homes.dirty.drain(..) {
            if let Some(l) = self.homes.links.at_mut(link) {
                l.flags.dirty = false;
                l.output.count(&mut self.homes.pool);
                into.push(link);
            }
        }
    }

    /// Bytes came from a socket.
    #[inline]
    pub fn count_input(&self, n: usize) {
        self.homes.counters.bytes_in.add(n as u64);
    }

    /// Connections whose CONNECT has not come.
    #[inline]
    pub fn openings(&self) -> usize {
        self.homes.meter.openings.get()
    }

    /// Newcomers wait because too many connections have not sent their CONNECT.
    pub fn count_crowd(&self) {
        self.homes.counters.crowds.add(1);
    }

    /// Where the outer loop counts bytes of connections that are not decoded yet.
    pub fn unread(&self) -> &Sum {
        &self.homes.meter.unread
    }

    /// The bytes that wait for the connection at this place.
    #[inline]
    pub fn output(&self, link: u32) -> &[u8] {
        self.homes.links.at(link).map_or(&[], |l| l.output.pending())
    }

    /// The socket took `n` of them.
    #[inline]
    pub fn taken(&mut self, link: u32, n: usize) {
        let Some(l) = self.homes.links.at_mut(link) else { return };
        l.output.taken(n, &mut self.homes.pool);
        let (left, slot) = (l.output.len(), l.session());
        // A hand-over that waits for room may have it now, and nothing else may wake us.
        self.work_left |= !self.handovers.is_empty();
        self.homes.counters.bytes_out.add(n as u64);
        if let Some(slot) = slot
            && left < self.homes.output_bytes_max / 2
            && let Some(session) = self.homes.sessions.at(slot)
            && (session.is_held_up() || session.losses.is_some())
        {
            self.homes.pump(slot);
            self.homes.keeps_up(slot);
            // Groups may have more for it, and nothing else may wake us.
            self.work_left |= self.shares_left();
        }
    }

    /// The turn's publishes for another reactor.
    pub fn take_post(&mut self, reactor: usize) -> Option<Box<PublishBatch>> {
        let batch = self.posts.get_mut(reactor)?;
        if batch.is_empty() {
            return None;
        }
        let mut batch = std::mem::take(batch);
        batch.charge = Some(self.homes.meter.charge(batch.own_bytes()));
        batch.after = self.heard.with[reactor];
        Some(Box::new(batch))
    }

    /// The home of a client's session.
    pub fn home_of(&self, client: &str) -> usize {
        home_of(client, self.posts.len())
    }

    /// The largest packet the client behind a link takes.
    pub(crate) fn packet_max(&self, link: u32) -> usize {
        let slot = self.homes.links.at(link).and_then(|l| l.session());
        let max = slot.and_then(|s| self.homes.sessions.at(s)).map_or(u32::MAX, |s| s.packet_max);
        max as usize
    }

    pub(crate) fn new_client_id(&mut self) -> String {
        self.ids.next()
    }

    /// A connection's deadline may have passed: CONNECT, or keep-alive (3.1.2-22).
    fn link_due(&mut self, link: u32) {
        let now_ms = self.homes.now.mono_ms;
        let Some(l) = self.homes.links.at_mut(link) else { return };
        let connect_ms = u64::from(self.homes.limits.connect_deadline_s) * 1_000;
        let (silence_max_ms, why) = match l.phase {
            Phase::Opening(_) => (connect_ms, "no CONNECT came in time"),
            Phase::Authenticating(_) => (connect_ms, "authentication took too long"),
            Phase::Attaching(..) => (connect_ms, "the disk took too long"),
            Phase::Attached(_) if l.keep_alive_s > 0 => {
                if l.flags.paused != 0 {
                    // Its packets wait in the socket because we do not read.
                    l.last_seen_ms = now_ms;
                }
                (crate::connect::keep_alive_ms(l.keep_alive_s), "no packet within the keep alive")
            }
            _ => return,
        };
        let due_ms = l.last_seen_ms + silence_max_ms;
        if due_ms > now_ms {
            return self.homes.arm(Timer::Link(link), due_ms);
        }
        let client = self.homes.client_of(link);
        self.homes.refused(&client, Reason::KEEP_ALIVE_TIMEOUT, "deadline", why.to_owned());
        self.disconnect(link, Reason::KEEP_ALIVE_TIMEOUT, why);
    }

    /// A connection's token may have ended (event-grid 3.5).
    fn token_due(&mut self, link: u32) {
        let now_ms = self.homes.now.wall_ms;
        let ends = self.homes.links.at(link).and_then(|l| l.extra.as_ref()?.expires_at_ms);
        match ends {
            Some(at) if at <= now_ms => {
                let why = "the token has expired; renew it with AUTH or connect again";
                let client = self.homes.client_of(link);
                self.homes.refused(&client, Reason::NOT_AUTHORIZED, "token", why.to_owned());
                self.disconnect(link, Reason::NOT_AUTHORIZED, why);
            }
            Some(at) => self.homes.arm(Timer::Token(link), at),
            None => {}
        }
    }
}

/// The home reactor of a client's session, the same on every reactor (core.md 3).
pub fn home_of(client: &str, reactors: usize) -> usize {
    if reactors <= 1 {
        return 0;
    }
    let hash = foldhash::quality::FixedState::with_seed(0).hash_one(client);
    // Fewer than 65 reactors; the remainder is below that.
    (hash % reactors as u64) as usize
}
