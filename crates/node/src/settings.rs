//! What a shard is made of.

use crate::counters::Counters;
use crate::devices::Hub;
use crate::journal::SessionId;
use crate::keys::KeyRecords;
use crate::record::Record;
use broker::access::{Authorizer, SessionQuota};
use broker::budget::Budget;
use broker::limits::Limits;
use broker::rate::SharedBucket;
use broker::retained::Retained;
use broker::subscription::Interest;
use engine::Engine;
use std::sync::Arc;
use store::op::{NamespaceId, Sequence};

/// What a shard is made of. Shared parts are the same for all reactors of a process.
pub struct Settings {
    /// This reactor's number.
    pub reactor: usize,
    /// How many there are; at most 64.
    pub reactors: usize,
    /// Bounds and profile.
    pub limits: Arc<Limits>,
    /// How many sessions each name has.
    pub quota: Arc<SessionQuota>,
    /// The memory of the process.
    pub budget: Arc<Budget>,
    /// How many CONNECT came lately.
    pub connects: Arc<SharedBucket>,
    /// Who may publish and subscribe.
    pub authorizer: Authorizer,
    /// Which reactor wants which topics.
    pub interest: Arc<Interest>,
    /// Retained messages.
    pub retained: Arc<Retained>,
    /// Which records of the log carry keys.
    pub keys: Arc<KeyRecords>,
    /// What makes facts of its records.
    pub engine: Engine<Record>,
    /// The last record of the log at start; the same for all reactors.
    pub log_end: Sequence,
    /// The record that tells how late it was, for reactor 0.
    pub clock_record: Option<Sequence>,
    /// Above every session that the log knows; the same for all reactors.
    pub first_session: SessionId,
    /// The namespace.
    pub namespace: NamespaceId,
    /// The hub, where there is one.
    pub hub: Option<Arc<Hub>>,
    /// This reactor's counters.
    pub counters: Arc<Counters>,
    /// Seed of assigned client identifiers: random in production, fixed in simulation.
    pub seed: [u64; 2],
}
