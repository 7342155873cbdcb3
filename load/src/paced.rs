//! The paced stream: messages at a fixed rate over pairs of clients, at QoS 1, timed from when
//! they were due, on a thread of its own so that no other load of ours delays it.
//!
//! Open loop: a message that the server delays delays no other, so nothing is left out of the
//! figures. Refuses to know what else the server is doing.

use crate::engine::{Engine, Event, Heard, Key, Outgoing, Plan, Target};
use crate::latency::Latency;
use crate::ledger::Track;
use crate::mark::Mark;
use crate::process::go_first;
use crate::waiting::Clock;
use anyhow::{Context, Result, bail};
use mio::unix::SourceFd;
use mio::{Interest, Token};
use mqtt::qos::QoS;
use mqtt::wire::Version;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::collections::VecDeque;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// A running stream.
pub struct Paced {
    thread: JoinHandle<Result<Outcome>>,
    phase: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

/// How fast, over how many.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Messages a second.
    pub rate: u64,
    /// Publishers, each with one subscriber.
    pub pairs: usize,
    /// Bytes of a payload.
    pub bytes: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// By phase: from when a message was due until it was here.
    pub latency: Vec<Latency>,
    /// By phase: from when a message was due until it was given to the socket. It is the
    /// generator's own delay, a part of the latency that the server cannot help.
    pub lag: Vec<Latency>,
    /// By phase: from when a message was given to the socket until it was here.
    pub service: Vec<Latency>,
    /// Times a message had to wait because the server acknowledged too little.
    pub blocked: u64,
    /// Messages published.
    pub published: u64,
    /// Messages received for the first time.
    pub received: u64,
    /// Repeated or out of order.
    pub disorder: u64,
    /// Connections that ended, refusals, strange payloads.
    pub faults: Vec<String>,
}

impl Paced {
    /// Connects and subscribes, then sends. Samples go to phase 0, for what is not measured, until
    /// told otherwise; there are `phases` more.
    ///
    /// # Errors
    /// When the clients cannot connect.
    pub fn start(target: Target, pace: Pace, phases: usize) -> Result<Self> {
        let (phase, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (ready, is_ready) = channel();
        let (p, s) = (Arc::clone(&phase), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("paced".into());
        let thread = thread.spawn(move || {
            let stream = Stream::new(target, pace, phases)?;
            run(stream, &p, &s, &ready)
        })?;
        if is_ready.recv().is_err() {
            thread.join().map_err(|_| anyhow::anyhow!("the paced stream panicked"))??;
            bail!("the paced stream ended before it began");
        }
        Ok(Self { thread, phase, stop })
    }

    /// What comes from now on counts for this phase.
    pub fn phase(&self, phase: usize) {
        self.phase.store(phase, Ordering::Relaxed);
    }

    /// Ends it and waits until everything sent has arrived.
    ///
    /// # Errors
    /// When the generator failed.
    pub fn finish(self) -> Result<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the paced stream panicked"))?
    }
}

struct Stream {
    engine: Engine,
    clock: Clock,
    pace: Pace,
    publishers: Vec<Key>,
    topics: Vec<String>,
    tracks: Vec<Track>,
    /// By pair: when the messages that have not arrived were given to the socket.
    sent_us: Vec<VecDeque<u64>>,
    outcome: Outcome,
    payload: Vec<u8>,
    heard: Vec<Heard>,
    subscribed: usize,
}

fn run(
    mut stream: Stream,
    phase: &AtomicUsize,
    stop: &AtomicBool,
    ready: &Sender<()>,
) -> Result<Outcome> {
    go_first();
    let pace = stream.pace;
    let timer = timer()?;
    let fd = timer.as_raw_fd();
    let registry = stream.engine.registry();
    registry.register(&mut SourceFd(&fd), Token(0), Interest::READABLE)?;
    let end = stream.clock.us() + PATIENCE_US;
    while stream.subscribed < pace.pairs {
        stream.turn(0, &timer)?;
        if stream.clock.us() > end || !stream.outcome.faults.is_empty() {
            bail!("the paced stream does not come up: {:?}", stream.outcome.faults);
        }
    }
    // Whoever waited may be gone; then there is nobody to measure for.
    let _ = ready.send(());
    // Ticks and due times count from the same moment: a message is due when the timer wakes us.
    let began = stream.clock.us();
    tick(&timer, Duration::from_nanos(1_000_000_000 / pace.rate.max(1)))?;
    while !stop.load(Ordering::Relaxed) {
        let now = phase.load(Ordering::Relaxed);
        stream.send(began, now);
        stream.turn(now, &timer)?;
    }
    let end = stream.clock.us() + PATIENCE_US;
    while stream.outcome.received < stream.outcome.published && stream.clock.us() < end {
        stream.turn(0, &timer)?;
    }
    stream.outcome.disorder = stream.tracks.iter().map(|t| t.disorder + t.again).sum();
    stream.outcome.faults.append(&mut stream.engine.faults);
    Ok(stream.outcome)
}

impl Stream {
    fn new(target: Target, pace: Pace, phases: usize) -> Result<Self> {
        let mut engine = Engine::new(target)?;
        let mut publishers = Vec::new();
        for n in 0..pace.pairs {
            // Subscribers are even keys, publishers odd ones.
            let subscriber = engine.add(Plan::new(Version::V5, format!("paced-s{n}")));
            let publisher = engine.add(Plan::new(Version::V5, format!("paced-p{n}")));
            engine.connect(subscriber);
            engine.connect(publisher);
            publishers.push(publisher);
        }
        let phases = || vec![Latency::default(); phases + 1];
        Ok(Self {
            engine,
            clock: Clock::new(),
            pace,
            publishers,
            topics: (0..pace.pairs).map(|n| format!("paced/{n}")).collect(),
            tracks: vec![Track::default(); pace.pairs],
            sent_us: vec![VecDeque::new(); pace.pairs],
            outcome: Outcome {
                latency: phases(),
                lag: phases(),
                service: phases(),
                ..Outcome::default()
            },
            payload: Vec::new(),
            heard: Vec::new(),
            subscribed: 0,
        })
    }

