//! The receivers of one filter.
//!
//! Owns the list and how a session is found in it. Refuses to know the filter's text.

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use mqtt::qos::QoS;
use std::hash::BuildHasher;

/// A session of this reactor: its slot and the generation that tells a reused slot apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct SessionRef {
    /// Slot in the reactor's slab of sessions.
    pub slot: u32,
    /// How often the slot was given out.
    pub generation: u32,
}

/// One subscription as delivery needs it. 24 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Receiver {
    /// Who receives.
    pub session: SessionRef,
    /// Maximum QoS, No Local, Retain As Published.
    pub options: ReceiverOptions,
    /// Subscription Identifier (MQTT 5, 3.8.2.1.2), 0 = none.
    pub subscription_id: u32,
    /// Retained versions up to this sequence were already sent at SUBSCRIBE.
    pub since: u64,
}

/// Maximum QoS, No Local and Retain As Published of a subscription in one byte
/// (MQTT 5, 3.8.3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceiverOptions(u8);

impl ReceiverOptions {
    /// Packs the options.
    pub const fn new(qos: QoS, no_local: bool, retain_as_published: bool) -> Self {
        Self(qos as u8 | (no_local as u8) << 2 | (retain_as_published as u8) << 3)
    }

    /// The highest QoS at which to send.
    #[inline]
    pub fn qos(self) -> QoS {
        match self.0 & 3 {
            0 => QoS::AtMostOnce,
            1 => QoS::AtLeastOnce,
            _ => QoS::ExactlyOnce,
        }
    }

    /// Whether the session does not want its own publishes (3.8.3.1-3).
    #[inline]
    pub fn no_local(self) -> bool {
        self.0 & 4 != 0
    }

    /// The same, for the session's own publishes alone: see [`Self::is_for_own`].
    #[must_use]
    pub const fn for_own(self) -> Self {
        Self(self.0 | 16)
    }

    /// Whether these options hold only for what the session itself publishes: made where one of
    /// several matching subscriptions says No Local and another does not.
    #[inline]
    pub fn is_for_own(self) -> bool {
        self.0 & 16 != 0
    }

    /// Whether RETAIN is passed on as published (3.3.1-12, 3.3.1-13).
    #[inline]
    pub fn retain_as_published(self) -> bool {
        self.0 & 8 != 0
    }
}

/// All receivers of one filter, one per session. Most filters have one; some have a million, and
/// then joining and leaving still cost the same.
pub(super) enum Receivers {
    One(Receiver),
    Few(Vec<Receiver>),
    Many(Box<Crowd>),
}

/// Above [`FEW_MAX`] receivers: a list and where each session stands in it.
pub(super) struct Crowd {
    list: Vec<Receiver>,
    positions: HashTable<u32>,
}

impl Receivers {
    #[inline]
    pub(super) fn as_slice(&self) -> &[Receiver] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Few(few) => few,
            Self::Many(crowd) => &crowd.list,
        }
    }

    pub(super) fn get(&self, session: SessionRef, hasher: &RandomState) -> Option<&Receiver> {
        match self {
            Self::Many(crowd) => crowd.position(session, hasher).map(|at| &crowd.list[at]),
            small => small.as_slice().iter().find(|r| r.session == session),
        }
    }

    pub(super) fn get_mut(
        &mut self,
        session: SessionRef,
        hasher: &RandomState,
    ) -> Option<&mut Receiver> {
        match self {
            Self::One(one) => (one.session == session).then_some(one),
            Self::Few(few) => few.iter_mut().find(|r| r.session == session),
            Self::Many(crowd) => {
                let at = crowd.position(session, hasher)?;
                crowd.list.get_mut(at)
            }
        }
    }

    /// Adds or replaces the session's receiver; returns the one it replaced.
    pub(super) fn insert(&mut self, receiver: Receiver, hasher: &RandomState) -> Option<Receiver> {
        if let Some(old) = self.get_mut(receiver.session, hasher) {
            return Some(std::mem::replace(old, receiver));
        }
        match self {
            Self::One(one) => *self = Self::Few(vec![*one, receiver]),
            Self::Few(few) if few.len() < FEW_MAX => few.push(receiver),
            Self::Few(few) => {
                let mut crowd = Crowd { list: std::mem::take(few), positions: HashTable::new() };
                for at in 0..crowd.list.len() {
                    crowd.place(at, hasher);
                }
                crowd.push(receiver, hasher);
                *self = Self::Many(Box::new(crowd));
            }
            Self::Many(crowd) => crowd.push(receiver, hasher),
        }
        None
    }

    /// Takes the session's receiver out. `None` if it has none here.
    pub(super) fn remove(&mut self, session: SessionRef, hasher: &RandomState) -> Removed {
        match self {
            Self::One(one) if one.session == session => Removed::Last,
            Self::One(_) => Removed::Absent,
            Self::Few(few) => {
                let Some(at) = few.iter().position(|r| r.session == session) else {
                    return Removed::Absent;
                };
                few.swap_remove(at);
                if let [last] = few.as_slice() {
                    *self = Self::One(*last);
                }
                Removed::Remaining
            }
            Self::Many(crowd) => {
                if !crowd.remove(session, hasher) {
                    return Removed::Absent;
                }
                // Well below the border, so that one session coming and going costs no rebuild.
                if crowd.list.len() <= FEW_MAX / 2 {
                    *self = Self::Few(std::mem::take(&mut crowd.list));
                }
                Removed::Remaining
            }
        }
    }
}

