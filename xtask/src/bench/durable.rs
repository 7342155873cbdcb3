//! The figures of what is kept on disk that only gridhub has: taken by crate `load`, or by the
//! load generator with a look at what the system counted in between. Those of millions take
//! minutes each and are measured only by name.
use super::figures::{Figures, Spread};
use super::house::{Storage, serve};
use super::loadgen::Loadgen;
use super::report::Own;
use super::server::{Binaries, Cores, Layout};
use crate::command::output;
use anyhow::{Context, Result, bail};
use std::process::Command;

/// One measurement of several figures.
pub struct Durable {
    /// On the command line and in the table.
    pub name: &'static str,
    /// For the list.
    pub shows: &'static str,
    /// Whether a run of everything has it.
    pub when: When,
    pub(super) by: By,
    pub(super) rows: &'static [Row],
}

/// When it is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// With everything else.
    Always,
    /// When it is named: it takes minutes.
    Named,
}

/// Who takes it.
pub(super) enum By {
    /// `load figure` of the same name.
    Load,
    /// The load generator's queue for an absent session; what was counted between queueing and
    /// draining is added to its figures.
    Queue(&'static [&'static str]),
}

pub(super) struct Row {
    figure: &'static str,
    unit: &'static str,
    most: Option<f64>,
    goal: &'static str,
}

pub(super) const fn row(
    figure: &'static str,
    unit: &'static str,
    most: Option<f64>,
    goal: &'static str,
) -> Row {
    Row { figure, unit, most, goal }
}

impl Durable {
    /// How many times it is measured, unless told otherwise: crate `load` has rounds of its own
    /// where that helps.
    pub fn times(&self) -> usize {
        match (&self.by, self.when) {
            (By::Queue(_), When::Always) => 3,
            _ => 1,
        }
    }
}

/// In the order of the issue.
pub const DURABLE: &[Durable] = &[
    Durable {
        name: "written",
        shows: "bytes to the disk, 256-byte messages of 256 publishers",
        when: When::Always,
        by: By::Queue(&["--msgs", "500000", "--size", "256", "--pubs", "256", "--window", "16"]),
        rows: &[row("written_ratio", "bytes written to topic + payload", Some(1.5), "1.5 x")],
    },
    Durable {
        name: "puback",
        shows: "PUBACK at 20,000 a second of 256 publishers, and the disk's own fdatasync",
        when: When::Always,
        by: By::Load,
        rows: &[
            row("to_raw_beside", "PUBACK to raw fdatasync beside it, 99 %", THREE, "3 x raw"),
            row("to_raw", "PUBACK to raw fdatasync, each alone, 99 %", THREE, "3 x raw"),
            row("p50_us", "µs to PUBACK, median", None, "-"),
            row("p99_us", "µs to PUBACK, 99 %", None, "-"),
            row("raw_p50_us", "µs of a raw fdatasync, median", None, "-"),
            row("raw_p99_us", "µs of a raw fdatasync, 99 %", None, "-"),
        ],
    },
    Durable {
        name: "offline-10m",
        shows: "10 million messages wait for one session",
        when: When::Named,
        by: By::Queue(&["--msgs", "10000000", "--pubs", "256", "--window", "16"]),
        rows: &[
            row("queued_mb", "MB resident for 10 M queued", Some(64.0), "64"),
            row("drain_cpu_us", "CPU-µs a message drained", None, "-"),
        ],
    },
    Durable {
        name: "durable-start",
        shows: "start on 1 million sessions and 1 million retained messages after kill -9",
        when: When::Named,
        by: By::Load,
        rows: &[
            row("start_ms", "ms to ready", Some(3_000.0), "3000"),
            row("resume_ms", "ms to the first session that is resumed", None, "3000"),
            row("session_bytes", "bytes a detached session", Some(700.0), "700"),
            row("restored_session_bytes", "bytes a restored session", Some(700.0), "700"),
            row("resident_mb", "MB resident after the start", None, "-"),
        ],
    },
    Durable {
        name: "retained-1m",
        shows: "1 million retained messages, and reading them by wildcards",
        when: When::Named,
        by: By::Load,
        rows: &[
            row("resident_mb", "MB resident", Some(400.0), "400"),
            row("few_to_all", "CPU a message, 1,000 read of 1 M to all", Some(1.5), "1.5 x"),
            row("one_us", "CPU-µs to read one of 1 M", None, "-"),
            row("open_us", "CPU-µs to read one of 1 M, `+` over 1,000", None, "-"),
        ],
    },
    Durable {
        name: "steady",
        shows: "disk in use after 10 million messages went through",
        when: When::Named,
        by: By::Load,
        rows: &[
            row("to_bar", "in use to 3 x live + 4 segments", Some(1.0), "1"),
            row("peak_to_bar", "the same, while they went through", Some(1.0), "1"),
            row("end_mb", "MB in use", None, "-"),
            row("live_mb", "MB live", None, "-"),
        ],
    },
];

