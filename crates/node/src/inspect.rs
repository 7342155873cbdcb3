//! What an operator may see of a session: every bound and how full it is.

use std::sync::Arc;

/// A session in a list.
#[derive(Debug, Clone)]
pub struct SessionSummary {
    /// Client identifier.
    pub client_id: String,
    /// Principal.
    pub name: Arc<str>,
    /// Whether it has a connection.
    pub connected: bool,
    /// Whether the log keeps it.
    pub durable: bool,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Messages that wait.
    pub queued_messages: usize,
}

/// One session in full.
#[derive(Debug, Clone)]
pub struct SessionDetail {
    /// As in a list.
    pub summary: SessionSummary,
    /// "3.1.1" or "5".
    pub protocol: &'static str,
    /// The reactor that is its home.
    pub home: usize,
    /// Session expiry interval in seconds; `u32::MAX` = never.
    pub expiry_s: u32,
    /// Seconds until a detached session ends.
    pub expires_in_s: Option<u64>,
    /// Keep alive in seconds, 0 = off; of a connected session.
    pub keep_alive_s: u16,
    /// Sent and not acknowledged.
    pub inflight_out: u16,
    /// Its bound: the client's Receive Maximum and our own.
    pub inflight_out_max: u16,
    /// QoS 2 received and not released.
    pub inflight_in: usize,
    /// Bytes that wait in the queue.
    pub queued_bytes: usize,
    /// The queue's bounds.
    pub queue_messages_max: usize,
    /// The queue's bounds.
    pub queue_bytes_max: usize,
    /// Messages this session lost.
    pub dropped: u64,
    /// The same by reason, as in metrics; only those that there are.
    pub dropped_by: Vec<(&'static str, u64)>,
    /// Seconds since it does not keep up: since its first loss at a bound.
    pub stalled_for_s: Option<u64>,
    /// Why its publishes are not read now: `log`, `fanout`, `post`.
    pub paused_by: Vec<&'static str>,
    /// Seconds since they are not read.
    pub paused_for_s: Option<u64>,
    /// Of what was sent, messages that were written to the log again.
    pub inflight_carried: usize,
    /// Bytes of what was sent and is kept until it is acknowledged.
    pub inflight_bytes: usize,
    /// Topics behind aliases in bytes.
    pub alias_bytes: usize,
    /// Its bound.
    pub alias_bytes_max: usize,
    /// Bytes that wait for the socket.
    pub output_bytes: usize,
    /// Its bound.
    pub output_bytes_max: usize,
    /// Filter and granted QoS of each subscription, shared ones last.
    pub filters: Vec<(String, u8)>,
    /// Topic of the will, if one is set.
    pub will_topic: Option<String>,
}
