//! gridhub as it is run for real, `gridhub serve` with a configuration: with its log on a disk, or
//! in memory for comparison. Knows no load.
use super::server::{Binaries, Cores, Layout, Server, first_line, pinned};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// What an acknowledgement waits for where something is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Storage {
    /// Nothing.
    Memory,
    /// `fdatasync` of the log, on the disk that has the scratch folder.
    Disk,
}

/// Starts it on an empty data directory, which goes when the server is dropped. Nothing bounds
/// what may wait for one session: that is what is measured.
///
/// # Errors
/// When it ends before it is ready.
pub fn serve(binaries: &Binaries, layout: Layout, storage: Storage) -> Result<Server> {
    static HOUSES: AtomicUsize = AtomicUsize::new(0);
    let number = HOUSES.fetch_add(1, Ordering::Relaxed);
    let folder = binaries.scratch.join(format!("house-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("gridhub.toml");
    std::fs::write(&file, configuration(layout.reactors, storage, &folder.join("data")))?;
    let mut command = match layout.cores {
        Cores::First => pinned(&binaries.gridhub),
        Cores::All => Command::new(&binaries.gridhub),
    };
    command.args(["serve", "--json", "--config"]).arg(&file);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().context("gridhub serve")?;
    let line = first_line(child.stdout.take(), |_| true);
    let mut server = Server::of(child, Some(folder));
    let line = line.context("gridhub serve ended before it was ready")?;
    let ready: serde_json::Value = serde_json::from_str(&line).context(line)?;
    let port = ready["mqtt"][0].as_str().and_then(|a| a.rsplit(':').next()?.parse().ok());
    server.port = port.context("the ready line has no mqtt")?;
    Ok(server)
}

fn configuration(reactors: usize, storage: Storage, data: &Path) -> String {
    let durability = match storage {
        Storage::Memory => "memory",
        Storage::Disk => "disk",
    };
    let data = data.display();
    format!("reactors = {reactors}\ndurability = \"{durability}\"\ndata = '{data}'\n{REST}")
}

const REST: &str = r##"
listeners.mqtt = ["127.0.0.1:0"]
auth.anonymous = "loopback"
limits.session_queue_messages_max = 100000000
limits.session_queue_bytes_max = 100000000000
limits.queued_total_bytes_max = 100000000000

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
