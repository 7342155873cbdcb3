//! Deadlines of connections and sessions.
//!
//! At most one entry a subject waits: it is armed for the earliest deadline, and when it fires its
//! subject says what is due and when to look again. So keep-alive costs one store a read and no
//! timer operation.

use hashbrown::HashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Whose deadline it is, by place: the occupant may have changed, which it finds out itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A connection, real clock: CONNECT deadline, keep-alive.
    Link(u32),
    /// A session, domain clock: expiry, will delay.
    Session(u32),
    /// A connection's token, domain clock.
    Token(u32),
    /// Methods that wait for devices, domain clock.
    Calls,
    /// Feedback of commands, domain clock.
    Feedback,
    /// Jobs, domain clock.
    Jobs,
    /// What faults have put off, domain clock.
    Late,
    /// What the log hears late of deliveries, real clock.
    Progress,
    /// Expired retained messages, domain clock.
    Sweep,
}

/// Both clocks' deadlines.
#[derive(Default)]
pub(crate) struct Timers {
    real: Heap,
    domain: Heap,
}

#[derive(Default)]
struct Heap {
    due: BinaryHeap<Reverse<(u64, Timer)>>,
    armed: Armed,
}

/// The earliest entry of each subject; later ones in the heap are stale.
#[derive(Default)]
struct Armed {
    /// Connections', or sessions', by place: there may be a million. [`NEVER`] = none.
    places: Vec<u64>,
    others: HashMap<Timer, u64, foldhash::fast::RandomState>,
}

impl Timers {
    /// Makes sure that `timer` fires at `at_ms` or before.
    pub fn arm(&mut self, timer: Timer, at_ms: u64) {
        if at_ms == NEVER {
            return;
        }
        match timer {
            Timer::Link(_) | Timer::Progress => self.real.arm(timer, at_ms),
            Timer::Session(_)
            | Timer::Token(_)
            | Timer::Calls
            | Timer::Late
            | Timer::Feedback
            | Timer::Jobs
            | Timer::Sweep => self.domain.arm(timer, at_ms),
        }
    }

    /// So many sessions come at once.
    pub fn reserve(&mut self, sessions: usize) {
        self.domain.due.reserve(sessions);
        self.domain.armed.places.reserve(sessions);
    }

    /// Arms a timer for each of many sessions.
    pub fn arm_all(&mut self, sessions: Vec<(u32, u64)>) {
        let Heap { due, armed } = &mut self.domain;
        let earlier = sessions.into_iter().filter_map(|(slot, at_ms)| {
            let timer = Timer::Session(slot);
            armed.lower(timer, at_ms).then_some(Reverse((at_ms, timer)))
        });
        let mut more: BinaryHeap<_> = earlier.collect::<Vec<_>>().into();
        due.append(&mut more);
    }

    /// The next one due.
    pub fn pop(&mut self, mono_ms: u64, wall_ms: u64) -> Option<Timer> {
        self.real.pop(mono_ms).or_else(|| self.domain.pop(wall_ms))
    }

    /// Milliseconds until the next deadline.
    pub fn wait_ms(&self, mono_ms: u64, wall_ms: u64) -> Option<u64> {
        let real = self.real.next().map(|at| at.saturating_sub(mono_ms));
        let domain = self.domain.next().map(|at| at.saturating_sub(wall_ms));
        match (real, domain) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

impl Heap {
    fn arm(&mut self, timer: Timer, at_ms: u64) {
        if self.armed.lower(timer, at_ms) {
            self.due.push(Reverse((at_ms, timer)));
        }
    }

    fn pop(&mut self, now_ms: u64) -> Option<Timer> {
        while let Some(&Reverse((at, timer))) = self.due.peek() {
            if at > now_ms {
                return None;
            }
            self.due.pop();
            if self.armed.take(timer, at) {
                return Some(timer);
            }
        }
        None
    }

    fn next(&self) -> Option<u64> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }
}

impl Armed {
    /// Whether that is earlier than what was armed.
    fn lower(&mut self, timer: Timer, at_ms: u64) -> bool {
        let armed = match timer {
            Timer::Link(place) | Timer::Session(place) => {
                let place = place as usize;
                if place >= self.places.len() {
                    self.places.resize(place + 1, NEVER);
                }
                &mut self.places[place]
            }
            other => self.others.entry(other).or_insert(NEVER),
        };
        let is_earlier = at_ms < *armed;
        if is_earlier {
            *armed = at_ms;
        }
        is_earlier
    }

    /// Whether this is the entry that counts; it is gone then.
    fn take(&mut self, timer: Timer, at_ms: u64) -> bool {
        match timer {
            Timer::Link(place) | Timer::Session(place) => {
                let armed = self.places.get_mut(place as usize).filter(|armed| **armed == at_ms);
                armed.is_some_and(|armed| std::mem::replace(armed, NEVER) == at_ms)
            }
            other => {
                let counts = self.others.get(&other) == Some(&at_ms);
                if counts {
                    self.others.remove(&other);
                }
                counts
            }
        }
    }
}

/// No deadline.
const NEVER: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_fires_once_at_its_earliest_deadline() {
        let mut t = Timers::default();
        t.arm(Timer::Link(1), 50);
        t.arm(Timer::Link(1), 20);
        t.arm(Timer::Link(1), 90);
        t.arm(Timer::Session(1), 1_000);
        assert_eq!(t.wait_ms(0, 0), Some(20));
        assert_eq!(t.pop(10, 0), None);
        assert_eq!(t.pop(60, 0), Some(Timer::Link(1)));
        assert_eq!(t.pop(60, 0), None, "the entry for 50 is stale");
        assert_eq!(t.pop(60, 1_000), Some(Timer::Session(1)));
        assert_eq!(t.wait_ms(60, 1_000), None);
    }

    #[test]
    fn many_are_armed_as_each_would_be() {
        let mut t = Timers::default();
        t.arm(Timer::Session(7), 10);
        t.arm_all(vec![(3, 30), (7, 20), (5, NEVER), (1, 15)]);
        let due: Vec<_> = std::iter::from_fn(|| t.pop(0, NEVER - 1)).collect();
        assert_eq!(due, [7, 1, 3].map(Timer::Session));
    }
}
