//! The figures of the hub, taken by crate `load`. All of them are measured only by name.
use super::durable::{By, Durable, When, row};

/// In the order of the issue.
pub const HUB: &[Durable] = &[
    Durable {
        name: "hub-reported",
        shows: "256 devices report in parallel, each patch on the disk before its answer",
        when: When::Named,
        by: By::Load,
        rows: &[
            row("per_s", "patches a second", None, "20000"),
            row("bar_to_done", "20,000 a second to what is done", ONE, "1"),
            row("to_raw", "patch to raw fdatasync, each alone, 99 %", TEN, "10 x raw"),
            row("to_raw_beside", "patch to raw fdatasync beside it, 99 %", TEN, "10 x raw"),
            row("rate", "a second, while it was timed", None, "-"),
            row("p50_us", "µs to the answer, median", None, "-"),
            row("p99_us", "µs to the answer, 99 %", None, "-"),
            row("raw_p99_us", "µs of a raw fdatasync, 99 %", None, "-"),
            row("full_p99_us", "µs to the answer as fast as it goes, 99 %", None, "-"),
            row("cpu_us", "CPU-µs a patch", None, "-"),
        ],
    },
    Durable {
        name: "hub-telemetry",
        shows: "256 devices send telemetry at QoS 1, on the disk before PUBACK",
        when: When::Named,
        by: By::Load,
        rows: &[
            row("per_s", "messages a second", None, "100000"),
            row("bar_to_done", "100,000 a second to what is done", ONE, "1"),
            row("rate", "a second, while it was timed", None, "-"),
            row("p50_us", "µs to PUBACK, median", None, "-"),
            row("p99_us", "µs to PUBACK, 99 %", None, "-"),
            row("raw_p99_us", "µs of a raw fdatasync, 99 %", None, "-"),
            row("cpu_us", "CPU-µs a message", None, "-"),
        ],
    },
    Durable {
        name: "hub-methods",
        shows: "methods over HTTP at 2,000 a second, and GET /healthz at the same rate",
        when: When::Named,
        by: By::Load,
        rows: &[
            row("to_plain", "method to plain request, 99 %", THREE, "3 x plain"),
            row("p50_us", "µs of a method, median", None, "-"),
            row("p99_us", "µs of a method, 99 %", None, "-"),
            row("plain_p50_us", "µs of a plain request, median", None, "-"),
            row("plain_p99_us", "µs of a plain request, 99 %", None, "-"),
            row("cpu_us", "CPU-µs a method", None, "-"),
        ],
    },
    Durable {
        name: "hub-connected",
        shows: "memory of a connected device over a plain connection, 10,000 of each",
        when: When::Named,
        by: By::Load,
        rows: &[
            row("over_plain_bytes", "bytes a device over a plain connection", BYTES, "2500"),
            row(
                "over_plain_subscribed_bytes",
                "bytes a device over a plain connection, 3 filters each",
                BYTES,
                "2500",
            ),
            row("device_bytes", "bytes a connected device", None, "-"),
            row("plain_bytes", "bytes a plain connection", None, "-"),
            row("device_subscribed_bytes", "bytes a connected device with 3 filters", None, "-"),
        ],
    },
    Durable {
        name: "hub-registered",
        shows: "1 million devices registered over HTTP in bulk, and a start after kill -9",
        when: When::Named,
        by: By::Load,
        rows: &[
            row("disk_mb", "MB on the disk", Some(1_000.0), "1000"),
            row("resident_mb", "MB resident", Some(250.0), "250"),
            row("restored_mb", "MB resident after the start", Some(250.0), "250"),
            row("start_ms", "ms to ready", None, "-"),
            row("per_s", "devices registered a second", None, "-"),
            row("cpu_us", "CPU-µs a device registered", None, "-"),
        ],
    },
    Durable {
        name: "hub-queries",
        shows: "queries over 100,000 devices with tags and desired properties",
        when: When::Named,
        by: By::Load,
        rows: &[
            row("id_ms", "ms, deviceId = one", Some(300.0), "300"),
            row("tag_ms", "ms, tags.site = one, 100 found", Some(300.0), "300"),
            row("scan_ms", "ms, a scan that finds none", Some(2_000.0), "2000"),
            row("count_ms", "ms, a scan that counts half", Some(2_000.0), "2000"),
            row("device_bytes", "bytes a device with its twin", None, "-"),
        ],
    },
];

const ONE: Option<f64> = Some(1.0);
const THREE: Option<f64> = Some(3.0);
const TEN: Option<f64> = Some(10.0);
const BYTES: Option<f64> = Some(2_500.0);
