//! 15,000 clients lose their connections at once and come back at once: all are served, their
//! sessions are there, and what was published meanwhile arrives once.

use super::{Scale, Size};
use crate::engine::{Engine, Event, Heard, Key, Outgoing, Plan, Transport};
use crate::ledger::Track;
use crate::mark::Mark;
use crate::report::Report;
use crate::server::{Options, Server};
use crate::waiting::{Clock, until};
use anyhow::{Context, Result};
use mqtt::qos::QoS;
use mqtt::wire::Version;
use serde_json::json;
use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

/// Carries it out.
///
/// # Errors
/// When the server or the generator fails, which is no verdict.
pub fn run(binary: &Path, scale: Scale) -> Result<Report> {
    let mut report = Report::new("reconnect");
    let options = Options { reactors: 2, core: None, limits: Vec::new() };
    let mut server = Server::start(binary, &options)?;
    let before = server.metrics()?;
    let patience = Duration::from_secs(scale.seconds.max(30));
    let mut fleet = Fleet::new(Engine::new(server.target())?, scale.of(15_000, 600), patience)?;
    report.figure("clients", fleet.clients.len());
    report.figure("of them over TLS", fleet.clients.len().div_ceil(TLS_EVERY));
    // The first time there is no session yet, and they come a few at a time.
    let first = fleet.connect(OPENING_MAX)?;
    report.figure("first connect", first.figures());
    anyhow::ensure!(first.failed.is_empty(), "not all connect at first: {first:?}");
    fleet.subscribe()?;
    fleet.reset();
    let storm = fleet.connect(usize::MAX)?;
    report.figure("lost and back in the same moment", storm.figures());
    storm.judge(&mut report, "lost and back in the same moment", fleet.clients.len());
    fleet.reset();
    let clock = Clock::new();
    until(&mut fleet.engine, "the server to see that they are gone", patience, |_, _| {
        clock.s() < patience.as_secs_f64()
            && server.metrics().is_ok_and(|m| m.sum("gridhub_mqtt_connections") == 1)
    })?;
    fleet.publish()?;
    let back = fleet.connect(usize::MAX)?;
    report.figure("back after messages were queued", back.figures());
    back.judge(&mut report, "back after messages were queued", fleet.clients.len());
    fleet.hear_all()?;
    let got: u64 = fleet.tracks.iter().map(|t| t.received).sum();
    let wrong: u64 = fleet.tracks.iter().map(|t| t.again + t.disorder).sum();
    let sent = fleet.clients.len() as u64;
    report.equal("each gets what was queued for it", ("queued", sent), ("got", got));
    report.check("once", wrong == 0, format!("{wrong} came again"));
    let after = server.metrics()?;
    report.equal(
        "no session and no connection is left over",
        (
            "sessions and connections",
            after.sum("gridhub_mqtt_sessions") + after.sum("gridhub_mqtt_connections"),
        ),
        ("clients twice", 2 * (sent + 1)),
    );
    let drops = after.drops_since(&before);
    report.check("nothing was dropped", drops.is_empty(), format!("{drops:?}"));
    report.check(
        "no connection broke",
        fleet.engine.faults.is_empty(),
        fleet.engine.faults.join("; "),
    );
    if scale.size == Size::Full {
        report.figure("resident_kib", server.process().resident_kib()?);
    }
    server.stop()?;
    Ok(report)
}

struct Fleet {
    engine: Engine,
    publisher: Key,
    clients: Vec<Key>,
    tracks: Vec<Track>,
    patience: Duration,
}

/// How a wave of connects went.
#[derive(Debug, Default)]
struct Wave {
    up: usize,
    present: usize,
    failed: HashSet<Key>,
    /// The first few of them, in words.
    how: Vec<String>,
    half_s: f64,
    all_s: f64,
}

impl Wave {
    fn figures(&self) -> serde_json::Value {
        json!({ "up": self.up, "sessions present": self.present, "half_s": self.half_s,
            "all_s": self.all_s })
    }

    fn fail(&mut self, key: Key, event: &Event) {
        self.failed.insert(key);
        if self.how.len() < HOW_KEPT_MAX {
            self.how.push(format!("{key}: {event:?}"));
        }
    }

    fn judge(&self, report: &mut Report, when: &str, clients: usize) {
        let detail = format!("{when}: {} of {clients} up, {:?}", self.up, self.how);
        let served = self.up == clients && self.failed.is_empty();
        report.check("all are served, none fails", served, detail);
        let detail = format!("{when}: {} of {clients}", self.present);
        report.check("every session is resumed", self.present == clients, detail);
    }
}

