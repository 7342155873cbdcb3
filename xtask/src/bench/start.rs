//! How long gridhub takes from exec to its ready line, how big it is, how much it holds then.
use super::figures::Spread;
use super::scenario::Transport;
use super::server::{Binaries, Layout, gridhub};
use anyhow::Result;
use std::time::Instant;

/// Called so on the command line.
pub const NAME: &str = "start";

/// What was measured; times in milliseconds, sizes in bytes.
pub struct Start {
    /// On an empty data directory.
    pub first_ms: Option<Spread>,
    /// Once data exists.
    pub later_ms: Option<Spread>,
    /// Of the release binary, stripped.
    pub binary_bytes: Option<u64>,
    /// Resident when the ready line is out.
    pub resident_bytes: Option<Spread>,
    /// Why something is missing.
    pub note: Option<String>,
}

/// Starts `times` times on an empty directory, and once more each on what that left.
///
/// # Errors
/// When the scratch folder cannot be written.
pub fn measure(binaries: &Binaries, times: usize) -> Result<Start> {
    let (mut first, mut later, mut resident) = (Vec::new(), Vec::new(), Vec::new());
    let mut note = None;
    for _ in 0..times {
        let data = binaries.scratch.join("start");
        if data.exists() {
            std::fs::remove_dir_all(&data)?;
        }
        for times in [&mut first, &mut later] {
            match once(binaries, &data) {
                Ok((ms, bytes)) => {
                    times.push(ms);
                    resident.extend(bytes);
                }
                Err(why) => note = Some(format!("{why:#}")),
            }
        }
    }
    Ok(Start {
        first_ms: Spread::of(&first),
        later_ms: Spread::of(&later),
        binary_bytes: std::fs::metadata(&binaries.gridhub).map(|m| m.len()).ok(),
        resident_bytes: Spread::of(&resident),
        note,
    })
}

fn once(binaries: &Binaries, data: &std::path::Path) -> Result<(f64, Option<f64>)> {
    let arguments = ["--data".into(), data.as_os_str().to_owned()];
    let start = Instant::now();
    let (server, _) = gridhub(binaries, Layout::ALONE, &arguments, Transport::Tcp)?;
    let ms = start.elapsed().as_secs_f64() * 1e3;
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid()))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    let kib: Option<f64> = line.and_then(|l| l.split_whitespace().next()?.parse().ok());
    Ok((ms, kib.map(|k| k * 1024.0)))
}
