//! Many connections fight for one client identifier: each loser is told 0x8E, and at the end one
//! session and one connection are left, and nothing else of the fight.

use super::Scale;
use crate::engine::{Credential, End, Engine, Event, Heard, Key, Outgoing, Plan, Transport};
use crate::mark::Mark;
use crate::report::Report;
use crate::server::{Options, Server};
use crate::waiting::{Clock, PATIENCE, until};
use anyhow::{Context, Result};
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use mqtt::wire::Version;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// Carries it out.
///
/// # Errors
/// When the server or the generator fails, which is no verdict.
pub fn run(binary: &Path, scale: Scale) -> Result<Report> {
    let mut report = Report::new("takeover");
    let options = Options { reactors: 2, core: None, limits: Vec::new() };
    let mut server = Server::start(binary, &options)?;
    let before = server.metrics()?;
    let process = server.process();
    let mut arena = Arena::new(Engine::new(server.target())?, scale.of(64, 16));
    // What a fight makes the server hold for good is held after a short one.
    arena.fight(Duration::from_secs((scale.seconds / 10).max(1)))?;
    arena.settle()?;
    let (files, resident) = (process.descriptors()?, process.resident_kib()?);
    arena.fight(Duration::from_secs(scale.seconds))?;
    let winner = arena.settle()?;
    report.figure("won", arena.won);
    report.figure("told 0x8E", arena.told);
    let losers = arena.won_v5 - arena.winner_is_v5(winner);
    report.equal("every v5 loser got 0x8E", ("losers", losers), ("told", arena.told));
    report.check(
        "nothing else ended a connection",
        arena.strange.is_empty(),
        arena.strange.join("; "),
    );
    arena.prove(winner)?;
    let after = server.metrics()?;
    for gauge in ["gridhub_mqtt_connections", "gridhub_mqtt_sessions", "gridhub_mqtt_subscriptions"]
    {
        report.equal("one is left", (gauge, after.sum(gauge)), ("one", 1));
    }
    let taken = after.sum(TAKEN_OVER) - before.sum(TAKEN_OVER);
    report.equal("take-overs are counted", ("counted", taken), ("losers", arena.won - 1));
    let session = server.session(ID)?;
    let connected = session["connected"].as_bool().context("a session")?;
    report.check("the session is connected", connected, session.to_string());
    let files_after = process.descriptors()?;
    // An HTTPS connection of ours may have been closed for idleness meanwhile.
    report.check(
        "no descriptor leaks",
        files_after <= files + 1,
        format!("{files} then {files_after}"),
    );
    let resident_after = process.resident_kib()?;
    let held = resident_after.saturating_sub(resident);
    report.figure("resident_kib", json!({ "before": resident, "after": resident_after }));
    report.check("no memory leaks", held <= LEAK_KIB_MAX, format!("{held} KiB more"));
    server.stop()?;
    Ok(report)
}

/// Who fights, and how it went.
struct Arena {
    engine: Engine,
    fighters: Vec<Key>,
    /// Connects that succeeded.
    won: u64,
    /// Of them, those that may be told why they end.
    won_v5: u64,
    /// DISCONNECT 0x8E.
    told: u64,
    strange: Vec<String>,
    /// Fighters that were told and whose close has not come.
    warned: Vec<bool>,
}

impl Arena {
    fn new(mut engine: Engine, count: usize) -> Self {
        let fighters: Vec<Key> = (0..count)
            .map(|n| {
                let version = if n % 4 == 3 { Version::V311 } else { Version::V5 };
                let over = if n % 8 == 5 { Transport::Tls } else { Transport::Tcp };
                let mut plan = Plan::new(version, ID).lasting(600).over(over);
                // Some begin anew: the session must end and be made again.
                plan.clean_start = n % 5 == 0;
                // Another principal may not take over: all are the same.
                plan.credential = Credential::Token;
                engine.add(plan)
            })
            .collect();
        let warned = vec![false; count];
        Self { engine, fighters, won: 0, won_v5: 0, told: 0, strange: Vec::new(), warned }
    }

    /// Whoever has lost connects again at once.
    fn fight(&mut self, time: Duration) -> Result<()> {
        let (clock, mut heard) = (Clock::new(), Vec::new());
        while clock.s() < time.as_secs_f64() {
            for key in &self.fighters {
                if !self.engine.has_socket(*key) {
                    self.engine.connect(*key);
                }
            }
            self.engine.turn(Some(Duration::from_millis(5)), &mut heard, |_| {})?;
            heard.drain(..).for_each(|heard| self.hear(heard));
        }
        Ok(())
    }

    fn hear(&mut self, heard: Heard) {
        let Heard { key, event } = heard;
        let v5 = self.engine.client(key).plan.version == Version::V5;
        match event {
            Event::Up { .. } => {
                self.won += 1;
                self.won_v5 += u64::from(v5);
            }
            Event::Told(Reason::SESSION_TAKEN_OVER) => {
                self.told += 1;
                self.warned[key] = true;
            }
            Event::Closed(End::Server) if self.warned[key] || !v5 => self.warned[key] = false,
            other => self.strange.push(format!("{key}: {other:?}")),
        }
        self.strange.truncate(STRANGE_KEPT_MAX);
    }

    /// Nobody connects any more; waits until one is left.
    fn settle(&mut self) -> Result<Key> {
        let end = Clock::new();
        let mut heard = Vec::new();
        let mut quiet = Clock::new();
        while quiet.s() < QUIET_S {
            anyhow::ensure!(end.s() < PATIENCE.as_secs_f64(), "the fight does not end");
            self.engine.turn(Some(Duration::from_millis(5)), &mut heard, |_| {})?;
            if !heard.is_empty() {
                quiet = Clock::new();
            }
            heard.drain(..).for_each(|heard| self.hear(heard));
        }
        let left: Vec<Key> =
            self.fighters.iter().copied().filter(|key| self.engine.has_socket(*key)).collect();
        match left[..] {
            [winner] if self.engine.is_up(winner) => Ok(winner),
            _ => anyhow::bail!("{} connections are left, not one: {:?}", left.len(), self.strange),
        }
    }

    fn winner_is_v5(&self, winner: Key) -> u64 {
        u64::from(self.engine.client(winner).plan.version == Version::V5)
    }

    /// The session that is left works.
    fn prove(&mut self, winner: Key) -> Result<()> {
        let mut payload = Vec::new();
        let mark = Mark { stream: 0, sequence: 0, due_us: 0 };
        mark.write(Mark::BYTES, &mut payload);
        self.engine.subscribe(winner, "arena", QoS::ExactlyOnce);
        let qos = QoS::ExactlyOnce;
        let m = Outgoing { topic: "arena", qos, retain: false, payload: &payload };
        self.engine.publish(winner, m);
        let (mut got, mut done) = (false, false);
        until(&mut self.engine, "the winner's own message", PATIENCE, |_, heard| {
            for heard in heard {
                match heard.event {
                    Event::Message(m) => got = m.mark == Some(mark),
                    Event::Done(_, reason) => done = !reason.is_error(),
                    _ => {}
                }
            }
            got && done
        })
    }
}

const ID: &str = "contested";
const TAKEN_OVER: &str = "gridhub_mqtt_taken_over_total";
const STRANGE_KEPT_MAX: usize = 10;
const QUIET_S: f64 = 1.5;
const LEAK_KIB_MAX: u64 = 4 * 1024;
