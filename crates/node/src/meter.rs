//! What one reactor holds in bytes, and how full that makes process and namespace (core.md 5).
//!
//! Owns the reactor's account in the budget and sums that are given back by dropping what they
//! count, so that they end at zero. Refuses to know what follows from a level.

use crate::session::Delivery;
use broker::budget::{Account, Budget, Charge, Level, Told, Weighed};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

/// A sum of one reactor: only its thread counts, without atomics.
#[derive(Clone, Default)]
pub struct Sum(Rc<Cell<usize>>);

/// One more in a sum, until it is dropped.
pub(crate) struct One(Sum);

/// Bytes in a sum, until it is dropped.
pub struct Held {
    sum: Sum,
    bytes: usize,
}

/// One reactor's view of the budget.
pub(crate) struct Meter {
    budget: Arc<Budget>,
    account: Arc<Account>,
    /// How full the process is, as found last: plain, so that a publish asks for nothing.
    level: Level,
    /// Deliveries that sessions keep, in queues and unacknowledged.
    pub deliveries: Sum,
    /// Bytes in the queues of sessions at home here.
    pub queued: Sum,
    /// Connections whose CONNECT has not come.
    pub openings: Sum,
    /// Bytes of incomplete packets, and of those that wait because their sender is not read.
    pub unread: Sum,
    /// Topics behind aliases.
    pub alias_bytes: usize,
    /// Of the other reactors, as of the last weighing.
    queued_elsewhere: usize,
    connections_elsewhere: usize,
    connections: usize,
    /// Bytes outside of all accounts: the index of retained messages.
    shared_bytes: usize,
    /// Kept since the last weighing.
    grown: usize,
    changed: Option<Weighed>,
}

impl Sum {
    /// The present sum.
    pub fn get(&self) -> usize {
        self.0.get()
    }

    /// Holds nothing yet.
    pub fn hold(&self) -> Held {
        Held { sum: self.clone(), bytes: 0 }
    }

    /// Counts one.
    pub(crate) fn one(&self) -> One {
        self.add(1);
        One(self.clone())
    }

    pub(crate) fn add(&self, n: usize) {
        self.0.set(self.0.get() + n);
    }

    pub(crate) fn sub(&self, n: usize) {
        self.0.set(self.0.get() - n);
    }
}

impl Clone for One {
    fn clone(&self) -> Self {
        self.0.one()
    }
}

impl Drop for One {
    fn drop(&mut self) {
        self.0.sub(1);
    }
}

impl Held {
    /// So many from now on.
    #[inline]
    pub fn set(&mut self, bytes: usize) {
        if bytes != self.bytes {
            self.sum.sub(self.bytes);
            self.sum.add(bytes);
            self.bytes = bytes;
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.sum.sub(self.bytes);
    }
}

impl Meter {
    pub fn new(budget: Arc<Budget>, reactor: usize) -> Self {
        let account = Arc::clone(budget.account(reactor));
        Self {
            budget,
            account,
            level: Level::Normal,
            deliveries: Sum::default(),
            queued: Sum::default(),
            openings: Sum::default(),
            unread: Sum::default(),
            alias_bytes: 0,
            queued_elsewhere: 0,
            connections_elsewhere: 0,
            connections: 0,
            shared_bytes: 0,
            grown: 0,
            changed: None,
        }
    }

    /// How full the process is.
    #[inline]
    pub fn level(&self) -> Level {
        self.level
    }

    /// The account to charge what is kept here.
    pub fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The process's bound in bytes.
    pub fn bytes_max(&self) -> usize {
        self.budget.bytes_max()
    }

    /// Something was kept: a turn that keeps much must not wait for its end to feel it.
    pub fn grew(&mut self, bytes: usize) {
        self.grown += bytes;
        if self.grown > self.budget.bytes_max() / GROWTH_UNSEEN {
            self.weigh(self.shared_bytes);
        }
    }

    /// Bytes on their way to another reactor, charged until they have arrived.
    pub fn charge(&self, bytes: usize) -> Charge {
        self.account.charge(bytes)
    }

    /// Whether so many more bytes do not fit into the queues of the namespace.
    pub fn is_namespace_full(&self, more: usize) -> bool {
        self.queued_elsewhere + self.queued.get() + more > self.budget.queued_bytes_max()
    }

    /// Connections of all reactors; `here` on this one.
    pub fn connections(&self, here: usize) -> usize {
        self.connections_elsewhere + here
    }

    /// Looks at all accounts: once a turn, and whenever much was kept.
    pub fn weigh(&mut self, shared_bytes: usize) {
        self.shared_bytes = shared_bytes;
        self.grown = 0;
        let weighed = self.budget.weigh(shared_bytes);
        self.level = weighed.level;
        if weighed.before.is_some() {
            self.changed = Some(weighed);
        }
    }

    /// As [`Meter::weigh`], and what the others have.
    pub fn begin(&mut self, shared_bytes: usize) {
        self.weigh(shared_bytes);
        self.queued_elsewhere = self.budget.queued_bytes() - self.queued_told();
        self.connections_elsewhere = self.budget.connections() - self.connections;
    }

    /// Tells the others what is held here; `held` is what only the shard can add up.
    pub fn end(&mut self, held: usize, spare: usize, connections: usize) {
        self.connections = connections;
        let entries = self.deliveries.get() * DELIVERY_BYTES;
        let held = held + entries + self.unread.get() + self.alias_bytes;
        self.account.tell(Told { held, spare, queued: self.queued.get(), connections });
    }

    /// The level that began or ended since the last call, if this reactor was the one to see it.
    pub fn take_change(&mut self) -> Option<Weighed> {
        self.changed.take()
    }

    fn queued_told(&self) -> usize {
        self.account.queued()
    }
}

/// What a queue or window holds for a delivery besides its publication.
const DELIVERY_BYTES: usize = size_of::<Delivery>() + size_of::<usize>();
/// Keeping more than this part of the budget at once is felt at once.
const GROWTH_UNSEEN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_follow_what_is_held_and_end_at_zero() {
        let sum = Sum::default();
        let (one, mut held) = (sum.one(), sum.hold());
        let more = one.clone();
        held.set(10);
        assert_eq!(sum.get(), 12);
        held.set(3);
        drop(one);
        assert_eq!(sum.get(), 4);
        drop((more, held));
        assert_eq!(sum.get(), 0);
    }

    #[test]
    fn much_that_is_kept_in_one_turn_is_felt_in_it() {
        let mut meter = Meter::new(Arc::new(Budget::new(64_000, None, 1)), 0);
        let account = Arc::clone(meter.account());
        let mut kept = Vec::new();
        while meter.level() == Level::Normal {
            kept.push(account.charge(500));
            meter.grew(500);
            assert!(kept.len() < 120, "the level was never felt");
        }
        assert_eq!(meter.take_change().map(|w| w.level), Some(Level::High));
    }
}
