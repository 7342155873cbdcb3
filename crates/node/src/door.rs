//! What comes to the one door from outside MQTT, and what it answers.

use crate::journal::{Publisher, Request};
use broker::access::{Denied, Principal};
use broker::publication::Watch;
use mqtt::qos::QoS;
use mqtt::reason::Reason;
use std::sync::Arc;

/// A publish by somebody without a connection: HTTP, the broker itself.
pub struct PublishRequest {
    /// Topic name, not yet checked.
    pub topic: String,
    /// The level.
    pub qos: QoS,
    /// Whether it replaces the topic's retained message.
    pub retain: bool,
    /// MQTT 5 property bytes without their length; no alias, no subscription identifier.
    pub properties: Vec<u8>,
    /// The payload.
    pub payload: Vec<u8>,
    /// Told of each acknowledged delivery.
    pub watch: Option<Arc<dyn Watch>>,
    /// By which a repeat is known after a restart too, where there is a log.
    pub key: Option<RequestKey>,
}

/// The `Idempotency-Key` of a publish. The door knows no repeats, it remembers the key with the
/// message: whoever asks finds it again at the next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// The key; keys of two principals never meet.
    pub key: Arc<str>,
    /// Which item of a batch.
    pub item: Option<u32>,
    /// How long a repeat is known from the time when it comes to the door; domain milliseconds.
    pub kept_ms: u64,
}

impl RequestKey {
    /// As the log has it: whose it is, and until when.
    pub(crate) fn of<'a>(&'a self, principal: &'a str, now_ms: u64) -> Publisher<'a> {
        let ends_at_ms = now_ms.saturating_add(self.kept_ms);
        let (key, item) = (&*self.key, self.item);
        Publisher::Request(Request { principal, key, item, ends_at_ms })
    }
}

/// What became of a [`PublishRequest`].
#[derive(Debug)]
pub enum Published {
    /// It is a fact: stored where it had to be and on its way.
    Accepted {
        /// Its place in the log, 0 if it needed none.
        sequence: u64,
        /// Sessions matched at QoS above 0, offline ones included; counted only under a watch.
        subscribers: u32,
    },
    /// This principal may not.
    Denied(Denied),
    /// A bound or a rule of the broker stands against it.
    Refused {
        /// As in PUBACK.
        reason: Reason,
        /// For the caller.
        why: &'static str,
    },
    /// The disk has not taken it: nobody gets it.
    Unstored {
        /// For the caller.
        why: &'static str,
    },
}

/// Takes the answer; called once, from a reactor: it must not block.
pub type Reply<T> = Box<dyn FnOnce(T) + Send>;

/// A publish with its principal and the way back.
pub struct Ingress {
    /// Whose permissions hold.
    pub principal: Arc<Principal>,
    /// What is published.
    pub request: PublishRequest,
    /// The way back.
    pub reply: Reply<Published>,
}
