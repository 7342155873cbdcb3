//! Shared subscriptions (MQTT 5, 4.8.2): who is in a group, and whose turn it is.
//!
//! A group is all subscriptions to one `$share/{name}/{filter}` text. It lives on one reactor, its
//! home, which queues its messages and hands each to one member, as far as that member's credit
//! goes. [`Groups`] are those of one reactor. Refuses to know sessions, connections and posts:
//! whoever owns those is told by a [`Handout`] and reports back what became of it.

mod group;
mod groups;
mod turns;

pub use groups::{Ended, Groups};

use crate::publication::Publication;
use crate::subscription::ReceiverOptions;
use mqtt::qos::QoS;
use std::num::NonZeroU64;
use std::sync::Arc;
use store::log::StreamId;
use store::op::Sequence;

/// One membership: a session in a group, from the SUBSCRIBE that began it until it ends. Never
/// used again, so that late news of an old membership cannot be taken for a new one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct MemberId(NonZeroU64);

/// A group of this reactor: its place, and which of the place's occupants it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct GroupRef {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// Where a topic's matching groups stand; `None` in the common case that there is none.
pub type Matching = Option<std::rc::Rc<[GroupRef]>>;

/// A session subscribes: to a new membership, or with new options to one that it has (3.8.4-3).
#[derive(Debug)]
pub struct Join {
    /// The membership.
    pub member: MemberId,
    /// The filter as subscribed, `$share/{name}/` included.
    pub text: Arc<str>,
    /// Granted QoS and Retain As Published.
    pub options: ReceiverOptions,
    /// Subscription Identifier, 0 = none.
    pub subscription_id: u32,
    /// How many QoS > 0 messages may be under way to the session.
    pub window: u16,
    /// The group's stream in the log, where the log keeps this membership.
    pub stream: Option<StreamId>,
    /// The log's end when it was granted: what comes behind it is for the group.
    pub since: Sequence,
}

/// A membership that the log keeps has begun.
#[derive(Debug, Clone)]
pub struct KeptJoin {
    /// The group.
    pub group: GroupRef,
    /// Who.
    pub member: MemberId,
    /// The group's stream.
    pub stream: StreamId,
    /// As in [`Join`].
    pub since: Sequence,
}

/// A message for one member of a group.
#[derive(Debug)]
pub struct Handout {
    /// Whose turn it was.
    pub member: MemberId,
    /// The message.
    pub publication: Arc<Publication>,
    /// The lower one of the publish and the member's grant (4.8.2-3). Above 0 it takes one of the
    /// member's credits until it is reported as finished or returned.
    pub qos: QoS,
    /// RETAIN as the member gets it.
    pub retain: bool,
    /// The member's Subscription Identifier, 0 = none.
    pub subscription_id: u32,
    /// Whether it may go to somebody else.
    pub tries: Tries,
}

/// Whether a QoS 0 message may still be passed on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tries {
    /// If its member cannot take it, another one gets it.
    First,
    /// It was passed on once: now it is taken or dropped.
    Last,
}

/// Whether a member can be given something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// It is connected; so many QoS > 0 messages may be under way to it.
    Here {
        /// The smaller one of its Receive Maximum and our bound.
        window: u16,
    },
    /// Connected, but its output or queue is full: it gets QoS 0 if nobody else can, nothing else.
    Stalled,
    /// Its session lives without connection.
    Away,
}

/// What became of a message that a group should hand out.
#[derive(Debug)]
pub enum Offer {
    /// This member gets it now.
    Hand(Handout),
    /// It waits in the group; so many messages went because there is no room for all.
    Waits {
        /// Dropped at the bound, the new one perhaps.
        dropped: usize,
    },
    /// QoS 0, and nobody is connected.
    Nobody,
}

impl MemberId {
    /// Number `number` (1 to 2^48 - 1) of the sessions on reactor `reactor`, for a group at home
    /// on reactor `home`; both below 64.
    ///
    /// # Panics
    /// With the number 0 or one that does not fit: memberships would be mixed up.
    pub fn new(home: usize, reactor: usize, number: u64) -> Self {
        assert!(home < 64 && reactor < 64 && number < 1 << 48, "reactors and numbers are small");
        let all = (home as u64) << 56 | (reactor as u64) << 48 | number;
        Self(NonZeroU64::new(all).filter(|_| number > 0).expect("numbers begin at 1"))
    }

    /// The home of the group.
    pub fn home(self) -> usize {
        (self.0.get() >> 56) as usize
    }

    /// The home of the session.
    pub fn reactor(self) -> usize {
        (self.0.get() >> 48) as usize & 0xff
    }
}
