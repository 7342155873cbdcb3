//! What HTTP counts itself, named after event-grid 11.1. Refuses to know how metrics are printed.

use std::sync::atomic::{AtomicU64, Ordering};

use hyper::StatusCode;
use mqtt::qos::QoS;

use super::backend::{Family, Kind, Sample};
use super::publish::draft::{Flags, Retain};
use super::rate::Throttle;

/// Counters of one `App`. Every one only grows.
#[derive(Debug)]
pub struct Counters {
    /// By [`STATUSES`], the last one for all others.
    responses: [AtomicU64; STATUSES.len() + 1],
    /// Single publishes and batch items, by status as above, then by [`FLAGS`], the last one for
    /// those that were refused before they were read.
    publishes: [[AtomicU64; FLAGS.len() + 1]; STATUSES.len() + 1],
    batch_items: AtomicU64,
    throttled_messages: AtomicU64,
    throttled_bytes: AtomicU64,
    connections: AtomicU64,
    handshakes_failed: AtomicU64,
    unreadable: AtomicU64,
}

impl Counters {
    /// All at zero.
    pub fn new() -> Self {
        let zero = |_| AtomicU64::new(0);
        Counters {
            responses: std::array::from_fn(zero),
            publishes: std::array::from_fn(|_| std::array::from_fn(zero)),
            batch_items: AtomicU64::new(0),
            throttled_messages: AtomicU64::new(0),
            throttled_bytes: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            handshakes_failed: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
        }
    }

    /// One answer left with this status.
    pub fn responded(&self, status: StatusCode) {
        add(&self.responses[row(status)]);
    }

    /// One publish was decided; `None` when it was refused before its flags were known.
    pub fn published(&self, flags: Option<Flags>, status: StatusCode) {
        let column = FLAGS.iter().position(|known| Some(*known) == flags).unwrap_or(FLAGS.len());
        add(&self.publishes[row(status)][column]);
    }

    /// One item of a batch was decided.
    pub fn batch_item(&self) {
        add(&self.batch_items);
    }

    /// One publish came too soon after the others of its principal.
    pub fn throttled(&self, by: Throttle) {
        add(match by {
            Throttle::Messages => &self.throttled_messages,
            Throttle::Bytes => &self.throttled_bytes,
        });
    }

    /// One connection was accepted.
    pub fn connected(&self) {
        add(&self.connections);
    }

    /// One TLS handshake failed or took too long.
    pub fn handshake_failed(&self) {
        add(&self.handshakes_failed);
    }

    /// One peer sent what is no HTTP.
    pub fn unreadable(&self) {
        add(&self.unreadable);
    }

    /// As families, to print with the data plane's.
    pub fn families(&self) -> Vec<Family> {
        let throttled = |kind: &str, count| (vec![("throttle_type", kind.to_owned())], get(count));
        vec![
            counter("gridhub_http_responses_total", "HTTP responses by status.", self.responses()),
            counter(
                "gridhub_mqtt_request_count_total",
                "Requests by operation, protocol and result.",
                self.requests(),
            ),
            counter(
                "gridhub_mqtt_successful_published_messages_total",
                "Messages accepted for routing.",
                self.successful(),
            ),
            counter(
                "gridhub_mqtt_failed_published_messages_total",
                "Messages refused; qos and retain are empty when the request was not read.",
                self.failed(),
            ),
            counter(
                "gridhub_mqtt_throttling_enforcements_total",
                "Publishes refused by a rate limit.",
                vec![
                    throttled("IncomingPublishPacketsPerConnection", &self.throttled_messages),
                    throttled("InboundBandwidthPerConnection", &self.throttled_bytes),
                ],
            ),
            plain(
                "gridhub_http_batch_items_total",
                "Items of batch requests, refused ones included.",
                &self.batch_items,
            ),
            plain(
                "gridhub_http_connections_total",
                "HTTP connections accepted.",
                &self.connections,
            ),
            plain(
                "gridhub_http_handshakes_failed_total",
                "TLS handshakes that failed or took too long.",
                &self.handshakes_failed,
            ),
            plain(
                "gridhub_http_unreadable_total",
                "Connections closed for bytes that are no HTTP request.",
                &self.unreadable,
            ),
        ]
    }

    fn responses(&self) -> Vec<Sample> {
        let samples = self.responses.iter().enumerate();
        let samples = samples.map(|(row, count)| (vec![("status", status_of(row))], get(count)));
        samples.filter(|(_, count)| *count > 0).collect()
    }

    fn requests(&self) -> Vec<Sample> {
        let of_result = |wanted: Verdict| {
            let rows = self.publishes.iter().enumerate();
            let rows = rows.filter(move |(row, _)| Verdict::of(*row) == wanted);
            rows.flat_map(|(_, counts)| counts).map(get).sum()
        };
        let sample = |verdict: Verdict| {
            let labels = vec![
                ("operation_type", "Publish".to_owned()),
                protocol(),
                ("result", verdict.result().to_owned()),
                ("error", verdict.error().to_owned()),
            ];
            (labels, of_result(verdict))
        };
        Verdict::ALL.map(sample).into()
    }

