//! The retained message of every topic (MQTT 5, 3.3.1.3).
//!
//! Owns which publication a new subscriber gets first, how many there are and how much they weigh.
//! Shared by all reactors and HTTP. Refuses to know subscriptions, permissions and files.

mod scan;
mod tombstones;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use mqtt::topic::TopicFilter;

use crate::limits::Limits;
use crate::publication::{NEVER, Publication};
use scan::{Key, TopicKey};
use tombstones::Tombstones;

pub use scan::{ScanCursor, ScanEnd};

/// The retained messages of one namespace. Every method may be called from every thread; none
/// holds a lock longer than its own chunk of work.
pub struct Retained {
    message_bytes_max: usize,
    messages_max: usize,
    total_bytes_max: usize,
    /// Highest sequence applied.
    sequence: AtomicU64,
    state: RwLock<State>,
}

/// A retained message and when it was stored.
#[derive(Clone, Debug)]
pub struct RetainedItem {
    /// The message.
    pub publication: Arc<Publication>,
    /// Domain wall time of the last change in ms.
    pub modified_ms: u64,
}

/// How many retained messages there are and what they weigh, expired ones that nobody has swept
/// yet included.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RetainedCounts {
    /// Messages.
    pub messages: usize,
    /// Topics, properties and payloads in bytes.
    pub bytes: usize,
}

/// Why a message is not retained. Answered with 0x97 or HTTP 413 and 429.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetainedFull {
    /// This message's payload is larger than a retained one may be.
    MessageTooLarge {
        /// Bytes of its payload.
        bytes: usize,
        /// [`Limits::retained_bytes_max`].
        bytes_max: usize,
    },
    /// There is no room for one more message.
    TooManyMessages {
        /// [`Limits::retained_messages_max`].
        messages_max: usize,
    },
    /// There is no room for so many more bytes.
    TooManyBytes {
        /// [`Limits::retained_total_bytes_max`].
        total_bytes_max: usize,
    },
}

