//! One publisher to 9,000 subscribers, beside a paced stream that must not feel it: four messages
//! a second, and for comparison each as soon as all have the last one. Then the system's own timers
//! of delayed acknowledgements, 9,000 for each message and on the server's core because it is
//! loopback, stop every thread there for up to 2 ms.

use super::{Rule, Scale, judge};
use crate::engine::{Engine, Event, Heard, Key, Outgoing, Plan};
use crate::ledger::Track;
use crate::mark::Mark;
use crate::paced::Paced;
use crate::process::give_way;
use crate::report::Report;
use crate::server::{Options, Server};
use crate::waiting::{Clock, PATIENCE, until};
use anyhow::Result;
use mqtt::qos::QoS;
use mqtt::wire::Version;
use std::path::Path;
use std::time::Duration;

/// Carries it out.
///
/// # Errors
/// When the server or the generator fails, which is no verdict.
pub fn run(binary: &Path, scale: Scale) -> Result<Report> {
    let mut report = Report::new("fanout");
    let options = Options { reactors: 1, core: Some(0), limits: Vec::new() };
    let mut server = Server::start(binary, &options)?;
    let before = server.metrics()?;
    let mut engine = Engine::new(server.target())?;
    let mut crowd = Crowd::connect(&mut engine, scale.of(9_000, 500))?;
    let paced = Paced::start(server.target(), scale.pace())?;
    give_way();
    let part = Duration::from_secs((scale.seconds / 3).max(1));
    idle(&mut engine, Duration::from_secs(1))?;
    paced.phase(1);
    idle(&mut engine, part.min(Duration::from_secs(30)))?;
    for (phase, name, qos, every) in PHASES {
        paced.phase(phase);
        let rounds = crowd.publish_for(&mut engine, qos, part, every)?;
        report.figure(&format!("messages, {name}"), rounds);
    }
    paced.phase(0);
    let outcome = paced.finish()?;
    let (got, wrong) = crowd.totals();
    let expected = crowd.published * crowd.subscribers.len() as u64;
    report.equal("every subscriber has every message", ("expected", expected), ("got", got));
    report.check("once and in order", wrong == 0, format!("{wrong} were not"));
    let drops = server.metrics()?.drops_since(&before);
    report.check("nothing was dropped", drops.is_empty(), format!("{drops:?}"));
    report.check("the generator saw no fault", engine.faults.is_empty(), engine.faults.join("; "));
    let rule = |every: Duration| if every.is_zero() { Rule::Shown } else { Rule::Judged };
    let loaded = PHASES.map(|(phase, name, _, every)| (phase, name, rule(every)));
    judge(&mut report, outcome, &loaded, scale.size);
    server.stop()?;
    Ok(report)
}

/// The publisher and its audience.
struct Crowd {
    publisher: Key,
    subscribers: Vec<Key>,
    tracks: Vec<Track>,
    published: u64,
}

impl Crowd {
    fn connect(engine: &mut Engine, count: usize) -> Result<Self> {
        let subscribers: Vec<Key> =
            (0..count).map(|n| engine.add(Plan::new(Version::V5, format!("crowd-{n}")))).collect();
        let publisher = engine.add(Plan::new(Version::V5, "crowd-publisher"));
        engine.connect(publisher);
        let (mut begun, mut granted) = (0, 0);
        until(engine, "the crowd", PATIENCE, |engine, heard| {
            for Heard { key, event } in heard {
                match event {
                    Event::Up { .. } if *key != publisher => {
                        engine.subscribe(*key, TOPIC, QoS::AtLeastOnce);
                    }
                    Event::Subscribed(_) => granted += 1,
                    _ => {}
                }
            }
            while begun < count && begun < granted + OPENING_MAX {
                engine.connect(subscribers[begun]);
                begun += 1;
            }
            granted == count && engine.is_up(publisher)
        })?;
        let tracks = vec![Track::default(); subscribers.len()];
        Ok(Self { publisher, subscribers, tracks, published: 0 })
    }

    /// Messages one after the other, no sooner than `every` each; how many.
    fn publish_for(
        &mut self,
        engine: &mut Engine,
        qos: QoS,
        time: Duration,
        every: Duration,
    ) -> Result<u64> {
        let (clock, first, mut payload) = (Clock::new(), self.subscribers[0], Vec::new());
        let mut rounds = 0;
        while clock.s() < time.as_secs_f64() {
            let mark = Mark { stream: 0, sequence: self.published, due_us: 0 };
            mark.write(64, &mut payload);
            let m = Outgoing { topic: TOPIC, qos, retain: false, payload: &payload };
            anyhow::ensure!(engine.publish(self.publisher, m), "the publisher is gone");
            self.published += 1;
            rounds += 1;
            let (mut missing, due_s) =
                (self.subscribers.len(), rounds as f64 * every.as_secs_f64());
            until(engine, "one fan-out", PATIENCE, |_, heard| {
                for Heard { key, event } in heard {
                    if let Event::Message(m) = event
                        && let Some(mark) = m.mark
                        && self.tracks[key - first].enter(mark, m.dup.into())
                    {
                        missing -= 1;
                    }
                }
                missing == 0 && clock.s() >= due_s
            })?;
        }
        Ok(rounds)
    }

    /// Received, and repeated or out of order.
    fn totals(&self) -> (u64, u64) {
        let sum = |of: fn(&Track) -> u64| self.tracks.iter().map(of).sum();
        (sum(|t| t.received), sum(|t| t.again + t.disorder))
    }
}

fn idle(engine: &mut Engine, time: Duration) -> Result<()> {
    let clock = Clock::new();
    let patience = time + PATIENCE;
    until(engine, "time to pass", patience, |_, _| clock.s() >= time.as_secs_f64())
}

/// Phase of the paced stream, name, level, and the time from one message to the next.
const PHASES: [(usize, &str, QoS, Duration); 3] = [
    (2, "beside four fan-outs a second at QoS 0", QoS::AtMostOnce, QUARTER),
    (3, "beside four fan-outs a second at QoS 1", QoS::AtLeastOnce, QUARTER),
    (4, "beside one fan-out after the other", QoS::AtMostOnce, Duration::ZERO),
];
const QUARTER: Duration = Duration::from_millis(250);
const TOPIC: &str = "crowd/all";
/// Connections opening at once.
const OPENING_MAX: usize = 256;
