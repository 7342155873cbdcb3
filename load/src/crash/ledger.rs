//! The account of a run: what was sent and acknowledged on each stream (one publisher and topic),
//! and what each reader has had of it. Judges loss, repetition and order as messages come, and
//! what is missing at the end. Refuses to know clients, connections and processes.

use super::breach::{Breach, Breaches, Rule, Which};
use mqtt::qos::QoS;
use mqtt::topic::{SharedFilter, TopicFilter};

/// The books.
#[derive(Debug, Default)]
pub struct Ledger {
    streams: Vec<Stream>,
    readers: Vec<Reader>,
    /// What was broken so far.
    pub breaches: Breaches,
    /// The round that is on.
    pub round: u64,
    /// Messages that came to anybody, repetitions too.
    pub received: u64,
    /// Of them, repetitions that are allowed.
    pub again: u64,
}

/// A publisher's topic.
#[derive(Clone, Debug)]
pub struct Source {
    /// The publisher's name.
    pub publisher: String,
    /// The topic.
    pub topic: String,
    /// The level of all its publishes.
    pub qos: QoS,
    /// Whether each message becomes one publication, however often it is sent.
    pub keyed: Keyed,
}

/// Whether an idempotency key goes with each message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyed {
    /// One key a message.
    Yes,
    /// None.
    No,
}

#[derive(Debug)]
struct Stream {
    source: Source,
    sent: Vec<Sent>,
}

/// A message that was sent once or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sent {
    fate: Fate,
    content: Content,
}

/// What the publisher knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Nothing: it may have arrived.
    Open,
    /// The server has taken it.
    Acknowledged,
}

/// What a message is to a retained topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// A payload with its mark.
    Marked,
    /// An empty payload, which clears.
    Nothing,
}

/// What is expected of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A session of its own.
    Session,
    /// A session that is never connected when the process ends: only another publication can
    /// bring it the same message twice.
    Absent,
    /// A shared group: any member, any order.
    Group,
}

#[derive(Debug)]
struct Reader {
    name: String,
    kind: Kind,
    /// By stream.
    pages: Vec<Page>,
}

/// What a reader has of a stream.
#[derive(Clone, Debug)]
struct Page {
    /// Level of the best subscription that was asked for.
    qos: QoS,
    /// From which message on it must get all; none before a SUBACK.
    from: Option<usize>,
    /// The first that may come as new.
    next: usize,
    seen: Vec<bool>,
}

impl Ledger {
    /// A stream more, by its number. All are there before the first reader.
    pub fn stream(&mut self, source: Source) -> u32 {
        self.streams.push(Stream { source, sent: Vec::new() });
        u32::try_from(self.streams.len() - 1).expect("a few streams")
    }

    /// Who publishes it, and where.
    pub fn source(&self, stream: u32) -> &Source {
        &self.streams[stream as usize].source
    }

    /// A reader more.
    pub fn reader(&mut self, name: String, kind: Kind) -> usize {
        let page = Page { qos: QoS::AtMostOnce, from: None, next: 0, seen: Vec::new() };
        self.readers.push(Reader { name, kind, pages: vec![page; self.streams.len()] });
        self.readers.len() - 1
    }

    /// Enters a message about to be sent for the first time; its number.
    pub fn send(&mut self, stream: u32, content: Content) -> u64 {
        let sent = &mut self.streams[stream as usize].sent;
        sent.push(Sent { fate: Fate::Open, content });
        sent.len() as u64 - 1
    }

    /// How many different ones were sent.
    pub fn sent(&self, stream: u32) -> u64 {
        self.streams[stream as usize].sent.len() as u64
    }

    /// What it carries.
    pub fn content(&self, stream: u32, sequence: u64) -> Content {
        self.streams[stream as usize].sent[sequence as usize].content
    }

    /// The server has answered for it.
    pub fn acknowledged(&mut self, stream: u32, sequence: u64) {
        self.streams[stream as usize].sent[sequence as usize].fate = Fate::Acknowledged;
    }

