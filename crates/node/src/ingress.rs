//! The one door: every publish of MQTT, HTTP, wills and the broker itself comes through here.
//! Authorize, then persist what must be, then tell those who hear it.

use crate::counters::Loss;
use crate::door::{Ingress, Published};
use crate::durable::Step;
use crate::journal::Publisher;
use crate::link::Pause;
use crate::post::{Content, PostedPublish};
use crate::session::{Origin, Session};
use crate::shard::Shard;
use crate::source::{Source, deadline};
use crate::tally::{Counting, Tally};
use crate::waiting::{Completion, Logged, Waiting, Way};
use broker::access::{Authorized, Denied, Principal};
use broker::budget::Level;
use broker::limits::QueueFull;
use broker::publication::Publication;
use broker::router::{Route, Target};
use broker::share::Matching;
use mqtt::message::Message;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::topic::TopicName;
use std::rc::Rc;
use std::sync::Arc;

/// What the door says at once.
pub(crate) enum Verdict {
    /// It is on its way; `heard` tells whether anybody may have matched.
    Told { heard: bool },
    /// It waits for the log; its completion comes later.
    Waits,
    /// The principal may not.
    Denied(Denied),
    /// A bound or rule stands against it.
    Refused(Reason, &'static str),
}

/// Whose permissions hold.
#[derive(Clone, Copy)]
pub(crate) enum Who<'a> {
    /// The session in this slot.
    Session(u32),
    /// Somebody without a session.
    Principal(&'a Arc<Principal>),
}

impl Shard {
    /// Publishes. `completion` is used only when the verdict is `Waits`.
    #[inline]
    pub(crate) fn publish(
        &mut self,
        origin: Origin,
        who: Who<'_>,
        source: Source<'_>,
        completion: impl FnOnce() -> Completion,
    ) -> Verdict {
        self.fanout.hears(origin, self.homes.now.mono_ms);
        let route = self.route(who, source.topic);
        let Some(permit) = route.permit else { return self.denied(who, source.topic) };
        let publish = permit.authorize(source);
        if self.homes.meter.level() != Level::Normal && self.lacks_memory(&publish, &route) {
            return self.for_want_of_memory(publish.qos);
        }
        let acknowledged = publish.qos > QoS::AtMostOnce;
        let bounded = publish.retain || self.homes.limits.queue_full == QueueFull::Refuse;
        if bounded && let Some(refused) = self.without_room(&publish, &route) {
            return refused;
        }
        let logged = publish.retain || (acknowledged && route.is_durable());
        // Whatever comes behind a publish that waits would overtake it.
        if logged || self.perform.holds(origin) {
            let completion = completion();
            let publisher = self.publisher(who, &completion);
            self.wait_for_log((origin, who), publish, (&route, logged), publisher, completion);
            return Verdict::Waits;
        }
        Verdict::Told { heard: self.tell(origin, &route, publish, 0, None) }
    }

    /// A publish from outside MQTT.
    pub fn ingress(&mut self, i: Ingress) {
        let Ingress { principal, request: r, reply } = i;
        if TopicName::parse(&r.topic).is_err() {
            let why = "the topic name is empty, too long, or holds a wildcard or U+0000";
            return reply(Published::Refused { reason: Reason::TOPIC_NAME_INVALID, why });
        }
        if self.fanout.waiting(Origin::NOBODY) >= SERVICE_FANOUT_MAX {
            let why = "too many messages of services wait for their receivers";
            return reply(Published::Refused { reason: Reason::QUOTA_EXCEEDED, why });
        }
        let mut message = Publication::new(Message::new(
            &r.topic,
            &r.properties,
            &r.payload,
            r.qos.min(self.homes.limits.maximum_qos),
            r.retain,
        ));
        let zero_expiry = self.homes.limits.zero_expiry;
        message.deadline_ms =
            deadline(message.message.expiry_s(), zero_expiry, self.homes.now.wall_ms);
        message.watch = r.watch;
        message.charge_to(self.homes.meter.account());
        let watched = message.watch.is_some();
        let publication = Arc::new(message);
        let who = Who::Principal(&principal);
        // A service has no session: two of its publishes have no order between them.
        let route = self.route(who, publication.message.topic());
        let Some(permit) = route.permit else {
            return reply(match self.denied(who, publication.message.topic()) {
                Verdict::Denied(d) => Published::Denied(d),
                _ => Published::Refused {
                    reason: Reason::NOT_AUTHORIZED,
                    why: "the permissions changed meanwhile; try again",
                },
            });
        };
        let publish = permit.authorize(Source::kept(&publication));
        if self.homes.meter.level() != Level::Normal && self.lacks_memory(&publish, &route) {
            let why = crate::pressure::MEMORY_FULL;
            return reply(Published::Refused { reason: Reason::QUOTA_EXCEEDED, why });
        }
        if let Some(Verdict::Refused(reason, why)) = self.without_room(&publish, &route) {
            return reply(Published::Refused { reason, why });
        }
        // A repeat must be known after a restart too, whoever hears the first.
        let key = r.key.filter(|_| self.perform.keeps());
        let acknowledged = publish.qos > QoS::AtMostOnce;
        let logged = publish.retain || (acknowledged && route.is_durable()) || key.is_some();
        let tally = Tally::new(reply, if watched { Counting::Yes } else { Counting::No });
        if logged {
            if self.perform.bytes() > self.homes.limits.log_queue_bytes_max {
                // A service has no socket to stop reading.
                let (reason, why) = (Reason::QUOTA_EXCEEDED, LOG_FULL);
                return tally.answer(Published::Refused { reason, why });
            }
            let done = Completion::Tally(tally);
            let now_ms = self.homes.now.wall_ms;
            let publisher =
                key.as_ref().map_or(Publisher::Passing, |k| k.of(&principal.name, now_ms));
            let from = (Origin::NOBODY, who);
            return self.wait_for_log(from, publish, (&route, true), publisher, done);
        }
        let counted = watched.then(|| Arc::clone(&tally));
        self.tell(Origin::NOBODY, &route, publish, 0, counted);
        if !watched {
            tally.accepted(0);
        }
    }

