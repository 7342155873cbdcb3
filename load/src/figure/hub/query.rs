//! How long queries over 100,000 devices take: those that select few by a value, and those that
//! have to look at all. Refuses to know how they are answered.

use super::{fleet, median};
use crate::figure::home::{Cores, Home};
use crate::figure::{Numbers, Place};
use crate::https::Https;
use crate::hub::API;
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

/// Takes each query a few times.
///
/// # Errors
/// When the server fails or an answer is wrong.
pub fn run(place: Place<'_>) -> Result<Numbers> {
    let count = place.of(100_000);
    let (mut home, mut numbers) =
        (Home::hub(place.binary, place.folder, Cores::All)?, Numbers::default());
    home.start()?;
    let empty = home.used()?;
    fleet::register(&home.target()?, count, twin)?;
    let full = home.used()?;
    numbers.add("device_bytes", (full.resident_bytes - empty.resident_bytes) / count as f64);
    let target = home.target()?;
    let mut https = Https::new(target.ports.https, Arc::clone(&target.tls), &target.token);
    let (last, of_site) = (fleet::name(count - 1), count / SITES);
    let rows: [(&str, String, usize); 4] = [
        ("id_ms", format!("SELECT * FROM devices WHERE deviceId = '{last}'"), 1),
        ("tag_ms", "SELECT * FROM devices WHERE tags.site = 'site-007'".into(), of_site as usize),
        ("scan_ms", "SELECT deviceId FROM devices WHERE tags.floor > 99".into(), 0),
        (
            "count_ms",
            "SELECT COUNT() AS n FROM devices WHERE properties.desired.level >= 50".into(),
            1,
        ),
    ];
    for (name, text, found) in rows {
        let (mut times, body) = (Vec::new(), json!({ "query": text }).to_string());
        for _ in 0..TIMES {
            let begun = Instant::now();
            let path = format!("/devices/query?{API}");
            let headers = [("x-ms-max-item-count", "1000")];
            let answer = https.once("POST", &path, &headers, body.as_bytes())?;
            times.push(begun.elapsed().as_secs_f64() * 1e3);
            let rows: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
            if answer.status != 200 || rows.as_array().map(Vec::len) != Some(found) {
                bail!("{text}: {} {}", answer.status, answer.text());
            }
        }
        numbers.add(name, median(times));
    }
    Ok(numbers)
}

/// Tags and what is desired, as an operator writes them.
fn twin(n: u64) -> Value {
    let site = format!("site-{:03}", n % SITES);
    json!({
        "tags": { "site": site, "floor": n % 40, "owner": { "team": n % 17 } },
        "properties": { "desired": { "level": n % 100, "mode": "auto", "interval": 30 } },
    })
}

/// So many sites share the devices evenly.
const SITES: u64 = 1_000;
const TIMES: usize = 5;
