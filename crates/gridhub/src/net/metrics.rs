//! The reactors' counters as metrics (event-grid 11.1): added up when read, labels made here and
//! not on the path of a message.

use crate::http::backend::{Family, Kind, Sample};
use broker::retained::Retained;
use mqtt::qos::QoS;
use mqtt::wire::Version;
use node::counters::{Count, Counters, Loss};
use std::sync::Arc;

/// All metrics of the data plane.
pub(super) fn families(reactors: &[Arc<Counters>], retained: &Retained) -> Vec<Family> {
    let sum = |of: fn(&Counters) -> &Count| reactors.iter().map(|c| of(c).get()).sum::<u64>();
    let counter = |name, help, of| family(name, help, Kind::Counter, vec![(vec![], sum(of))]);
    let gauge = |name, help, of| family(name, help, Kind::Gauge, vec![(vec![], sum(of))]);
    let kept = retained.counts();
    let connects = |at: usize| reactors.iter().map(|c| c.connects[at].get()).sum::<u64>();
    let own =
        |name, help, value: usize| family(name, help, Kind::Gauge, vec![(vec![], value as u64)]);
    vec![
        family(
            "gridhub_mqtt_successful_published_messages_total",
            "PUBLISH packets accepted for routing.",
            Kind::Counter,
            messages(reactors, Counters::received_messages),
        ),
        family(
            "gridhub_mqtt_successful_delivered_messages_total",
            "PUBLISH packets sent to clients.",
            Kind::Counter,
            messages(reactors, Counters::sent_messages),
        ),
        family(
            "gridhub_mqtt_successful_connects_total",
            "CONNECT answered with success.",
            Kind::Counter,
            vec![
                (vec![("protocol", "MQTT3".into())], connects(0)),
                (vec![("protocol", "MQTT5".into())], connects(1)),
            ],
        ),
        family(
            "gridhub_mqtt_dropped_messages_total",
            "Messages that did not reach a session, by reason.",
            Kind::Counter,
            drops(reactors),
        ),
        counter("gridhub_mqtt_failed_connects_total", "CONNECT refused.", |c| &c.connects_refused),
        counter("gridhub_mqtt_denied_publishes_total", "Publishes without permission.", |c| {
            &c.publishes_denied
        }),
        counter("gridhub_mqtt_refused_publishes_total", "Publishes refused at a bound.", |c| {
            &c.publishes_refused
        }),
        counter(
            "gridhub_mqtt_successful_subscription_operations_total",
            "Topic filters granted.",
            |c| &c.subscribes,
        ),
        counter(
            "gridhub_mqtt_failed_subscription_operations_total",
            "Topic filters refused.",
            |c| &c.subscribes_refused,
        ),
        counter("gridhub_mqtt_unsubscribe_operations_total", "Topic filters removed.", |c| {
            &c.unsubscribes
        }),
        counter("gridhub_mqtt_protocol_errors_total", "Connections with wrong bytes.", |c| {
            &c.protocol_errors
        }),
        counter("gridhub_mqtt_connections_lost_total", "Ended without DISCONNECT.", |c| {
            &c.connections_lost
        }),
        counter("gridhub_mqtt_taken_over_total", "Connections taken over.", |c| &c.taken_over),
        counter("gridhub_mqtt_sessions_expired_total", "Sessions ended by expiry.", |c| {
            &c.sessions_expired
        }),
        counter("gridhub_mqtt_sent_bytes_total", "MQTT bytes to clients.", |c| &c.bytes_out),
        counter("gridhub_mqtt_received_bytes_total", "MQTT bytes from clients.", |c| &c.bytes_in),
        gauge("gridhub_mqtt_connections", "Open connections.", |c| &c.connections),
        gauge("gridhub_mqtt_sessions", "Sessions, absent ones included.", |c| &c.sessions),
        gauge("gridhub_mqtt_subscriptions", "Subscriptions.", |c| &c.subscriptions),
        own("gridhub_mqtt_retained_messages_count", "Retained messages.", kept.messages),
        own("gridhub_mqtt_retained_messages_bytes", "Bytes of retained messages.", kept.bytes),
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