    /// Tells everybody who hears it; whether there may be somebody.
    pub(crate) fn tell(
        &mut self,
        origin: Origin,
        route: &Route,
        publish: Authorized<Source<'_>>,
        order: u64,
        tally: Option<Arc<Tally>>,
    ) -> bool {
        let mut s = publish.into_inner();
        if route.remote != 0 {
            if let Some(tally) = &tally {
                tally.also(route.remote.count_ones());
            }
            self.post(origin, route.remote, &mut s, order, tally.as_ref());
        }
        if let Some(tally) = tally {
            tally.routed(self.acknowledging(&route.targets, &route.groups, s.qos));
        }
        self.tell_here(origin, &route.targets, &route.groups, &mut s);
        !route.targets.is_empty() || route.remote != 0 || route.groups.is_some()
    }

    /// Tells the receivers at home here, now or by a job.
    #[inline]
    pub(crate) fn tell_here(
        &mut self,
        origin: Origin,
        targets: &Rc<[Target]>,
        groups: &Matching,
        s: &mut Source<'_>,
    ) {
        let many = targets.len() > INLINE_RECEIVERS_MAX
            || groups.as_ref().is_some_and(|g| g.len() > INLINE_RECEIVERS_MAX);
        if many || self.fanout.holds(origin, s.place()) {
            let waiting =
                self.fanout.add(origin, targets, groups, Arc::clone(s.keep(&mut self.homes.meter)));
            if waiting >= FANOUT_PENDING_MAX {
                self.pause(origin, Pause::Fanout);
            }
            return;
        }
        if !targets.is_empty() {
            self.frames.clear();
            for target in targets.iter() {
                self.homes.deliver(target, s, &mut self.frames, origin);
            }
        }
        if let Some(groups) = groups {
            let publication = s.keep(&mut self.homes.meter);
            let mut out = self.handing_out();
            groups.iter().for_each(|group| out.offer(*group, publication));
        }
    }

    /// The route for a publisher's permission set.
    #[inline]
    pub(crate) fn route(&mut self, who: Who<'_>, topic: &str) -> Route {
        let Self { router, homes, .. } = self;
        let set = match who {
            Who::Session(slot) => match homes.sessions.at(slot) {
                Some(s) => &s.principal.permissions,
                None => return Route::nowhere(),
            },
            Who::Principal(p) => &p.permissions,
        };
        router.route(set, topic).clone()
    }

    fn denied(&self, who: Who<'_>, topic: &str) -> Verdict {
        let set = match who {
            Who::Session(slot) => self.homes.sessions.at(slot).map(|s| &s.principal.permissions),
            Who::Principal(p) => Some(&p.permissions),
        };
        match set.and_then(|set| self.router.denied(set, topic)) {
            Some(denied) => Verdict::Denied(denied),
            None => Verdict::Refused(Reason::NOT_AUTHORIZED, "the session has ended"),
        }
    }

