//! The faults that are in force, one list for all homes. It is the memory of the running server:
//! a start begins without any. Refuses to know what a fault leads to.

use super::operation::Operation;
use super::rule::{Effect, Rule};
use crate::identity::IdentityId;
use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

/// The list. Asking it costs one load as long as nothing in it can strike.
#[derive(Debug, Default)]
pub struct Faults {
    /// Faults that may strike still.
    armed: AtomicUsize,
    all: RwLock<All>,
}

/// A fault's number, which no other has had since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultId(pub u32);

/// A fault as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Its number.
    pub id: FaultId,
    /// What it says.
    pub rule: Rule,
    /// How often it has struck.
    pub struck: u64,
    /// How often it will; `None` = until it is taken away.
    pub left: Option<u32>,
}

/// There are as many as there may be, and each of them may strike still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are {FAULTS_MAX} faults; take some away first")]
pub struct ListFull;

#[derive(Debug, Default)]
struct All {
    last: u32,
    faults: Vec<Fault>,
}

#[derive(Debug)]
struct Fault {
    id: FaultId,
    rule: Rule,
    /// [`ENDLESS`], or how often.
    left: AtomicU32,
    struck: AtomicU64,
}

impl Faults {
    /// Takes a rule that was checked; where the list is full, for the oldest one that is used up.
    ///
    /// # Errors
    /// None is used up.
    pub fn add(&self, rule: Rule) -> Result<Shown, ListFull> {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        if all.faults.len() >= FAULTS_MAX {
            let spent = all.faults.iter().position(|fault| !fault.is_armed()).ok_or(ListFull)?;
            all.faults.remove(spent);
        }
        all.last += 1;
        let left = AtomicU32::new(rule.count.map_or(ENDLESS, |count| count.get().min(COUNT_MAX)));
        let fault = Fault { id: FaultId(all.last), rule, left, struck: AtomicU64::new(0) };
        let shown = fault.shown();
        all.faults.push(fault);
        self.armed.fetch_add(1, Ordering::Relaxed);
        Ok(shown)
    }

    /// All of them, in the order in which they came.
    pub fn list(&self) -> Vec<Shown> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.faults.iter().map(Fault::shown).collect()
    }

    /// Takes one away; whether it was there.
    pub fn remove(&self, id: FaultId) -> bool {
        self.retain(|fault| fault.id != id) > 0
    }

    /// Takes all away; how many there were.
    pub fn clear(&self) -> usize {
        self.retain(|_| false)
    }

    fn retain(&self, stays: impl Fn(&Fault) -> bool) -> usize {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let before = all.faults.len();
        all.faults.retain(|fault| stays(fault));
        let armed = all.faults.iter().filter(|fault| fault.is_armed()).count();
        self.armed.store(armed, Ordering::Relaxed);
        before - all.faults.len()
    }

    /// Whether none can strike.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.armed.load(Ordering::Relaxed) == 0
    }

    /// What strikes an operation of an identity: the first fault for it whose odds, by a number of
    /// `chance`, are met. It counts as struck.
    pub fn strike(
        &self,
        operation: Operation,
        id: &IdentityId,
        takes: impl Fn(Effect) -> bool,
        mut chance: impl FnMut() -> u64,
    ) -> Option<Effect> {
        if self.is_idle() {
            return None;
        }
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let meant = |fault: &&Fault| {
            let Rule { operation: o, devices, effect, .. } = &fault.rule;
            *o == operation && fault.is_armed() && takes(*effect) && devices.matches(id)
        };
        let struck = all
            .faults
            .iter()
            .filter(meant)
            .find(|fault| fault.rule.odds.strikes(chance()) && fault.strike(&self.armed));
        struck.map(|fault| fault.rule.effect)
    }
}

impl Fault {
    fn is_armed(&self) -> bool {
        self.left.load(Ordering::Relaxed) > 0
    }

    /// Counts; false if another home was faster with the last one.
    fn strike(&self, armed: &AtomicUsize) -> bool {
        let take = |left| match left {
            0 => None,
            ENDLESS => Some(ENDLESS),
            left => Some(left - 1),
        };
        let Ok(before) = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take) else {
            return false;
        };
        if before == 1 {
            armed.fetch_sub(1, Ordering::Relaxed);
        }
        self.struck.fetch_add(1, Ordering::Relaxed);
        true
    }

    fn shown(&self) -> Shown {
        let left = self.left.load(Ordering::Relaxed);
        let (struck, left) =
            (self.struck.load(Ordering::Relaxed), (left != ENDLESS).then_some(left));
        Shown { id: self.id, rule: self.rule.clone(), struck, left }
    }
}

