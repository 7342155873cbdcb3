//! Runs the server until it is told to stop. In this branch the data plane is not linked.

use std::net::SocketAddr;

use crate::config::Config;
use crate::identity::Identity;

/// Where the server listens, ports resolved.
#[derive(Clone, Debug, Default)]
pub struct Endpoints {
    /// Plain MQTT.
    pub mqtt: Vec<SocketAddr>,
    /// MQTT over TLS.
    pub mqtts: Vec<SocketAddr>,
    /// HTTPS.
    pub https: Vec<SocketAddr>,
}

/// Serves until SIGTERM or Ctrl-C. `ready` is called once, when every listener accepts; an error
/// from it stops the server. `identity` is the dev identity (none for `serve`); it lives as long
/// as the server, because it holds the data directory's lock.
///
/// # Errors
/// When a listener cannot be opened.
pub fn run(
    config: Config,
    identity: Option<Identity>,
    ready: impl FnOnce(&Endpoints) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    drop((config, identity, ready));
    anyhow::bail!("data plane not linked in this branch")
}
