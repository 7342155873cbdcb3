//! Who takes part: publishers, subscribers and postmen of every kind, a few of each. Refuses to
//! know what they do.

use super::chance::Chance;
use super::ledger::{Keyed, Kind, Ledger, Source};
use super::letter::Purpose;
use super::postman::Postman;
use super::publisher::Publisher;
use super::session::Session;
use super::settings::{Part, Settings};
use super::subscriber::{Filter, Habit, Subscriber};
use crate::engine::{Engine, Key, Plan, Transport};
use mqtt::qos::QoS;
use mqtt::wire::Version::{self, V5, V311};

/// Everybody.
pub struct Cast {
    /// Over MQTT.
    pub publishers: Vec<Publisher>,
    /// With sessions that wait for them.
    pub subscribers: Vec<Subscriber>,
    /// Over HTTP.
    pub postmen: Vec<Postman>,
    /// Streams of retained topics.
    pub retained: Vec<u32>,
    /// Of whom a client of the engine is, by key.
    pub owners: Vec<Owner>,
}

/// Of whom a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// By place in the cast.
    Publisher(usize),
    /// By place in the cast.
    Subscriber(usize),
}

impl Cast {
    /// Enters all in the engine and the ledger.
    pub fn gather(engine: &mut Engine, ledger: &mut Ledger, settings: &Settings) -> Self {
        let (publishers, subscribers, postmen) = (Vec::new(), Vec::new(), Vec::new());
        let (retained, owners) = (Vec::new(), Vec::new());
        let mut cast = Self { publishers, subscribers, postmen, retained, owners };
        // Every stream before the first reader.
        for row in PUBLISHERS {
            cast.publisher(engine, ledger, row, settings.seed);
        }
        for (name, keyed, purpose) in POSTMEN {
            let keyed = if settings.has(Part::Keys) { keyed } else { Keyed::No };
            let streams = streams(ledger, name, &[QoS::AtLeastOnce; 2], keyed, purpose);
            if purpose == Purpose::Retain {
                cast.retained.extend(&streams);
            }
            cast.postmen.push(Postman::new(name, streams, purpose, settings.seed));
        }
        for row in SUBSCRIBERS {
            let filters = row.filters.iter().map(|(f, qos)| Filter::new(*f, *qos)).collect();
            let kind = if row.habit == Habit::Away { Kind::Absent } else { Kind::Session };
            let reader = ledger.reader(row.name.to_owned(), kind);
            cast.subscriber(engine, row, reader, filters);
        }
        let reader = ledger.reader("joins".to_owned(), Kind::Session);
        cast.subscriber(engine, &JOINS, reader, later(settings));
        if settings.has(Part::Shared) {
            for (group, filter, members) in GROUPS {
                let reader = ledger.reader(group.to_owned(), Kind::Group);
                for row in members {
                    let filters = vec![Filter::new(filter, QoS::ExactlyOnce)];
                    cast.subscriber(engine, row, reader, filters);
                }
            }
        }
        cast
    }

    fn publisher(&mut self, engine: &mut Engine, ledger: &mut Ledger, row: &Row, seed: u64) {
        let purpose = row.purpose;
        let streams = streams(ledger, row.name, row.topics, Keyed::No, purpose);
        if purpose == Purpose::Retain {
            self.retained.extend(&streams);
        }
        let mut plan = Plan::new(row.version, row.name).over(row.transport);
        if row.session == Session::Begun {
            plan = plan.lasting(EXPIRY_S);
        }
        let key = engine.add(plan);
        self.own(key, Owner::Publisher(self.publishers.len()));
        self.publishers.push(Publisher::new(key, row.session, streams, purpose, seed));
    }

    fn subscriber(&mut self, engine: &mut Engine, row: &Hearer, reader: usize, f: Vec<Filter>) {
        let plan = Plan::new(row.version, row.name).over(row.transport).lasting(EXPIRY_S);
        let key = engine.add(Plan { receive_max: row.receive_max, ..plan });
        self.own(key, Owner::Subscriber(self.subscribers.len()));
        self.subscribers.push(Subscriber::new(key, row.name.to_owned(), row.habit, reader, f));
    }

    fn own(&mut self, key: Key, owner: Owner) {
        debug_assert_eq!(key, self.owners.len());
        self.owners.push(owner);
    }
}

/// A publisher's topics as streams of the ledger.
fn streams(
    ledger: &mut Ledger,
    name: &str,
    levels: &[QoS],
    keyed: Keyed,
    purpose: Purpose,
) -> Vec<u32> {
    let first = if purpose == Purpose::Retain { "keep" } else { "crash" };
    let source = |(n, qos): (usize, &QoS)| {
        let (publisher, topic) = (name.to_owned(), format!("{first}/{name}/{n}"));
        ledger.stream(Source { publisher, topic, qos: *qos, keyed })
    };
    levels.iter().enumerate().map(source).collect()
}

