//! The reactors' counters as metrics (event-grid 11.1): added up when read, labels made here and
//! not on the path of a message.

use crate::http::backend::{Family, Kind, Sample};
use broker::budget::Budget;
use broker::retained::Retained;
use mqtt::qos::QoS;
use mqtt::wire::Version;
use node::counters::{Count, Counters, Loss};
use node::{PAUSES, Pause};
use std::sync::Arc;

/// All metrics of the data plane.
pub(super) fn families(
    reactors: &[Arc<Counters>],
    retained: &Retained,
    budget: &Budget,
) -> Vec<Family> {
    let connects = |at: usize| reactors.iter().map(|c| c.connects[at].get()).sum::<u64>();
    let labelled = [
        (
            "gridhub_mqtt_successful_published_messages_total",
            "PUBLISH packets accepted for routing.",
            messages(reactors, Counters::received_messages),
        ),
        (
            "gridhub_mqtt_successful_delivered_messages_total",
            "PUBLISH packets sent to clients.",
            messages(reactors, Counters::sent_messages),
        ),
        (
            "gridhub_mqtt_successful_connects_total",
            "CONNECT answered with success.",
            vec![
                (vec![("protocol", "MQTT3".into())], connects(0)),
                (vec![("protocol", "MQTT5".into())], connects(1)),
            ],
        ),
        (
            "gridhub_mqtt_dropped_messages_total",
            "Messages that did not reach a session, by reason.",
            drops(reactors),
        ),
    ];
    let sum = |of: fn(&Counters) -> &Count| reactors.iter().map(|c| of(c).get()).sum::<u64>();
    let plain = |kind| move |(name, help, value)| family(name, help, kind, vec![(vec![], value)]);
    let totals = TOTALS.iter().map(|(name, help, of)| (*name, *help, sum(*of)));
    let levels = LEVELS.iter().map(|(name, help, of)| (*name, *help, sum(*of)));
    let kept = retained.counts();
    let stored = [
        ("gridhub_mqtt_retained_messages_count", "Retained messages.", kept.messages as u64),
        ("gridhub_mqtt_retained_messages_bytes", "Bytes of retained messages.", kept.bytes as u64),
    ];
    let memory = memory(budget, retained.index_bytes());
    let labelled = labelled.map(|(name, help, of)| family(name, help, Kind::Counter, of));
    labelled
        .into_iter()
        .chain(totals.map(plain(Kind::Counter)))
        .chain(levels.chain(stored).chain(memory).map(plain(Kind::Gauge)))
        .chain(pauses(reactors))
        .collect()
}

/// Name, help and value of one gauge.
type Level = (&'static str, &'static str, u64);

fn memory(budget: &Budget, index_bytes: usize) -> [Level; 5] {
    [
        ("gridhub_memory_bytes", "Memory for data in use.", (budget.bytes() + index_bytes) as u64),
        ("gridhub_memory_bytes_max", "Its bound.", budget.bytes_max() as u64),
        (
            "gridhub_memory_pressure",
            "0: there is room, 1: from nine tenths on, 2: full.",
            budget.level() as u64,
        ),
        (
            "gridhub_mqtt_queued_bytes",
            "Bytes waiting in all session queues, a message counted in each.",
            budget.queued_bytes() as u64,
        ),
        ("gridhub_mqtt_queued_bytes_max", "Its bound.", budget.queued_bytes_max() as u64),
    ]
}

fn pauses(reactors: &[Arc<Counters>]) -> [Family; 3] {
    let causes = |of: fn(&Counters) -> &[Count; PAUSES]| -> Vec<Sample> {
        let sum = |at: usize| reactors.iter().map(|c| of(c)[at].get()).sum();
        let sample = |why: Pause| (vec![("cause", why.name().into())], sum(why.place()));
        Pause::ALL.map(sample).into()
    };
    let throttled = |of: fn(&Counters) -> &Count| reactors.iter().map(|c| of(c).get()).sum();
    let kind = |name: &str, n| {
        (vec![("throttle_type", name.to_owned()), ("protocol", "MQTT".to_owned())], n)
    };
    [
        family(
            "gridhub_mqtt_publisher_pauses_total",
            "Times a publisher was not read for a while, by cause.",
            Kind::Counter,
            causes(|c| &c.pauses),
        ),
        family(
            "gridhub_mqtt_paused_publishers",
            "Publishers that are not read now, by cause.",
            Kind::Gauge,
            causes(|c| &c.paused),
        ),
        family(
            "gridhub_mqtt_throttling_enforcements_total",
            "Requests that came too fast.",
            Kind::Counter,
            vec![
                kind("ConnectPacketsPerNamespace", throttled(|c| &c.connects_throttled)),
                kind("IncomingPublishPacketsPerConnection", throttled(|c| &c.publishes_throttled)),
            ],
        ),
    ]
}

