//! One reactor: a thread, a poll, the sockets whose sessions are at home here.
//!
//! A turn reads what is readable, lets the shard decide, and writes each dirty connection once.

use crate::auth::tls::Trust;
use crate::clock::Clock;
use crate::net::arrivals::{ACCEPT_PAUSE_MS, Socket};
use crate::net::inbox::{Inbox, Moved, Parcel};
use crate::net::notice;
use crate::net::queue::{Jobs, Queue};
use crate::net::slots::{Connections, Named, WAKER, named};
use mio::{Events, Poll};
use node::effect::Effect;
use node::post::Post;
use node::{LinkId, Shard};
use std::io::ErrorKind::Interrupted;
use std::sync::Arc;
use std::time::Duration;

/// The answer to an authentication goes back by this.
pub type AuthReply = Box<dyn FnOnce(node::auth::AuthOutcome) + Send>;
/// Checks credentials without blocking the caller.
pub type Authenticate = Arc<dyn Fn(node::auth::AuthRequest, AuthReply) + Send + Sync>;

/// Takes what a reactor wants to have read of the log.
pub type Reads = std::sync::mpsc::Sender<(usize, Box<node::ReadJob>)>;

/// What a reactor is made of.
pub struct ReactorSettings {
    /// Its number.
    pub me: usize,
    /// Every reactor's post, its own included.
    pub inboxes: Arc<[Arc<Inbox>]>,
    /// The clocks.
    pub clock: Clock,
    /// Checks credentials.
    pub authenticate: Authenticate,
    /// Bytes of publishes that may wait in another reactor's post.
    pub post_bytes_max: usize,
    /// This reactor's share of `limits.opening_connections_max`.
    pub openings_max: usize,
    /// Who reads the log, where there is one.
    pub reads: Option<Reads>,
    /// Who tells certificates of authorities from others, where any are taken.
    pub trust: Option<Arc<Trust>>,
}

/// The thread's state.
pub struct Reactor {
    pub(super) me: usize,
    pub(super) poll: Poll,
    pub(super) shard: Shard,
    pub(super) connections: Connections,
    pub(super) listeners: Vec<Socket>,
    pub(super) inboxes: Arc<[Arc<Inbox>]>,
    pub(super) clock: Clock,
    pub(super) authenticate: Authenticate,
    pub(super) post_bytes_max: usize,
    pub(super) openings_max: usize,
    /// The log knows that newcomers wait, until then.
    pub(super) crowd_told_ms: u64,
    pub(super) buffer: Vec<u8>,
    /// Connections that may have more to read.
    pub(super) queue: Queue,
    /// Listeners that may have more connections.
    pub(super) accept_again: Vec<usize>,
    /// Accepting failed: when to try again.
    pub(super) accept_at_ms: Option<u64>,
    /// Connections whose end is awaited, with the time when we stop waiting.
    pub(super) draining: Vec<(u64, LinkId)>,
    pub(super) parcels: Vec<Parcel>,
    pub(super) reads: Option<Reads>,
    pub(super) trust: Option<Arc<Trust>>,
    pub(super) effects: Vec<Effect>,
    pub(super) dirty: Vec<u32>,
    /// Set by a planned stop: when the last connections are cut off.
    pub(super) stop_at_ms: Option<u64>,
}

/// How the output of a turn went.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// Every connection took it, or keeps it for later.
    All,
    /// A connection turned out to be broken.
    SomeLost,
}

impl Reactor {
    /// A reactor on `poll`, whose waker its inbox holds.
    pub fn new(poll: Poll, s: ReactorSettings, shard: Shard, listeners: Vec<Socket>) -> Self {
        Self {
            me: s.me,
            poll,
            shard,
            connections: Connections::default(),
            listeners,
            inboxes: s.inboxes,
            clock: s.clock,
            authenticate: s.authenticate,
            post_bytes_max: s.post_bytes_max,
            openings_max: s.openings_max,
            crowd_told_ms: 0,
            buffer: vec![0; BUFFER_BYTES],
            queue: Queue::default(),
            accept_again: Vec::new(),
            accept_at_ms: None,
            draining: Vec::new(),
            parcels: Vec::new(),
            reads: s.reads,
            trust: s.trust,
            effects: Vec::new(),
            dirty: Vec::new(),
            stop_at_ms: None,
        }
    }

    /// The poll's waker token, for whoever makes the inbox.
    pub const WAKER: mio::Token = WAKER;

