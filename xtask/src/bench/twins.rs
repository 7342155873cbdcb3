//! What must not cost more for us than for us: a load with one reactor and with two, with few
//! filters and with many. Only CPU time is compared, so the machine need not be quiet.
//!
//! Server and load generator share all cores: the generator needs one for itself, and a rate on
//! two cores says nothing.
use super::figures::Spread;
use super::house::{Storage, serve};
use super::loadgen::Loadgen;
use super::report::Own;
use super::server::{Binaries, Cores, Layout, Server};
use anyhow::{Context, Result};

/// A load under two conditions.
pub struct Twin {
    /// On the command line and in the table.
    pub name: &'static str,
    unit: &'static str,
    cores: Cores,
    reactors: [usize; 2],
    storage: [Storage; 2],
    arguments: [&'static [&'static str]; 2],
    /// The second to the first.
    most: f64,
    goal: &'static str,
}

/// In the order of performance.md.
pub const TWINS: &[Twin] = &[
    reactors("reactors-q0", &["pairs", "--qos", "0", "--n", "100", "--window", "16"]),
    reactors("reactors-q1", &["pairs", "--qos", "1", "--n", "100", "--window", "16"]),
    Twin {
        name: "filters",
        unit: "CPU of a delivery, 200k to 1k filters",
        cores: Cores::First,
        reactors: [1, 1],
        storage: [Storage::Memory; 2],
        arguments: [
            &["wild", "--subs", "1000", "--n", "1000", "--pubs", "4", "--window", "1000"],
            &["wild", "--subs", "200000", "--n", "1000", "--pubs", "4", "--window", "1000"],
        ],
        most: 1.5,
        goal: "1.5 x",
    },
    disk("disk-q0", &["pairs", "--qos", "0", "--n", "100", "--window", "16"]),
    disk("disk-q1", &["pairs", "--qos", "1", "--n", "100", "--window", "16"]),
];

/// What a log costs those who need nothing kept.
const fn disk(name: &'static str, arguments: &'static [&'static str]) -> Twin {
    Twin {
        name,
        unit: "CPU of a live delivery, disk to memory",
        cores: Cores::First,
        reactors: [1, 1],
        storage: [Storage::Memory, Storage::Disk],
        arguments: [arguments, arguments],
        most: 1.05,
        goal: "1.05 x",
    }
}

const fn reactors(name: &'static str, arguments: &'static [&'static str]) -> Twin {
    Twin {
        name,
        unit: "CPU of a delivery, 2 to 1 reactors",
        cores: Cores::All,
        reactors: [1, 2],
        storage: [Storage::Memory; 2],
        arguments: [arguments, arguments],
        most: 1.3,
        goal: "1.3 x",
    }
}

/// Runs both in turn, `pairs` times; gives the ratio, and how even two reactors were busy.
///
/// # Errors
/// When a server does not come up or a run breaks off.
pub fn measure(
    binaries: &Binaries,
    loadgen: &Loadgen,
    twin: &Twin,
    (pairs, quick): (usize, bool),
) -> Result<Vec<Own>> {
    let (mut ratios, mut shares) = (Vec::new(), Vec::new());
    for pair in 0..pairs {
        let mut costs = [0.0; 2];
        for (at, cost) in costs.iter_mut().enumerate() {
            let layout = Layout { reactors: twin.reactors[at], cores: twin.cores };
            let server = serve(binaries, layout, twin.storage[at])?;
            let mut command = loadgen.command(twin.arguments[at], &server, twin.cores, quick);
            let figures = Loadgen::figures(&mut command)?;
            *cost = figures.get(DELIVERY).context("no CPU time of a delivery")?;
            shares.extend((layout.reactors > 1).then(|| uneven(&server)).transpose()?);
        }
        eprintln!("{} {}/{pairs} {:.3} and {:.3} µs", twin.name, pair + 1, costs[0], costs[1]);
        ratios.push(costs[1] / costs[0]);
    }
    let ratio = Own {
        name: twin.name,
        unit: twin.unit,
        value: Spread::of(&ratios),
        most: Some(twin.most),
        goal: twin.goal,
    };
    let even = Own {
        name: twin.name,
        unit: "% between the busiest reactor and the idlest",
        value: Spread::of(&shares),
        most: Some(15.0),
        goal: "15",
    };
    Ok([ratio, even].into_iter().filter(|own| own.value.is_some()).collect())
}

/// By how many per cent the idlest reactor thread was busy less than the busiest.
fn uneven(server: &Server) -> Result<f64> {
    let mut ticks: Vec<f64> = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{}/task", server.pid()))? {
        let stat = std::fs::read_to_string(task?.path().join("stat"))?;
        ticks.extend(reactor_ticks(&stat));
    }
    let (low, high) = ticks.iter().fold((f64::MAX, 0.0_f64), |(l, h), t| (l.min(*t), h.max(*t)));
    Ok((1.0 - low / high.max(1.0)) * 100.0)
}

/// User and system time of a thread, if it is a reactor's.
fn reactor_ticks(stat: &str) -> Option<f64> {
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    // Behind the name: state, then ten numbers, then user and system time.
    let mut times = rest.split_whitespace().skip(11).map_while(|n| n.parse::<f64>().ok());
    name.starts_with("reactor-")
        .then(|| times.next().zip(times.next()))
        .flatten()
        .map(|(u, s)| u + s)
}

const DELIVERY: &str = "cpu_us_per_delivery";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reactors_time_is_found_in_its_line() {
        let line = |name| format!("7 ({name}) S 1 7 7 0 -1 64 1 0 0 0 30 12 0 0 20 0 3 0 9 9 9");
        assert_eq!(reactor_ticks(&line("reactor-0")), Some(42.0));
        assert_eq!(reactor_ticks(&line("gridhub")), None);
        assert_eq!(reactor_ticks("broken"), None);
    }
}
