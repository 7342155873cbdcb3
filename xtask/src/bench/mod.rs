//! `cargo xtask bench`: the floor, gridhub and Mosquitto side by side on one core.
//!
//! Owns the order of the runs. The load generator of the lab does the measuring; here its figures
//! are only collected, compared in pairs and written down.
mod calls;
mod durable;
mod figures;
mod house;
mod hub;
mod loadgen;
mod page;
mod report;
mod scenario;
mod server;
mod start;
mod twins;

use crate::command::{cargo, run as execute};
use crate::{clients, root, test};
use anyhow::{Result, bail};
use durable::{Durable, When};
use loadgen::Loadgen;
use report::{Measured, Report};
use scenario::{Lifetime, SCENARIOS, Scenario};
use server::{Binaries, Competitor, Server};
use std::path::{Path, PathBuf};

/// Measures the named scenarios, or all but the longest; a full run of the release build writes
/// `bench/RESULTS.md`, a run of some with `--record` their rows of it.
/// `GRIDHUB_BIN` names another binary to measure, `GRIDHUB_LAB` another place of the lab.
///
/// # Errors
/// When the lab is not there, a build fails, or a server does not come up.
pub fn run(arguments: &[String]) -> Result<()> {
    let options = Options::parse(arguments)?;
    if options.list {
        for scenario in SCENARIOS {
            println!("{:<18} {}", scenario.name, scenario.arguments.join(" "));
        }
        for twin in twins::TWINS {
            println!("{:<18} gridhub twice", twin.name);
        }
        for calls in calls::CALLS {
            println!("{:<18} system calls by perf", calls.name);
        }
        for durable in durables() {
            let when = if durable.when == When::Named { " (only by name)" } else { "" };
            println!("{:<18} {}{when}", durable.name, durable.shows);
        }
        println!("{:<18} exec to ready line, size, memory", start::NAME);
        return Ok(());
    }
    let root = root();
    let binaries = build(&root)?;
    let loadgen = Loadgen::new(&binaries.loadgen);
    let mut report = Report::new(arguments);
    for scenario in SCENARIOS.iter().filter(|s| options.wants(s.name)) {
        let pairs = options.pairs.unwrap_or(if options.quick { 1 } else { scenario.pairs });
        let measured = measure(&binaries, &loadgen, scenario, pairs, options.quick)?;
        report.scenario(scenario, &measured);
    }
    for twin in twins::TWINS.iter().filter(|t| options.wants(t.name)) {
        let pairs = options.pairs.unwrap_or(if options.quick { 1 } else { 5 });
        let measured = twins::measure(&binaries, &loadgen, twin, (pairs, options.quick));
        report.owns(twin.name, measured);
    }
    for calls in calls::CALLS.iter().filter(|c| options.wants(c.name)) {
        report.owns(calls.name, calls::measure(&binaries, &loadgen, calls, options.quick));
    }
    for durable in durables().filter(|d| options.asks(d)) {
        let times = options.pairs.unwrap_or(if options.quick { 1 } else { durable.times() });
        let measured = durable::measure(&binaries, &loadgen, durable, (times, options.quick));
        report.owns(durable.name, measured);
    }
    if options.wants(start::NAME) {
        report.start(&start::measure(&binaries, options.pairs.unwrap_or(5))?);
    }
    println!("{}", report.text());
    // Short runs and another build are for looking at, not for the record.
    let given = std::env::var_os("GRIDHUB_BIN").is_some();
    if (options.scenarios.is_empty() || options.record) && !options.quick && !given {
        let file = root.join("bench/RESULTS.md");
        std::fs::create_dir_all(root.join("bench"))?;
        // A page that is not there yet is an empty one.
        let old = std::fs::read_to_string(&file).unwrap_or_default();
        std::fs::write(&file, page::merged(&old, &report.text()))?;
        eprintln!("xtask: wrote {}", file.display());
    }
    Ok(())
}

