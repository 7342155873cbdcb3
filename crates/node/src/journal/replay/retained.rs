//! The latest message of each topic, and which topics have none any more. Refuses to know limits
//! and expiry.

use super::super::message::Message;
use super::needs::Needs;
use broker::budget::Account;
use broker::publication::Publication;
use foldhash::fast::RandomState;
use hashbrown::hash_table::Entry;
use hashbrown::{HashSet, HashTable};
use std::hash::BuildHasher;
use std::sync::Arc;
use store::op::Sequence;

/// A retained message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRetained {
    /// With its topic.
    pub message: mqtt::message::Message,
    /// Domain wall milliseconds, as in [`Publication`].
    pub deadline_ms: u64,
    /// Its record.
    pub sequence: Sequence,
    /// The oldest message of the topic that may come back: what a removal speaks of.
    pub first: Sequence,
}

impl FoundRetained {
    /// As it was published, for [`Retained::restore`](broker::retained::Retained::restore).
    pub fn restored(self, account: &Arc<Account>) -> (Arc<Publication>, u64) {
        let Self { message, deadline_ms, sequence, first } = self;
        let mut publication = Publication { deadline_ms, ..Publication::new(message) };
        publication.settled_at(sequence.0);
        publication.charge_to(account);
        (Arc::new(publication), first.0)
    }
}

/// The latest message of each topic, removals included.
#[derive(Default)]
pub(super) struct Topics {
    /// By topic.
    by_name: HashTable<Place>,
    all: Vec<Topic>,
    /// Messages that were overtaken while somebody else needed them too: sequence, and place in
    /// `all`.
    overtaken: Vec<(Sequence, u32)>,
    hasher: RandomState,
}

/// What the removals of topics are.
#[derive(Default)]
pub(super) struct Removals {
    /// As in [`Found`](super::Found).
    pub tombstones: Vec<(Sequence, Sequence)>,
    /// As in [`Found`](super::Found).
    pub kept: Vec<Sequence>,
}

/// Where a topic is in `all`. Its hash is kept: a table that grows would look at every topic again.
struct Place {
    hash: u64,
    place: u32,
}

struct Topic {
    latest: mqtt::message::Message,
    deadline_ms: u64,
    sequence: Sequence,
    /// The first one that was no removal.
    first: Option<Sequence>,
}

impl Topics {
    pub fn take(&mut self, at: Sequence, message: &Message<'_>, needs: &mut Needs) {
        let Self { by_name, all, overtaken, hasher } = self;
        let name = message.content.topic.as_bytes();
        let first = (!message.content.payload.is_empty()).then_some(at);
        let (latest, deadline_ms) = (message.content.to_message(), message.deadline_ms);
        let topic = Topic { latest, deadline_ms, sequence: at, first };
        let hash = hasher.hash_one(name);
        let same = |known: &Place| {
            known.hash == hash && all[known.place as usize].latest.topic_bytes() == name
        };
        match by_name.entry(hash, same, |known| known.hash) {
            Entry::Occupied(place) => {
                let place = place.get().place;
                let known = &mut all[place as usize];
                if needs.is_shared(known.sequence) {
                    overtaken.push((known.sequence, place));
                }
                needs.let_go(known.sequence);
                *known = Topic { first: known.first.or(first), ..topic };
            }
            Entry::Vacant(free) => {
                // A log of 2^32 retained messages does not fit the memory they are found in.
                free.insert(Place { hash, place: all.len() as u32 });
                all.push(topic);
            }
        }
    }

    /// Those that have a payload, in the order in which their topics came; the others speak of
    /// what is gone, if there is anything. Comes behind everybody else who needs messages.
    pub fn finish(self, needs: &mut Needs) -> (Vec<FoundRetained>, Removals) {
        let (overtaken, places): (Vec<_>, Vec<_>) = self.overtaken.into_iter().unzip();
        let stale = needs.stale_among(&overtaken);
        let needed = places.iter().zip(stale).filter(|(_, stale)| !stale);
        let needed: HashSet<u32, RandomState> = needed.map(|(place, _)| *place).collect();
        let mut removals = Removals::default();
        let found = self.all.into_iter().zip(0..).filter_map(|(topic, place)| {
            let Topic { latest: message, deadline_ms, sequence, first } = topic;
            match first {
                Some(first) if !message.payload().is_empty() => {
                    return Some(FoundRetained { message, deadline_ms, sequence, first });
                }
                Some(_) if needed.contains(&place) || needs.is_shared(sequence) => {
                    removals.kept.push(sequence);
                }
                Some(first) => removals.tombstones.push((first, sequence)),
                None => needs.let_go(sequence),
            }
            None
        });
        (found.collect(), removals)
    }
}
