//! Devices that are registered in bulk, as many at once as one call takes, and connected. Refuses
//! to know what they do.

use crate::engine::{Credential, Engine, Event, Heard, Key, Plan, Target};
use crate::https::Https;
use crate::hub::{API, signing};
use crate::waiting::{PATIENCE, until};
use anyhow::{Context, Result, anyhow, bail};
use mqtt::qos::QoS;
use mqtt::wire::Version;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The name of device n.
pub fn name(n: u64) -> String {
    format!("device-{n:07}")
}

/// What a row of a bulk operation has beside its id.
pub type Row = fn(u64) -> Value;

/// Nothing: the hub makes its keys.
pub fn bare(_: u64) -> Value {
    json!({})
}

/// A key that we know.
pub fn keyed(n: u64) -> Value {
    let key = signing::Key::of(&name(n)).base64();
    json!({ "authentication": { "type": "sas",
        "symmetricKey": { "primaryKey": key, "secondaryKey": key } } })
}

/// Registers so many, a few calls at a time.
///
/// # Errors
/// When one is refused.
pub fn register(target: &Target, count: u64, row: Row) -> Result<()> {
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..CALLS).map(|_| scope.spawn(|| calls(target, &next, count, row))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow!("a registrar panicked"))?)
    })
}

fn calls(target: &Target, next: &AtomicU64, count: u64, row: Row) -> Result<()> {
    let mut https = Https::new(target.ports.https, Arc::clone(&target.tls), &target.token);
    loop {
        let from = next.fetch_add(ROWS, Ordering::Relaxed);
        if from >= count {
            return Ok(());
        }
        let rows: Vec<Value> = (from..count.min(from + ROWS))
            .map(|n| {
                let mut document = row(n);
                document["id"] = name(n).into();
                document["importMode"] = "create".into();
                document["status"] = "enabled".into();
                document
            })
            .collect();
        let body = Value::from(rows).to_string();
        let path = format!("/devices?{API}");
        let answer = https.once("POST", &path, &[], body.as_bytes()).context("bulk")?;
        if answer.status != 200 {
            bail!("a bulk registration: {} {}", answer.status, answer.text());
        }
    }
}

/// Connects the first `count` devices, which have keys that we know, and subscribes each to all of
/// `filters`.
///
/// # Errors
/// When one is refused.
pub fn connect(engine: &mut Engine, count: u64, filters: &[&str]) -> Result<Vec<Key>> {
    let plans = |n| Plan { credential: Credential::Device, ..Plan::new(Version::V5, name(n)) };
    let keys: Vec<Key> = (0..count).map(|n| engine.add(plans(n))).collect();
    come_up(engine, &keys, filters)?;
    Ok(keys)
}

/// Connects clients that the engine has, and subscribes each to all of `filters`.
///
/// # Errors
/// When one is refused.
pub fn come_up(engine: &mut Engine, keys: &[Key], filters: &[&str]) -> Result<()> {
    let (mut next, mut up, mut subscribed, mut wrong) = (0, 0, 0, None);
    until(engine, "the clients", PATIENCE, |engine, heard| {
        for Heard { key, event } in heard {
            match event {
                Event::Up { .. } => {
                    up += 1;
                    for filter in filters {
                        engine.subscribe(*key, filter, QoS::AtLeastOnce);
                    }
                }
                Event::Subscribed(reason) if !reason.is_error() => subscribed += 1,
                other => wrong = Some(*other),
            }
        }
        // Not all at once: a listener's queue is short.
        while next < keys.len() && next < up + AT_ONCE {
            engine.connect(keys[next]);
            next += 1;
        }
        wrong.is_some() || (up == keys.len() && subscribed == keys.len() * filters.len())
    })?;
    match wrong {
        Some(event) => bail!("a client heard {event:?}: {:?}", engine.faults),
        None => Ok(()),
    }
}

/// What one call may have (iot-hub C3).
const ROWS: u64 = 100;
const CALLS: usize = 8;
const AT_ONCE: usize = 128;
