//! Identities by id, a device before its modules, in memory that a million of them fit into: the
//! ids stand in the records and are read there, and what is entered in order lies without gaps.
//! Refuses to know what belongs to an identity.
//!
//! Leaves of a fixed size in one list, because a B-tree that is filled in the order of its keys
//! keeps half of each node empty: 46 bytes a device.

use crate::identity::{IdentityId, ModuleId, Packed};
use std::cmp::Ordering;

/// The ids of a device and, of a module, its own; borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ids<'a> {
    /// The device.
    pub device: &'a str,
    /// The module; `None` = the device itself, which comes before its modules.
    pub module: Option<&'a str>,
}

/// Identities with what belongs to each.
#[derive(Debug)]
pub struct Index<T> {
    /// In order, and in order in each; none is empty.
    leaves: Vec<Vec<(Packed, T)>>,
    len: usize,
}

/// Where an identity stands, or would: a leaf, and a place in it.
type Place = (usize, Result<usize, usize>);

impl<T> Index<T> {
    /// How many there are, modules included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// An identity and what belongs to it.
    pub fn get(&self, ids: Ids<'_>) -> Option<(&Packed, &T)> {
        let (leaf, Ok(at)) = self.find(ids) else { return None };
        let (packed, value) = &self.leaves[leaf][at];
        Some((packed, value))
    }

    /// As [`get`](Self::get), to change what belongs to it.
    pub fn get_mut(&mut self, ids: Ids<'_>) -> Option<(&Packed, &mut T)> {
        let (leaf, Ok(at)) = self.find(ids) else { return None };
        let (packed, value) = &mut self.leaves[leaf][at];
        Some((packed, value))
    }

    /// Puts an identity in; gives what belonged to the one of its id before.
    pub fn put(&mut self, identity: Packed, value: T) -> Option<T> {
        match self.find(identity.ids()) {
            (leaf, Ok(at)) => {
                let before = std::mem::replace(&mut self.leaves[leaf][at], (identity, value));
                Some(before.1)
            }
            (leaf, Err(at)) => {
                self.insert(leaf, at, (identity, value));
                self.len += 1;
                None
            }
        }
    }

    /// Takes an identity out.
    pub fn remove(&mut self, ids: Ids<'_>) -> Option<(Packed, T)> {
        let (leaf, Ok(at)) = self.find(ids) else { return None };
        let removed = self.leaves[leaf].remove(at);
        self.len -= 1;
        self.join(leaf);
        Some(removed)
    }

    /// Those behind an id, or all, in order.
    pub fn after(&self, ids: Option<Ids<'_>>) -> impl Iterator<Item = (&Packed, &T)> {
        let (leaf, at) = match ids.map(|ids| self.find(ids)) {
            None => (0, 0),
            Some((leaf, Ok(at))) => (leaf, at + 1),
            Some((leaf, Err(at))) => (leaf, at),
        };
        let first = self.leaves.get(leaf).map_or(&[][..], |leaf| &leaf[at..]);
        let rest = self.leaves.iter().skip(leaf + 1).flatten();
        first.iter().chain(rest).map(|(packed, value)| (packed, value))
    }

    /// The modules of a device, in order.
    pub fn modules<'s>(&'s self, device: &'s str) -> impl Iterator<Item = (&'s Packed, &'s T)> {
        let all = self.after(Some(Ids { device, module: None }));
        all.take_while(move |(packed, _)| packed.names().0 == device)
    }

    /// All of them, in order.
    pub fn into_all(self) -> impl Iterator<Item = (Packed, T)> {
        self.leaves.into_iter().flatten()
    }

    fn find(&self, ids: Ids<'_>) -> Place {
        let order = |(packed, _): &(Packed, T)| packed.compare_names(ids.device, ids.module);
        let begins =
            |leaf: &Vec<_>| leaf.first().is_some_and(|one| order(one) != Ordering::Greater);
        let leaf = self.leaves.partition_point(begins).saturating_sub(1);
        let found = self.leaves.get(leaf).map(|leaf| leaf.binary_search_by(order));
        (leaf, found.unwrap_or(Err(0)))
    }

    fn insert(&mut self, leaf: usize, at: usize, one: (Packed, T)) {
        let is_last = leaf + 1 >= self.leaves.len();
        let Some(full) = self.leaves.get_mut(leaf) else {
            let mut first = Vec::with_capacity(LEAF_MAX);
            first.push(one);
            return self.leaves.push(first);
        };
        if full.len() < LEAF_MAX {
            return full.insert(at, one);
        }
        // What comes in order, or nearly, goes on behind a leaf that stays full.
        let split = if is_last { LEAF_MAX - LEAF_MAX / 8 } else { LEAF_MAX / 2 };
        let mut behind = Vec::with_capacity(LEAF_MAX);
        behind.extend(full.drain(split..));
        match at.checked_sub(split) {
            Some(at) => behind.insert(at, one),
            None => full.insert(at, one),
        }
        self.leaves.insert(leaf + 1, behind);
    }

    /// A leaf that has few left goes into the one beside it, if there is room for more.
    fn join(&mut self, leaf: usize) {
        if self.leaves[leaf].len() > LEAF_MAX / 4 {
            return;
        }
        let left = if leaf + 1 < self.leaves.len() { leaf } else { leaf.saturating_sub(1) };
        let right = left + 1;
        if self.leaves.get(right).is_some_and(|r| r.len() + self.leaves[left].len() <= JOINED_MAX) {
            let mut right = self.leaves.remove(right);
            self.leaves[left].append(&mut right);
        } else if self.leaves[leaf].is_empty() {
            self.leaves.remove(leaf);
        }
    }
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { leaves: Vec::new(), len: 0 }
    }
}

