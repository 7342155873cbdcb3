//! How far endpoints have taken what goes to them: positions that last, kept on reactor 0. Refuses
//! to know how they take it.

use super::keeping::Kept;
use super::outlet::Outlet;
use crate::door::Reply;
use crate::journal::Entry;
use crate::shard::Shard;
use crate::waiting::Completion;
use hub::channel::{Entry as ChannelEntry, FoundOutlet, Outlet as Position};
use std::collections::BTreeMap;
use store::log::Need;
use store::op::Sequence;

/// An endpoint has everything up to a message, or gives it up. One at a time for each endpoint.
pub struct Taken {
    /// Which, by its place among [`Channel::outlets`](super::Channel::outlets).
    pub outlet: usize,
    /// The last of them.
    pub to: Sequence,
    /// How many since the last time.
    pub messages: u64,
    /// Told when that lasts, or why it does not.
    pub reply: Reply<Result<(), &'static str>>,
}

/// The record of each outlet, and what it says.
#[derive(Default)]
pub(crate) struct Positions(Vec<(Sequence, Sequence)>);

impl Shard {
    /// Takes in what the log has of outlets, by slot.
    pub(super) fn restore_outlets(&mut self, found: &BTreeMap<u8, FoundOutlet>) {
        let Some(hub) = &self.devices.hub else { return };
        // Where nothing is kept nothing is found.
        let of_slot = |outlet: &Outlet| found.get(&outlet.slot());
        let all = hub.channel.outlets().iter().filter_map(of_slot);
        self.channel.positions = Positions(all.map(|found| (found.at, found.after)).collect());
    }

    /// An endpoint has come further.
    pub(crate) fn outlet_taken(&mut self, taken: Taken) {
        let Some(hub) = self.devices.hub.clone() else { return };
        let Some(outlet) = hub.channel.outlets().get(taken.outlet) else { return };
        if !self.perform.keeps() {
            hub.channel.rings.release_outlet(taken.outlet, taken.to);
            outlet.taken(taken.to, taken.messages);
            return (taken.reply)(Ok(()));
        }
        let (slot, name) = (outlet.slot(), Some(outlet.name().clone()));
        let entry = ChannelEntry::Outlet(Position { slot, name, after: taken.to });
        self.perform.write(&Entry::Channel(entry), Completion::Channel(Box::new(taken.into())));
    }

    /// That has become a fact.
    pub(super) fn outlet_kept(&mut self, taken: Taken, at: Sequence) {
        let Taken { outlet: place, to, messages, reply } = taken;
        let Some(outlet) = self.devices.hub.as_ref().map(|hub| &hub.channel.outlets()[place])
        else {
            return;
        };
        outlet.taken(to, messages);
        if let Some(position) = self.channel.positions.0.get_mut(place) {
            let (before, from) = std::mem::replace(position, (at, to));
            self.perform.need(Need::Release(before));
            self.perform.need(Need::Advance { stream: outlet.stream(), from, to });
        }
        reply(Ok(()));
    }
}

impl From<Taken> for Kept {
    fn from(taken: Taken) -> Self {
        Self::Outlet(taken)
    }
}
