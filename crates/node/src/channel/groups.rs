//! Consumer groups: how far each has come in each partition, as it says itself. Kept on reactor 0.
//! Refuses to know who reads.

use super::keeping::Kept;
use super::outlets::Positions;
use crate::door::Reply;
use crate::journal::Entry;
use crate::shard::Shard;
use crate::waiting::Completion;
use hub::channel::{Entry as ChannelEntry, FoundGroup, GROUPS_MAX, GroupName, GroupOffsets};
use hub::event::ConnectionSequence;
use std::collections::BTreeMap;
use store::log::Need;
use store::op::Sequence;

/// Partitions, ascending, with the offset from which on a group has not read.
pub type Offsets = Vec<(u8, u64)>;

/// What is asked of the groups. The answer comes when what it says is a fact.
pub enum GroupAsk {
    /// All that have a position.
    All(Reply<Vec<(GroupName, Offsets)>>),
    /// A group has come so far in these partitions; gives all of its positions.
    Commit(GroupName, Offsets, Reply<Result<Offsets, NotCommitted>>),
    /// A group is forgotten; whether there was one.
    End(GroupName, Reply<Result<bool, NotCommitted>>),
}

/// Why a position is not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCommitted {
    /// There is no channel.
    #[error("there is no hub here")]
    NoHub,
    /// There are as many groups as there may be.
    #[error("there are {GROUPS_MAX} consumer groups besides $Default already; end one")]
    TooMany,
    /// No position was given.
    #[error("name at least one partition")]
    Nothing,
    /// There is no such partition.
    #[error("there is no partition {0}")]
    Partition(u8),
    /// Nobody has read what is not there.
    #[error("partition {partition} ends before offset {next}; commit at most that")]
    Beyond {
        /// Which.
        partition: u8,
        /// The highest offset that can be committed.
        next: u64,
    },
    /// The disk has not taken it.
    #[error("{0}")]
    Unstored(&'static str),
}

/// What a reactor has of the channel; groups, positions and state are reactor 0's.
#[derive(Default)]
pub(crate) struct Keeper {
    /// The record of the channel's state.
    pub state_at: Option<Sequence>,
    /// A newer one is on its way.
    pub is_telling: bool,
    /// The last connection or disconnection at home here, where a route asks for them.
    pub sequence: ConnectionSequence,
    /// The payload of a message while it is made.
    pub scratch: Vec<u8>,
    /// How far endpoints are; reactor 0's.
    pub positions: Positions,
    groups: BTreeMap<GroupName, Group>,
}

#[derive(Default)]
struct Group {
    /// What is a fact; empty = nothing yet.
    kept: Offsets,
    /// With what is on its way.
    wanted: Offsets,
    /// Its record and its oldest one, where they are kept.
    at: Option<Sequence>,
    first: Option<Sequence>,
}

/// A position on its way to the log.
pub(crate) struct Committed {
    name: GroupName,
    /// Empty = its end.
    offsets: Offsets,
    then: Then,
}

enum Then {
    Told(Reply<Result<Offsets, NotCommitted>>),
    Ended(Reply<Result<bool, NotCommitted>>),
}

impl Keeper {
    pub fn restore(&mut self, found: BTreeMap<GroupName, FoundGroup>) {
        let group = |found: FoundGroup| {
            let FoundGroup { offsets, at, first } = found;
            Group { wanted: offsets.clone(), kept: offsets, at: Some(at), first: Some(first) }
        };
        self.groups = found.into_iter().map(|(name, found)| (name, group(found))).collect();
    }

    fn all(&self) -> Vec<(GroupName, Offsets)> {
        let kept = self.groups.iter().filter(|(_, group)| !group.kept.is_empty());
        kept.map(|(name, group)| (name.clone(), group.kept.clone())).collect()
    }
}

