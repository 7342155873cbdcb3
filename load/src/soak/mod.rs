//! The soak: 500 connections of every kind for as long as is wanted. Every message is in the
//! ledger or in a counter of the server, memory stays flat, and nobody is disconnected who did
//! not ask for it.

mod cast;
mod duel;
mod group;
mod mourner;
mod postman;
mod role;
mod slope;
mod stream;
mod visitor;

pub use cast::Extra;

use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::proof::Size;
use crate::report::Report;
use crate::server::{Options, Server};
use crate::waiting::Clock;
use anyhow::{Result, bail};
use role::{Balance, Role, Stage};
use serde_json::json;
use slope::Slope;
use std::path::Path;
use std::time::Duration;

/// Carries it out.
///
/// # Errors
/// When the server or the generator fails, which is no verdict.
pub fn run(binary: &Path, seconds: u64, size: Size, extras: &[Extra]) -> Result<Report> {
    let limits = vec![format!("limits.session_queue_messages_max = {QUEUE_MESSAGES}")];
    let mut server = Server::start(binary, &Options { reactors: 2, core: None, limits })?;
    let before = server.metrics()?;
    let mut engine = Engine::new(server.target())?;
    let roles = cast::gather(&mut engine, size, extras, server.https());
    let mut soak = Soak::new(engine, roles);
    soak.until_done(Stage::Opening, Duration::ZERO)?;
    let mut watch = Watch::new(seconds);
    while watch.clock.s() < seconds as f64 {
        soak.turn(Stage::Running)?;
        watch.look(&mut server, &soak, &before)?;
    }
    soak.until_done(Stage::Settling, QUIET)?;
    let after = server.metrics()?;
    let report = judge(&soak, &watch, &before, &after, seconds);
    server.stop()?;
    Ok(report)
}

/// Everybody, and what went wrong.
struct Soak {
    engine: Engine,
    roles: Vec<Box<dyn Role>>,
    /// By client: which role it belongs to.
    owner: Vec<usize>,
    clock: Clock,
    last_heard: Clock,
    strange: Vec<String>,
    strange_count: u64,
    next_ping_us: u64,
}

impl Soak {
    fn new(engine: Engine, roles: Vec<Box<dyn Role>>) -> Self {
        let mut owner = Vec::new();
        for (n, role) in roles.iter().enumerate() {
            for key in role.keys() {
                owner.resize(owner.len().max(key + 1), n);
                owner[key] = n;
            }
        }
        Self {
            engine,
            roles,
            owner,
            clock: Clock::new(),
            last_heard: Clock::new(),
            strange: Vec::new(),
            strange_count: 0,
            next_ping_us: 0,
        }
    }

    fn turn(&mut self, stage: Stage) -> Result<()> {
        let now_us = self.clock.us();
        for role in &mut self.roles {
            role.act(&mut self.engine, stage, now_us);
        }
        if now_us >= self.next_ping_us {
            self.next_ping_us = now_us + PING_US;
            for key in 0..self.owner.len() {
                if self.engine.is_up(key) {
                    self.engine.ping(key);
                }
            }
        }
        let mut heard = Vec::new();
        self.engine.turn(Some(Duration::from_millis(2)), &mut heard, |_| {})?;
        for heard in heard {
            if matches!(heard.event, crate::engine::Event::Message(_)) {
                self.last_heard = Clock::new();
            }
            let role = &mut self.roles[self.owner[heard.key]];
            if let Err(why) = role.hear(&mut self.engine, heard, stage) {
                self.strange_count += 1;
                if self.strange.len() < STRANGE_KEPT_MAX {
                    let who = &self.engine.client(heard.key).plan.client_id;
                    self.strange.push(format!("{who}: {why}"));
                }
            }
        }
        Ok(())
    }

    /// Turns until every role is done with the stage and no message has come for `quiet`.
    fn until_done(&mut self, stage: Stage, quiet: Duration) -> Result<()> {
        let clock = Clock::new();
        loop {
            self.turn(stage)?;
            let done = self.roles.iter().all(|role| role.is_done(&self.engine, stage));
            if done && self.last_heard.s() >= quiet.as_secs_f64() {
                return Ok(());
            }
            if clock.s() > PATIENCE_S {
                let not = self.roles.iter().filter(|r| !r.is_done(&self.engine, stage));
                let not: Vec<_> = not.map(|r| r.name()).take(10).collect();
                bail!(
                    "{stage:?} does not end: {not:?}; {:?} {:?}",
                    self.strange,
                    self.engine.faults
                );
            }
        }
    }

    fn connections(&self) -> usize {
        (0..self.owner.len()).filter(|key| self.engine.is_up(*key)).count()
    }

