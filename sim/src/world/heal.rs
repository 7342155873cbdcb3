//! The end of a seed: the network heals, everybody comes back and gets what is theirs; then all
//! leave, time passes, and nothing may be left.

use super::World;
use super::disk::End;
use crate::client::{Kind, Phase};
use crate::keeping::Health;
use crate::ledger::{Current, Scope, State};
use crate::socket::{ClientEnd, Place};
use broker::publication::KEPT_BYTES;
use mqtt::qos::QoS;
use mqtt::wire::{SubscribeOptions, Version};
use node::Shard;
use node::counters::{Counters, Loss};
use node::inspect::SessionDetail;
use node::post::Post;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

impl World {
    /// From here on everything goes well.
    pub(super) fn heal(&mut self) {
        self.healed = true;
        self.swarm.pipe_bytes = usize::MAX;
        let step = self.step;
        self.trace.note(&[], || format!("{step:>6} everything heals"));
        let in_memory: &[fn(&mut Self)] =
            &[Self::settle, Self::return_all, Self::check_all, Self::ask_for_retained];
        let in_log: &[fn(&mut Self)] = &[
            Self::mend,
            Self::settle,
            Self::return_all,
            Self::check_promises,
            Self::crash_in_rest,
        ];
        let last: &[fn(&mut Self)] = &[Self::leave_all, Self::check_nothing_left];
        let first = if self.keeping.is_log() { in_log } else { in_memory };
        for stage in first.iter().chain(last) {
            stage(self);
            if self.ledger.is_over() {
                return;
            }
        }
    }

    /// The disk does as it is told, after a start if it has to be.
    fn mend(&mut self) {
        let Some(log) = self.keeping.log() else { return };
        log.disk().mend();
        if log.health == Health::Failed {
            self.restart(End::Crash);
        }
    }

    /// What was promised has come.
    fn check_promises(&mut self) {
        for at in 0..self.clients.len() {
            if self.clients[at].kind == Kind::Bad {
                continue;
            }
            let id = &self.clients[at].id;
            // It may be refused, but not kept waiting.
            let waits = self.clients[at].phase == Phase::Connecting;
            self.ledger.check(!waits, || format!("{id} waits for CONNACK"));
            if self.clients[at].phase != Phase::Open {
                continue;
            }
            if let Err(why) = self.promises.check_kept(at) {
                self.ledger.fail(|| format!("{id}: {why}"));
            }
        }
        self.check_retained();
    }

    /// Nothing is under way: what is there after a crash is what was there before.
    fn crash_in_rest(&mut self) {
        self.restart(End::Crash);
        self.settle();
        self.return_all();
        self.check_promises();
    }

    /// The log's threads do what there is; whether there was anything.
    fn work_off(&mut self) -> bool {
        let mut did = false;
        while self.commit() || self.answer_read() {
            did = true;
        }
        did
    }

    /// Rounds of everything until nothing is left to do.
    fn settle(&mut self) {
        let (mut idle, mut seen) = (0, 0);
        for _ in 0..ROUNDS_MAX {
            if idle == IDLE_ROUNDS_MAX {
                break;
            }
            let sent = self.ledger.sent.iter().sum();
            idle = if sent == seen { idle + 1 } else { 0 };
            seen = sent;
            self.step += 1;
            self.give_up_on_bad();
            for at in 0..self.clients.len() {
                self.send_more(at);
            }
            while !self.asked.is_empty() {
                self.answer_some();
            }
            for n in 0..self.swarm.reactors {
                self.turn(n);
            }
            for at in 0..self.clients.len() {
                self.carry(at);
            }
            let works = self.work_off();
            if self.ledger.is_over() || (!works && self.is_quiet()) {
                return;
            }
        }
        let what = self.unrest();
        self.ledger.fail(|| format!("no rest: {what}"));
    }

    fn send_more(&mut self, at: usize) {
        let Some(socket) = self.clients[at].socket else { return };
        // A shard that has much to refuse in one turn leaves notices out.
        for _ in 0..4 {
            let Some(bytes) = self.clients[at].outgoing.pop_front() else { return };
            self.sockets[socket].to_server.extend(bytes);
        }
    }

    /// Clients that keep to nothing are cut off: they would keep everybody waiting.
    fn give_up_on_bad(&mut self) {
        for at in 0..self.clients.len() {
            if self.clients[at].kind == Kind::Bad && self.clients[at].phase != Phase::Idle {
                self.abandon(at, ClientEnd::Broken);
            }
        }
    }

