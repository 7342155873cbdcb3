//! The crash proof: a server is killed again and again while publishers of every kind load it,
//! and a ledger holds it to every acknowledgement it gave.
//!
//! Owns the story: rounds on one data directory, then a peaceful end in which everybody gets what
//! is theirs. What must hold is the ledger's, what clients do is theirs.

mod breach;
mod cast;
mod chance;
mod house;
mod hub;
mod ledger;
mod letter;
mod postman;
mod power;
mod publisher;
mod retained;
mod run;
mod said;
mod session;
mod settings;
mod subscriber;

pub use house::Durability;
pub use settings::{Mishap, Part, Settings};

use crate::latency::Latency;
use crate::report::Report;
use anyhow::Result;
use chance::Chance;
use house::House;
use run::{Run, Stage};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// Carries it out. `None` where the machine cannot, which is said on stderr.
///
/// # Errors
/// When the server cannot be started the first time or the generator fails, which is no verdict.
pub fn run(binary: &Path, settings: &Settings) -> Result<Option<Report>> {
    eprintln!("crash: {}", settings.command());
    let mut house = House::new(binary, settings.durability)?;
    if settings.mishap == Mishap::PowerLoss
        && let Err(error) = house.mount()
    {
        eprintln!("crash: --power-loss is skipped, no loop-mounted image here: {error:#}");
        return Ok(None);
    }
    let target = house.start(0)?;
    let mut run = Run::new(house, target, settings)?;
    let mut tally = Tally::default();
    run.open()?;
    for round in 0..settings.rounds {
        if let Err(error) = one(&mut run, settings, round, &mut tally) {
            // A server that does not come back is a verdict.
            run.fail(&format!("{error:#}"));
        }
        if run.ledger.breaches.count() > 0 {
            if let Err(error) = run.house.keep_copy(FOUND) {
                eprintln!("crash: {error:#}");
            }
            break;
        }
    }
    if let Err(error) = run.settle() {
        run.fail(&format!("{error:#}"));
    }
    run.ledger.close();
    let report = report(&run, settings, &tally);
    if !report.holds() {
        let folder = run.house.keep().display();
        eprintln!("crash: it does not hold: {}", settings.command());
        eprintln!("crash: kept in {folder}; {FOUND} is the disk after the round");
    }
    Ok(Some(report))
}

/// What the rounds were like.
#[derive(Debug, Default)]
struct Tally {
    rounds: u64,
    kills: u64,
    stops: u64,
    power_cuts: u64,
    disconnects: u64,
    intruders: u64,
}

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Kill,
    Stop,
    PowerCut,
    Disconnect,
}

/// One round: everybody there, a load, an end.
fn one(run: &mut Run, settings: &Settings, round: u64, tally: &mut Tally) -> Result<()> {
    let mut chance = Chance::of(settings.seed, round, "round");
    let load = Duration::from_millis(chance.between(LOAD_MS.0, LOAD_MS.1));
    let planned = chance.one_in(STOPS_ONE_IN);
    let intruder = chance.one_in(INTRUDERS_ONE_IN) || round == 0;
    let ending = match settings.mishap {
        Mishap::Disconnect => Ending::Disconnect,
        _ if planned => Ending::Stop,
        Mishap::PowerLoss => Ending::PowerCut,
        Mishap::Crash => Ending::Kill,
    };
    run.begin(round, load)?;
    if intruder && run.ledger.breaches.count() == 0 {
        tally.intruders += 1;
        run.intrude()?;
    }
    run.load(load)?;
    match ending {
        Ending::Kill => run.kill()?,
        Ending::Stop => run.stop()?,
        Ending::PowerCut => run.cut_power()?,
        Ending::Disconnect => run.disconnect(),
    }
    run.rest()?;
    tally.rounds += 1;
    *match ending {
        Ending::Kill => &mut tally.kills,
        Ending::Stop => &mut tally.stops,
        Ending::PowerCut => &mut tally.power_cuts,
        Ending::Disconnect => &mut tally.disconnects,
    } += 1;
    if tally.rounds.is_multiple_of(ROUNDS_A_LINE) {
        let (sent, acknowledged) = run.ledger.totals();
        eprintln!("crash: {} rounds, {sent} sent, {acknowledged} acknowledged", tally.rounds);
    }
    Ok(())
}

fn report(run: &Run, settings: &Settings, tally: &Tally) -> Report {
    let mut report = Report::new(settings.title());
    let (sent, acknowledged) = run.ledger.totals();
    run.ledger.breaches.enter(&mut report);
    // A run in which nobody did anything proves nothing.
    let worked = format!("{acknowledged} acknowledged, {} received", run.ledger.received);
    report.check("there was a load", acknowledged > 0 && run.ledger.received > 0, worked);
    report.figure("seed", settings.seed);
    report.figure("durability", settings.durability.name());
    report.figure("rounds", tally.rounds);
    let Tally { kills, stops, power_cuts, disconnects, .. } = *tally;
    report.figure(
        "ends",
        json!({ "killed": kills, "stopped": stops, "without power": power_cuts,
        "connections lost": disconnects }),
    );
    report.figure("second processes refused", tally.intruders);
    report.figure("messages sent", sent);
    report.figure("messages acknowledged", acknowledged);
    report.figure("deliveries", run.ledger.received);
    if let Some(hub) = &run.hub {
        report.figure("hub", hub.figures());
    }
    report.figure("deliveries again, as QoS 1 may", run.ledger.again);
    let mut starts = Latency::default();
    let us = |took: Duration| u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    run.house.starts.iter().for_each(|start| starts.add(us(start.took)));
    report.figure("starts", starts.figures());
    if let Some(start) = run.house.starts.iter().max_by_key(|start| start.took) {
        let (us, said) = (us(start.took), start.said.all());
        report.figure("longest start", json!({ "round": start.round, "us": us, "said": said }));
    }
    report.figure("settled in s", (run.settled_s * 10.0).round() / 10.0);
    report
}

impl Stage {
    /// Whether the server is expected to serve.
    fn serves(self) -> bool {
        self != Self::Ending
    }
}

/// Beside the disk, which goes on to the end.
const FOUND: &str = "disk-when-found";
/// How long a round loads, both included.
const LOAD_MS: (u64, u64) = (50, 800);
const STOPS_ONE_IN: u64 = 8;
const INTRUDERS_ONE_IN: u64 = 5;
const ROUNDS_A_LINE: u64 = 20;
