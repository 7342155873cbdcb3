//! The answer to a publish from outside MQTT, and how many sessions it matched on all reactors.

use crate::door::{Published, Reply};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Answers a publish from outside MQTT, once every reactor has matched it if that is asked for.
pub(crate) struct Tally {
    /// Reactors that have not reported.
    left: AtomicU32,
    subscribers: AtomicU32,
    pub counting: Counting,
    reply: Mutex<Option<Reply<Published>>>,
}

/// Whether the answer says how many sessions it matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counting {
    Yes,
    No,
}

impl Tally {
    /// One reactor reports; [`also`](Self::also) adds others.
    pub fn new(reply: Reply<Published>, counting: Counting) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicU32::new(1),
            subscribers: AtomicU32::new(0),
            counting,
            reply: Mutex::new(Some(reply)),
        })
    }

    /// So many reactors more report. Goes before any of them can, and before the first one does.
    pub fn also(&self, reactors: u32) {
        self.left.fetch_add(reactors, Ordering::Relaxed);
    }

    /// A reactor has matched it to so many sessions that will acknowledge it.
    pub fn routed(&self, subscribers: u32) {
        self.subscribers.fetch_add(subscribers, Ordering::Relaxed);
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.accepted(0);
        }
    }

    /// Answers.
    pub fn accepted(&self, sequence: u64) {
        let subscribers = self.subscribers.load(Ordering::Acquire);
        self.answer(Published::Accepted { sequence, subscribers });
    }

    /// Answers; whoever comes later is not heard.
    pub fn answer(&self, published: Published) {
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reply) = reply {
            reply(published);
        }
    }
}