    /// Publishes what is due, each message marked with the time it was due at.
    fn send(&mut self, began_us: u64, phase: usize) {
        let now_us = self.clock.us();
        loop {
            let n = self.outcome.published;
            let due_us = began_us + (n + 1) * 1_000_000 / self.pace.rate;
            if due_us > now_us {
                return;
            }
            let pair = (n % self.pace.pairs as u64) as usize;
            let sequence = n / self.pace.pairs as u64;
            Mark { stream: pair as u32, sequence, due_us }
                .write(self.pace.bytes, &mut self.payload);
            let m = Outgoing {
                topic: &self.topics[pair],
                qos: QoS::AtLeastOnce,
                retain: false,
                payload: &self.payload,
            };
            if !self.engine.publish(self.publishers[pair], m) {
                // The window is full of what the server has not acknowledged: it is counted late
                // when it goes, because its due time stays.
                self.outcome.blocked += 1;
                return;
            }
            self.outcome.published += 1;
            self.outcome.lag[phase].add(now_us - due_us);
            self.sent_us[pair].push_back(now_us);
        }
    }

    fn turn(&mut self, phase: usize, timer: &OwnedFd) -> Result<()> {
        let mut heard = std::mem::take(&mut self.heard);
        let mut ticked = false;
        self.engine.turn(Some(WAIT), &mut heard, |_| ticked = true)?;
        if ticked {
            // Only how often it ticked is in there; that it ticked is known.
            let _ = rustix::io::read(timer, &mut [0; 8]);
        }
        let now_us = self.clock.us();
        for Heard { key, event } in heard.drain(..) {
            match event {
                Event::Up { .. } if key % 2 == 0 => {
                    let topic = &self.topics[key / 2];
                    self.engine.subscribe(key, topic, QoS::AtLeastOnce);
                }
                Event::Subscribed(reason) if !reason.is_error() => self.subscribed += 1,
                Event::Message(m) => match m.mark.filter(|m| m.stream as usize == key / 2) {
                    Some(mark) => {
                        if self.tracks[key / 2].enter(mark, m.dup.into()) {
                            self.outcome.received += 1;
                            self.outcome.latency[phase].add(now_us.saturating_sub(mark.due_us));
                            let sent_us = self.sent_us[key / 2].pop_front().unwrap_or(now_us);
                            self.outcome.service[phase].add(now_us - sent_us);
                        }
                    }
                    None => self.outcome.faults.push("a strange payload".into()),
                },
                Event::Up { .. } => {}
                Event::Done(_, reason) if !reason.is_error() => {}
                other => self.outcome.faults.push(format!("paced client {key}: {other:?}")),
            }
        }
        self.heard = heard;
        Ok(())
    }
}

/// A timer that is a descriptor: polling itself only knows milliseconds.
///
/// # Errors
/// When the system gives none.
pub fn timer() -> Result<OwnedFd> {
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    timerfd_create(TimerfdClockId::Monotonic, flags).context("a timer")
}

/// Makes it readable every so often.
///
/// # Errors
/// When the system does not take the period.
pub fn tick(timer: &OwnedFd, every: Duration) -> Result<()> {
    let period = Timespec { tv_sec: every.as_secs() as i64, tv_nsec: every.subsec_nanos().into() };
    let spec = Itimerspec { it_interval: period, it_value: period };
    timerfd_settime(timer.as_fd(), TimerfdTimerFlags::empty(), &spec).context("a timer")?;
    Ok(())
}

const WAIT: Duration = Duration::from_millis(20);
const PATIENCE_US: u64 = 20_000_000;
