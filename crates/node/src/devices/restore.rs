//! Devices of an earlier run, as the log has them.

use super::known::{Heard, KeptTwin, Known};
use crate::shard::Shard;
use hub::registry::Found;

impl Shard {
    /// Takes in the devices at home here: before the first turn.
    pub fn restore_devices(&mut self, found: impl IntoIterator<Item = Found>) {
        for Found { identity, at, first, twin, commands } in found {
            if let Some(hub) = &self.devices.hub {
                hub.count();
            }
            self.await_device(&identity, commands.as_ref().and_then(|queue| queue.deadline()));
            let twin = twin.map(|twin| Box::new(KeptTwin::from(*twin)));
            let heard =
                commands.map(|queue| Box::new(Heard { commands: Some(queue), ..Heard::default() }));
            self.devices.enter(identity, Known { at, first, twin, heard });
        }
    }
}