/// Measures it `times` times.
///
/// # Errors
/// When a server does not come up or a run breaks off.
pub fn measure(
    binaries: &Binaries,
    loadgen: &Loadgen,
    durable: &Durable,
    (times, quick): (usize, bool),
) -> Result<Vec<Own>> {
    let mut runs = Vec::new();
    for time in 0..times {
        let figures = match durable.by {
            By::Load => load(binaries, durable.name, quick)?,
            By::Queue(arguments) => queue(binaries, loadgen, arguments, quick)?,
        };
        eprintln!("{} {}/{times} {}", durable.name, time + 1, figures.line());
        runs.push(figures);
    }
    let own = |row: &Row| {
        let values: Option<Vec<f64>> = runs.iter().map(|run| run.get(row.figure)).collect();
        let values = values.with_context(|| format!("nobody has measured {}", row.figure))?;
        let (value, most) = (Spread::of(&values), row.most);
        Ok(Own { name: durable.name, unit: row.unit, value, most, goal: row.goal })
    };
    durable.rows.iter().map(own).collect()
}

fn load(binaries: &Binaries, name: &str, quick: bool) -> Result<Figures> {
    let mut load = Command::new(&binaries.load);
    load.args(["figure", name, "--binary"]).arg(&binaries.gridhub);
    load.arg("--folder").arg(binaries.scratch.join(name));
    if quick {
        load.arg("--smoke");
    }
    let done = output(&mut load)?;
    let line = String::from_utf8_lossy(&done.stdout);
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        bail!("load figure {name} ended with {}: {}", done.status, said.trim());
    }
    Figures::parse(line.trim())
}

fn queue(
    binaries: &Binaries,
    loadgen: &Loadgen,
    arguments: &[&str],
    quick: bool,
) -> Result<Figures> {
    let server = serve(binaries, Layout::ALONE, Storage::Disk)?;
    let pid = server.pid();
    let look = binaries.scratch.join("between");
    let mut command = loadgen.command(&["offline", "--v5"], &server, Cores::First, false);
    command.args(arguments);
    if quick {
        command.args(["--msgs", "10000"]);
    }
    command.arg("--between");
    let file = look.display();
    command.arg(format!("cat /proc/{pid}/io /proc/{pid}/status > '{file}'; echo {pid}"));
    let before = counted(&look_at(pid)?)?;
    let mut figures = Loadgen::figures(&mut command)?;
    let between = counted(&std::fs::read_to_string(&look)?)?;
    let of = |name: &str| figures.get(name).with_context(|| format!("no {name}"));
    // The load generator's topics: "off/", up to nine digits of its run, "/" and one digit.
    let wanted = of("msgs")? * (of("size")? + TOPIC_BYTES);
    figures.add("written_ratio", (between.written - before.written) / wanted);
    figures.add("queued_mb", (between.resident - before.resident) / 1e6);
    Ok(figures)
}

/// What the system counted for a process, in bytes.
struct Counted {
    written: f64,
    resident: f64,
}

fn look_at(pid: u32) -> Result<String> {
    let part = |name: &str| std::fs::read_to_string(format!("/proc/{pid}/{name}"));
    Ok(part("io")? + &part("status")?)
}

/// `write_bytes` is what was given to the disk, in whole pages: more than the log asked for.
fn counted(text: &str) -> Result<Counted> {
    let of = |name: &str| -> Result<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.with_context(|| format!("/proc tells no {name}"))
    };
    Ok(Counted { written: of("write_bytes:")?, resident: of("VmRSS:")? * 1024.0 })
}

const THREE: Option<f64> = Some(3.0);
const TOPIC_BYTES: f64 = 15.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_counts_is_found() {
        let text = "wchar: 7\nwrite_bytes: 4096\nName:\tgridhub\nVmRSS:\t    8 kB\n";
        let Counted { written, resident } = counted(text).unwrap();
        assert_eq!((written, resident), (4096.0, 8192.0));
        assert!(counted("write_bytes: 1\n").is_err());
    }
}