/// What [`Receivers::remove`] did.
pub(super) enum Removed {
    /// The session has no receiver here.
    Absent,
    /// Removed, and others remain.
    Remaining,
    /// It was the only one: the caller drops the filter.
    Last,
}

impl Crowd {
    fn position(&self, session: SessionRef, hasher: &RandomState) -> Option<usize> {
        let same = |&at: &u32| self.list[at as usize].session == session;
        self.positions.find(hasher.hash_one(session), same).map(|&at| at as usize)
    }

    fn push(&mut self, receiver: Receiver, hasher: &RandomState) {
        self.list.push(receiver);
        self.place(self.list.len() - 1, hasher);
    }

    fn place(&mut self, at: usize, hasher: &RandomState) {
        let list = &self.list;
        let session = list[at].session;
        let at = u32::try_from(at).expect("fewer than 2^32 sessions fit in memory");
        let rehash = |&at: &u32| hasher.hash_one(list[at as usize].session);
        let same = |&at: &u32| list[at as usize].session == session;
        match self.positions.entry(hasher.hash_one(session), same, rehash) {
            Entry::Occupied(mut taken) => *taken.get_mut() = at,
            Entry::Vacant(vacant) => {
                vacant.insert(at);
            }
        }
    }

    fn remove(&mut self, session: SessionRef, hasher: &RandomState) -> bool {
        let same = |&at: &u32| self.list[at as usize].session == session;
        let Ok(found) = self.positions.find_entry(hasher.hash_one(session), same) else {
            return false;
        };
        let (at, _) = found.remove();
        let last = self.list.len() - 1;
        if at as usize != last {
            let moved = hasher.hash_one(self.list[last].session);
            if let Some(place) = self.positions.find_mut(moved, |&p| p as usize == last) {
                *place = at;
            }
        }
        self.list.swap_remove(at as usize);
        if self.list.capacity() > 1024 && self.list.len() < self.list.capacity() / 4 {
            self.list.shrink_to(self.list.capacity() / 2);
            let list = &self.list;
            self.positions.shrink_to(list.len(), |&at| hasher.hash_one(list[at as usize].session));
        }
        true
    }
}

/// Up to here a linear search beats hashing.
const FEW_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(slot: u32) -> Receiver {
        let session = SessionRef { slot, generation: slot * 7 };
        let options = ReceiverOptions::new(QoS::AtLeastOnce, false, false);
        Receiver { session, options, subscription_id: 0, since: 0 }
    }

    #[test]
    fn options_survive_packing() {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            for bits in 0..4 {
                let options = ReceiverOptions::new(qos, bits & 1 != 0, bits & 2 != 0);
                assert_eq!(options.qos(), qos);
                assert_eq!(options.no_local(), bits & 1 != 0);
                assert_eq!(options.retain_as_published(), bits & 2 != 0);
            }
        }
    }

    #[test]
    fn a_receiver_stays_small() {
        assert_eq!(size_of::<Receiver>(), 24);
        assert!(size_of::<Receivers>() <= 32);
    }

    #[test]
    fn every_size_up_and_down_finds_exactly_its_members() {
        let hasher = RandomState::default();
        let mut receivers = Receivers::One(receiver(0));
        for slot in 1..100 {
            assert!(receivers.insert(receiver(slot), &hasher).is_none());
        }
        let again = Receiver { subscription_id: 9, ..receiver(50) };
        assert_eq!(receivers.insert(again, &hasher), Some(receiver(50)));
        assert_eq!(receivers.as_slice().len(), 100);
        for slot in 0..100 {
            // An order that removes from the front, the middle and the end.
            let slot = (slot * 37) % 100;
            let session = receiver(slot).session;
            assert!(receivers.get(session, &hasher).is_some());
            let left = match receivers.remove(session, &hasher) {
                Removed::Absent => panic!("{slot} was there"),
                Removed::Last => break,
                Removed::Remaining => receivers.as_slice().len(),
            };
            assert!(left > 0);
            assert!(receivers.get(session, &hasher).is_none());
            assert!(matches!(receivers.remove(session, &hasher), Removed::Absent));
        }
        assert_eq!(receivers.as_slice().len(), 1);
    }

    #[test]
    fn a_reused_slot_is_another_session() {
        let hasher = RandomState::default();
        let receivers = Receivers::One(receiver(3));
        let stranger = SessionRef { slot: 3, generation: 0 };
        assert!(receivers.get(stranger, &hasher).is_none());
    }
}
