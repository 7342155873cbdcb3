//! Running the lab's load generator against a server.
use super::figures::Figures;
use super::scenario::{Scenario, Transport};
use super::server::{Cores, Server};
use crate::command::output;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The load generator, pinned to a core of its own.
pub struct Loadgen {
    binary: PathBuf,
}

impl Loadgen {
    /// From its binary.
    pub fn new(binary: &Path) -> Self {
        Self { binary: binary.into() }
    }

    /// One run.
    ///
    /// # Errors
    /// When it breaks off or its ledger does not balance (exit status 3): such a run counts as
    /// failed, whatever its figures say.
    pub fn run(&self, scenario: &Scenario, server: &Server, quick: bool) -> Result<Figures> {
        let mut command = self.command(scenario.arguments, server, Cores::First, quick);
        if let (Transport::Tls, Some(token)) = (scenario.transport, &server.token) {
            command.args(["--user", "bench", "--pass", token]);
        }
        Self::figures(&mut command)
    }

    /// What to run; `server_on` tells which core is left for it.
    pub fn command(
        &self,
        arguments: &[&str],
        server: &Server,
        server_on: Cores,
        quick: bool,
    ) -> Command {
        let mut command = match server_on {
            Cores::First => Command::new("taskset"),
            Cores::All => Command::new(&self.binary),
        };
        if server_on == Cores::First {
            command.args(["-c", CORE]).arg(&self.binary);
        }
        command.args(arguments);
        command.args(["--port", &server.port.to_string(), "--pid", &server.pid().to_string()]);
        let (secs, warm) = if quick { ("0.5", "0.2") } else { ("2", "0.5") };
        command.args(["--secs", secs]);
        if !matches!(arguments[0], "idle" | "wild") {
            command.args(["--warm", warm]);
        }
        command
    }

    /// Runs the load generator, alone or under another program.
    ///
    /// # Errors
    /// As `run`.
    pub fn figures(command: &mut Command) -> Result<Figures> {
        let done = output(command)?;
        let line = String::from_utf8_lossy(&done.stdout);
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            let last = said.lines().last().unwrap_or_default();
            bail!("loadgen ended with {}: {last} {}", done.status, line.trim());
        }
        Figures::parse(line.trim())
    }
}

/// The broker has core 0 to itself.
const CORE: &str = "1";
