//! The domain clock in the log: after a restart it goes on from no earlier, and whoever was
//! connected counts as lost since then (core.md 7).

use crate::journal::{Clock, Entry};
use crate::shard::Shard;
use crate::waiting::Completion;
use store::log::Need;
use store::op::Sequence;

/// What the log has of the clock.
#[derive(Default)]
pub(crate) struct Told {
    /// The record that says so.
    pub at: Option<Sequence>,
}

impl Shard {
    /// Tells the log how late it is, if anything has become a fact since it was told, or a key has
    /// ended: its record is kept until the log knows that.
    pub(crate) fn keep_clock(&mut self) {
        let wall_ms = self.homes.now.wall_ms;
        let told = self.clock.at == Some(Sequence(self.heard.up_to));
        if self.homes.me != 0 || (told && !self.keys.has_ended(wall_ms)) {
            return;
        }
        let entry = Entry::Clock(Clock { wall_ms });
        self.perform.write(&entry, Completion::Clock);
    }

    /// The log knows it.
    pub(crate) fn clock_kept(&mut self, at: Sequence) {
        if let Some(before) = self.clock.at.replace(at) {
            self.perform.need(Need::Release(before));
        }
    }
}
