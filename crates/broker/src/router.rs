//! Who may publish to a topic and who hears it, resolved once and remembered.
//!
//! One router per reactor: it owns the subscriptions of the sessions that live there, knows by
//! [`Interest`] which other reactors to tell, and caches both answers per (permission set, topic).
//! One entry never answers for another permission set. Delivers nothing itself.

use crate::access::{Authorizer, Denied, PermissionSet, PermissionSetId, Permit};
use crate::share::{Groups, Join, Matching};
use crate::subscription::{
    FilterId, Index, Interest, NumbersSpent, Receiver, Restoring, SessionRef, Shard, Stamp, Text,
};
use crate::target::{merge, one};
use foldhash::fast::FixedState;
use std::hash::BuildHasher;
use std::rc::Rc;
use std::sync::Arc;
use store::log::StreamId;

pub use crate::target::{Ids, Target};

/// The routes of one reactor.
pub struct Router {
    /// Subscriptions of the sessions at home on this reactor.
    pub index: Index,
    /// Shared groups at home on this reactor.
    pub share: Groups,
    /// What other reactors want to hear of.
    interest: Arc<Interest>,
    authorizer: Authorizer,
    /// This reactor's bit in an interest mask.
    me: u64,
    ways: Vec<Option<Box<Entry>>>,
    foreign: Vec<Option<Box<Foreign>>>,
    filled: usize,
    last: usize,
    hasher: FixedState,
}

/// Where a publish goes. Cheap to clone: the receivers are shared.
#[derive(Clone)]
pub struct Route {
    /// The proof that this permission set may publish here; `None` is a refusal.
    pub permit: Option<Permit>,
    /// The receivers at home here: one entry a session, overlapping subscriptions merged.
    pub targets: Rc<[Target]>,
    /// The shared groups at home here: each gives the message to one of its members.
    pub groups: Matching,
    /// Other reactors that may have receivers: bit n = reactor n.
    pub remote: u64,
    /// The streams of the log that a publish at QoS > 0 belongs to; `None` in the common case that
    /// no durable session, on any reactor, may get it above QoS 0.
    pub streams: Option<Rc<[StreamId]>>,
}

/// The receivers here of a publish that another reactor has authorized. Cheap to clone.
#[derive(Clone)]
pub struct Here {
    /// As in [`Route`].
    pub targets: Rc<[Target]>,
    /// As in [`Route`].
    pub groups: Matching,
}

/// What is remembered of a topic that other reactors publish to.
struct Foreign {
    topic: Box<str>,
    stamp: Stamp,
    here: Here,
}

struct Entry {
    set: PermissionSetId,
    shard: Shard,
    topic: Box<str>,
    stamp: Stamp,
    interest: u64,
    route: Route,
}

impl Router {
    /// A router for reactor number `reactor`.
    pub fn new(authorizer: Authorizer, interest: Arc<Interest>, reactor: usize) -> Self {
        let mut ways = Vec::new();
        ways.resize_with(WAYS_MIN, || None);
        let mut foreign = Vec::new();
        if interest.reactors() > 1 {
            foreign.resize_with(FOREIGN_WAYS, || None);
        }
        Self {
            index: Index::new(),
            share: Groups::default(),
            interest,
            authorizer,
            me: 1 << reactor,
            ways,
            foreign,
            filled: 0,
            last: 0,
            hasher: FixedState::with_seed(reactor as u64 ^ 0x9e37_79b9_7f4a_7c15),
        }
    }

    /// The route of `topic` for a publisher with `set`; resolved again only when a matching
    /// subscription may have come or gone.
    #[inline]
    pub fn route(&mut self, set: &PermissionSet, topic: &str) -> &Route {
        // A batch of one publisher mostly repeats its topic.
        if !self.holds(self.last, set.id(), topic) {
            self.last = self.find(set, topic);
        } else if !self.current(self.last) {
            self.refresh(self.last, set);
        }
        match &self.ways[self.last] {
            Some(entry) => &entry.route,
            // `find` leaves an entry where it points.
            None => unreachable!("a found way is filled"),
        }
    }

    /// The route of what the broker itself publishes, stored as retained change number `order`.
    pub fn own_route(&mut self, topic: &str, order: u64) -> Route {
        self.take_joins();
        let Here { targets, groups } = self.here_after(topic, order);
        Route {
            permit: Some(self.authorizer.own_publish()),
            targets,
            groups,
            remote: self.interest.mask(topic) & !self.me,
            // Not in the log: it is told anew after a start.
            streams: None,
        }
    }

