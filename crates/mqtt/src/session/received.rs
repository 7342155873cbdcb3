//! The receiving side of QoS 2: which packet identifiers came with PUBLISH and wait for PUBREL.

use crate::packet_id::PacketId;
use std::collections::VecDeque;

/// Identifiers between PUBLISH and PUBREL (MQTT 5, 4.3.3). Held in arrival order: clients release
/// in that order (4.6.0-4), so the common look-up is the first entry.
#[derive(Debug, Default)]
#[expect(clippy::box_collection, reason = "a session without QoS 2 pays one word")]
pub struct Received(Option<Box<VecDeque<u16>>>);

impl Received {
    /// Whether this identifier waits for its PUBREL: a repeated PUBLISH with it is answered by
    /// PUBREC and not delivered again (4.3.3-10).
    pub fn contains(&self, id: PacketId) -> bool {
        self.0.as_ref().is_some_and(|ids| ids.contains(&id.get()))
    }

    /// Notes a PUBLISH that was accepted.
    pub fn insert(&mut self, id: PacketId) {
        self.0.get_or_insert_default().push_back(id.get());
    }

    /// Takes up identifiers of an earlier run, in the order of their arrival.
    pub fn restore(ids: impl IntoIterator<Item = PacketId>) -> Self {
        let mut all = Self::default();
        ids.into_iter().for_each(|id| all.insert(id));
        all
    }

    /// PUBREL: whether the identifier was waiting (4.3.3-11). The list is given back when empty.
    pub fn release(&mut self, id: PacketId) -> bool {
        let Some(ids) = self.0.as_mut() else { return false };
        let Some(at) = ids.iter().position(|held| *held == id.get()) else { return false };
        ids.remove(at);
        if ids.is_empty() && ids.capacity() > IDLE_ENTRIES_MAX {
            self.0 = None;
        }
        true
    }

    /// How many wait: they count against the Receive Maximum that we announced (4.9).
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |ids| ids.len())
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A longer list is given back once it empties.
const IDLE_ENTRIES_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_held_until_it_is_released() {
        let id = |n| PacketId::new(n).unwrap();
        let mut r = Received::default();
        assert!(!r.release(id(1)));
        r.insert(id(1));
        r.insert(id(9));
        assert!(r.contains(id(9)) && !r.contains(id(2)));
        assert!(r.release(id(9)) && !r.release(id(9)));
        assert_eq!(r.len(), 1);
    }
}