    fn balance(&self) -> Balance {
        let mut balance = Balance::default();
        self.roles.iter().for_each(|role| balance += role.balance());
        balance
    }
}

/// Memory over time, and a line of progress a minute.
struct Watch {
    clock: Clock,
    warm_s: f64,
    resident: Slope,
    connections: Slope,
    next_sample_s: f64,
    next_line_s: f64,
}

impl Watch {
    fn new(seconds: u64) -> Self {
        Self {
            clock: Clock::new(),
            // Buffers, caches and the allocator find their size.
            warm_s: seconds as f64 / 2.0,
            resident: Slope::default(),
            connections: Slope::default(),
            next_sample_s: 0.0,
            next_line_s: 60.0,
        }
    }

    fn look(&mut self, server: &mut Server, soak: &Soak, before: &Metrics) -> Result<()> {
        let now_s = self.clock.s();
        if now_s < self.next_sample_s {
            return Ok(());
        }
        self.next_sample_s = now_s + SAMPLE_S;
        let (minutes, kib) = (now_s / 60.0, server.process().resident_kib()? as f64);
        if now_s >= self.warm_s {
            self.resident.add(minutes, kib);
            self.connections.add(minutes, soak.connections() as f64);
        }
        if now_s >= self.next_line_s {
            self.next_line_s += 60.0;
            let (balance, metrics) = (soak.balance(), server.metrics()?);
            eprintln!(
                "{minutes:.0} min: {} connections, {} of {} received, drops {:?}, {kib:.0} KiB \
                 ({:+.0} KiB/min), {} strange",
                soak.connections(),
                balance.received,
                balance.expected,
                metrics.drops_since(before),
                self.resident.a_minute().unwrap_or(0.0),
                soak.strange_count,
            );
        }
        Ok(())
    }
}

fn judge(soak: &Soak, watch: &Watch, before: &Metrics, after: &Metrics, seconds: u64) -> Report {
    let mut report = Report::new("soak");
    let balance = soak.balance();
    report.figure("connections", json!(watch.connections.range()));
    report.figure("expected", balance.expected);
    report.figure("received", balance.received);
    report.figure("came again as QoS 1 may", balance.again);
    report.figure("drops", json!(after.drops_since(before)));
    for name in ["connections_lost_total", "taken_over_total", "successful_connects_total"] {
        let name = format!("gridhub_mqtt_{name}");
        report.figure(&name, after.sum(&name) - before.sum(&name));
    }
    let missing = balance.expected.saturating_sub(balance.received);
    let dropped = after.dropped() - before.dropped();
    report.equal(
        "every missing message is in a counter",
        ("missing", missing),
        ("counted", dropped),
    );
    if missing != dropped {
        for role in &soak.roles {
            let b = role.balance();
            if b.expected != b.received {
                report
                    .figure(&format!("missing: {}", role.name()), b.expected.abs_diff(b.received));
            }
        }
    }
    let wrong = balance.disorder;
    report.check("nothing comes twice or out of order", wrong == 0, format!("{wrong} did"));
    let detail = format!("{} strange: {}", soak.strange_count, soak.strange.join("; "));
    report.check("no unexpected disconnect, refusal or message", soak.strange_count == 0, detail);
    let faults = &soak.engine.faults;
    report.check("no connection broke", faults.is_empty(), faults.join("; "));
    for name in ["protocol_errors_total", "failed_connects_total", "refused_publishes_total"] {
        let count = after.sum(&format!("gridhub_mqtt_{name}"));
        report.check("the server complains of nobody", count == 0, format!("{name} {count}"));
    }
    let (least, most) = watch.resident.range();
    let slope = watch.resident.a_minute().unwrap_or(0.0);
    report.figure("resident_kib after warm-up", json!({ "least": least, "most": most }));
    report.figure("resident_kib a minute", (slope * 10.0).round() / 10.0);
    if seconds >= JUDGED_S_MIN {
        let detail = format!("{slope:+.1} KiB a minute, at most {SLOPE_KIB_MAX}");
        report.check("memory is flat", slope <= SLOPE_KIB_MAX, detail);
    }
    report
}

const QUEUE_MESSAGES: u64 = 2_000;
const PING_US: u64 = 20_000_000;
const PATIENCE_S: f64 = 60.0;
const QUIET: Duration = Duration::from_secs(2);
const SAMPLE_S: f64 = 2.0;
/// A shorter soak has no slope worth a verdict: queues fill and drain in cycles of half a minute,
/// and only the second half counts, when every peak has been there.
const JUDGED_S_MIN: u64 = 600;
/// A leak of 100 bytes a visit would be about 100 KiB a minute.
const SLOPE_KIB_MAX: f64 = 32.0;
const STRANGE_KEPT_MAX: usize = 10;