    /// Why `set` may not publish to `topic`: asked only after a route without permit.
    pub fn denied(&self, set: &PermissionSet, topic: &str) -> Option<Denied> {
        self.authorizer.publish(set, topic).err()
    }

    /// This reactor's first subscription of `filter` came. Nobody has to know where there is only
    /// one reactor: that saves its entry.
    pub fn want(&self, filter: &str) {
        if self.interest.reactors() > 1 {
            self.interest.add(self.me.trailing_zeros() as usize, filter);
        }
    }

    /// As [`want`](Self::want), at start: nobody routes yet.
    pub fn want_restored(&self, filter: &str, restoring: &mut Restoring) {
        if self.interest.reactors() > 1 {
            self.interest.restore(self.me.trailing_zeros() as usize, filter, restoring);
        }
    }

    /// Its last subscription of `filter` has gone.
    pub fn unwant(&self, filter: &str) {
        if self.interest.reactors() > 1 {
            self.interest.remove(self.me.trailing_zeros() as usize, filter);
        }
    }

    /// A durable session of this reactor is granted `text` (`$share/{name}/` included) at QoS > 0,
    /// or comes to outlive its connections with such a subscription: [`Interest::hold`].
    pub fn hold(&self, text: &(impl Text + ?Sized)) -> Result<StreamId, NumbersSpent> {
        self.interest.hold(text)
    }

    /// A session of an earlier run holds this filter: [`Interest::adopt`].
    pub fn adopt(&self, text: &Arc<str>, stream: StreamId, restoring: &mut Restoring) {
        self.interest.adopt(text, stream, restoring);
    }

    /// What was adopted and wanted is known to all: [`Interest::restored`].
    pub fn restored(&self, restoring: Restoring) {
        self.interest.restored(restoring);
    }

    /// It is so no longer. The stream, if nobody holds the filter now: [`Interest::release`].
    pub fn release(&self, text: &str) -> Option<StreamId> {
        self.interest.release(text)
    }

    /// A session of this reactor joins a shared group at home on reactor `home`: whoever publishes
    /// after this returned finds it there.
    pub fn join(&mut self, home: usize, filter: &str, join: Join) {
        if 1 << home == self.me {
            self.take_in(&join);
        } else {
            self.interest.join(home, filter, join);
        }
    }

    /// A membership of a session of this reactor began, for a group at home on `home`: publishes
    /// have to go there. Counted.
    pub fn want_at(&self, home: usize, filter: &str) {
        if self.interest.reactors() > 1 {
            self.interest.add(home, filter);
        }
    }

    /// It has ended.
    pub fn unwant_at(&self, home: usize, filter: &str) {
        if self.interest.reactors() > 1 {
            self.interest.remove(home, filter);
        }
    }

    /// Takes in the members that sessions elsewhere have become of groups here.
    pub fn take_joins(&mut self) {
        let me = self.me.trailing_zeros() as usize;
        if self.interest.has_joins(me) {
            for join in self.interest.take_joins(me) {
                self.take_in(&join);
            }
        }
    }

    fn take_in(&mut self, join: &Join) {
        if let Some(filter) = self.share.join(join) {
            self.index.touch(filter);
        }
    }

    /// The authorizer, for subscriptions.
    pub fn authorizer(&self) -> &Authorizer {
        &self.authorizer
    }

    /// What these subscriptions of a session add up to for one message: of those with No Local
    /// nothing, if it published that itself (MQTT 5, 3.8.3-3).
    pub fn target(
        &self,
        session: SessionRef,
        filters: impl Iterator<Item = FilterId>,
        publisher: Option<SessionRef>,
    ) -> Option<Target> {
        let is_own = publisher == Some(session);
        let all = filters.filter_map(|filter| self.index.get(filter, session));
        one(all.filter(|receiver| !(is_own && receiver.options.no_local())))
    }

    /// Receivers of a publish that another reactor has authorized.
    pub fn here(&mut self, topic: &str) -> Here {
        let shard = Shard::of(topic);
        let stamp = self.index.stamp_of(shard);
        let hash = self.hasher.hash_one(topic);
        let way = hash as usize & (FOREIGN_WAYS - 1);
        match &self.foreign[way] {
            Some(f) if *f.topic == *topic && f.stamp == stamp => return f.here.clone(),
            _ => {}
        }
        let here = self.here_after(topic, u64::MAX);
        self.foreign[way] =
            Some(Box::new(Foreign { topic: topic.into(), stamp, here: here.clone() }));
        here
    }