/// As it stands in paths.
impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A list that is longer is looked through at each operation.
pub const FAULTS_MAX: usize = 100;
const ENDLESS: u32 = u32::MAX;
const COUNT_MAX: u32 = u32::MAX - 1;

#[cfg(test)]
mod tests {
    use super::super::{Odds, Pattern};
    use super::*;
    use crate::plane::Status;
    use std::num::NonZeroU32;

    fn rule(devices: &str, effect: Effect, count: u32) -> Rule {
        let (operation, devices) = (Operation::GetTwin, Pattern::parse(devices).unwrap());
        Rule { operation, devices, effect, count: NonZeroU32::new(count), odds: Odds::ALWAYS }
    }

    #[test]
    fn the_first_that_is_meant_strikes_and_counts() {
        let faults = Faults::default();
        let [d, e] = ["d", "e"].map(|id| IdentityId::parse(id).unwrap());
        let busy = Effect::Status(Status::SERVER_BUSY);
        let strike = |id| faults.strike(Operation::GetTwin, id, |_| true, || 0);
        assert_eq!((faults.is_idle(), strike(&d)), (true, None));
        let first = faults.add(rule("d", busy, 2)).unwrap().id;
        let second = faults.add(rule("*", Effect::Delay(5), 0)).unwrap().id;
        assert_eq!(
            [strike(&e), strike(&d), strike(&d)],
            [Some(Effect::Delay(5)), Some(busy), Some(busy)]
        );
        assert_eq!(strike(&d), Some(Effect::Delay(5)), "the first is used up");
        let other = faults.strike(Operation::Connect, &d, |_| true, || 0);
        let not_taken = faults.strike(Operation::GetTwin, &d, |e| e == busy, || 0);
        assert_eq!((other, not_taken), (None, None));
        let shown: Vec<_> = faults.list().iter().map(|f| (f.id, f.struck, f.left)).collect();
        assert_eq!(shown, [(first, 2, Some(0)), (second, 2, None)]);
        assert!(faults.remove(second) && !faults.remove(second));
        assert!(faults.is_idle(), "what is used up cannot strike");
        assert_eq!((faults.clear(), faults.list()), (1, vec![]));
    }

    #[test]
    fn a_fault_whose_odds_are_not_met_lets_the_next_one_strike() {
        let faults = Faults::default();
        let id = IdentityId::parse("d").unwrap();
        let never = Odds::new(f64::MIN_POSITIVE).unwrap();
        faults.add(Rule { odds: never, ..rule("d", Effect::DropAfterAck, 1) }).unwrap();
        faults.add(rule("d", Effect::Delay(1), 1)).unwrap();
        let struck = faults.strike(Operation::GetTwin, &id, |_| true, || u64::MAX / 2);
        assert_eq!(struck, Some(Effect::Delay(1)));
        assert_eq!(faults.list()[0].struck, 0);
    }

    #[test]
    fn the_list_is_bounded_and_what_is_used_up_makes_room() {
        let faults = Faults::default();
        let id = IdentityId::parse("d").unwrap();
        for _ in 0..FAULTS_MAX {
            faults.add(rule("*", Effect::Delay(1), 1)).unwrap();
        }
        assert_eq!(faults.add(rule("*", Effect::Delay(1), 1)), Err(ListFull));
        faults.strike(Operation::GetTwin, &id, |_| true, || 0).unwrap();
        assert!(faults.add(rule("*", Effect::Delay(1), 1)).is_ok());
        assert_eq!(faults.list()[0].id, FaultId(2), "the one that was used up is gone");
        assert_eq!(faults.clear(), FAULTS_MAX);
    }

    #[test]
    fn reactors_together_strike_as_often_as_it_says() {
        let faults = Faults::default();
        faults.add(rule("*", Effect::Delay(1), 500)).unwrap();
        let id = IdentityId::parse("d").unwrap();
        let many = || {
            (0..400)
                .filter(|_| faults.strike(Operation::GetTwin, &id, |_| true, || 0).is_some())
                .count()
        };
        let struck = std::thread::scope(|scope| {
            let all: Vec<_> = (0..3).map(|_| scope.spawn(many)).collect();
            all.into_iter().map(|one| one.join().unwrap()).sum::<usize>()
        });
        assert_eq!((struck, faults.is_idle()), (500, true));
    }
}
