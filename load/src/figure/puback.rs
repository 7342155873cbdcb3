//! How long an acknowledgement takes at 20,000 messages a second for a session that is away, beside
//! what the disk takes for the same bytes.

use super::home::{Cores, Home};
use super::raw::Raw;
use super::{Numbers, Place};
use crate::engine::{Engine, Event, Heard, Key, Outgoing, Plan};
use crate::latency::Latency;
use crate::mark::Mark;
use crate::paced::{tick, timer};
use crate::process::go_first;
use crate::proof::Size;
use crate::waiting::{Clock, PATIENCE, until};
use anyhow::{Result, bail};
use mio::unix::SourceFd;
use mio::{Interest, Token};
use mqtt::qos::QoS;
use mqtt::wire::Version;
use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

/// Takes it in rounds, so that the disk's moods hit all of them: the server alone, raw appends
/// alone, both at the same time. A ratio is the median of the rounds' ratios.
///
/// # Errors
/// When the server or the disk fails.
pub fn run(place: Place<'_>) -> Result<Numbers> {
    let mut home = Home::new(place.binary, place.folder, Cores::First)?;
    home.start()?;
    let phase = Duration::from_secs(if place.size == Size::Full { 2 } else { 1 });
    let mut stream = Stream::new(&home)?;
    let mut slices = Vec::new();
    for _ in 0..SLICES {
        slices.push(Slice::take(&mut home, &mut stream, phase / SLICES)?);
    }
    // A segment that is made ready in a slice is no batch.
    slices.sort_by(|a, b| a.batch_bytes.total_cmp(&b.batch_bytes));
    let Slice { batch_bytes, messages_a_commit, cpu_us } = slices[0];
    let mut rounds: Vec<Round> = Vec::new();
    for _ in 0..place.of(500).clamp(1, ROUNDS) {
        let (alone, lag) = stream.run(phase)?;
        let raw = Raw::start(home.beside(), batch_bytes as usize)?;
        stream.rest(phase)?;
        let raw_alone = raw.finish()?;
        let raw = Raw::start(home.beside(), batch_bytes as usize)?;
        let (beside, _) = stream.run(phase)?;
        let raw_beside = raw.finish()?;
        rounds.push(Round { alone, lag, raw_alone, beside, raw_beside });
    }
    let mut numbers = Numbers::default();
    let mut middle = |name: &str, of: fn(&mut Round) -> f64| {
        let mut values: Vec<f64> = rounds.iter_mut().map(of).collect();
        values.sort_by(f64::total_cmp);
        numbers.add(name, values[values.len() / 2]);
    };
    middle("p50_us", |r| f64::from(r.alone.quantile(0.5)));
    middle("p99_us", |r| p99(&mut r.alone));
    middle("p99_beside_us", |r| p99(&mut r.beside));
    middle("raw_p50_us", |r| f64::from(r.raw_alone.quantile(0.5)));
    middle("raw_p99_us", |r| p99(&mut r.raw_alone));
    middle("raw_p99_beside_us", |r| p99(&mut r.raw_beside));
    middle("to_raw", |r| p99(&mut r.alone) / p99(&mut r.raw_alone));
    middle("to_raw_beside", |r| p99(&mut r.beside) / p99(&mut r.raw_beside));
    middle("lag_p99_us", |r| p99(&mut r.lag));
    numbers.add("batch_bytes", batch_bytes);
    numbers.add("messages_a_commit", messages_a_commit);
    numbers.add("cpu_us", cpu_us);
    Ok(numbers)
}

/// What a short run cost.
struct Slice {
    batch_bytes: f64,
    messages_a_commit: f64,
    cpu_us: f64,
}

impl Slice {
    fn take(home: &mut Home, stream: &mut Stream, long: Duration) -> Result<Self> {
        let (before, counted) = (home.used()?, home.metrics()?);
        let (times, _) = stream.run(long)?;
        let (after, since) = (home.used()?, home.metrics()?);
        let grown = |name: &str| since.sum(name).saturating_sub(counted.sum(name)).max(1) as f64;
        let commits = grown("gridhub_log_commits_total");
        Ok(Self {
            batch_bytes: (after.written_bytes - before.written_bytes) / commits,
            messages_a_commit: grown("gridhub_log_records_total") / commits,
            cpu_us: (after.cpu_us - before.cpu_us) / times.count().max(1) as f64,
        })
    }
}

/// The times of one round.
struct Round {
    alone: Latency,
    lag: Latency,
    raw_alone: Latency,
    beside: Latency,
    raw_beside: Latency,
}

/// At least a microsecond, to divide by.
fn p99(of: &mut Latency) -> f64 {
    f64::from(of.quantile(0.99).max(1))
}

