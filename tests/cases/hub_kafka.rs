//! Kafka endpoints with the built binary: what is acknowledged to devices comes to the topic, at
//! least once and in order of each device, whatever fails between.
use crate::hub_endpoints::{Hub, SOURCES, first_come, send, shown};
use e2e::device::Device;
use e2e::kafka::{KafkaCluster, KafkaRecord};
use e2e::{Foreign, until};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const DEVICES: [&str; 3] = ["d1", "d2", "d3"];

/// What each device's records say, in the order in which they came first.
fn by_device(records: &BTreeMap<i32, Vec<KafkaRecord>>) -> BTreeMap<String, Vec<u64>> {
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in records.values().flatten() {
        let device = record.key.clone().unwrap_or_default();
        all.entry(device).or_default().push(record.event["data"]["body"].clone());
    }
    all.into_iter().map(|(device, bodies)| (device, first_come(bodies.into_iter()))).collect()
}

/// Devices send while the server is killed, and `fail` happens between.
fn everything_comes(cluster: &KafkaCluster, topic: &str, fail: impl Fn(usize)) {
    let endpoint = format!(
        "kind = \"kafka\"\nbrokers = {}\ntopic = \"{topic}\"\nbatch_messages_max = 50\n\
         timeout = \"5s\"",
        cluster.list()
    );
    let hub = Hub::sending(&SOURCES[..1], "", &endpoint);
    let mut server = hub.start();
    let keys = DEVICES.map(|device| Hub::register(&server, device));
    let mut sent = 0;
    for round in 0..4 {
        fail(round);
        let both = DEVICES.iter().zip(&keys);
        let mut devices: Vec<_> =
            both.map(|(device, key)| Device::connect(&server, device, key)).collect();
        for device in &mut devices {
            send(device, sent..sent + 40);
        }
        sent += 40;
        drop(server);
        server = hub.start();
    }
    until("all messages", || (shown(&server)["waiting"] == 0).then_some(()));
    assert_eq!(shown(&server)["health"], "healthy");
    let records = cluster.records(topic);
    let whole: Vec<u64> = (0..sent).collect();
    let expected = DEVICES.map(|device| (device.to_owned(), whole.clone()));
    assert_eq!(by_device(&records), expected.into(), "each of them, in order");
    // A key is in one partition, and each record is an event.
    for device in DEVICES {
        let has = |all: &&Vec<KafkaRecord>| all.iter().any(|r| r.key.as_deref() == Some(device));
        assert_eq!(records.values().filter(has).count(), 1, "{device}");
    }
    for record in records.values().flatten() {
        assert_eq!(record.kind.as_deref(), Some("application/cloudevents+json"));
        let subject = format!("devices/{}", record.key.as_deref().unwrap());
        assert_eq!(record.event["subject"], subject);
        assert_eq!(record.event["type"], "Microsoft.Devices.DeviceTelemetry");
    }
}

#[test]
fn a_topic_has_everything_though_its_brokers_go_and_the_server_is_killed() {
    if !Foreign::Curl.ready() {
        return;
    }
    let cluster = KafkaCluster::mock();
    cluster.make_topic("telemetry", 4);
    everything_comes(&cluster, "telemetry", |round| match round {
        1 => cluster.go_down(),
        3 => cluster.come_up(),
        _ => {}
    });
}

#[test]
fn a_topic_of_a_real_broker_has_everything_though_the_server_is_killed() {
    if !Foreign::Curl.ready() {
        return;
    }
    let Some(cluster) = KafkaCluster::real() else { return };
    let topic = format!("gridhub-test-{}", std::process::id());
    everything_comes(&cluster, &topic, |_| {});
}

/// An outage is told, and waited for; the server ends though its brokers do not answer.
#[test]
fn brokers_that_are_away_are_told_and_waited_for() {
    if !Foreign::Curl.ready() {
        return;
    }
    let cluster = KafkaCluster::mock();
    cluster.make_topic("t", 1);
    cluster.go_down();
    let endpoint =
        format!("kind = \"kafka\"\nbrokers = {}\ntopic = \"t\"\ntimeout = \"1s\"", cluster.list());
    let hub = Hub::sending(&SOURCES[..1], "", &endpoint);
    let mut server = hub.start();
    let key = Hub::register(&server, "d1");
    let mut device = Device::connect(&server, "d1", &key);
    send(&mut device, 0..10);
    let failing = until("a failed attempt", || {
        let shown = shown(&server);
        (shown["failedAttempts"] != json!(0)).then_some(shown)
    });
    assert_eq!((&failing["health"], &failing["kind"]), (&json!("unhealthy"), &json!("kafka")));
    assert_eq!((&failing["waiting"], &failing["delivered"]), (&json!(10), &json!(0)));
    let why = failing["lastError"].as_str().unwrap();
    assert!(why.starts_with("not all was acknowledged for 1000 ms: "), "{why}");
    server.terminate();
    assert!(server.ended().success());
    let server = hub.start();
    cluster.come_up();
    until("all messages", || (shown(&server)["waiting"] == 0).then_some(()));
    assert_eq!(by_device(&cluster.records("t")), [("d1".into(), (0..10).collect())].into());
}
