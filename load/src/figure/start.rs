//! How long a start takes on a million sessions and a million retained messages after a kill, and
//! what a session without a connection costs in memory.

use super::crowd::{Crowd, Work};
use super::home::{Cores, Home, Used};
use super::{Numbers, Place};
use crate::engine::{Engine, Event, Heard, Plan};
use crate::waiting::{PATIENCE, until};
use anyhow::{Context, Result, bail};
use mqtt::qos::QoS;
use mqtt::wire::Version;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Takes it.
///
/// # Errors
/// When the server fails, or does not find again what it kept.
pub fn run(place: Place<'_>) -> Result<Numbers> {
    let (sessions, retained) = (place.of(1_000_000), place.of(1_000_000));
    let (mut home, mut numbers) =
        (Home::new(place.binary, place.folder, Cores::All)?, Numbers::default());
    home.start()?;
    let mut engine = Engine::new(home.target()?)?;
    let empty = home.used()?;
    visits(&mut engine, sessions)?;
    let visited = home.used()?;
    let per_session = |bytes: f64| bytes / sessions as f64;
    numbers.add("session_us", (visited.cpu_us - empty.cpu_us) / sessions as f64);
    numbers.add("session_bytes", per_session(visited.resident_bytes - empty.resident_bytes));
    let crowd = Crowd::connect(&mut engine, 64)?;
    let topic = |n: u64, text: &mut String| topic(n, text);
    crowd.publish(
        &mut engine,
        &Work { messages: retained, retain: true, bytes: 64, topic: &topic },
        |_| {},
    )?;
    let full = home.used()?;
    let of_retained = full.resident_bytes - visited.resident_bytes;
    numbers.add("retained_bytes", of_retained / retained as f64);
    numbers.add("disk_mb", home.disk_bytes()? as f64 / 1e6);
    drop(engine);
    home.kill()?;
    let took = home.start()?;
    numbers.add("start_ms", took.as_secs_f64() * 1e3);
    let begun = Instant::now();
    let mut engine = Engine::new(home.target()?)?;
    resume(&mut engine, sessions / 2)?;
    numbers.add("resume_ms", (took + begun.elapsed()).as_secs_f64() * 1e3);
    let again = at_rest(&home, &mut engine)?;
    numbers.add("start_cpu_ms", again.cpu_us / 1e3);
    numbers.add("resident_mb", again.resident_bytes / 1e6);
    let kept = home.metrics()?;
    // The server's own topics are retained too.
    let own = 0..100;
    let found =
        (kept.sum("gridhub_mqtt_sessions"), kept.sum("gridhub_mqtt_retained_messages_count"));
    if found.0 != sessions || !own.contains(&found.1.wrapping_sub(retained)) {
        bail!("of {sessions} sessions and {retained} retained messages it found {found:?}");
    }
    // Restored sessions as such: what was retained is there too, as much as it was before.
    let restored = again.resident_bytes - empty.resident_bytes - of_retained;
    numbers.add("restored_session_bytes", per_session(restored));
    Ok(numbers)
}

/// What the server uses once it gives nothing back any more: what a start does not need is freed
/// while it serves already.
fn at_rest(home: &Home, engine: &mut Engine) -> Result<Used> {
    let (mut used, mut looked) = (home.used(), Instant::now());
    until(engine, "memory to come to rest", PATIENCE, |_, _| {
        if looked.elapsed() < BETWEEN_LOOKS {
            return false;
        }
        let before = std::mem::replace(&mut used, home.used());
        looked = Instant::now();
        match (&before, &used) {
            (Ok(before), Ok(now)) => now.resident_bytes >= before.resident_bytes,
            _ => true,
        }
    })?;
    used
}

/// So many clients come, subscribe to a topic of their own, and leave their session behind.
fn visits(engine: &mut Engine, sessions: u64) -> Result<()> {
    let plan = || Plan::new(Version::V5, "").lasting(86_400);
    let mut free: Vec<_> = (0..AT_ONCE).map(|_| engine.add(plan())).collect();
    let (mut next, mut done, mut wrong) = (0, 0, None);
    until(engine, "the visits", WHOLE, |engine, heard| {
        for Heard { key, event } in heard {
            match event {
                Event::Up { session_present: false } => {
                    let filter = format!("devices/{}/commands", engine.client(*key).plan.client_id);
                    engine.subscribe(*key, &filter, QoS::AtLeastOnce);
                }
                Event::Subscribed(reason) if !reason.is_error() => engine.leave(*key),
                Event::Closed(crate::engine::End::Left) => {
                    free.push(*key);
                    done += 1;
                }
                other => wrong = Some(*other),
            }
        }
        while next < sessions
            && let Some(key) = free.pop()
        {
            let plan = engine.plan(key);
            plan.client_id.clear();
            // Writing to a String does not fail.
            let _ = write!(plan.client_id, "device-{next:07}");
            engine.connect(key);
            next += 1;
        }
        done == sessions || wrong.is_some()
    })
    .with_context(|| format!("{done} of {sessions} visits"))?;
    match wrong {
        Some(event) => bail!("a visitor heard {event:?}: {:?}", engine.faults),
        None => Ok(()),
    }
}

/// Who left a session behind comes back to it.
fn resume(engine: &mut Engine, n: u64) -> Result<()> {
    let key = engine.add(Plan::new(Version::V5, format!("device-{n:07}")).lasting(86_400));
    engine.connect(key);
    let mut found = None;
    until(engine, "a session that was kept", PATIENCE, |_, heard| {
        found = found.or(heard.first().map(|h| h.event));
        found.is_some()
    })?;
    match found {
        Some(Event::Up { session_present: true }) => Ok(()),
        other => bail!("device-{n:07} came back and heard {other:?}"),
    }
}

/// 30 bytes.
fn topic(n: u64, text: &mut String) {
    text.clear();
    // As above.
    let _ = write!(text, "plants/{:03}/devices/{:07}/st", n % 1_000, n);
}

const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
const AT_ONCE: usize = 128;
const WHOLE: Duration = Duration::from_secs(1_800);
