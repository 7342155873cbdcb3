//! Devices of an earlier run, as the log has them.

use super::known::{KeptTwin, Known};
use crate::shard::Shard;
use hub::registry::Found;

impl Shard {
    /// Takes in the devices at home here: before the first turn.
    pub fn restore_devices(&mut self, found: impl IntoIterator<Item = Found>) {
        for Found { identity, at, first, twin } in found {
            if let Some(hub) = &self.devices.hub {
                hub.count();
            }
            let twin = twin.map(|twin| Box::new(KeptTwin::from(*twin)));
            self.devices.enter(identity, Known { at, first, twin, heard: None });
        }
    }
}
