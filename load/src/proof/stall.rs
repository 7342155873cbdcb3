//! 100 publishers at full speed into a stalled subscriber of each QoS: others do not feel it,
//! memory keeps to the bounds, and every message is delivered, dropped and counted, or queued.

use super::{Rule, Scale, judge};
use crate::engine::{Engine, Event, Heard, Key, Plan, Reading};
use crate::flood::Flood;
use crate::ledger::Track;
use crate::paced::Paced;
use crate::process::give_way;
use crate::report::Report;
use crate::server::{Options, Server};
use crate::waiting::{Clock, PATIENCE, until};
use anyhow::{Context, Result};
use mqtt::qos::QoS;
use mqtt::wire::Version;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// Carries it out.
///
/// # Errors
/// When the server or the generator fails, which is no verdict.
pub fn run(binary: &Path, scale: Scale) -> Result<Report> {
    let mut report = Report::new("stall");
    let limits = vec![
        format!("limits.session_queue_messages_max = {QUEUE_MESSAGES}"),
        format!("limits.output_bytes_max = {OUTPUT_BYTES}"),
        "limits.packet_bytes_max = 65536".into(),
        "limits.http_body_bytes_max = 65536".into(),
    ];
    let mut server = Server::start(binary, &Options { reactors: 1, core: Some(0), limits })?;
    let before = server.metrics()?;
    let paced = Paced::start(server.target(), scale.pace(), 3)?;
    give_way();
    let mut engine = Engine::new(server.target())?;
    let mut flood = Flood::connect(&mut engine, scale.of(100, 20), PAYLOAD_BYTES)?;
    let stalled = connect_stalled(&mut engine)?;
    let run = |engine: &mut Engine, flood: Option<&mut Flood>, seconds: u64| {
        turn_for(&server, engine, flood, Duration::from_secs(seconds))
    };
    run(&mut engine, None, 1)?;
    let side = scale.of((scale.seconds / 4).clamp(5, 30), 1);
    paced.phase(1);
    run(&mut engine, None, side)?;
    // The same publishers, whom nobody hears: what they cost is not the stalled ones' doing.
    flood.aim("nobody");
    paced.phase(2);
    let mut resident = run(&mut engine, Some(&mut flood), side)?;
    paced.phase(0);
    flood.settle(&mut engine)?;
    report.figure("published to nobody", flood.published);
    let bound = resident + BUDGET_KIB;
    flood.aim("stall");
    paced.phase(3);
    resident = run(&mut engine, Some(&mut flood), scale.seconds)?;
    paced.phase(0);
    flood.settle(&mut engine)?;
    let outcome = paced.finish()?;
    report.figure("published to the stalled", flood.published);
    report.figure("resident_kib", json!({ "most": resident, "bound": bound }));
    report.check(
        "memory stays within the bounds of three sessions",
        resident <= bound,
        format!("most {resident} KiB of {bound} KiB"),
    );
    report.check("nothing was refused", flood.refused == 0, format!("{}", flood.refused));
    let expected = 3 * flood.published;
    let paced_sent = outcome.published;
    balance(&mut report, &mut server, &before, expected, paced_sent)?;
    drain(&mut report, &mut server, &mut engine, &stalled, &before, expected)?;
    report.check("the generator saw no fault", engine.faults.is_empty(), engine.faults.join("; "));
    // The second is what the same load does on the same core with nobody stalled.
    let loaded = [
        (3, "beside stalled subscribers", Rule::Judged),
        (2, "beside publishers nobody hears", Rule::Shown),
    ];
    judge(&mut report, outcome, &loaded, scale.size);
    server.stop()?;
    Ok(report)
}

fn connect_stalled(engine: &mut Engine) -> Result<Vec<Key>> {
    let mut keys = Vec::new();
    for n in 0..3 {
        keys.push(engine.add(Plan::new(Version::V5, format!("{STALLED}{n}"))));
        engine.connect(keys[n]);
    }
    until(engine, "the stalled subscribers", PATIENCE, |engine, _| {
        keys.iter().all(|key| engine.is_up(*key))
    })?;
    for (n, key) in keys.iter().enumerate() {
        let qos = QoS::from_bits(n as u8).context("a level")?;
        engine.subscribe(*key, "stall/#", qos);
    }
    let mut granted = 0;
    until(engine, "their subscriptions", PATIENCE, |_, heard| {
        let is = |h: &&Heard| matches!(h.event, Event::Subscribed(reason) if !reason.is_error());
        granted += heard.iter().filter(is).count();
        granted == keys.len()
    })?;
    for key in &keys {
        engine.read(*key, Reading::Stalled);
    }
    Ok(keys)
}