    /// SUBSCRIBE goes out: from now on the filter's messages may come.
    pub fn asked(&mut self, reader: usize, filter: &str, qos: QoS) {
        self.matching(reader, filter, |page, _| page.qos = page.qos.max(qos));
    }

    /// SUBACK has come: every message sent from now on must come. One that is under way may have
    /// been matched before the subscription was there, though its acknowledgement is still to come.
    pub fn granted(&mut self, reader: usize, filter: &str) {
        self.matching(reader, filter, |page, sent| {
            page.from.get_or_insert(sent);
        });
    }

    /// A message has come to a reader.
    pub fn received(&mut self, reader: usize, stream: u32, sequence: u64) {
        self.received += 1;
        let known = self.streams.get(stream as usize).map_or(0, |s| s.sent.len());
        if sequence >= known as u64 {
            let name = self.readers[reader].name.clone();
            let detail = format!("message {sequence} of stream {stream} was never sent");
            return self.broken(Rule::Protocol, &name, None, &detail);
        }
        let (at, of) = (sequence as usize, &self.streams[stream as usize]);
        let Reader { kind, pages, .. } = &mut self.readers[reader];
        let page = &mut pages[stream as usize];
        page.seen.resize(page.seen.len().max(at + 1), false);
        let again = std::mem::replace(&mut page.seen[at], true);
        let both = page.qos.min(of.source.qos) == QoS::ExactlyOnce;
        let once = both || (of.source.keyed == Keyed::Yes && *kind == Kind::Absent);
        if again {
            return if once {
                self.tell(Rule::Twice, reader, stream, at, "");
            } else {
                self.again += 1;
            };
        }
        if *kind == Kind::Group {
            return;
        }
        let before = page.next;
        page.next = before.max(at + 1);
        if at < before {
            let detail = format!("it came behind message {}", before - 1);
            return self.tell(Rule::Order, reader, stream, at, &detail);
        }
        let from = page.from.unwrap_or(usize::MAX).max(before);
        let gap = (from..at).find(|n| of.sent[*n].fate == Fate::Acknowledged);
        if let Some(lost) = gap {
            self.tell(Rule::Lost, reader, stream, lost, &format!("message {at} came without it"));
        }
    }

    /// How many acknowledged messages have not reached a reader that they must reach.
    pub fn missing(&self) -> usize {
        self.readers.iter().flat_map(|r| r.pages.iter().zip(&self.streams)).map(missing).sum()
    }

    /// The end: what is missing now is lost.
    pub fn close(&mut self) {
        for reader in 0..self.readers.len() {
            for stream in 0..self.streams.len() {
                let page = &self.readers[reader].pages[stream];
                let lost: Vec<usize> = page.missing(&self.streams[stream]).collect();
                let group = self.readers[reader].kind == Kind::Group;
                let rule = if group { Rule::GroupLost } else { Rule::Lost };
                let detail = format!("one of {} of this topic", lost.len());
                for at in lost {
                    self.tell(rule, reader, stream as u32, at, &detail);
                }
            }
        }
    }

    /// Whether a retained topic must have a message, whatever became of those without an answer.
    pub fn must_stand(&self, stream: u32) -> bool {
        let sent = &self.streams[stream as usize].sent;
        let last = sent.iter().rposition(|s| s.fate == Fate::Acknowledged);
        last.is_some_and(|last| sent[last..].iter().all(|s| s.content == Content::Marked))
    }