/// Runs the competitors in turn, so that the machine's moods hit all of them.
fn measure(
    binaries: &Binaries,
    loadgen: &Loadgen,
    scenario: &Scenario,
    pairs: usize,
    quick: bool,
) -> Result<Measured> {
    let mut measured = Measured::default();
    let mut servers: Vec<Option<Server>> = Vec::new();
    let competitors = Competitor::of(scenario);
    for competitor in &competitors {
        let started = Server::start(binaries, *competitor, scenario);
        if let Err(why) = &started {
            measured.notes.push(format!("{}: {why:#}", competitor.name()));
            eprintln!("xtask: {}: {why:#}", competitor.name());
        }
        servers.push(started.ok());
    }
    for pair in 0..pairs {
        for (server, competitor) in servers.iter_mut().zip(&competitors) {
            let Some(running) = server else { continue };
            if pair > 0 && scenario.lifetime == Lifetime::Run {
                *running = Server::start(binaries, *competitor, scenario)?;
            }
            let figures = loadgen.run(scenario, running, quick);
            eprintln!("{} {}/{pairs} {}", scenario.name, pair + 1, competitor.line(&figures));
            measured.add(*competitor, pair, figures);
        }
    }
    Ok(measured)
}

fn build(root: &Path) -> Result<Binaries> {
    let lab = match std::env::var_os("GRIDHUB_LAB") {
        Some(path) => PathBuf::from(path),
        None => root.join("../shared/lab"),
    };
    let lab = lab.join("loadgen/Cargo.toml");
    if !lab.is_file() {
        bail!("the load generator is not at {}: there is nothing to measure with", lab.display());
    }
    let folder = root.join("target/loadgen");
    let mut loadgen = cargo(root);
    loadgen.args(["build", "--release", "--manifest-path"]).arg(&lab);
    execute(loadgen.arg("--target-dir").arg(&folder).env_remove("CARGO_TARGET_DIR"))?;
    clients::debian("mosquitto", "mosquitto");
    execute(cargo(root).args(["build", "--release", "--package", "load"]))?;
    let release = test::target(root).join("release");
    let gridhub = match std::env::var_os("GRIDHUB_BIN") {
        Some(path) => PathBuf::from(path),
        None => {
            execute(cargo(root).args(["build", "--release", "--package", "gridhub"]))?;
            release.join("gridhub")
        }
    };
    let scratch = root.join("target/bench");
    std::fs::create_dir_all(&scratch)?;
    let (loadgen, load) = (folder.join("release/loadgen"), release.join("load"));
    Ok(Binaries { loadgen, load, gridhub, scratch })
}

#[derive(Default)]
struct Options {
    scenarios: Vec<String>,
    pairs: Option<usize>,
    quick: bool,
    list: bool,
    record: bool,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--quick" => options.quick = true,
                "--list" => options.list = true,
                "--record" => options.record = true,
                "--pairs" => match rest.next().and_then(|n| n.parse().ok()) {
                    Some(pairs) if pairs > 0 => options.pairs = Some(pairs),
                    _ => bail!("--pairs needs a number above zero"),
                },
                name if names().any(|known| known == name) => {
                    options.scenarios.push(name.into());
                }
                other => bail!("there is no scenario or option '{other}'; --list shows them"),
            }
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.scenarios.is_empty() || self.scenarios.iter().any(|s| s == name)
    }

    fn asks(&self, durable: &Durable) -> bool {
        let all = durable.when == When::Always;
        self.wants(durable.name) && (all || !self.scenarios.is_empty())
    }
}

/// What is kept on disk, and the hub.
fn durables() -> impl Iterator<Item = &'static Durable> {
    durable::DURABLE.iter().chain(hub::HUB)
}

/// Everything that can be measured alone.
fn names() -> impl Iterator<Item = &'static str> {
    let scenarios = SCENARIOS.iter().map(|s| s.name);
    let twins = twins::TWINS.iter().map(|t| t.name);
    let calls = calls::CALLS.iter().map(|c| c.name);
    let durable = durables().map(|d| d.name);
    scenarios.chain(twins).chain(calls).chain(durable).chain([start::NAME])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options> {
        Options::parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn options_are_read_or_refused() {
        let all = parse(&[]).unwrap();
        let long = |d: &Durable| d.when == When::Named;
        assert!(durables().any(long));
        assert!(durables().all(|d| all.asks(d) != long(d)));
        let named = parse(&["durable-start"]).unwrap();
        assert!(durables().all(|d| named.asks(d) == (d.name == "durable-start")));
        let options = parse(&["pairs-q0", "--pairs", "9", "--quick"]).unwrap();
        assert_eq!((options.pairs, options.quick), (Some(9), true));
        assert!(options.wants("pairs-q0") && !options.wants("pairs-q1"));
        assert!(parse(&[]).unwrap().wants("pairs-q1"));
        for wrong in [&["--pairs"][..], &["--pairs", "0"], &["pairs-q7"], &["--fast"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
