//! The hub's own endpoints as metrics: names and help. Refuses to count: it is told.

use super::backend::{Backend, Family, Kind, Sample};
use crate::outlet::{Endpoint, Health};

/// Counters and gauges of all endpoints; nothing where there are none.
pub fn families<B: Backend>(backend: &B) -> Vec<Family> {
    let (endpoints, now_ms) = (backend.endpoints(), backend.wall_ms());
    let outlets = backend.feed().map_or(&[][..], |feed| feed.outlets());
    if endpoints.is_empty() {
        return Vec::new();
    }
    let of_each = |value: &dyn Fn(&Endpoint) -> u64| -> Vec<Sample> {
        let label = |endpoint: &Endpoint| vec![("endpoint", endpoint.name.clone())];
        endpoints.iter().map(|endpoint| (label(endpoint), value(endpoint))).collect()
    };
    let waiting = |endpoint: &Endpoint| {
        let outlet = outlets.iter().find(|outlet| outlet.name().as_str() == endpoint.name);
        outlet.map_or(0, |outlet| outlet.waiting())
    };
    let health = |endpoint: &Endpoint| {
        let health = endpoint.state.seen(now_ms).health;
        Health::ALL.iter().position(|one| *one == health).unwrap_or_default() as u64
    };
    let counter = |name, help, value: &dyn Fn(&Endpoint) -> u64| Family {
        name,
        help,
        kind: Kind::Counter,
        samples: of_each(value),
    };
    let gauge = |name, help, value| Family { kind: Kind::Gauge, ..counter(name, help, value) };
    vec![
        counter(
            "gridhub_hub_endpoint_delivered_total",
            "Messages that an endpoint took.",
            &|endpoint| endpoint.state.seen(now_ms).delivered,
        ),
        counter(
            "gridhub_hub_endpoint_failed_attempts_total",
            "Attempts to give a batch to an endpoint that failed.",
            &|endpoint| endpoint.state.seen(now_ms).failed,
        ),
        counter(
            "gridhub_hub_endpoint_dead_lettered_total",
            "Messages that an endpoint would not take.",
            &|endpoint| endpoint.state.seen(now_ms).dead_lettered,
        ),
        counter(
            "gridhub_hub_endpoint_dropped_total",
            "Messages for an endpoint that were too old or too much while they waited.",
            &|endpoint| endpoint.state.seen(now_ms).dropped,
        ),
        counter(
            "gridhub_hub_endpoint_dead_letters_dropped_total",
            "Dead letters that found no room (dead_letters_bytes_max).",
            &|endpoint| endpoint.letters.counts().1,
        ),
        gauge("gridhub_hub_endpoint_dead_letters", "Dead letters that are there.", &|endpoint| {
            endpoint.letters.counts().0
        }),
        gauge("gridhub_hub_endpoint_waiting", "Messages that an endpoint has not.", &waiting),
        gauge(
            "gridhub_hub_endpoint_age_ms",
            "How long the oldest message that is being given to an endpoint has waited.",
            &|endpoint| endpoint.state.seen(now_ms).age_ms,
        ),
        gauge(
            "gridhub_hub_endpoint_health",
            "0: unknown, 1: healthy, 2: degraded, 3: unhealthy, 4: dead.",
            &health,
        ),
    ]
}
