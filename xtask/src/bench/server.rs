//! Starting and stopping what is measured: the floor, gridhub, Mosquitto, each alone on core 0.
use super::figures::Figures;
use super::house::{Storage, serve};
use super::scenario::{Floor, Scenario, Transport};
use crate::command::{exists, run};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What was built, and where servers may leave files.
pub struct Binaries {
    /// The lab's load generator.
    pub loadgen: PathBuf,
    /// Crate `load`.
    pub load: PathBuf,
    /// The release build.
    pub gridhub: PathBuf,
    /// A folder below `target`.
    pub scratch: PathBuf,
}

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Competitor {
    /// The relay that parses fixed headers only.
    Floor,
    /// Ours, one reactor.
    Gridhub,
    /// Debian's.
    Mosquitto,
}

impl Competitor {
    /// Those that take part in a scenario, in the order of a pair.
    pub fn of(scenario: &Scenario) -> Vec<Self> {
        let all = [Self::Floor, Self::Gridhub, Self::Mosquitto];
        let floor = scenario.floor != Floor::Absent;
        all.into_iter().filter(|c| *c != Self::Floor || floor).collect()
    }

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Gridhub => "gridhub",
            Self::Mosquitto => "Mosquitto",
        }
    }

    /// One line of progress.
    pub fn line(self, figures: &Result<Figures>) -> String {
        match figures {
            Err(why) => format!("{}: {why:#}", self.name()),
            Ok(figures) => {
                let known = SHOWN.iter().filter_map(|k| figures.get(k).map(|v| format!("{k} {v}")));
                format!("{}: {}", self.name(), known.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// How gridhub is spread over the machine.
#[derive(Clone, Copy)]
pub struct Layout {
    /// Threads that serve connections.
    pub reactors: usize,
    /// Where they run.
    pub cores: Cores,
}

/// Which cores the server has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cores {
    /// The first, alone; the load generator has the second.
    First,
    /// All, together with the load generator.
    All,
}

impl Layout {
    /// As most scenarios measure.
    pub const ALONE: Self = Self { reactors: 1, cores: Cores::First };
}

/// A running server; dropped, it is killed and waited for.
pub struct Server {
    child: Child,
    /// What goes with it.
    folder: Option<PathBuf>,
    /// Where the load goes.
    pub port: u16,
    /// What gridhub wants to see on TLS.
    pub token: Option<String>,
}

impl Server {
    /// Starts and waits until it accepts.
    ///
    /// # Errors
    /// When it is not there or ends before it is ready.
    pub fn start(binaries: &Binaries, who: Competitor, scenario: &Scenario) -> Result<Self> {
        match who {
            Competitor::Floor => floor(binaries, scenario.floor),
            Competitor::Gridhub if scenario.storage == Storage::Disk => {
                serve(binaries, Layout::ALONE, Storage::Disk)
            }
            Competitor::Gridhub => {
                let data = ["--ephemeral"].map(Into::into);
                gridhub(binaries, Layout::ALONE, &data, scenario.transport)
                    .map(|(server, _)| server)
            }
            Competitor::Mosquitto => mosquitto(binaries, scenario.transport),
        }
    }

    /// Of a process that was started; its port is not known yet.
    pub fn of(child: Child, folder: Option<PathBuf>) -> Self {
        Self { child, folder, port: 0, token: None }
    }

    /// The process itself: `taskset` becomes what it starts.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Either may fail when the process is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(folder) = &self.folder {
            // What stays is below `target`.
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// Starts gridhub and returns the line in which it says that it is ready.
///
/// # Errors
/// When it ends before that.
pub fn gridhub(
    binaries: &Binaries,
    layout: Layout,
    data: &[std::ffi::OsString],
    transport: Transport,
) -> Result<(Server, serde_json::Value)> {
    let mut command = match layout.cores {
        Cores::First => pinned(&binaries.gridhub),
        Cores::All => Command::new(&binaries.gridhub),
    };
    command.args(["dev", "--json", "--reactors", &layout.reactors.to_string()]);
    command.args(data).current_dir(&binaries.scratch).stdin(Stdio::null());
    for listener in ["--mqtt", "--mqtts", "--https"] {
        command.args([listener, "127.0.0.1:0"]);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().context("gridhub dev")?;
    let line = first_line(child.stdout.take(), |_| true);
    let mut server = Server::of(child, None);
    let line = line.context("gridhub dev ended before it was ready")?;
    let ready: serde_json::Value = serde_json::from_str(&line).context(line)?;
    let listener = match transport {
        Transport::Tcp => "mqtt",
        Transport::Tls => "mqtts",
    };
    let address = ready[listener].as_str().unwrap_or_default();
    let port = address.rsplit(':').next().and_then(|p| p.parse().ok());
    server.port = port.with_context(|| format!("the ready line has no {listener}"))?;
    server.token = ready["token"].as_str().map(Into::into);
    Ok((server, ready))
}

fn floor(binaries: &Binaries, kind: Floor) -> Result<Server> {
    let port = free_port()?;
    let mut command = pinned(&binaries.loadgen);
    command.args(["floor", "--port", &port.to_string()]);
    match kind {
        Floor::Absent => bail!("this scenario has no floor"),
        Floor::Pairs => &mut command,
        Floor::Fan => command.arg("--fan"),
        Floor::Join => command.arg("--join"),
    };
    let child = command.stdout(Stdio::null()).spawn().context("loadgen floor")?;
    let server = Server { child, folder: None, port, token: None };
    // It says nothing, but its listener is the first thing it makes.
    accepting(port)?;
    Ok(server)
}

fn mosquitto(binaries: &Binaries, transport: Transport) -> Result<Server> {
    let program = ["/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];
    let installed = program.iter().map(Path::new).find(|p| p.is_file());
    let program = match installed {
        Some(path) => path,
        None if exists("mosquitto") => Path::new("mosquitto"),
        None => bail!("it is not installed"),
    };
    let port = free_port()?;
    // As root it would become another user, who may not read the key.
    let mut text = format!(
        "user root\nlistener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n\
         set_tcp_nodelay true\nmax_queued_messages 0\nlog_type information\n\
         connection_messages false\nlog_dest stderr\n"
    );
    if transport == Transport::Tls {
        let (certificate, key) = certificate(&binaries.scratch)?;
        let lines = format!("certfile {}\nkeyfile {}\n", certificate.display(), key.display());
        text.push_str(&lines);
    }
    let file = binaries.scratch.join(format!("mosquitto-{port}.conf"));
    std::fs::write(&file, text)?;
    let mut command = pinned(program);
    command.arg("-c").arg(&file).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().context("mosquitto")?;
    let line = first_line(child.stderr.take(), |line| line.contains("running"));
    let server = Server { child, folder: None, port, token: None };
    line.context("it ended before it was running")?;
    Ok(server)
}

/// A self-signed P-256 pair, so that both servers sign with the same kind of key.
fn certificate(folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let (certificate, key) = (folder.join("bench.crt"), folder.join("bench.key"));
    if !certificate.is_file() {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt"]);
        openssl.args(["ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"]);
        openssl.args(["-subj", "/CN=localhost", "-out"]).arg(&certificate);
        run(openssl.arg("-keyout").arg(&key))?;
    }
    Ok((certificate, key))
}

/// A program on the first core.
pub fn pinned(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program).stdin(Stdio::null());
    command
}

/// The first line that `wanted` accepts; the rest is read and dropped, so that the writer never
/// blocks.
pub fn first_line(
    from: Option<impl Read + Send + 'static>,
    wanted: fn(&str) -> bool,
) -> Option<String> {
    let mut lines = BufReader::new(from?).lines();
    let found = lines.by_ref().map_while(Result::ok).find(|line| wanted(line));
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    found
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn accepting(port: u16) -> Result<()> {
    let start = std::time::Instant::now();
    while std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if start.elapsed().as_secs() > 5 {
            bail!("nothing accepts on port {port}");
        }
        std::thread::yield_now();
    }
    Ok(())
}

const SHOWN: [&str; 8] = [
    "cpu_us_per_delivery",
    "enqueue_cpu_us",
    "enqueue_s",
    "drain_cpu_us",
    "cpu_us_per_connect",
    "rss_bytes_per_conn",
    "rss_bytes_per_sub",
    "loadgen_util",
];
