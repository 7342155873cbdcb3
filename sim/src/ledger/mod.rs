//! What must be true: a second, slower account of every session, subscription and message, kept
//! from the bytes that shards take and give, by the letter of the standard.
//!
//! It sees each packet when a shard decodes or encodes it, and the shard's own notices of sessions
//! that begin and end. The first thing that cannot be is kept as the failure.

mod attempt;
mod conn;
mod delivery;
mod flight;
mod input;
mod output;
mod owed;
mod retained;
mod session;

pub(crate) use attempt::{Attempt, Content, Fate, Publisher};
pub(crate) use conn::Conn;
pub(crate) use input::After;
pub(crate) use retained::Current;
pub(crate) use session::{Session, State};

use crate::swarm::Swarm;
use broker::limits::Limits;
use node::now::Now;
use node::shard::home_of;
use std::collections::BTreeMap;

/// How much the account sees.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Scope {
    /// Everything: what comes to the door is a fact by the end of the turn.
    All,
    /// Which version a connection speaks and how much is sent: facts come late and servers crash,
    /// and [`Promises`](crate::promises::Promises) judge.
    Little,
}

/// The account.
pub(crate) struct Ledger {
    pub scope: Scope,
    failure: Option<String>,
    /// A shard left notices out: from here on nothing is known.
    pub blind: bool,
    pub now: Now,
    /// Goes up with everything that is entered.
    pub at: u64,
    /// The wills that fire now have an order that can be told.
    order_known: bool,
    /// Whose turn it is.
    pub reactor: usize,
    /// Goes up with every call of a shard.
    call: u64,
    /// Where the call at hand began, in entries.
    call_at: u64,
    pub limits: Limits,
    /// No bound may refuse a publish that is allowed.
    pub takes_all: bool,
    /// Misbehaving clients are there: what they hold is not accounted for.
    pub strangers: bool,
    /// Clients that keep to the standard: their identifiers.
    pub clients: Vec<String>,
    pub conns: Vec<Conn>,
    pub sessions: Vec<Option<Session>>,
    generations: Vec<u32>,
    /// The reactor that each client is at home at.
    homes: Vec<usize>,
    /// Attempts of each reactor's turn that goes on.
    unsettled: Vec<Vec<usize>>,
    /// When each reactor had taken in what was told to it, by reactor and attempt.
    told: Vec<Vec<u64>>,
    pub attempts: Vec<Attempt>,
    by_content: BTreeMap<Content, Vec<usize>>,
    /// Attempts to set each topic's retained message, in the order of the log.
    pub retained: BTreeMap<String, Vec<usize>>,
    /// The connection that the present call may attach.
    pub attaching: Option<usize>,
    /// Packets that shards gave to clients, by QoS.
    pub sent: [u64; 3],
}

impl Ledger {
    pub fn new(swarm: &Swarm, clients: Vec<String>) -> Self {
        Self {
            scope: if swarm.log.is_some() { Scope::Little } else { Scope::All },
            failure: None,
            blind: false,
            now: Now::default(),
            at: 0,
            order_known: true,
            reactor: 0,
            call: 0,
            call_at: 0,
            takes_all: Swarm::takes_all(&swarm.limits),
            limits: swarm.limits.clone(),
            strangers: swarm.bad > 0,
            conns: Vec::new(),
            sessions: clients.iter().map(|_| None).collect(),
            generations: vec![0; clients.len()],
            homes: clients.iter().map(|id| home_of(id, swarm.reactors)).collect(),
            unsettled: vec![Vec::new(); swarm.reactors],
            told: vec![Vec::new(); swarm.reactors],
            clients,
            attempts: Vec::new(),
            by_content: BTreeMap::new(),
            retained: BTreeMap::new(),
            attaching: None,
            sent: [0; 3],
        }
    }

    /// The first thing that cannot be stays.
    pub fn fail(&mut self, what: impl FnOnce() -> String) {
        if self.failure.is_none() && !self.blind {
            self.failure = Some(what());
        }
    }

    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// A shard is called.
    pub fn begin_call(&mut self) {
        self.at += 1;
        self.call += 1;
        self.call_at = self.at;
    }

    /// Nothing more is to be learned.
    pub fn is_over(&self) -> bool {
        self.blind || self.failure.is_some()
    }

    pub fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.fail(what);
        }
    }

    /// The client that a connection serves now.
    pub fn attached(&self, conn: usize) -> Option<usize> {
        let client = self.conns[conn].client?;
        let s = self.sessions.get(client)?.as_ref()?;
        (s.state == State::Attached(conn)).then_some(client)
    }

    /// As `attached`; also the session that a connection lost in the call at hand: what the shard
    /// said before that is seen after it.
    pub fn serves(&self, conn: usize) -> Option<usize> {
        let c = &self.conns[conn];
        self.attached(conn).or_else(|| {
            let client = c.client?;
            let s = self.sessions[client].as_ref()?;
            (c.left == Some((self.call, s.generation))).then_some(client)
        })
    }

    /// A reactor has taken in its post.
    pub fn drained(&mut self, reactor: usize) {
        if self.scope == Scope::Little {
            return;
        }
        self.at += 1;
        let told = &mut self.told[reactor];
        let settled = self.attempts[told.len()..].iter().take_while(|a| a.settled < self.at);
        let count = settled.count();
        told.extend(std::iter::repeat_n(self.at, count));
    }

    /// When every receiver of an attempt at a client's home was found.
    pub fn told_by(&self, client: usize, attempt: usize) -> u64 {
        let home = self.homes[client];
        if home == self.attempts[attempt].reactor {
            return self.attempts[attempt].settled;
        }
        self.told[home].get(attempt).copied().unwrap_or(u64::MAX)
    }

    pub fn client_of(&self, id: &str) -> Option<usize> {
        self.clients.iter().position(|c| c == id)
    }
}
