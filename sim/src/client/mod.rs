//! A client: a correct state machine of MQTT 3.1.1 and 5, built on the codec alone. It owns what a
//! client must remember between connections, and refuses to know the server's state.

mod hear;
mod speak;

pub(crate) use hear::{Content, Heard};
pub(crate) use speak::{METHOD, wishes};

use mqtt::qos::QoS;
use mqtt::wire::Version;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One client.
pub(crate) struct Client {
    pub id: String,
    /// Its principal.
    pub name: String,
    pub kind: Kind,
    /// Its rights, by number.
    pub rights: usize,
    pub phase: Phase,
    /// The connection it uses.
    pub socket: Option<usize>,
    pub version: Version,
    /// It has forgotten its session: it may not resume one.
    pub forgot: bool,
    /// Packets on their way to the socket, in order.
    pub outgoing: VecDeque<Vec<u8>>,
    /// Bytes that are no whole packet yet.
    heard: Vec<u8>,
    /// QoS 1 and 2 publishes that are not answered to the end, in order.
    pub sent: Vec<Sent>,
    /// Inbound QoS 2 identifiers that wait for PUBREL.
    received: BTreeSet<u16>,
    /// Identifiers of SUBSCRIBE and UNSUBSCRIBE under way.
    asked: BTreeMap<u16, Asked>,
    asks: u64,
    last_id: u16,
    aliases_in: BTreeMap<u16, String>,
    aliases_out: Vec<String>,
    pub server: Server,
    /// It named an authentication method in CONNECT.
    pub method: bool,
    /// Its session outlives this connection, if the server keeps to what was asked for.
    pub lasts: bool,
    pub renewing: bool,
    pub subscribed: bool,
    /// QoS 2 messages that were handed to the application in this session.
    pub handed: Vec<(String, Vec<u8>)>,
}

/// How it behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Good,
    /// Good, subscribes once and listens.
    Crowd,
    /// Keeps to nothing.
    Bad,
}

/// How far its connection is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Idle,
    Connecting,
    Open,
}

/// What CONNACK said.
#[derive(Clone, Copy)]
pub(crate) struct Server {
    pub receive_max: u16,
    pub alias_max: u16,
    pub qos_max: QoS,
}

/// A SUBSCRIBE or UNSUBSCRIBE under way.
struct Asked {
    /// Goes up with each.
    number: u64,
    filters: Vec<Wish>,
}

/// Filter, QoS and No Local, as SUBSCRIBE has them.
pub(crate) type Wish = (String, QoS, bool);

/// A publish under way.
#[derive(Clone)]
pub(crate) struct Sent {
    pub id: u16,
    pub message: Outgoing,
    /// PUBREC came.
    pub released: bool,
}

/// A message to publish.
#[derive(Clone)]
pub(crate) struct Outgoing {
    /// Its own, also part of the payload that it has.
    pub number: u64,
    pub topic: String,
    pub payload: Vec<u8>,
    pub qos: QoS,
    pub retain: bool,
    /// Raw properties.
    pub properties: Vec<u8>,
}

impl Client {
    pub fn new(id: String, name: String, kind: Kind, rights: usize) -> Self {
        Self {
            id,
            name,
            kind,
            rights,
            phase: Phase::Idle,
            socket: None,
            version: Version::V5,
            forgot: true,
            outgoing: VecDeque::new(),
            heard: Vec::new(),
            sent: Vec::new(),
            received: BTreeSet::new(),
            asked: BTreeMap::new(),
            asks: 0,
            last_id: 0,
            aliases_in: BTreeMap::new(),
            aliases_out: Vec::new(),
            server: Server { receive_max: 1, alias_max: 0, qos_max: QoS::AtMostOnce },
            method: false,
            lasts: false,
            renewing: false,
            subscribed: false,
            handed: Vec::new(),
        }
    }

    /// The connection is over; what the session needs stays.
    pub fn left(&mut self) {
        self.phase = Phase::Idle;
        self.socket = None;
        self.outgoing.clear();
        self.heard.clear();
        self.asked.clear();
        self.aliases_in.clear();
        self.aliases_out.clear();
        self.renewing = false;
    }

    /// It loses its memory: its next CONNECT must be clean.
    pub fn forget(&mut self) {
        self.sent.clear();
        self.received.clear();
        self.handed.clear();
        self.subscribed = false;
        self.forgot = true;
    }

    /// Notes a SUBSCRIBE or UNSUBSCRIBE; gives its number.
    fn asks(&mut self, id: u16, filters: Vec<Wish>) -> u64 {
        self.asks += 1;
        self.asked.insert(id, Asked { number: self.asks, filters });
        self.asks
    }

    /// An identifier that is not in use.
    fn free_id(&mut self) -> u16 {
        loop {
            self.last_id = self.last_id % IDS + 1;
            let id = self.last_id;
            if !self.asked.contains_key(&id) && !self.sent.iter().any(|s| s.id == id) {
                return id;
            }
        }
    }

    /// Whether it may ask for one more change of its subscriptions.
    pub fn may_ask(&self) -> bool {
        self.asked.len() < IN_PARALLEL
    }

    /// It does not care what it has asked and sent.
    pub fn lose_count(&mut self) {
        self.asked.clear();
        self.sent.clear();
    }

    /// Whether it may send one more publish with an identifier.
    pub fn has_quota(&self) -> bool {
        self.sent.len() < usize::from(self.server.receive_max).min(IN_PARALLEL)
    }
}

/// Identifiers come again soon, so that mistakes with them show.
const IDS: u16 = 50;
const IN_PARALLEL: usize = 20;
