//! Messages as records of a Kafka topic, a CloudEvent each: a batch is taken when all replicas in
//! sync have all of it. What a device sends has its id as key, so it is in one partition, in
//! order. Refuses to know when a batch is tried again.

mod producer;
#[cfg(test)]
mod tests;

use super::batch::{Batch, CLOUD_EVENT};
use super::sink::{Refusal, Verdict};
use crate::auth::outgoing::trusting_system_and;
use anyhow::Context;
use producer::{Ear, Grouping, Producer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureRecord;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::timeout;

/// A topic of a cluster.
#[derive(Clone)]
pub struct KafkaSettings {
    /// Some of it, `host` or `host:port`.
    pub brokers: Vec<String>,
    /// Where records go.
    pub topic: String,
    /// Whether the device's id is the key of a record; else it has none.
    pub has_keys: bool,
    /// What is spoken, as Kafka calls it.
    pub security: &'static str,
    /// Who we are, where that is asked.
    pub login: Option<KafkaLogin>,
    /// Authorities besides the system's (PEM).
    pub ca_file: Option<PathBuf>,
    /// Whether TLS is spoken.
    pub has_tls: bool,
    /// How long a batch may take, its connections included.
    pub timeout: Duration,
}

/// A name and its proof.
#[derive(Clone)]
pub struct KafkaLogin {
    /// As SASL calls it.
    pub mechanism: &'static str,
    /// The name.
    pub user: String,
    /// The proof.
    pub password: String,
}

/// The client of one topic.
pub struct Kafka {
    settings: KafkaSettings,
    /// What it says of its connections.
    ear: Ear,
    /// Absent before the first batch, and after one that was not taken.
    producer: Option<Producer>,
}

/// Why a record was not taken.
struct Failure {
    code: Option<RDKafkaErrorCode>,
    why: String,
}

impl Kafka {
    /// Without a connection.
    ///
    /// # Errors
    /// Authorities that cannot be read, or none where TLS is spoken.
    pub fn new(settings: KafkaSettings) -> anyhow::Result<Self> {
        if settings.has_tls {
            let trusted = trusting_system_and(settings.ca_file.as_deref());
            trusted.with_context(|| format!("cannot trust {}", settings.brokers.join(", ")))?;
        }
        Ok(Self { settings, ear: Ear::default(), producer: None })
    }

    /// Gives the topic a batch and waits until all of it is acknowledged.
    ///
    /// # Errors
    /// Some of it was not, or nobody knows.
    pub async fn take(&mut self, batch: &Batch) -> Result<(), Refusal> {
        let limit = self.settings.timeout;
        let refusal = match timeout(limit, self.publish(batch)).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => failure.refusal(),
            Err(_) => {
                let said = self.ear.heard().map(|said| format!(": {said}")).unwrap_or_default();
                let ms = limit.as_millis();
                Refusal::later(format!("not all was acknowledged for {ms} ms{said}"))
            }
        };
        // What it still has would come behind what is tried next.
        self.end();
        Err(refusal)
    }

    async fn publish(&mut self, batch: &Batch) -> Result<(), Failure> {
        match self.send(batch, Grouping::Many).await {
            // Brokers count what comes in one request as one: perhaps each record is small enough.
            Err(failure) if failure.is_size() && batch.len() > 1 => {
                self.end();
                let sent = self.send(batch, Grouping::Single).await;
                self.end();
                sent
            }
            sent => sent,
        }
    }

    /// Sends all, then waits for what becomes of each.
    async fn send(&mut self, batch: &Batch, grouping: Grouping) -> Result<(), Failure> {
        let producer = match self.producer.take() {
            Some(producer) => producer,
            None => producer::open(&self.settings, grouping, self.ear.clone())?,
        };
        let (settings, producer) = (&self.settings, self.producer.insert(producer));
        let (mut sent, mut failed) = (Vec::with_capacity(batch.len()), None);
        batch.each(|id, envelope| {
            if failed.is_some() {
                return;
            }
            let mut event = Vec::new();
            envelope.write_cloud_event(id, batch.hub(), &mut event);
            let kind = Header { key: "content-type", value: Some(CLOUD_EVENT) };
            let mut record = FutureRecord::to(&settings.topic)
                .payload(&event)
                .headers(OwnedHeaders::new_with_capacity(1).insert(kind));
            if settings.has_keys {
                record = record.key(envelope.head.ids.device);
            }
            match producer.send_result(record) {
                Ok(acknowledged) => sent.push((id.to_owned(), acknowledged)),
                Err((error, _)) => failed = Some(self.ear.explain(id, &error)),
            }
        });
        if let Some(failed) = failed {
            return Err(failed);
        }
        let mut failed: Option<Failure> = None;
        for (id, acknowledged) in sent {
            let error = match acknowledged.await {
                Ok(Ok(_)) => continue,
                Ok(Err((error, _))) => error,
                Err(_) => KafkaError::Canceled,
            };
            let failure = self.ear.explain(&id, &error);
            // The first that says why; others only say that one was before them.
            if failed.as_ref().is_none_or(Failure::is_consequence) {
                failed = Some(failure);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Gives up what it has not sent. The next batch gets a new one.
    fn end(&mut self) {
        if let Some(producer) = self.producer.take() {
            producer::end(producer);
        }
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        self.end();
    }
}

impl Ear {
    fn explain(&self, id: &str, error: &KafkaError) -> Failure {
        let code = error.rdkafka_error_code();
        let failure = Failure { code, why: String::new() };
        let why = match (failure.is_consequence(), self.heard(), code) {
            (true, Some(said), _) => said,
            (_, _, Some(code)) => format!("message {id} was refused: {code}"),
            (_, _, None) => format!("message {id} was not sent: {error}"),
        };
        Failure { why, ..failure }
    }
}

impl Failure {
    fn is_size(&self) -> bool {
        use RDKafkaErrorCode::{MessageBatchTooLarge, MessageSizeTooLarge};
        matches!(self.code, Some(MessageSizeTooLarge | MessageBatchTooLarge))
    }

    /// Another record has failed before it, or the client as a whole.
    fn is_consequence(&self) -> bool {
        use RDKafkaErrorCode::{Fatal, GaplessGuarantee, PurgeInflight, PurgeQueue};
        matches!(self.code, None | Some(Fatal | GaplessGuarantee | PurgeInflight | PurgeQueue))
    }

    fn refusal(self) -> Refusal {
        use RDKafkaErrorCode as Code;
        let verdict = match self.code {
            Some(
                Code::MessageSizeTooLarge
                | Code::MessageBatchTooLarge
                | Code::InvalidMessageSize
                | Code::InvalidRecord
                | Code::InvalidTimestamp
                | Code::InvalidTopic
                | Code::PolicyViolation
                | Code::UnknownTopic
                | Code::UnknownTopicOrPartition
                | Code::UnknownPartition
                | Code::UnsupportedForMessageFormat,
            ) => Verdict::Never,
            // Such as rights: who may grant them can do so.
            _ => Verdict::Later(None),
        };
        Refusal { why: self.why, verdict }
    }
}

/// Without what is secret.
impl std::fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KafkaSettings({} {})", self.brokers.join(","), self.topic)
    }
}
