//! One publisher to 9,000 subscribers, beside a paced stream that must not feel it: four messages
//! a second, and for comparison each as soon as all have the last one. Then the system's own timers
//! of delayed acknowledgements, 9,000 for each message and on the server's core because it is
//! loopback, stop every thread there for up to 2 ms.
//!
//! The stream alone and beside each take turns of half a second, and the median of the turns'
//! ratios is judged: what else the machine does comes in bursts, and in two parts of a run of
//! twenty seconds each it decides the 99th percentile of either.

use super::{Rule, Scale, Size, judge};
use crate::engine::{Engine, Event, Heard, Key, Outgoing, Plan};
use crate::latency::Latency;
use crate::ledger::Track;
use crate::mark::Mark;
use crate::paced::{Outcome, Paced};
use crate::process::give_way;
use crate::report::Report;
use crate::server::{Options, Server};
use crate::waiting::{Clock, PATIENCE, until};
use anyhow::Result;
use mqtt::qos::QoS;
use mqtt::wire::Version;
use std::path::Path;
use std::time::Duration;

/// Carries it out.
///
/// # Errors
/// When the server or the generator fails, which is no verdict.
pub fn run(binary: &Path, scale: Scale) -> Result<Report> {
    let mut report = Report::new("fanout");
    let options = Options { reactors: 1, core: Some(0), limits: Vec::new() };
    let mut server = Server::start(binary, &options)?;
    server.process().goes_first();
    let before = server.metrics()?;
    let mut engine = Engine::new(server.target())?;
    let mut crowd = Crowd::connect(&mut engine, scale.of(9_000, 500))?;
    let turns = scale.of(TURNS, 1);
    let paced = Paced::start(server.target(), scale.pace(), turns * KINDS.len() + 1)?;
    give_way();
    let part = Duration::from_millis(scale.seconds * 1_000 / (KINDS.len() * turns) as u64);
    for turn in 0..turns {
        for (kind, (_, qos)) in KINDS.iter().enumerate() {
            idle(&mut engine, SETTLING)?;
            if let Some(qos) = qos {
                // After another level the receivers' systems acknowledge the first message late,
                // all at once; from the second on as they go on.
                crowd.publish_for(&mut engine, *qos, QUARTER, QUARTER)?;
            }
            paced.phase(phase(turn, kind));
            match qos {
                Some(qos) => crowd.publish_for(&mut engine, *qos, part, QUARTER)?,
                None => idle(&mut engine, part)?,
            }
            paced.phase(0);
        }
    }
    paced.phase(phase(turns, 0));
    crowd.publish_for(&mut engine, QoS::AtMostOnce, scale.of(FLOOD, part), Duration::ZERO)?;
    paced.phase(0);
    let outcome = paced.finish()?;
    let (got, wrong) = crowd.totals();
    let expected = crowd.published * crowd.subscribers.len() as u64;
    report.equal("every subscriber has every message", ("expected", expected), ("got", got));
    report.check("once and in order", wrong == 0, format!("{wrong} were not"));
    let drops = server.metrics()?.drops_since(&before);
    report.check("nothing was dropped", drops.is_empty(), format!("{drops:?}"));
    report.check("the generator saw no fault", engine.faults.is_empty(), engine.faults.join("; "));
    median(&mut report, &outcome, turns, scale.size);
    let shown =
        [(2, KINDS[1].0, Rule::Shown), (3, KINDS[2].0, Rule::Shown), (4, LAST, Rule::Shown)];
    judge(&mut report, joined(outcome, turns), &shown, scale.size);
    server.stop()?;
    Ok(report)
}

/// The publisher and its audience.
struct Crowd {
    publisher: Key,
    subscribers: Vec<Key>,
    tracks: Vec<Track>,
    published: u64,
}

impl Crowd {
    fn connect(engine: &mut Engine, count: usize) -> Result<Self> {
        let subscribers: Vec<Key> =
            (0..count).map(|n| engine.add(Plan::new(Version::V5, format!("crowd-{n}")))).collect();
        let publisher = engine.add(Plan::new(Version::V5, "crowd-publisher"));
        engine.connect(publisher);
        let (mut begun, mut granted) = (0, 0);
        until(engine, "the crowd", PATIENCE, |engine, heard| {
            for Heard { key, event } in heard {
                match event {
                    Event::Up { .. } if *key != publisher => {
                        engine.subscribe(*key, TOPIC, QoS::AtLeastOnce);
                    }
                    Event::Subscribed(_) => granted += 1,
                    _ => {}
                }
            }
            while begun < count && begun < granted + OPENING_MAX {
                engine.connect(subscribers[begun]);
                begun += 1;
            }
            granted == count && engine.is_up(publisher)
        })?;
        let tracks = vec![Track::default(); subscribers.len()];
        Ok(Self { publisher, subscribers, tracks, published: 0 })
    }

