//! What clients know, whatever happens to the server.

use super::client::Got;
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use std::collections::{BTreeMap, BTreeSet};

/// By client and message.
#[derive(Default)]
pub struct Account {
    /// What a publisher has sent under each identifier.
    pub sent: BTreeMap<PacketId, Vec<u8>>,
    /// What it was promised.
    pub accepted: Vec<Vec<u8>>,
    /// Identifiers of QoS 2 that a client has taken and that were not released.
    pub held: BTreeMap<String, BTreeSet<PacketId>>,
    /// How often a message was taken as a new one.
    pub taken: BTreeMap<Vec<u8>, usize>,
    /// The same at QoS 2.
    pub taken_once: BTreeMap<Vec<u8>, usize>,
    /// How many messages were carried before the last start.
    pub carried: u64,
}

impl Account {
    pub fn take(&mut self, client: &str, got: &Got) {
        let held = self.held.entry(client.to_owned()).or_default();
        let is_new = got.qos < QoS::ExactlyOnce || held.insert(got.packet_id);
        if is_new && got.qos == QoS::ExactlyOnce {
            *self.taken_once.entry(got.payload.clone()).or_insert(0) += 1;
        }
        if is_new {
            *self.taken.entry(got.payload.clone()).or_insert(0) += 1;
        }
    }

    pub fn release(&mut self, client: &str, id: PacketId) {
        self.held.entry(client.to_owned()).or_default().remove(&id);
    }

    pub fn accept(&mut self, id: PacketId) {
        self.accepted.extend(self.sent.remove(&id));
    }
}
