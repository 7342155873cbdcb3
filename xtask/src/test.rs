//! `cargo xtask test`: the clients, one build, every test.
use crate::command::{cargo, run as execute};
use crate::{clients, features, is_kafka, root};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Sets up the clients, builds everything once in profile `ci`, runs `cargo test` with `arguments`.
///
/// # Errors
/// When a build or a test fails, and with `CI` set when a client is missing.
pub fn run(arguments: &[String]) -> Result<()> {
    let root = root();
    let clients = timed("set-up of the test clients", || clients::set_up(&root))?;
    // All targets, so that this build and `cargo test` unify features alike: nothing builds twice.
    let build = ["build", "--profile", "ci", "--workspace", "--all-targets"];
    let kafka: Vec<_> = arguments.iter().filter(|argument| is_kafka(argument)).cloned().collect();
    timed("build", || execute(cargo(&root).args(build).args(features(&kafka))))?;
    let binary = target(&root).join("ci/gridhub");
    if !binary.is_file() {
        bail!("the build left no {}", binary.display());
    }
    let mut test = cargo(&root);
    test.args(["test", "--profile", "ci"]);
    if !arguments.iter().any(|a| a == "-p" || a.starts_with("--package")) {
        test.arg("--workspace");
    }
    test.args(features(arguments)).env("GRIDHUB_BIN", &binary);
    if let Some(python) = clients.python {
        test.env("E2E_PYTHON", python);
    }
    if let Some(javascript) = clients.javascript {
        test.env("E2E_JAVASCRIPT", javascript);
    }
    if let Some(python) = clients.azure_python {
        test.env("E2E_AZURE_PYTHON", python);
    }
    if let Some(javascript) = clients.azure_javascript {
        test.env("E2E_AZURE_JAVASCRIPT", javascript);
    }
    if let Some(nats_server) = clients.nats_server {
        test.env("E2E_NATS_SERVER", nats_server);
    }
    timed("tests", || execute(&mut test))
}

/// Runs a phase and says on stderr how long it took, whether it went well or not: a phase that
/// grows slow is seen where it grows.
fn timed<T>(phase: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let done = run();
    eprintln!("xtask: {phase} took {:.1} s", start.elapsed().as_secs_f64());
    done
}

/// Where cargo puts what it builds.
pub fn target(root: &Path) -> PathBuf {
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
