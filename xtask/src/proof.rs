//! `cargo xtask proof`, `soak` and `crash`: builds, then starts crate `load` as a process.
//!
//! Owns which build is proven and where the result is written. What is proven is crate `load`'s.
use crate::command::{cargo, run as execute};
use crate::{root, test};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::process::Command;

/// Runs `load` with these words against the release build, or against `GRIDHUB_BIN`. A whole run
/// of the release build writes its section of `docs/PROOFS.md`.
///
/// # Errors
/// When a build fails or the proof does not hold.
pub fn run(words: &[String]) -> Result<()> {
    let root = root();
    let release = test::target(&root).join("release");
    let mut build = cargo(&root);
    build.args(["build", "--release", "--package", "load"]);
    let given = std::env::var_os("GRIDHUB_BIN").map(PathBuf::from);
    if given.is_none() {
        build.args(["--package", "gridhub"]);
    }
    execute(&mut build)?;
    let whole = !words.iter().any(|word| PARTIAL.contains(&word.as_str()));
    let binary = given.clone().unwrap_or_else(|| release.join("gridhub"));
    let mut load = Command::new(release.join("load"));
    load.args(words).current_dir(&root).arg("--binary").arg(&binary);
    if whole && given.is_none() {
        load.arg("--record").arg(root.join("docs/PROOFS.md"));
    }
    execute(&mut load).context("the proof does not hold")
}

/// Who says one of these does not want the whole proof, and its page stays as it is.
const PARTIAL: [&str; 6] =
    ["--smoke", "--list", "--rounds", "--durability", "--disconnect", "--without"];
