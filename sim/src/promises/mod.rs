//! What a durable namespace has promised, judged from what clients sent and heard alone: an account
//! that outlives the server, however often it crashes.
//!
//! What was acknowledged comes to every durable subscription that was granted before it was sent;
//! QoS 2 comes once; each publisher's messages of a topic come in their order; what is retained is
//! the last that was acknowledged, or later; sessions are there again. Refuses to know packets,
//! shards and the log: what happens within one run the ledger judges, in seeds without a log.

mod reader;
mod retained;

use crate::client::{Content, Heard, Outgoing, Wish};
use crate::filter::matches;
use crate::swarm::Swarm;
use mqtt::qos::QoS;
use mqtt::wire::{Connect, Properties, Version};
use reader::{Expected, Reader, Sub};
use std::collections::BTreeMap;

/// The account.
pub(crate) struct Promises {
    /// Goes up with everything that is entered.
    at: u64,
    /// Domain clock.
    pub now_ms: u64,
    /// No bound of a session's queue loses messages.
    pub lossless: bool,
    /// The disk takes everything: the end of a session that it refuses is told again later, and a
    /// crash may come first.
    steady: bool,
    expiry_max_s: u32,
    readers: Vec<Reader>,
    /// By the number that is in the payload.
    messages: BTreeMap<u64, Message>,
    by_content: BTreeMap<Content, u64>,
    /// Publishes with RETAIN of each topic, in the order in which they were sent.
    retained: BTreeMap<String, Vec<u64>>,
    /// PUBLISH packets that clients heard.
    pub heard: u64,
}

/// A publish, as its publisher has it.
struct Message {
    publisher: Publisher,
    content: Content,
    qos: QoS,
    expires: bool,
    sent_at: u64,
    fate: Fate,
    again: Again,
    /// It may be handed over with RETAIN 1. The log does not know with which flag an exchange
    /// began: it may go on without it, and look like a second one.
    retain: bool,
}

/// Whether its publisher has sent it a second time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    No,
    /// The server may have taken it twice at QoS 1.
    Sent,
    /// In a session that may not be the one it began in, as CONNACK of the one between was lost:
    /// the server may have taken it twice.
    Unknown,
}

impl Again {
    fn of(session: &Expected, before: Self) -> Self {
        match session {
            Expected::Present(_) if before != Self::Unknown => Self::Sent,
            _ => Self::Unknown,
        }
    }
}

/// Whose it is. Order holds within one session of one client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Publisher {
    Client(usize, u32),
    /// A will or a service: nobody waits for an answer.
    Other,
}

/// What its publisher knows of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Not answered.
    Open,
    Taken(u64),
    Refused(u64),
}

/// A CONNECT as the account needs it.
pub(crate) struct Connecting {
    pub clean: bool,
    /// As asked for.
    pub expiry_s: u32,
    pub packet_max: Option<u32>,
}

impl Connecting {
    pub fn of(c: &Connect<'_>) -> Self {
        let expiry_s = match (c.version, c.clean_start) {
            (Version::V5, _) => c.session_expiry.unwrap_or(0),
            (Version::V311, true) => 0,
            (Version::V311, false) => u32::MAX,
        };
        Self { clean: c.clean_start, expiry_s, packet_max: c.packet_max }
    }
}

impl Promises {
    pub fn new(swarm: &Swarm, clients: usize) -> Self {
        let l = &swarm.limits;
        let small = l.session_queue_messages_max < QUEUE_MIN
            || l.session_queue_bytes_max < QUEUE_MIN * QUEUE_MIN;
        Self {
            at: 0,
            now_ms: 0,
            lossless: !small,
            steady: swarm.log.as_ref().is_some_and(|odds| odds.full == 0 && odds.broken == 0),
            expiry_max_s: l.session_expiry_max_s,
            readers: (0..clients).map(|_| Reader::default()).collect(),
            messages: BTreeMap::new(),
            by_content: BTreeMap::new(),
            retained: BTreeMap::new(),
            heard: 0,
        }
    }

    /// A client publishes.
    pub fn publishes(&mut self, client: usize, m: &Outgoing) {
        let publisher = Publisher::Client(client, self.readers[client].session);
        self.enter(publisher, m);
        if m.qos == QoS::AtMostOnce {
            return;
        }
        self.readers[client].unanswered.insert(m.number);
        for (other, reader) in self.readers.iter_mut().enumerate() {
            let hears = |(filter, sub): (&String, &Sub)| {
                matches(filter, &m.topic) && !(other == client && sub.no_local)
            };
            if reader.subs.iter().any(hears) {
                reader.pending.insert(m.number);
            }
        }
    }

