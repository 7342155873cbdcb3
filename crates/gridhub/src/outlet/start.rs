//! From a configuration to endpoints at work. Refuses to know routes.

use super::dead::Letters;
use super::patience::Patience;
use super::pump::Pump;
use super::sink::{Sink, SinkSettings};
use super::state::State;
use crate::clock::Clock;
use crate::feed::Feed;
use anyhow::Context;
use node::channel::Taken;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// An endpoint as configured, checked.
#[derive(Debug, Clone)]
pub struct OutletSettings {
    /// What routes call it.
    pub name: String,
    /// Messages of one batch.
    pub batch_messages_max: usize,
    /// Their bytes; the last one may pass it.
    pub batch_bytes_max: usize,
    /// How long the first waits for others.
    pub batch_wait: Duration,
    /// How long a batch is tried.
    pub patience: Patience,
    /// Bytes of dead letters.
    pub dead_letters_bytes_max: u64,
    /// What it is.
    pub sink: SinkSettings,
}

/// An endpoint as operators see it.
pub struct Endpoint {
    /// What routes call it.
    pub name: String,
    /// `webhook`, `file`, `nats`, `kafka`.
    pub kind: &'static str,
    /// How it is doing.
    pub state: State,
    /// What it would not take.
    pub letters: Letters,
}

/// Endpoints that do nothing yet, in the order of the configuration.
#[derive(Default)]
pub struct Ready(Vec<(Arc<Endpoint>, OutletSettings, Sink)>);

/// Makes endpoints; dead letters lie in `data`, or in memory.
///
/// # Errors
/// A file or directory that cannot be read.
pub fn open(all: Vec<OutletSettings>, data: Option<&Path>) -> anyhow::Result<Ready> {
    let open = |settings: OutletSettings| {
        let (name, bytes_max) = (settings.name.clone(), settings.dead_letters_bytes_max);
        let letters = match data {
            // Names differ by more than case, and have no slash.
            Some(data) => {
                let directory = data.join(LETTERS).join(name.to_ascii_lowercase());
                Letters::in_directory(directory, bytes_max)
                    .with_context(|| format!("cannot read the dead letters of endpoint '{name}'"))?
            }
            None => Letters::in_memory(bytes_max),
        };
        let kind = settings.sink.kind();
        let sink = settings.sink.clone().sink();
        let sink = sink.with_context(|| format!("endpoint '{name}'"))?;
        Ok((Arc::new(Endpoint { name, kind, state: State::default(), letters }), settings, sink))
    };
    all.into_iter().map(open).collect::<anyhow::Result<_>>().map(Ready)
}

impl Ready {
    /// What operators see.
    pub fn endpoints(&self) -> Arc<[Arc<Endpoint>]> {
        self.0.iter().map(|(endpoint, ..)| Arc::clone(endpoint)).collect()
    }

    /// Starts them; they end with `stopped`.
    pub fn start(
        self,
        (feed, hub, clock): (&Arc<Feed>, &str, &Clock),
        tell: &Arc<dyn Fn(Taken) + Send + Sync>,
        stopped: &watch::Receiver<()>,
    ) {
        for (place, (endpoint, settings, sink)) in self.0.into_iter().enumerate() {
            let (feed, clock, hub) = (Arc::clone(feed), clock.clone(), hub.into());
            let tell = Arc::clone(tell);
            let pump = Pump { place, endpoint, settings, sink, feed, clock, hub, tell };
            let mut stopped = stopped.clone();
            tokio::spawn(async move {
                tokio::select! {
                    // An error means that the sender is gone: stop as well.
                    _ = stopped.changed() => {}
                    () = pump.run() => {}
                }
            });
        }
    }
}

/// The place of dead letters in a data directory.
const LETTERS: &str = "deadletters";
