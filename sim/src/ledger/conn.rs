//! One connection: what its client asked for, which answers are due, and in which order.

use super::attempt::Attempt;
use crate::authority::Rights;
use mqtt::wire::Version;
use std::collections::{BTreeMap, VecDeque};

/// A connection's account.
pub(crate) struct Conn {
    /// `None` for clients that keep to nothing.
    pub client: Option<usize>,
    pub version: Version,
    pub opened: Opened,
    /// What the authority said last.
    pub granted: Option<Rights>,
    /// The CONNACK that is due: session present.
    pub connack: Option<bool>,
    pub aliases_in: BTreeMap<u16, String>,
    pub aliases_out: BTreeMap<u16, String>,
    /// PUBACK due, in order, with the attempt it answers.
    pub pubacks: VecDeque<(u16, usize)>,
    /// PUBREC due, in order; a repeat has no attempt of its own.
    pub pubrecs: VecDeque<(u16, Option<usize>)>,
    pub pubcomps: VecDeque<u16>,
    pub pubrels: Vec<u16>,
    /// SUBACK due: the codes granted, `None` for a refusal.
    pub subacks: VecDeque<(u16, Vec<Option<u8>>)>,
    /// UNSUBACK due: whether each filter was there.
    pub unsubacks: VecDeque<(u16, Vec<bool>)>,
    pub pings: usize,
    pub renewals: usize,
    /// QoS 0 publishes of the input at hand.
    pub fresh: Vec<usize>,
    /// The client said DISCONNECT.
    pub goodbye: Option<Goodbye>,
    /// Nothing more is decoded: a refused publish of 3.1.1.
    pub deaf: bool,
    pub last_seen_ms: u64,
    /// In which call it lost its session, and which one that was.
    pub left: Option<(u64, u32)>,
}

/// Whether a DISCONNECT takes the will with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Goodbye {
    Normal,
    WithWill,
}

/// What a CONNECT asked for.
#[derive(Default)]
pub(crate) struct Opened {
    pub clean: bool,
    pub expiry_s: u32,
    pub keep_alive_s: u16,
    pub packet_max: usize,
    pub window: u16,
    pub alias_max: u16,
    pub will: Option<Will>,
}

/// A will as CONNECT brought it.
pub(crate) struct Will {
    pub delay_s: u32,
    pub attempt: Attempt,
}

impl Conn {
    pub fn new(client: Option<usize>) -> Self {
        Self {
            client,
            version: Version::V5,
            opened: Opened::default(),
            granted: None,
            connack: None,
            aliases_in: BTreeMap::new(),
            aliases_out: BTreeMap::new(),
            pubacks: VecDeque::new(),
            pubrecs: VecDeque::new(),
            pubcomps: VecDeque::new(),
            pubrels: Vec::new(),
            subacks: VecDeque::new(),
            unsubacks: VecDeque::new(),
            pings: 0,
            renewals: 0,
            fresh: Vec::new(),
            goodbye: None,
            deaf: false,
            last_seen_ms: 0,
            left: None,
        }
    }

    /// What is still to be answered, for a quiet moment.
    pub fn due(&self) -> Option<String> {
        let counts = [
            ("PUBACK", self.pubacks.len()),
            ("PUBREC", self.pubrecs.len()),
            ("PUBCOMP", self.pubcomps.len()),
            ("PUBREL", self.pubrels.len()),
            ("SUBACK", self.subacks.len()),
            ("UNSUBACK", self.unsubacks.len()),
            ("PINGRESP", self.pings),
            ("CONNACK", usize::from(self.connack.is_some())),
        ];
        let due: Vec<_> = counts.iter().filter(|(_, n)| *n > 0).collect();
        (!due.is_empty()).then(|| format!("{due:?}"))
    }
}
