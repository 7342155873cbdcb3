//! One turn of one reactor, as `gridhub/net/reactor` makes it: begin, post, accept, read, end,
//! effects, write, posts. After each call of the shard the ledger sees what it said.

use super::{Parcel, World};
use crate::authority::Rights;
use crate::ledger::{After, Scope};
use crate::socket::{ClientEnd, Place};
use mqtt::wire::frame;
use node::LinkId;
use node::auth::{AuthOutcome, Listener};
use node::effect::{Effect, Notice};
use node::post::Post;

impl World {
    /// A turn of reactor `n`, or what is left of one.
    pub(super) fn turn(&mut self, n: usize) {
        if self.turns[n].is_none() {
            self.begin_turn(n);
        }
        self.end_turn(n);
    }

    /// The same, but others may have theirs in between: reactors are threads.
    pub(super) fn half_turn(&mut self, n: usize) {
        if self.turns[n].is_none() {
            self.begin_turn(n);
            if self.chance.one_in(4) {
                return;
            }
        }
        self.end_turn(n);
    }

    fn begin_turn(&mut self, n: usize) {
        self.turns[n] = Some(self.now);
        self.notices = 0;
        self.ledger.now = self.now;
        let step = self.step;
        self.trace.note(&[n], || format!("{step:>6} turn of reactor {n}"));
        let full = self.full_posts();
        self.ledger.reactor = n;
        self.ledger.begin_call();
        self.server.shards[n].begin(self.now, full);
        // Keep-alives come before what the domain clock brings.
        self.gather(n);
        self.tell_notices(n, 0);
        let shard = &self.server.shards[n];
        self.ledger.tick(|id| shard.home_of(id) == n);
        self.tap(n);
        self.take_parcels(n);
        for socket in 0..self.sockets.len() {
            if let Place::At(reactor, id) = self.sockets[socket].place
                && reactor == n
            {
                if self.healed || !self.chance.one_in(3) {
                    self.read(socket, n, id);
                }
                // Room in the socket: the poll says that it can be written.
                self.dirty[n].insert(socket);
            }
        }
        self.end_closing(n);
    }

    fn end_turn(&mut self, n: usize) {
        let Some(now) = self.turns[n].take() else { return };
        self.ledger.now = now;
        self.ledger.reactor = n;
        let step = self.step;
        self.trace.note(&[n], || format!("{step:>6} end of the turn of reactor {n}"));
        while self.finish(n) == Written::SomeLost {}
        self.check_gauges(n);
    }

    fn full_posts(&self) -> u64 {
        let max = self.swarm.limits.post_bytes_max;
        let bytes = |inbox: &Vec<Parcel>| -> usize {
            let each = inbox.iter().map(|p| match p {
                Parcel::Post(Post::Publishes(batch)) => batch.bytes(),
                _ => 0,
            });
            each.sum()
        };
        let full = |(n, inbox): (usize, &Vec<Parcel>)| u64::from(bytes(inbox) > max) << n;
        self.inboxes.iter().enumerate().map(full).sum()
    }

    fn take_parcels(&mut self, n: usize) {
        for parcel in std::mem::take(&mut self.inboxes[n]) {
            self.ledger.begin_call();
            match parcel {
                Parcel::Accept(socket) => {
                    if self.sockets[socket].place == Place::Gone {
                        continue;
                    }
                    let id = self.server.shards[n].accept(Listener::Plain, None);
                    self.sit(socket, n, id);
                }
                Parcel::Adopt(socket, adoption) => {
                    self.ledger.attaching = Some(socket);
                    let id = self.server.shards[n].adopt(Listener::Plain, &adoption);
                    self.sit(socket, n, id);
                }
                Parcel::Answer { link, socket, outcome, rights } => {
                    self.answered(n, link, socket, outcome, rights);
                }
                Parcel::Post(post) => self.server.shards[n].post_in(post),
                Parcel::Service(ingress) => {
                    self.enter_service(&ingress.request);
                    self.server.shards[n].post_in(Post::Ingress(ingress));
                }
                Parcel::Delete(id) => {
                    let before = self.effects[n].len();
                    self.server.shards[n].post_in(Post::Delete(id.clone(), Box::new(|_| ())));
                    self.gather(n);
                    self.tell_notices(n, before);
                    if let Some(client) = self.ledger.client_of(&id)
                        && self.ledger.scope == Scope::All
                    {
                        self.ledger.end_session(client);
                    }
                    self.tap(n);
                }
            }
            self.observe(n);
            self.ledger.attaching = None;
        }
        self.ledger.drained(n);
    }

