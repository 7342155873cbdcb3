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

#[test]
fn mistakes_on_the_command_line_are_no_verdict() {
    for words in [&["proof", "none"][..], &["run"], &["proof", "stall", "--seconds", "0"]] {
        let mut load = Command::new(env!("CARGO_BIN_EXE_load"));
        let done = load.args(words).env("GRIDHUB_BIN", gridhub()).output().unwrap();
        assert_eq!(done.status.code(), Some(2), "{words:?}");
    }
}