    /// Receivers of a retained message that another reactor stored as number `order`: those that
    /// already got it (or a newer one) when they subscribed are left out.
    pub fn here_after(&self, topic: &str, order: u64) -> Here {
        let mut all = Vec::new();
        self.index.matches(topic, &mut |r: &Receiver| {
            if r.since < order {
                all.push(*r);
            }
        });
        Here { targets: merge(all), groups: self.share.matching(topic) }
    }

    #[inline]
    fn holds(&self, way: usize, set: PermissionSetId, topic: &str) -> bool {
        matches!(&self.ways[way], Some(e) if e.set == set && *e.topic == *topic)
    }

    #[inline]
    fn current(&self, way: usize) -> bool {
        let Some(e) = &self.ways[way] else { return false };
        e.stamp == self.index.stamp_of(e.shard) && e.interest == self.interest.stamp_of(e.shard)
    }

    fn find(&mut self, set: &PermissionSet, topic: &str) -> usize {
        let hash = self.hasher.hash_one((set.id(), topic));
        let first = self.place(hash);
        for way in [first, first ^ 1] {
            if self.holds(way, set.id(), topic) {
                if !self.current(way) {
                    self.refresh(way, set);
                }
                return way;
            }
        }
        let mut way = if self.ways[first].is_none() { first } else { first ^ 1 };
        if self.ways[way].is_none() {
            self.filled += 1;
            if self.filled * 2 > self.ways.len() && self.ways.len() < WAYS_MAX {
                self.grow();
                way = self.place(hash);
            }
        }
        self.ways[way] = Some(Box::new(self.resolve(set, topic)));
        way
    }

    fn place(&self, hash: u64) -> usize {
        // The length is a power of two.
        hash as usize & (self.ways.len() - 1)
    }

    fn refresh(&mut self, way: usize, set: &PermissionSet) {
        if let Some(mut entry) = self.ways[way].take() {
            let fresh = self.resolve(set, &entry.topic);
            entry.stamp = fresh.stamp;
            entry.interest = fresh.interest;
            entry.route = fresh.route;
            self.ways[way] = Some(entry);
        }
    }

    fn resolve(&mut self, set: &PermissionSet, topic: &str) -> Entry {
        let shard = Shard::of(topic);
        // Stamps first: a change in between makes the entry stale, never wrong. Who has joined a
        // group here before that stamp is taken in before the match.
        let interest = self.interest.stamp_of(shard);
        self.take_joins();
        let stamp = self.index.stamp_of(shard);
        let permit = self.authorizer.publish(set, topic).ok();
        let mut route = Route { permit, ..Route::nowhere() };
        if permit.is_some() {
            let mut all = Vec::new();
            self.index.matches(topic, &mut |r: &Receiver| all.push(*r));
            route.targets = merge(all);
            route.groups = self.share.matching(topic);
            route.remote = self.interest.mask(topic) & !self.me;
            let streams = self.interest.streams(topic);
            route.streams = (!streams.is_empty()).then(|| streams.into());
        }
        Entry { set: set.id(), shard, topic: topic.into(), stamp, interest, route }
    }

    fn grow(&mut self) {
        let mut ways = Vec::new();
        ways.resize_with(self.ways.len() * 4, || None);
        let old = std::mem::replace(&mut self.ways, ways);
        self.filled = 1;
        for entry in old.into_iter().flatten() {
            let hash = self.hasher.hash_one((entry.set, &*entry.topic));
            let first = self.place(hash);
            let way = if self.ways[first].is_none() { first } else { first ^ 1 };
            self.filled += usize::from(self.ways[way].is_none());
            self.ways[way] = Some(entry);
        }
    }
}

impl Route {
    /// A route without permit and receivers.
    pub fn nowhere() -> Self {
        Self { permit: None, targets: Rc::new([]), groups: None, remote: 0, streams: None }
    }

    /// Whether the log has to keep a publish at QoS > 0 before anybody is told: a durable session,
    /// at home on any reactor, may get it above QoS 0 (core.md 2).
    #[inline]
    pub fn is_durable(&self) -> bool {
        self.streams.is_some()
    }
}

