//! The retained message of every topic (MQTT 5, 3.3.1.3).
//!
//! Owns which publication a new subscriber gets first, how many there are and how much they weigh.
//! Shared by all reactors and HTTP. Refuses to know subscriptions, permissions and files.

mod block;
mod item;
mod levels;
mod scan;
mod sorting;
mod tombstones;
mod topics;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use mqtt::topic::TopicFilter;

use crate::limits::Limits;
use crate::publication::{NEVER, Publication};
use block::Entry;
use levels::ByTopic;
use tombstones::Tombstones;
use topics::{Place, Topics};

pub use item::{Gone, RetainedCounts, RetainedFull, RetainedItem, Settled};
pub use scan::{ScanCursor, ScanEnd};

/// The retained messages of one namespace. Every method may be called from every thread; none
/// holds a lock longer than its own chunk of work.
pub struct Retained {
    message_bytes_max: usize,
    messages_max: usize,
    total_bytes_max: usize,
    /// How many changes were applied: the order of the last one.
    order: AtomicU64,
    /// Bytes besides the publications.
    index_bytes: AtomicUsize,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    messages: Topics,
    /// Those that expire, by deadline.
    deadlines: BTreeSet<(u64, ByTopic)>,
    removed: Tombstones,
    bytes: usize,
}

impl Retained {
    /// Without messages, with the bounds `retained_*_max`.
    pub fn new(limits: &Limits) -> Self {
        Self {
            message_bytes_max: limits.retained_bytes_max,
            messages_max: limits.retained_messages_max,
            total_bytes_max: limits.retained_total_bytes_max,
            order: AtomicU64::new(0),
            index_bytes: AtomicUsize::new(0),
            state: RwLock::default(),
        }
    }

    /// Whether a message with RETAIN 1 may be accepted: asked before it is logged or
    /// acknowledged. Removing (an empty payload) and replacing without growth are always allowed.
    ///
    /// # Errors
    /// Which bound refuses it.
    pub fn room_for(&self, topic: &str, publication: &Publication) -> Result<(), RetainedFull> {
        self.room_for_bytes(topic, publication.bytes(), publication.message.payload().len())
    }

    /// As [`Retained::room_for`] before there is a publication: `bytes` of topic, properties and
    /// payload together, `payload_bytes` of the payload.
    ///
    /// # Errors
    /// Which bound refuses it.
    pub fn room_for_bytes(
        &self,
        topic: &str,
        bytes: usize,
        payload_bytes: usize,
    ) -> Result<(), RetainedFull> {
        if payload_bytes == 0 {
            return Ok(());
        }
        self.check_message(payload_bytes)?;
        let state = self.read();
        let old = state.messages.get(topic.as_bytes()).map(|e| e.publication.bytes());
        self.check_room(&state, old, bytes)
    }

    /// Sets the topic's message, or removes it when the payload is empty (MQTT 5, 3.3.1-6,
    /// 3.3.1-7). `now_ms` becomes its time of last change: on replay the record's own time.
    ///
    /// `sequence` is the record's place in the log. Ignored when it is older than what is there
    /// or was removed lately, so that reactors may apply in any order. A publication without a
    /// sequence (0) always counts as newer. One with a sequence is a fact in the log and is
    /// applied even above the bounds, which [`Retained::room_for`] kept by then up to what was
    /// under way at once.
    ///
    /// Gives the number of this change: every reader that saw [`Retained::order`] at or above it
    /// has seen this message or a newer one. 0 when it was ignored.
    ///
    /// # Errors
    /// Which bound refuses a publication that is not in the log.
    pub fn apply(
        &self,
        p: &Arc<Publication>,
        sequence: u64,
        now_ms: u64,
    ) -> Result<u64, RetainedFull> {
        let topic = p.message.topic_bytes();
        let mut state = self.write();
        let place = state.messages.find(topic);
        let old = place.ok().map(|place| state.messages.at(place));
        let stored = old.map_or(0, Entry::sequence).max(state.removed.sequence_of(topic));
        if sequence > 0 && stored > sequence {
            return Ok(0);
        }
        let old_bytes = old.map(|old| old.publication.bytes());
        if p.message.payload().is_empty() {
            let _ = place.map(|place| state.remove(place));
            self.weigh(&state);
            if sequence > 0 {
                state.removed.insert(topic, sequence);
            }
            return Ok(self.next_order());
        }
        if sequence == 0 {
            self.check_message(p.message.payload().len())?;
            self.check_room(&state, old_bytes, p.bytes())?;
        }
        let order = self.next_order();
        state.set(place, entry(Arc::clone(p), sequence, order, now_ms));
        self.weigh(&state);
        Ok(order)
    }