/// One filter more now and then, while its topic is being published to.
fn later(settings: &Settings) -> Vec<Filter> {
    let mut chance = Chance::of(settings.seed, 0, "joins");
    let mut joins = Vec::new();
    for row in PUBLISHERS.iter().filter(|row| row.purpose == Purpose::Deliver) {
        let round = chance.between(1, (settings.rounds / 2).max(1));
        joins.push(Filter::later(format!("crash/{}/0", row.name), QoS::ExactlyOnce, round));
    }
    joins
}

/// A publisher over MQTT.
struct Row {
    name: &'static str,
    version: Version,
    transport: Transport,
    session: Session,
    purpose: Purpose,
    /// The level of each of its topics.
    topics: &'static [QoS],
}

/// A subscriber.
struct Hearer {
    name: &'static str,
    version: Version,
    transport: Transport,
    habit: Habit,
    receive_max: Option<u16>,
    filters: &'static [(&'static str, QoS)],
}

const fn row(name: &'static str, version: Version, topics: &'static [QoS]) -> Row {
    let (session, purpose) = (Session::Begun, Purpose::Deliver);
    Row { name, version, transport: Transport::Tcp, session, purpose, topics }
}

const fn hearer(
    name: &'static str,
    version: Version,
    habit: Habit,
    filters: &'static [(&'static str, QoS)],
) -> Hearer {
    Hearer { name, version, transport: Transport::Tcp, habit, receive_max: None, filters }
}

const Q1: QoS = QoS::AtLeastOnce;
const Q2: QoS = QoS::ExactlyOnce;

const PUBLISHERS: &[Row] = &[
    row("v5-q1", V5, &[Q1, Q1, Q1]),
    row("v311-q1", V311, &[Q1, Q1]),
    Row { transport: Transport::Tls, ..row("v5-q2", V5, &[Q2, Q2]) },
    row("v311-q2", V311, &[Q2, Q2]),
    row("v5-mixed", V5, &[Q1, Q2]),
    Row { session: Session::Passing, ..row("v5-passing", V5, &[Q1, Q2]) },
    Row { session: Session::Passing, ..row("v311-passing", V311, &[Q2]) },
    Row { purpose: Purpose::Retain, ..row("keep-v5", V5, &[Q1, Q1, Q1]) },
    Row { purpose: Purpose::Retain, ..row("keep-v311", V311, &[Q1, Q1]) },
];

const POSTMEN: [(&str, Keyed, Purpose); 3] = [
    ("http-keyed", Keyed::Yes, Purpose::Deliver),
    ("http", Keyed::No, Purpose::Deliver),
    ("keep-http", Keyed::No, Purpose::Retain),
];

const SUBSCRIBERS: &[Hearer] = &[
    hearer("steady-v311", V311, Habit::Steady, &[("crash/#", Q1)]),
    Hearer {
        transport: Transport::Tls,
        ..hearer("steady-v5", V5, Habit::Steady, &[("crash/#", Q2)])
    },
    hearer(
        "overlaps",
        V5,
        Habit::Steady,
        &[("crash/+/0", Q2), ("crash/v5-q2/#", Q2), ("crash/v311-q2/+", Q2)],
    ),
    Hearer { receive_max: Some(2), ..hearer("slow", V5, Habit::Steady, &[("crash/+/1", Q2)]) },
    hearer("away-v5", V5, Habit::Away, &[("crash/#", Q1)]),
    hearer("away-v311", V311, Habit::Away, &[("crash/#", Q2)]),
    hearer("comes-v5", V5, Habit::Comes, &[("crash/#", Q2)]),
    hearer("comes-v311", V311, Habit::Comes, &[("crash/+/0", Q1)]),
];

const JOINS: Hearer = hearer("joins", V5, Habit::Steady, &[]);

/// Each message goes to both: what one has must not keep it from the other.
const GROUPS: [(&str, &str, &[Hearer]); 2] =
    [("crew", "$share/crew/crash/#", CREW), ("watch", "$share/watch/crash/+/+", WATCH)];
const CREW: &[Hearer] =
    &[hearer("member-v5", V5, Habit::Steady, &[]), hearer("member-v311", V311, Habit::Comes, &[])];
const WATCH: &[Hearer] =
    &[hearer("watch-v5", V5, Habit::Comes, &[]), hearer("watch-v311", V311, Habit::Steady, &[])];

const EXPIRY_S: u32 = 86_400;