    /// Every combination of flags, at zero too.
    fn successful(&self) -> Vec<Sample> {
        let of_column = |column: usize| {
            let rows = self.publishes.iter().enumerate();
            let rows = rows.filter(|(row, _)| Verdict::of(*row) == Verdict::Success);
            rows.map(|(_, counts)| get(&counts[column])).sum()
        };
        let sample = |(column, flags): (usize, &Flags)| {
            let [qos, retain] = flag_labels(Some(*flags));
            (vec![protocol(), qos, retain], of_column(column))
        };
        FLAGS.iter().enumerate().map(sample).collect()
    }

    /// Only what has happened: there are many combinations.
    fn failed(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for (row, counts) in self.publishes.iter().enumerate() {
            let verdict = Verdict::of(row);
            if verdict == Verdict::Success {
                continue;
            }
            for (column, count) in counts.iter().enumerate().filter(|(_, c)| get(c) > 0) {
                let [qos, retain] = flag_labels(FLAGS.get(column).copied());
                let error = ("error", verdict.error().to_owned());
                let status = ("status", status_of(row));
                samples.push((vec![protocol(), qos, retain, error, status], get(count)));
            }
        }
        samples
    }
}

/// The dimensions Result and Error of event-grid 11.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Success,
    AuthenticationError,
    AuthorizationError,
    QuotaExceeded,
    ClientError,
    ServiceError,
}

impl Verdict {
    const ALL: [Verdict; 6] = [
        Verdict::Success,
        Verdict::AuthenticationError,
        Verdict::AuthorizationError,
        Verdict::QuotaExceeded,
        Verdict::ClientError,
        Verdict::ServiceError,
    ];

    /// By index into [`STATUSES`]. A status that is not there is no answer to a publish we know
    /// of, so it is our mistake.
    fn of(row: usize) -> Self {
        match STATUSES.get(row) {
            Some(200..=299) => Verdict::Success,
            Some(401) => Verdict::AuthenticationError,
            Some(403) => Verdict::AuthorizationError,
            Some(429) => Verdict::QuotaExceeded,
            Some(300..=499) => Verdict::ClientError,
            Some(_) | None => Verdict::ServiceError,
        }
    }

    fn result(self) -> &'static str {
        match self {
            Verdict::Success => "Success",
            Verdict::ServiceError => "ServiceError",
            Verdict::AuthenticationError
            | Verdict::AuthorizationError
            | Verdict::QuotaExceeded
            | Verdict::ClientError => "ClientError",
        }
    }

    fn error(self) -> &'static str {
        match self {
            Verdict::Success => "",
            Verdict::AuthenticationError => "AuthenticationError",
            Verdict::AuthorizationError => "AuthorizationError",
            Verdict::QuotaExceeded => "QuotaExceeded",
            Verdict::ClientError => "ClientError",
            Verdict::ServiceError => "ServiceError",
        }
    }
}

/// Name and value of a label.
type Label = (&'static str, String);

/// The dimension Protocol of event-grid 11.1.
fn protocol() -> Label {
    ("protocol", "http-publish".to_owned())
}

fn flag_labels(flags: Option<Flags>) -> [Label; 2] {
    let qos = flags.map_or(String::new(), |flags| flags.qos.bits().to_string());
    let retain = flags.map_or("", |flags| match flags.retain {
        Retain::Keep => "true",
        Retain::No => "false",
    });
    [("qos", qos), ("retain", retain.to_owned())]
}

fn counter(name: &'static str, help: &'static str, samples: Vec<Sample>) -> Family {
    Family { name, help, kind: Kind::Counter, samples }
}

fn plain(name: &'static str, help: &'static str, count: &AtomicU64) -> Family {
    counter(name, help, vec![(Vec::new(), get(count))])
}

/// Index into [`STATUSES`], or one behind its end.
fn row(status: StatusCode) -> usize {
    STATUSES.iter().position(|known| *known == status.as_u16()).unwrap_or(STATUSES.len())
}

fn status_of(row: usize) -> String {
    STATUSES.get(row).map_or("other".to_owned(), u16::to_string)
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

const STATUSES: [u16; 22] = [
    101, 200, 201, 202, 204, 400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 415, 426, 429, 431,
    500, 503, 507,
];

const FLAGS: [Flags; 4] = [
    Flags { qos: QoS::AtMostOnce, retain: Retain::No },
    Flags { qos: QoS::AtMostOnce, retain: Retain::Keep },
    Flags { qos: QoS::AtLeastOnce, retain: Retain::No },
    Flags { qos: QoS::AtLeastOnce, retain: Retain::Keep },
];
