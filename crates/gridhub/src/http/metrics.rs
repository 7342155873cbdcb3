//! HTTP's own counters and `GET /metrics`: Prometheus text 0.0.4, names after event-grid 11.1.
//! Refuses to know what the data plane counts: it only prints it.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;

use super::app::App;
use super::backend::{Backend, Family, Kind, Sample};
use super::publish::outcome::Outcome;

/// Counters of one `App`. Every one only grows.
#[derive(Debug)]
pub struct Counters {
    /// By [`STATUSES`], the last one for all others.
    responses: [AtomicU64; STATUSES.len() + 1],
    /// By [`RESULTS`], for single requests and for batch items.
    single: [AtomicU64; RESULTS.len()],
    batch: [AtomicU64; RESULTS.len()],
    throttled: AtomicU64,
    connections: AtomicU64,
    handshakes_failed: AtomicU64,
}

impl Counters {
    /// All at zero.
    pub fn new() -> Self {
        let zeros = || std::array::from_fn(|_| AtomicU64::new(0));
        Counters {
            responses: std::array::from_fn(|_| AtomicU64::new(0)),
            single: zeros(),
            batch: zeros(),
            throttled: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            handshakes_failed: AtomicU64::new(0),
        }
    }

    /// One answer left with this status.
    pub fn responded(&self, status: StatusCode) {
        let at = STATUSES.iter().position(|s| *s == status.as_u16()).unwrap_or(STATUSES.len());
        add(&self.responses[at]);
    }

    /// One publish was decided; `form` is `single` or `batch`.
    pub fn published(&self, form: &str, outcome: &Outcome) {
        let counters = if form == "batch" { &self.batch } else { &self.single };
        add(&counters[result_of(outcome.status())]);
    }

    /// One publish came too soon after the others of its principal.
    pub fn throttled(&self) {
        add(&self.throttled);
    }

    /// One connection was accepted.
    pub fn connected(&self) {
        add(&self.connections);
    }

    /// One TLS handshake failed or took too long.
    pub fn handshake_failed(&self) {
        add(&self.handshakes_failed);
    }

    /// As families, to print with the data plane's.
    fn families(&self) -> Vec<Family> {
        let counter = |name, help, samples| Family { name, help, kind: Kind::Counter, samples };
        let responses = self.responses.iter().enumerate().map(|(at, count)| {
            let status = STATUSES.get(at).map_or("other".to_owned(), u16::to_string);
            (vec![("status", status)], get(count))
        });
        let requests = RESULTS.iter().enumerate().map(|(at, (result, error))| {
            let labels = vec![
                ("operation_type", "Publish".to_owned()),
                ("protocol", "http-publish".to_owned()),
                ("result", (*result).to_owned()),
                ("error", (*error).to_owned()),
            ];
            (labels, get(&self.single[at]) + get(&self.batch[at]))
        });
        let throttled = vec![("throttle_type", "IncomingPublishPacketsPerConnection".to_owned())];
        vec![
            counter(
                "gridhub_http_responses_total",
                "HTTP responses by status.",
                responses.filter(|(_, count)| *count > 0).collect(),
            ),
            counter(
                "gridhub_mqtt_request_count_total",
                "Requests by operation, protocol and result.",
                requests.collect(),
            ),
            counter(
                "gridhub_http_batch_items_total",
                "Items of batch requests, refused ones included.",
                vec![(Vec::new(), self.batch.iter().map(get).sum())],
            ),
            counter(
                "gridhub_mqtt_throttling_enforcements_total",
                "Publishes refused by a rate limit.",
                vec![(throttled, get(&self.throttled))],
            ),
            counter(
                "gridhub_http_connections_total",
                "HTTP connections accepted.",
                vec![(Vec::new(), get(&self.connections))],
            ),
            counter(
                "gridhub_http_handshakes_failed_total",
                "TLS handshakes that failed or took too long.",
                vec![(Vec::new(), get(&self.handshakes_failed))],
            ),
        ]
    }
}

/// `GET /metrics`.
pub async fn handle<B: Backend>(State(app): State<App<B>>) -> Response {
    let mut families = app.backend.counters();
    for family in app.counters.families() {
        merge(&mut families, family);
    }
    for (name, help, value) in [
        ("gridhub_http_idempotency_keys", "Idempotency keys remembered.", app.keys.count()),
        ("gridhub_http_body_bytes", "Request bodies in memory.", app.bodies.used()),
    ] {
        let samples = vec![(Vec::new(), value as u64)];
        families.push(Family { name, help, kind: Kind::Gauge, samples });
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text(&families)).into_response()
}

/// A name may stand in the text once: samples of the same name go to the family that is there.
fn merge(families: &mut Vec<Family>, family: Family) {
    match families.iter_mut().find(|known| known.name == family.name) {
        Some(known) => known.samples.extend(family.samples),
        None => families.push(family),
    }
}

/// Prometheus text format 0.0.4.
fn text(families: &[Family]) -> String {
    let mut text = String::new();
    for family in families {
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing to a String does not fail.
        let _ = writeln!(text, "# HELP {} {help}\n# TYPE {} {kind}", family.name, family.name);
        for sample in &family.samples {
            line(&mut text, family.name, sample);
        }
    }
    text
}

fn line(text: &mut String, name: &str, (labels, value): &Sample) {
    text.push_str(name);
    for (n, (label, content)) in labels.iter().enumerate() {
        text.push(if n == 0 { '{' } else { ',' });
        let _ = write!(text, "{label}=\"");
        for c in content.chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                c => text.push(c),
            }
        }
        text.push('"');
    }
    let _ = writeln!(text, "{} {value}", if labels.is_empty() { "" } else { "}" });
}

/// Index into [`RESULTS`].
fn result_of(status: StatusCode) -> usize {
    match status.as_u16() {
        200..=299 => 0,
        401 => 1,
        403 => 2,
        429 => 3,
        500.. => 5,
        _ => 4,
    }
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

/// The dimensions Result and Error of event-grid 11.1.
const RESULTS: [(&str, &str); 6] = [
    ("Success", ""),
    ("ClientError", "AuthenticationError"),
    ("ClientError", "AuthorizationError"),
    ("ClientError", "QuotaExceeded"),
    ("ClientError", "ClientError"),
    ("ServiceError", "ServiceError"),
];

const STATUSES: [u16; 15] =
    [200, 202, 204, 400, 401, 403, 404, 405, 408, 413, 415, 429, 431, 500, 503];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_format_escapes_and_groups() {
        let mut families = vec![Family {
            name: "a_total",
            help: "line\nbreak \\",
            kind: Kind::Counter,
            samples: vec![(vec![("x", "q\"b\\n\n".to_owned()), ("y", String::new())], 1)],
        }];
        let more = Family { samples: vec![(Vec::new(), 2)], ..families[0].clone() };
        merge(&mut families, more);
        merge(
            &mut families,
            Family { name: "b", help: "b", kind: Kind::Gauge, samples: vec![(Vec::new(), 3)] },
        );
        assert_eq!(
            text(&families),
            "# HELP a_total line\\nbreak \\\\\n# TYPE a_total counter\n\
             a_total{x=\"q\\\"b\\\\n\\n\",y=\"\"} 1\na_total 2\n\
             # HELP b b\n# TYPE b gauge\nb 3\n"
        );
    }
}
