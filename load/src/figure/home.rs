//! A server with its log on the disk that is measured, started again on what it left. Refuses to
//! know what clients do with it.

use crate::engine::Target;
use crate::https::Https;
use crate::hub::CONFIGURATION;
use crate::metrics::Metrics;
use crate::process::{Process, stay_on};
use crate::server::{Options, configuration, identity, ports, ready, trust};
use anyhow::{Context, Result};
use rustls::ClientConfig;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The folder. Dropped, its server is killed and it is removed.
pub struct Home {
    binary: PathBuf,
    folder: PathBuf,
    tls: Arc<ClientConfig>,
    token: String,
    cores: Cores,
    running: Option<Running>,
}

/// What the server has of the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cores {
    /// The first core and one reactor, so that the load has another.
    First,
    /// All of them, as users start it.
    All,
}

struct Running {
    child: Child,
    target: Target,
    https: Https,
}

/// What the system counted for a process.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// Of user and system time, in microseconds.
    pub cpu_us: f64,
    /// Resident.
    pub resident_bytes: f64,
    /// Pages given to the disk.
    pub written_bytes: f64,
}

impl Home {
    /// Makes keys and a configuration in a new folder; nothing runs yet.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(binary: &Path, folder: &Path, cores: Cores) -> Result<Self> {
        Self::with(binary, folder, cores, &[])
    }

    /// The same for a server that is a hub too.
    ///
    /// # Errors
    /// As [`Home::new`].
    pub fn hub(binary: &Path, folder: &Path, cores: Cores) -> Result<Self> {
        Self::with(binary, folder, cores, &CONFIGURATION)
    }

    fn with(binary: &Path, folder: &Path, cores: Cores, more: &[&str]) -> Result<Self> {
        if folder.exists() {
            std::fs::remove_dir_all(folder)?;
        }
        std::fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let identity = identity(binary, &folder)?;
        let text = |name: &str| identity[name].as_str().map(str::to_owned).context("a ready line");
        let limits = LIMITS.iter().chain(more).map(|line| (*line).to_owned()).collect();
        let reactors = match cores {
            Cores::First => 1,
            Cores::All => std::thread::available_parallelism().map_or(1, usize::from),
        };
        let options = Options { reactors, core: None, limits };
        std::fs::write(folder.join("gridhub.toml"), configuration(&options))?;
        let (tls, token) = (trust(Path::new(&text("ca_file")?))?, text("token")?);
        Ok(Self { binary: binary.to_owned(), folder, tls, token, cores, running: None })
    }

    /// Starts the process on its cores; where that is the first one, this thread goes to the
    /// second, if there is one. Tells how long it took to be ready.
    ///
    /// # Errors
    /// When it ends before that.
    pub fn start(&mut self) -> Result<Duration> {
        let mut command = match self.cores {
            Cores::First => {
                let mut pinned = Command::new("taskset");
                pinned.args(["-c", "0"]).arg(&self.binary);
                pinned
            }
            Cores::All => Command::new(&self.binary),
        };
        command.args(["serve", "--json", "--config", "gridhub.toml"]);
        let begun = Instant::now();
        let (child, line) = ready(command, &self.folder)?;
        let took = begun.elapsed();
        let (tls, token) = (Arc::clone(&self.tls), self.token.clone());
        let target = Target { ports: ports(&line)?, tls, token };
        let https = Https::new(target.ports.https, Arc::clone(&target.tls), &target.token);
        self.running = Some(Running { child, target, https });
        // The first call narrows what the second would be told.
        if self.cores == Cores::First {
            let _ = stay_on(1);
        }
        Ok(took)
    }

    /// Where clients connect.
    ///
    /// # Errors
    /// When it does not run.
    pub fn target(&self) -> Result<Target> {
        Ok(self.running.as_ref().context(ABSENT)?.target.clone())
    }

    /// Its counters.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn metrics(&mut self) -> Result<Metrics> {
        let running = self.running.as_mut().context(ABSENT)?;
        Ok(Metrics::parse(&running.https.get("/metrics")?))
    }

    /// What it has used.
    ///
    /// # Errors
    /// When it has ended.
    pub fn used(&self) -> Result<Used> {
        let pid = self.running.as_ref().context(ABSENT)?.child.id();
        let resident = Process::new(pid).resident_kib()?;
        let io = std::fs::read_to_string(format!("/proc/{pid}/io"))?;
        let written = io.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok());
        let mut cpu_ns = 0.0;
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            // A thread may have ended since it was listed.
            let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else {
                continue;
            };
            cpu_ns += text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
        }
        Ok(Used {
            cpu_us: cpu_ns / 1e3,
            resident_bytes: resident as f64 * 1024.0,
            written_bytes: written.context("/proc tells no write_bytes")?,
        })
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut running) = self.running.take() {
            running.child.kill()?;
            running.child.wait()?;
        }
        Ok(())
    }

    /// Bytes of the log's files, as the file system has them.
    ///
    /// # Errors
    /// When they cannot be looked at.
    pub fn disk_bytes(&self) -> Result<u64> {
        bytes(&self.folder.join(DATA))
    }

    /// A folder beside the data, on the same disk.
    pub fn beside(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // What fails here has happened already.
        let _ = self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What the files below it take up.
fn bytes(folder: &Path) -> Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // A file that the cleaner has just removed takes up nothing.
        let Ok(metadata) = entry.metadata() else { continue };
        sum += if metadata.is_dir() { bytes(&entry.path())? } else { metadata.blocks() * 512 };
    }
    Ok(sum)
}

const ABSENT: &str = "the server does not run";
const DATA: &str = "data";
const LIMITS: [&str; 10] = [
    "durability = \"disk\"",
    "data = \"data\"",
    "limits.session_queue_messages_max = 100000000",
    "limits.session_queue_bytes_max = 100000000000",
    "limits.queued_total_bytes_max = 100000000000",
    "limits.retained_messages_max = 10000000",
    "limits.retained_total_bytes_max = 100000000000",
    "limits.sessions_per_name_max = 10000000",
    "limits.inflight_out_max = 1000",
    "limits.receive_max = 1000",
];
