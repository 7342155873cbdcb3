//! Puts the server together and runs it until it is told to stop: listeners, reactors, HTTP.

use crate::auth::tls::{ClientAuth, TlsConfigs};
use crate::auth::{Audience, Authenticator};
use crate::cli::port::{ListenerKind, bind_error};
use crate::clock::Clock;
use crate::config::duration::Interval;
use crate::config::{Config, Profile};
use crate::first_device::{FirstDevice, first_device};
use crate::http::bearer::{Bearer, TokenRefused};
use crate::http::{self, App, ClockControl, Settings};
use crate::identity::Identity;
use crate::net::Listening;
use crate::start::start;
use crate::sys;
use anyhow::Context;
use broker::access::Principal;
use node::auth::Listener;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

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

/// Serves until SIGTERM or Ctrl-C. `ready` is called once, when every listener accepts, with the
/// device that dev has; an error from it stops the server. `identity` is the dev identity (none
/// for `serve`); it lives as long as the server, because it holds the data directory's lock.
///
/// # Errors
/// When a listener cannot be opened.
pub fn run(
    config: &Config,
    identity: Option<&Identity>,
    ready: impl FnOnce(&Endpoints, Option<&FirstDevice>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    raise_open_files();
    let clock = Clock::new();
    let wall = clock.clone();
    let authenticator = Arc::new(Authenticator::new(config, Arc::new(move || wall.wall_ms()))?);
    let mut endpoints = Endpoints::default();
    let tls = needs_tls(config)
        .then(|| TlsConfigs::build(&config.tls, &config.clients, ClientAuth::of(config)))
        .transpose()?;
    let listening = bind_mqtt(config, tls.as_ref(), &mut endpoints)?;
    let https = bind_https(config, &mut endpoints)?;
    let trust = tls.as_ref().and_then(|tls| tls.trust.clone());
    let mut plane = start(config, &clock, &authenticator, (&listening, trust.clone()))?;
    let hub = plane.hub.clone();
    drop(listening);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(CONTROL_THREADS)
        .enable_all()
        .build()
        .context("cannot start the control plane")?;
    let settings = Settings { trust, ..settings(config, identity)? };
    let app = App::new(hub.clone(), Arc::new(Tokens(authenticator)), settings);
    app.keys.restore(std::mem::take(&mut plane.requests), clock.wall_ms());
    let outcome = runtime.block_on(async {
        let (stop, stopped) = watch::channel(());
        let mut servers = Vec::new();
        for socket in https {
            socket.set_nonblocking(true)?;
            let socket = tokio::net::TcpListener::from_std(socket)?;
            let tls = tls.as_ref().context("HTTPS needs tls.cert_file and tls.key_file")?;
            let (config, app, mut stopped) = (Arc::clone(&tls.https), app.clone(), stopped.clone());
            servers.push(tokio::spawn(http::serve(socket, config, app, async move {
                // An error means that the sender is gone: stop as well.
                let _ = stopped.changed().await;
            })));
        }
        if let (Interval::Every(every), Profile::Open) =
            (config.sys.interval, config.namespace.profile)
        {
            tokio::spawn(sys::publish(hub.clone(), clock.clone(), every.get()));
        }
        hub.set_ready(true);
        let mut signals = Signals::listen()?;
        let device = match identity {
            Some(_) => first_device(&hub).await?,
            None => None,
        };
        ready(&endpoints, device.as_ref())?;
        signals.next().await;
        tracing::info!("stopping");
        hub.stop();
        let _ = stop.send(());
        for server in servers {
            // A server that panicked has nothing left to finish.
            let _ = server.await;
        }
        anyhow::Ok(())
    });
    hub.stop();
    plane.join();
    outcome
}

/// As many open files as the hard limit allows: the usual soft one ends at 1,024 connections.
fn raise_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
}

fn needs_tls(config: &Config) -> bool {
    !config.listeners.mqtts.is_empty() || !config.listeners.https.is_empty()
}

fn bind_https(
    config: &Config,
    endpoints: &mut Endpoints,
) -> anyhow::Result<Vec<std::net::TcpListener>> {
    let bind = |address: &SocketAddr| {
        let socket = std::net::TcpListener::bind(address)
            .map_err(|e| bind_error(ListenerKind::Https, *address, &e))?;
        endpoints.https.push(socket.local_addr()?);
        Ok(socket)
    };
    config.listeners.https.iter().map(bind).collect()
}

fn bind_mqtt(
    config: &Config,
    tls: Option<&TlsConfigs>,
    endpoints: &mut Endpoints,
) -> anyhow::Result<Vec<Listening>> {
    let mut listening = Vec::new();
    for address in &config.listeners.mqtt {
        let bound = Listening::bind(*address, Listener::Plain, None);
        let bound = bound.map_err(|e| bind_error(ListenerKind::Mqtt, *address, &e))?;
        endpoints.mqtt.push(bound.address()?);
        listening.push(bound);
    }
    for address in &config.listeners.mqtts {
        let tls = tls.map(|t| Arc::clone(&t.mqtts));
        let bound = Listening::bind(*address, Listener::Tls, tls);
        let bound = bound.map_err(|e| bind_error(ListenerKind::Mqtts, *address, &e))?;
        endpoints.mqtts.push(bound.address()?);
        listening.push(bound);
    }
    Ok(listening)
}

fn settings(config: &Config, identity: Option<&Identity>) -> anyhow::Result<Settings> {
    let jwks = identity.map(|i| std::fs::read(Identity::files(i.dir()).jwks)).transpose();
    Ok(Settings {
        clock: if identity.is_some() { ClockControl::Dev } else { ClockControl::Fixed },
        jwks: jwks.context("cannot read the key set")?.map(Into::into),
        ..Settings::of(&config.http, config.namespace.profile)
    })
}

/// SIGTERM and Ctrl-C. They wait from here on: whoever reads the ready line may send one at once.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> anyhow::Result<Self> {
        let context = "cannot wait for signals";
        Ok(Self {
            terminate: signal(SignalKind::terminate()).context(context)?,
            interrupt: signal(SignalKind::interrupt()).context(context)?,
        })
    }

    /// Resolves at the first of them.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// HTTP's bearer tokens, asked of the one authenticator.
struct Tokens(Arc<Authenticator>);

impl Bearer for Tokens {
    fn bearer(&self, token: &str) -> Result<Arc<Principal>, TokenRefused> {
        self.0
            .bearer(token, Audience::Http)
            .map_err(|refused| TokenRefused { why: refused.to_string() })
    }
}

/// HTTP runs beside the reactors, on the same cores.
const CONTROL_THREADS: usize = 2;
