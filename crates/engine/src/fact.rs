//! What became of submitted records, in the order of the log.

use store::op::{Sequence, Ticket};

/// Records of one commit, in log order. Everybody who has to hear of one gets all of them, shared,
/// and takes those that are for him: so each hears the log in its order.
#[derive(Debug)]
pub struct Facts<R> {
    /// Whether they are facts.
    pub outcome: Outcome,
    /// One for each record.
    pub list: Vec<Fact<R>>,
}

/// One record and who hears of it.
#[derive(Debug)]
pub struct Fact<R> {
    /// Its place in the log; 0 if it is not there.
    pub sequence: Sequence,
    /// Whether the log has bytes of it.
    pub form: Formed,
    /// The reactor that submitted it.
    pub origin: u8,
    /// That reactor's name for it.
    pub ticket: Ticket,
    /// Bit n: reactor n hears of it as well, once it is a fact.
    pub others: u64,
    /// What it is to whoever hears of it; the log has its bytes.
    pub record: R,
}

/// Whether a record lies in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Formed {
    /// It does.
    Logged,
    /// It only keeps its place among those that do.
    Passing,
}

/// What became of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// They are on the disk.
    Durable,
    /// They are not: the disk has no room now. Only if it failed as well may the next start find
    /// them.
    Full,
    /// They may or may not be: the disk failed. Nothing more is written until the next start.
    Failed,
}

impl<R> Facts<R> {
    /// Bit n: reactor n has to hear of this commit. What did not become a fact concerns only those
    /// who submitted it.
    pub fn concerned(&self) -> u64 {
        let others = |fact: &Fact<R>| match self.outcome {
            Outcome::Durable => fact.others,
            Outcome::Full | Outcome::Failed => 0,
        };
        self.list.iter().fold(0, |all, fact| all | 1 << fact.origin | others(fact))
    }

    /// What reactor `me` hears of, in log order.
    pub fn of(&self, me: usize) -> impl Iterator<Item = &Fact<R>> {
        let others = if self.outcome == Outcome::Durable { u64::MAX } else { 0 };
        let mine =
            move |fact: &&Fact<R>| (fact.others & others | 1 << fact.origin) & (1 << me) != 0;
        self.list.iter().filter(mine)
    }
}
