//! Explains why a port could not be opened: which setting picks another, and, where /proc tells,
//! who has it. Knows nothing of how listeners are opened.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

/// The kinds of listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// Plain MQTT.
    Mqtt,
    /// MQTT over TLS.
    Mqtts,
    /// HTTPS.
    Https,
}

impl ListenerKind {
    /// Its flag of `dev` without dashes, and its key under `listeners`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt",
            Self::Mqtts => "mqtts",
            Self::Https => "https",
        }
    }
}

/// The error for a listener that could not be opened.
pub fn bind_error(kind: ListenerKind, address: SocketAddr, error: &io::Error) -> anyhow::Error {
    let name = kind.name();
    let choose = format!("choose another with --{name} ADDR (dev) or listeners.{name} (serve)");
    match error.kind() {
        ErrorKind::AddrInUse => {
            let by = holder(address).map(|who| format!(" by {who}")).unwrap_or_default();
            anyhow::anyhow!("{address} ({name}) is taken{by}; {choose}")
        }
        ErrorKind::PermissionDenied => anyhow::anyhow!(
            "{address} ({name}) needs a privilege that this process lacks; {choose}"
        ),
        _ => anyhow::anyhow!("cannot listen on {address} ({name}): {error}; {choose}"),
    }
}

/// The process that listens on the port, as `name (pid)`; only those of the same user, or all
/// for root, can be seen.
fn holder(address: SocketAddr) -> Option<String> {
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .find_map(|table| listening_inode(&table, address.port()))?;
    let wanted = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    for process in processes {
        // /proc/self and its like are other names of what comes by number.
        if !process.file_name().to_string_lossy().bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let Ok(files) = fs::read_dir(process.path().join("fd")) else { continue };
        let has = |file: fs::DirEntry| {
            fs::read_link(file.path()).is_ok_and(|link| link.as_os_str() == wanted.as_str())
        };
        if files.flatten().any(has) {
            let pid = process.file_name().to_string_lossy().into_owned();
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {pid})", name.trim()));
        }
    }
    None
}

/// The inode of the listening socket on `port` in a table of /proc/net.
fn listening_inode(table: &str, port: u16) -> Option<String> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        let inode = fields.nth(5)?;
        let (_, local_port) = local.rsplit_once(':')?;
        let same = u16::from_str_radix(local_port, 16) == Ok(port);
        (same && state == LISTEN).then(|| inode.to_owned())
    })
}

const LISTEN: &str = "0A";

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_taken_port_names_its_holder_and_the_flag() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("listen");
        let address = listener.local_addr().expect("address");
        let error = TcpListener::bind(address).expect_err("taken");
        let text = bind_error(ListenerKind::Mqtts, address, &error).to_string();
        assert!(text.contains(&format!("(process {})", std::process::id())), "{text}");
        assert!(text.contains("--mqtts ADDR"), "{text}");
    }
}