    fn sit(&mut self, socket: usize, n: usize, id: LinkId) {
        self.sockets[socket].place = Place::At(n, id);
        self.sockets[socket].tapped = 0;
        self.seats.insert((n, id.slot), socket);
    }

    fn answered(
        &mut self,
        n: usize,
        link: LinkId,
        socket: usize,
        outcome: AuthOutcome,
        rights: Rights,
    ) {
        let granted = matches!(outcome, AuthOutcome::Granted(_));
        let here = self.sockets[socket].place == Place::At(n, link);
        let renews = self.ledger.attached(socket).is_some();
        if here && !renews {
            self.ledger.conns[socket].granted = granted.then_some(rights);
        }
        self.ledger.attaching = (!renews).then_some(socket);
        self.server.shards[n].post_in(Post::Authenticated(link, outcome));
        if here && renews && granted {
            self.ledger.renewed(socket, rights);
        }
    }

    /// Reads once, as much as has arrived or a piece of it.
    fn read(&mut self, socket: usize, n: usize, id: LinkId) {
        if !self.server.shards[n].wants_input(id) {
            return;
        }
        let room = self.server.shards[n].read_max(id).unwrap_or(usize::MAX);
        let s = &mut self.sockets[socket];
        if s.to_server.is_empty() {
            if matches!(s.client_end, ClientEnd::Closed | ClientEnd::Broken) {
                self.lose(socket, n, id);
            }
            return;
        }
        let most = if self.healed { s.to_server.len() } else { self.swarm.read_bytes };
        let most = most.min(room).min(s.to_server.len());
        let count = if self.healed { most } else { 1 + self.chance.below(most) };
        let count = if self.ledger.takes_all { count } else { one_packet(s, count) };
        let fresh: Vec<u8> = s.to_server.drain(..count).collect();
        let mut bytes = std::mem::take(&mut s.unread);
        bytes.extend_from_slice(&fresh);
        self.server.shards[n].count_input(count);
        self.decode(socket, n, id, &bytes);
    }

    pub(super) fn decode(&mut self, socket: usize, n: usize, id: LinkId, bytes: &[u8]) {
        self.ledger.begin_call();
        let used = self.server.shards[n].input(id, bytes);
        let owner = self.sockets[socket].owner;
        let version = self.ledger.conns[socket].version;
        let who = format!("{} #{socket} >", self.clients[owner].id);
        self.trace.bytes(self.step, &who, version, &bytes[..used]);
        let before = self.effects[n].len();
        self.gather(n);
        let closes = |e: &Effect| matches!(e, Effect::Close(other, _) if *other == id);
        let ended = self.effects[n][before..].iter().any(|(_, e)| closes(e));
        let after = if ended { After::Ended } else { After::Open };
        self.ledger.input(socket, &bytes[..used], after);
        self.sockets[socket].unread = bytes[used..].to_vec();
        self.tell_notices(n, before);
        self.tap(n);
    }

    /// A connection's end as the server sees it.
    fn lose(&mut self, socket: usize, n: usize, id: LinkId) {
        self.seats.remove(&(n, id.slot));
        self.sockets[socket].drop_place();
        self.ledger.begin_call();
        self.server.shards[n].lost(id);
        self.observe(n);
    }

    /// What the shard said in the last call.
    pub(super) fn observe(&mut self, n: usize) {
        let before = self.effects[n].len();
        self.gather(n);
        self.tell_notices(n, before);
        self.tap(n);
    }

    fn gather(&mut self, n: usize) {
        let mut new = Vec::new();
        self.server.shards[n].take_effects(&mut new);
        for effect in new {
            let mut socket = None;
            if let Effect::Move(id, ..) = &effect {
                // The place is free at once, and may be taken before the effect is performed.
                socket = self.seats.remove(&(n, id.slot));
                if let Some(socket) = socket {
                    self.sockets[socket].place = Place::Moving;
                }
            }
            self.effects[n].push((socket, effect));
        }
    }

