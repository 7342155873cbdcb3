//! Time of a run, and waiting for something to happen to an engine's clients, with a deadline.
//! Refuses to know what is waited for.

use crate::engine::{Engine, Heard};
use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// Microseconds since a run began.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// Begins now.
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// Since it began.
    pub fn us(self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// The same in seconds.
    pub fn s(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Turns the engine until `done`, which is told what was heard, says so.
///
/// # Errors
/// With `what` when the deadline passes first.
pub fn until(
    engine: &mut Engine,
    what: &str,
    deadline: Duration,
    mut done: impl FnMut(&mut Engine, &[Heard]) -> bool,
) -> Result<()> {
    let end = Instant::now() + deadline;
    let mut heard = Vec::new();
    loop {
        engine.turn(Some(PAUSE), &mut heard, |_| {})?;
        if done(engine, &heard) {
            return Ok(());
        }
        heard.clear();
        if Instant::now() > end {
            bail!("waited {deadline:?} for {what}; faults: {:?}", engine.faults);
        }
    }
}

/// Long enough for anything on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// So that the end of a phase is seen while nothing is heard.
const PAUSE: Duration = Duration::from_millis(5);
