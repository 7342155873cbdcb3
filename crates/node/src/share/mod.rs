//! Shared subscriptions between reactors (core.md 9): what a member's home reports to the group's
//! home, and who does what.
//!
//! [`joining`] and [`membership`] are the side of the session, [`handout`] that of the group, which
//! the log keeps by [`kept`], [`keeping`], [`dropped`] and [`carrying`]. They talk by [`Mail`] and
//! `broker::share::Handout` only, on one reactor as between two, so that the number of reactors
//! changes nothing.

mod before;
mod carrying;
mod dropped;
mod handout;
mod joining;
mod keeping;
mod kept;
mod membership;

pub(crate) use handout::HandingOut;
pub(crate) use kept::KeptGroups;
pub(crate) use membership::Memberships;

use broker::publication::Publication;
use broker::share::Presence;
use std::sync::Arc;

/// News of one member for its group.
pub(crate) enum Mail {
    /// It has been made one: look for it. Wakes a group whose messages wait for somebody.
    Joined,
    /// It came, went or stands still.
    Presence(Presence),
    /// So many handed out messages are over: acknowledged, refused, expired or dropped.
    Finished(u32),
    /// It did not get these, oldest first: somebody else may.
    Returned(Vec<Arc<Publication>>),
    /// It could not take this QoS 0 message: another one may, once.
    PassedOn(Arc<Publication>),
    /// It has left.
    Left,
}

impl Mail {
    /// Bytes of the messages in it.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Returned(all) => all.iter().map(|p| p.bytes()).sum(),
            Self::PassedOn(publication) => publication.bytes(),
            Self::Joined | Self::Presence(_) | Self::Finished(_) | Self::Left => 0,
        }
    }
}
