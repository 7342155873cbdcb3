//! One publisher to 9,000 subscribers, each message sent when all have the last one, beside a
//! paced stream that must not feel it.

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
    let half = Duration::from_secs((scale.seconds / 2).max(1));
    idle(&mut engine, Duration::from_secs(1))?;
    paced.phase(1);
    idle(&mut engine, half.min(Duration::from_secs(30)))?;
    for (phase, qos) in [(2, QoS::AtMostOnce), (3, QoS::AtLeastOnce)] {
        paced.phase(phase);
        let rounds = crowd.publish_for(&mut engine, qos, half)?;
        report.figure(&format!("fan-outs at QoS {}", qos.bits()), rounds);
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
    let loaded = [
        (2, "beside fan-out at QoS 0", Rule::Judged),
        (3, "beside fan-out at QoS 1", Rule::Judged),
    ];
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

    /// Messages one after the other; how many.
    fn publish_for(&mut self, engine: &mut Engine, qos: QoS, time: Duration) -> Result<u64> {
        let (clock, first, mut payload) = (Clock::new(), self.subscribers[0], Vec::new());
        let mut rounds = 0;
        while clock.s() < time.as_secs_f64() {
            let mark = Mark { stream: 0, sequence: self.published, due_us: 0 };
            mark.write(64, &mut payload);
            let m = Outgoing { topic: TOPIC, qos, retain: false, payload: &payload };
            anyhow::ensure!(engine.publish(self.publisher, m), "the publisher is gone");
            self.published += 1;
            rounds += 1;
            let mut missing = self.subscribers.len();
            until(engine, "one fan-out", PATIENCE, |_, heard| {
                for Heard { key, event } in heard {
                    if let Event::Message(m) = event
                        && let Some(mark) = m.mark
                        && self.tracks[key - first].enter(mark, m.dup.into())
                    {
                        missing -= 1;
                    }
                }
                missing == 0
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

const TOPIC: &str = "crowd/all";
/// Connections opening at once.
const OPENING_MAX: usize = 256;