    fn is_quiet(&self) -> bool {
        let talks = |s: &crate::socket::Socket| {
            let served = s.place != Place::Gone && !s.to_server.is_empty();
            let heard = s.client_end == ClientEnd::Open && !s.to_client.is_empty();
            let ends = s.client_end == ClientEnd::Open && s.server_ended;
            let waits = match s.place {
                Place::At(n, id) => !self.server.shards[n].output(id.slot).is_empty(),
                _ => false,
            };
            let heard = heard || (waits && s.client_end == ClientEnd::Open);
            let gone = matches!(s.client_end, ClientEnd::Broken | ClientEnd::Closed);
            served || heard || ends || (gone && matches!(s.place, Place::At(..)))
        };
        self.asked.is_empty()
            && self.inboxes.iter().all(Vec::is_empty)
            && self.clients.iter().all(|c| c.outgoing.is_empty())
            && !self.sockets.iter().any(talks)
            && self.server.shards.iter().all(|s| s.wait_ms() != Some(0))
    }

    fn unrest(&self) -> String {
        let waits: Vec<_> = self.server.shards.iter().map(Shard::wait_ms).collect();
        let posts: Vec<_> = self.inboxes.iter().map(Vec::len).collect();
        let mut sockets = String::new();
        for (n, s) in self.sockets.iter().enumerate() {
            let (to, from) = (s.to_server.len(), s.to_client.len());
            if s.place != Place::Gone && (to > 0 || from > 0 || s.client_end != ClientEnd::Open) {
                sockets += &format!(" #{n} {:?} {:?} in {to} out {from};", s.place, s.client_end);
            }
        }
        format!("waits {waits:?}, posts {posts:?}, sockets{sockets}")
    }

    /// Every good client is connected again.
    fn return_all(&mut self) {
        for at in 0..self.clients.len() {
            let c = &self.clients[at];
            if c.phase == Phase::Idle && c.kind != Kind::Bad {
                self.connect(at);
            }
        }
        self.settle();
    }

    /// Nothing is under way, due or owed; the server's own view is the account's.
    fn check_all(&mut self) {
        let lost = self.server.counters.iter().map(|c| c.dropped(Loss::PostFull)).sum::<u64>() > 0;
        for client in 0..self.ledger.clients.len() {
            let Some(conn) = self.ledger.conn_of(client) else { continue };
            let id = self.ledger.clients[client].clone();
            if let Some(due) = self.ledger.conns[conn].due() {
                self.ledger.fail(|| format!("{id} waits for {due}"));
            }
            let Some(detail) = self.detail(&id) else {
                return self.ledger.fail(|| format!("{id} has no session"));
            };
            self.compare(client, &detail);
            // A client may have been half open all the time, and then nothing lands.
            if self.sockets[conn].client_end == ClientEnd::Open {
                self.ledger.check_landed(client);
                self.ledger.check_owed(client, detail.dropped, lost);
            }
        }
        let topics = self.swarm.topics;
        for topic in topics {
            let has = self.server.retained.get(topic, self.now.wall_ms);
            let has = has.map(|p| p.message.payload().to_vec());
            let due = match self.ledger.current(topic) {
                Current::Unknown => continue,
                Current::Known(n) => n.map(|n| self.ledger.attempts[n].content.1.clone()),
            };
            self.ledger.check(has == due, || {
                let text = |p: &Option<Vec<u8>>| {
                    p.as_ref().map(|p| String::from_utf8_lossy(&p[..p.len().min(12)]).into_owned())
                };
                format!("{topic} retains {:?}, due is {:?}", text(&has), text(&due))
            });
        }
    }

