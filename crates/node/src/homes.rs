//! The sessions at home on one reactor, the connections it holds, and what both share.

use crate::counters::Counters;
use crate::durable::{Begin, Changed, Late};
use crate::effect::{Effect, Linger, Notice};
use crate::link::LinkId;
use crate::link::{Link, Phase};
use crate::meter::{Held, Meter};
use crate::now::Now;
use crate::output::Pool;
use crate::pace::Pace;
use crate::session::{Origin, Session};
use crate::share::{KeptGroups, Memberships};
use crate::slots::Slots;
use crate::timers::{Timer, Timers};
use broker::access::{SessionQuota, Source};
use broker::budget::Budget;
use broker::limits::Limits;
use broker::subscription::SessionRef;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use mqtt::reason::Reason;
use std::hash::BuildHasher;
use std::sync::Arc;
use store::log::Need;
use store::op::Sequence;

/// Sessions, connections, and the lists that a turn fills.
pub(crate) struct Homes {
    /// This reactor's number.
    pub me: usize,
    pub limits: Arc<Limits>,
    pub quota: Arc<SessionQuota>,
    pub counters: Arc<Counters>,
    pub now: Now,
    pub sessions: Slots<Session>,
    pub links: Slots<Link>,
    by_client: HashTable<u32>,
    hasher: RandomState,
    /// Links with bytes to write, each once.
    pub dirty: Vec<u32>,
    pub pool: Pool,
    pub meter: Meter,
    /// Output that one connection may hold: the namespace's bound, less under pressure.
    pub output_bytes_max: usize,
    /// How fast one connection may publish, where that is bounded.
    pub pace: Option<Pace>,
    pub timers: Timers,
    pub shares: Memberships,
    /// Shared groups at home here that the log keeps.
    pub kept_groups: KeptGroups,
    /// How far this reactor has heard of the log.
    pub heard: Sequence,
    /// What waits in the shared groups at home here, as part of `meter.queued`.
    pub group_bytes: Held,
    pub effects: Vec<Effect>,
    /// Links that move to their home: their places are taken until the outer loop is told, which
    /// has their sockets under these numbers.
    pub moving: Vec<LinkId>,
    /// What groups have changed of what the log has to keep.
    pub needs: Vec<Need>,
    /// QoS 2 exchanges that the log has to know of before they begin.
    pub begun: Vec<Begin>,
    /// Sessions whose delivery the log has to hear of.
    pub progress: Changed,
    /// Sessions with messages that keep much of the log.
    pub late: Late,
    /// Sessions that end because their queue overflowed.
    pub overflowed: Vec<SessionRef>,
    notices: u64,
}

impl Homes {
    pub fn new(
        me: usize,
        limits: Arc<Limits>,
        quota: Arc<SessionQuota>,
        counters: Arc<Counters>,
        budget: Arc<Budget>,
    ) -> Self {
        let meter = Meter::new(budget, me);
        Self {
            output_bytes_max: limits.output_bytes_max,
            pace: Pace::of(&limits),
            me,
            limits,
            quota,
            counters,
            now: Now::default(),
            sessions: Slots::new(),
            links: Slots::new(),
            by_client: HashTable::new(),
            hasher: RandomState::default(),
            dirty: Vec::new(),
            pool: Pool::new(),
            timers: Timers::default(),
            shares: Memberships::default(),
            kept_groups: KeptGroups::default(),
            heard: Sequence(0),
            needs: Vec::new(),
            group_bytes: meter.queued.hold(),
            meter,
            effects: Vec::new(),
            moving: Vec::new(),
            begun: Vec::new(),
            progress: Changed::default(),
            late: Late::default(),
            overflowed: Vec::new(),
            notices: 0,
        }
    }

    /// The slot of this client's session.
    pub fn find(&self, client: &str) -> Option<u32> {
        let hash = self.hasher.hash_one(client);
        let same = |slot: &u32| self.sessions.at(*slot).is_some_and(|s| *s.client == *client);
        self.by_client.find(hash, same).copied()
    }

    /// Gives a session its home.
    pub fn add_session(&mut self, session: Session) -> u32 {
        let hash = self.hasher.hash_one(session.client.as_str());
        let (slot, _) = self.sessions.insert(session);
        let Self { by_client, sessions, hasher, .. } = self;
        by_client.insert_unique(hash, slot, |s| {
            hasher.hash_one(sessions.at(*s).map_or("", |s| s.client.as_str()))
        });
        slot
    }

