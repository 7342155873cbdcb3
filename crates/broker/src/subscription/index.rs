//! The subscriptions of one reactor's sessions.
//!
//! Owns each filter's text once, who receives it, and the generations by which a cached match is
//! known to be stale. One thread; does no IO. Refuses to know permissions, queues and groups.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use mqtt::topic::TopicFilter;

use super::receivers::{Receiver, Receivers, Removed, SessionRef};
use super::shard::{FilterShard, SHARDS, Shard, Stamp};
use super::slab::Slab;
use super::tree::Tree;

/// All subscriptions of one reactor.
pub struct Index {
    filters: Slab<Filter>,
    /// Filters without wildcard, by text.
    exact: HashTable<u32>,
    /// Filters with wildcards; the value is the filter's number.
    tree: Tree,
    shards: Box<[u64; SHARDS]>,
    wildcard_shard: u64,
    subscriptions: usize,
    hasher: RandomState,
}

/// A filter of one [`Index`]. Valid while at least one session subscribes to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct FilterId(u32);

/// What [`Index::subscribe`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subscribed {
    /// The filter's number, for the session's own list.
    pub filter_id: FilterId,
    /// Whether the session had this filter already (MQTT 5, 3.8.4-3).
    pub is_new: Subscription,
    /// Whether this reactor had nobody on this filter before: tell [`super::Interest`].
    pub first_for_filter: bool,
}

/// Whether a subscription was there before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subscription {
    /// It was not.
    New,
    /// It was, and the new options replaced the old ones.
    Replaced,
}

/// What [`Index::unsubscribe`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unsubscribed {
    /// The filter's number; no longer valid when `last_for_filter`.
    pub filter_id: FilterId,
    /// Whether nobody of this reactor is left on the filter: tell [`super::Interest`].
    pub last_for_filter: bool,
}

struct Filter {
    text: Arc<str>,
    receivers: Receivers,
}

impl Default for Index {
    fn default() -> Self {
        Self::new()
    }
}

impl Index {
    /// An index without subscriptions.
    pub fn new() -> Self {
        Self {
            filters: Slab::new(),
            exact: HashTable::new(),
            tree: Tree::new(),
            shards: Box::new([0; SHARDS]),
            wildcard_shard: 0,
            subscriptions: 0,
            hasher: RandomState::default(),
        }
    }

    /// So many filters come at once, most of them without wildcard.
    pub fn reserve(&mut self, filters: usize) {
        let (known, hasher) = (&self.filters, &self.hasher);
        self.exact.reserve(filters, |&id| hasher.hash_one(known.get(id).map_or("", |f| &f.text)));
    }

    /// Adds the receiver's subscription, or replaces its options when the session has the filter
    /// already (MQTT 5, 3.8.4-3). `filter` is without `$share/{name}/`.
    pub fn subscribe(&mut self, filter: TopicFilter<'_>, receiver: Receiver) -> Subscribed {
        self.subscribe_as(filter, || filter.as_str().into(), receiver)
    }

    /// As [`Index::subscribe`], with the text of the filter, which is kept if it is new here.
    pub fn subscribe_as(
        &mut self,
        filter: TopicFilter<'_>,
        text: impl FnOnce() -> Arc<str>,
        receiver: Receiver,
    ) -> Subscribed {
        self.bump(filter.as_str());
        let Some(id) = self.find(filter) else {
            let receivers = Receivers::One(receiver);
            let id = self.filters.insert(Filter { text: text(), receivers });
            self.enter(filter, id);
            self.subscriptions += 1;
            let filter_id = FilterId(id);
            return Subscribed { filter_id, is_new: Subscription::New, first_for_filter: true };
        };
        let filter = self.filters.get_mut(id).expect("found filters exist");
        let is_new = match filter.receivers.insert(receiver, &self.hasher) {
            Some(_) => Subscription::Replaced,
            None => {
                self.subscriptions += 1;
                Subscription::New
            }
        };
        Subscribed { filter_id: FilterId(id), is_new, first_for_filter: false }
    }

    /// Removes the session's subscription to exactly this filter (MQTT 5, 3.10.4-1). `None` if
    /// there was none.
    pub fn unsubscribe(
        &mut self,
        filter: TopicFilter<'_>,
        session: SessionRef,
    ) -> Option<Unsubscribed> {
        let id = self.find(filter)?;
        self.unsubscribe_by_id(FilterId(id), session)
    }

    /// Removes the session's subscription to this filter. `None` if there was none. When
    /// `last_for_filter`, the text is gone: read [`Index::filter`] before, or use
    /// [`Index::unsubscribe_with`].
    pub fn unsubscribe_by_id(&mut self, id: FilterId, session: SessionRef) -> Option<Unsubscribed> {
        self.unsubscribe_with(id, session, |_| ())
    }

