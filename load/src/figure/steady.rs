//! What the log takes up on the disk when ten million messages have gone through it to one session
//! that reads, while a hundredth of them, all over the log, waits for another that is away.

use super::crowd::{Crowd, Work};
use super::home::{Cores, Home};
use super::{Numbers, Place};
use crate::engine::{Engine, Event, Heard, Key, Plan};
use crate::proof::Size;
use crate::waiting::{Clock, PATIENCE, until};
use anyhow::{Result, ensure};
use mqtt::qos::QoS;
use mqtt::wire::Version;
use std::fmt::Write as _;

/// Takes it.
///
/// # Errors
/// When the server fails, or the session that reads lacks a message.
pub fn run(place: Place<'_>) -> Result<Numbers> {
    let messages = place.of(10_000_000);
    let (mut home, mut numbers) =
        (Home::new(place.binary, place.folder, Cores::First)?, Numbers::default());
    home.start()?;
    let mut engine = Engine::new(home.target()?)?;
    let away = engine.add(Plan::new(Version::V5, "away").lasting(86_400));
    subscribed(&mut engine, away, "through/kept")?;
    engine.leave(away);
    let reader = engine.add(Plan::new(Version::V5, "reader").lasting(86_400));
    subscribed(&mut engine, reader, "through/+")?;
    let crowd = Crowd::connect(&mut engine, 64)?;
    let (before, mut got, mut peak) = (home.used()?, 0, 0);
    let work = |messages| Work { messages, retain: false, bytes: 64, topic: &topic };
    for _ in 0..PARTS {
        let count = |heard: &Heard| got += u64::from(matches!(heard.event, Event::Message(_)));
        crowd.publish(&mut engine, &work(messages / PARTS), count)?;
        peak = peak.max(home.disk_bytes()?);
    }
    until(&mut engine, "the last messages", PATIENCE, |_, heard| {
        let is = |h: &&Heard| matches!(h.event, Event::Message(_));
        got += heard.iter().filter(is).count() as u64;
        got >= messages
    })?;
    ensure!(got == messages, "{got} of {messages} messages came");
    let after = home.used()?;
    // The progress of the reader is written, and the space given back, within seconds.
    let (rested, rest_s) = (Clock::new(), if place.size == Size::Full { REST_S } else { 1.0 });
    until(&mut engine, "the cleaner", PATIENCE, |_, _| rested.s() > rest_s)?;
    let end = home.disk_bytes()?;
    let live = messages / KEPT_EVERY * (TOPIC_BYTES + 64);
    numbers.add("live_mb", live as f64 / 1e6);
    numbers.add("end_mb", end as f64 / 1e6);
    numbers.add("peak_mb", peak as f64 / 1e6);
    numbers.add("resident_mb", after.resident_bytes / 1e6);
    numbers.add("cpu_us", (after.cpu_us - before.cpu_us) / messages as f64);
    numbers.add("to_bar", end as f64 / (3 * live + 4 * SEGMENT_BYTES) as f64);
    numbers.add("peak_to_bar", peak as f64 / (3 * live + 4 * SEGMENT_BYTES) as f64);
    let written = after.written_bytes - before.written_bytes;
    numbers.add("written_ratio", written / (messages * (TOPIC_BYTES + 64)) as f64);
    Ok(numbers)
}

fn subscribed(engine: &mut Engine, key: Key, filter: &str) -> Result<()> {
    engine.connect(key);
    until(engine, "a subscriber", PATIENCE, |engine, heard| {
        if heard.iter().any(|h| matches!(h.event, Event::Up { .. })) {
            engine.subscribe(key, filter, QoS::AtLeastOnce);
        }
        heard.iter().any(|h| matches!(h.event, Event::Subscribed(reason) if !reason.is_error()))
    })
}

/// One in a hundred is kept by the session that is away.
fn topic(n: u64, text: &mut String) {
    text.clear();
    let name = if n.is_multiple_of(KEPT_EVERY) { "kept" } else { "gone" };
    // Writing to a String does not fail.
    let _ = write!(text, "through/{name}");
}

/// As long as the cleaner may take when nothing happens.
const REST_S: f64 = 10.0;
const PARTS: u64 = 20;
const KEPT_EVERY: u64 = 100;
const TOPIC_BYTES: u64 = 12;
const SEGMENT_BYTES: u64 = 32 << 20;
