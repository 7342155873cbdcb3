//! Devices that report or send telemetry: each its next as soon as it may, or all together at a
//! rate. Refuses to know what it should take.

use super::fleet;
use crate::engine::{Engine, Event, Heard, Key, Outgoing, Target};
use crate::hub::plane::{REPORTED, TELEMETRY};
use crate::latency::Latency;
use crate::paced::{tick, timer};
use crate::process::go_first;
use crate::waiting::{Clock, PATIENCE};
use anyhow::{Result, bail};
use mio::unix::SourceFd;
use mio::{Interest, Token};
use mqtt::qos::QoS;
use mqtt::wire::Property;
use std::collections::VecDeque;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

/// What they send.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A patch of what is reported; its answer is a PUBLISH.
    Report,
    /// A message at QoS 1; its answer is PUBACK.
    Telemetry,
}

/// When they send.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Each device has so many under way.
    UnderWay(usize),
    /// So many a second of all. Open loop: a time counts from when it was due.
    Rate(u64),
}

/// The devices.
pub struct Senders {
    engine: Engine,
    clock: Clock,
    timer: OwnedFd,
    what: What,
    first: Key,
    /// By device: when what is not answered was due or sent.
    since_us: Vec<VecDeque<u64>>,
    heard: Vec<Heard>,
    properties: Vec<u8>,
    number: u64,
}

impl Senders {
    /// Connected; they are registered already.
    ///
    /// # Errors
    /// When one is refused.
    pub fn connect(target: Target, what: What, count: u64) -> Result<Self> {
        let mut engine = Engine::new(target)?;
        let keys = fleet::connect(&mut engine, count, &[])?;
        let timer = timer()?;
        let fd = timer.as_raw_fd();
        engine.registry().register(&mut SourceFd(&fd), Token(0), Interest::READABLE)?;
        go_first();
        let (since_us, heard) = (vec![VecDeque::new(); keys.len()], Vec::new());
        let (clock, properties, number) = (Clock::new(), Vec::new(), 0);
        let first = keys[0];
        Ok(Self { engine, clock, timer, what, first, since_us, heard, properties, number })
    }

    /// Sends for so long and waits for the last answer: how long each took, and the seconds until
    /// all had come.
    ///
    /// # Errors
    /// When one is refused, or the server stops to answer.
    pub fn run(&mut self, when: When, long: Duration) -> Result<(Latency, f64)> {
        let mut times = Latency::default();
        let (begun, mut sent) = (self.clock.us(), 0);
        let end = begun + long.as_micros() as u64;
        tick(&self.timer, TICK)?;
        loop {
            let now_us = self.clock.us();
            match when {
                When::Rate(rate) => loop {
                    let due_us = begun + (sent + 1) * 1_000_000 / rate;
                    if due_us > now_us.min(end) {
                        break;
                    }
                    // What has no room now is late, and that is counted.
                    let at = (sent % self.since_us.len() as u64) as usize;
                    if !self.send(at, due_us)? {
                        break;
                    }
                    sent += 1;
                },
                When::UnderWay(depth) if now_us < end => {
                    for at in 0..self.since_us.len() {
                        while self.since_us[at].len() < depth && self.send(at, now_us)? {
                            sent += 1;
                        }
                    }
                }
                When::UnderWay(_) => {}
            }
            let waits = matches!(when, When::Rate(rate)
                if sent < rate * long.as_micros() as u64 / 1_000_000);
            if now_us >= end && !waits && times.count() as u64 == sent {
                break;
            }
            self.turn(&mut times)?;
            if now_us > end + PATIENCE.as_micros() as u64 {
                bail!("{} of {sent} answered: {:?}", times.count(), self.engine.faults);
            }
        }
        tick(&self.timer, Duration::ZERO)?;
        Ok((times, (self.clock.us() - begun) as f64 / 1e6))
    }

    /// Sends nothing for so long.
    ///
    /// # Errors
    /// When a connection breaks.
    pub fn rest(&mut self, long: Duration) -> Result<()> {
        let (clock, mut none) = (Clock::new(), Latency::default());
        while clock.s() < long.as_secs_f64() {
            self.turn(&mut none)?;
        }
        Ok(())
    }

    fn send(&mut self, at: usize, since_us: u64) -> Result<bool> {
        let key = self.first + at;
        self.number += 1;
        let payload = format!("{{\"temperature\":{},\"n\":{}}}", self.number % 40, self.number);
        let is_sent = match self.what {
            What::Report => {
                self.properties.clear();
                let correlation = self.number.to_be_bytes();
                Property::CorrelationData(&correlation).encode(&mut self.properties)?;
                self.engine.request(key, REPORTED, &self.properties, payload.as_bytes());
                true
            }
            What::Telemetry => {
                let (topic, qos, retain) = (TELEMETRY, QoS::AtLeastOnce, false);
                let payload = payload.as_bytes();
                self.engine.publish(key, Outgoing { topic, qos, retain, payload })
            }
        };
        if is_sent {
            self.since_us[at].push_back(since_us);
        }
        Ok(is_sent)
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
                Event::Done(_, reason) if !reason.is_error() => {}
                Event::Message(m) if m.correlation.is_some() && !m.refused => {}
                other => bail!("device {}: {other:?}: {:?}", heard.key, self.engine.faults),
            }
            // One device's answers come in its order.
            let since_us = self.since_us[heard.key - self.first].pop_front();
            times.add(now_us.saturating_sub(since_us.unwrap_or(now_us)));
        }
        Ok(())
    }
}

const TICK: Duration = Duration::from_micros(50);
const WAIT: Duration = Duration::from_millis(20);