impl Packed {
    /// Its ids, read in place.
    pub fn ids(&self) -> Ids<'_> {
        let (device, module) = self.names();
        Ids { device, module }
    }
}

impl<'a> From<&'a IdentityId> for Ids<'a> {
    fn from(id: &'a IdentityId) -> Self {
        Self { device: id.device.as_str(), module: id.module.as_ref().map(ModuleId::as_str) }
    }
}

/// Identities of a leaf. Its list is moved when a leaf is split: a million have 16,000.
const LEAF_MAX: usize = 64;
const JOINED_MAX: usize = LEAF_MAX * 3 / 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use crate::identity::examples::named;
    use std::collections::BTreeMap;
    use std::ops::Bound;

    fn ids<'a>(device: &'a str, module: Option<&'a str>) -> Ids<'a> {
        Ids { device, module }
    }

    /// Against a map that owns its keys. `!` sorts before every letter: a device of such a name
    /// must not come between a device and its modules.
    #[test]
    fn it_is_a_map_in_the_order_of_ids() {
        let devices = ["a", "a!", "ab", "b", "b!"];
        let modules = [None, Some("!"), Some("m")];
        for seed in 0..50 {
            let mut chance = Chance::new(seed);
            let mut index = Index::default();
            let mut naive: BTreeMap<(&str, Option<&str>), u64> = BTreeMap::new();
            for step in 0..200 {
                let (device, module) = (devices[chance.below(5)], modules[chance.below(3)]);
                if chance.below(3) == 0 {
                    let gone = index.remove(ids(device, module)).map(|(_, value)| value);
                    assert_eq!(gone, naive.remove(&(device, module)));
                } else {
                    let before = index.put(named(device, module, step), step);
                    assert_eq!(before, naive.insert((device, module), step));
                    let (identity, value) = index.get(ids(device, module)).unwrap();
                    assert_eq!((identity.unpack().etag.0, *value), (step, step), "the newer one");
                    assert_eq!(index.get_mut(ids(device, module)).map(|(_, v)| *v), Some(step));
                }
                let from = (devices[chance.below(5)], modules[chance.below(3)]);
                let behind = index.after(Some(ids(from.0, from.1))).map(|(_, value)| *value);
                let range = (Bound::Excluded(from), Bound::Unbounded);
                let expected: Vec<u64> = naive.range(range).map(|(_, v)| *v).collect();
                assert_eq!(behind.collect::<Vec<_>>(), expected);
                let of_device =
                    |(key, _): &(&(&str, Option<&str>), &u64)| key.0 == from.0 && key.1.is_some();
                let expected = naive.iter().filter(of_device).map(|(_, value)| *value);
                let modules = index.modules(from.0).map(|(_, value)| *value);
                assert_eq!(modules.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
                assert_eq!(index.len(), naive.len());
            }
            let all = index.into_all().map(|(packed, value)| {
                let (device, module) = packed.names();
                (device.to_owned(), module.map(str::to_owned), value)
            });
            let owned = |(key, value): (&(&str, Option<&str>), &u64)| {
                (key.0.to_owned(), key.1.map(str::to_owned), *value)
            };
            assert_eq!(all.collect::<Vec<_>>(), naive.iter().map(owned).collect::<Vec<_>>());
        }
    }

    /// Enough for many leaves, which split, empty and join.
    #[test]
    fn it_is_a_map_of_any_size() {
        for seed in 0..4 {
            let mut chance = Chance::new(seed);
            let (mut index, mut naive) = (Index::default(), BTreeMap::new());
            for step in 0..12_000_u64 {
                let name = format!("d{:04}", chance.below(3_000));
                // It grows, then shrinks to nearly nothing, again and again.
                let removes = if step % 4_000 < 2_000 { 1 } else { 9 };
                if chance.below(10) < removes {
                    let gone = index.remove(ids(&name, None)).map(|(_, value)| value);
                    assert_eq!(gone, naive.remove(&name));
                } else {
                    let before = index.put(named(&name, None, step), step);
                    assert_eq!(before, naive.insert(name.clone(), step));
                }
                assert_eq!(index.get(ids(&name, None)).map(|(_, v)| *v), naive.get(&name).copied());
                assert_eq!((index.len(), index.is_empty()), (naive.len(), naive.is_empty()));
                if step % 100 == 0 {
                    let behind = index.after(Some(ids(&name, None))).map(|(_, value)| *value);
                    let range = (Bound::Excluded(name.clone()), Bound::Unbounded);
                    assert!(behind.eq(naive.range::<String, _>(range).map(|(_, value)| *value)));
                    let sizes = index.leaves.iter().map(Vec::len);
                    assert!(sizes.clone().all(|size| (1..=LEAF_MAX).contains(&size)));
                }
            }
            assert!(index.into_all().map(|(_, value)| value).eq(naive.into_values()));
        }
    }

    #[test]
    fn what_comes_in_order_lies_without_gaps() {
        let mut index = Index::default();
        // As several callers enter one range together.
        for n in (0..10_000_u64).map(|n| n ^ 3) {
            index.put(named(&format!("d{n:05}"), None, n), n);
        }
        let room: usize = index.leaves.iter().map(Vec::capacity).sum();
        assert!(room * 4 <= index.len() * 5, "{room} places for {}", index.len());
    }
}
