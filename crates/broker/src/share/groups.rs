//! The groups at home on one reactor: found by text, by topic and by member.

use super::group::{Group, Known};
use super::{GroupRef, Handout, Join, KeptJoin, Matching, MemberId, Offer, Presence, Tries};
use crate::limits::Limits;
use crate::publication::Publication;
use crate::subscription::{Index, Receiver, ReceiverOptions, SessionRef};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use mqtt::qos::QoS;
use mqtt::topic::SharedFilter;
use std::collections::VecDeque;
use std::sync::Arc;

/// All groups of one reactor.
#[derive(Default)]
pub struct Groups {
    places: Vec<Place>,
    free: Vec<u32>,
    by_text: HashMap<Arc<str>, u32, RandomState>,
    /// Group and place in it.
    members: HashMap<MemberId, (u32, u32), RandomState>,
    /// By topic. Its "sessions" are groups.
    index: Index,
    /// Groups with a message that somebody can take, each once.
    ready: VecDeque<GroupRef>,
    /// Messages that wait in all of them.
    waiting: usize,
    /// Their bytes, a message counted in each group.
    bytes: usize,
    /// Memberships that the log keeps, until somebody asks.
    kept: Vec<KeptJoin>,
}

#[derive(Default)]
struct Place {
    generation: u32,
    group: Option<Box<Group>>,
}

/// A group whose last member has left.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// Messages that waited in it.
    pub dropped: usize,
    /// The filter that it subscribed to, without `$share/{name}/`.
    pub filter: Box<str>,
}

