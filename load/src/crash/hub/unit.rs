//! A device or module on the MQTT 5 plane, or a device of MQTT 3.1.1: telemetry, what it reports,
//! commands, methods, and what it is told. Refuses to know services and the channel's readers.

use super::books::{Shared, Stop, by};
use super::document::section;
use super::ending::Way;
use super::member::{MEMBERS, Speaks};
use super::queue::{GIVEN_BACK_MAX, Settled};
use super::role::Role;
use super::section::{Begun, Change, LAST, Look};
use super::service::{https, waiting};
use super::{caller, foreman};
use crate::crash::breach::Rule;
use crate::crash::chance::Chance;
use crate::crash::session::Session;
use crate::engine::Target;
use crate::hub::device::{Device, Heard, Refused, Said, Settling};
use mqtt::packet_id::PacketId;
use mqtt::wire::Version;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One device, across its connections.
pub struct Unit {
    shared: Arc<Shared>,
    name: &'static str,
    /// Its place in the accounts.
    at: usize,
    version: Version,
    /// What may be there of its session.
    session: Session,
    /// Whether its session has all its subscriptions.
    listens: bool,
    /// Telemetry that is not acknowledged, in its order.
    open: VecDeque<u64>,
    connections: u64,
    correlation: u64,
}

/// A connection of it.
struct Visit<'u> {
    unit: &'u mut Unit,
    device: Device,
    /// Its number among all connections of devices.
    number: u64,
    chance: Chance,
    subscribed: usize,
    flights: HashMap<PacketId, u64>,
    asked: Option<Asked>,
    /// Commands that were settled since the last request was sent.
    settled: Vec<(u64, Settled)>,
    /// The version of what it reports, as it was told last.
    reported: Option<u64>,
    /// The last version of what is desired that it was told of.
    desired: u64,
    manner: Manner,
}

/// Whether a device does with commands as chance has it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Completes, gives back, rejects or keeps them.
    Any,
    /// Completes them.
    Completes,
}

/// The request that is under way.
struct Asked {
    correlation: u64,
    what: Request,
    /// Settled before it was sent: if it was written, they last.
    settled: Vec<(u64, Settled)>,
}

enum Request {
    Get(Look, Look),
    Report(Begun),
}

impl Unit {
    /// Registered already; none for a member that speaks no MQTT.
    pub fn new(shared: Arc<Shared>, at: usize) -> Option<Self> {
        let Speaks::Mqtt(version, session) = MEMBERS[at].speaks else { return None };
        let (name, open, listens) = (MEMBERS[at].name, VecDeque::new(), false);
        let (connections, correlation) = (0, 0);
        Some(Self { shared, name, at, version, session, listens, open, connections, correlation })
    }
}

impl Role for Unit {
    /// Connects and does what devices do until the process ends; from a moment on perhaps without
    /// hearing.
    fn round(&mut self, target: &Target, round: u64) -> Result<(), Stop> {
        let chance = Chance::of(self.shared.seed, round, self.name);
        let mut visit = self.visit(target, chance, Manner::Any)?;
        let deaf_ms = visit.chance.between(20, 800);
        let deaf = visit.chance.one_in(3).then(|| Instant::now() + Duration::from_millis(deaf_ms));
        while !visit.unit.shared.is_ending() {
            if deaf.is_some_and(|at| Instant::now() > at) {
                visit.send()?;
                visit.unit.shared.goes_on(HEAR);
                continue;
            }
            match visit.chance.between(0, 7) {
                0..=4 => visit.send()?,
                5 | 6 if visit.asked.is_none() => visit.report()?,
                _ if visit.asked.is_none() => visit.get()?,
                _ => {}
            }
            visit.hear(HEAR)?;
        }
        Ok(())
    }

    /// Gets all that is its own.
    fn settle(&mut self, target: &Target) -> Result<(), Stop> {
        let chance = Chance::of(self.shared.seed, u64::MAX, self.name);
        let (end, mut service) = (Instant::now() + SETTLE, https(target));
        let mut visit = self.visit(target, chance, Manner::Completes)?;
        loop {
            visit.hear(HEAR)?;
            if visit.asked.is_none() {
                visit.get()?;
            }
            let waiting = waiting(&mut service, visit.unit.name)?;
            if waiting == 0 && visit.unit.open.is_empty() {
                return Ok(());
            }
            if Instant::now() > end {
                let open = visit.unit.open.len();
                let what = format!("{waiting} commands do not come, {open} are not acknowledged");
                return Err(Stop::Wrong(Rule::Commands, what));
            }
        }
    }
}