    /// As [`Index::unsubscribe_by_id`]; calls `last` with the filter's text when nobody of this
    /// reactor is left on it, so that the caller can tell [`super::Interest`] without a copy.
    pub fn unsubscribe_with(
        &mut self,
        id: FilterId,
        session: SessionRef,
        last: impl FnOnce(&str),
    ) -> Option<Unsubscribed> {
        let last_for_filter = {
            let filter = self.filters.get_mut(id.0)?;
            match filter.receivers.remove(session, &self.hasher) {
                Removed::Absent => return None,
                Removed::Remaining => false,
                Removed::Last => true,
            }
        };
        self.subscriptions -= 1;
        if last_for_filter {
            let text = self.forget(id.0);
            self.bump(&text);
            last(&text);
        } else {
            self.bump_id(id);
        }
        Some(Unsubscribed { filter_id: id, last_for_filter })
    }

    /// The filter's text, to be kept elsewhere too: the one that is kept here, or a new one.
    pub fn text(&self, filter: TopicFilter<'_>) -> Arc<str> {
        let known = self.find(filter).and_then(|id| self.filters.get(id));
        known.map_or_else(|| filter.as_str().into(), |known| Arc::clone(&known.text))
    }

    /// The filter's number, if anybody subscribes to exactly it.
    pub fn filter_id(&self, filter: TopicFilter<'_>) -> Option<FilterId> {
        self.find(filter).map(FilterId)
    }

    /// The filter's text; empty for a number that is no longer valid.
    pub fn filter(&self, id: FilterId) -> &str {
        self.filters.get(id.0).map_or("", |f| &f.text)
    }

    /// The session's subscription to this filter.
    pub fn get(&self, id: FilterId, session: SessionRef) -> Option<&Receiver> {
        self.filters.get(id.0)?.receivers.get(session, &self.hasher)
    }

    /// As [`Index::get`], to change it; cached matches of the filter become stale. The session in
    /// it must not be changed.
    pub fn get_mut(&mut self, id: FilterId, session: SessionRef) -> Option<&mut Receiver> {
        self.bump_id(id);
        self.filters.get_mut(id.0)?.receivers.get_mut(session, &self.hasher)
    }

    /// All receivers of one filter, in no particular order; empty for a number that is no longer
    /// valid. Lets a fan-out proceed in chunks.
    pub fn receivers(&self, id: FilterId) -> &[Receiver] {
        self.filters.get(id.0).map_or(&[], |f| f.receivers.as_slice())
    }

    /// Every subscription that matches `topic`, one call for each: a session with overlapping
    /// filters is called several times (MQTT 5, 3.3.4). Order is stable between changes.
    pub fn matches(&self, topic: &str, each: &mut impl FnMut(&Receiver)) {
        self.matching_filters(topic, &mut |id| self.receivers(id).iter().for_each(&mut *each));
    }

    /// Every filter that matches `topic`, once each.
    pub fn matching_filters(&self, topic: &str, each: &mut impl FnMut(FilterId)) {
        if let Some(id) = self.find_exact(topic) {
            each(FilterId(id));
        }
        self.tree.matches(topic, &mut |id| each(FilterId(id)));
    }

    /// The state of everything that may match `topic`: equal stamps, same matches.
    #[inline]
    pub fn stamp(&self, topic: &str) -> Stamp {
        self.stamp_of(Shard::of(topic))
    }

    /// As [`Index::stamp`] for a shard computed before.
    #[inline]
    pub fn stamp_of(&self, shard: Shard) -> Stamp {
        // Both only grow, so an equal sum means that neither has changed.
        Stamp(self.shards[shard.at()] + self.wildcard_shard)
    }

    /// Makes cached matches of this filter stale: something else that goes by the same stamp has
    /// changed.
    pub fn touch(&mut self, filter: &str) {
        self.bump(filter);
    }

    /// Number of distinct filters.
    pub fn filters(&self) -> usize {
        self.filters.len()
    }

    /// Number of subscriptions: pairs of session and filter.
    pub fn subscriptions(&self) -> usize {
        self.subscriptions
    }

    fn find(&self, filter: TopicFilter<'_>) -> Option<u32> {
        if filter.has_wildcard() {
            self.tree.get(filter.as_str())
        } else {
            self.find_exact(filter.as_str())
        }
    }

    #[inline]
    fn find_exact(&self, text: &str) -> Option<u32> {
        let same = |&id: &u32| self.filters.get(id).is_some_and(|f| *f.text == *text);
        self.exact.find(self.hasher.hash_one(text), same).copied()
    }

