//! Sessions as the standard says they begin, last and end, with their subscriptions and wills.

use super::attempt::{Content, Fate, Publisher};
use super::conn::{Goodbye, Will};
use super::flight::{Flight, SLACK_BYTES};
use super::owed::{Owed, OwedRetained};
use super::{Conn, Ledger, Scope};
use crate::authority::Rights;
use crate::filter::{covers, matches};
use mqtt::qos::QoS;
use mqtt::wire::Version;
use std::collections::{BTreeMap, BTreeSet};

/// One session of one client.
pub(crate) struct Session {
    pub generation: u32,
    pub state: State,
    pub expiry_s: u32,
    pub version: Version,
    pub rights: Rights,
    pub will: Option<Will>,
    pub subs: Vec<Sub>,
    /// Subscriptions that ended or were replaced.
    pub past: Vec<Sub>,
    pub scans: Vec<Scan>,
    /// Inbound QoS 2 identifiers that wait for PUBREL.
    pub received: BTreeSet<u16>,
    /// Of them, those that may have been refused without anybody hearing of it.
    pub unsure: BTreeSet<u16>,
    pub flights: Vec<Flight>,
    pub owed: Vec<Owed>,
    /// How often each content came.
    pub came: BTreeMap<Content, usize>,
    pub owed_retained: Vec<OwedRetained>,
    /// Attempts that came live.
    pub live: BTreeSet<usize>,
    /// Those that came live or were handed over, which nobody could tell.
    pub either: BTreeSet<usize>,
    /// The last attempt sent, of each publisher, topic and class.
    pub last: BTreeMap<(Publisher, String, Class), usize>,
    /// The newest retained attempt sent, of each topic and class, and when.
    pub newest: BTreeMap<(String, Class), (usize, u64)>,
}

/// QoS 0 and the rest have no order between them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Class {
    Unqueued,
    Queued,
}

/// Whether somebody is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// By this connection.
    Attached(usize),
    /// Domain clock.
    Detached { ends_at_ms: u64, will_at_ms: u64 },
}

/// A subscription from `from` until `until`, in entries of the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Sub {
    pub filter: String,
    pub qos: QoS,
    pub no_local: bool,
    pub retain_as_published: bool,
    pub id: u32,
    pub from: u64,
    pub until: u64,
    /// Retained messages stored before this came by its SUBSCRIBE; 0 = it asked for none.
    pub since: u64,
}

/// A SUBSCRIBE that asked for retained messages.
pub(crate) struct Scan {
    pub filter: String,
    pub qos: QoS,
    pub id: u32,
    pub at: u64,
    /// Attempts that it has brought.
    pub brought: BTreeSet<usize>,
}

impl Class {
    pub fn of(qos: QoS) -> Self {
        if qos == QoS::AtMostOnce { Self::Unqueued } else { Self::Queued }
    }
}

impl Session {
    fn new(generation: u32, conn: usize, rights: Rights) -> Self {
        Self {
            generation,
            state: State::Attached(conn),
            expiry_s: 0,
            version: Version::V5,
            rights,
            will: None,
            subs: Vec::new(),
            past: Vec::new(),
            scans: Vec::new(),
            received: BTreeSet::new(),
            unsure: BTreeSet::new(),
            flights: Vec::new(),
            owed: Vec::new(),
            came: BTreeMap::new(),
            owed_retained: Vec::new(),
            live: BTreeSet::new(),
            either: BTreeSet::new(),
            last: BTreeMap::new(),
            newest: BTreeMap::new(),
        }
    }

    /// Ends subscriptions; what only they were to bring is not owed any more.
    pub fn unsubscribe(&mut self, at: u64, gone: impl Fn(&Sub) -> bool) -> usize {
        let (ended, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.subs).into_iter().partition(|s| gone(s));
        self.subs = kept;
        let count = ended.len();
        self.past.extend(ended.into_iter().map(|s| Sub { until: at, ..s }));
        count
    }

    fn prune(&mut self, at: u64, rights: Rights) {
        self.rights = rights;
        self.unsubscribe(at, |s| !rights.subscribe.iter().any(|r| covers(r, &s.filter)));
    }

    /// Subscriptions to a topic that stood at some time in between.
    pub fn between(&self, from: u64, to: u64, topic: &str) -> impl Iterator<Item = &Sub> {
        let past = self.past.iter().filter(move |s| s.until >= from);
        past.chain(&self.subs).filter(move |s| s.from <= to && matches(&s.filter, topic))
    }
}

impl Ledger {
    /// The clock of a shard moves on: sessions at home there end and wills come due.
    pub fn tick(&mut self, at_home: impl Fn(&str) -> bool) {
        if self.scope == Scope::Little {
            return;
        }
        let wall_ms = self.now.wall_ms;
        let due = |client: usize| match self.sessions[client].as_ref()?.state {
            State::Detached { ends_at_ms, will_at_ms } => Some(ends_at_ms.min(will_at_ms)),
            State::Attached(_) => None,
        };
        let here = (0..self.sessions.len()).filter(|client| at_home(&self.clients[*client]));
        let mut due: Vec<(u64, usize)> =
            here.filter_map(|client| Some((due(client)?, client))).collect();
        due.retain(|(at_ms, _)| *at_ms <= wall_ms);
        due.sort_unstable();
        // An overdue timer may fire before another that was due earlier.
        self.order_known = due.len() < 2;
        for (_, client) in due {
            let Some(s) = &mut self.sessions[client] else { continue };
            let State::Detached { ends_at_ms, .. } = s.state else { continue };
            if ends_at_ms <= wall_ms {
                self.end_session(client);
            } else {
                s.state = State::Detached { ends_at_ms, will_at_ms: u64::MAX };
                self.fire_will(client);
            }
        }
        self.order_known = true;
    }