    /// What stands at a retained topic, read while nobody writes: `None` = nothing.
    pub fn retained(&mut self, who: &str, stream: u32, found: Option<u64>) {
        let sent = &self.streams[stream as usize].sent;
        let last = sent.iter().rposition(|s| s.fate == Fate::Acknowledged);
        let first = last.unwrap_or(0);
        let cleared = |s: &Sent| s.content == Content::Nothing;
        let fits = match found {
            Some(at) => at >= first as u64 && sent.get(at as usize).is_some_and(|s| !cleared(s)),
            None => last.is_none() || sent[first..].iter().any(cleared),
        };
        if !fits {
            let detail = match found {
                Some(at) => format!("message {at} stands there; {} were sent", sent.len()),
                None => format!("nothing stands there; {} were sent", sent.len()),
            };
            let which = self.which(stream, first);
            self.broken(Rule::Retained, who, Some(which), &detail);
        }
    }

    /// Enters a breach that is about no message, or about this one.
    pub fn broken(&mut self, rule: Rule, who: &str, message: Option<Which>, detail: &str) {
        let (round, who, detail) = (self.round, who.to_owned(), detail.to_owned());
        self.breaches.add(Breach { rule, round, who, message, detail });
    }

    /// Messages sent, and those of them that were acknowledged.
    pub fn totals(&self) -> (u64, u64) {
        let of = |s: &Stream| s.sent.iter().filter(|s| s.fate == Fate::Acknowledged).count();
        let acknowledged: usize = self.streams.iter().map(of).sum();
        (self.streams.iter().map(|s| s.sent.len() as u64).sum(), acknowledged as u64)
    }

    fn matching(&mut self, reader: usize, filter: &str, mut set: impl FnMut(&mut Page, usize)) {
        let shared = SharedFilter::parse(filter).ok().flatten();
        let plain = match shared {
            Some(shared) => Ok(shared.filter),
            None => TopicFilter::parse(filter),
        };
        let filter = plain.expect("filters of ours are valid");
        for (stream, page) in self.streams.iter().zip(&mut self.readers[reader].pages) {
            if filter.matches(&stream.source.topic) {
                set(page, stream.sent.len());
            }
        }
    }

    fn tell(&mut self, rule: Rule, reader: usize, stream: u32, at: usize, detail: &str) {
        let (which, name) = (self.which(stream, at), self.readers[reader].name.clone());
        self.broken(rule, &name, Some(which), detail);
    }

    fn which(&self, stream: u32, at: usize) -> Which {
        let Source { publisher, topic, qos, .. } = self.source(stream).clone();
        Which { publisher, topic, sequence: at as u64, qos }
    }
}

impl Page {
    fn missing(&self, stream: &Stream) -> impl Iterator<Item = usize> {
        let from = self.from.unwrap_or(usize::MAX).min(stream.sent.len());
        let acknowledged = |n: &usize| stream.sent[*n].fate == Fate::Acknowledged;
        let seen = |n: &usize| self.seen.get(*n).copied().unwrap_or(false);
        (from..stream.sent.len()).filter(move |n| acknowledged(n) && !seen(n))
    }
}

