//! The proofs, one a file, each a story with a report at its end.

mod fanout;
mod reconnect;
mod stall;
mod takeover;

use crate::latency::Latency;
use crate::paced::{Outcome, Pace};
use crate::report::Report;
use anyhow::{Result, bail};
use serde_json::json;
use std::path::Path;

/// How long and how large.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Of the part that is measured.
    pub seconds: u64,
    /// Whether this is the whole proof.
    pub size: Size,
}

/// Whether a run is the whole proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// As the issue asks.
    Full,
    /// A few seconds with a tenth of the clients; what depends on the machine is not judged.
    Smoke,
}

/// Whether a phase's p99 is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// It may be twice that of the stream alone.
    Judged,
    /// It is there to compare with.
    Shown,
}

/// Name, what it shows, seconds of the whole proof, and the proof itself.
type Proof = (&'static str, &'static str, u64, fn(&Path, Scale) -> Result<Report>);

/// Every proof.
pub const PROOFS: [Proof; 4] = [
    ("stall", "100 publishers at full speed into stalled subscribers", 300, stall::run),
    ("fanout", "1 to 9,000 beside a paced stream", 66, fanout::run),
    ("reconnect", "15,000 clients lost and back at once", 60, reconnect::run),
    ("takeover", "many connections fight for one client id", 60, takeover::run),
];

/// Runs a proof against the binary.
///
/// # Errors
/// When there is none of that name, or it could not be carried out.
pub fn run(name: &str, binary: &Path, seconds: Option<u64>, size: Size) -> Result<Report> {
    let Some((_, _, full, proof)) = PROOFS.iter().find(|(known, ..)| *known == name) else {
        bail!("there is no proof '{name}'");
    };
    let usual = if size == Size::Full { *full } else { SMOKE_SECONDS };
    proof(binary, Scale { seconds: seconds.unwrap_or(usual), size })
}

impl Scale {
    /// `full`, or `smoke` for a short run.
    fn of<T>(self, full: T, smoke: T) -> T {
        if self.size == Size::Full { full } else { smoke }
    }

    /// The paced stream that the p99 rule is about.
    fn pace(self) -> Pace {
        Pace { rate: self.of(10_000, 1_000), pairs: self.of(100, 20), bytes: 64 }
    }
}

/// Enters the paced stream: complete and in order, its figures by phase, and the rule that the
/// 99th percentile at most doubles from phase 1 to each of `loaded` that is judged.
fn judge(report: &mut Report, mut paced: Outcome, loaded: &[(usize, &str, Rule)], size: Size) {
    let (published, received) = (paced.published, paced.received);
    report.equal("the paced stream is complete", ("published", published), ("received", received));
    let faults = format!("{} of order, {:?}", paced.disorder, paced.faults);
    report.check("and in order", paced.disorder == 0 && paced.faults.is_empty(), faults);
    let mut names = vec![(1, "alone")];
    names.extend(loaded.iter().map(|(phase, name, _)| (*phase, *name)));
    for (phase, name) in &names {
        let figures = |of: &mut Vec<Latency>| of[*phase].figures();
        report.figure(&format!("paced, {name}"), figures(&mut paced.latency));
        report.figure(&format!("generator's lag, {name}"), figures(&mut paced.lag));
        report.figure(&format!("from socket to socket, {name}"), figures(&mut paced.service));
    }
    report.figure("paced, waited for acknowledgements", paced.blocked);
    let alone = paced.latency[1].quantile(0.99);
    for (phase, name, rule) in loaded {
        let beside = paced.latency[*phase].quantile(0.99);
        let ratio = f64::from(beside) / f64::from(alone.max(1));
        report.figure(&format!("p99 ratio, {name}"), json!((ratio * 100.0).round() / 100.0));
        if size == Size::Full && *rule == Rule::Judged {
            let detail = format!("{name}: {beside} µs, alone {alone} µs, {ratio:.2} x");
            report.check("the p99 of an unrelated stream at most doubles", ratio <= 2.0, detail);
        }
    }
}

const SMOKE_SECONDS: u64 = 2;
