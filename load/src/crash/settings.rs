//! What a run was asked for. Refuses to know how it is carried out.

use super::house::Durability;
use anyhow::{Result, bail};
use std::time::{SystemTime, UNIX_EPOCH};

/// The options of `crash`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often the process ends while it is loaded.
    pub rounds: u64,
    /// Where the choices come from.
    pub seed: u64,
    /// What the server is told to promise.
    pub durability: Durability,
    /// What happens at the end of a round.
    pub mishap: Mishap,
    /// What does not take part.
    pub without: Vec<Part>,
}

/// What happens at the end of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// SIGKILL, now and then SIGTERM.
    Crash,
    /// The machine loses its power.
    PowerLoss,
    /// Connections are lost and the process lives: what holds for every durability.
    Disconnect,
}

/// What can be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The shared group.
    Shared,
    /// Idempotency keys.
    Keys,
    /// Devices and services of the hub.
    Hub,
}

impl Settings {
    /// The whole proof, with a seed of now.
    pub fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seed = u64::from(since.subsec_micros()) + 1_000_000 * (since.as_secs() % 1_000_000);
        let (durability, mishap) = (Durability::Disk, Mishap::Crash);
        Self { rounds: ROUNDS, seed, durability, mishap, without: Vec::new() }
    }

    /// Whether a part takes part.
    pub fn has(&self, part: Part) -> bool {
        !self.without.contains(&part)
    }

    /// The command that repeats it.
    pub fn command(&self) -> String {
        let mut command = format!(
            "cargo xtask crash --rounds {} --seed {} --durability {}",
            self.rounds,
            self.seed,
            self.durability.name()
        );
        command.push_str(match self.mishap {
            Mishap::Crash => "",
            Mishap::PowerLoss => " --power-loss",
            Mishap::Disconnect => " --disconnect",
        });
        for part in &self.without {
            command.push_str(match part {
                Part::Shared => " --without shared",
                Part::Keys => " --without keys",
                Part::Hub => " --without hub",
            });
        }
        command
    }

    /// What a record of it is called.
    pub fn title(&self) -> &'static str {
        match self.mishap {
            Mishap::Crash => "crash",
            Mishap::PowerLoss => "power loss",
            Mishap::Disconnect => "disconnect",
        }
    }
}

impl Durability {
    /// By its name.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "disk" => Ok(Self::Disk),
            "memory" => Ok(Self::Memory),
            other => bail!("--durability is disk or memory, not '{other}'"),
        }
    }
}

impl Part {
    /// By its name.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn parse(text: &str) -> Result<Self> {
        match text {
            "shared" => Ok(Self::Shared),
            "keys" => Ok(Self::Keys),
            "hub" => Ok(Self::Hub),
            other => bail!("--without is shared, keys or hub, not '{other}'"),
        }
    }
}

/// Those that a person runs; tests say fewer.
const ROUNDS: u64 = 200;