fn missing((page, stream): (&Page, &Stream)) -> usize {
    page.missing(stream).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use QoS::{AtLeastOnce as Q1, ExactlyOnce as Q2};

    fn books(qos: QoS, keyed: Keyed, kind: Kind) -> Ledger {
        let mut books = Ledger::default();
        books.stream(Source { publisher: "p".into(), topic: "t/1".into(), qos, keyed });
        books.stream(Source { publisher: "p".into(), topic: "u".into(), qos, keyed });
        let reader = books.reader("r".into(), kind);
        books.asked(reader, "t/#", Q2);
        books.granted(reader, "t/+");
        for _ in 0..4 {
            books.send(0, Content::Marked);
        }
        books
    }

    /// Acknowledged, came, and what is broken by the end.
    type Row = (&'static [u64], &'static [u64], &'static [Rule]);

    fn judged(mut books: Ledger, (acknowledged, came, broken): Row) {
        acknowledged.iter().for_each(|n| books.acknowledged(0, *n));
        came.iter().for_each(|n| books.received(0, 0, *n));
        books.close();
        let found: Vec<_> = Rule::ALL.into_iter().filter(|r| books.breaches.of(*r) > 0).collect();
        assert_eq!(found, broken, "{acknowledged:?} {came:?}");
    }

    #[test]
    fn at_qos_1_repetition_is_allowed_and_loss_and_disorder_are_not() {
        let rows: [Row; 7] = [
            (&[0, 1, 2], &[0, 1, 2], &[]),
            (&[0, 1, 2], &[0, 1, 0, 1, 2, 3, 2], &[]),
            (&[0, 2], &[0, 2], &[]),
            (&[0, 1], &[0], &[Rule::Lost]),
            (&[0, 1], &[], &[Rule::Lost]),
            (&[], &[1, 0], &[Rule::Order]),
            (&[], &[4], &[Rule::Protocol]),
        ];
        rows.into_iter().for_each(|row| judged(books(Q1, Keyed::No, Kind::Session), row));
    }

    #[test]
    fn a_gap_is_seen_when_the_next_one_comes() {
        let mut books = books(Q1, Keyed::No, Kind::Session);
        books.acknowledged(0, 1);
        books.received(0, 0, 0);
        assert_eq!((books.breaches.count(), books.missing()), (0, 1));
        books.received(0, 0, 2);
        assert_eq!(books.breaches.of(Rule::Lost), 1);
    }

    #[test]
    fn at_qos_2_and_with_a_key_once_is_once() {
        let twice: Row = (&[0], &[0, 0], &[Rule::Twice]);
        judged(books(Q2, Keyed::No, Kind::Session), twice);
        judged(books(Q2, Keyed::No, Kind::Group), twice);
        judged(books(Q1, Keyed::Yes, Kind::Absent), twice);
        judged(books(Q1, Keyed::Yes, Kind::Session), (&[0], &[0, 0], &[]));
    }

    #[test]
    fn a_group_has_no_order_and_is_judged_by_its_own_rule() {
        judged(books(Q1, Keyed::No, Kind::Group), (&[0, 1], &[1, 0], &[]));
        judged(books(Q1, Keyed::No, Kind::Group), (&[0, 1], &[1], &[Rule::GroupLost]));
    }

    #[test]
    fn what_was_sent_before_the_suback_may_come_and_need_not() {
        let mut books = books(Q1, Keyed::No, Kind::Session);
        for _ in 0..3 {
            books.send(1, Content::Marked);
        }
        books.asked(0, "u", Q1);
        (0..2).for_each(|n| books.acknowledged(1, n));
        assert_eq!(books.missing(), 0);
        books.granted(0, "u");
        books.send(1, Content::Marked);
        books.acknowledged(1, 3);
        assert_eq!(books.missing(), 1);
        books.received(0, 1, 2);
        books.received(0, 1, 3);
        assert_eq!((books.missing(), books.breaches.count()), (0, 0));
    }

    #[test]
    fn a_retained_topic_has_the_last_acknowledged_or_a_later_one() {
        // Set, clear, set; how many are acknowledged, what is found, whether it fits.
        let rows = [
            (0, None, true),
            (0, Some(2), true),
            (0, Some(1), false),
            (0, Some(3), false),
            (1, Some(0), true),
            (1, None, true),
            (2, None, true),
            (2, Some(0), false),
            (2, Some(2), true),
            (3, Some(2), true),
            (3, None, false),
            (3, Some(0), false),
        ];
        for (acknowledged, found, fits) in rows {
            let mut books = Ledger::default();
            let (publisher, topic) = ("p".into(), "keep".into());
            books.stream(Source { publisher, topic, qos: Q1, keyed: Keyed::No });
            for content in [Content::Marked, Content::Nothing, Content::Marked] {
                books.send(0, content);
            }
            (0..acknowledged).for_each(|n| books.acknowledged(0, n));
            books.retained("reader", 0, found);
            let row = (acknowledged, found);
            assert_eq!(books.breaches.of(Rule::Retained) == 0, fits, "{row:?}");
        }
    }
}