    /// As [`apply`](Self::apply) for a record that has just become a fact, by whoever makes facts:
    /// in the order of the log, each once. Says what the log need not keep any more.
    pub fn settle(&self, p: &Arc<Publication>, now_ms: u64) -> Settled {
        let sequence = p.sequence();
        let mut state = self.write();
        let order = self.next_order();
        let place = state.messages.find(p.message.topic_bytes());
        let old = place.ok().map(|place| state.messages.at(place));
        let old = old.map(|old| (old.oldest, old.sequence())).filter(|(_, at)| *at > 0);
        let displaced = old.map(|(_, at)| at);
        let mut settled = Settled { order, displaced, gone: None };
        if p.message.payload().is_empty() {
            let _ = place.map(|place| state.remove(place));
            match old {
                Some((oldest, _)) => settled.gone = Some(Gone { oldest, at: sequence }),
                // There was nothing to remove: it need not be kept either.
                None => settled.displaced = Some(sequence),
            }
        } else {
            // What is not in the log itself does not tell of what was.
            let oldest = old.map_or(sequence, |(oldest, _)| oldest.min(sequence));
            state.set(place, entry(Arc::clone(p), oldest, order, now_ms));
        }
        self.weigh(&state);
        settled
    }

    /// Takes in the messages of an earlier run, at start, each topic once: with what was the first
    /// of its topic that the log may still have. All at once, as one change, because a million take
    /// a fraction of what they would take one by one.
    pub fn restore(&self, all: impl Iterator<Item = (Arc<Publication>, u64)>, modified_ms: u64) {
        let mut state = self.write();
        let order = self.next_order();
        let entry = |(p, oldest)| entry(p, oldest, order, modified_ms);
        if state.messages.len() > 0 {
            for entry in all.map(entry) {
                let place = state.messages.find(entry.topic());
                state.set(place, entry);
            }
        } else {
            let (mut bytes, mut deadlines) = (0, Vec::new());
            let all = all.inspect(|(p, _)| {
                bytes += p.bytes();
                deadlines.extend(deadline(p));
            });
            state.messages = Topics::of(sorting::sorted(all).map(entry));
            state.bytes = bytes;
            state.deadlines = deadlines.into_iter().collect();
        }
        self.weigh(&state);
    }

    /// The topic's message, unless it has expired.
    pub fn get(&self, topic: &str, now_ms: u64) -> Option<Arc<Publication>> {
        self.get_item(topic, now_ms).map(|item| item.publication)
    }

    /// As [`Retained::get`], with the time of the last change.
    pub fn get_item(&self, topic: &str, now_ms: u64) -> Option<RetainedItem> {
        let state = self.read();
        let entry = state.messages.get(topic.as_bytes())?;
        (!entry.publication.expired(now_ms)).then(|| entry.item())
    }

    /// Appends to `out` at most `limit` messages whose topics match `filter`, in the order of
    /// their topics' levels, and moves `after` behind them; call again until
    /// [`ScanEnd::Done`]. A chunk may bring fewer than `limit`, or none, and still say
    /// [`ScanEnd::More`]: its work is bounded too. What changes between chunks is seen or not;
    /// what stays is returned exactly once.
    pub fn scan(
        &self,
        filter: TopicFilter<'_>,
        after: &mut ScanCursor,
        limit: usize,
        now_ms: u64,
        out: &mut Vec<Arc<Publication>>,
    ) -> ScanEnd {
        let each = &mut |entry: &Entry| out.push(Arc::clone(&entry.publication));
        scan::chunk(&self.read().messages, filter, after, limit, now_ms, each).end
    }

