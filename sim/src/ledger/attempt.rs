//! A publish as it came to the door: each PUBLISH that a shard decoded, each will, each publish of
//! a service is an attempt, in the order of the door.

use super::Ledger;
use crate::filter::matches;
use mqtt::qos::QoS;
use mqtt::wire::Publish;

/// What tells messages apart: topic and payload, which good clients never use twice, except for
/// the empty payload.
pub(crate) type Content = (String, Vec<u8>);

/// One attempt to publish.
pub(crate) struct Attempt {
    pub publisher: Publisher,
    pub content: Content,
    pub qos: QoS,
    pub retain: bool,
    /// Domain clock; `u64::MAX` = never.
    pub deadline_ms: u64,
    pub expiry_s: Option<u32>,
    pub content_type: Option<String>,
    /// When it was decoded, in entries of the ledger.
    pub at: u64,
    /// The reactor that it came to.
    pub reactor: usize,
    /// When its turn had ended; `u64::MAX` = it goes on.
    pub settled: u64,
    pub fate: Fate,
    /// It was sent to somebody.
    pub heard: bool,
}

/// Who publishes: order holds within one session's publishes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Publisher {
    /// Client and which of its sessions.
    Session(usize, u32),
    /// The will of that session.
    Will(usize, u32),
    Service,
}

/// What became of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// Allowed and not yet answered.
    Pending,
    /// Acknowledged, or QoS 0 that nothing can have refused.
    Accepted,
    /// Perhaps taken: nobody can know.
    Maybe,
    /// Denied or refused: nobody may hear it.
    Refused,
}

impl Attempt {
    pub fn topic(&self) -> &str {
        &self.content.0
    }

    /// Whether this session published it.
    pub fn is_of(&self, client: usize, generation: u32) -> bool {
        let own = (client, generation);
        match self.publisher {
            Publisher::Session(c, g) | Publisher::Will(c, g) => (c, g) == own,
            Publisher::Service => false,
        }
    }

    pub fn is_clear(&self) -> bool {
        self.content.1.is_empty()
    }

    /// For people.
    pub fn content_shown(&self) -> String {
        let text = String::from_utf8_lossy(&self.content.1[..self.content.1.len().min(12)]);
        format!("{} '{text}' q{} of {:?}", self.content.0, self.qos.bits(), self.publisher)
    }

    pub fn new(publisher: Publisher, topic: &str, p: &Publish<'_>) -> Self {
        Self {
            content: (topic.to_owned(), p.payload.to_vec()),
            qos: p.qos,
            retain: p.retain,
            expiry_s: p.expiry,
            content_type: p.properties.content_type().map(str::to_owned),
            ..Self::empty(publisher)
        }
    }

    pub fn empty(publisher: Publisher) -> Self {
        Self {
            publisher,
            content: (String::new(), Vec::new()),
            qos: QoS::AtMostOnce,
            retain: false,
            deadline_ms: u64::MAX,
            expiry_s: None,
            content_type: None,
            at: 0,
            reactor: 0,
            settled: u64::MAX,
            fate: Fate::Pending,
            heard: false,
        }
    }
}

impl Ledger {
    /// Enters an attempt; gives its number. What is not refused is owed to who matches now.
    pub fn enter(&mut self, mut a: Attempt) -> usize {
        use broker::limits::ZeroExpiry;
        self.at += 1;
        a.at = self.at;
        a.reactor = self.reactor;
        let zero_is_never = self.limits.zero_expiry == ZeroExpiry::Never;
        a.deadline_ms = match a.expiry_s {
            None => u64::MAX,
            Some(0) if zero_is_never => u64::MAX,
            Some(s) => self.now.wall_ms + u64::from(s) * 1_000,
        };
        let number = self.attempts.len();
        self.unsettled[self.reactor].push(number);
        self.by_content.entry(a.content.clone()).or_default().push(number);
        if a.fate != Fate::Refused {
            if a.retain {
                self.retained.entry(a.topic().to_owned()).or_default().push(number);
            }
            self.owe(number, &a);
        }
        self.attempts.push(a);
        number
    }

    fn owe(&mut self, number: usize, a: &Attempt) {
        for (client, s) in self.sessions.iter_mut().enumerate() {
            let Some(s) = s else { continue };
            let own = a.is_of(client, s.generation);
            let hears = |sub: &super::session::Sub| {
                matches(&sub.filter, a.topic()) && !(own && sub.no_local)
            };
            let qos = s.subs.iter().filter(|sub| hears(sub)).map(|sub| sub.qos).max();
            if let Some(qos) = qos {
                s.owe(number, qos.min(a.qos));
            }
        }
    }

    /// It was acknowledged with success.
    pub fn accept(&mut self, number: usize) {
        let a = &mut self.attempts[number];
        if a.fate == Fate::Refused {
            let content = a.content.clone();
            return self.fail(|| format!("a publish without permission succeeded: {content:?}"));
        }
        if a.fate == Fate::Pending {
            a.fate = Fate::Accepted;
        }
    }

    /// It was refused: nobody may have heard it.
    pub fn refuse(&mut self, number: usize) {
        let a = &mut self.attempts[number];
        let (was, heard, content) = (a.fate, a.heard, a.content.clone());
        a.fate = Fate::Refused;
        let unjust = was == Fate::Pending && self.takes_all;
        self.check(!unjust, || format!("a publish was refused without reason: {content:?}"));
        self.check(!heard, || format!("a refused publish was delivered: {content:?}"));
        if let Some(history) = self.retained.get_mut(&content.0) {
            history.retain(|n| *n != number);
        }
        for s in self.sessions.iter_mut().flatten() {
            s.owed.retain(|o| o.attempt != number);
        }
    }

    /// Attempts with this content.
    pub fn with_content(&self, content: &Content) -> Vec<usize> {
        self.by_content.get(content).cloned().unwrap_or_default()
    }
}
