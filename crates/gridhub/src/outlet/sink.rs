//! What takes the messages of an endpoint, by its kind, and how it refuses them.

use super::batch::Batch;
use super::file::{FileSettings, FileSink};
#[cfg(feature = "kafka")]
use super::kafka::{Kafka, KafkaSettings};
use super::nats::{Nats, NatsSettings};
use super::webhook::{Webhook, WebhookSettings};
use std::path::Path;
use std::time::Duration;

/// What an endpoint is, as configured.
#[derive(Debug, Clone)]
pub enum SinkSettings {
    /// HTTP requests.
    Webhook(WebhookSettings),
    /// Lines in files.
    File(FileSettings),
    /// A JetStream subject.
    Nats(NatsSettings),
    /// A Kafka topic.
    #[cfg(feature = "kafka")]
    Kafka(KafkaSettings),
}

/// It at work.
pub enum Sink {
    Webhook(Webhook),
    File(FileSink),
    Nats(Nats),
    #[cfg(feature = "kafka")]
    Kafka(Kafka),
}

/// Why a batch was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// One sentence for operators.
    pub why: String,
    /// Whether the same may be taken later.
    pub verdict: Verdict,
}

/// What follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is tried again, not before this time if one was asked for.
    Later(Option<Duration>),
    /// It would never be taken.
    Never,
}

impl Refusal {
    /// It is tried again.
    pub fn later(why: impl Into<String>) -> Self {
        Self { why: why.into(), verdict: Verdict::Later(None) }
    }
}

impl SinkSettings {
    /// What it is called in a configuration.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::File(_) => "file",
            Self::Nats(_) => "nats",
            #[cfg(feature = "kafka")]
            Self::Kafka(_) => "kafka",
        }
    }

    /// Whether it writes files in this directory.
    pub fn is_in(&self, directory: &Path) -> bool {
        matches!(self, Self::File(file) if file.directory == directory)
    }

    /// Makes it, without touching anything outside but the files of authorities.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn sink(self) -> anyhow::Result<Sink> {
        Ok(match self {
            Self::Webhook(settings) => Sink::Webhook(Webhook::new(settings)?),
            Self::File(settings) => Sink::File(FileSink::new(settings)),
            Self::Nats(settings) => Sink::Nats(Nats::new(settings)?),
            #[cfg(feature = "kafka")]
            Self::Kafka(settings) => Sink::Kafka(Kafka::new(settings)?),
        })
    }
}

impl Sink {
    /// Before the first batch.
    pub async fn begin(&mut self) {
        // The others begin with it.
        if let Self::File(file) = self {
            file.begin().await;
        }
    }

    /// Gives it a batch. When it returns the endpoint has all of it.
    ///
    /// # Errors
    /// It has none of it, or says so, or nobody knows.
    pub async fn take(&mut self, batch: &Batch, now_ms: u64) -> Result<(), Refusal> {
        match self {
            Self::Webhook(webhook) => webhook.take(batch, now_ms).await,
            Self::File(file) => file.take(batch, now_ms).await,
            Self::Nats(nats) => nats.take(batch).await,
            #[cfg(feature = "kafka")]
            Self::Kafka(kafka) => kafka.take(batch).await,
        }
    }
}