    /// As [`Retained::scan`], with the times of the last changes.
    pub fn list(
        &self,
        filter: TopicFilter<'_>,
        after: &mut ScanCursor,
        limit: usize,
        now_ms: u64,
        out: &mut Vec<RetainedItem>,
    ) -> ScanEnd {
        let each = &mut |entry: &Entry| out.push(entry.item());
        scan::chunk(&self.read().messages, filter, after, limit, now_ms, each).end
    }

    /// The number of the last change, 0 = none. What a scan that starts afterwards does not
    /// return is older than it was then or carries a higher number.
    pub fn order(&self) -> u64 {
        let _not_while_changing = self.read();
        self.order.load(Ordering::Acquire)
    }

    /// How many messages and bytes are stored.
    pub fn counts(&self) -> RetainedCounts {
        let state = self.read();
        RetainedCounts { messages: state.messages.len(), bytes: state.bytes }
    }

    /// Removes at most `limit` messages whose deadline has come; returns how many. Fewer than
    /// `limit` = there are no more. Those of the log come to `gone`.
    pub fn expire(&self, now_ms: u64, limit: usize, mut gone: impl FnMut(Gone)) -> usize {
        let mut state = self.write();
        for done in 0..limit {
            match state.deadlines.first() {
                Some((deadline_ms, _)) if *deadline_ms <= now_ms => {}
                _ => {
                    self.weigh(&state);
                    return done;
                }
            }
            if let Some((_, ByTopic(p))) = state.deadlines.pop_first()
                && let Ok(place) = state.messages.find(p.message.topic_bytes())
            {
                let (entry, topic) = (state.remove(place), p.message.topic_bytes());
                let sequence = entry.sequence();
                if sequence > 0 {
                    // What is older must not come back in its place either.
                    state.removed.insert(topic, sequence);
                    gone(Gone { oldest: entry.oldest, at: sequence });
                }
            }
        }
        self.weigh(&state);
        limit
    }

    /// Bytes of the index: what retaining costs besides the publications, which are charged to
    /// the budget where they are made.
    pub fn index_bytes(&self) -> usize {
        self.index_bytes.load(Ordering::Relaxed)
    }

    fn weigh(&self, state: &State) {
        let bytes = state.messages.bytes() + state.deadlines.len() * DEADLINE_BYTES;
        self.index_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Called under the write lock, so that numbers and changes have one order.
    fn next_order(&self) -> u64 {
        self.order.fetch_add(1, Ordering::AcqRel) + 1
    }

    fn check_message(&self, bytes: usize) -> Result<(), RetainedFull> {
        let bytes_max = self.message_bytes_max;
        if bytes > bytes_max {
            return Err(RetainedFull::MessageTooLarge { bytes, bytes_max });
        }
        Ok(())
    }

    fn check_room(
        &self,
        state: &State,
        old_bytes: Option<usize>,
        bytes: usize,
    ) -> Result<(), RetainedFull> {
        let messages_max = self.messages_max;
        if old_bytes.is_none() && state.messages.len() >= messages_max {
            return Err(RetainedFull::TooManyMessages { messages_max });
        }
        let old_bytes = old_bytes.unwrap_or(0);
        let total_bytes_max = self.total_bytes_max;
        if bytes > old_bytes && state.bytes - old_bytes + bytes > total_bytes_max {
            return Err(RetainedFull::TooManyBytes { total_bytes_max });
        }
        Ok(())
    }

    /// A poisoned lock is used on: nothing under it panics half-way through a change.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Puts it where [`Topics::find`] has found its topic, or not.
    fn set(&mut self, place: Result<Place, Place>, entry: Entry) {
        let deadline = deadline(&entry.publication);
        self.bytes += entry.publication.bytes();
        self.removed.forget(entry.topic());
        match place {
            Ok(place) => {
                let old = self.messages.replace(place, entry).publication;
                self.forget(&old);
            }
            Err(place) => self.messages.insert(place, entry),
        }
        self.deadlines.extend(deadline);
    }

    /// Takes out what [`Topics::find`] has found.
    fn remove(&mut self, place: Place) -> Entry {
        let entry = self.messages.remove(place);
        self.forget(&entry.publication);
        entry
    }

    fn forget(&mut self, old: &Arc<Publication>) {
        self.bytes -= old.bytes();
        if let Some(deadline) = deadline(old) {
            self.deadlines.remove(&deadline);
        }
    }
}

fn entry(publication: Arc<Publication>, oldest: u64, order: u64, modified_ms: u64) -> Entry {
    Entry { publication, oldest, order, modified_ms }
}

fn deadline(p: &Arc<Publication>) -> Option<(u64, ByTopic)> {
    (p.deadline_ms != NEVER).then(|| (p.deadline_ms, ByTopic(Arc::clone(p))))
}

const DEADLINE_BYTES: usize = size_of::<(u64, ByTopic)>();

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use mqtt::message::Message;
    use mqtt::qos::QoS;
    use std::collections::BTreeMap;