impl Unit {
    fn visit(&mut self, target: &Target, chance: Chance, m: Manner) -> Result<Visit<'_>, Stop> {
        let lasts = self.session != Session::Passing;
        let expiry_s = lasts.then_some(u32::MAX);
        let number = self.shared.books().calls.connect();
        let device = match Device::connect(target.ports.tcp, self.name, self.version, expiry_s) {
            Ok(device) => device,
            Err(Refused::Broken(error)) => return Err(error.into()),
            // It stops, or has forgotten its device.
            Err(Refused::Reason(_)) if self.shared.is_ending() => {
                return Err(Stop::Broken("refused".into()));
            }
            Err(Refused::Reason(reason)) => {
                let what = format!("a device that was registered is refused: {reason:?}");
                return Err(Stop::Wrong(Rule::Registry, what));
            }
        };
        let present = device.session_present;
        let up = self.session.up(present);
        up.map_err(|why| Stop::Wrong(Rule::Session, why.to_owned()))?;
        self.connections += 1;
        let (flights, asked, settled, subscribed) = (HashMap::new(), None, Vec::new(), 0);
        let (reported, desired, manner) = (None, 0, m);
        let mut visit = Visit {
            unit: self,
            device,
            number,
            chance,
            subscribed,
            flights,
            asked,
            settled,
            reported,
            desired,
            manner,
        };
        if !present || !visit.unit.listens {
            let all = visit.device.listen()?;
            while visit.subscribed < all && !visit.unit.shared.is_ending() {
                visit.hear(HEAR)?;
            }
            visit.unit.listens = lasts && visit.subscribed == all;
        }
        visit.get()?;
        for number in visit.unit.open.clone() {
            visit.post(number)?;
        }
        Ok(visit)
    }
}

