//! The endpoint against librdkafka's mock of a cluster: brokers on loopback that speak the
//! protocol, and fail as they are told.

use super::super::batch::tests::batch;
use super::*;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Code};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use std::time::Instant;

type Cluster = MockCluster<'static, DefaultProducerContext>;

fn cluster() -> Cluster {
    let cluster = Cluster::new(1).expect("ports on loopback");
    cluster.create_topic(TOPIC, PARTITIONS, 1).expect("a topic");
    cluster
}

fn settings(cluster: &Cluster) -> KafkaSettings {
    KafkaSettings {
        brokers: vec![cluster.bootstrap_servers()],
        topic: TOPIC.to_owned(),
        has_keys: true,
        security: "plaintext",
        login: None,
        ca_file: None,
        has_tls: false,
        timeout: Duration::from_secs(10),
    }
}

fn client(cluster: &Cluster) -> Kafka {
    Kafka::new(settings(cluster)).expect("settings")
}

/// Partition, key and number of a record.
type Found = (i32, Option<String>, u64);

/// All records that the topic has, once they are enough.
fn read(cluster: &Cluster, are_enough: impl Fn(&[Found]) -> bool) -> Vec<Found> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", cluster.bootstrap_servers()).set("group.id", "test");
    let consumer: BaseConsumer = config.create().expect("a consumer");
    let mut all = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        all.add_partition_offset(TOPIC, partition, Offset::Beginning).expect("an offset");
    }
    consumer.assign(&all).expect("partitions");
    let (mut found, end) = (Vec::new(), Instant::now() + Duration::from_secs(20));
    while !are_enough(&found) {
        assert!(Instant::now() < end, "{found:?}");
        let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
        let record = record.expect("a record");
        let header = record.headers().expect("headers").get(0);
        assert_eq!((header.key, header.value), ("content-type", Some(CLOUD_EVENT.as_bytes())));
        let event: serde_json::Value =
            serde_json::from_slice(record.payload().expect("a payload")).expect("JSON");
        let key = record.key().map(|key| String::from_utf8(key.to_vec()).expect("text"));
        let number = event["data"]["body"]["n"].as_u64().expect("a number");
        found.push((record.partition(), key, number));
    }
    found
}

/// The numbers of all records up to one.
fn numbers(cluster: &Cluster, last: u64) -> Vec<u64> {
    let has_last = |found: &[Found]| found.last().is_some_and(|(.., number)| *number == last);
    read(cluster, has_last).into_iter().map(|(.., number)| number).collect()
}

#[tokio::test]
async fn what_a_device_sends_is_in_one_partition_in_order() {
    let cluster = cluster();
    let mut kafka = client(&cluster);
    for n in 0..5 {
        assert_eq!(kafka.take(&batch(n * 50..n * 50 + 50)).await, Ok(()));
    }
    let found = read(&cluster, |found| found.len() == 250);
    let (partition, first) = (found[0].0, Some("d1".to_owned()));
    assert!(found.iter().all(|(at, key, _)| *at == partition && *key == first));
    let numbers: Vec<_> = found.into_iter().map(|(_, _, number)| number).collect();
    assert_eq!(numbers, (0..250).collect::<Vec<_>>());
}

#[tokio::test]
async fn records_have_no_key_where_that_is_asked_for() {
    let cluster = cluster();
    let mut kafka = Kafka::new(KafkaSettings { has_keys: false, ..settings(&cluster) }).unwrap();
    assert_eq!(kafka.take(&batch(0..20)).await, Ok(()));
    assert!(read(&cluster, |found| found.len() == 20).into_iter().all(|(_, key, _)| key.is_none()));
}

#[tokio::test]
async fn what_brokers_refuse_is_tried_again_or_not() {
    let never = Some(Verdict::Never);
    let later = Some(Verdict::Later(None));
    let (large, rights) = (
        Code::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
        Code::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    );
    let producers = Code::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    let busy = Code::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
    for (api, errors, messages, verdict, words) in [
        (Api::Produce, &[large][..], 1, never, "message h-0-1600000000000 was refused: "),
        // Each may be small enough.
        (Api::Produce, &[large], 3, None, ""),
        (Api::Produce, &[large, large], 3, never, "Message size too large"),
        (Api::Produce, &[rights], 3, later, "Topic authorization failed"),
        (Api::InitProducerId, &[producers], 3, later, "Cluster authorization failed"),
        (Api::Produce, &[busy, busy], 3, None, ""),
    ] {
        let cluster = cluster();
        let mut kafka = client(&cluster);
        cluster.request_errors(api, errors);
        let refusal = kafka.take(&batch(0..messages)).await.err();
        let found = refusal.as_ref().map(|refusal| refusal.verdict);
        assert_eq!(found, verdict, "{api:?} {errors:?} {refusal:?}");
        let why = refusal.map(|refusal| refusal.why).unwrap_or_default();
        assert!(why.contains(words), "{api:?} {errors:?} {why}");
        // What comes next is taken, and nothing of before comes behind it. (A real broker takes
        // nothing behind what it refused; the mock does not count.)
        assert_eq!(kafka.take(&batch(10..12)).await, Ok(()), "{api:?} {errors:?}");
        let all = numbers(&cluster, 11);
        assert!(all.ends_with(&[10, 11]) && all.is_sorted(), "{api:?} {errors:?} {all:?}");
        let is_whole = all.len() as u64 == messages + 2;
        assert!(found.is_some() || is_whole, "{api:?} {errors:?} {all:?}");
    }
}

