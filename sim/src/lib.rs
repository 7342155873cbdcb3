//! The broker under a seeded clock and network, checked after every step.
//!
//! Production's shards run here as they are, with clients that keep to the standard, clients that
//! do not, and a network that breaks. A second account of what must be true (`ledger`) judges each
//! packet. Imported by nothing.

mod authority;
mod chance;
mod client;
mod filter;
mod keeping;
mod ledger;
mod promises;
mod socket;
mod swarm;
mod trace;
mod world;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use world::World;

/// How a seed ended.
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// How many reactors it had.
    pub reactors: usize,
    /// Steps that were made.
    pub steps: u64,
    /// PUBLISH packets that clients got.
    pub deliveries: u64,
    /// Of everything that happened: two runs of a seed have the same.
    pub hash: u64,
    /// Too much was refused in one turn to see all of it: the seed ended early.
    pub blind: bool,
    /// What could not be, if something was.
    pub failure: Option<String>,
    /// Everything that happened, if it was asked for.
    pub lines: Vec<String>,
}

/// Whether the lines of a run are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trace {
    /// Every packet in a line.
    Kept,
    /// Only the hash.
    Hashed,
}

/// Runs one seed to its end.
pub fn run(seed: u64, trace: Trace) -> Outcome {
    let mut world = World::new(seed, trace == Trace::Kept);
    let played = catch_unwind(AssertUnwindSafe(|| world.play()));
    let panicked = played.err().map(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        let text = text.or_else(|| cause.downcast_ref::<&str>().map(|s| (*s).to_owned()));
        format!("panic: {}", text.unwrap_or_default())
    });
    let failure = panicked.or_else(|| world.ledger.failure().map(str::to_owned));
    Outcome {
        seed,
        reactors: world.swarm.reactors,
        steps: world.step,
        deliveries: world.ledger.sent.iter().sum(),
        hash: world.trace.hash(),
        blind: world.ledger.blind,
        failure,
        lines: world.trace.into_lines(),
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, reactors, steps, deliveries, .. } = self;
        write!(f, "seed {seed}, {reactors} reactors, step {steps}, {deliveries} deliveries")?;
        match &self.failure {
            Some(failure) => write!(f, ": {failure}"),
            None => write!(f, ": well"),
        }
    }
}