    fn publication(
        topic: &str,
        payload: &str,
        sequence: u64,
        deadline_ms: u64,
    ) -> (Arc<Publication>, u64) {
        let message = Message::new(topic, &[], payload.as_bytes(), QoS::AtLeastOnce, true);
        (Arc::new(Publication { deadline_ms, ..Publication::new(message) }), sequence)
    }

    fn apply(
        retained: &Retained,
        (publication, sequence): &(Arc<Publication>, u64),
        now_ms: u64,
    ) -> Result<(), RetainedFull> {
        retained.apply(publication, *sequence, now_ms).map(drop)
    }

    fn set(retained: &Retained, topic: &str, sequence: u64) {
        apply(retained, &publication(topic, "x", sequence, NEVER), 0).unwrap();
    }

    fn all(retained: &Retained, filter: &str, limit: usize, now_ms: u64) -> Vec<String> {
        let filter = TopicFilter::parse(filter).unwrap();
        let (mut cursor, mut out) = (ScanCursor::default(), Vec::new());
        loop {
            let before = out.len();
            let end = retained.scan(filter, &mut cursor, limit, now_ms, &mut out);
            assert!(out.len() - before <= limit);
            if end == ScanEnd::Done {
                return out.iter().map(|p| p.message.topic().to_owned()).collect();
            }
        }
    }