    /// A will, or a publish of a service: nothing is promised of it, but it may come.
    pub fn may_publish(&mut self, m: &Outgoing) {
        self.enter(Publisher::Other, m);
    }

    fn enter(&mut self, publisher: Publisher, m: &Outgoing) {
        self.at += 1;
        let content = (m.topic.clone(), m.payload.clone());
        if m.retain {
            self.retained.entry(m.topic.clone()).or_default().push(m.number);
        }
        if !m.payload.is_empty() {
            self.by_content.insert(content.clone(), m.number);
        }
        let expires = Properties::trusted(&m.properties).expiry().is_some();
        let (qos, sent_at, fate, again) = (m.qos, self.at, Fate::Open, Again::No);
        let message =
            Message { publisher, content, qos, expires, sent_at, fate, again, retain: m.retain };
        self.messages.insert(m.number, message);
    }

    /// A client asks for subscriptions: filter, QoS, No Local. `ask` goes up with each.
    pub fn subscribes(&mut self, client: usize, ask: u64, filters: &[Wish]) {
        for (filter, qos, no_local) in filters {
            // The last one of a filter counts, and at QoS 0 there is nothing to wait for.
            let counts = if *qos == QoS::AtMostOnce { 0 } else { ask };
            self.readers[client].asks.insert(filter.clone(), counts);
            let sub = self.readers[client].subs.get(filter);
            // One that goes on with less than it had is as if it ended.
            if sub.is_some_and(|s| *qos == QoS::AtMostOnce || s.no_local != *no_local) {
                self.ends(client, filter);
            }
        }
    }

    /// A client asks that one ends.
    pub fn unsubscribes(&mut self, client: usize, ask: u64, filter: &str) {
        self.readers[client].asks.insert(filter.to_owned(), ask);
        self.ends(client, filter);
    }

    /// What only this subscription was to bring need not come.
    fn ends(&mut self, client: usize, filter: &str) {
        let Self { readers, messages, .. } = self;
        let reader = &mut readers[client];
        reader.subs.remove(filter);
        let subs = &reader.subs;
        reader.pending.retain(|n| {
            let m = &messages[n];
            let own = matches!(m.publisher, Publisher::Client(c, _) if c == client);
            subs.iter().any(|(filter, sub)| {
                sub.since < m.sent_at && matches(filter, &m.content.0) && !(own && sub.no_local)
            })
        });
    }

    /// A client forgets its session.
    pub fn forgets(&mut self, client: usize) {
        self.readers[client].forget();
    }

    /// A client connects.
    pub fn connects(&mut self, client: usize, c: &Connecting) {
        let expiry_s = c.expiry_s.min(self.expiry_max_s);
        if c.clean {
            self.forgets(client);
        }
        self.readers[client].connects(expiry_s, c.packet_max);
    }

    /// A client says goodbye, perhaps with another expiry.
    pub fn leaves(&mut self, client: usize, expiry_s: Option<u32>) {
        if let Some(s) = expiry_s {
            self.readers[client].shortens(s.min(self.expiry_max_s));
        }
        self.alone(client);
    }

    /// As far as one of both ends knows, a client has no connection from now on.
    pub fn alone(&mut self, client: usize) {
        let now_ms = self.now_ms;
        self.readers[client].alone(now_ms);
    }

    /// The server is gone: whoever was there is not.
    pub fn all_alone(&mut self) {
        let now_ms = self.now_ms;
        self.readers.iter_mut().for_each(|reader| reader.server_gone(now_ms));
    }

    /// Something that a client has heard; `served`: the server has not closed the connection.
    ///
    /// # Errors
    /// What was promised otherwise.
    pub fn hears(&mut self, client: usize, heard: &Heard, served: bool) -> Result<(), String> {
        self.at += 1;
        match heard {
            Heard::Welcomed { present } => self.welcomed(client, *present, served),
            Heard::Message { content, qos, retain, .. } => {
                self.heard += 1;
                self.message(client, content, *qos, *retain)
            }
            Heard::Answered { number, taken } => {
                self.answered(client, *number, *taken);
                Ok(())
            }
            Heard::Granted { ask, filters } => {
                let since = self.at;
                self.readers[client].granted(*ask, since, filters);
                Ok(())
            }
        }
    }

