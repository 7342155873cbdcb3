//! Format, clippy and the architecture checks, in the order in which they are quick to fail.
use crate::command::{cargo, run as execute};
use crate::{features, root, tidy as architecture};
use anyhow::{Result, bail};

/// Everything that can be said about the code without running it; `--kafka` is with
/// that feature.
///
/// # Errors
/// At the first of the three that finds something.
pub fn run(arguments: &[String]) -> Result<()> {
    let root = root();
    execute(cargo(&root).args(["fmt", "--all", "--check"]))?;
    tidy()?;
    let lint = ["clippy", "--profile", "ci", "--workspace", "--all-targets"];
    let lint = lint.into_iter().chain(features(arguments)).chain(["--", "-D", "warnings"]);
    execute(cargo(&root).args(lint))
}

/// The architecture checks; the test suite runs the same ones.
///
/// # Errors
/// When there is at least one finding; each is printed with its rule and the rule's reason.
pub fn tidy() -> Result<()> {
    let findings = architecture::all(&root())?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings of the architecture checks", findings.len());
    }
    Ok(())
}