impl Visit<'_> {
    /// Telemetry that is new, if there is room.
    fn send(&mut self) -> Result<(), Stop> {
        if self.unit.open.len() >= WINDOW {
            return Ok(());
        }
        let number = self.unit.shared.books().channel.send(self.unit.at);
        self.unit.open.push_back(number);
        self.post(number)
    }

    fn post(&mut self, number: u64) -> Result<(), Stop> {
        let id = self.device.telemetry(&format!("{{\"n\":{number}}}"))?;
        self.flights.insert(id, number);
        Ok(())
    }

    fn get(&mut self) -> Result<(), Stop> {
        let looks = {
            let books = self.unit.shared.books();
            (books.desired[self.unit.at].look(), books.reported[self.unit.at].look())
        };
        let correlation = self.ask(Request::Get(looks.0, looks.1));
        self.device.get_twin(correlation).map_err(Stop::from)
    }

    /// Reports: on whatever is there, on what it knows, or on what it knows to be over.
    fn report(&mut self) -> Result<(), Stop> {
        let expected = match self.chance.between(0, 5) {
            0 | 1 => self.reported,
            2 => self.reported.map(|version| version - 1),
            _ => None,
        };
        let removes = self.chance.one_in(4);
        let (begun, patch) = {
            let section = &mut self.unit.shared.books().reported[self.unit.at];
            let number = section.next();
            let (key, to) = (format!("k{}", number % KEYS), (!removes).then_some(number));
            let keys = BTreeMap::from([(LAST.to_owned(), Some(number)), (key.clone(), to)]);
            let patch = json!({ LAST: number, key: to.map_or(Value::Null, Value::from) });
            (section.begin(Change::Patch(keys), expected), patch.to_string())
        };
        let correlation = self.ask(Request::Report(begun));
        self.device.report(correlation, expected, &patch).map_err(Stop::from)
    }

    fn ask(&mut self, what: Request) -> u64 {
        self.unit.correlation += 1;
        let (correlation, settled) = (self.unit.correlation, std::mem::take(&mut self.settled));
        self.asked = Some(Asked { correlation, what, settled });
        correlation
    }

    /// Takes all that has come; waits so long for the first.
    fn hear(&mut self, mut wait: Duration) -> Result<(), Stop> {
        while let Some(heard) = self.device.hear(wait)? {
            wait = Duration::ZERO;
            match heard {
                Heard::Acknowledged(id, reason) if !reason.is_error() => {
                    if let Some(number) = self.flights.remove(&id) {
                        self.unit.open.retain(|open| *open != number);
                        self.unit.shared.books().channel.acknowledge(self.unit.at, number);
                    }
                }
                Heard::Subscribed(code) if code < 0x80 => self.subscribed += 1,
                Heard::Response { correlation, said, version, payload } => {
                    self.answered(correlation, &said, version, &payload)?;
                }
                Heard::Command { id: Some(id), told, payload } => {
                    self.command(id, told, &payload)?;
                }
                Heard::Method { name, call, payload } => self.called(&name, &call, &payload)?,
                Heard::Desired { version, payload } => self.told(version, &payload)?,
                // A process that stops says so.
                Heard::Told(reason) => return Err(Stop::Broken(format!("DISCONNECT {reason:?}"))),
                other => return Err(Stop::Wrong(Rule::Protocol, format!("{other:?}"))),
            }
        }
        Ok(())
    }

    fn answered(
        &mut self,
        correlation: u64,
        said: &Said,
        version: Option<u64>,
        payload: &[u8],
    ) -> Result<(), Stop> {
        let strange = |what: &str| Stop::Wrong(Rule::Protocol, format!("{what}: {said:?}"));
        let asked = self.asked.take().ok_or_else(|| strange("an answer to nothing"))?;
        if correlation != asked.correlation {
            return Err(strange("an answer to something else"));
        }
        let mut books = self.unit.shared.books();
        match (asked.what, said, version) {
            (Request::Report(begun), Said::Done, Some(version)) => {
                books.reported[self.unit.at].done(begun, version).map_err(by(Rule::Twin))?;
                self.reported = Some(version);
                // One log has both, in the order in which they were asked for.
                for (command, how) in asked.settled {
                    let queue = &mut books.queues[self.unit.at];
                    queue.confirm(command, how).map_err(by(Rule::Commands))?;
                }
                return Ok(());
            }
            (Request::Report(begun), Said::OtherVersion, _) => {
                books.reported[self.unit.at].refused(begun).map_err(by(Rule::Twin))?;
            }
            (Request::Get(desired, reported), Said::Done, _) => {
                let twin: Value = serde_json::from_slice(payload).unwrap_or(Value::Null);
                let (Some(ours), Some(theirs)) =
                    (section(&twin["desired"]), section(&twin["reported"]))
                else {
                    return Err(strange("this is no twin"));
                };
                let at = self.unit.at;
                books.desired[at].seen(desired, ours.0, &ours.1).map_err(by(Rule::Twin))?;
                books.reported[at].seen(reported, theirs.0, &theirs.1).map_err(by(Rule::Twin))?;
                self.reported = Some(theirs.0);
            }
            _ => return Err(strange("a request was refused")),
        }
        // Nothing was written: that says nothing of what was before.
        self.settled.splice(..0, asked.settled);
        Ok(())
    }

    fn command(
        &mut self,
        id: PacketId,
        told: Option<(u64, u64)>,
        payload: &[u8],
    ) -> Result<(), Stop> {
        let Some(number) = number(payload) else {
            return Err(Stop::Wrong(Rule::Commands, format!("{payload:?} was never sent")));
        };
        let how = match self.manner {
            Manner::Completes => Some(Settling::Complete),
            Manner::Any => match self.chance.between(0, 19) {
                // In MQTT 3.1.1 there is PUBACK and nothing else.
                0..=4 if told.is_none() => Some(Settling::Complete),
                0..=2 if told.is_some_and(|(_, deliveries)| deliveries < GIVEN_BACK_MAX) => {
                    Some(Settling::Abandon)
                }
                3 | 4 => Some(Settling::Reject),
                // It keeps it for as long as it is connected.
                5 => None,
                _ => Some(Settling::Complete),
            },
        };
        let mut books = self.unit.shared.books();
        let queue = &mut books.queues[self.unit.at];
        let connection = self.unit.connections;
        queue.deliver(number, told, connection).map_err(by(Rule::Commands))?;
        let Some(how) = how else { return Ok(()) };
        let settled = match how {
            Settling::Abandon => Settled::Abandoned,
            Settling::Complete => Settled::Ended(Way::Completed),
            Settling::Reject => Settled::Ended(Way::Rejected),
        };
        queue.settle(number, settled, connection);
        drop(books);
        self.settled.push((number, settled));
        self.device.settle(id, how).map_err(Stop::from)
    }

    /// A method of a service or of a job; it answers at once.
    fn called(&mut self, name: &str, call: &[u8], payload: &[u8]) -> Result<(), Stop> {
        let strange = || format!("a call of {name} with {payload:?}");
        let number = number(payload).ok_or_else(|| Stop::Wrong(Rule::Methods, strange()))?;
        let (at, mut books) = (self.unit.at, self.unit.shared.books());
        let answer = match name {
            caller::METHOD => {
                books.calls.hear(at, number, self.number).map_err(by(Rule::Methods))?
            }
            foreman::METHOD => {
                books.jobs.hear(number, at).map_err(by(Rule::Jobs))?;
                number
            }
            _ => return Err(Stop::Wrong(Rule::Methods, strange())),
        };
        drop(books);
        self.device.answer(call, &answer.to_string()).map_err(Stop::from)
    }

    /// Desired changes come in the order of their versions; several may come as one.
    fn told(&mut self, version: u64, payload: &[u8]) -> Result<(), Stop> {
        if version <= self.desired {
            let what = format!("told of version {version} after {}", self.desired);
            return Err(Stop::Wrong(Rule::Twin, what));
        }
        self.desired = version;
        let change: Value = serde_json::from_slice(payload).unwrap_or(Value::Null);
        let section = &mut self.unit.shared.books().desired[self.unit.at];
        section.told(version, change[LAST].as_u64()).map_err(by(Rule::Twin))
    }
}

fn number(payload: &[u8]) -> Option<u64> {
    std::str::from_utf8(payload).ok()?.parse().ok()
}

const HEAR: Duration = Duration::from_millis(3);
/// Everything of a device is there after a moment; a lock may have to end.
pub const SETTLE: Duration = Duration::from_secs(30);
/// Telemetry under way at once; the hub takes 16.
const WINDOW: usize = 12;
const KEYS: u64 = 4;
