//! Format, clippy and the architecture checks, in the order in which they are quick to fail.
use crate::command::{cargo, run as execute};
use crate::{root, tidy as architecture};
use anyhow::{Result, bail};

/// Everything that can be said about the code without running it.
///
/// # Errors
/// At the first of the three that finds something.
pub fn run() -> Result<()> {
    let root = root();
    execute(cargo(&root).args(["fmt", "--all", "--check"]))?;
    tidy()?;
    let lint = ["clippy", "--profile", "ci", "--workspace", "--all-targets", "--"];
    execute(cargo(&root).args(lint).args(["-D", "warnings"]))
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
