//! Kafka brokers, and what they have: librdkafka's mock of a cluster, which is sockets on loopback
//! that speak the protocol, or a real one that the environment names.
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Some brokers. A mock ends with it.
pub struct KafkaCluster {
    /// Where one of them is.
    pub brokers: String,
    mock: Option<MockCluster<'static, DefaultProducerContext>>,
}

/// One record.
#[derive(Clone, Debug)]
pub struct KafkaRecord {
    /// Its key.
    pub key: Option<String>,
    /// The header that says what it is.
    pub kind: Option<String>,
    /// Its payload.
    pub event: Value,
}

impl KafkaCluster {
    /// Brokers of the test's own.
    #[track_caller]
    pub fn mock() -> Self {
        let mock = MockCluster::new(BROKERS).expect("ports on loopback");
        Self { brokers: mock.bootstrap_servers(), mock: Some(mock) }
    }

    /// Those that `GRIDHUB_TEST_KAFKA` names; they have to make topics by themselves. `None`, said
    /// by the test's name, where it names none.
    pub fn real() -> Option<Self> {
        let Ok(brokers) = std::env::var("GRIDHUB_TEST_KAFKA") else {
            let test = std::thread::current().name().unwrap_or("a test").to_string();
            eprintln!("SKIPPED {test}: GRIDHUB_TEST_KAFKA=host:port names a broker to use");
            return None;
        };
        Some(Self { brokers, mock: None })
    }

    /// As a list of a configuration.
    pub fn list(&self) -> String {
        let each = self.brokers.split(',').map(|broker| format!("\"{broker}\""));
        format!("[{}]", each.collect::<Vec<_>>().join(", "))
    }

    /// Makes a topic, in a mock.
    #[track_caller]
    pub fn make_topic(&self, topic: &str, partitions: i32) {
        self.brokers_of_mock().create_topic(topic, partitions, BROKERS).expect("a topic");
    }

    /// All brokers of a mock hang up and take no connection.
    #[track_caller]
    pub fn go_down(&self) {
        self.brokers_of_mock().broker_down(ALL).expect("brokers");
    }

    /// They do again.
    #[track_caller]
    pub fn come_up(&self) {
        self.brokers_of_mock().broker_up(ALL).expect("brokers");
    }

    /// All records of a topic by partition, in order.
    #[track_caller]
    pub fn records(&self, topic: &str) -> BTreeMap<i32, Vec<KafkaRecord>> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers).set("group.id", "gridhub-test");
        let consumer: BaseConsumer = config.create().expect("a consumer");
        let known = consumer.fetch_metadata(Some(topic), PATIENCE).expect("brokers answer");
        let partitions: Vec<_> = known.topics()[0].partitions().iter().map(|p| p.id()).collect();
        let (mut wanted, mut list) = (BTreeMap::new(), TopicPartitionList::new());
        for partition in partitions {
            let ends = consumer.fetch_watermarks(topic, partition, PATIENCE);
            let (first, end) = ends.expect("brokers answer");
            if end > first {
                wanted.insert(partition, end);
                list.add_partition_offset(topic, partition, Offset::Beginning).expect("an offset");
            }
        }
        consumer.assign(&list).expect("partitions");
        let mut found: BTreeMap<i32, Vec<KafkaRecord>> = BTreeMap::new();
        while !wanted.is_empty() {
            let record = consumer.poll(PATIENCE).expect("the rest").expect("a record");
            let (partition, end) = (record.partition(), record.offset() + 1);
            found.entry(partition).or_default().push(KafkaRecord::of(&record));
            wanted.retain(|at, last| *at != partition || *last > end);
        }
        found
    }

    #[track_caller]
    fn brokers_of_mock(&self) -> &MockCluster<'static, DefaultProducerContext> {
        self.mock.as_ref().expect("a mock")
    }
}

impl KafkaRecord {
    fn of(record: &impl Message) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("text");
        let header = record.headers().and_then(|all| all.iter().find(|h| h.key == "content-type"));
        Self {
            key: record.key().map(text),
            kind: header.and_then(|header| header.value).map(text),
            event: serde_json::from_slice(record.payload().unwrap_or_default()).expect("JSON"),
        }
    }
}

const BROKERS: i32 = 2;
const ALL: i32 = -1;
const PATIENCE: Duration = Duration::from_secs(20);