    /// So many sessions come at once.
    pub fn reserve(&mut self, sessions: usize) {
        let Self { by_client, hasher, timers, sessions: places, .. } = self;
        places.reserve(sessions);
        timers.reserve(sessions);
        by_client.reserve(sessions, |s| {
            hasher.hash_one(places.at(*s).map_or("", |s| s.client.as_str()))
        });
    }

    /// Takes a session out of the house; its subscriptions must be gone already.
    pub fn remove_session(&mut self, slot: u32) -> Option<Session> {
        let hash = self.hasher.hash_one(self.sessions.at(slot)?.client.as_str());
        if let Ok(entry) = self.by_client.find_entry(hash, |s| *s == slot) {
            entry.remove();
        }
        let session = self.sessions.remove(slot)?;
        // Nobody in particular has as many as there is room for.
        if session.principal.source != Source::Anonymous {
            self.quota.end(&session.principal.name);
        }
        Some(session)
    }

    /// The session as receivers name it.
    pub fn session_ref(&self, slot: u32) -> SessionRef {
        SessionRef { slot, generation: self.sessions.generation(slot) }
    }

    /// The session as a publisher.
    #[inline]
    pub fn origin(&self, slot: u32) -> Origin {
        // Fewer than 65 reactors.
        let reactor = self.me as u32;
        Origin { reactor, slot, generation: self.sessions.generation(slot) }
    }

    /// The link's full name.
    pub fn link_id(&self, slot: u32) -> LinkId {
        LinkId { slot, generation: self.links.generation(slot) }
    }

    /// Whether the link is still there.
    pub fn is_link(&self, id: LinkId) -> bool {
        self.links.get(id.slot, id.generation).is_some()
    }

    /// Where to append bytes for a link; it will be written at the end of the turn.
    #[inline]
    pub fn output(&mut self, link: u32) -> Option<&mut Vec<u8>> {
        let l = self.links.at_mut(link)?;
        if !l.flags.dirty {
            l.flags.dirty = true;
            self.dirty.push(link);
        }
        Some(l.output.buffer(&mut self.pool))
    }

    /// The link and session behind a slot of links.
    pub fn attached(&mut self, link: u32) -> Option<(&mut Link, u32, &mut Session)> {
        let l = self.links.at_mut(link)?;
        let slot = l.session()?;
        Some((l, slot, self.sessions.at_mut(slot)?))
    }

    /// Writes what waits, then closes.
    pub fn close(&mut self, link: u32, linger: Linger) {
        let id = self.link_id(link);
        if let Some(l) = self.links.at_mut(link) {
            l.phase = Phase::Closing;
            self.effects.push(Effect::Close(id, linger));
        }
    }

    /// Arms a timer of a link or session.
    pub fn arm(&mut self, timer: Timer, at_ms: u64) {
        self.timers.arm(timer, at_ms);
    }

    /// The log line for a refusal; every refusal says why.
    pub fn refused(&mut self, client: &str, reason: Reason, rule: &'static str, why: String) {
        self.notice(Notice::Refused { client: client.to_owned(), reason, rule, why });
    }

    /// Queues a log line, up to a bound a turn.
    pub fn notice(&mut self, notice: Notice) {
        self.notices += 1;
        if self.notices <= NOTICES_PER_TURN_MAX {
            self.effects.push(Effect::Notice(notice));
        }
    }

    /// Ends the turn's list of notices.
    pub fn end_notices(&mut self) {
        if self.notices > NOTICES_PER_TURN_MAX {
            let left_out = self.notices - NOTICES_PER_TURN_MAX;
            self.effects.push(Effect::Notice(Notice::Suppressed(left_out)));
        }
        self.notices = 0;
    }

    /// The client identifier behind a link, for log lines.
    pub fn client_of(&self, link: u32) -> String {
        let session = self.links.at(link).and_then(|l| l.session());
        let session = session.and_then(|slot| self.sessions.at(slot));
        session.map_or_else(String::new, |s| s.client.as_str().to_owned())
    }
}

/// A flood of refusals must not become a flood of log lines.
const NOTICES_PER_TURN_MAX: u64 = 64;