impl Shard {
    /// Somebody asks something of the groups.
    pub(crate) fn group_asked(&mut self, ask: GroupAsk) {
        match ask {
            GroupAsk::All(reply) => reply(self.channel.all()),
            GroupAsk::Commit(name, offsets, reply) => match self.judge_offsets(&name, &offsets) {
                Ok(()) => {
                    let group = self.channel.groups.entry(name.clone()).or_default();
                    let mut all: BTreeMap<u8, u64> = group.wanted.drain(..).collect();
                    all.extend(offsets);
                    group.wanted = all.into_iter().collect();
                    let offsets = group.wanted.clone();
                    self.write_group(Committed { name, offsets, then: Then::Told(reply) });
                }
                Err(not) => reply(Err(not)),
            },
            GroupAsk::End(name, reply) => match self.channel.groups.get_mut(&name) {
                Some(group) if !group.wanted.is_empty() => {
                    group.wanted.clear();
                    let (offsets, then) = (Offsets::new(), Then::Ended(reply));
                    self.write_group(Committed { name, offsets, then });
                }
                _ => reply(Ok(false)),
            },
        }
    }

    fn judge_offsets(&self, name: &GroupName, offsets: &Offsets) -> Result<(), NotCommitted> {
        let Some(hub) = &self.devices.hub else { return Err(NotCommitted::NoHub) };
        if offsets.is_empty() {
            return Err(NotCommitted::Nothing);
        }
        let partitions = hub.channel.settings().partitions.count();
        for (partition, offset) in offsets {
            if usize::from(*partition) >= partitions {
                return Err(NotCommitted::Partition(*partition));
            }
            let next = hub.channel.next(usize::from(*partition)).0;
            if *offset > next {
                return Err(NotCommitted::Beyond { partition: *partition, next });
            }
        }
        let groups = &self.channel.groups;
        let named = groups.keys().filter(|name| !name.is_default()).count();
        if named >= GROUPS_MAX && !name.is_default() && !groups.contains_key(name) {
            return Err(NotCommitted::TooMany);
        }
        Ok(())
    }

    fn write_group(&mut self, committed: Committed) {
        if !self.perform.keeps() {
            return self.group_committed(committed, Sequence(0));
        }
        let (name, offsets) = (committed.name.clone(), committed.offsets.clone());
        let entry = Entry::Channel(ChannelEntry::Group(GroupOffsets { name, offsets }));
        self.perform.write(&entry, Completion::Channel(Box::new(Kept::Group(committed))));
    }

    /// A position has become a fact.
    pub(super) fn group_committed(&mut self, committed: Committed, at: Sequence) {
        let Committed { name, offsets, then } = committed;
        let group = self.channel.groups.entry(name.clone()).or_default();
        let at = (at.0 > 0).then_some(at);
        if let Some(before) = std::mem::replace(&mut group.at, at) {
            self.perform.need(Need::Release(before));
        }
        group.first = group.first.or(at);
        if offsets.is_empty() {
            if let (Some(oldest), Some(at)) = (group.first, at) {
                self.perform.need(Need::Bury { oldest, at });
            }
            let wanted = std::mem::take(&mut group.wanted);
            // Another life may be on its way already.
            if wanted.is_empty() {
                self.channel.groups.remove(&name);
            } else {
                *group = Group { wanted, ..Group::default() };
            }
        } else {
            group.kept.clone_from(&offsets);
        }
        match then {
            Then::Told(reply) => reply(Ok(offsets)),
            Then::Ended(reply) => reply(Ok(true)),
        }
    }

    pub(super) fn group_not_committed(&mut self, committed: Committed, why: &'static str) {
        let Committed { name, then, .. } = committed;
        if let Some(group) = self.channel.groups.get_mut(&name) {
            group.wanted.clone_from(&group.kept);
            if group.kept.is_empty() {
                self.channel.groups.remove(&name);
            }
        }
        let not = NotCommitted::Unstored(why);
        match then {
            Then::Told(reply) => reply(Err(not)),
            Then::Ended(reply) => reply(Err(not)),
        }
    }
}