fn messages(reactors: &[Arc<Counters>], of: fn(&Counters, Version, QoS) -> u64) -> Vec<Sample> {
    let mut samples = Vec::new();
    for (version, protocol) in [(Version::V311, "MQTT3"), (Version::V5, "MQTT5")] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let labels = vec![("protocol", protocol.into()), ("qos", qos.bits().to_string())];
            samples.push((labels, reactors.iter().map(|c| of(c, version, qos)).sum()));
        }
    }
    samples
}

fn drops(reactors: &[Arc<Counters>]) -> Vec<Sample> {
    let sum = |why| reactors.iter().map(|c| c.dropped(why)).sum();
    Loss::ALL.map(|why| (vec![("reason", why.name().into())], sum(why))).into()
}

fn family(name: &'static str, help: &'static str, kind: Kind, samples: Vec<Sample>) -> Family {
    Family { name, help, kind, samples }
}

/// Name, help and what is added up over the reactors.
type Plain = (&'static str, &'static str, fn(&Counters) -> &Count);

/// What only grows.
const TOTALS: [Plain; 19] = [
    ("gridhub_mqtt_failed_connects_total", "CONNECT refused.", |c| &c.connects_refused),
    ("gridhub_mqtt_denied_publishes_total", "Publishes without permission.", |c| {
        &c.publishes_denied
    }),
    ("gridhub_mqtt_refused_publishes_total", "Publishes refused at a bound.", |c| {
        &c.publishes_refused
    }),
    ("gridhub_mqtt_successful_subscription_operations_total", "Topic filters granted.", |c| {
        &c.subscribes
    }),
    ("gridhub_mqtt_failed_subscription_operations_total", "Topic filters refused.", |c| {
        &c.subscribes_refused
    }),
    ("gridhub_mqtt_unsubscribe_operations_total", "Topic filters removed.", |c| &c.unsubscribes),
    ("gridhub_mqtt_protocol_errors_total", "Connections with wrong bytes.", |c| &c.protocol_errors),
    ("gridhub_mqtt_connections_lost_total", "Ended without DISCONNECT.", |c| &c.connections_lost),
    ("gridhub_mqtt_taken_over_total", "Connections taken over.", |c| &c.taken_over),
    ("gridhub_mqtt_sessions_expired_total", "Sessions ended by expiry.", |c| &c.sessions_expired),
    ("gridhub_hub_faults_total", "Times a fault of /admin/faults struck.", |c| &c.faults),
    (
        "gridhub_log_carried_messages_total",
        "Messages long under way that were written to the log again.",
        |c| &c.carried,
    ),
    (
        "gridhub_mqtt_shared_messages_returned_total",
        "Messages that a member of a shared group did not get, for another one.",
        |c| &c.shared_returned,
    ),
    (
        "gridhub_mqtt_topic_alias_saved_bytes_total",
        "Bytes not sent thanks to topic aliases.",
        |c| &c.alias_bytes_saved,
    ),
    ("gridhub_mqtt_posts_filled_total", "Times a reactor found another one's post full.", |c| {
        &c.posts_filled
    }),
    ("gridhub_memory_pressures_total", "Times the memory for data came to its mark.", |c| {
        &c.pressures
    }),
    (
        "gridhub_mqtt_accept_waits_total",
        "Times accepting stopped for connections before CONNECT.",
        |c| &c.crowds,
    ),
    ("gridhub_mqtt_sent_bytes_total", "MQTT bytes to clients.", |c| &c.bytes_out),
    ("gridhub_mqtt_received_bytes_total", "MQTT bytes from clients.", |c| &c.bytes_in),
];

/// What goes up and down.
const LEVELS: [Plain; 6] = [
    ("gridhub_mqtt_opening_connections", "Connections before CONNECT.", |c| &c.openings),
    ("gridhub_mqtt_connections", "Open connections.", |c| &c.connections),
    ("gridhub_mqtt_sessions", "Sessions, absent ones included.", |c| &c.sessions),
    ("gridhub_mqtt_subscriptions", "Subscriptions, shared ones included.", |c| &c.subscriptions),
    ("gridhub_mqtt_shared_groups", "Shared groups.", |c| &c.shared_groups),
    ("gridhub_mqtt_shared_messages_waiting", "Messages that wait in shared groups.", |c| {
        &c.shared_waiting
    }),
];
