//! HTTP against a double of the data plane, over in-memory streams and over loopback TLS. The
//! bytes on the wire are written by hand: a client library would hide what is tested.

mod admin;
mod batch;
mod double;
mod faults;
mod first_device;
mod homes;
mod hostile;
mod http2;
mod hub;
mod hub_feedback;
mod hub_jobs;
mod hub_messages;
mod idempotency;
mod publish;
mod refusals;
mod retained;
mod telemetry;
mod throttles;
mod tls;
mod wire;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use self::double::{Double, Tokens};
use self::wire::{Client, Reply};
use super::app::{App, Settings};
use super::server::{Peer, Protocol, Running, connection};
use super::service::Service;

/// A server without a socket.
struct Server {
    hub: Arc<Double>,
    service: Arc<Service<Arc<Double>>>,
    stop: watch::Sender<Running>,
}

impl Server {
    fn new() -> Self {
        Self::with(Double::open(), Settings::default())
    }

    fn with(hub: Double, settings: Settings) -> Self {
        let hub = Arc::new(hub);
        let app = App::new(Arc::clone(&hub), Arc::new(Tokens), settings);
        let (stop, _) = watch::channel(Running::Serving);
        Server { hub, service: Arc::new(Service::new(app)), stop }
    }

    /// A new HTTP/1.1 connection.
    fn connect(&self) -> Client<tokio::io::DuplexStream> {
        Client::new(self.stream(Protocol::Http1))
    }

    fn stream(&self, protocol: Protocol) -> tokio::io::DuplexStream {
        let (ours, theirs) = tokio::io::duplex(8 * 1024 * 1024);
        tokio::spawn(connection(
            theirs,
            Peer {
                address: ([127, 0, 0, 1], 50_000).into(),
                protocol,
                since: Instant::now(),
                certificate: None,
            },
            Arc::clone(&self.service),
            self.stop.subscribe(),
        ));
        ours
    }

    /// One request on a connection of its own; `head` without the last empty line.
    async fn ask(&self, head: &str, body: &[u8]) -> Reply {
        self.connect().ask(head, body).await
    }

    /// `GET` with the token `all`.
    async fn get(&self, target: &str) -> Reply {
        self.ask(&format!("GET {target} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer all"), b"")
            .await
    }

    /// `POST /mqtt/messages` with the token `all` and further header lines.
    async fn publish(&self, query: &str, headers: &str, body: &[u8]) -> Reply {
        self.ask(&publish_head(query, headers), body).await
    }
}

/// The head of a publish with the token `all`; `headers` are lines ending in CR LF.
fn publish_head(query: &str, headers: &str) -> String {
    let head = format!(
        "POST /mqtt/messages?{query}&api-version=2025-08-01-preview HTTP/1.1\r\nhost: hub\r\n\
         authorization: Bearer all\r\n{headers}"
    );
    head.trim_end().to_owned()
}
