//! Reactor 0 keeps the channel: old messages go, and the log knows how far it reaches back.

use super::groups::Committed;
use super::outlets::Taken;
use super::shared::Channel;
use crate::journal::Entry;
use crate::shard::Shard;
use crate::waiting::Completion;
use hub::channel::{Entry as ChannelEntry, Found};
use store::log::Need;
use store::op::Sequence;

/// A record of the channel itself that is on its way to the log.
pub(crate) enum Kept {
    /// How far it reaches back.
    State,
    /// The position of a group.
    Group(Committed),
    /// The position of an endpoint.
    Outlet(Taken),
}

impl Shard {
    /// Takes in what the log has of the channel: on reactor 0, before the first turn.
    pub fn restore_channel(&mut self, found: Found) {
        let Found { state, groups, outlets } = found;
        self.restore_outlets(&outlets);
        self.channel.state_at = state.map(|(_, at)| at);
        self.channel.restore(groups);
    }

    /// Lets old messages go, and tells the log what has changed.
    pub(crate) fn keep_channel(&mut self) {
        let Some(hub) = self.devices.hub.as_ref().filter(|_| self.homes.me == 0) else { return };
        let (channel, now_ms) = (&*hub.channel, self.homes.now.wall_ms);
        let settings = channel.settings();
        channel.looked_at();
        if !self.perform.keeps() {
            return channel.rings.retire(settings, now_ms);
        }
        let mut marks = channel.marks();
        let from = marks.floor();
        let gone = marks.retire(settings, now_ms);
        let news = if self.channel.is_telling { None } else { marks.take_news(settings) };
        drop(marks);
        if let Some(to) = gone {
            // Nothing was promised beyond: what a start finds again goes as before.
            for stream in Channel::streams(settings.partitions) {
                self.perform.need(Need::Advance { stream, from, to });
            }
            self.perform.flush_needs();
        }
        if let Some(state) = news {
            self.channel.is_telling = true;
            let entry = Entry::Channel(ChannelEntry::State(state));
            self.perform.write(&entry, Completion::Channel(Box::new(Kept::State)));
        }
    }

    /// A record of the channel has become a fact.
    pub(crate) fn channel_kept(&mut self, kept: Kept, at: Sequence) {
        match kept {
            Kept::State => {
                self.channel.is_telling = false;
                if let Some(before) = self.channel.state_at.replace(at) {
                    self.perform.need(Need::Release(before));
                }
            }
            Kept::Group(committed) => self.group_committed(committed, at),
            Kept::Outlet(taken) => self.outlet_kept(taken, at),
        }
    }

    /// The disk has not taken it.
    pub(crate) fn channel_not_kept(&mut self, kept: Kept, why: &'static str) {
        match kept {
            Kept::State => {
                self.channel.is_telling = false;
                if let Some(hub) = &self.devices.hub {
                    hub.channel.marks().not_told();
                }
            }
            Kept::Group(committed) => self.group_not_committed(committed, why),
            Kept::Outlet(taken) => (taken.reply)(Err(why)),
        }
    }
}