    #[test]
    fn versions_decide_not_the_order_of_applying() {
        // Every order in which three reactors may apply set 5, remove 6 and set 4.
        let steps = [(5, "five"), (6, ""), (4, "four")];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let retained = Retained::new(&Limits::open());
            for step in order {
                let (sequence, payload) = steps[step];
                apply(&retained, &publication("a", payload, sequence, NEVER), 0).unwrap();
            }
            assert!(retained.get("a", 0).is_none(), "{order:?}");
            assert!(retained.order() > 0);
            assert_eq!(retained.counts(), RetainedCounts::default());
            set(&retained, "a", 7);
            assert_eq!(retained.get_item("a", 0).map(|item| item.sequence), Some(7));
        }
    }

    #[test]
    fn changes_are_numbered_in_the_order_they_are_seen() {
        let retained = Retained::new(&Limits::open());
        assert_eq!(retained.order(), 0);
        let (p, _) = publication("a", "x", 0, NEVER);
        assert_eq!(retained.apply(&p, 5, 0), Ok(1));
        assert_eq!(retained.apply(&p, 4, 0), Ok(0), "older, so ignored");
        let (gone, _) = publication("a", "", 0, NEVER);
        assert_eq!(retained.apply(&gone, 6, 0), Ok(2));
        assert_eq!(retained.apply(&p, 5, 0), Ok(0), "older than the removal");
        assert_eq!(retained.apply(&p, 0, 0), Ok(3));
        assert_eq!(retained.get_item("a", 0).map(|item| (item.order, item.sequence)), Some((3, 0)));
        assert_eq!(retained.order(), 3);
    }

    #[test]
    fn what_is_not_in_the_log_always_counts_as_newer() {
        let retained = Retained::new(&Limits::open());
        set(&retained, "a", 9);
        apply(&retained, &publication("a", "new", 0, NEVER), 3).unwrap();
        let item = retained.get_item("a", 0).unwrap();
        assert_eq!((item.publication.message.payload(), item.modified_ms), (&b"new"[..], 3));
        apply(&retained, &publication("a", "", 0, NEVER), 4).unwrap();
        assert!(retained.get("a", 0).is_none());
    }

    #[test]
    fn expired_messages_are_never_returned_and_swept_in_order() {
        let retained = Retained::new(&Limits::open());
        for n in 0..10 {
            let deadline_ms = if n % 2 == 0 { 100 + n } else { NEVER };
            let p = publication(&format!("a/{n}"), "x", n + 1, deadline_ms);
            apply(&retained, &p, 0).unwrap();
        }
        // Replaced: neither the old deadline counts any more.
        set(&retained, "a/0", 20);
        assert!(retained.get("a/2", 101).is_some() && retained.get("a/2", 102).is_none());
        assert_eq!(all(&retained, "#", 3, 104).len(), 8);
        assert_eq!(retained.counts().messages, 10);
        assert_eq!(retained.expire(104, 1, drop), 1);
        assert_eq!(retained.expire(104, 10, drop), 1);
        assert_eq!(retained.expire(u64::MAX - 1, 10, drop), 2);
        assert_eq!(retained.counts().messages, 6);
        assert_eq!(all(&retained, "#", 3, u64::MAX).len(), 6);
        apply(&retained, &publication("a/2", "late", 2, NEVER), 0).unwrap();
        assert!(retained.get("a/2", 0).is_none(), "older than the one that expired");
    }

    #[test]
    fn bounds_are_checked_before_and_facts_are_kept() {
        let limits = Limits {
            retained_bytes_max: 4,
            retained_messages_max: 2,
            retained_total_bytes_max: 9,
            ..Limits::open()
        };
        let retained = Retained::new(&limits);
        let p = |topic: &str, payload: &str| publication(topic, payload, 0, NEVER);
        let large = RetainedFull::MessageTooLarge { bytes: 5, bytes_max: 4 };
        assert_eq!(apply(&retained, &p("a", "12345"), 0), Err(large));
        apply(&retained, &p("a", "1234"), 0).unwrap();
        let bytes = RetainedFull::TooManyBytes { total_bytes_max: 9 };
        assert_eq!(retained.room_for("b", &p("b", "1234").0), Err(bytes));
        assert_eq!(apply(&retained, &p("b", "1234"), 0), Err(bytes));
        apply(&retained, &p("b", "123"), 0).unwrap();
        assert_eq!(retained.room_for("b", &p("b", "1234").0), Err(bytes));
        assert_eq!(retained.room_for("b", &p("b", "12").0), Ok(()));
        let messages = RetainedFull::TooManyMessages { messages_max: 2 };
        assert_eq!(retained.room_for("c", &p("c", "1").0), Err(messages));
        assert_eq!(retained.room_for("c", &p("c", "").0), Ok(()));
        assert_eq!(retained.counts(), RetainedCounts { messages: 2, bytes: 9 });
        // In the log already: applied all the same.
        apply(&retained, &publication("c", "12345", 1, NEVER), 0).unwrap();
        assert_eq!(retained.counts(), RetainedCounts { messages: 3, bytes: 15 });
        assert!(retained.index_bytes() > 0);
        for topic in ["a", "b", "c"] {
            apply(&retained, &publication(topic, "", 2, NEVER), 0).unwrap();
        }
        assert_eq!(retained.counts(), RetainedCounts::default());
        assert_eq!(retained.index_bytes(), 0);
        assert!(large.to_string().contains("4 bytes") && messages.to_string().contains('2'));
    }

    #[test]
    fn random_changes_and_scans_agree_with_the_naive_store() {
        let mut chance = Chance::new(3);
        let retained = Retained::new(&Limits::open());
        // Topic: sequence and deadline.
        let mut naive: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for step in 1..100_000u64 {
            let topic = chance.topic();
            if chance.below(10) < if step / 10_000 % 2 == 0 { 8 } else { 2 } {
                let deadline_ms = if chance.below(3) == 0 { step + 500 } else { NEVER };
                apply(&retained, &publication(&topic, "x", step, deadline_ms), step).unwrap();
                naive.insert(topic, (step, deadline_ms));
            } else {
                apply(&retained, &publication(&topic, "", step, NEVER), step).unwrap();
                naive.remove(&topic);
            }
            if step % 100 == 0 {
                let swept = retained.expire(step, 10_000, drop);
                let before = naive.len();
                naive.retain(|_, (_, deadline_ms)| *deadline_ms > step);
                assert_eq!(swept, before - naive.len());
                assert_eq!(retained.counts().messages, naive.len());
            }
            if step % 20 == 0 {
                let filter = chance.filter();
                let limit = 1 + chance.below(7);
                let found = all(&retained, &filter, limit, step);
                let parsed = TopicFilter::parse(&filter).unwrap();
                let alive = naive.iter().filter(|(_, (_, deadline_ms))| *deadline_ms > step);
                let mut expected: Vec<_> =
                    alive.map(|(t, _)| t.clone()).filter(|t| parsed.matches(t)).collect();
                expected.sort_by_key(|t| t.replace('/', "\0"));
                assert_eq!(found, expected, "step {step} {filter} by {limit}");
            }
        }
        let state = retained.read();
        let bytes: usize = state.messages.iter().map(|e| e.publication.bytes()).sum();
        assert_eq!(bytes, state.bytes);
        let expiring = state.messages.iter().filter(|e| e.publication.deadline_ms != NEVER);
        assert_eq!(expiring.count(), state.deadlines.len());
    }

    #[test]
    fn what_stays_is_returned_once_while_others_come_and_go() {
        let retained = Retained::new(&Limits::open());
        for n in 0..2_000 {
            set(&retained, &format!("stay/{n:04}/v"), n + 1);
        }
        std::thread::scope(|threads| {
            let changes = threads.spawn(|| {
                let mut chance = Chance::new(4);
                for sequence in 10_000..60_000 {
                    let topic = format!("stay/{:04}/{}", chance.below(2_000), chance.below(3));
                    let payload = if chance.below(2) == 0 { "" } else { "x" };
                    apply(&retained, &publication(&topic, payload, sequence, NEVER), 0).unwrap();
                }
            });
            let mut rounds = 0;
            while !changes.is_finished() || rounds == 0 {
                for (filter, limit) in [("stay/+/v", 7), ("#", 64), ("stay/#", 1000)] {
                    let mut found = all(&retained, filter, limit, 0);
                    found.retain(|topic| topic.ends_with("/v"));
                    assert_eq!(found.len(), 2_000, "{filter}");
                    assert!(found.is_sorted() && found.windows(2).all(|w| w[0] != w[1]));
                }
                rounds += 1;
            }
        });
    }

    #[test]
    fn a_list_goes_on_behind_the_last_topic_it_gave() {
        let retained = Retained::new(&Limits::open());
        for n in 0..5 {
            apply(&retained, &publication(&format!("a/{n}"), "x", n + 1, NEVER), n).unwrap();
        }
        let filter = TopicFilter::parse("a/+").unwrap();
        let mut page = Vec::new();
        let mut cursor = ScanCursor::after("a/1");
        assert_eq!(retained.list(filter, &mut cursor, 2, 0, &mut page), ScanEnd::More);
        let page: Vec<_> =
            page.iter().map(|i| (i.publication.message.topic(), i.modified_ms)).collect();
        assert_eq!(page, [("a/2", 2), ("a/3", 3)]);
    }

    #[test]
    fn a_long_topic_is_found_too() {
        let retained = Retained::new(&Limits::open());
        for bytes in [190, 191, 192, 193, 65_535] {
            let topic = format!("{}/x", "l".repeat(bytes - 2));
            set(&retained, &topic, 1);
            assert!(retained.get(&topic, 0).is_some(), "{bytes}");
            assert_eq!(all(&retained, &topic, 5, 0), [topic]);
        }
    }

    #[test]
    fn what_a_fact_replaces_need_not_be_kept() {
        let retained = Retained::new(&Limits::open());
        let put = |sequence: u64, payload: &[u8], deadline_ms: u64| {
            let message = Message::new("t", &[], payload, QoS::AtLeastOnce, true);
            let p = Arc::new(Publication { deadline_ms, ..Publication::new(message) });
            p.settled_at(sequence);
            let settled = retained.settle(&p, 0);
            (settled.displaced, settled.gone)
        };
        assert_eq!(put(3, b"", NEVER), (Some(3), None), "nothing to remove: nor is the removal");
        assert_eq!(put(5, b"x", NEVER), (None, None));
        assert_eq!(put(7, b"y", NEVER), (Some(5), None));
        let gone = Gone { oldest: 5, at: 9 };
        assert_eq!(put(9, b"", NEVER), (Some(7), Some(gone)), "the removal outlives both");
        assert_eq!(put(11, b"z", NEVER), (None, None));
        assert_eq!(put(12, b"z", 100), (Some(11), None));
        let mut ended = Vec::new();
        assert_eq!(retained.expire(100, 10, |gone| ended.push(gone)), 1);
        assert_eq!(ended, [Gone { oldest: 11, at: 12 }], "so does what has expired");
        assert_eq!(retained.order(), 6);
    }

    #[test]
    fn what_an_earlier_run_had_is_as_if_it_had_come_now() {
        let restored = |n: u64| {
            let deadline_ms = if n.is_multiple_of(4) { 100 + n } else { NEVER };
            // Each topic once, in no order.
            let (p, _) = publication(&format!("a/{}/b", n * 37 % 1_000), "x", 0, deadline_ms);
            p.settled_at(n + 10);
            (p, n + 5)
        };
        for known in [0, 400] {
            let retained = Retained::new(&Limits::open());
            // Those that are there already stay, or give way.
            (0..known).for_each(|n| set(&retained, &format!("a/{n}/b"), 1));
            retained.restore((0..1_000).map(restored), 7);
            assert_eq!(retained.order(), known + 1, "one change");
            let bytes: usize = (0..1_000).map(|n| restored(n).0.bytes()).sum();
            assert_eq!(retained.counts(), RetainedCounts { messages: 1_000, bytes });
            assert_eq!(all(&retained, "a/+/b", 64, 0).len(), 1_000);
            let item = retained.get_item("a/37/b", 0).unwrap();
            let told = (item.sequence, item.oldest, item.order, item.modified_ms);
            assert_eq!(told, (11, 6, known + 1, 7));
            let (new, _) = publication("a/37/b", "y", 0, NEVER);
            new.settled_at(2_000);
            let settled = Settled { order: known + 2, displaced: Some(11), gone: None };
            assert_eq!(retained.settle(&new, 8), settled);
            assert_eq!(
                retained.get_item("a/37/b", 0).map(|i| (i.sequence, i.oldest)),
                Some((2_000, 6))
            );
            let mut gone = Vec::new();
            assert_eq!(retained.expire(104, 10, |one| gone.push(one)), 2);
            assert_eq!(gone, [Gone { oldest: 5, at: 10 }, Gone { oldest: 9, at: 14 }]);
            assert_eq!(retained.expire(NEVER - 1, 10_000, drop), 248);
            assert_eq!(retained.counts().messages, 750);
        }
    }
}
