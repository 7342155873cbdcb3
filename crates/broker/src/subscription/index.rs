//! The subscriptions of one reactor's sessions.
//!
//! Owns each filter's text once, who receives it, and the generations by which a cached match is
//! known to be stale. One thread; does no IO. Refuses to know permissions, queues and groups.

use std::hash::BuildHasher;

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
    text: Box<str>,
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

    /// Adds the receiver's subscription, or replaces its options when the session has the filter
    /// already (MQTT 5, 3.8.4-3). `filter` is without `$share/{name}/`.
    pub fn subscribe(&mut self, filter: TopicFilter<'_>, receiver: Receiver) -> Subscribed {
        let text = filter.as_str();
        self.bump(text);
        let Some(id) = self.find(filter) else {
            let receivers = Receivers::One(receiver);
            let id = self.filters.insert(Filter { text: text.into(), receivers });
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

    fn forget(&mut self, id: u32) -> Box<str> {
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