    fn enter(&mut self, filter: TopicFilter<'_>, id: u32) {
        if filter.has_wildcard() {
            self.tree.insert(filter.as_str(), id);
            return;
        }
        let hash = self.hasher.hash_one(filter.as_str());
        let (filters, hasher) = (&self.filters, &self.hasher);
        self.exact.insert_unique(hash, id, |&id| {
            hasher.hash_one(filters.get(id).map_or("", |f| &f.text))
        });
    }

    fn forget(&mut self, id: u32) -> Arc<str> {
        let text = self.filters.remove(id).expect("only existing filters are forgotten").text;
        let exact = self.exact.find_entry(self.hasher.hash_one(&*text), |&other| other == id);
        match exact {
            Ok(entry) => {
                entry.remove();
            }
            Err(_) => {
                self.tree.remove(&text);
            }
        }
        text
    }

    fn bump_id(&mut self, id: FilterId) {
        if let Some(filter) = self.filters.get(id.0) {
            match FilterShard::of(&filter.text) {
                FilterShard::Level(shard) => self.shards[shard.at()] += 1,
                FilterShard::Wildcard => self.wildcard_shard += 1,
            }
        }
    }

    fn bump(&mut self, text: &str) {
        match FilterShard::of(text) {
            FilterShard::Level(shard) => self.shards[shard.at()] += 1,
            FilterShard::Wildcard => self.wildcard_shard += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use crate::subscription::ReceiverOptions;
    use mqtt::qos::QoS;
    use std::collections::BTreeMap;

    fn receiver(slot: u32, subscription_id: u32) -> Receiver {
        let session = SessionRef { slot, generation: slot + 1 };
        let options = ReceiverOptions::new(QoS::AtLeastOnce, false, false);
        Receiver { session, options, subscription_id, since: 0 }
    }

    fn heard(index: &Index, topic: &str) -> Vec<(SessionRef, u32)> {
        let mut out = Vec::new();
        index.matches(topic, &mut |r| out.push((r.session, r.subscription_id)));
        out.sort_unstable();
        out
    }

    fn filter(text: &str) -> TopicFilter<'_> {
        TopicFilter::parse(text).unwrap()
    }

    #[test]
    fn subscribing_again_replaces_and_the_last_one_out_is_told() {
        let mut index = Index::new();
        for text in ["a/b", "a/+"] {
            let first = index.subscribe(filter(text), receiver(1, 7));
            assert!(first.first_for_filter && first.is_new == Subscription::New);
            let again = index.subscribe(filter(text), receiver(1, 8));
            assert!(!again.first_for_filter && again.is_new == Subscription::Replaced);
            assert_eq!(again.filter_id, first.filter_id);
            let other = index.subscribe(filter(text), receiver(2, 0));
            assert!(!other.first_for_filter && other.is_new == Subscription::New);
            let id = first.filter_id;
            assert_eq!((index.filter(id), index.receivers(id).len()), (text, 2));
            let session = receiver(1, 0).session;
            assert_eq!(index.get(id, session).map(|r| r.subscription_id), Some(8));
            index.get_mut(id, session).unwrap().since = 5;
            assert_eq!(index.get(id, session).map(|r| r.since), Some(5));
            let gone = index.unsubscribe(filter(text), session).unwrap();
            assert!(!gone.last_for_filter);
            assert_eq!(index.unsubscribe(filter(text), session), None);
            let mut told = String::new();
            let session = receiver(2, 0).session;
            let gone = index.unsubscribe_with(id, session, |text| told.push_str(text)).unwrap();
            assert!(gone.last_for_filter);
            assert_eq!(told, text);
            assert_eq!(index.filter(id), "");
            assert_eq!(index.unsubscribe_by_id(id, session), None);
            assert_eq!(index.filter_id(filter(text)), None);
        }
        assert_eq!((index.filters(), index.subscriptions()), (0, 0));
        assert!(index.exact.is_empty() && index.tree.is_empty());
    }

    #[test]
    fn stamps_change_for_what_may_match_and_only_for_that() {
        // (filter, topics that must notice, topics that should not).
        let rows: [(&str, &[&str], &[&str]); 4] = [
            ("a/b", &["a/b"], &["b/a"]),
            ("a/#", &["a", "a/x"], &["b"]),
            ("+/x", &["a/x", "b/x"], &[]),
            ("#", &["a", "b/c"], &[]),
        ];
        let (one, two) = (receiver(1, 0), receiver(2, 0));
        type Change<'a> = &'a dyn Fn(&mut Index, TopicFilter<'_>);
        let changes: [Change<'_>; 6] = [
            &|index, f| assert!(index.subscribe(f, one).first_for_filter),
            &|index, f| assert!(index.subscribe(f, one).is_new == Subscription::Replaced),
            &|index, f| assert!(!index.subscribe(f, two).first_for_filter),
            &|index, f| {
                let id = index.filter_id(f).unwrap();
                index.get_mut(id, one.session).unwrap().since = 1;
            },
            &|index, f| assert!(!index.unsubscribe(f, one.session).unwrap().last_for_filter),
            &|index, f| assert!(index.unsubscribe(f, two.session).unwrap().last_for_filter),
        ];
        let mut index = Index::new();
        for (text, noticing, others) in rows {
            for (n, change) in changes.iter().enumerate() {
                let stamps = |index: &Index, topics: &[&str]| -> Vec<Stamp> {
                    topics.iter().map(|t| index.stamp(t)).collect()
                };
                let before = (stamps(&index, noticing), stamps(&index, others));
                change(&mut index, filter(text));
                let after = (stamps(&index, noticing), stamps(&index, others));
                let noticed = before.0.iter().zip(&after.0).all(|(b, a)| b != a);
                assert!(noticed, "{text}, change {n}");
                assert_eq!(before.1, after.1, "{text}, change {n}");
            }
        }
    }

    #[test]
    fn a_crowd_joins_and_leaves_without_a_search() {
        // With a search for each this would take minutes.
        let mut index = Index::new();
        for slot in 0..300_000 {
            index.subscribe(filter("a/+"), receiver(slot, 0));
        }
        let id = index.filter_id(filter("a/+")).unwrap();
        assert_eq!((index.receivers(id).len(), index.filters()), (300_000, 1));
        for slot in 0..300_000 {
            let gone = index.unsubscribe_by_id(id, receiver(slot, 0).session).unwrap();
            assert_eq!(gone.last_for_filter, slot == 299_999);
        }
        assert_eq!(index.subscriptions(), 0);
    }

    /// What the index should do, in the simplest form: all pairs, compared one by one.
    type Naive = BTreeMap<(String, u32), u32>;

    fn expected(naive: &Naive, topic: &str) -> Vec<(SessionRef, u32)> {
        let hits = naive.iter().filter(|((text, _), _)| filter(text).matches(topic));
        let mut all: Vec<_> = hits.map(|((_, s), id)| (receiver(*s, 0).session, *id)).collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn a_hundred_thousand_steps_agree_with_the_naive_index() {
        let mut chance = Chance::new(1);
        let (mut index, mut naive) = (Index::new(), Naive::new());
        let mut cached: BTreeMap<String, (Stamp, Vec<(SessionRef, u32)>)> = BTreeMap::new();
        for step in 0..100_000u32 {
            // Waves of growth and decline, so that filters empty and crowds shrink.
            let growing = step / 5_000 % 2 == 0;
            let text = if chance.below(10) == 0 { chance.topic() } else { chance.filter() };
            let slot = u32::try_from(chance.below(40)).unwrap();
            if chance.below(10) < if growing { 7 } else { 2 } {
                let first = !naive.keys().any(|(other, _)| *other == text);
                let old = naive.insert((text.clone(), slot), step);
                let done = index.subscribe(filter(&text), receiver(slot, step));
                assert_eq!(done.first_for_filter, first, "step {step} {text}");
                assert_eq!(done.is_new == Subscription::New, old.is_none(), "step {step} {text}");
                assert_eq!(index.filter(done.filter_id), text);
            } else {
                let old = naive.remove(&(text.clone(), slot));
                let done = index.unsubscribe(filter(&text), receiver(slot, 0).session);
                assert_eq!(done.is_some(), old.is_some(), "step {step} {text}");
                if let Some(done) = done {
                    let left = naive.keys().any(|(other, _)| *other == text);
                    assert_eq!(done.last_for_filter, !left, "step {step} {text}");
                }
            }
            if step % 20 == 0 {
                let topic = chance.topic();
                let now = heard(&index, &topic);
                assert_eq!(now, expected(&naive, &topic), "step {step} {topic}");
                let stamp = index.stamp(&topic);
                if let Some((then, before)) = cached.insert(topic.clone(), (stamp, now.clone())) {
                    assert!(
                        then != stamp || before == now,
                        "step {step}: a stale match of {topic}"
                    );
                }
            }
        }
        assert_eq!(index.subscriptions(), naive.len());
        for (text, slot) in naive.into_keys() {
            index.unsubscribe(filter(&text), receiver(slot, 0).session).unwrap();
        }
        assert_eq!((index.filters(), index.subscriptions()), (0, 0));
        assert!(index.exact.is_empty() && index.tree.is_empty(), "nothing is left behind");
    }
}
