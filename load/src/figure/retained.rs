//! A million retained messages in memory, and what reading them by wildcards costs: as much as it
//! returns, and not as much as there is.

use super::crowd::{Crowd, Work};
use super::home::{Cores, Home};
use super::{Numbers, Place};
use crate::engine::{Engine, Event, Plan};
use crate::waiting::until;
use anyhow::{Result, ensure};
use mqtt::qos::QoS;
use mqtt::wire::Version;
use std::fmt::Write as _;
use std::time::Duration;

/// Takes it.
///
/// # Errors
/// When the server fails, or a read returns another number of messages.
pub fn run(place: Place<'_>) -> Result<Numbers> {
    let messages = place.of(1_000_000);
    let (mut home, mut numbers) =
        (Home::new(place.binary, place.folder, Cores::First)?, Numbers::default());
    home.start()?;
    let mut engine = Engine::new(home.target()?)?;
    let empty = home.used()?;
    let crowd = Crowd::connect(&mut engine, 64)?;
    let work = Work { messages, retain: true, bytes: 64, topic: &topic };
    crowd.publish(&mut engine, &work, |_| {})?;
    let full = home.used()?;
    numbers.add("store_us", (full.cpu_us - empty.cpu_us) / messages as f64);
    numbers.add("resident_mb", full.resident_bytes / 1e6);
    numbers.add("message_bytes", (full.resident_bytes - empty.resident_bytes) / messages as f64);
    // All of it, a thousandth of it two hundred times, and one message a thousand times: by a
    // filter that begins with the plant, and by one that leaves it open.
    let all = read(&home, &mut engine, 1, messages, |_| "plants/#".into())?;
    let few = read(&home, &mut engine, 200, messages / PLANTS, |n| {
        format!("plants/{:03}/devices/+/st", n % PLANTS)
    })?;
    let one = read(&home, &mut engine, 1_000, 1, |n| {
        format!("plants/{:03}/devices/{:07}/+", n % PLANTS, n % PLANTS)
    })?;
    let open = read(&home, &mut engine, 200, 1, |n| {
        format!("plants/+/devices/{:07}/st", n * PLANTS % messages)
    })?;
    numbers.add("all_us", all / messages as f64);
    numbers.add("few_us", few / (messages / PLANTS) as f64);
    numbers.add("few_to_all", few / (messages / PLANTS) as f64 / (all / messages as f64));
    numbers.add("one_us", one);
    numbers.add("open_us", open);
    Ok(numbers)
}

/// Subscribes `times` times, one after the other, each to another filter, and waits for `each`
/// messages; the server's CPU-µs of one read.
fn read(
    home: &Home,
    engine: &mut Engine,
    times: u64,
    each: u64,
    filter: impl Fn(u64) -> String,
) -> Result<f64> {
    let reader = engine.add(Plan::new(Version::V5, format!("reader-{times}-{each}")));
    engine.connect(reader);
    until(engine, "the reader", WHOLE, |engine, _| engine.is_up(reader))?;
    let (before, mut got) = (home.used()?, 0);
    for n in 0..times {
        engine.subscribe(reader, &filter(n), QoS::AtMostOnce);
        let (mut granted, wanted) = (false, (n + 1) * each);
        until(engine, "the retained messages", WHOLE, |_, heard| {
            for heard in heard.iter().filter(|h| h.key == reader) {
                granted |= matches!(heard.event, Event::Subscribed(reason) if !reason.is_error());
                got += u64::from(matches!(heard.event, Event::Message(_)));
            }
            granted && got >= wanted
        })?;
        ensure!(got == wanted, "{} returned {got} messages, not {wanted}", filter(n));
    }
    let cpu_us = home.used()?.cpu_us - before.cpu_us;
    engine.leave(reader);
    Ok(cpu_us / times as f64)
}

/// 30 bytes; a thousand plants.
fn topic(n: u64, text: &mut String) {
    text.clear();
    // Writing to a String does not fail.
    let _ = write!(text, "plants/{:03}/devices/{:07}/st", n % PLANTS, n);
}

const PLANTS: u64 = 1_000;
const WHOLE: Duration = Duration::from_secs(120);