    /// Messages one after the other, no sooner than `every` each.
    fn publish_for(
        &mut self,
        engine: &mut Engine,
        qos: QoS,
        time: Duration,
        every: Duration,
    ) -> Result<()> {
        let (clock, first, mut payload) = (Clock::new(), self.subscribers[0], Vec::new());
        let mut rounds = 0;
        while clock.s() < time.as_secs_f64() {
            let mark = Mark { stream: 0, sequence: self.published, due_us: 0 };
            mark.write(64, &mut payload);
            let m = Outgoing { topic: TOPIC, qos, retain: false, payload: &payload };
            anyhow::ensure!(engine.publish(self.publisher, m), "the publisher is gone");
            self.published += 1;
            rounds += 1;
            let (mut missing, due_s) =
                (self.subscribers.len(), rounds as f64 * every.as_secs_f64());
            until(engine, "one fan-out", PATIENCE, |_, heard| {
                for Heard { key, event } in heard {
                    if let Event::Message(m) = event
                        && let Some(mark) = m.mark
                        && self.tracks[key - first].enter(mark, m.dup.into())
                    {
                        missing -= 1;
                    }
                }
                missing == 0 && clock.s() >= due_s
            })?;
        }
        Ok(())
    }

    /// Received, and repeated or out of order.
    fn totals(&self) -> (u64, u64) {
        let sum = |of: fn(&Track) -> u64| self.tracks.iter().map(of).sum();
        (sum(|t| t.received), sum(|t| t.again + t.disorder))
    }
}

fn idle(engine: &mut Engine, time: Duration) -> Result<()> {
    let clock = Clock::new();
    let patience = time + PATIENCE;
    until(engine, "time to pass", patience, |_, _| clock.s() >= time.as_secs_f64())
}

/// Judges the median of the ratios, one of each turn.
fn median(report: &mut Report, outcome: &Outcome, turns: usize, size: Size) {
    let p99 = |turn, kind| outcome.latency[phase(turn, kind)].clone().quantile(0.99).max(1);
    for (kind, (name, _)) in KINDS.iter().enumerate().skip(1) {
        let mut ratios: Vec<f64> = (0..turns)
            .map(|turn| f64::from(p99(turn, kind)) / f64::from(p99(turn, 0)))
            .map(|ratio| (ratio * 100.0).round() / 100.0)
            .collect();
        ratios.sort_by(f64::total_cmp);
        let median = ratios[ratios.len() / 2];
        if size == Size::Full {
            let (count, middle) = (ratios.len(), &ratios[ratios.len() / 4..=ratios.len() * 3 / 4]);
            let (low, high) = (middle[0], middle[middle.len() - 1]);
            let detail = format!(
                "{name}: {median:.2} x, the median of {count} turns, half of them {low} to {high}"
            );
            report.check("the p99 of an unrelated stream at most doubles", median <= 2.0, detail);
        }
    }
}

/// All turns of a kind as one phase: 1 alone, then the others in their order.
fn joined(outcome: Outcome, turns: usize) -> Outcome {
    let join = |all: &[Latency]| {
        let mut kinds = vec![Latency::default(); KINDS.len() + 1];
        for turn in 0..turns {
            for kind in 0..KINDS.len() {
                kinds[kind + 1].join(&all[phase(turn, kind)]);
            }
        }
        kinds.push(all[phase(turns, 0)].clone());
        kinds
    };
    let [latency, lag, service] =
        [&outcome.latency, &outcome.lag, &outcome.service].map(|l| join(l));
    Outcome { latency, lag, service, ..outcome }
}

/// Phase of the paced stream; 0 is for what is not measured.
fn phase(turn: usize, kind: usize) -> usize {
    1 + turn * KINDS.len() + kind
}

/// What each turn has, by name, with the level of the fan-out.
const KINDS: [(&str, Option<QoS>); 3] = [
    ("alone", None),
    ("beside four fan-outs a second at QoS 0", Some(QoS::AtMostOnce)),
    ("beside four fan-outs a second at QoS 1", Some(QoS::AtLeastOnce)),
];
const LAST: &str = "beside one fan-out after the other";
const TURNS: usize = 45;
/// Between two kinds: acknowledgements and the system's timers of the one are not the other's.
const SETTLING: Duration = Duration::from_millis(200);
const FLOOD: Duration = Duration::from_secs(10);
const QUARTER: Duration = Duration::from_millis(250);
const TOPIC: &str = "crowd/all";
/// Connections opening at once.
const OPENING_MAX: usize = 256;
