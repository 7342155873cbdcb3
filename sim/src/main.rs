//! `sim --seeds N [--from S] [--jobs J]` runs seeds; `sim --seed N` replays one with its trace.

use sim::{Trace, run};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

const USAGE: &str = "sim --seeds N [--from S] [--jobs J]    run seeds, report those that fail
sim --seed N                           replay one seed with every packet";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str| {
        let at = arguments.iter().position(|a| a == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    let known = |pair: &[String]| {
        ["--seeds", "--from", "--jobs", "--seed"].contains(&pair[0].as_str())
            && pair.get(1).is_some_and(|v| v.parse::<u64>().is_ok())
    };
    if arguments.is_empty() || !arguments.chunks(2).all(known) {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    }
    if let Some(seed) = number("--seed") {
        return replay(seed);
    }
    let (from, jobs) = (number("--from").unwrap_or(1), number("--jobs").unwrap_or(1).max(1));
    run_all(from, number("--seeds").unwrap_or(1), jobs)
}

fn replay(seed: u64) -> ExitCode {
    let outcome = run(seed, Trace::Kept);
    for line in &outcome.lines {
        println!("{line}");
    }
    println!("{outcome}");
    if outcome.failure.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run_all(from: u64, seeds: u64, jobs: u64) -> ExitCode {
    let start = Instant::now();
    let (next, deliveries) = (AtomicU64::new(from), AtomicU64::new(0));
    let blind = AtomicU64::new(0);
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= from + seeds {
                        return;
                    }
                    let outcome = run(seed, Trace::Hashed);
                    deliveries.fetch_add(outcome.deliveries, Ordering::Relaxed);
                    blind.fetch_add(u64::from(outcome.blind), Ordering::Relaxed);
                    if outcome.failure.is_some() {
                        failed.store(true, Ordering::Relaxed);
                        println!("{outcome}");
                        println!("  replay: cargo xtask sim --seed {seed}");
                    }
                }
            });
        }
    });
    let (seconds, all) = (start.elapsed().as_secs_f64(), deliveries.into_inner());
    let early = blind.into_inner();
    println!(
        "{seeds} seeds from {from}: {all} deliveries judged in {seconds:.1} s; {early} ended early"
    );
    if failed.into_inner() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