#[derive(Default)]
struct State {
    messages: BTreeMap<Key, RetainedItem>,
    /// Those that expire, by deadline.
    deadlines: BTreeSet<(u64, Key)>,
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
            sequence: AtomicU64::new(0),
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
        let key = TopicKey::of(topic);
        let state = self.read();
        let old = state.messages.get(key.bytes()).map(|item| item.publication.bytes());
        self.check_room(&state, old, bytes)
    }

    /// Sets the topic's message, or removes it when the payload is empty (MQTT 5, 3.3.1-6,
    /// 3.3.1-7). `now_ms` becomes its time of last change: on replay the record's own time.
    ///
    /// Ignored when its `sequence` is older than what is there or was removed lately, so that
    /// reactors may apply in any order. A publication without a sequence (0) always counts as
    /// newer. One with a sequence is a fact in the log and is applied even above the bounds,
    /// which [`Retained::room_for`] kept by then up to what was under way at once.
    ///
    /// # Errors
    /// Which bound refuses a publication that is not in the log.
    pub fn apply(&self, p: &Arc<Publication>, now_ms: u64) -> Result<(), RetainedFull> {
        let key = TopicKey::of(p.message.topic());
        let mut state = self.write();
        self.sequence.fetch_max(p.sequence, Ordering::AcqRel);
        if state.is_newer_than(p.sequence, key.bytes()) {
            return Ok(());
        }
        if p.message.payload().is_empty() {
            state.remove(key.bytes());
            if p.sequence > 0 {
                state.removed.insert(key.owned(), p.sequence);
            }
            return Ok(());
        }
        if p.sequence == 0 {
            self.check_message(p.message.payload().len())?;
            let old = state.messages.get(key.bytes()).map(|item| item.publication.bytes());
            self.check_room(&state, old, p.bytes())?;
        }
        state.set(&key, RetainedItem { publication: Arc::clone(p), modified_ms: now_ms });
        Ok(())
    }

    /// The topic's message, unless it has expired.
    pub fn get(&self, topic: &str, now_ms: u64) -> Option<Arc<Publication>> {
        self.get_item(topic, now_ms).map(|item| item.publication)
    }

    /// As [`Retained::get`], with the time of the last change.
    pub fn get_item(&self, topic: &str, now_ms: u64) -> Option<RetainedItem> {
        let key = TopicKey::of(topic);
        let state = self.read();
        let item = state.messages.get(key.bytes())?;
        (!item.publication.expired(now_ms)).then(|| item.clone())
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
        let each = &mut |item: &RetainedItem| out.push(Arc::clone(&item.publication));
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
        let each = &mut |item: &RetainedItem| out.push(item.clone());
        scan::chunk(&self.read().messages, filter, after, limit, now_ms, each).end
    }

    /// The highest sequence applied; 0 = none.
    pub fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    /// How many messages and bytes are stored.
    pub fn counts(&self) -> RetainedCounts {
        let state = self.read();
        RetainedCounts { messages: state.messages.len(), bytes: state.bytes }
    }

    /// Removes at most `limit` messages whose deadline has come; returns how many. Fewer than
    /// `limit` = there are no more.
    pub fn expire(&self, now_ms: u64, limit: usize) -> usize {
        let mut state = self.write();
        for done in 0..limit {
            match state.deadlines.first() {
                Some((deadline_ms, _)) if *deadline_ms <= now_ms => {}
                _ => return done,
            }
            if let Some((_, key)) = state.deadlines.pop_first()
                && let Some(item) = state.remove(&key)
                && item.publication.sequence > 0
            {
                // What is older must not come back in its place either.
                state.removed.insert(key, item.publication.sequence);
            }
        }
        limit
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
    /// Whether something newer than `sequence` is already known of the topic.
    fn is_newer_than(&self, sequence: u64, key: &[u8]) -> bool {
        if sequence == 0 {
            return false;
        }
        let stored = self.messages.get(key).map_or(0, |item| item.publication.sequence);
        stored > sequence || self.removed.sequence_of(key) > sequence
    }

    fn set(&mut self, key: &TopicKey<'_>, item: RetainedItem) {
        let (bytes, deadline_ms) = (item.publication.bytes(), item.publication.deadline_ms);
        self.bytes += bytes;
        self.removed.forget(key.bytes());
        let key = match self.messages.get_mut(key.bytes()) {
            None => {
                let key = key.owned();
                self.messages.insert(Arc::clone(&key), item);
                if deadline_ms == NEVER {
                    return;
                }
                key
            }
            Some(place) => {
                let old = std::mem::replace(place, item).publication;
                self.bytes -= old.bytes();
                if old.deadline_ms == NEVER && deadline_ms == NEVER {
                    return;
                }
                let key = key.owned();
                self.deadlines.remove(&(old.deadline_ms, Arc::clone(&key)));
                key
            }
        };
        if deadline_ms != NEVER {
            self.deadlines.insert((deadline_ms, key));
        }
    }

    fn remove(&mut self, key: &[u8]) -> Option<RetainedItem> {
        let (key, item) = self.messages.remove_entry(key)?;
        self.bytes -= item.publication.bytes();
        if item.publication.deadline_ms != NEVER {
            self.deadlines.remove(&(item.publication.deadline_ms, key));
        }
        Some(item)
    }
}

impl fmt::Display for RetainedFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MessageTooLarge { bytes, bytes_max } => write!(
                f,
                "a retained message may have {bytes_max} bytes of payload, this one has {bytes}"
            ),
            Self::TooManyMessages { messages_max } => write!(
                f,
                "{messages_max} messages are retained, which is the limit; remove some by \
                 publishing an empty retained message to their topics"
            ),
            Self::TooManyBytes { total_bytes_max } => write!(
                f,
                "the retained messages would pass their limit of {total_bytes_max} bytes; remove \
                 some by publishing an empty retained message to their topics"
            ),
        }
    }
}

impl std::error::Error for RetainedFull {}
