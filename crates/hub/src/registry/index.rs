//! Identities by id, a device before its modules, in memory that a million of them fit into: the
//! ids stand in the records and are read there. Refuses to know what belongs to an identity.

use crate::identity::{IdentityId, ModuleId, Packed};
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

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
    all: BTreeMap<Key, T>,
}

#[derive(Debug)]
struct Key(Packed);

/// Whatever has ids: a record, or a question for one.
trait Named {
    fn ids(&self) -> Ids<'_>;
}

impl<T> Index<T> {
    /// How many there are, modules included.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// An identity and what belongs to it.
    pub fn get(&self, ids: Ids<'_>) -> Option<(&Packed, &T)> {
        let (key, value) = self.all.get_key_value(&ids as &dyn Named)?;
        Some((&key.0, value))
    }

    /// As [`get`](Self::get), to change what belongs to it.
    pub fn get_mut(&mut self, ids: Ids<'_>) -> Option<(&Packed, &mut T)> {
        let named = &ids as &dyn Named;
        let mut range =
            self.all.range_mut::<dyn Named, _>((Bound::Included(named), Bound::Included(named)));
        range.next().map(|(key, value)| (&key.0, value))
    }

    /// Puts an identity in; gives what belonged to the one of its id before.
    pub fn put(&mut self, identity: Packed, value: T) -> Option<T> {
        let key = Key(identity);
        // The map would keep the old record: it compares ids only.
        let before = self.all.remove(&key as &dyn Named);
        self.all.insert(key, value);
        before
    }

    /// Takes an identity out.
    pub fn remove(&mut self, ids: Ids<'_>) -> Option<(Packed, T)> {
        self.all.remove_entry(&ids as &dyn Named).map(|(key, value)| (key.0, value))
    }

    /// Those behind an id, or all, in order.
    pub fn after(&self, ids: Option<Ids<'_>>) -> impl Iterator<Item = (&Packed, &T)> {
        let range = match &ids {
            Some(ids) => {
                let behind = Bound::Excluded(ids as &dyn Named);
                self.all.range::<dyn Named, _>((behind, Bound::Unbounded))
            }
            None => self.all.range::<dyn Named, _>(..),
        };
        range.map(|(key, value)| (&key.0, value))
    }

    /// The modules of a device, in order.
    pub fn modules<'s>(&'s self, device: &'s str) -> impl Iterator<Item = (&'s Packed, &'s T)> {
        let all = self.after(Some(Ids { device, module: None }));
        all.take_while(move |(packed, _)| packed.names().0 == device)
    }

    /// All of them, in order.
    pub fn into_all(self) -> impl Iterator<Item = (Packed, T)> {
        self.all.into_iter().map(|(key, value)| (key.0, value))
    }
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { all: BTreeMap::new() }
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

impl Named for Key {
    fn ids(&self) -> Ids<'_> {
        self.0.ids()
    }
}

impl Named for Ids<'_> {
    fn ids(&self) -> Ids<'_> {
        *self
    }
}

impl<'a> Borrow<dyn Named + 'a> for Key {
    fn borrow(&self) -> &(dyn Named + 'a) {
        self
    }
}

impl PartialEq for dyn Named + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.ids() == other.ids()
    }
}

impl Eq for dyn Named + '_ {}

impl PartialOrd for dyn Named + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for dyn Named + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.ids().cmp(&other.ids())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.ids() == other.ids()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.ids().cmp(&other.ids())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use crate::identity::examples::named;
    use std::collections::BTreeMap;

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
}
