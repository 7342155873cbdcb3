//! What a reactor counts: plain stores by one writer, added up over the reactors when read.

use crate::link::PAUSES;
use mqtt::qos::QoS;
use mqtt::wire::Version;
use std::sync::atomic::{AtomicU64, Ordering};

/// The counters and gauges of one reactor. Only its own thread writes.
#[derive(Default)]
#[repr(align(128))]
pub struct Counters {
    sent: [Count; 6],
    received: [Count; 6],
    dropped: [Count; DROPS],
    /// CONNECT answered with success, by version (3.1.1, 5).
    pub connects: [Count; 2],
    /// CONNECT refused.
    pub connects_refused: Count,
    /// Connections that ended without DISCONNECT of the client.
    pub connections_lost: Count,
    /// Publishes that a principal was not allowed.
    pub publishes_denied: Count,
    /// Publishes refused at a bound or by a rule.
    pub publishes_refused: Count,
    /// Filters granted.
    pub subscribes: Count,
    /// Filters refused.
    pub subscribes_refused: Count,
    /// Filters removed.
    pub unsubscribes: Count,
    /// Connections closed because their bytes were wrong.
    pub protocol_errors: Count,
    /// Bytes from sockets.
    pub bytes_in: Count,
    /// Bytes to sockets.
    pub bytes_out: Count,
    /// Bytes of topics that were not sent because the client knew an alias.
    pub alias_bytes_saved: Count,
    /// Connections that were taken over.
    pub taken_over: Count,
    /// Sessions that ended by expiry.
    pub sessions_expired: Count,
    /// Publishers that were not read for a while, by cause (`Pause::ALL`).
    pub pauses: [Count; PAUSES],
    /// Gauge: publishers that are not read now, by cause.
    pub paused: [Count; PAUSES],
    /// Times a reactor found another one's post full.
    pub posts_filled: Count,
    /// Times the memory for data came to its mark.
    pub pressures: Count,
    /// CONNECT refused because they came too fast.
    pub connects_throttled: Count,
    /// Publishes of one connection that came too fast.
    pub publishes_throttled: Count,
    /// Times newcomers had to wait because too many connections had not sent their CONNECT.
    pub crowds: Count,
    /// Times a fault struck.
    pub faults: Count,
    /// Gauge: connections whose CONNECT has not come.
    pub openings: Count,
    /// Gauge: open connections.
    pub connections: Count,
    /// Gauge: sessions.
    pub sessions: Count,
    /// Gauge: subscriptions.
    pub subscriptions: Count,
    /// Messages under way for long that were written to the log again.
    pub carried: Count,
    /// Handed out messages that a member of a shared group gave back for another.
    pub shared_returned: Count,
    /// Gauge: shared groups.
    pub shared_groups: Count,
    /// Gauge: messages that wait in shared groups.
    pub shared_waiting: Count,
}

/// One number with one writer.
#[derive(Default)]
pub struct Count(AtomicU64);

/// Why a message did not reach a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// QoS 0 to a session without connection, or to a shared group of such sessions.
    Absent,
    /// QoS 0 to a connection whose output is full.
    OutputFull,
    /// The queue of the session or shared group was full.
    QueueFull,
    /// Its Message Expiry passed while it waited.
    Expired,
    /// Larger than the client's Maximum Packet Size.
    TooLarge,
    /// QoS 0 to another reactor whose post is full.
    PostFull,
    /// Its session or shared group ended while it waited.
    SessionEnded,
    /// The queues of all sessions together were full.
    NamespaceFull,
    /// A QoS 0 publish while the memory for data was nearly full.
    Memory,
    /// A QoS 0 publish of a connection that publishes too fast.
    Throttled,
    /// A publish that nobody waits for, which the disk has not taken.
    Storage,
    /// A message of a device, or an event, that no route takes.
    Unrouted,
    /// Such a message that is too large with what enrichments add.
    Enriched,
    /// What a fault has lost on purpose.
    Fault,
}

impl Loss {
    /// Every reason, in the order of its number.
    pub const ALL: [Self; DROPS] = [
        Self::Absent,
        Self::OutputFull,
        Self::QueueFull,
        Self::Expired,
        Self::TooLarge,
        Self::PostFull,
        Self::SessionEnded,
        Self::NamespaceFull,
        Self::Memory,
        Self::Throttled,
        Self::Storage,
        Self::Unrouted,
        Self::Enriched,
        Self::Fault,
    ];

    /// The label in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::OutputFull => "output_full",
            Self::QueueFull => "queue_full",
            Self::Expired => "expired",
            Self::TooLarge => "too_large",
            Self::PostFull => "post_full",
            Self::SessionEnded => "session_ended",
            Self::NamespaceFull => "namespace_full",
            Self::Memory => "memory",
            Self::Throttled => "throttled",
            Self::Storage => "storage",
            Self::Unrouted => "unrouted",
            Self::Enriched => "enriched",
            Self::Fault => "fault",
        }
    }
}

impl Count {
    /// Adds; only the owner calls this.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    /// Takes away from a gauge; only the owner calls this.
    #[inline]
    pub fn sub(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(n), Ordering::Relaxed);
    }

    /// Sets a gauge; only the owner calls this.
    #[inline]
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// The present value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    #[inline]
    pub(crate) fn sent(&self, version: Version, qos: QoS) {
        self.sent[place(version, qos)].add(1);
    }

    #[inline]
    pub(crate) fn received(&self, version: Version, qos: QoS) {
        self.received[place(version, qos)].add(1);
    }

    pub(crate) fn lose(&self, why: Loss) {
        self.lose_many(why, 1);
    }

    pub(crate) fn lose_many(&self, why: Loss, n: u64) {
        self.dropped[why as usize].add(n);
    }

    /// PUBLISH packets sent to clients of `version` at `qos`.
    pub fn sent_messages(&self, version: Version, qos: QoS) -> u64 {
        self.sent[place(version, qos)].get()
    }

    /// PUBLISH packets accepted from clients of `version` at `qos`.
    pub fn received_messages(&self, version: Version, qos: QoS) -> u64 {
        self.received[place(version, qos)].get()
    }

    /// Messages dropped for one reason.
    pub fn dropped(&self, why: Loss) -> u64 {
        self.dropped[why as usize].get()
    }
}

#[inline]
fn place(version: Version, qos: QoS) -> usize {
    usize::from(version == Version::V5) * 3 + usize::from(qos.bits())
}

const DROPS: usize = 14;
