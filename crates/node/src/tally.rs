//! The answer to a publish from outside MQTT, and how many sessions it matched on all reactors.

use crate::door::{Published, Reply};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Answers a publish from outside MQTT, once every reactor has matched it if that is asked for.
pub(crate) struct Tally {
    /// Reactors that have not reported.
    left: AtomicU32,
    subscribers: AtomicU32,
    pub counted: bool,
    reply: Mutex<Option<Reply<Published>>>,
}

impl Tally {
    /// `reactors` is how many report what they matched; `None` answers without waiting for them.
    pub fn new(reply: Reply<Published>, reactors: Option<u32>) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicU32::new(reactors.unwrap_or(0)),
            subscribers: AtomicU32::new(0),
            counted: reactors.is_some(),
            reply: Mutex::new(Some(reply)),
        })
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
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reply) = reply {
            let subscribers = self.subscribers.load(Ordering::Acquire);
            reply(Published::Accepted { sequence, subscribers });
        }
    }
}
