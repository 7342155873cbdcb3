//! How fast 256 devices are when what they report, and their telemetry, has to be on the disk, and
//! how long each waits, beside what the disk takes for the same bytes. Refuses to know packets.

use super::fleet;
use super::median;
use super::senders::{Senders, What, When};
use crate::figure::home::{Cores, Home};
use crate::figure::raw::Raw;
use crate::figure::{Numbers, Place};
use crate::proof::Size;
use anyhow::Result;
use std::time::Duration;

/// What they report.
///
/// # Errors
/// When the server or the disk fails.
pub fn reported(place: Place<'_>) -> Result<Numbers> {
    run(place, Goal { what: What::Report, depth: 1, bar: 20_000, rate: 20_000 })
}

/// Their telemetry, as much under way as the hub takes.
///
/// # Errors
/// When the server or the disk fails.
pub fn telemetry(place: Place<'_>) -> Result<Numbers> {
    run(place, Goal { what: What::Telemetry, depth: 16, bar: 100_000, rate: 20_000 })
}

#[derive(Clone, Copy)]
struct Goal {
    what: What,
    depth: usize,
    /// A second, at least.
    bar: u64,
    /// At which each is timed.
    rate: u64,
}

fn run(place: Place<'_>, goal: Goal) -> Result<Numbers> {
    let mut home = Home::hub(place.binary, place.folder, Cores::First)?;
    home.start()?;
    fleet::register(&home.target()?, DEVICES, fleet::keyed)?;
    let mut devices = Senders::connect(home.target()?, goal.what, DEVICES)?;
    let full = place.size == Size::Full;
    let long = Duration::from_millis(if full { 2_000 } else { 300 });
    let mut numbers = Numbers::default();
    // What is begun for the first time is not measured.
    devices.run(When::UnderWay(goal.depth), long / 4)?;
    let (mut rates, mut cpu_us, mut under_way) = (Vec::new(), Vec::new(), Vec::new());
    let mut batch = Vec::new();
    for _ in 0..if full { ROUNDS } else { 1 } {
        let (before, counted) = (home.used()?, home.metrics()?);
        let (mut times, s) = devices.run(When::UnderWay(goal.depth), long)?;
        let (after, since) = (home.used()?, home.metrics()?);
        let done = times.count().max(1) as f64;
        rates.push(done / s);
        cpu_us.push((after.cpu_us - before.cpu_us) / done);
        under_way.push(f64::from(times.quantile(0.99)));
        let commits = since.sum(COMMITS).saturating_sub(counted.sum(COMMITS)).max(1) as f64;
        batch.push((after.written_bytes - before.written_bytes) / commits);
    }
    let per_s = median(rates);
    numbers.add("per_s", per_s);
    numbers.add("bar_to_done", goal.bar as f64 / per_s);
    numbers.add("cpu_us", median(cpu_us));
    numbers.add("full_p99_us", median(under_way));
    // Timed below what is possible, else all would be a queue.
    let rate = goal.rate.min((per_s * SHARE) as u64);
    numbers.add("rate", rate as f64);
    let bytes = median(batch).max(1.0) as usize;
    let (mut p50, mut p99, mut raw99, mut ratio) = (vec![], vec![], vec![], vec![]);
    let (mut beside, mut ratio_beside) = (vec![], vec![]);
    for _ in 0..if full { ROUNDS } else { 1 } {
        let (mut alone, _) = devices.run(When::Rate(rate), long)?;
        let raw = Raw::start(home.beside(), bytes)?;
        devices.rest(long)?;
        let mut raw_alone = raw.finish()?;
        let raw = Raw::start(home.beside(), bytes)?;
        let (mut both, _) = devices.run(When::Rate(rate), long)?;
        let mut raw_both = raw.finish()?;
        let us = |of: &mut crate::latency::Latency| f64::from(of.quantile(0.99).max(1));
        p50.push(f64::from(alone.quantile(0.5)));
        p99.push(us(&mut alone));
        raw99.push(us(&mut raw_alone));
        ratio.push(us(&mut alone) / us(&mut raw_alone));
        beside.push(us(&mut raw_both));
        ratio_beside.push(us(&mut both) / us(&mut raw_both));
    }
    numbers.add("p50_us", median(p50));
    numbers.add("p99_us", median(p99));
    numbers.add("raw_p99_us", median(raw99));
    numbers.add("to_raw", median(ratio));
    numbers.add("raw_p99_beside_us", median(beside));
    numbers.add("to_raw_beside", median(ratio_beside));
    numbers.add("batch_bytes", bytes as f64);
    Ok(numbers)
}

const DEVICES: u64 = 256;
const ROUNDS: usize = 3;
const SHARE: f64 = 0.7;
const COMMITS: &str = "gridhub_log_commits_total";