/// The cache starts small and grows with the topics in use.
const WAYS_MIN: usize = 256;
/// 65,536 topics fit; above that, topics that share a place displace each other.
const WAYS_MAX: usize = 262_144;
/// Topics of other reactors that are remembered.
const FOREIGN_WAYS: usize = 8_192;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Manage, PermissionSets};
    use crate::limits::Limits;
    use crate::share::MemberId;
    use crate::subscription::ReceiverOptions;
    use mqtt::qos::QoS;
    use mqtt::topic::TopicFilter;

    /// With one reactor, where nobody counts interest, and from another one.
    #[test]
    fn a_remembered_route_knows_who_holds_its_topic_by_the_next_publish() {
        for reactors in [1, 2] {
            let interest = Arc::new(Interest::new(reactors));
            let router =
                |n| Router::new(Authorizer::new(&Limits::open()), Arc::clone(&interest), n);
            let (mut here, there) = (router(0), router(reactors - 1));
            let set = PermissionSets::default().intern(vec!["#".into()], vec![], Manage::No);
            let mut streams = |topic: &str| here.route(&set, topic).streams.clone();
            assert_eq!((streams("t/1"), streams("u")), (None, None));
            for text in ["t/1", "t/+", "#", "$share/g/t/1", "$share/g/t/#"] {
                let stream = there.hold(text).unwrap();
                assert_eq!(streams("t/1").as_deref(), Some(&[stream][..]), "{text}");
                assert_eq!(streams("u").is_some(), text == "#", "{text}");
                assert_eq!(there.hold(text), Ok(stream));
                assert_eq!(there.release(text), None);
                assert!(streams("t/1").is_some(), "{text} has a holder");
                assert_eq!(there.release(text), Some(stream));
                assert_eq!(streams("t/1"), None, "{text} has none");
            }
        }
    }

    /// As the live way has two targets of such a session (`target::merge`).
    #[test]
    fn what_a_session_published_itself_comes_by_what_is_not_no_local() {
        let interest = Arc::new(Interest::new(1));
        let mut router = Router::new(Authorizer::new(&Limits::open()), interest, 0);
        let session = SessionRef { slot: 3, generation: 1 };
        let mut subscribe = |text: &str, qos, no_local| {
            let options = ReceiverOptions::new(qos, no_local, false);
            let receiver = Receiver { session, options, subscription_id: 0, since: 0 };
            let filter = TopicFilter::parse(text).unwrap();
            router.index.subscribe_as(filter, || text.into(), receiver).filter_id
        };
        let filters =
            [subscribe("#", QoS::ExactlyOnce, true), subscribe("a/#", QoS::AtMostOnce, false)];
        let other = SessionRef { slot: 4, generation: 1 };
        let qos = |which: &[FilterId], publisher| {
            let target = router.target(session, which.iter().copied(), publisher);
            target.map(|t| t.options.qos())
        };
        for publisher in [None, Some(other)] {
            assert_eq!(qos(&filters, publisher), Some(QoS::ExactlyOnce));
        }
        assert_eq!(qos(&filters, Some(session)), Some(QoS::AtMostOnce));
        assert_eq!(qos(&filters[..1], Some(session)), None);
    }

    /// In the middle of a turn of the group's home: it has taken its post and reads sockets.
    #[test]
    fn a_member_that_joined_from_elsewhere_is_in_the_next_route() {
        let interest = Arc::new(Interest::new(2));
        let authorizer = || Authorizer::new(&Limits::open());
        let mut home = Router::new(authorizer(), Arc::clone(&interest), 0);
        let mut away = Router::new(authorizer(), interest, 1);
        let set = PermissionSets::default().intern(vec!["#".into()], vec![], Manage::No);
        assert!(home.route(&set, "t/1").groups.is_none());
        let join = |number| Join {
            member: MemberId::new(0, 1, number),
            text: "$share/g/t/#".into(),
            options: ReceiverOptions::new(QoS::AtLeastOnce, false, false),
            subscription_id: 0,
            window: 1,
            stream: None,
            since: store::op::Sequence(0),
        };
        away.join(0, "t/#", join(1));
        assert!(home.route(&set, "t/1").groups.is_some(), "the remembered route is stale");
        assert!(home.share.len() == 1 && home.here("t/1").groups.is_some());
        // The other way round it is a post that takes them in before it is heard.
        home.share.leave(MemberId::new(0, 1, 1));
        home.index.touch("t/#");
        assert!(home.here("t/1").groups.is_none());
        away.join(0, "t/#", join(2));
        home.take_joins();
        assert!(home.here("t/1").groups.is_some());
    }
}
