//! Every proof and the soak in a short form: what does not depend on the machine must hold.
// A panic is how a test fails.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The built binary: `GRIDHUB_BIN` as `cargo xtask test` sets it, else built here once.
fn gridhub() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let find = || match std::env::var_os("GRIDHUB_BIN") {
        Some(path) => path.into(),
        None => {
            let build = ["build", "--quiet", "--profile", "ci", "--package", "gridhub"];
            let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
            let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
            assert!(Command::new(cargo).args(build).current_dir(root).status().unwrap().success());
            // This test lies in TARGET/ci/deps.
            std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("gridhub")
        }
    };
    BINARY.get_or_init(find).clone()
}

fn holds(words: &[&str]) {
    let mut load = Command::new(env!("CARGO_BIN_EXE_load"));
    load.args(words).arg("--smoke").arg("--binary").arg(gridhub());
    let done = load.output().unwrap();
    let line = String::from_utf8_lossy(&done.stdout);
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{words:?}: {} {line} {said}", done.status);
    assert!(line.contains("\"holds\":true"), "{line}");
}

#[test]
fn stalled_subscribers_cost_bounded_memory_and_every_drop_is_counted() {
    holds(&["proof", "stall"]);
}

#[test]
fn a_fan_out_reaches_everybody_once() {
    holds(&["proof", "fanout"]);
}

#[test]
fn all_who_were_lost_come_back_to_their_sessions() {
    holds(&["proof", "reconnect"]);
}

#[test]
fn a_fight_for_one_client_id_leaves_one_session() {
    holds(&["proof", "takeover"]);
}

#[test]
fn a_short_soak_balances() {
    holds(&["soak", "--seconds", "10"]);
}

/// The numbers of one figure at a hundredth of its size, and that its folder is gone.
fn figure(name: &str, numbers: &[&str]) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut load = Command::new(env!("CARGO_BIN_EXE_load"));
    load.args(["figure", name, "--smoke", "--folder"]).arg(&folder);
    let done = load.arg("--binary").arg(gridhub()).output().unwrap();
    let line = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success(), "{name}: {line} {}", String::from_utf8_lossy(&done.stderr));
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    for number in numbers {
        assert!(line[number].as_f64().is_some_and(|n| n > 0.0), "{name} {number}: {line}");
    }
    assert!(!folder.exists(), "{name} leaves its folder behind");
}

#[test]
fn acknowledgements_are_timed_beside_the_disk() {
    figure("puback", &["p50_us", "p99_us", "raw_p99_us", "to_raw", "to_raw_beside", "batch_bytes"]);
}

#[test]
fn a_start_finds_every_session_and_retained_message() {
    figure("durable-start", &["start_ms", "resume_ms", "session_bytes", "resident_mb"]);
}

#[test]
fn every_read_of_retained_messages_returns_what_it_should() {
    figure("retained-1m", &["resident_mb", "few_to_all", "one_us", "open_us"]);
}

#[test]
fn the_disk_gives_back_what_went_through() {
    figure("steady", &["to_bar", "peak_to_bar", "end_mb", "live_mb"]);
}

#[test]
fn devices_of_the_hub_are_timed_beside_the_disk() {
    for name in ["hub-reported", "hub-telemetry"] {
        figure(name, &["per_s", "p99_us", "raw_p99_us", "to_raw", "cpu_us", "rate"]);
    }
}

#[test]
fn methods_are_timed_beside_plain_requests() {
    figure("hub-methods", &["p99_us", "plain_p99_us", "to_plain"]);
}

#[test]
fn a_million_devices_and_queries_over_them_are_measured() {
    figure("hub-registered", &["disk_mb", "resident_mb", "restored_mb", "start_ms"]);
    figure("hub-queries", &["id_ms", "tag_ms", "scan_ms", "count_ms"]);
    figure("hub-connected", &["plain_bytes", "device_bytes"]);
}

#[test]
fn mistakes_on_the_command_line_are_no_verdict() {
    for words in [
        &["proof", "none"][..],
        &["run"],
        &["proof", "stall", "--seconds", "0"],
        &["proof", "stall", "--power-loss"],
        &["crash", "--smoke"],
        &["crash", "--durability", "os"],
        &["crash", "--without", "devices"],
        &["figure", "puback"],
        &["figure", "none", "--folder", "nowhere"],
        &["figure", "puback", "--folder", "nowhere", "--seconds", "3"],
        &["proof", "stall", "--folder", "nowhere"],
    ] {
        let mut load = Command::new(env!("CARGO_BIN_EXE_load"));
        let done = load.args(words).env("GRIDHUB_BIN", gridhub()).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{words:?}");
    }
}

/// Runs the crash proof; status, the line, and what was said. It leaves nothing behind.
fn crash(words: &[&str]) -> (Option<i32>, String, String) {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(words.join(""));
    std::fs::create_dir_all(&folder).unwrap();
    let mut load = Command::new(env!("CARGO_BIN_EXE_load"));
    load.arg("crash").args(words).arg("--binary").arg(gridhub()).env("TMPDIR", &folder);
    let done = load.output().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (done.status.code(), text(&done.stdout), text(&done.stderr))
}

#[test]
fn the_crash_proof_finds_what_memory_loses() {
    let words = ["--rounds", "3", "--seed", "1", "--durability", "memory"];
    let (code, line, said) = crash(&words);
    assert_eq!(code, Some(1), "{line} {said}");
    for broken in ["nothing acknowledged is lost: ", "sessions outlive", "retained messages are"] {
        assert!(line.contains(broken), "{broken}: {line}");
    }
    assert!(line.contains("registry changes that were answered stand: "), "{line}");
    assert!(said.contains("does not hold: cargo xtask crash --rounds 3 --seed 1 "), "{said}");
}

#[test]
fn the_crash_proof_finds_nothing_where_only_connections_are_lost() {
    let words = ["--rounds", "4", "--seed", "2", "--durability", "memory", "--disconnect"];
    let (code, line, said) = crash(&words);
    assert_eq!(code, Some(0), "{line} {said}");
}

#[test]
fn ten_crashes_lose_nothing_acknowledged() {
    let (code, line, said) = crash(&["--rounds", "10", "--durability", "disk"]);
    assert!(code == Some(0), "{code:?} {line} {said}");
}