impl Groups {
    /// Takes in a member; gives the group's filter if the group is new.
    pub fn join<'j>(&mut self, j: &'j Join) -> Option<&'j str> {
        if let Some((slot, place)) = self.members.get(&j.member).copied() {
            self.with(slot, |g| g.replace(place, j));
            self.is_kept(slot, j);
            return None;
        }
        let shared = SharedFilter::parse(&j.text).ok().flatten()?;
        let known = self.by_text.get(&j.text).copied();
        let slot = known.unwrap_or_else(|| self.found(&j.text, shared));
        if let Some(place) = self.with(slot, |g| g.add(j)) {
            self.members.insert(j.member, (slot, place));
        }
        self.is_kept(slot, j);
        known.is_none().then_some(shared.filter.as_str())
    }

    /// Memberships that the log keeps and that have begun since the last call.
    pub fn take_kept(&mut self) -> Vec<KeptJoin> {
        std::mem::take(&mut self.kept)
    }

    /// Messages that wait in one group, and their bytes.
    pub fn waiting_in(&self, group: GroupRef) -> (usize, usize) {
        self.get(group).map_or((0, 0), |g| (g.waiting(), g.bytes()))
    }

    fn is_kept(&mut self, slot: u32, j: &Join) {
        let generation = self.places[slot as usize].generation;
        let group = GroupRef { slot, generation };
        let (member, since) = (j.member, j.since);
        self.kept.extend(j.stream.map(|stream| KeptJoin { group, member, stream, since }));
    }

    /// The groups whose filter matches `topic`.
    pub fn matching(&self, topic: &str) -> Matching {
        let mut all = Vec::new();
        self.index.matches(topic, &mut |r: &Receiver| {
            all.push(GroupRef { slot: r.session.slot, generation: r.session.generation });
        });
        (!all.is_empty()).then(|| all.into())
    }

    /// A message for one member of the group.
    pub fn offer(&mut self, group: GroupRef, p: Arc<Publication>, limits: &Limits) -> Offer {
        if self.get(group).is_none() {
            return Offer::Nobody;
        }
        self.with(group.slot, |g| g.offer(p, limits)).unwrap_or(Offer::Nobody)
    }

    /// The next message that somebody can take, one of each group in turn.
    pub fn next(&mut self, now_ms: u64, expired: &mut u64) -> Option<Handout> {
        while let Some(group) = self.ready.pop_front() {
            if self.get(group).is_none() {
                continue;
            }
            let next = self.with(group.slot, |g| {
                g.listed = false;
                g.next(now_ms, expired)
            });
            if let Some(handout) = next.flatten() {
                return Some(handout);
            }
        }
        None
    }

    /// Whether somebody can take a message that waits.
    pub fn can_go_on(&self) -> bool {
        !self.ready.is_empty()
    }

    /// A member came, went or stands still.
    pub fn set(&mut self, member: MemberId, presence: Presence) {
        if let Some((slot, place)) = self.members.get(&member).copied() {
            self.with(slot, |g| g.set(place, presence));
        }
    }

    /// So many handed out messages of a member are over.
    pub fn finished(&mut self, member: MemberId, count: u32) {
        let Some((slot, place)) = self.members.get(&member).copied() else { return };
        if self.with(slot, |g| g.finished(place, count)) == Some(Known::Forgotten) {
            self.members.remove(&member);
        }
    }

    /// Handed out messages that a member did not get, oldest first: others may. Gives back those
    /// whose group has ended.
    pub fn returned(
        &mut self,
        member: MemberId,
        all: Vec<Arc<Publication>>,
    ) -> Vec<Arc<Publication>> {
        let Some((slot, _)) = self.members.get(&member).copied() else { return all };
        let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
        self.with(slot, |g| g.unpop(all));
        self.finished(member, count);
        Vec::new()
    }

    /// A QoS 0 message that its member could not take, for another one; `None` if there is none.
    pub fn pass_on(&mut self, from: MemberId, p: Arc<Publication>) -> Option<Handout> {
        let (slot, place) = self.members.get(&from).copied()?;
        self.with(slot, |g| g.pass(p, Some(place), Tries::Last)).flatten()
    }

    /// A member leaves; with the last one its group ends.
    pub fn leave(&mut self, member: MemberId) -> Option<Ended> {
        let (slot, place) = self.members.get(&member).copied()?;
        if self.with(slot, |g| g.leave(place)) == Some(Known::Forgotten) {
            self.members.remove(&member);
        }
        let over = self.places[slot as usize].group.as_ref().is_some_and(|g| g.is_over());
        over.then(|| self.end(slot)).flatten()
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.by_text.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_text.is_empty()
    }

    /// Messages that wait in all groups.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Bytes of these messages, a message counted in each group.
    pub fn waiting_bytes(&self) -> usize {
        self.bytes
    }

    /// Drops the group's oldest message for want of room elsewhere; false if none waits.
    pub fn shed(&mut self, group: GroupRef) -> bool {
        self.get(group).is_some() && self.with(group.slot, Group::shed).unwrap_or(false)
    }

    /// Whether the group's queue takes no more after `coming`: messages, and their bytes, that are
    /// not there yet and may be for it.
    pub fn is_full(&self, group: GroupRef, limits: &Limits, coming: (usize, usize)) -> bool {
        self.get(group).is_some_and(|g| g.is_full(limits, coming))
    }

    /// How many of these groups will acknowledge a message of `qos`.
    pub fn acknowledging(&self, groups: &Matching, qos: QoS) -> u32 {
        let Some(groups) = groups.as_ref().filter(|_| qos > QoS::AtMostOnce) else { return 0 };
        let counts = |g: &&GroupRef| self.get(**g).is_some_and(Group::acknowledges);
        u32::try_from(groups.iter().filter(counts).count()).unwrap_or(u32::MAX)
    }

    /// A new group without members.
    fn found(&mut self, text: &Arc<str>, shared: SharedFilter<'_>) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            // A group costs more bytes than there are numbers left in a u32.
            self.places.len() as u32 - 1
        });
        let generation = self.places[slot as usize].generation;
        let receiver = Receiver {
            session: SessionRef { slot, generation },
            options: ReceiverOptions::new(QoS::ExactlyOnce, false, true),
            subscription_id: 0,
            since: 0,
        };
        let filter = self.index.subscribe(shared.filter, receiver).filter_id;
        let group = Box::new(Group::new(Arc::clone(text), filter));
        self.places[slot as usize].group = Some(group);
        self.by_text.insert(Arc::clone(text), slot);
        slot
    }

    fn end(&mut self, slot: u32) -> Option<Ended> {
        let place = &mut self.places[slot as usize];
        let group = place.group.take()?;
        let session = SessionRef { slot, generation: place.generation };
        place.generation = place.generation.wrapping_add(1);
        self.free.push(slot);
        let filter = self.index.filter(group.filter).into();
        self.index.unsubscribe_by_id(group.filter, session);
        self.by_text.remove(&group.text);
        for member in group.known() {
            self.members.remove(&member);
        }
        self.waiting -= group.waiting();
        self.bytes -= group.bytes();
        Some(Ended { dropped: group.waiting(), filter })
    }

    fn get(&self, group: GroupRef) -> Option<&Group> {
        let place = self.places.get(group.slot as usize)?;
        place.group.as_deref().filter(|_| place.generation == group.generation)
    }

    /// Changes a group, and notes what follows for all of them.
    fn with<R>(&mut self, slot: u32, change: impl FnOnce(&mut Group) -> R) -> Option<R> {
        let place = self.places.get_mut(slot as usize)?;
        let group = place.group.as_mut()?;
        let before = (group.waiting(), group.bytes());
        let result = change(group);
        self.waiting = self.waiting + group.waiting() - before.0;
        self.bytes = self.bytes + group.bytes() - before.1;
        if !group.listed && group.can_go_on() {
            group.listed = true;
            self.ready.push_back(GroupRef { slot, generation: place.generation });
        }
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use crate::limits::QueueFull;
    use mqtt::message::Message;
    use std::collections::{BTreeMap, BTreeSet};

    fn member(number: u64) -> MemberId {
        MemberId::new(0, 1, number)
    }

    fn join(number: u64, text: &str, qos: QoS, window: u16) -> Join {
        let options = ReceiverOptions::new(qos, false, false);
        let (text, member) = (text.into(), member(number));
        let (stream, since) = (None, store::op::Sequence(0));
        Join { member, text, options, subscription_id: 0, window, stream, since }
    }

    fn message(n: usize, qos: QoS) -> Arc<Publication> {
        Arc::new(Publication::new(Message::new("t", &[], &n.to_be_bytes(), qos, false)))
    }

    fn number(p: &Publication) -> usize {
        usize::from_be_bytes(p.message.payload().try_into().unwrap())
    }

    fn group(groups: &Groups) -> GroupRef {
        groups.matching("t").unwrap()[0]
    }

    #[test]
    fn ten_thousand_members_get_one_each_and_one_who_answers_the_next() {
        let mut groups = Groups::default();
        for n in 1..=10_000 {
            groups.join(&join(n, "$share/g/t", QoS::AtLeastOnce, 1));
        }
        let g = group(&groups);
        let limits = Limits::open();
        let mut served = BTreeSet::new();
        for n in 0..10_000 {
            let Offer::Hand(h) = groups.offer(g, message(n, QoS::AtLeastOnce), &limits) else {
                panic!("somebody has credit");
            };
            assert!(served.insert(h.member), "twice");
        }
        for n in 0..3 {
            let offer = groups.offer(g, message(n, QoS::AtLeastOnce), &limits);
            assert!(matches!(offer, Offer::Waits { dropped: 0 }));
        }
        groups.finished(member(7_000), 1);
        let next = groups.next(0, &mut 0).unwrap();
        assert_eq!((next.member, number(&next.publication)), (member(7_000), 0));
        assert!(groups.next(0, &mut 0).is_none() && groups.waiting() == 2);
    }

    #[test]
    fn groups_are_found_by_topic_and_gone_with_their_last_member() {
        let mut groups = Groups::default();
        assert_eq!(groups.join(&join(1, "$share/g/t/#", QoS::AtMostOnce, 1)), Some("t/#"));
        assert_eq!(groups.join(&join(2, "$share/g/t/#", QoS::AtLeastOnce, 1)), None);
        assert_eq!(groups.join(&join(3, "$share/h/t/#", QoS::AtMostOnce, 1)), Some("t/#"));
        let both = groups.matching("t/x");
        assert_eq!(both.as_ref().map(|g| g.len()), Some(2));
        assert!(groups.matching("u").is_none());
        // Member 2 acknowledges, the others do not.
        assert_eq!(groups.acknowledging(&both, QoS::AtLeastOnce), 1);
        assert_eq!(groups.acknowledging(&both, QoS::AtMostOnce), 0);
        assert_eq!(groups.leave(member(2)), None);
        assert_eq!(groups.acknowledging(&both, QoS::AtLeastOnce), 0);
        let ended = Ended { dropped: 0, filter: "t/#".into() };
        assert_eq!(groups.leave(member(1)), Some(ended));
        assert_eq!(groups.matching("t").map(|g| g.len()), Some(1));
        // The place is used again: an old reference does not reach the new group.
        groups.join(&join(4, "$share/i/v", QoS::AtLeastOnce, 1));
        let limits = Limits::open();
        let gone = |g: &&GroupRef| groups.get(**g).is_none();
        let stale: Vec<_> = both.unwrap().iter().filter(gone).copied().collect();
        assert_eq!(stale.len(), 1);
        for old in &stale {
            let offer = groups.offer(*old, message(1, QoS::AtLeastOnce), &limits);
            assert!(matches!(offer, Offer::Nobody));
        }
        assert_eq!(groups.len(), 2);
    }

    #[test]
    fn bounds_drop_by_policy_and_expired_messages_are_not_handed_out() {
        for (policy, left) in [
            (QueueFull::DropOldest, [2, 3]),
            (QueueFull::EndSession, [2, 3]),
            (QueueFull::DropNewest, [0, 1]),
            (QueueFull::Refuse, [0, 1]),
        ] {
            let limits =
                Limits { queue_full: policy, session_queue_messages_max: 2, ..Limits::open() };
            let mut groups = Groups::default();
            groups.join(&join(1, "$share/g/t", QoS::AtLeastOnce, 9));
            groups.set(member(1), Presence::Away);
            let g = group(&groups);
            let mut dropped = 0;
            for n in 0..4 {
                match groups.offer(g, message(n, QoS::ExactlyOnce), &limits) {
                    Offer::Waits { dropped: n } => dropped += n,
                    other => panic!("{other:?}"),
                }
            }
            assert!(dropped == 2 && groups.is_full(g, &limits, (0, 0)), "{policy:?}");
            groups.set(member(1), Presence::Here { window: 9 });
            let mut expired = 0;
            let next = |_| groups.next(0, &mut expired).map(|h| number(&h.publication));
            let got: Vec<_> = (0..2).filter_map(next).collect();
            assert_eq!(got, left, "{policy:?}");
        }
        let mut groups = Groups::default();
        groups.join(&join(1, "$share/g/t", QoS::AtLeastOnce, 9));
        groups.set(member(1), Presence::Away);
        let old = Message::new("t", &[], b"", QoS::AtLeastOnce, false);
        let old = Arc::new(Publication { deadline_ms: 5, ..Publication::new(old) });
        groups.offer(group(&groups), old, &Limits::open());
        groups.set(member(1), Presence::Here { window: 9 });
        let mut expired = 0;
        assert!(groups.next(5, &mut expired).is_none());
        assert_eq!((expired, groups.waiting()), (1, 0));
    }

    /// What the group may know of a member, kept by the test.
    struct Model {
        window: usize,
        presence: Presence,
        left: bool,
        held: Vec<Arc<Publication>>,
    }

    #[test]
    fn whatever_members_do_no_message_is_lost_or_held_twice() {
        for seed in 1..60 {
            let mut chance = Chance::new(seed);
            let (mut groups, limits) = (Groups::default(), Limits::open());
            let mut models: BTreeMap<MemberId, Model> = BTreeMap::new();
            let (mut given, mut done, mut number_of) = (0, 0, 0);
            for _ in 0..2_000 {
                let some = models.keys().nth(chance.below(models.len().max(1))).copied();
                let living = models.values().filter(|m| !m.left).count();
                match (chance.below(10), some) {
                    (0, _) | (_, None) => {
                        number_of += 1;
                        let window = 1 + chance.below(3);
                        let grant = QoS::AtLeastOnce;
                        groups.join(&join(number_of, "$share/g/t", grant, window as u16));
                        let presence = Presence::Here { window: window as u16 };
                        let model = Model { window, presence, left: false, held: Vec::new() };
                        models.insert(member(number_of), model);
                    }
                    // The last one stays, so that the group does.
                    (1, Some(id)) if living > 1 && !models[&id].left => {
                        assert_eq!(groups.leave(id), None);
                        models.get_mut(&id).unwrap().left = true;
                    }
                    (2, Some(id)) => {
                        let m = models.get_mut(&id).unwrap();
                        let window = m.window as u16;
                        m.presence = [Presence::Here { window }, Presence::Away, Presence::Stalled]
                            [chance.below(3)];
                        groups.set(id, m.presence);
                    }
                    (3, Some(id)) => {
                        let m = models.get_mut(&id).unwrap();
                        let all = m.held.split_off(chance.below(m.held.len() + 1));
                        assert!(groups.returned(id, all).is_empty() || m.left);
                    }
                    (4 | 5, Some(id)) => {
                        let m = models.get_mut(&id).unwrap();
                        let n = chance.below(m.held.len() + 1);
                        m.held.drain(..n);
                        done += n;
                        groups.finished(id, n as u32);
                    }
                    _ if groups.len() == 1 => {
                        given += 1;
                        let g = group(&groups);
                        if let Offer::Hand(h) =
                            groups.offer(g, message(given, QoS::AtLeastOnce), &limits)
                        {
                            models.get_mut(&h.member).unwrap().held.push(h.publication);
                        }
                    }
                    _ => {}
                }
                while let Some(h) = groups.next(0, &mut 0) {
                    models.get_mut(&h.member).unwrap().held.push(h.publication);
                }
                let mut seen = BTreeSet::new();
                for m in models.values() {
                    assert!(m.held.len() <= m.window, "seed {seed}: more than its credit");
                    assert!(m.held.iter().all(|p| seen.insert(number(p))), "seed {seed}: twice");
                }
                assert_eq!(seen.len() + done + groups.waiting(), given, "seed {seed}: lost");
                let idle = models.values().any(|m| {
                    let here = matches!(m.presence, Presence::Here { .. });
                    here && !m.left && m.held.len() < m.window
                });
                assert!(!idle || groups.waiting() == 0, "seed {seed}: somebody could go on");
                models.retain(|_, m| !m.left || !m.held.is_empty());
            }
            assert!(given > 500 && done > 100);
        }
    }
}
