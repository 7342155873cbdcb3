//! Topics: filters, the index, the interest of reactors and the retained scan against naive
//! oracles that split at `/`. Refuses to know permissions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use broker::limits::Limits;
use broker::publication::Publication;
use broker::retained::{Retained, ScanCursor, ScanEnd};
use broker::subscription::{Index, Interest, Receiver, ReceiverOptions, SessionRef, Subscription};
use mqtt::message::Message;
use mqtt::qos::QoS;
use mqtt::topic::{SharedFilter, TopicFilter, TopicName};

use crate::choices::Choices;
use crate::{templates, topic_oracle as oracle};

/// A list of steps: texts are parsed and matched, subscriptions and retained messages come and go.
pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    let mut world = World::new();
    for _ in 0..STEPS_MAX {
        if choices.is_empty() {
            break;
        }
        world.step(&mut choices);
    }
    world.empty();
}

struct World {
    index: Index,
    interest: Interest,
    retained: Retained,
    /// Filter and session, with the subscription identifier of the last SUBSCRIBE.
    subscribed: BTreeMap<(String, u32), u32>,
    kept: BTreeSet<String>,
    /// Filter and reactor.
    wanted: BTreeMap<(String, usize), usize>,
}

impl World {
    fn new() -> Self {
        Self {
            index: Index::new(),
            interest: Interest::new(REACTORS),
            retained: Retained::new(&Limits::open()),
            subscribed: BTreeMap::new(),
            kept: BTreeSet::new(),
            wanted: BTreeMap::new(),
        }
    }

    fn step(&mut self, c: &mut Choices<'_>) {
        match c.below(10) {
            0 | 1 => self.subscribe(c),
            2 => self.unsubscribe(c),
            3 => self.matches(&text(c)),
            4 => self.retain(c),
            5 => self.scan(c),
            6 => self.interest(c),
            7 => covers(&text(c), &text(c)),
            8 => templates::check_text(c),
            _ => parse(&text(c)),
        }
    }

    fn subscribe(&mut self, c: &mut Choices<'_>) {
        let (text, slot, id) = (text(c), c.below(4) as u32, u32::from(c.byte()));
        parse(&text);
        let Ok(filter) = TopicFilter::parse(&text) else { return };
        let options = ReceiverOptions::new(QoS::AtLeastOnce, false, false);
        let session = session(slot);
        let receiver = Receiver { session, options, subscription_id: id, since: 0 };
        let first = !self.subscribed.keys().any(|(known, _)| *known == text);
        let done = self.index.subscribe(filter, receiver);
        let is_new = self.subscribed.insert((text.clone(), slot), id).is_none();
        assert_eq!(done.is_new == Subscription::New, is_new, "{text:?}");
        assert_eq!(done.first_for_filter, first, "{text:?}");
        assert_eq!(self.index.filter(done.filter_id), text);
        assert_eq!(self.index.get(done.filter_id, session), Some(&receiver));
        self.counts();
    }

    fn unsubscribe(&mut self, c: &mut Choices<'_>) {
        let (text, slot) = (text(c), c.below(4) as u32);
        let Ok(filter) = TopicFilter::parse(&text) else { return };
        self.remove(filter, slot);
        self.counts();
    }

    fn remove(&mut self, filter: TopicFilter<'_>, slot: u32) {
        let text = filter.as_str();
        let was = self.subscribed.remove(&(text.to_owned(), slot)).is_some();
        let done = self.index.unsubscribe(filter, session(slot));
        assert_eq!(done.is_some(), was, "{text:?}");
        let last = !self.subscribed.keys().any(|(known, _)| known == text);
        assert!(done.is_none_or(|d| d.last_for_filter == last), "{text:?}");
    }

    fn counts(&self) {
        assert_eq!(self.index.subscriptions(), self.subscribed.len());
        let filters: BTreeSet<&String> = self.subscribed.keys().map(|(text, _)| text).collect();
        assert_eq!(self.index.filters(), filters.len());
    }

    fn matches(&self, topic: &str) {
        if TopicName::parse(topic).is_err() {
            return;
        }
        let mut heard = Vec::new();
        self.index.matches(topic, &mut |r| heard.push((r.session.slot, r.subscription_id)));
        heard.sort_unstable();
        let matching = self.subscribed.iter().filter(|((text, _), _)| oracle::matches(text, topic));
        let mut wanted: Vec<(u32, u32)> = matching.map(|((_, slot), id)| (*slot, *id)).collect();
        wanted.sort_unstable();
        assert_eq!(heard, wanted, "{topic:?}");
    }

