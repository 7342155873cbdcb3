//! The server's home across its lives: one data directory, one identity, one configuration, and a
//! process started on them again and again. Refuses to know what clients do with it.

use super::power::Power;
use super::said::Said;
use crate::engine::Target;
use crate::hub;
use crate::process::Process;
use crate::server::{Options, configuration, first_line, identity, ports, spawn, trust};
use anyhow::{Context, Result, bail};
use rustls::ClientConfig;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What an acknowledgement waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The disk: the promise to prove.
    Disk,
    /// Nothing: the proof must fail.
    Memory,
}

/// What becomes of the folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Removed,
    Kept,
}

/// The folder of a run. Dropped, what runs in it is killed, and it is removed unless it was kept.
pub struct House {
    binary: PathBuf,
    folder: PathBuf,
    tls: Arc<ClientConfig>,
    token: String,
    process: Option<Child>,
    power: Option<Power>,
    fate: Fate,
    /// All that have come to their end.
    pub starts: Vec<Start>,
}

/// A start.
pub struct Start {
    /// Of which round.
    pub round: u64,
    /// Until it was ready.
    pub took: Duration,
    /// What the process has told of it.
    pub said: Said,
}

impl Durability {
    /// As the configuration and the command line write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Memory => "memory",
        }
    }
}

impl House {
    /// A new folder with keys and configuration; nothing runs yet.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(binary: &Path, durability: Durability) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("gridhub-crash-{}", std::process::id()));
        std::fs::create_dir_all(folder.join(DISK))?;
        let identity = identity(binary, &folder)?;
        let text = |name: &str| identity[name].as_str().map(str::to_owned).context("a ready line");
        let mut limits = vec![
            format!("durability = \"{}\"", durability.name()),
            format!("data = \"{DATA}\""),
            // What waits for who is away a whole run is not what is proven here.
            "limits.session_queue_messages_max = 100000000".to_owned(),
            "limits.session_queue_bytes_max = 100000000000".to_owned(),
            // As short as there is: who keeps a batch is waited for in the end.
            "hub.feedback.lock = \"5s\"".to_owned(),
            EVENTS.to_owned(),
        ];
        limits.extend(hub::CONFIGURATION.map(str::to_owned));
        let text_of = configuration(&Options { reactors: 2, core: None, limits });
        std::fs::write(folder.join(CONFIGURATION), text_of)?;
        let tls = trust(Path::new(&text("ca_file")?))?;
        let (binary, token) = (binary.to_owned(), text("token")?);
        let (process, power, fate, starts) = (None, None, Fate::Removed, Vec::new());
        Ok(Self { binary, folder, tls, token, process, power, fate, starts })
    }

    /// Gives the data directory a disk that can lose its power. Before the first start.
    ///
    /// # Errors
    /// Where that is not allowed or a tool is missing.
    pub fn mount(&mut self) -> Result<()> {
        self.power = Some(Power::new(&self.folder.join(DISK))?);
        Ok(())
    }

    /// Starts the process and waits until it is ready.
    ///
    /// # Errors
    /// When it ends before that; its reason is on stderr.
    pub fn start(&mut self, round: u64) -> Result<Target> {
        let (begun, mut command) = (Instant::now(), self.command());
        command.stderr(Stdio::piped());
        let mut child = spawn(command, &self.folder, LEVELS)?;
        let said = Said::by(child.stderr.take().context("it has a stderr")?);
        let (child, line) = first_line(child)?;
        self.process = Some(child);
        self.starts.push(Start { round, took: begun.elapsed(), said });
        let (tls, token) = (Arc::clone(&self.tls), self.token.clone());
        Ok(Target { ports: ports(&line)?, tls, token })
    }

    /// Whether it runs.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn lives(&mut self) -> Result<bool> {
        Ok(match &mut self.process {
            Some(child) => child.try_wait()?.is_none(),
            None => false,
        })
    }

    /// SIGKILL, as a crash does it.
    ///
    /// # Errors
    /// When there is none to kill.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.process.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// The disk stays as it is now; the process, and what the kernel kept in memory, are gone.
    ///
    /// # Errors
    /// When the image cannot be copied or mounted.
    pub fn cut_power(&mut self) -> Result<()> {
        // Whatever was acknowledged was sent before this, so it is older than the copy.
        if let Some(child) = &self.process {
            Process::new(child.id()).freeze();
        }
        self.power.as_ref().context("there is no disk to cut off")?.cut()?;
        self.kill()?;
        self.power.as_mut().context("there is no disk to cut off")?.restore()
    }

    /// SIGTERM: it ends in its own time, which [`House::ended`] waits for.
    pub fn ask_to_stop(&self) {
        if let Some(child) = &self.process {
            Process::new(child.id()).terminate();
        }
    }

    /// Waits for the end after [`House::ask_to_stop`]; what is wrong with it, if anything.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn ended(&mut self) -> Result<Option<String>> {
        let Some(mut child) = self.process.take() else { return Ok(None) };
        let status = child.wait()?;
        Ok((!status.success()).then(|| format!("asked to stop, it ended with {status}")))
    }

    /// Starts a second process on the directory; what is wrong with how it is refused, if
    /// anything.
    ///
    /// # Errors
    /// When it cannot be started at all.
    pub fn intrude(&self) -> Result<Option<String>> {
        let mut command = self.command();
        command.current_dir(&self.folder).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        if !line.is_empty() {
            child.kill()?;
            child.wait()?;
            return Ok(Some("a second process was let in".to_owned()));
        }
        let mut said = String::new();
        if let Some(mut error) = child.stderr.take() {
            error.read_to_string(&mut said)?;
        }
        let status = child.wait()?;
        let named = said.contains("in use") && said.contains(DATA);
        let right = !status.success() && named;
        Ok((!right).then(|| format!("a second process ended with {status}: {said}")))
    }

    /// Leaves the folder where it is for somebody to look, with the image if there is one.
    pub fn keep(&mut self) -> &Path {
        self.fate = Fate::Kept;
        &self.folder
    }

    /// A copy of the disk beside it, as it is now.
    ///
    /// # Errors
    /// When it cannot be copied.
    pub fn keep_copy(&self, name: &str) -> Result<()> {
        let (disk, copy) = (self.folder.join(DISK), self.folder.join(name));
        let status = Command::new("cp").arg("-a").arg(disk).arg(copy).status()?;
        if !status.success() {
            bail!("the data directory cannot be copied: {status}");
        }
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(["serve", "--json", "--config", CONFIGURATION]);
        command
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // What fails here has happened already, or the folder stays to be looked at.
        let _ = self.kill();
        self.power = None;
        if self.fate == Fate::Removed {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// Where a disk of its own may be mounted, in the folder.
const DISK: &str = "disk";
/// The data directory; the server makes it.
const DATA: &str = "disk/data";
/// What it logs: errors, and how long the parts of a start took.
const LEVELS: &str = "error,gridhub::serve=info,gridhub::keep::open=info";
const CONFIGURATION: &str = "gridhub.toml";
/// Both go to the channel, beside the telemetry that no route takes.
const EVENTS: &str = "hub.routes = [{ name = \"twins\", source = \"TwinChangeEvents\" }, \
    { name = \"lives\", source = \"DeviceLifecycleEvents\" }]";
