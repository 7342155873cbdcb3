//! How much memory the process holds for data, and how full that makes it (core.md 5).
//!
//! Owns the sum over all reactors, the levels of pressure and the turn from one to the next.
//! Refuses to know what is dropped or refused at a level, and who holds what.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// The memory of one process for data, in bytes. Shared by all reactors.
pub struct Budget {
    bytes_max: usize,
    queued_bytes_max: usize,
    accounts: Box<[Arc<Account>]>,
    level: AtomicU8,
}

/// What one reactor holds. Apart from [`Charge`]s only its own thread writes, once a turn.
#[derive(Default)]
#[repr(align(128))]
pub struct Account {
    /// Publications that somebody keeps: charged where they are made, given back anywhere.
    kept: AtomicUsize,
    /// Everything else, as its reactor last said.
    held: AtomicUsize,
    /// Empty buffers kept for use: what may be left when nothing is held any more.
    spare: AtomicUsize,
    /// Bytes that wait in session queues at home there. Not a part of the sum: the publications
    /// are charged, however many queues share them.
    queued: AtomicUsize,
    /// Connections.
    connections: AtomicUsize,
}

/// What a reactor says of itself once a turn.
#[derive(Clone, Copy, Default, Debug)]
pub struct Told {
    /// Bytes held besides charges.
    pub held: usize,
    /// Bytes of empty buffers.
    pub spare: usize,
    /// Bytes that wait in session queues.
    pub queued: usize,
    /// Connections.
    pub connections: usize,
}

/// Bytes of an account, given back on drop: a message in a thousand queues counts once.
pub struct Charge {
    account: Arc<Account>,
    bytes: usize,
}

/// How full the process is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Level {
    /// There is room.
    #[default]
    Normal,
    /// Nine tenths are taken: QoS 0 is dropped, new clients are refused.
    High,
    /// Everything is taken: what would have to be kept is refused.
    Full,
}

/// What [`Budget::weigh`] found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Weighed {
    /// Bytes held.
    pub bytes: usize,
    /// The level from now on.
    pub level: Level,
    /// The level before, told to the one caller that changed it.
    pub before: Option<Level>,
}

impl Budget {
    /// `bytes_max` for the data of the process; `queued_bytes_max` for what waits in all session
    /// queues, `None` = nine tenths of the former.
    pub fn new(bytes_max: usize, queued_bytes_max: Option<usize>, reactors: usize) -> Self {
        Self {
            bytes_max,
            queued_bytes_max: queued_bytes_max.unwrap_or(tenths(bytes_max, 9)),
            accounts: (0..reactors.max(1)).map(|_| Arc::default()).collect(),
            level: AtomicU8::new(0),
        }
    }

    /// The bound.
    pub fn bytes_max(&self) -> usize {
        self.bytes_max
    }

    /// The bound of what waits in all session queues.
    pub fn queued_bytes_max(&self) -> usize {
        self.queued_bytes_max
    }

    /// A reactor's account.
    ///
    /// # Panics
    /// When there is no such reactor.
    pub fn account(&self, reactor: usize) -> &Arc<Account> {
        &self.accounts[reactor]
    }

    /// Bytes held by all reactors.
    pub fn bytes(&self) -> usize {
        self.sum(|a| &a.kept) + self.sum(|a| &a.held) + self.spare_bytes()
    }

    /// Bytes of empty buffers, a part of [`Budget::bytes`].
    pub fn spare_bytes(&self) -> usize {
        self.sum(|a| &a.spare)
    }

    /// Bytes that wait in all session queues; a message counts in each of them.
    pub fn queued_bytes(&self) -> usize {
        self.sum(|a| &a.queued)
    }

    /// Connections of all reactors.
    pub fn connections(&self) -> usize {
        self.sum(|a| &a.connections)
    }

    /// The level that was found last.
    pub fn level(&self) -> Level {
        level_of(self.level.load(Ordering::Relaxed))
    }

