//! Reads the retained topics while nobody writes, by SUBSCRIBE and over HTTP, and has the ledger
//! judge each. Refuses to know who wrote them.

use super::breach::Rule;
use super::ledger::Ledger;
use crate::engine::{Engine, Event, Key, Plan, Target};
use crate::https::Https;
use crate::mark::Mark;
use anyhow::Result;
use mqtt::qos::QoS;
use mqtt::wire::Version;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// By stream: the message that stands there.
type Found = BTreeMap<u32, u64>;

/// Reads all of `streams`; what does not fit is in the ledger's breaches.
///
/// # Errors
/// When the poll fails or HTTP breaks.
pub fn read(
    engine: &mut Engine,
    reader: Key,
    target: &Target,
    ledger: &mut Ledger,
    streams: &[u32],
) -> Result<()> {
    let expected = streams.iter().filter(|stream| ledger.must_stand(**stream)).copied().collect();
    let found = subscribe(engine, reader, expected, ledger)?;
    for stream in streams {
        ledger.retained("SUBSCRIBE", *stream, found.get(stream).copied());
    }
    let mut https = Https::new(target.ports.https, Arc::clone(&target.tls), &target.token);
    for stream in streams {
        let topic = ledger.source(*stream).topic.replace('/', "%2F");
        let answer =
            https.look(&format!("/mqtt/retainedMessages/message?{VERSION}&topic={topic}"))?;
        let mark = Mark::read(&answer.body).filter(|mark| mark.stream == *stream);
        match (answer.status, mark) {
            (200, Some(mark)) => ledger.retained("HTTP GET", *stream, Some(mark.sequence)),
            (404, _) => ledger.retained("HTTP GET", *stream, None),
            (status, _) => {
                let detail = format!("{topic}: {status} {}", answer.text());
                ledger.broken(Rule::Protocol, "HTTP GET", None, &detail);
            }
        }
    }
    Ok(())
}

/// The client that subscribes, with a session that ends with its connection.
pub fn reader(engine: &mut Engine) -> Key {
    engine.add(Plan::new(Version::V5, "retained-reader"))
}

/// Subscribes and takes what comes until all of `expected` are there and a ping has come back
/// after them, so that what should not be there is seen too.
fn subscribe(
    engine: &mut Engine,
    reader: Key,
    mut expected: Vec<u32>,
    ledger: &mut Ledger,
) -> Result<Found> {
    let (mut found, mut heard) = (Found::new(), Vec::new());
    let end = Instant::now() + PATIENCE;
    engine.connect(reader);
    while Instant::now() < end {
        engine.turn(Some(Duration::from_millis(5)), &mut heard, |_| {})?;
        for heard in heard.drain(..).filter(|heard| heard.key == reader) {
            match heard.event {
                Event::Up { .. } => engine.subscribe(reader, "keep/#", QoS::AtLeastOnce),
                Event::Subscribed(reason) if !reason.is_error() => engine.ping(reader),
                // What was under way when connections were lost may come live.
                Event::Message(m) if !m.retain => {}
                Event::Message(m) => {
                    let stream = m.mark.map_or(u32::MAX, |mark| mark.stream);
                    found.extend(m.mark.map(|mark| (stream, mark.sequence)));
                    expected.retain(|known| *known != stream);
                }
                Event::Pong if expected.is_empty() => {
                    engine.reset(reader);
                    return Ok(found);
                }
                Event::Pong => engine.ping(reader),
                other => {
                    let detail = format!("{other:?}; {:?}", engine.faults.last());
                    ledger.broken(Rule::Protocol, "SUBSCRIBE", None, &detail);
                    engine.reset(reader);
                    return Ok(found);
                }
            }
        }
    }
    engine.reset(reader);
    Ok(found)
}

const VERSION: &str = "api-version=2025-11-16-preview";
/// A scan of a few topics is a matter of milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
