//! `$SYS/broker/#`: uptime, counts and rates as retained messages, in profile `open`.

use crate::clock::Clock;
use crate::net::Hub;
use mqtt::qos::QoS;
use mqtt::wire::Version;
use node::counters::Counters;
use node::door::PublishRequest;
use std::time::Duration;

/// Publishes the figures every `interval` until it is dropped.
pub async fn publish(hub: Hub, clock: Clock, interval: Duration) {
    let mut timer = tokio::time::interval(interval);
    let mut last = (clock.mono_ms(), 0, 0);
    tell(&hub, "version", concat!("gridhub ", env!("CARGO_PKG_VERSION")).to_owned());
    loop {
        timer.tick().await;
        let now_ms = clock.mono_ms();
        let sum = |of: &dyn Fn(&Counters) -> u64| {
            hub.reactor_counters().iter().map(|c| of(c)).sum::<u64>()
        };
        let received = sum(&|c| all(c, Counters::received_messages));
        let sent = sum(&|c| all(c, Counters::sent_messages));
        let seconds = (now_ms.saturating_sub(last.0)).max(1) as f64 / 1_000.0;
        let rate = |now: u64, before: u64| format!("{:.2}", (now - before) as f64 / seconds);
        let figures = [
            ("uptime", format!("{} seconds", now_ms / 1_000)),
            ("clients/connected", sum(&|c| c.connections.get()).to_string()),
            ("clients/total", sum(&|c| c.sessions.get()).to_string()),
            ("subscriptions/count", sum(&|c| c.subscriptions.get()).to_string()),
            ("messages/received", received.to_string()),
            ("messages/sent", sent.to_string()),
            ("load/messages/received", rate(received, last.1)),
            ("load/messages/sent", rate(sent, last.2)),
            ("bytes/received", sum(&|c| c.bytes_in.get()).to_string()),
            ("bytes/sent", sum(&|c| c.bytes_out.get()).to_string()),
        ];
        for (topic, figure) in figures {
            tell(&hub, topic, figure);
        }
        last = (now_ms, received, sent);
    }
}

fn tell(hub: &Hub, topic: &str, figure: String) {
    let request = PublishRequest {
        topic: format!("$SYS/broker/{topic}"),
        qos: QoS::AtMostOnce,
        retain: true,
        properties: Vec::new(),
        payload: figure.into_bytes(),
        watch: None,
        key: None,
    };
    hub.tell(request);
}

fn all(c: &Counters, of: fn(&Counters, Version, QoS) -> u64) -> u64 {
    let mut sum = 0;
    for version in [Version::V311, Version::V5] {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            sum += of(c, version, qos);
        }
    }
    sum
}
