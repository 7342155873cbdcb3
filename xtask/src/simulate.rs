//! `cargo xtask sim`: builds the simulator as the tests do and runs it with the same arguments.
use crate::command::{cargo, run as execute};
use crate::root;
use anyhow::Result;

/// Runs the simulator; it prints what it finds.
///
/// # Errors
/// When a seed fails, or the arguments are wrong.
pub fn run(arguments: &[String]) -> Result<()> {
    let build = ["run", "--quiet", "--profile", "ci", "--package", "sim", "--"];
    execute(cargo(&root()).args(build).args(arguments))
}
