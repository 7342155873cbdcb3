//! How long a direct method takes over HTTP, its device's answer included, beside plain requests to
//! the same server at the same rate. Refuses to know connections.

use super::callers::{Callers, Request};
use super::{fleet, median};
use crate::engine::{Engine, Event, Heard};
use crate::figure::home::{Cores, Home};
use crate::figure::{Numbers, Place};
use crate::hub::API;
use crate::latency::Latency;
use crate::proof::Size;
use crate::waiting::{PATIENCE, until};
use anyhow::{Result, bail};
use mqtt::wire::Property;
use std::time::Duration;

/// Takes it in rounds: plain requests, then methods, while the devices are connected.
///
/// # Errors
/// When the server fails or a device does not answer.
pub fn run(place: Place<'_>) -> Result<Numbers> {
    let mut home = Home::hub(place.binary, place.folder, Cores::First)?;
    home.start()?;
    let target = home.target()?;
    fleet::register(&target, DEVICES, fleet::keyed)?;
    let mut engine = Engine::new(target.clone())?;
    fleet::connect(&mut engine, DEVICES, &["$iothub/methods/+"])?;
    let full = place.size == Size::Full;
    let (rate, long) = if full { (RATE, LONG) } else { (RATE / 10, LONG / 10) };
    let plain = |_| Request { verb: "GET", path: "/healthz".into(), body: String::new() };
    let (mut numbers, mut cpu_us) = (Numbers::default(), vec![]);
    let (mut rounds, mut ratios) = ((vec![], vec![], vec![], vec![]), vec![]);
    for _ in 0..if full { ROUNDS } else { 1 } {
        let mut plain = during(&mut engine, Callers::start(&target, rate, long, plain))?;
        let before = home.used()?;
        let mut called = during(&mut engine, Callers::start(&target, rate, long, method))?;
        cpu_us.push((home.used()?.cpu_us - before.cpu_us) / called.count().max(1) as f64);
        let us = |of: &mut Latency, share| f64::from(of.quantile(share).max(1));
        rounds.0.push(us(&mut plain, 0.5));
        rounds.1.push(us(&mut plain, 0.99));
        rounds.2.push(us(&mut called, 0.5));
        rounds.3.push(us(&mut called, 0.99));
        ratios.push(us(&mut called, 0.99) / us(&mut plain, 0.99));
    }
    numbers.add("plain_p50_us", median(rounds.0));
    numbers.add("plain_p99_us", median(rounds.1));
    numbers.add("p50_us", median(rounds.2));
    numbers.add("p99_us", median(rounds.3));
    numbers.add("to_plain", median(ratios));
    numbers.add("cpu_us", median(cpu_us));
    Ok(numbers)
}

fn method(n: u64) -> Request {
    let path = format!("/twins/{}/methods?{API}", fleet::name(n % DEVICES));
    let body = r#"{"methodName":"set","payload":{"level":7},"responseTimeoutInSeconds":30}"#;
    Request { verb: "POST", path, body: body.to_owned() }
}

/// Devices answer at once for as long as somebody calls.
fn during(engine: &mut Engine, callers: Callers) -> Result<Latency> {
    let (mut properties, mut wrong) = (Vec::new(), None);
    until(engine, "the callers", PATIENCE, |engine, heard| {
        for Heard { key, event } in heard {
            match event {
                Event::Message(m) if m.correlation.is_some() => {
                    properties.clear();
                    let correlation = m.correlation.iter().flat_map(|c| c.bytes()).copied();
                    let correlation: Vec<u8> = correlation.collect();
                    let all = [
                        Property::CorrelationData(&correlation),
                        Property::User("response-code", "200"),
                    ];
                    for property in all {
                        property.encode(&mut properties).expect("short properties");
                    }
                    engine.request(*key, "$iothub/responses", &properties, b"{\"is\":7}");
                }
                other => wrong = Some(*other),
            }
        }
        wrong.is_some() || callers.are_done()
    })?;
    match wrong {
        Some(event) => bail!("a device heard {event:?}: {:?}", engine.faults),
        None => callers.finish(),
    }
}

const DEVICES: u64 = 64;
const RATE: u64 = 2_000;
const LONG: Duration = Duration::from_secs(5);
const ROUNDS: usize = 3;