    /// Adds up all accounts and `also`, and finds the level. Some loads, no lock: once a turn.
    pub fn weigh(&self, also: usize) -> Weighed {
        let bytes = self.bytes() + also;
        let old = self.level.load(Ordering::Relaxed);
        let before = level_of(old);
        let level = self.next(before, bytes);
        if level == before {
            return Weighed { bytes, level, before: None };
        }
        let won = self
            .level
            .compare_exchange(old, level as u8, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok();
        Weighed { bytes, level, before: won.then_some(before) }
    }

    /// A level begins at its mark and ends a little below it, so that it does not flutter.
    fn next(&self, before: Level, bytes: usize) -> Level {
        let mark = |level: Level, rise: usize, fall: usize| {
            bytes >= if before >= level { fall } else { rise }
        };
        if mark(Level::Full, self.bytes_max, tenths(self.bytes_max, 9) + self.bytes_max / 20) {
            return Level::Full;
        }
        let nine = tenths(self.bytes_max, 9);
        if mark(Level::High, nine, nine - self.bytes_max / 20) {
            return Level::High;
        }
        Level::Normal
    }

    fn sum(&self, of: fn(&Account) -> &AtomicUsize) -> usize {
        self.accounts.iter().map(|a| of(a).load(Ordering::Relaxed)).sum()
    }
}

impl Account {
    /// Takes `bytes` until the charge is dropped.
    pub fn charge(self: &Arc<Self>, bytes: usize) -> Charge {
        self.kept.fetch_add(bytes, Ordering::Relaxed);
        Charge { account: Arc::clone(self), bytes }
    }

    /// What the reactor holds; only its own thread says so.
    pub fn tell(&self, told: Told) {
        self.held.store(told.held, Ordering::Relaxed);
        self.spare.store(told.spare, Ordering::Relaxed);
        self.queued.store(told.queued, Ordering::Relaxed);
        self.connections.store(told.connections, Ordering::Relaxed);
    }

    /// What waits in the reactor's queues, as it last said.
    pub fn queued(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.kept.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Level {
    /// The word in logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::High => "high",
            Self::Full => "full",
        }
    }
}

fn level_of(n: u8) -> Level {
    match n {
        0 => Level::Normal,
        1 => Level::High,
        _ => Level::Full,
    }
}

/// So many tenths of `n`, without overflow.
fn tenths(n: usize, count: usize) -> usize {
    n / 10 * count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_begin_at_their_mark_and_end_below_it() {
        let budget = Budget::new(1_000, None, 2);
        let rows = [
            (899, Level::Normal, None),
            (900, Level::High, Some(Level::Normal)),
            (850, Level::High, None),
            (849, Level::Normal, Some(Level::High)),
            (1_000, Level::Full, Some(Level::Normal)),
            (950, Level::Full, None),
            (949, Level::High, Some(Level::Full)),
            (1_000, Level::Full, Some(Level::High)),
            (0, Level::Normal, Some(Level::Full)),
        ];
        for (bytes, level, before) in rows {
            assert_eq!(budget.weigh(bytes), Weighed { bytes, level, before });
            assert_eq!(budget.level(), level);
        }
    }

    #[test]
    fn a_charge_counts_once_and_is_given_back_from_any_thread() {
        let budget = Budget::new(1_000, Some(7), 2);
        let charge = budget.account(1).charge(100);
        budget.account(0).tell(Told { held: 20, spare: 0, queued: 5, connections: 3 });
        budget.account(1).tell(Told { held: 1, spare: 2, queued: 1, connections: 4 });
        assert_eq!((budget.bytes(), budget.spare_bytes()), (123, 2));
        assert_eq!((budget.queued_bytes(), budget.connections()), (6, 7));
        assert_eq!((budget.bytes_max(), budget.queued_bytes_max()), (1_000, 7));
        std::thread::spawn(move || drop(charge)).join().unwrap();
        assert_eq!(budget.bytes(), 23);
    }
}