    fn detail(&mut self, id: &str) -> Option<SessionDetail> {
        let found = Arc::new(Mutex::new(None));
        let place = Arc::clone(&found);
        let reply = Box::new(move |detail: Option<SessionDetail>| {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = detail;
        });
        let home = self.server.shards[0].home_of(id);
        self.server.shards[home].post_in(Post::Session(id.to_owned(), reply));
        found.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn compare(&mut self, client: usize, d: &SessionDetail) {
        let Some(s) = &self.ledger.sessions[client] else { return };
        let State::Attached(conn) = s.state else { return };
        let open = self.sockets[conn].client_end == ClientEnd::Open;
        let due: BTreeSet<(String, u8)> =
            s.subs.iter().map(|s| (s.filter.clone(), s.qos.bits())).collect();
        let has: BTreeSet<(String, u8)> = d.filters.iter().cloned().collect();
        let will = s.will.as_ref().map(|w| w.attempt.topic().to_owned());
        let rests =
            !open || (d.inflight_out, d.summary.queued_messages, d.output_bytes) == (0, 0, 0);
        let same = d.summary.connected
            && due == has
            && d.expiry_s == s.expiry_s
            && d.will_topic == will
            && d.inflight_in == s.received.len()
            && rests;
        let due = format!("{due:?} will {will:?} in {} expiry {}", s.received.len(), s.expiry_s);
        self.ledger.check(same, || format!("{d:?}: due is {due}"));
    }

    /// Everybody who may asks for everything: the last retained value of each topic must come.
    fn ask_for_retained(&mut self) {
        for at in 0..self.clients.len() {
            let c = &mut self.clients[at];
            if c.phase == Phase::Open && c.kind == Kind::Good {
                let options = SubscribeOptions { qos: QoS::ExactlyOnce, ..Default::default() };
                c.subscribe(&[("#", options)], None);
            }
        }
        self.settle();
        self.check_all();
    }

    /// Connections end, each in some way, and time passes until every session has ended.
    fn leave_all(&mut self) {
        for at in 0..self.clients.len() {
            if self.clients[at].phase == Phase::Idle {
                continue;
            }
            match self.chance.below(3) {
                0 if self.clients[at].version == Version::V5 => self.disconnect(at),
                1 => self.abandon(at, ClientEnd::Silent),
                _ => self.abandon(at, ClientEnd::Broken),
            }
        }
        for _ in 0..4 {
            self.settle();
            for at in 0..self.sockets.len() {
                let keeps = self.ledger.conns[at].opened.keep_alive_s > 0;
                let s = &mut self.sockets[at];
                if s.client_end == ClientEnd::Silent && !keeps {
                    s.client_end = ClientEnd::Broken;
                }
            }
            self.pass(2_000_000, 2_000_000);
        }
        self.settle();
    }

    fn check_nothing_left(&mut self) {
        let sum = |of: &dyn Fn(&Counters) -> u64| -> u64 {
            self.server.counters.iter().map(|c| of(c)).sum()
        };
        let left = [
            ("connections", sum(&|c| c.connections.get())),
            ("sessions", sum(&|c| c.sessions.get())),
            ("subscriptions", sum(&|c| c.subscriptions.get())),
        ];
        let all_seen = self.ledger.scope == Scope::All;
        let sent: Vec<u64> = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce]
            .map(|q| sum(&|c| c.sent_messages(Version::V311, q) + c.sent_messages(Version::V5, q)))
            .to_vec();
        let out = self.server.shards.iter().map(|s| s.wait_ms()).filter(|w| *w == Some(0)).count();
        let counts = self.server.retained.counts();
        let kept = counts.bytes + counts.messages * KEPT_BYTES;
        let (budget, queued) = (&self.server.budget, self.server.budget.queued_bytes());
        let charged = budget.bytes() - budget.spare_bytes();
        let strangers = self.ledger.strangers;
        let due = self.ledger.retained_counts();
        let names: BTreeSet<_> = self.clients.iter().map(|c| c.name.clone()).collect();
        let free = |name: &String| self.server.quota.begin(&name.as_str().into()).is_ok();
        let held: Vec<_> = names.iter().filter(|n| !free(n)).collect();
        let l = &mut self.ledger;
        l.check(left.iter().all(|(_, n)| *n == 0), || format!("left behind: {left:?}"));
        l.check(held.is_empty(), || format!("sessions of {held:?} still count"));
        l.check(charged == kept, || format!("{charged} bytes are charged, {kept} are retained"));
        l.check(queued == 0, || format!("{queued} bytes count as queued"));
        l.check(out == 0, || format!("{out} reactors have work"));
        let seen = l.sent.to_vec();
        l.check(seen == sent || !all_seen, || {
            format!("{sent:?} PUBLISH are counted, {seen:?} were seen")
        });
        if let Some(due) = due.filter(|_| !strangers && all_seen) {
            let has = (counts.messages, counts.bytes);
            l.check(has == due, || format!("retained {has:?} messages and bytes, due are {due:?}"));
        }
    }
}

/// More rounds than a seed needs to come to rest: a server that sends for ever is a finding.
const ROUNDS_MAX: usize = 100_000;
/// More rounds than any of what waits needs before somebody gets a message.
const IDLE_ROUNDS_MAX: u64 = 1_000;
