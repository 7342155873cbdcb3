//! The hot paths as programs whose instructions callgrind counts: `cargo xtask counts` runs each
//! and compares. Without an argument it lists them.
//!
//! Owns what is run, and that it is the same in every run: no clock, no chance, no IO. It refuses
//! to know what the counts should be.
mod devices;
mod journal;
mod matching;
mod shard;
mod wire;

use std::process::ExitCode;

/// A thing to count: made ready outside of the count, then run turn by turn.
#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    /// Turns before the count, so that buffers and caches have their size.
    warm: usize,
    /// Turns in the count.
    turns: usize,
    ready: fn(turns: usize) -> Turns,
}

/// Runs one turn; gives how many operations (packets, matches, deliveries) it was.
type Turns = Box<dyn FnMut() -> usize>;

fn main() -> ExitCode {
    let cases =
        [wire::CASES, matching::CASES, shard::CASES, devices::CASES, journal::CASES].concat();
    let Some(name) = std::env::args().nth(1) else {
        cases.iter().for_each(|case| println!("{}", case.name));
        return ExitCode::SUCCESS;
    };
    let Some(case) = cases.iter().find(|case| case.name == name) else {
        eprintln!("there is no case '{name}'");
        return ExitCode::from(2);
    };
    let mut turns = (case.ready)(case.warm + case.turns);
    for _ in 0..case.warm {
        turns();
    }
    println!("{}", counted_turns(&mut turns, case.turns));
    ExitCode::SUCCESS
}

/// Callgrind collects while this function runs: `xtask` knows its name.
#[inline(never)]
fn counted_turns(turns: &mut Turns, n: usize) -> usize {
    (0..n).map(|_| turns()).sum()
}
