//! HTTP requests at a rate from several connections, each on a thread of its own because it blocks.
//! Open loop: a time counts from when the request was due. Refuses to know what is asked for.

use crate::engine::Target;
use crate::https::Https;
use crate::latency::Latency;
use anyhow::{Result, anyhow, bail};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// GET or POST.
    pub verb: &'static str,
    /// With its query.
    pub path: String,
    /// Nothing for GET.
    pub body: String,
}

/// Requests on their way.
pub struct Callers(Vec<JoinHandle<Result<Latency>>>);

impl Callers {
    /// Asks `rate` times a second for so long; `ask` makes the request number n. All connections
    /// are there before the first.
    pub fn start(
        target: &Target,
        rate: u64,
        long: Duration,
        ask: impl Fn(u64) -> Request + Clone + Send + 'static,
    ) -> Self {
        let begins = Instant::now() + READY;
        let count = rate * long.as_millis() as u64 / 1_000;
        let one = |caller: u64| {
            let (target, ask) = (target.clone(), ask.clone());
            std::thread::spawn(move || {
                let mut times = Latency::default();
                let mut https =
                    Https::new(target.ports.https, Arc::clone(&target.tls), &target.token);
                https.once("GET", "/healthz", &[], b"")?;
                // Nobody sends: it is a wait.
                let (_open, wait) = channel::<()>();
                for n in (caller..count).step_by(CALLERS as usize) {
                    let due = begins + Duration::from_nanos(n * 1_000_000_000 / rate);
                    let left = due.saturating_duration_since(Instant::now());
                    if !left.is_zero() {
                        let _ = wait.recv_timeout(left);
                    }
                    let Request { verb, path, body } = ask(n);
                    let answer = https.once(verb, &path, &[], body.as_bytes())?;
                    if answer.status != 200 {
                        bail!("{verb} {path}: {} {}", answer.status, answer.text());
                    }
                    times.add(due.elapsed().as_micros() as u64);
                }
                Ok(times)
            })
        };
        Self((0..CALLERS).map(one).collect())
    }

    /// Whether all have ended.
    pub fn are_done(&self) -> bool {
        self.0.iter().all(JoinHandle::is_finished)
    }

    /// How long each request took.
    ///
    /// # Errors
    /// When one failed.
    pub fn finish(self) -> Result<Latency> {
        let mut times = Latency::default();
        for thread in self.0 {
            times.join(&thread.join().map_err(|_| anyhow!("a caller panicked"))??);
        }
        Ok(times)
    }
}

const CALLERS: u64 = 32;
/// For all connections to be there.
const READY: Duration = Duration::from_millis(1_000);