    /// Runs until a planned stop has ended the last connection.
    pub fn run(&mut self) {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            self.wait(&mut events);
            let now = self.clock.now();
            let jobs = if self.shard.fans_out() { Jobs::Waiting } else { Jobs::None };
            self.queue.begin(now.mono_ms, jobs);
            self.shard.begin(now, self.full_posts());
            self.take_parcels();
            if self.accepts() {
                for i in std::mem::take(&mut self.accept_again) {
                    self.accept(i);
                }
            }
            for event in &events {
                match named(event.token()) {
                    Named::Waker => {}
                    Named::Listener(n) => {
                        if self.accepts() {
                            self.accept(n);
                        } else {
                            self.notice_crowd();
                            self.accept_later(n);
                        }
                    }
                    Named::Link(id) => self.ready(id, event),
                }
            }
            if self.queue.gives_way() {
                self.finish_turn();
            }
            self.read_on();
            self.end_draining(now.mono_ms);
            // A connection found broken while its output is written has a session to detach and
            // perhaps a will to send: not after a sleep.
            while self.finish_turn() == Written::SomeLost {}
            if self.stop_at_ms.is_some_and(|at| now.mono_ms >= at || self.connections.is_empty()) {
                return;
            }
        }
    }

    fn wait(&mut self, events: &mut Events) {
        let mut wait_ms = self.shard.wait_ms();
        if self.queue.is_waiting() || (!self.accept_again.is_empty() && self.accepts()) {
            wait_ms = Some(0);
        } else if !self.accept_again.is_empty() {
            wait_ms = Some(wait_ms.unwrap_or(ACCEPT_PAUSE_MS).min(ACCEPT_PAUSE_MS));
        }
        if !self.draining.is_empty() || self.stop_at_ms.is_some() {
            wait_ms = Some(wait_ms.unwrap_or(DRAIN_STEP_MS).min(DRAIN_STEP_MS));
        }
        if wait_ms != Some(0) && !self.inboxes[self.me].about_to_sleep() {
            wait_ms = Some(0);
        }
        // The domain clock may be moved while we sleep: it wakes us by a parcel.
        if let Err(e) = self.poll.poll(events, wait_ms.map(Duration::from_millis))
            && e.kind() != Interrupted
        {
            tracing::error!(error = %e, "poll failed");
        }
        self.inboxes[self.me].awake();
    }

    /// Bit n: reactor n takes no more publishes now.
    fn full_posts(&self) -> u64 {
        let max = self.post_bytes_max;
        let full = |(n, inbox): (usize, &Arc<Inbox>)| u64::from(inbox.is_full(max)) << n;
        self.inboxes.iter().enumerate().map(full).sum()
    }

    fn take_parcels(&mut self) {
        let mut parcels = std::mem::take(&mut self.parcels);
        self.inboxes[self.me].take(&mut parcels);
        for parcel in parcels.drain(..) {
            match parcel {
                Parcel::Post(post) => self.shard.post_in(post),
                Parcel::Adopt(moved) => self.adopt(*moved),
                Parcel::TakeIn(upgraded) => self.take_in_websocket(*upgraded),
                Parcel::Wake => {}
                Parcel::Stop => self.stop(),
            }
        }
        self.parcels = parcels;
    }

    fn finish_turn(&mut self) -> Written {
        // What the outer world does may give the shard more to do; it settles quickly.
        loop {
            self.shard.end();
            let mut effects = std::mem::take(&mut self.effects);
            self.shard.take_effects(&mut effects);
            if effects.is_empty() {
                self.effects = effects;
                break;
            }
            for effect in effects.drain(..) {
                self.perform(effect);
            }
            self.effects = effects;
            self.take_parcels();
        }
        let mut written = Written::All;
        let mut dirty = std::mem::take(&mut self.dirty);
        self.shard.take_dirty(&mut dirty);
        for slot in dirty.drain(..) {
            let Some(c) = self.connections.at(slot) else { continue };
            let id = c.id;
            if !c.flush(&mut self.shard) {
                self.lost(id);
                written = Written::SomeLost;
            }
        }
        self.dirty = dirty;
        for n in 0..self.inboxes.len() {
            if let Some(batch) = self.shard.take_post(n) {
                self.inboxes[n].send(Parcel::Post(Post::Publishes(batch)));
            }
        }
        written
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Authenticate(id, request) => {
                let inbox = Arc::clone(&self.inboxes[self.me]);
                let reply: AuthReply = Box::new(move |outcome| {
                    inbox.send(Parcel::Post(Post::Authenticated(id, outcome)));
                });
                (self.authenticate)(*request, reply);
            }
            Effect::Close(id, linger) => self.close(id, linger),
            Effect::Move(id, home, adoption) => {
                let Some(mut c) = self.connections.take(id) else { return };
                if let Err(error) = self.poll.registry().deregister(&mut c.socket) {
                    tracing::error!(%error, "a connection cannot move");
                    return;
                }
                self.inboxes[home].send(Parcel::Adopt(Box::new(Moved {
                    socket: c.socket,
                    tls: c.tls,
                    websocket: c.websocket,
                    unread: c.unread,
                    listener: c.listener,
                    adoption: *adoption,
                })));
            }
            Effect::Resume(id) => self.resume(id),
            Effect::Read(job) => {
                if let Some(reads) = &self.reads {
                    // Without the thread the server is about to end.
                    let _ = reads.send((self.me, job));
                }
            }
            Effect::Notice(n) => notice::log(&n),
        }
    }
}

/// One read's worth; large enough for the receive buffer of a busy socket.
pub(super) const BUFFER_BYTES: usize = 256 * 1024;
pub(super) const TLS_BUFFER_BYTES: usize = 64 * 1024;
const EVENTS: usize = 256;
const DRAIN_STEP_MS: u64 = 50;
