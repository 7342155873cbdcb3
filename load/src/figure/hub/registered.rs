//! A million devices, registered over HTTP in bulk: how fast, what they take on the disk and in
//! memory, and how long a start on them takes after kill -9. Refuses to know what they do.

use super::fleet;
use crate::figure::home::{Cores, Home};
use crate::figure::{Numbers, Place};
use crate::https::Https;
use crate::hub::API;
use anyhow::{Result, bail};
use serde_json::Value;
use std::sync::Arc;
use std::time::Instant;

/// Takes it.
///
/// # Errors
/// When the server fails, or does not find again what it kept.
pub fn run(place: Place<'_>) -> Result<Numbers> {
    let count = place.of(1_000_000);
    let (mut home, mut numbers) =
        (Home::hub(place.binary, place.folder, Cores::All)?, Numbers::default());
    home.start()?;
    let (empty, empty_disk) = (home.used()?, home.disk_bytes()?);
    let begun = Instant::now();
    fleet::register(&home.target()?, count, fleet::bare)?;
    numbers.add("per_s", count as f64 / begun.elapsed().as_secs_f64());
    let full = home.used()?;
    let each = |bytes: f64| bytes / count as f64;
    numbers.add("cpu_us", each(full.cpu_us - empty.cpu_us));
    numbers.add("disk_mb", home.disk_bytes()? as f64 / 1e6);
    numbers.add("disk_bytes", each((home.disk_bytes()? - empty_disk) as f64));
    numbers.add("resident_mb", full.resident_bytes / 1e6);
    numbers.add("device_bytes", each(full.resident_bytes - empty.resident_bytes));
    home.kill()?;
    numbers.add("start_ms", home.start()?.as_secs_f64() * 1e3);
    let again = home.used()?;
    numbers.add("start_cpu_ms", again.cpu_us / 1e3);
    numbers.add("restored_mb", again.resident_bytes / 1e6);
    numbers.add("restored_device_bytes", each(again.resident_bytes - empty.resident_bytes));
    let target = home.target()?;
    let mut https = Https::new(target.ports.https, Arc::clone(&target.tls), &target.token);
    let found: Value = serde_json::from_str(&https.get(&format!("/statistics/devices?{API}"))?)?;
    if found["totalDeviceCount"].as_u64() != Some(count) {
        bail!("of {count} devices it found {found}");
    }
    Ok(numbers)
}
