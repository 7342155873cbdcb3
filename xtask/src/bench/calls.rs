//! System calls a hundred deliveries: what batching is for. Counted by the kernel's own trace
//! points (`perf stat`), which slow nothing down.
use super::figures::Spread;
use super::loadgen::Loadgen;
use super::report::Own;
use super::scenario::Transport;
use super::server::{Binaries, Cores, Layout, gridhub};
use anyhow::{Context, Result, bail};
use std::process::Command;

/// A load and how many calls of either kind it may take.
pub struct Calls {
    /// On the command line and in the table.
    pub name: &'static str,
    arguments: &'static [&'static str],
    most: f64,
    goal: &'static str,
}

/// In the order of performance.md.
pub const CALLS: &[Calls] = &[
    Calls {
        name: "calls-q0",
        arguments: &["pairs", "--qos", "0", "--n", "100", "--window", "16"],
        most: 7.0,
        goal: "7",
    },
    Calls {
        name: "calls-q1",
        arguments: &["pairs", "--qos", "1", "--n", "100", "--window", "16"],
        most: 14.0,
        goal: "14",
    },
    Calls {
        name: "calls-fanout-q1",
        arguments: &["fanout", "--qos", "1", "--n", "1000", "--window", "4"],
        most: 28.0,
        goal: "28",
    },
];

/// Runs the load once under `perf stat`.
///
/// # Errors
/// When perf or the server is not there, or the run breaks off.
pub fn measure(
    binaries: &Binaries,
    loadgen: &Loadgen,
    calls: &Calls,
    quick: bool,
) -> Result<Vec<Own>> {
    let layout = Layout { reactors: 1, cores: Cores::First };
    let (server, _) = gridhub(binaries, layout, &["--ephemeral".into()], Transport::Tcp)?;
    let file = binaries.scratch.join("calls.csv");
    let load = loadgen.command(calls.arguments, &server, Cores::First, quick);
    let mut perf = Command::new("perf");
    perf.args(["stat", "-x", ",", "-e", &EVENTS.map(|(event, _)| event).join(","), "-o"]);
    perf.arg(&file).args(["-p", &server.pid().to_string()]);
    perf.arg(load.get_program()).args(load.get_args());
    let figures = Loadgen::figures(&mut perf)?;
    let deliveries = figures.get("recv_total").context("no number of deliveries")?;
    let counted = std::fs::read_to_string(&file)?;
    let mut found = Vec::new();
    for (kind, unit) in
        [(Kind::Send, "sends a 100 deliveries"), (Kind::Read, "reads a 100 deliveries")]
    {
        let calls_made = sum(&counted, kind)?;
        let value = calls_made / deliveries * 100.0;
        eprintln!("{} {unit}: {value:.1}", calls.name);
        let (value, most) = (Spread::of(&[value]), Some(calls.most));
        found.push(Own { name: calls.name, unit, value, most, goal: calls.goal });
    }
    Ok(found)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Send,
    Read,
}

/// Adds up the events of a kind in what `perf stat -x,` wrote.
fn sum(counted: &str, kind: Kind) -> Result<f64> {
    let mut sum = 0.0;
    for (event, _) in EVENTS.iter().filter(|(_, of)| *of == kind) {
        let line = counted.lines().find(|line| line.contains(event));
        let count = line.and_then(|line| line.split(',').next()?.parse::<f64>().ok());
        let Some(count) = count else { bail!("perf does not count {event}: {counted}") };
        sum += count;
    }
    Ok(sum)
}

const EVENTS: [(&str, Kind); 5] = [
    ("syscalls:sys_enter_sendto", Kind::Send),
    ("syscalls:sys_enter_sendmsg", Kind::Send),
    ("syscalls:sys_enter_writev", Kind::Send),
    ("syscalls:sys_enter_recvfrom", Kind::Read),
    ("syscalls:sys_enter_recvmsg", Kind::Read),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_perf_writes_is_added_up() {
        let line = |n: &str, event: &str| format!("{n},,{event},349174396,100.00,,\n");
        let all: String = EVENTS.iter().map(|(event, _)| line("20", event)).collect();
        assert_eq!(sum(&all, Kind::Send).unwrap(), 60.0);
        assert_eq!(sum(&all, Kind::Read).unwrap(), 40.0);
        let none: String = EVENTS.iter().map(|(event, _)| line("<not supported>", event)).collect();
        assert!(sum(&none, Kind::Send).is_err());
    }
}
