//! What the records of a channel add up to at a start. Refuses to know its messages.

use super::entry::{Entry, GroupOffsets, Outlet, State};
use super::group_name::GroupName;
use crate::Lists;
use crate::route::Name;
use std::collections::BTreeMap;
use store::op::Sequence;

/// Adds up the held records of a channel. Released ones that come back change nothing but
/// [`Lists`].
#[derive(Debug, Default)]
pub struct Replay {
    state: Option<(State, Sequence)>,
    groups: BTreeMap<GroupName, FoundGroup>,
    outlets: BTreeMap<u8, FoundOutlet>,
    lists: Lists,
}

/// A channel that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The latest state, and the record that says so; `None` = no channel has begun.
    pub state: Option<(State, Sequence)>,
    /// Groups that have a position, by name.
    pub groups: BTreeMap<GroupName, FoundGroup>,
    /// What goes to endpoints, by slot.
    pub outlets: BTreeMap<u8, FoundOutlet>,
}

/// A group that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundGroup {
    /// Its positions.
    pub offsets: Vec<(u8, u64)>,
    /// The record that says so.
    pub at: Sequence,
    /// The oldest record of this life: what its end speaks of.
    pub first: Sequence,
}

/// What goes to an endpoint, as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundOutlet {
    /// Whose.
    pub name: Name,
    /// The endpoint has everything up to here.
    pub after: Sequence,
    /// The record that says so.
    pub at: Sequence,
    /// The oldest record of this life: what its end speaks of.
    pub first: Sequence,
}

impl Replay {
    /// Takes the next record in the order of the log.
    pub fn take(&mut self, at: Sequence, entry: Entry) {
        match entry {
            Entry::State(state) => {
                let before = self.state.replace((state, at));
                self.lists.stale.extend(before.map(|(_, at)| at));
            }
            Entry::Group(GroupOffsets { name, offsets }) if offsets.is_empty() => {
                let before = self.groups.remove(&name);
                let oldest = before.as_ref().map_or(at, |group| group.first);
                self.lists.stale.extend(before.map(|group| group.at));
                self.lists.tombstones.push((oldest, at));
            }
            Entry::Group(GroupOffsets { name, offsets }) => {
                let first = self.groups.get(&name).map_or(at, |group| group.first);
                let before = self.groups.insert(name, FoundGroup { offsets, at, first });
                self.lists.stale.extend(before.map(|group| group.at));
            }
            Entry::Outlet(outlet) => self.outlet(at, outlet),
        }
    }

    fn outlet(&mut self, at: Sequence, Outlet { slot, name, after }: Outlet) {
        let before = self.outlets.remove(&slot);
        self.lists.stale.extend(before.as_ref().map(|outlet| outlet.at));
        let first = before.map_or(at, |outlet| outlet.first);
        match name {
            Some(name) => drop(self.outlets.insert(slot, FoundOutlet { name, after, at, first })),
            None => self.lists.tombstones.push((first, at)),
        }
    }

    /// Everything was taken.
    pub fn finish(self) -> (Found, Lists) {
        let Self { state, groups, outlets, lists } = self;
        (Found { state, groups, outlets }, lists)
    }
}

#[cfg(test)]
mod tests {
    use super::super::partition::Partitions;
    use super::*;

    #[test]
    fn the_latest_of_each_counts_and_every_record_is_somewhere() {
        let name = |text| GroupName::parse(text).unwrap();
        let group = |text, offsets| Entry::Group(GroupOffsets { name: name(text), offsets });
        let outlet = |slot, name, after| {
            Entry::Outlet(Outlet { slot, name: Name::parse(name), after: Sequence(after) })
        };
        let state = |floor| State {
            partitions: Partitions::default(),
            floor: Sequence(floor),
            marks: Vec::new(),
        };
        let mut replay = Replay::default();
        for (at, entry) in (1..).zip([
            Entry::State(state(0)),
            group("a", vec![(0, 1)]),
            group("b", vec![(1, 1)]),
            group("a", vec![(0, 2)]),
            Entry::State(state(9)),
            group("a", vec![]),
            group("b", vec![(1, 7)]),
            group("c", vec![]),
            group("a", vec![(3, 3)]),
            outlet(2, "hook", 5),
            outlet(3, "gone", 6),
            outlet(2, "hook", 9),
            outlet(3, "", 0),
            outlet(3, "file", 12),
        ]) {
            replay.take(Sequence(at), entry);
        }
        let (found, lists) = replay.finish();
        assert_eq!(found.state, Some((state(9), Sequence(5))));
        let of =
            |offsets, at, first| FoundGroup { offsets, at: Sequence(at), first: Sequence(first) };
        let groups = [(name("a"), of(vec![(3, 3)], 9, 9)), (name("b"), of(vec![(1, 7)], 7, 3))];
        assert_eq!(found.groups, groups.into());
        let of = |name, after, at, first| {
            let (after, at, first) = (Sequence(after), Sequence(at), Sequence(first));
            FoundOutlet { name: Name::parse(name).unwrap(), after, at, first }
        };
        let outlets = [(2, of("hook", 9, 12, 10)), (3, of("file", 12, 14, 14))];
        assert_eq!(found.outlets, outlets.into());
        assert_eq!(lists.stale, [2, 1, 4, 3, 10, 11].map(Sequence));
        let tombstones =
            [(2, 6), (8, 8), (11, 13)].map(|(oldest, at)| (Sequence(oldest), Sequence(at)));
        assert_eq!(lists.tombstones, tombstones);
    }
}