/// Turns for a time, the flood at full speed if there is one; the most memory seen, in KiB.
fn turn_for(
    server: &Server,
    engine: &mut Engine,
    mut flood: Option<&mut Flood>,
    time: Duration,
) -> Result<u64> {
    let (clock, mut heard, mut most, mut samples) = (Clock::new(), Vec::new(), 0, 0);
    while clock.s() < time.as_secs_f64() {
        if let Some(flood) = &mut flood {
            flood.push(engine);
        }
        engine.turn(Some(Duration::from_millis(5)), &mut heard, |_| {})?;
        for heard in heard.drain(..) {
            if let Some(flood) = &mut flood {
                flood.hear(&heard);
            }
        }
        if clock.us() / SAMPLE_US >= samples {
            samples += 1;
            most = most.max(server.process().resident_kib()?);
        }
    }
    Ok(most)
}

/// What was published for the stalled ones is in a socket, in a queue, or in a counter.
fn balance(
    report: &mut Report,
    server: &mut Server,
    before: &crate::metrics::Metrics,
    expected: u64,
    paced: u64,
) -> Result<()> {
    let after = server.metrics()?;
    let sent = after.delivered() - before.delivered() - paced;
    let dropped = after.dropped() - before.dropped();
    let mut queued = 0;
    for n in 0..3 {
        let session = server.session(&format!("{STALLED}{n}"))?;
        queued += session["bounds"]["queueMessages"]["used"].as_u64().context("a count")?;
    }
    report.figure("drops", json!(after.drops_since(before)));
    let parts = format!("{sent} sent, {dropped} dropped and counted, {queued} queued");
    report.figure("while stalled", parts.clone());
    report.equal(
        "published = sent + counted drops + queued",
        ("published for three", expected),
        (&parts, sent + dropped + queued),
    );
    report.check("the bounds were reached", dropped > 0, format!("{dropped} drops"));
    Ok(())
}

/// They read again: what comes is what the counters do not name, once and in order.
fn drain(
    report: &mut Report,
    server: &mut Server,
    engine: &mut Engine,
    stalled: &[Key],
    before: &crate::metrics::Metrics,
    expected: u64,
) -> Result<()> {
    for key in stalled {
        engine.read(*key, Reading::On);
    }
    let mut tracks = vec![[Track::default(); PUBLISHERS_MAX]; stalled.len()];
    let (mut strange, mut quiet) = (0, Clock::new());
    until(engine, "the stalled subscribers to drain", PATIENCE, |_, heard| {
        for Heard { key, event } in heard {
            let Some(at) = stalled.iter().position(|k| k == key) else { continue };
            quiet = Clock::new();
            let Event::Message(m) = event else {
                strange += 1;
                continue;
            };
            match m.mark.filter(|m| (m.stream as usize) < PUBLISHERS_MAX) {
                Some(mark) => drop(tracks[at][mark.stream as usize].enter(mark, m.dup.into())),
                None => strange += 1,
            }
        }
        quiet.s() > QUIET_S
    })?;
    let all = || tracks.iter().flatten();
    let received: u64 = all().map(|t| t.received).sum();
    let wrong: u64 = all().map(|t| t.disorder + t.again).sum();
    let dropped = server.metrics()?.dropped() - before.dropped();
    let parts = format!("received {received} + dropped {dropped} =");
    report.equal(
        "after they read again: published = received + counted drops",
        ("published for three", expected),
        (&parts, received + dropped),
    );
    let detail = format!("{wrong} repeated or out of order, {strange} strange");
    report.check("what they get is in order and comes once", wrong + strange == 0, detail);
    Ok(())
}

const STALLED: &str = "stalled-";
const PUBLISHERS_MAX: usize = 100;
const PAYLOAD_BYTES: usize = 256;
const QUEUE_MESSAGES: u64 = 10_000;
const OUTPUT_BYTES: u64 = 256 * 1024;
/// What the configured bounds allow beyond what the server holds without the stalled ones: two
/// queues of 10,000 messages of 256 bytes, 256 bytes more for keeping each; three outputs of 256
/// KiB that may have grown to the double and hold a packet more; 1,000 messages under way each;
/// and 8 MiB for the allocator.
const BUDGET_KIB: u64 =
    (2 * QUEUE_MESSAGES * 512 + 3 * 3 * OUTPUT_BYTES + 2 * 1000 * 512) / 1024 + 8 * 1024;
const SAMPLE_US: u64 = 250_000;
/// Nothing for this long means that nothing is left.
const QUIET_S: f64 = 1.0;
