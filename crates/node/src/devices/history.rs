//! What is remembered of changes of twins. Refuses to know how a change is decided.

use super::Devices;
use super::known::Known;
use crate::shard::Shard;
use broker::budget::{Charge, Level};
use hub::errors::Refusal;
use hub::identity::{IdentityId, not_found};
use hub::registry::Ids;
use hub::twin::{History, Record};

/// The history of one twin, with its bytes in the budget.
pub(crate) struct Remembered {
    history: History,
    #[expect(dead_code, reason = "it counts by being there")]
    charge: Charge,
}

impl Shard {
    /// Remembers a change that is a fact. Where all histories together have their bytes, or memory
    /// is short, it takes the place of older ones of its twin, or is not remembered.
    pub(super) fn remember_change(&mut self, id: &IdentityId, record: Record) {
        let Some(bounds) = self.devices.hub.as_ref().map(|hub| hub.twin_history) else { return };
        if bounds.changes_max == 0 {
            return;
        }
        let all_max = match self.homes.meter.level() {
            Level::Normal => bounds.bytes_max / self.posts.len().max(1),
            _ => 0,
        };
        let Devices { known, history_bytes, .. } = &mut self.devices;
        let Some((_, known)) = known.get_mut(Ids::from(id)) else { return };
        let Some(twin) = &known.twin else { return };
        let before = known.heard.get_or_insert_default().history.take();
        let mut history = before.map(|it| it.history).unwrap_or_default();
        *history_bytes -= history.bytes();
        let bytes_max = all_max.saturating_sub(*history_bytes).min(BYTES_MAX);
        history.push(record, &twin.twin, (bounds.changes_max, bytes_max));
        *history_bytes += history.bytes();
        let charge = self.homes.meter.charge(history.bytes());
        known.heard.get_or_insert_default().history =
            Some(Box::new(Remembered { history, charge }));
    }

    /// The last changes of a twin, as JSON.
    pub(super) fn twin_history(&self, id: &IdentityId) -> Result<Vec<u8>, Refusal> {
        let (_, known) = self.devices.known.get(Ids::from(id)).ok_or_else(|| not_found(id))?;
        let mut json = Vec::new();
        match known.history() {
            Some(remembered) => remembered.history.write_json(&mut json),
            None => History::default().write_json(&mut json),
        }
        Ok(json)
    }
}

impl Devices {
    /// An identity has ended, and what was remembered of it.
    pub(super) fn forget_history(&mut self, known: &Known) {
        self.history_bytes -= known.history().map_or(0, |it| it.history.bytes());
    }
}

/// Of one twin.
const BYTES_MAX: usize = 64 << 10;
