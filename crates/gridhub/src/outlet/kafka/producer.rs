//! librdkafka's producer, set up as an endpoint needs it: nothing is acknowledged that not all
//! replicas in sync have, and in each partition nothing overtakes or leaves a gap. Its threads are
//! its own, and say what they meet to an [`Ear`]. Refuses to know records.

use super::{Failure, KafkaSettings};
use crate::auth::outgoing::{named, system};
use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::FutureProducer;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// It, at work.
pub type Producer = FutureProducer<Ear>;

/// How many records of a partition one request may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// As many as there are.
    Many,
    /// One.
    Single,
}

/// What a producer said last of its connections.
#[derive(Clone, Default)]
pub struct Ear(Arc<Mutex<Option<String>>>);

/// Makes one; it connects by itself.
///
/// # Errors
/// The settings make none, as one sentence.
pub fn open(settings: &KafkaSettings, grouping: Grouping, ear: Ear) -> Result<Producer, Failure> {
    let failed = |why| Failure { code: None, why };
    ear.lock().take();
    let mut config = ClientConfig::new();
    config.set_log_level(RDKafkaLogLevel::Warning);
    let timeout_ms = settings.timeout.as_millis();
    for (key, value) in [
        ("bootstrap.servers", settings.brokers.join(",")),
        ("client.id", "gridhub".to_owned()),
        ("acks", "all".to_owned()),
        ("enable.idempotence", "true".to_owned()),
        ("enable.gapless.guarantee", "true".to_owned()),
        // The whole batch has a limit; were it each record's, those behind one could overtake it.
        ("message.timeout.ms", "0".to_owned()),
        ("socket.timeout.ms", timeout_ms.to_string()),
        // So that a topic that is not there is told before the batch is out of time.
        ("topic.metadata.propagation.max.ms", (timeout_ms / 3).to_string()),
        // As clients of most languages place keys.
        ("partitioner", "murmur2_random".to_owned()),
        ("queue.buffering.max.kbytes", QUEUE_KIB_MAX.to_string()),
        ("security.protocol", settings.security.to_owned()),
    ] {
        config.set(key, value);
    }
    if grouping == Grouping::Single {
        config.set("batch.num.messages", "1");
    }
    if let Some(login) = &settings.login {
        config.set("sasl.mechanism", login.mechanism);
        config.set("sasl.username", &login.user).set("sasl.password", &login.password);
    }
    if settings.has_tls {
        config.set("ssl.ca.pem", authorities(settings).map_err(failed)?);
    }
    let made = config.create_with_context(ear);
    made.map_err(|error: KafkaError| failed(format!("there is no client of Kafka: {error}")))
}

/// Ends one, without waiting: what it has not sent is given up.
pub fn end(producer: Producer) {
    // It waits for its threads, so it needs one of its own; without one it is waited for here.
    let ending = std::thread::Builder::new().name("kafka-end".to_owned());
    if let Err(error) = ending.spawn(move || drop(producer)) {
        tracing::warn!(%error, "a client of Kafka has no thread to end in");
    }
}

impl Ear {
    /// The last thing.
    pub fn heard(&self) -> Option<String> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Ear {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, text: &str) {
        tracing::debug!(facility, text, "librdkafka");
    }

    fn error(&self, error: KafkaError, why: &str) {
        let mut last = self.lock();
        match error {
            // It follows from what was said before, which says more.
            KafkaError::Global(RDKafkaErrorCode::AllBrokersDown) => {
                last.get_or_insert_with(|| why.to_owned());
            }
            _ => *last = Some(why.to_owned()),
        }
    }
}

/// All that we believe, as one text: what librdkafka is given replaces what it would believe.
fn authorities(settings: &KafkaSettings) -> Result<String, String> {
    let mut all = String::new();
    for file in [system(), named(), settings.ca_file.clone()].into_iter().flatten() {
        let text = std::fs::read_to_string(&file);
        all += &text.map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        all.push('\n');
    }
    Ok(all)
}

/// A batch has some MiB, and one is sent at a time.
const QUEUE_KIB_MAX: u32 = 64 * 1024;
