//! Messages as those of a NATS JetStream subject, a CloudEvent each: a batch is taken when the
//! stream has acknowledged all of it. `Nats-Msg-Id` is the message's own, so that the stream takes
//! what comes again for once, within its window of duplicates. Refuses to know when a batch is
//! tried again.

mod connection;

use super::batch::Batch;
use super::sink::{Refusal, Verdict};
use crate::auth::outgoing::trusting_system_and;
use anyhow::Context;
use connection::{Acknowledged, Connection};
use rustls::ClientConfig;
use serde::Deserialize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// A subject of a server.
#[derive(Clone)]
pub struct NatsSettings {
    /// Without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it has to speak TLS; one that asks for it is spoken to so too.
    pub tls: bool,
    /// Where a stream listens.
    pub subject: String,
    /// Who we are.
    pub login: Login,
    /// Authorities besides the system's (PEM).
    pub ca_file: Option<PathBuf>,
    /// How long a batch may take, its connection included.
    pub timeout: Duration,
}

/// How the server knows us.
#[derive(Clone)]
pub enum Login {
    /// It does not ask.
    Nobody,
    /// By a token.
    Token(String),
    /// By name and password.
    User(String, String),
}

/// The client of one subject.
pub struct Nats {
    settings: NatsSettings,
    /// Absent where the server does not ask for it and no authority is known.
    tls: Option<Arc<ClientConfig>>,
    connection: Option<Connection>,
}

/// What a stream says to a message.
#[derive(Deserialize)]
struct Answer {
    error: Option<Why>,
}

#[derive(Deserialize)]
struct Why {
    #[serde(default)]
    description: String,
}

impl Nats {
    /// Without a connection.
    ///
    /// # Errors
    /// Authorities that cannot be read, or none where TLS is needed.
    pub fn new(settings: NatsSettings) -> anyhow::Result<Self> {
        let tls = trusting_system_and(settings.ca_file.as_deref());
        let is_needed = settings.tls || settings.ca_file.is_some();
        let tls = match tls {
            Err(error) if is_needed => {
                return Err(error).with_context(|| format!("cannot trust {}", settings.host));
            }
            tls => tls.ok(),
        };
        Ok(Self { settings, tls, connection: None })
    }

    /// Publishes a batch and waits until all of it is acknowledged.
    ///
    /// # Errors
    /// Some of it was not, or nobody knows.
    pub async fn take(&mut self, batch: &Batch) -> Result<(), Refusal> {
        let kept = self.connection.take();
        let limit = self.settings.timeout;
        match timeout(limit, self.publish(kept, batch)).await {
            Ok(Ok((connection, acknowledged))) => {
                self.connection = Some(connection);
                acknowledged.iter().try_for_each(verdict)
            }
            Ok(Err(refusal)) => Err(refusal),
            Err(_) => {
                let ms = limit.as_millis();
                Err(Refusal::later(format!("not all was acknowledged for {ms} ms")))
            }
        }
    }

    async fn publish(
        &self,
        kept: Option<Connection>,
        batch: &Batch,
    ) -> Result<(Connection, Vec<Acknowledged>), Refusal> {
        let events = batch.events();
        if let Some(mut kept) = kept
            && let Ok(acknowledged) = kept.publish(&self.settings.subject, &events).await
        {
            return Ok((kept, acknowledged));
        }
        // There is none, or it was closed meanwhile.
        let opened = Connection::open(&self.settings, self.tls.as_ref()).await;
        let mut connection = opened.map_err(Refusal::later)?;
        let bytes_max = connection.payload_bytes_max();
        if let Some((id, event)) = events.iter().find(|(_, event)| event.len() > bytes_max) {
            let bytes = event.len();
            let why = format!("message {id} has {bytes} bytes, and the server takes {bytes_max}");
            return Err(Refusal { why, verdict: Verdict::Never });
        }
        let published = connection.publish(&self.settings.subject, &events).await;
        published.map(|acknowledged| (connection, acknowledged)).map_err(Refusal::later)
    }
}

fn verdict(acknowledged: &Acknowledged) -> Result<(), Refusal> {
    let payload = match acknowledged {
        Acknowledged::NobodyListens => {
            return Err(Refusal::later("no stream listens to the subject"));
        }
        Acknowledged::Said(payload) => payload,
    };
    match serde_json::from_slice(payload) {
        Ok(Answer { error: None }) => Ok(()),
        Ok(Answer { error: Some(Why { description }) }) => {
            Err(Refusal::later(format!("the stream refused: {description}")))
        }
        Err(_) => Err(Refusal::later("who answered is no stream")),
    }
}

/// Without what is secret.
impl std::fmt::Debug for NatsSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NatsSettings({}:{} {})", self.host, self.port, self.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_stream_says_is_understood() {
        for (said, why) in [
            (r#"{"stream":"S","seq":7}"#, None),
            (r#"{"stream":"S","seq":7,"duplicate":true}"#, None),
            (r#"{"error":{"code":503,"description":"full"}}"#, Some("the stream refused: full")),
            ("hello", Some("who answered is no stream")),
        ] {
            let said = Acknowledged::Said(said.as_bytes().to_vec());
            assert_eq!(verdict(&said).err().map(|refusal| refusal.why).as_deref(), why);
        }
        assert!(verdict(&Acknowledged::NobodyListens).is_err());
    }
}
