//! Everything of one seed: shards, connections, clients, the authority, the clocks and the ledger.

mod act;
mod disk;
mod effect;
mod heal;
mod server;
mod service;
mod turn;

use crate::authority::{Authority, Rights};
use crate::chance::Chance;
use crate::client::{Client, Kind};
use crate::keeping::{Keeping, Logged};
use crate::ledger::Ledger;
use crate::promises::Promises;
use crate::socket::Socket;
use crate::swarm::Swarm;
use crate::trace::Trace;
use crashdisk::CrashDisk;
use engine::LogEnd;
use node::LinkId;
use node::auth::{AuthOutcome, AuthRequest};
use node::door::Ingress;
use node::effect::{Adoption, Effect};
use node::now::Now;
use node::post::Post;
use server::Server;
use std::collections::{BTreeMap, BTreeSet};

/// The world of one seed.
pub(crate) struct World {
    pub swarm: Swarm,
    chance: Chance,
    now: Now,
    pub step: u64,
    server: Server,
    /// Where what the shards write becomes a fact.
    keeping: Keeping,
    /// What a log has promised.
    promises: Promises,
    inboxes: Vec<Vec<Parcel>>,
    /// What each shard wants done at the end of its turn; the socket of one that moves.
    effects: Vec<Vec<(Option<usize>, Effect)>>,
    /// Turns that have begun and not ended, with their time.
    turns: Vec<Option<Now>>,
    /// Connections with bytes to write, by shard.
    dirty: Vec<BTreeSet<usize>>,
    /// Which socket sits at a shard's place.
    seats: BTreeMap<(usize, u32), usize>,
    asked: Vec<Asked>,
    sockets: Vec<Socket>,
    clients: Vec<Client>,
    authority: Authority,
    pub ledger: Ledger,
    pub trace: Trace,
    /// Everything goes well from here on.
    healed: bool,
    messages: u64,
    /// Notices since a shard's last `end`.
    notices: usize,
}

/// A question about credentials.
struct Asked {
    reactor: usize,
    link: LinkId,
    socket: usize,
    request: Box<AuthRequest>,
}

/// What a reactor finds in its post.
enum Parcel {
    Accept(usize),
    Adopt(usize, Box<Adoption>),
    Answer {
        link: LinkId,
        socket: usize,
        outcome: AuthOutcome,
        rights: Rights,
    },
    Post(Post),
    /// A publish without a connection.
    Service(Box<Ingress>),
    /// An operator ends this client's session.
    Delete(String),
}

impl World {
    pub fn new(seed: u64, traced: bool) -> Self {
        let mut chance = Chance::new(seed);
        let swarm = Swarm::new(&mut chance);
        let n = swarm.reactors;
        let (keeping, opened) = match swarm.log {
            None => (Keeping::Memory(LogEnd::default()), None),
            Some(_) => {
                let log = Logged::open(&CrashDisk::new(seed));
                let (log, opened) = log.expect("an empty disk is one that can be used");
                (Keeping::Log(log), Some(opened))
            }
        };
        let server = Server::new(&swarm, &keeping, opened.as_ref());
        let clients = clients(&swarm, &mut chance);
        let good = clients.iter().filter(|c| c.kind != Kind::Bad).map(|c| c.id.clone()).collect();
        let now = Now { mono_ms: 1_000_000, wall_ms: 1_700_000_000_000 };
        let mut ledger = Ledger::new(&swarm, good);
        ledger.now = now;
        let mut promises = Promises::new(&swarm, clients.len());
        promises.now_ms = now.wall_ms;
        let mut this = Self {
            chance,
            now,
            step: 0,
            server,
            keeping,
            promises,
            inboxes: Vec::new(),
            effects: Vec::new(),
            turns: vec![None; n],
            dirty: vec![BTreeSet::new(); n],
            seats: BTreeMap::new(),
            asked: Vec::new(),
            sockets: Vec::new(),
            clients,
            authority: Authority::default(),
            ledger,
            trace: Trace::new(traced),
            healed: false,
            messages: 0,
            notices: 0,
            swarm,
        };
        this.inboxes.resize_with(n, Vec::new);
        this.effects.resize_with(n, Vec::new);
        this
    }

    /// Runs the seed to its end, or to the first thing that cannot be.
    pub fn play(&mut self) {
        for _ in 0..self.swarm.steps {
            self.step += 1;
            self.one_step();
            if self.ledger.is_over() {
                return;
            }
        }
        self.heal();
    }

    fn one_step(&mut self) {
        if let Some(odds) = &self.swarm.log
            && self.chance.one_in(odds.work)
        {
            return self.work_on_log();
        }
        match self.chance.below(100) {
            0..33 => {
                let n = self.some_reactor();
                self.half_turn(n);
            }
            33..58 => {
                let client = self.chance.below(self.clients.len());
                self.carry(client);
            }
            58..90 => {
                let client = self.some_client();
                self.act(client);
            }
            90..98 => self.answer_some(),
            _ => self.mishap(),
        }
    }

    /// Slow reactors get their turns rarely.
    fn some_reactor(&mut self) -> usize {
        let mut at = self.chance.below(self.swarm.speeds.iter().sum());
        for (n, speed) in self.swarm.speeds.iter().enumerate() {
            if at < *speed {
                return n;
            }
            at -= speed;
        }
        0
    }

    /// The crowd is mostly silent.
    fn some_client(&mut self) -> usize {
        let (all, crowd) = (self.clients.len(), self.swarm.crowd);
        if crowd > 0 && self.chance.one_in(2) {
            return all - crowd + self.chance.below(crowd);
        }
        self.chance.below(all - crowd)
    }

    /// Time passes, and what is rare happens.
    fn mishap(&mut self) {
        let small = self.chance.below(50) as u64;
        self.pass(small, small);
        if self.chance.one_in(self.swarm.odds.clock) {
            let (real, domain) = (self.chance.below(60_000), self.chance.below(60_000));
            self.pass(real as u64, domain as u64);
        }
        if self.chance.one_in(self.swarm.odds.service) {
            self.service();
        }
        if self.chance.one_in(self.swarm.odds.operator) {
            self.operator();
        }
    }

    fn pass(&mut self, real_ms: u64, domain_ms: u64) {
        self.now.mono_ms += real_ms;
        self.now.wall_ms += domain_ms;
        self.promises.now_ms = self.now.wall_ms;
        let (mono, wall) = (self.now.mono_ms, self.now.wall_ms);
        let step = self.step;
        self.trace.note(&[mono as usize, wall as usize], || {
            format!("{step:>6} clock real {mono} domain {wall}")
        });
    }
}

/// Bad ones first, the crowd last.
fn clients(swarm: &Swarm, chance: &mut Chance) -> Vec<Client> {
    let mut all = Vec::new();
    for n in 0..swarm.clients {
        let kind = if n + swarm.crowd >= swarm.clients { Kind::Crowd } else { Kind::Good };
        let name = format!("n{}", chance.below(swarm.names.max(1)));
        let name = if swarm.names == swarm.clients { format!("n{n}") } else { name };
        let may_all = kind == Kind::Crowd || swarm.log.is_some() || !chance.one_in(3);
        let right = if may_all { 0 } else { chance.below(6) };
        all.push(Client::new(format!("c{n}"), name, kind, right));
    }
    let crowd = all.split_off(swarm.clients - swarm.crowd);
    for n in 0..swarm.bad {
        all.push(Client::new(format!("bad{n}"), "bad".to_owned(), Kind::Bad, 0));
    }
    all.extend(crowd);
    all
}