    fn tell_notices(&mut self, n: usize, from: usize) {
        let step = self.step;
        for (_, effect) in &self.effects[n][from..] {
            let Effect::Notice(notice) = effect else { continue };
            self.notices += 1;
            // From here on the shard leaves them out until its turn ends.
            let is_blind = self.notices >= NOTICES_MAX || matches!(notice, Notice::Suppressed(_));
            self.ledger.blind |= is_blind && self.ledger.scope == Scope::All;
            self.trace.note(&[], || format!("{step:>6} notice {notice:?}"));
            match notice {
                Notice::Connected { client, .. } => self.ledger.connected(client),
                Notice::Disconnected { client, why } => {
                    self.ledger.disconnected(client, why);
                    if let Some(at) = self.clients.iter().position(|c| c.id == *client) {
                        self.promises.alone(at);
                    }
                }
                Notice::Unreadable { client, why } => {
                    self.ledger.fail(|| format!("{client} cannot be read for: {why}"));
                }
                _ => {}
            }
        }
    }

    /// New bytes in the outputs of a shard.
    fn tap(&mut self, n: usize) {
        let mut links = Vec::new();
        self.server.shards[n].take_dirty(&mut links);
        for slot in links {
            let Some(&socket) = self.seats.get(&(n, slot)) else { continue };
            self.dirty[n].insert(socket);
            let out = self.server.shards[n].output(slot);
            let new = &out[self.sockets[socket].tapped..];
            let owner = self.sockets[socket].owner;
            let who = format!("{} #{socket} <", self.clients[owner].id);
            let version = self.ledger.conns[socket].version;
            self.trace.bytes(self.step, &who, version, new);
            self.ledger.output(socket, new);
            self.sockets[socket].tapped = out.len();
        }
    }

    fn finish(&mut self, n: usize) -> Written {
        loop {
            self.ledger.begin_call();
            self.server.shards[n].end();
            let before = self.effects[n].len();
            self.gather(n);
            self.tell_notices(n, before);
            // Wills of sessions that overflowed are stored by now as well.
            self.ledger.settled(n);
            self.tap(n);
            self.notices = 0;
            if self.effects[n].is_empty() {
                break;
            }
            for (socket, effect) in std::mem::take(&mut self.effects[n]) {
                self.perform(n, socket, effect);
            }
            self.take_parcels(n);
        }
        let mut written = Written::All;
        for socket in std::mem::take(&mut self.dirty[n]) {
            if let Place::At(reactor, id) = self.sockets[socket].place
                && reactor == n
                && !self.flush(socket, n, id)
            {
                self.lose(socket, n, id);
                written = Written::SomeLost;
            }
        }
        for to in 0..self.inboxes.len() {
            if let Some(batch) = self.server.shards[n].take_post(to) {
                self.inboxes[to].push(Parcel::Post(Post::Publishes(batch)));
            }
        }
        written
    }

    /// The shard's own gauges against the account.
    fn check_gauges(&mut self, n: usize) {
        if self.ledger.strangers || self.ledger.scope == Scope::Little {
            return;
        }
        let shard = &self.server.shards[n];
        let (mut sessions, mut subscriptions) = (0, 0);
        for (id, s) in self.ledger.clients.iter().zip(&self.ledger.sessions) {
            if let Some(s) = s
                && shard.home_of(id) == n
            {
                sessions += 1;
                subscriptions += s.subs.len() as u64;
            }
        }
        let c = &self.server.counters[n];
        let (has, holds) = (c.sessions.get(), c.subscriptions.get());
        self.ledger.check((has, holds) == (sessions, subscriptions), || {
            format!(
                "reactor {n} has {has} sessions with {holds} subscriptions, due are {sessions} \
                 with {subscriptions}"
            )
        });
    }
}

/// As much of `count` bytes as ends with the first whole packet.
fn one_packet(s: &crate::socket::Socket, count: usize) -> usize {
    let mut bytes = s.unread.clone();
    let have = bytes.len();
    bytes.extend(s.to_server.iter().take(count));
    match frame(&bytes, usize::MAX) {
        Ok(Some(f)) => f.len.saturating_sub(have).clamp(1, count),
        _ => count,
    }
}

/// How the output of a turn went.
#[derive(PartialEq, Eq)]
enum Written {
    All,
    SomeLost,
}

/// Notices of one turn that a shard gives out.
const NOTICES_MAX: usize = 64;