/// The publishers. Open loop: what the server delays delays nothing else, and a time counts from
/// when the message was due.
struct Stream {
    engine: Engine,
    clock: Clock,
    timer: OwnedFd,
    first: Key,
    /// By publisher: when what is not acknowledged was due.
    due_us: Vec<VecDeque<u64>>,
    heard: Vec<Heard>,
}

impl Stream {
    fn new(home: &Home) -> Result<Self> {
        let mut engine = Engine::new(home.target()?)?;
        let away = engine.add(Plan::new(Version::V5, "away").lasting(3_600));
        engine.connect(away);
        until(&mut engine, "the subscriber", PATIENCE, |engine, heard| {
            for heard in heard {
                match heard.event {
                    Event::Up { .. } => engine.subscribe(away, "puback/+", QoS::AtLeastOnce),
                    Event::Subscribed(_) => engine.leave(away),
                    _ => {}
                }
            }
            heard.iter().any(|h| matches!(h.event, Event::Closed(_)))
        })?;
        let plan = |n| Plan::new(Version::V5, format!("publisher-{n}"));
        let keys: Vec<Key> = (0..PUBLISHERS).map(|n| engine.add(plan(n))).collect();
        keys.iter().for_each(|key| engine.connect(*key));
        until(&mut engine, "the publishers", PATIENCE, |engine, _| {
            keys.iter().all(|key| engine.is_up(*key))
        })?;
        let timer = timer()?;
        let fd = timer.as_raw_fd();
        engine.registry().register(&mut SourceFd(&fd), Token(0), Interest::READABLE)?;
        go_first();
        let (due_us, heard) = (vec![VecDeque::new(); PUBLISHERS], Vec::new());
        Ok(Self { engine, clock: Clock::new(), timer, first: keys[0], due_us, heard })
    }

    /// Publishes for so long and waits for the last PUBACK: from due to PUBACK, and from due to
    /// the socket.
    fn run(&mut self, long: Duration) -> Result<(Latency, Latency)> {
        let (mut times, mut lag) = (Latency::default(), Latency::default());
        let total = RATE * long.as_micros() as u64 / 1_000_000;
        let (mut sent, begun, mut payload) = (0, self.clock.us(), Vec::new());
        let end = begun + long.as_micros() as u64 + PATIENCE.as_micros() as u64;
        let topics: Vec<String> = (0..PUBLISHERS).map(|n| format!("puback/{n}")).collect();
        tick(&self.timer, TICK)?;
        while times.count() < total as usize {
            let now_us = self.clock.us();
            while sent < total {
                let due_us = begun + (sent + 1) * 1_000_000 / RATE;
                let n = (sent % PUBLISHERS as u64) as usize;
                if due_us > now_us {
                    break;
                }
                Mark { stream: n as u32, sequence: sent, due_us }.write(64, &mut payload);
                let (topic, qos, retain) = (&*topics[n], QoS::AtLeastOnce, false);
                let m = Outgoing { topic, qos, retain, payload: &payload };
                // A full window makes it late, and late is counted.
                if !self.engine.publish(self.first + n, m) {
                    break;
                }
                self.due_us[n].push_back(due_us);
                lag.add(now_us - due_us);
                sent += 1;
            }
            self.turn(&mut times)?;
            if now_us > end {
                bail!("{} of {sent} acknowledged: {:?}", times.count(), self.engine.faults);
            }
        }
        tick(&self.timer, Duration::ZERO)?;
        Ok((times, lag))
    }

    /// Publishes nothing for so long.
    fn rest(&mut self, long: Duration) -> Result<()> {
        let clock = Clock::new();
        let over = |_: &mut Engine, _: &[Heard]| clock.s() > long.as_secs_f64();
        until(&mut self.engine, "the raw appends", long + PATIENCE, over)
    }

    fn turn(&mut self, times: &mut Latency) -> Result<()> {
        let mut ticked = false;
        self.engine.turn(Some(WAIT), &mut self.heard, |_| ticked = true)?;
        if ticked {
            // Only how often it ticked is in there; that it ticked is known.
            let _ = rustix::io::read(&self.timer, &mut [0; 8]);
        }
        let now_us = self.clock.us();
        for heard in self.heard.drain(..) {
            match heard.event {
                Event::Done(_, reason) if !reason.is_error() => {
                    // One publisher's acknowledgements come in its order (MQTT 5, 4.6.0-2).
                    let due_us = self.due_us[heard.key - self.first].pop_front();
                    times.add(now_us.saturating_sub(due_us.unwrap_or(now_us)));
                }
                other => bail!("publisher {}: {other:?}", heard.key),
            }
        }
        Ok(())
    }
}

const ROUNDS: u64 = 5;
const SLICES: u32 = 4;
const RATE: u64 = 20_000;
const PUBLISHERS: usize = 256;
const TICK: Duration = Duration::from_micros(50);
const WAIT: Duration = Duration::from_millis(20);
