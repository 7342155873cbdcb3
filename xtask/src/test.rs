//! `cargo xtask test`: the clients, one build, every test.
use crate::command::{cargo, run as execute};
use crate::{clients, root};
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

/// Sets up the clients, builds everything once in profile `ci`, runs `cargo test` with `arguments`.
///
/// # Errors
/// When a build or a test fails, and with `CI` set when a client is missing.
pub fn run(arguments: &[String]) -> Result<()> {
    let root = root();
    let clients = clients::set_up(&root)?;
    // All targets, so that this build and `cargo test` unify features alike: nothing builds twice.
    let build = ["build", "--profile", "ci", "--workspace", "--all-targets"];
    execute(cargo(&root).args(build))?;
    let binary = target(&root).join("ci/gridhub");
    if !binary.is_file() {
        bail!("the build left no {}", binary.display());
    }
    let mut test = cargo(&root);
    test.args(["test", "--profile", "ci"]);
    if !arguments.iter().any(|a| a == "-p" || a.starts_with("--package")) {
        test.arg("--workspace");
    }
    test.args(arguments).env("GRIDHUB_BIN", &binary);
    if let Some(python) = clients.python {
        test.env("E2E_PYTHON", python);
    }
    if let Some(javascript) = clients.javascript {
        test.env("E2E_JAVASCRIPT", javascript);
    }
    execute(&mut test)
}

/// Where cargo puts what it builds.
pub fn target(root: &Path) -> PathBuf {
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}