#[tokio::test]
async fn a_topic_that_is_not_there_is_told_and_a_cluster_that_is_not_is_waited_for() {
    let cluster = cluster();
    let quick = KafkaSettings { timeout: Duration::from_secs(2), ..settings(&cluster) };
    let mut kafka = Kafka::new(quick).unwrap();
    cluster.broker_down(-1).unwrap();
    let refusal = kafka.take(&batch(0..5)).await.unwrap_err();
    assert_eq!(refusal.verdict, Verdict::Later(None), "{}", refusal.why);
    assert!(refusal.why.starts_with("not all was acknowledged for 2000 ms: "), "{}", refusal.why);
    cluster.broker_up(-1).unwrap();
    assert_eq!(kafka.take(&batch(0..5)).await, Ok(()));
    assert_eq!(numbers(&cluster, 4), [0, 1, 2, 3, 4]);
    cluster.topic_error("gone", Code::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART).unwrap();
    let gone = KafkaSettings { topic: "gone".to_owned(), ..settings(&cluster) };
    let refusal = Kafka::new(gone).unwrap().take(&batch(0..5)).await.unwrap_err();
    assert_eq!(refusal.verdict, Verdict::Never, "{}", refusal.why);
}

/// The mock knows no log-in; brokers that refuse one are told the same way.
#[tokio::test]
async fn a_log_in_that_fails_is_told() {
    let cluster = cluster();
    let login =
        KafkaLogin { mechanism: "PLAIN", user: "u".to_owned(), password: "s3cret".to_owned() };
    let settings = KafkaSettings {
        security: "sasl_plaintext",
        login: Some(login),
        timeout: Duration::from_secs(2),
        ..settings(&cluster)
    };
    assert!(!format!("{settings:?}").contains("s3cret"));
    let refusal = Kafka::new(settings).unwrap().take(&batch(0..5)).await.unwrap_err();
    assert_eq!(refusal.verdict, Verdict::Later(None));
    assert!(refusal.why.to_lowercase().contains("sasl"), "{}", refusal.why);
}

/// The mock speaks no TLS: a server that does hears the first request of a client that believes it,
/// and nothing of one that does not.
#[cfg(feature = "kafka-tls")]
#[tokio::test]
async fn brokers_are_believed_by_their_authority() {
    use rustls::pki_types::PrivatePkcs8KeyDer;
    use tokio::io::AsyncReadExt;
    use tokio_rustls::TlsAcceptor;
    crate::auth::tls::install_provider();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let server = rustls::ServerConfig::builder().with_no_client_auth();
    let server = server.with_single_cert(vec![made.cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(std::sync::Arc::new(server));
    let authority = std::env::temp_dir().join(format!("kafka-ca-{}.pem", std::process::id()));
    std::fs::write(&authority, made.cert.pem()).unwrap();
    for (ca_file, is_believed) in [(Some(authority.clone()), true), (None, false)] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = acceptor.clone();
        let first_request = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut head = [0; 6];
                stream.read_exact(&mut head).await.unwrap();
                return i16::from_be_bytes([head[4], head[5]]);
            }
        });
        let settings = KafkaSettings {
            brokers: vec![format!("localhost:{port}")],
            security: "ssl",
            ca_file,
            has_tls: true,
            timeout: Duration::from_secs(2),
            ..settings(&cluster())
        };
        let refusal = Kafka::new(settings).unwrap().take(&batch(0..1)).await.unwrap_err();
        assert_eq!(refusal.verdict, Verdict::Later(None));
        assert_eq!(first_request.is_finished(), is_believed, "{}", refusal.why);
        match is_believed {
            true => assert_eq!(first_request.await.unwrap(), Api::ApiVersion as i16),
            false => assert!(refusal.why.contains("certificate verify failed"), "{}", refusal.why),
        }
    }
    std::fs::remove_file(&authority).unwrap();
}

const TOPIC: &str = "t";
const PARTITIONS: i32 = 4;