    /// A shard attached `attaching` to its client's session.
    pub fn connected(&mut self, id: &str) {
        self.at += 1;
        if self.scope == Scope::Little {
            return;
        }
        let Some(client) = self.client_of(id) else { return };
        let Some(conn) = self.attaching else {
            return self.fail(|| format!("{id} was attached out of nowhere"));
        };
        let Conn { opened, granted, version, .. } = &mut self.conns[conn];
        let (clean, expiry_s, version) = (opened.clean, opened.expiry_s, *version);
        let will = opened.will.take();
        let Some(rights) = *granted else {
            return self.fail(|| format!("{id} was attached without being authenticated"));
        };
        if clean {
            self.end_session(client);
        }
        let present = self.sessions[client].is_some();
        if !present {
            self.generations[client] += 1;
        }
        let (at, generation) = (self.at, self.generations[client]);
        let new = || Session::new(generation, conn, rights);
        let s = self.sessions[client].get_or_insert_with(new);
        let stands = matches!(s.state, State::Attached(other) if other != conn);
        s.state = State::Attached(conn);
        s.will = will;
        s.expiry_s = expiry_s;
        s.version = version;
        s.prune(at, rights);
        let room = self.conns[conn].opened.packet_max.saturating_sub(SLACK_BYTES);
        s.flights.iter_mut().for_each(|f| f.doubtful |= f.len > room && !f.released);
        let released = s.flights.iter().filter(|f| f.released).map(|f| f.id).collect();
        self.conns[conn].pubrels = released;
        self.conns[conn].connack = Some(present);
        self.conns[conn].last_seen_ms = self.now.mono_ms;
        self.check(!stands, || format!("{id}: two connections at once"));
        self.forgive();
    }

    /// A renewed principal: other rights from now on.
    pub fn renewed(&mut self, conn: usize, rights: Rights) {
        self.at += 1;
        let at = self.at;
        self.conns[conn].renewals += 1;
        if let Some(client) = self.attached(conn)
            && let Some(s) = &mut self.sessions[client]
        {
            s.prune(at, rights);
            self.forgive();
        }
    }

    /// A shard says that a session has no connection any more.
    pub fn disconnected(&mut self, id: &str, why: &str) {
        self.at += 1;
        if self.scope == Scope::Little {
            return;
        }
        let Some(client) = self.client_of(id) else { return };
        if why == OVERFLOW {
            return self.end_session(client);
        }
        let wall_ms = self.now.wall_ms;
        let taken = (why == TAKEN_OVER).then(|| self.attaching.map(|c| self.conns[c].opened.clean));
        let Some(s) = &mut self.sessions[client] else {
            return self.fail(|| format!("{id} was disconnected without a session: {why}"));
        };
        let State::Attached(conn) = s.state else {
            return self.fail(|| format!("{id} was disconnected twice: {why}"));
        };
        let delay_s = s.will.as_ref().map_or(0, |w| w.delay_s);
        let resumed = taken == Some(Some(false)) && s.expiry_s > 0 && delay_s > 0;
        if resumed || self.conns[conn].goodbye == Some(Goodbye::Normal) {
            s.will = None;
        }
        let after = |seconds: u32| match seconds {
            u32::MAX => u64::MAX,
            s => wall_ms + u64::from(s) * 1_000,
        };
        let will_at_ms = s.will.as_ref().map_or(u64::MAX, |w| after(w.delay_s));
        s.state = State::Detached { ends_at_ms: after(s.expiry_s), will_at_ms };
        let c = &mut self.conns[conn];
        c.left = Some((self.call, s.generation));
        if !self.takes_all {
            // Whether they were taken nobody will hear.
            s.unsure.extend(c.pubrecs.iter().filter(|(_, n)| n.is_some()).map(|(id, _)| *id));
        }
        let fires = s.will.as_ref().is_some_and(|w| w.delay_s == 0);
        if s.expiry_s == 0 {
            self.end_session(client);
        } else if fires {
            self.fire_will(client);
        }
    }

    /// The session ends: its will is due, its subscriptions are gone.
    pub fn end_session(&mut self, client: usize) {
        self.fire_will(client);
        self.sessions[client] = None;
    }

    fn fire_will(&mut self, client: usize) {
        let Some(s) = &mut self.sessions[client] else { return };
        let Some(will) = s.will.take() else { return };
        let mut a = will.attempt;
        if !s.rights.publish.iter().any(|r| covers(r, a.topic())) {
            return;
        }
        a.publisher = Publisher::Will(client, s.generation);
        let known = self.takes_all && (self.order_known || !a.retain);
        a.fate = if known { Fate::Accepted } else { Fate::Maybe };
        self.enter(a);
    }

    /// What matches no subscription any more need not come.
    pub fn forgive(&mut self) {
        for (client, s) in self.sessions.iter_mut().enumerate() {
            let Some(s) = s else { continue };
            let (attempts, subs, generation) = (&self.attempts, &s.subs, s.generation);
            let stands = |n: usize| {
                let a = &attempts[n];
                let own = a.is_of(client, generation);
                subs.iter().any(|s| matches(&s.filter, a.topic()) && !(own && s.no_local))
            };
            s.owed.retain(|o| stands(o.attempt));
            s.owed_retained.retain(|o| stands(o.attempt));
        }
    }
}

const OVERFLOW: &str = "session overflow";
const TAKEN_OVER: &str = "another connection took over";
