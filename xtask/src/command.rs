//! Running another program: shown before it starts, an error that names it when it fails.
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Runs to the end with our own stdout and stderr.
///
/// # Errors
/// When it cannot be started or does not exit with 0.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    eprintln!("+ {shown}");
    let status = command.stdin(Stdio::null()).status().with_context(|| shown.clone())?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Runs to the end and keeps what it wrote.
///
/// # Errors
/// When it cannot be started. The exit status is the caller's to judge.
pub fn output(command: &mut Command) -> Result<Output> {
    let shown = show(command);
    command.stdin(Stdio::null()).output().with_context(|| shown)
}

/// True when it starts and exits with 0; says nothing.
pub fn succeeds(command: &mut Command) -> bool {
    output(command).is_ok_and(|o| o.status.success())
}

/// True when a program of this name can be found.
pub fn exists(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|d| d.join(program).is_file()))
}

/// Cargo as it was called for us, in the workspace's root.
pub fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|a| a.to_string_lossy().into_owned()));
    words.join(" ")
}
