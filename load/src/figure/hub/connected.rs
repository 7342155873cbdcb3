//! What a connected device costs in memory over a plain connection of the same server. Refuses to
//! know what they send.

use super::fleet;
use crate::engine::{Engine, Key, Plan};
use crate::figure::home::{Cores, Home};
use crate::figure::{Numbers, Place};
use anyhow::Result;
use mqtt::wire::Version;

/// Plain connections, then devices, each first without subscriptions and then with those that a
/// device has, each on a server of its own.
///
/// # Errors
/// When the server fails.
pub fn run(place: Place<'_>) -> Result<Numbers> {
    let count = place.of(COUNT);
    let mut numbers = Numbers::default();
    let plain = plain(place, count, &[])?;
    let device = device(place, count, &[])?;
    numbers.add("plain_bytes", plain);
    numbers.add("device_bytes", device);
    numbers.add("over_plain_bytes", device - plain);
    let plain = self::plain(place, count, &["a/+", "b/c", "d"])?;
    let device = self::device(place, count, &FILTERS)?;
    numbers.add("plain_subscribed_bytes", plain);
    numbers.add("device_subscribed_bytes", device);
    numbers.add("over_plain_subscribed_bytes", device - plain);
    Ok(numbers)
}

/// Bytes a connection.
fn plain(place: Place<'_>, count: u64, filters: &[&str]) -> Result<f64> {
    let mut home = Home::hub(place.binary, place.folder, Cores::First)?;
    home.start()?;
    // As many are registered, so that only the connections differ.
    fleet::register(&home.target()?, count, fleet::keyed)?;
    let mut engine = Engine::new(home.target()?)?;
    let plan = |n| Plan::new(Version::V5, format!("plain-{n:07}"));
    let keys: Vec<Key> = (0..count).map(|n| engine.add(plan(n))).collect();
    let before = home.used()?.resident_bytes;
    fleet::come_up(&mut engine, &keys, filters)?;
    Ok((home.used()?.resident_bytes - before) / count as f64)
}

fn device(place: Place<'_>, count: u64, filters: &[&str]) -> Result<f64> {
    let mut home = Home::hub(place.binary, place.folder, Cores::First)?;
    home.start()?;
    fleet::register(&home.target()?, count, fleet::keyed)?;
    let mut engine = Engine::new(home.target()?)?;
    let before = home.used()?.resident_bytes;
    fleet::connect(&mut engine, count, filters)?;
    Ok((home.used()?.resident_bytes - before) / count as f64)
}

const COUNT: u64 = 10_000;
const FILTERS: [&str; 3] = ["$iothub/commands", "$iothub/methods/+", "$iothub/twin/patch/desired"];