impl Fleet {
    fn new(mut engine: Engine, count: usize, patience: Duration) -> Result<Self> {
        let publisher = engine.add(Plan::new(Version::V5, "fleet-publisher"));
        engine.connect(publisher);
        until(&mut engine, "the publisher", patience, |engine, _| engine.is_up(publisher))?;
        let clients = (0..count)
            .map(|n| {
                let version = if n % 3 == 0 { Version::V311 } else { Version::V5 };
                let over = if n % TLS_EVERY == 0 { Transport::Tls } else { Transport::Tcp };
                engine.add(Plan::new(version, format!("fleet-{n}")).lasting(3_600).over(over))
            })
            .collect();
        Ok(Self { engine, publisher, clients, tracks: vec![Track::default(); count], patience })
    }

    /// Connects all, at most so many opening at once, and waits until each is up or has failed.
    /// A failure is not tried again.
    fn connect(&mut self, opening_max: usize) -> Result<Wave> {
        let Self { engine, clients, tracks, patience, .. } = self;
        let (clock, mut wave, mut begun) = (Clock::new(), Wave::default(), 0);
        let (first, total) = (clients[0], clients.len());
        let waited = until(engine, "the fleet", *patience, |engine, heard| {
            for Heard { key, event } in heard {
                match event {
                    Event::Up { session_present } => {
                        wave.up += 1;
                        wave.present += usize::from(*session_present);
                        if wave.up * 2 >= total && wave.half_s == 0.0 {
                            wave.half_s = clock.s();
                        }
                    }
                    Event::Message(m) => hear(&mut tracks[key - first], m),
                    other => wave.fail(*key, other),
                }
            }
            let done = wave.up + wave.failed.len();
            while begun < total && begun - done.min(begun) < opening_max {
                engine.connect(clients[begun]);
                begun += 1;
            }
            done >= total
        });
        waited.with_context(|| format!("{begun} of {total} begun, {wave:?}"))?;
        wave.all_s = clock.s();
        Ok(wave)
    }

    fn subscribe(&mut self) -> Result<()> {
        for (n, key) in self.clients.iter().enumerate() {
            self.engine.subscribe(*key, &topic(n), QoS::AtLeastOnce);
        }
        let (mut granted, total) = (0, self.clients.len());
        until(&mut self.engine, "the subscriptions", self.patience, |_, heard| {
            let is = |h: &&Heard| matches!(h.event, Event::Subscribed(r) if !r.is_error());
            granted += heard.iter().filter(is).count();
            granted == total
        })
    }

    fn reset(&mut self) {
        for key in &self.clients {
            self.engine.reset(*key);
        }
    }

    /// A message for each, acknowledged to the publisher.
    fn publish(&mut self) -> Result<()> {
        let (mut next, mut done, mut payload) = (0, 0, Vec::new());
        let (publisher, total) = (self.publisher, self.clients.len());
        until(&mut self.engine, "the queued messages", self.patience, |engine, heard| {
            let is = |h: &&Heard| matches!(h.event, Event::Done(_, r) if !r.is_error());
            done += heard.iter().filter(is).count();
            while next < total && engine.client(publisher).room() > 0 {
                let mark = Mark { stream: next as u32, sequence: 0, due_us: 0 };
                mark.write(64, &mut payload);
                let (topic, qos) = (topic(next), QoS::AtLeastOnce);
                let m = Outgoing { topic: &topic, qos, retain: false, payload: &payload };
                if !engine.publish(publisher, m) {
                    break;
                }
                next += 1;
            }
            done == total
        })
    }

    fn hear_all(&mut self) -> Result<()> {
        let Self { engine, clients, tracks, patience, .. } = self;
        let first = clients[0];
        // A publish more to each would hide a loss: they only answer a ping behind the resume.
        for key in clients.iter() {
            engine.ping(*key);
        }
        let mut pongs = 0;
        until(engine, "what was queued", *patience, |_, heard| {
            for Heard { key, event } in heard {
                match event {
                    Event::Message(m) => hear(&mut tracks[key - first], m),
                    Event::Pong => pongs += 1,
                    _ => {}
                }
            }
            pongs == clients.len()
        })
    }
}

fn hear(track: &mut Track, m: &crate::engine::Message) {
    match m.mark {
        Some(mark) => drop(track.enter(mark, m.dup.into())),
        None => track.disorder += 1,
    }
}

fn topic(n: usize) -> String {
    format!("fleet/{n}")
}

/// Every tenth comes over TLS: more would measure the generator's own handshakes.
const TLS_EVERY: usize = 10;
const OPENING_MAX: usize = 256;
const HOW_KEPT_MAX: usize = 6;
