//! What every part of the soak does: act in time, hear its own clients, and account at the end.

use crate::engine::{Engine, Heard, Key};

/// A part of the soak with clients of its own.
pub trait Role {
    /// For reports.
    fn name(&self) -> &str;

    /// Its clients.
    fn keys(&self) -> Vec<Key>;

    /// Does what is due.
    fn act(&mut self, engine: &mut Engine, stage: Stage, now_us: u64);

    /// Hears of one of its clients.
    ///
    /// # Errors
    /// With what must not happen.
    fn hear(&mut self, engine: &mut Engine, heard: Heard, stage: Stage) -> Result<(), String>;

    /// Opening: all are connected and subscribed. Settling: nothing of ours is under way.
    fn is_done(&self, engine: &Engine, stage: Stage) -> bool;

    /// What should have arrived, and what did.
    fn balance(&self) -> Balance;
}

/// The soak's three parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Everybody connects and subscribes; nothing is published yet.
    Opening,
    /// The load.
    Running,
    /// Nothing new is published; who is away comes back, who sleeps reads.
    Settling,
}

/// Counts of messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Deliveries that subscriptions asked for.
    pub expected: u64,
    /// Of them, those that came.
    pub received: u64,
    /// Came again, as QoS 1 may after a reconnect.
    pub again: u64,
    /// Came again or late where nothing allows it.
    pub disorder: u64,
}

impl std::ops::AddAssign for Balance {
    fn add_assign(&mut self, other: Self) {
        self.expected += other.expected;
        self.received += other.received;
        self.again += other.again;
        self.disorder += other.disorder;
    }
}

/// What the rest of the role's events come to: acknowledgements are fine, ends are not.
///
/// # Errors
/// With what must not happen.
pub fn ordinary(heard: Heard) -> Result<(), String> {
    use crate::engine::Event::{Done, Pong, Subscribed, Unsubscribed, Up};
    match heard.event {
        Up { .. } | Pong | Unsubscribed => Ok(()),
        Done(_, reason) | Subscribed(reason) if !reason.is_error() => Ok(()),
        other => Err(format!("{other:?}")),
    }
}
