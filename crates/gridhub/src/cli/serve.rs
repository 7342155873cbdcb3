//! `gridhub serve --config FILE`.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::config::overrides;
use crate::config::{Config, Durability, load};
use crate::identity::directory::DataDir;
use crate::identity::lock::DirLock;
use crate::serve;

/// Run a broker from a configuration file.
#[derive(Args)]
pub struct Serve {
    /// The configuration (docs/config.md)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Lay a value over the file's, such as log.level=warn; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print one line of JSON when every listener accepts
    #[arg(long)]
    json: bool,
}

impl Serve {
    /// Runs until it is told to stop.
    pub fn run(self) -> anyhow::Result<()> {
        let config = load::load(&self.config, &overrides(&self.set)?)?;
        super::start_log(&config.log);
        let _lock = match &config.data {
            Some(data) => {
                DataDir::kept(data.clone()).create()?;
                Some(DirLock::take(data)?)
            }
            None => None,
        };
        let namespace = config.namespace.name.clone();
        let hostname = config.namespace.hostname.clone();
        tell_durability(&config);
        serve::run(&config, None, move |endpoints, _| {
            if self.json {
                let line = json!({
                    "ready": true,
                    "pid": std::process::id(),
                    "version": env!("CARGO_PKG_VERSION"),
                    "namespace": namespace,
                    "hostname": hostname,
                    "mqtt": endpoints.mqtt,
                    "mqtts": endpoints.mqtts,
                    "https": endpoints.https,
                });
                let mut out = std::io::stdout().lock();
                // Whoever started us may not listen: the server runs on all the same.
                let _ = writeln!(out, "{line}").and_then(|()| out.flush());
            } else {
                tracing::info!(?endpoints, "ready");
            }
            Ok(())
        })
    }
}

/// What is promised, at start.
fn tell_durability(config: &Config) {
    let data = config.data.as_ref().map(|data| data.display().to_string()).unwrap_or_default();
    match config.durability {
        Durability::Disk => {
            tracing::info!(data, "durability is disk: what is acknowledged is on it");
        }
        Durability::Os => tracing::info!(
            data,
            "durability is os: the end of the process takes nothing, that of the machine may take \
             what was acknowledged last"
        ),
        Durability::Memory => {
            tracing::info!("durability is memory: what is kept is forgotten when the process ends")
        }
    }
}