    fn wait_for_log(
        &mut self,
        (origin, who): (Origin, Who<'_>),
        publish: Authorized<Source<'_>>,
        (route, logged): (&Route, bool),
        publisher: Publisher<'_>,
        completion: Completion,
    ) {
        let principal = match who {
            Who::Session(slot) => match self.homes.sessions.at(slot) {
                Some(s) => Arc::clone(&s.principal),
                None => return,
            },
            Who::Principal(p) => Arc::clone(p),
        };
        let qos = publish.qos;
        let publication = publish.map(|mut s| Arc::clone(s.keep(&mut self.homes.meter)));
        let retained_before = if publication.message.retain() { self.retained.order() } else { 0 };
        let publish = Logged { principal, publication, retained_before };
        let waiting = Waiting::publish(origin, publish, completion);
        if let (true, Who::Session(slot), Publisher::Exchange(_, id)) = (logged, who, publisher) {
            self.takes_step(slot, Step::Received(id));
        }
        let held = if logged {
            let queued = qos > QoS::AtMostOnce;
            let streams = route.streams.as_deref().filter(|_| queued).unwrap_or_default();
            self.perform.submit(waiting, &Way { streams, others: route.remote, publisher })
        } else {
            self.perform.pass(waiting, route.remote)
        };
        let full = self.perform.bytes() > self.homes.limits.log_queue_bytes_max;
        if full || held >= self.homes.limits.publisher_pending_max {
            self.pause(origin, Pause::Log);
        }
    }

    /// The refusal of a retained message without room, or under the policy `refuse` of a receiver
    /// whose queue is full.
    fn without_room(&self, s: &Source<'_>, route: &Route) -> Option<Verdict> {
        let limits = &self.homes.limits;
        if s.retain && !s.payload.is_empty() {
            let bytes = s.topic.len() + s.properties.len() + s.payload.len();
            if s.payload.len() > limits.retained_bytes_max {
                return Some(Verdict::Refused(Reason::QUOTA_EXCEEDED, RETAINED_LARGE));
            }
            if self.retained.room_for_bytes(s.topic, bytes, s.payload.len()).is_err() {
                return Some(Verdict::Refused(Reason::QUOTA_EXCEEDED, RETAINED_FULL));
            }
        }
        if limits.queue_full == QueueFull::Refuse && s.qos > QoS::AtMostOnce {
            let more = s.topic.len() + s.properties.len() + s.payload.len();
            let namespace_full = self.homes.meter.is_namespace_full(more);
            // What the log has to keep first is not in its queues yet.
            let coming = self.perform.publishes();
            let full = |x: &Session| {
                let (n, bytes) = x.queued();
                let (more, more_bytes) = if x.queues() { coming } else { (0, 0) };
                n + more >= limits.session_queue_messages_max
                    || bytes + more_bytes >= limits.session_queue_bytes_max
                    || (namespace_full && x.queues())
            };
            let sessions = &self.homes.sessions;
            let share = &self.router.share;
            let full_group = route
                .groups
                .iter()
                .flat_map(|g| g.iter())
                .any(|g| share.is_full(*g, limits, coming));
            if full_group
                || route.targets.iter().any(|t| sessions.at(t.session.slot).is_some_and(full))
            {
                return Some(Verdict::Refused(Reason::QUOTA_EXCEEDED, QUEUE_FULL));
            }
        }
        None
    }

    /// How many of these sessions will acknowledge a publish at `qos`; a shared group is one.
    pub(crate) fn acknowledging(&self, targets: &[Target], groups: &Matching, qos: QoS) -> u32 {
        let counts =
            |t: &&Target| qos.min(t.options.qos()) > QoS::AtMostOnce && !t.options.is_for_own();
        let sessions = u32::try_from(targets.iter().filter(counts).count()).unwrap_or(u32::MAX);
        sessions.saturating_add(self.router.share.acknowledging(groups, qos))
    }

    fn post(
        &mut self,
        origin: Origin,
        remote: u64,
        s: &mut Source<'_>,
        order: u64,
        tally: Option<&Arc<Tally>>,
    ) {
        for reactor in 0..self.posts.len() {
            if remote & (1 << reactor) == 0 {
                continue;
            }
            if self.full_posts & (1 << reactor) != 0 {
                if s.qos == QoS::AtMostOnce {
                    self.homes.counters.lose(Loss::PostFull);
                    continue;
                }
                self.pause(origin, Pause::Post);
            }
            let batch = &mut self.posts[reactor];
            let content = match s.owned() {
                Some(publication) => Content::Shared(Arc::clone(publication)),
                None if s.payload.len() > SHARED_BYTES_MIN => {
                    Content::Shared(s.keep(&mut self.homes.meter).clone())
                }
                None => inline(&mut batch.bytes, s),
            };
            batch.items.push(PostedPublish { origin, order, content, tally: tally.cloned() });
        }
    }
}

fn inline(bytes: &mut Vec<u8>, s: &Source<'_>) -> Content {
    bytes.extend_from_slice(s.topic.as_bytes());
    bytes.extend_from_slice(s.properties);
    bytes.extend_from_slice(s.payload);
    // Each part came out of one packet.
    Content::Inline {
        topic: s.topic.len() as u32,
        properties: s.properties.len() as u32,
        payload: s.payload.len() as u32,
        qos: s.qos,
        retain: s.retain,
        deadline_ms: s.deadline_ms,
    }
}

/// More receivers than this are served by a job, some at each turn.
pub(crate) const INLINE_RECEIVERS_MAX: usize = 64;
/// So many messages of one publisher may wait in jobs before its socket is not read.
pub(crate) const FANOUT_PENDING_MAX: usize = 64;
/// As many for services, which have no socket to stop reading: above it they are refused.
const SERVICE_FANOUT_MAX: usize = 4_096;
/// A payload larger than this is shared with other reactors, a smaller one copied.
const SHARED_BYTES_MIN: usize = 4_096;
const RETAINED_LARGE: &str = "the retained message is larger than this namespace takes";
const LOG_FULL: &str = "too many messages wait for the disk; try again";
const RETAINED_FULL: &str = "the namespace holds as many retained messages as it may";
const QUEUE_FULL: &str = "the queue of a subscribed session is full and its policy is to refuse";