    fn welcomed(&mut self, client: usize, present: bool, served: bool) -> Result<(), String> {
        let now_ms = self.now_ms;
        let reader = &mut self.readers[client];
        let expected = reader.expected(now_ms);
        if !present {
            reader.forget_session();
        } else if !matches!(expected, Expected::Present(_)) {
            // It may be another one, of which CONNACK was lost.
            reader.lapse();
        }
        reader.welcomed(served);
        for n in &reader.unanswered {
            if let Some(m) = self.messages.get_mut(n) {
                m.again = Again::of(&expected, m.again);
            }
        }
        match (expected, present) {
            (Expected::Present(why), false) if self.lossless => {
                Err(format!("its session is gone: {why}"))
            }
            (Expected::Absent, true) if self.steady => {
                Err("it has a session that ended with its connection".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn message(
        &mut self,
        client: usize,
        content: &Content,
        qos: QoS,
        retain: bool,
    ) -> Result<(), String> {
        if content.1.is_empty() || content.0.starts_with("bad/") {
            return Ok(());
        }
        let Some(&number) = self.by_content.get(content) else {
            return Err(format!("nobody published {}", shown(content)));
        };
        if qos > self.messages[&number].qos {
            return Err(format!("{} came at QoS {}", shown(content), qos.bits()));
        }
        let reader = &mut self.readers[client];
        reader.pending.remove(&number);
        let is_new = qos > QoS::AtMostOnce && reader.came.insert(number);
        // What a SUBSCRIBE asked for has an order of its own; QoS 0 waits for nobody. What a full
        // queue or a small client has dropped may come after all, as the log hears of that late.
        let (m, crashed) = (&self.messages[&number], reader.since_crash.is_some());
        if retain || qos == QoS::AtMostOnce || m.publisher == Publisher::Other {
            return Ok(());
        }
        if crashed && (!self.lossless || reader.takes_little) {
            return Ok(());
        }
        // A reactor that has not heard of a message takes it for one behind a new subscription.
        let since =
            |(filter, sub): (&String, &Sub)| sub.since < m.sent_at && matches(filter, &content.0);
        if crashed && !reader.subs.iter().any(since) {
            return Ok(());
        }
        let last = reader.last.entry((m.publisher, content.0.clone(), qos)).or_insert(number);
        // Twice at the door, once before the subscription: then only the second one comes.
        let twice =
            m.again == Again::Unknown || (m.again == Again::Sent && m.qos == QoS::AtLeastOnce);
        if is_new && *last > number && !twice {
            let (before, now) = (&self.messages[last].content, shown(content));
            return Err(format!("{now} comes after {}", shown(before)));
        }
        *last = (*last).max(number);
        Ok(())
    }

    fn answered(&mut self, client: usize, number: u64, taken: bool) {
        let at = self.at;
        self.readers[client].unanswered.remove(&number);
        if let Some(m) = self.messages.get_mut(&number) {
            m.fate = if taken { Fate::Taken(at) } else { Fate::Refused(at) };
        }
    }

    /// Whether a message at QoS 2 may reach an application once only. An empty payload is used by
    /// many.
    pub fn comes_once(&self, content: &Content) -> bool {
        let message = self.by_content.get(content).map(|n| &self.messages[n]);
        message.is_some_and(|m| m.again != Again::Unknown && !m.retain)
    }

    /// In a quiet moment: what was promised to a client that is there has come.
    ///
    /// # Errors
    /// What has not.
    pub fn check_kept(&self, client: usize) -> Result<(), String> {
        let reader = &self.readers[client];
        if !self.lossless || reader.takes_little {
            return Ok(());
        }
        let owed = |n: &&u64| {
            let m = &self.messages[*n];
            matches!(m.fate, Fate::Taken(_)) && !m.expires && !m.content.1.is_empty()
        };
        let missing: Vec<&u64> = reader.pending.iter().filter(owed).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let first: Vec<String> =
            missing.iter().take(3).map(|n| shown(&self.messages[*n].content)).collect();
        Err(format!("{} acknowledged messages never came: {first:?}", missing.len()))
    }
}

/// For people.
fn shown((topic, payload): &Content) -> String {
    let text = String::from_utf8_lossy(&payload[..payload.len().min(12)]);
    format!("{topic} '{text}'")
}

/// No seed fills a queue of so many messages, and of the square of it in bytes.
const QUEUE_MIN: usize = 2_000;
