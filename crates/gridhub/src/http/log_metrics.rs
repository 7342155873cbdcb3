//! The log as metrics: names and help. Refuses to count: it is told a [`State`].

use std::fmt::Write as _;

use super::backend::{Family, Kind};
use crate::disk::Times;
use crate::keep::State;

/// Counters and gauges of a log.
pub fn families(state: &State) -> Vec<Family> {
    [
        (
            "gridhub_log_bytes",
            "Bytes of the log's files, with what the open one has reserved.",
            Kind::Gauge,
            state.extent.bytes,
        ),
        ("gridhub_log_segments", "Files of the log.", Kind::Gauge, state.extent.segments as u64),
        (
            "gridhub_log_commits_total",
            "Batches of records that became facts.",
            Kind::Counter,
            state.commits,
        ),
        ("gridhub_log_records_total", "Records that became facts.", Kind::Counter, state.records),
        (
            "gridhub_log_refused_total",
            "Records that the disk did not take: what needed them was refused.",
            Kind::Counter,
            state.refused,
        ),
        (
            "gridhub_log_health",
            "0: the disk takes records, 1: it is full, 2: it failed and nothing is kept until the \
             next start.",
            Kind::Gauge,
            state.health.level(),
        ),
    ]
    .map(|(name, help, kind, value)| Family {
        name,
        help,
        kind,
        samples: vec![(Vec::new(), value)],
    })
    .into()
}

/// How long the disk took, as a histogram in seconds (Prometheus text 0.0.4).
pub fn sync_seconds(times: &Times) -> String {
    let mut text = format!(
        "# HELP {SYNC} How long the disk took to make the log's files last (fdatasync).\n\
         # TYPE {SYNC} histogram\n"
    );
    // Writing to a String does not fail.
    for (us, count) in &times.up_to_us {
        let _ = writeln!(text, "{SYNC}_bucket{{le=\"{}\"}} {count}", seconds(*us));
    }
    let (count, sum) = (times.count, seconds(times.sum_us));
    let _ = writeln!(text, "{SYNC}_bucket{{le=\"+Inf\"}} {count}\n{SYNC}_sum {sum}");
    let _ = writeln!(text, "{SYNC}_count {count}");
    text
}

/// Exact, without the zeros at its end.
fn seconds(us: u64) -> String {
    let text = format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

const SYNC: &str = "gridhub_log_sync_seconds";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_adds_up_in_seconds() {
        let times = Times {
            up_to_us: vec![(100, 1), (2_500, 3), (1_000_000, 3)],
            count: 4,
            sum_us: 12_000_350,
        };
        let text = sync_seconds(&times);
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "# TYPE gridhub_log_sync_seconds histogram",
                "gridhub_log_sync_seconds_bucket{le=\"0.0001\"} 1",
                "gridhub_log_sync_seconds_bucket{le=\"0.0025\"} 3",
                "gridhub_log_sync_seconds_bucket{le=\"1\"} 3",
                "gridhub_log_sync_seconds_bucket{le=\"+Inf\"} 4",
                "gridhub_log_sync_seconds_sum 12.00035",
                "gridhub_log_sync_seconds_count 4",
            ]
        );
    }
}