    fn retain(&mut self, c: &mut Choices<'_>) {
        let (topic, keep) = (text(c), c.below(3) > 0);
        if TopicName::parse(&topic).is_err() {
            return;
        }
        let payload: &[u8] = if keep { b"x" } else { b"" };
        let message = Message::new(&topic, &[], payload, QoS::AtMostOnce, true);
        let applied = self.retained.apply(&Arc::new(Publication::new(message)), 0, 1);
        assert!(applied.is_ok_and(|order| order > 0));
        if keep {
            self.kept.insert(topic);
        } else {
            self.kept.remove(&topic);
        }
        assert_eq!(self.retained.counts().messages, self.kept.len());
    }

    fn scan(&self, c: &mut Choices<'_>) {
        let (text, limit) = (text(c), 1 + c.below(5));
        let Ok(filter) = TopicFilter::parse(&text) else { return };
        let (mut cursor, mut found) = (ScanCursor::default(), Vec::new());
        for turn in 0.. {
            assert!(turn < SCANS_MAX, "a scan comes to its end");
            let before = found.len();
            let end = self.retained.scan(filter, &mut cursor, limit, 1, &mut found);
            assert!(found.len() - before <= limit);
            if end == ScanEnd::Done {
                break;
            }
        }
        let mut found: Vec<&str> = found.iter().map(|p| p.message.topic()).collect();
        found.sort_unstable();
        let wanted: Vec<&str> =
            self.kept.iter().map(String::as_str).filter(|t| oracle::matches(&text, t)).collect();
        assert_eq!(found, wanted, "{text:?}");
    }

    /// Counted per reactor: only the last one out takes a reactor's bit away.
    fn interest(&mut self, c: &mut Choices<'_>) {
        let (text, reactor, add) = (text(c), c.below(REACTORS), c.below(3) > 0);
        if TopicFilter::parse(&text).is_ok() {
            let key = (text.clone(), reactor);
            let count = self.wanted.entry(key).or_default();
            if add {
                *count += 1;
                self.interest.add(reactor, &text);
            } else if *count > 0 {
                *count -= 1;
                self.interest.remove(reactor, &text);
            }
            self.wanted.retain(|_, count| *count > 0);
        }
        if TopicName::parse(&text).is_ok() {
            let matching = self.wanted.keys().filter(|(filter, _)| oracle::matches(filter, &text));
            let wanted = matching.fold(0u64, |mask, (_, reactor)| mask | 1 << reactor);
            assert_eq!(self.interest.mask(&text), wanted, "{text:?}");
        }
    }

    /// Everything is taken out again: nothing is left in the tree.
    fn empty(&mut self) {
        let all: Vec<(String, u32)> = self.subscribed.keys().cloned().collect();
        for (text, slot) in all {
            self.remove(TopicFilter::parse(&text).expect("it was parsed before"), slot);
        }
        assert_eq!((self.index.subscriptions(), self.index.filters()), (0, 0));
        for topic in ["a", "a/b", "/", "$a"] {
            self.index.matches(topic, &mut |r| panic!("{r:?} is still there"));
        }
    }
}

fn parse(text: &str) {
    assert_eq!(TopicFilter::parse(text).is_ok(), oracle::is_filter(text), "{text:?}");
    assert_eq!(TopicName::parse(text).is_ok(), oracle::is_name(text), "{text:?}");
    if let Ok(Some(shared)) = SharedFilter::parse(text) {
        let whole = format!("$share/{}/{}", shared.share, shared.filter.as_str());
        assert_eq!(whole, text);
    }
}

fn covers(wide: &str, narrow: &str) {
    let (Ok(wide), Ok(narrow)) = (TopicFilter::parse(wide), TopicFilter::parse(narrow)) else {
        return;
    };
    let wanted = oracle::covers(wide.as_str(), narrow.as_str());
    assert_eq!(wide.covers(narrow), wanted, "{wide:?} covers {narrow:?}");
}

fn session(slot: u32) -> SessionRef {
    SessionRef { slot, generation: slot + 1 }
}

/// A short text over the characters that matter, or any UTF-8.
pub fn text(c: &mut Choices<'_>) -> String {
    let len = c.below(32);
    if len >= 28 {
        let len = c.below(64);
        return String::from_utf8_lossy(c.take(len)).into_owned();
    }
    c.take(len / 3).iter().map(|byte| PIECES[usize::from(*byte) % PIECES.len()]).collect()
}

const PIECES: &[&str] =
    &["a", "/", "+", "#", "b", "/", "$", "a", "/", "+/", "/#", "é", "\0", "$share/", "g", "ab"];
const REACTORS: usize = 3;
const STEPS_MAX: usize = 300;
const SCANS_MAX: usize = 10_000;
