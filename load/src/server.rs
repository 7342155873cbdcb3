//! The built binary as a process of its own: an identity made by `gridhub dev`, a configuration
//! with the bounds of a proof, `gridhub serve`. Refuses to know what is proven.

use crate::engine::{Ports, Target};
use crate::https::Https;
use crate::metrics::Metrics;
use crate::process::{Process, stay_on};
use anyhow::{Context, Result, bail};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// A running server. Dropped, it is killed and waited for, and its folder is removed.
pub struct Server {
    child: Child,
    folder: PathBuf,
    target: Target,
    https: Https,
}

/// How it is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Reactor threads.
    pub reactors: usize,
    /// The core it stays on; `None` = all.
    pub core: Option<usize>,
    /// Lines of configuration, such as `limits.output_bytes_max = 65536`.
    pub limits: Vec<String>,
}

impl Server {
    /// Starts `binary` and waits until it is ready.
    ///
    /// # Errors
    /// When it ends before that.
    pub fn start(binary: &Path, options: &Options) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("gridhub-load-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let identity = identity(binary, &folder)?;
        let text = |name: &str| identity[name].as_str().map(str::to_owned).context("a ready line");
        let (token, ca) = (text("token")?, text("ca_file")?);
        // What is proven of this server is about connections; the crash proof is about the log.
        let settings = format!("durability = \"memory\"\n{}", configuration(options));
        std::fs::write(folder.join("gridhub.toml"), settings)?;
        let mut command = match options.core {
            None => Command::new(binary),
            Some(core) => {
                let mut command = Command::new("taskset");
                command.args(["-c", &core.to_string()]).arg(binary);
                command
            }
        };
        command.args(["serve", "--json", "--config", "gridhub.toml"]);
        let (child, ready) = ready(command, &folder)?;
        if options.core == Some(0) && std::thread::available_parallelism()?.get() > 1 {
            stay_on(1)?;
        }
        let ports = ports(&ready)?;
        let tls = trust(Path::new(&ca))?;
        let https = Https::new(ports.https, Arc::clone(&tls), &token);
        Ok(Self { child, folder, target: Target { ports, tls, token }, https })
    }

    /// Where clients connect.
    pub fn target(&self) -> Target {
        self.target.clone()
    }

    /// One more HTTPS connection to it.
    pub fn https(&self) -> Https {
        let target = &self.target;
        Https::new(target.ports.https, Arc::clone(&target.tls), &target.token)
    }

    /// Its process: `taskset` becomes what it starts.
    pub fn process(&self) -> Process {
        Process::new(self.child.id())
    }

    /// Its counters now.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn metrics(&mut self) -> Result<Metrics> {
        Ok(Metrics::parse(&self.https.get("/metrics")?))
    }

    /// One session's bounds and how full they are, as JSON.
    ///
    /// # Errors
    /// When there is none.
    pub fn session(&mut self, client_id: &str) -> Result<Value> {
        let body = self.https.get(&format!("/admin/sessions/{client_id}"))?;
        serde_json::from_str(&body).context("a session")
    }

    /// Asks it to end and waits.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn stop(mut self) -> Result<()> {
        self.process().terminate();
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the server ended with {status}");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // They fail when it is gone already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Keys, certificates and a token, as `gridhub dev` leaves them.
///
/// # Errors
/// When it does not start.
pub fn identity(binary: &Path, folder: &Path) -> Result<Value> {
    let mut command = Command::new(binary);
    command.args(["dev", "--json", "--reactors", "1", "--data", ".gridhub"]);
    for listener in ["--mqtt", "--mqtts", "--https"] {
        command.args([listener, "127.0.0.1:0"]);
    }
    let (mut child, ready) = ready(command, folder)?;
    Process::new(child.id()).terminate();
    child.wait()?;
    Ok(ready)
}

/// Starts it and reads its first line; its log goes to ours, errors only unless `RUST_LOG` says
/// more: what is refused is counted too.
///
/// # Errors
/// When it ends before it is ready, with what it said on stdout.
pub fn ready(mut command: Command, folder: &Path) -> Result<(Child, Value)> {
    command.stderr(Stdio::inherit());
    first_line(spawn(command, folder, "error")?)
}

/// Starts it in `folder`, logging at `level` unless `RUST_LOG` says another.
///
/// # Errors
/// When there is no such program.
pub fn spawn(mut command: Command, folder: &Path, level: &str) -> Result<Child> {
    let level = std::env::var("RUST_LOG").unwrap_or_else(|_| level.into());
    command.current_dir(folder).env("RUST_LOG", level).stdin(Stdio::null());
    command.stdout(Stdio::piped()).spawn().with_context(|| format!("{command:?}"))
}

/// Waits for the line that says that it is ready.
///
/// # Errors
/// As [`ready`].
pub fn first_line(mut child: Child) -> Result<(Child, Value)> {
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    match serde_json::from_str(&line) {
        Ok(ready) => Ok((child, ready)),
        Err(error) => {
            child.kill()?;
            bail!("the server was not ready ({error}): {line}")
        }
    }
}

/// The text of `gridhub.toml`, beside the identity in `.gridhub`.
pub fn configuration(options: &Options) -> String {
    let mut text = format!("reactors = {}\n", options.reactors);
    for listener in ["mqtt", "mqtts", "https"] {
        text.push_str(&format!("listeners.{listener} = [\"127.0.0.1:0\"]\n"));
    }
    for line in &options.limits {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(CONFIGURATION);
    text
}

/// Where a ready server listens.
///
/// # Errors
/// When its line lacks a listener.
pub fn ports(ready: &Value) -> Result<Ports> {
    let port = |name: &str| {
        let address = ready[name][0].as_str().unwrap_or_default();
        address.rsplit(':').next().and_then(|p| p.parse().ok()).context("a port")
    };
    Ok(Ports { tcp: port("mqtt")?, tls: port("mqtts")?, https: port("https")? })
}

/// What clients believe: this authority and no other.
///
/// # Errors
/// When there is none in the file.
pub fn trust(ca: &Path) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).context("the authority")? {
        roots.add(certificate.context("the authority")?)?;
    }
    let builder = ClientConfig::builder().with_root_certificates(roots);
    Ok(Arc::new(builder.with_no_client_auth()))
}

/// Plain clients are anonymous, TLS clients show the token of the identity; all may do all.
const CONFIGURATION: &str = r##"
sys.interval = "10s"
tls.cert_file = ".gridhub/server.pem"
tls.key_file = ".gridhub/server-key.pem"
tls.client_ca_files = [".gridhub/ca.pem"]
auth.anonymous = "loopback"

[[auth.issuers]]
issuer = "*"
jwks_file = ".gridhub/jwks.json"
audiences = ["https://127.0.0.1"]

[[topicSpaces]]
name = "everything"
properties.topicTemplates = ["#"]

[[permissionBindings]]
name = "all-publish"
properties = { clientGroupName = "$all", topicSpaceName = "everything", permission = "Publisher" }

[[permissionBindings]]
name = "all-subscribe"
properties = { clientGroupName = "$all", topicSpaceName = "everything", permission = "Subscriber" }
"##;
