//! The groups at home on one reactor: found by text, by topic and by member.

use super::group::{Group, Known};
use super::{GroupRef, Handout, Join, Matching, MemberId, Offer, Presence, Tries};
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
            return None;
        }
        let shared = SharedFilter::parse(&j.text).ok().flatten()?;
        let known = self.by_text.get(&j.text).copied();
        let slot = known.unwrap_or_else(|| self.found(&j.text, shared));
        if let Some(place) = self.with(slot, |g| g.add(j)) {
            self.members.insert(j.member, (slot, place));
        }
        known.is_none().then_some(shared.filter.as_str())
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

    /// Whether the group's queue takes no more.
    pub fn is_full(&self, group: GroupRef, limits: &Limits) -> bool {
        self.get(group).is_some_and(|g| g.is_full(limits))
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
        let before = group.waiting();
        let result = change(group);
        self.waiting = self.waiting + group.waiting() - before;
        if !group.listed && group.can_go_on() {
            group.listed = true;
            self.ready.push_back(GroupRef { slot, generation: place.generation });
        }
        Some(result)
    }
}
