//! One retained message as it is stored, and what became of one that was to be. Plain data.

use crate::publication::Publication;
use std::fmt;
use std::sync::Arc;

/// A retained message and when it was stored.
#[derive(Clone, Debug)]
pub struct RetainedItem {
    /// The message.
    pub publication: Arc<Publication>,
    /// Its place in the log; 0 = not in the log.
    pub sequence: u64,
    /// The first record of its topic that the log may still have; 0 = not in the log.
    pub oldest: u64,
    /// The number of the change that stored it, see [`Retained::order`](super::Retained::order).
    pub order: u64,
    /// Domain wall time of the last change in ms.
    pub modified_ms: u64,
}

/// What one record of the log has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settled {
    /// The number of the change, see [`Retained::order`](super::Retained::order).
    pub order: u64,
    /// A record that is not needed any more.
    pub displaced: Option<u64>,
    /// The topic has no message any more.
    pub gone: Option<Gone>,
}

/// A topic without message whose former ones may still be in the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone {
    /// The first of them.
    pub oldest: u64,
    /// The record that says that it is gone: a removal, or a message that has expired.
    pub at: u64,
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
        /// [`Limits::retained_bytes_max`](crate::limits::Limits::retained_bytes_max).
        bytes_max: usize,
    },
    /// There is no room for one more message.
    TooManyMessages {
        /// [`Limits::retained_messages_max`](crate::limits::Limits::retained_messages_max).
        messages_max: usize,
    },
    /// There is no room for so many more bytes.
    TooManyBytes {
        /// [`Limits::retained_total_bytes_max`](crate::limits::Limits::retained_total_bytes_max).
        total_bytes_max: usize,
    },
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
