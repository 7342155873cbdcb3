//! What is known of each id while records are added up. Ids are read where the records lie, one
//! behind the other in large pieces: a million small ones, made and freed one by one, would leave
//! the process as large as they made it.
//!
//! Owns the order of ids in the end. Refuses to know what a record means.

use super::index::Ids;
use crate::identity::{Generation, Packed};
use crate::registry::FoundTwin;
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::BuildHasher;
use store::op::Sequence;
use store::pieces::{Pieces, Place};

/// Devices and modules that something was found of, by their ids.
#[derive(Debug, Default)]
pub(super) struct Lives {
    pieces: Pieces,
    /// Those that ended too, which are in `free`.
    all: Vec<Life>,
    free: Vec<u32>,
    /// The first of each device.
    devices: HashTable<First>,
    hasher: RandomState,
}

/// Where the list of a device begins in `all`. Its hash is kept: a table that grows would look at
/// every device again.
#[derive(Debug)]
struct First {
    hash: u64,
    place: u32,
}

/// What is known of an id since it was gone last.
#[derive(Debug)]
pub(super) struct Life {
    /// The record of its identity, or as much of one as has its ids where none was found.
    bytes: Place,
    /// Another of the device in `all`; `NONE` behind the last.
    next: u32,
    /// The oldest record.
    pub first: Sequence,
    /// The record of its identity.
    pub at: Option<Sequence>,
    /// What few have.
    pub beside: Option<Box<Beside>>,
}

/// What an identity has beside its record, each with the generation that it is of.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub twin: Option<(Generation, Box<FoundTwin>)>,
    pub commands: Option<(Generation, Box<crate::command::Queue>)>,
}

const NONE: u32 = u32::MAX;

impl Lives {
    /// The life of an id, which begins with the record `at` where none is known.
    pub fn life(&mut self, ids: Ids<'_>, at: Sequence) -> &mut Life {
        let bytes = |pieces: &mut Pieces| pieces.put(&Packed::beginning(ids.device, ids.module));
        let (place, _) = self.place(ids, at, bytes);
        &mut self.all[place as usize]
    }

    /// An identity is what this record says; gives the record that said so before.
    pub fn identify(&mut self, identity: &Packed, at: Sequence) -> Option<Sequence> {
        let put = |pieces: &mut Pieces| pieces.put(identity.bytes());
        let (place, is_new) = self.place(identity.ids(), at, put);
        let life = &mut self.all[place as usize];
        if !is_new {
            life.bytes = put(&mut self.pieces);
        }
        life.at.replace(at)
    }

    /// Takes a module out, or a device with its modules.
    pub fn end(&mut self, ids: Ids<'_>) -> Vec<Life> {
        let hash = self.hasher.hash_one(ids.device);
        let Self { pieces, all, devices, .. } = self;
        let same = |known: &First| known.hash == hash && device(pieces, all, known) == ids.device;
        let Ok(mut first) = devices.find_entry(hash, same) else { return Vec::new() };
        let (mut ended, mut kept, mut at) = (Vec::new(), Vec::new(), first.get().place);
        while at != NONE {
            let is_ended = ids.module.is_none() || pieces_ids(pieces, &all[at as usize]) == ids;
            if is_ended { &mut ended } else { &mut kept }.push(at);
            at = all[at as usize].next;
        }
        for (one, next) in kept.iter().zip(kept.iter().skip(1).chain([&NONE])) {
            all[*one as usize].next = *next;
        }
        match kept.first() {
            Some(place) => first.get_mut().place = *place,
            None => drop(first.remove()),
        }
        self.free.extend(&ended);
        let take = |at: u32| std::mem::replace(&mut self.all[at as usize], Life::none());
        ended.into_iter().map(take).collect()
    }

    /// All of them in order of their ids, each with its identity if one was found.
    pub fn into_all(self) -> impl ExactSizeIterator<Item = (Option<Packed>, Life)> {
        let Self { pieces, mut all, free, devices, .. } = self;
        drop(devices);
        let mut gone = vec![false; all.len()];
        free.into_iter().for_each(|at| gone[at as usize] = true);
        let there = (0..all.len() as u32).filter(|at| !gone[*at as usize]).collect();
        let order = in_order(there, |at| pieces_ids(&pieces, &all[at as usize]));
        order.into_iter().map(move |(_, at)| {
            let life = std::mem::replace(&mut all[at as usize], Life::none());
            let identity = life.at.map(|_| Packed::checked(pieces.get(life.bytes)));
            (identity, life)
        })
    }

    /// Where a life is in `all`, and whether it begins: with the record `first` and the bytes that
    /// `put` puts there.
    fn place(
        &mut self,
        ids: Ids<'_>,
        first: Sequence,
        put: impl FnOnce(&mut Pieces) -> Place,
    ) -> (u32, bool) {
        let hash = self.hasher.hash_one(ids.device);
        let Self { pieces, all, free, devices, .. } = self;
        let same = |known: &First| known.hash == hash && device(pieces, all, known) == ids.device;
        let entry = devices.entry(hash, same, |known| known.hash);
        let mut last = NONE;
        if let Entry::Occupied(device) = &entry {
            let mut at = device.get().place;
            while at != NONE {
                if pieces_ids(pieces, &all[at as usize]) == ids {
                    return (at, false);
                }
                last = at;
                at = all[at as usize].next;
            }
        }
        let life = Life { bytes: put(pieces), first, ..Life::none() };
        // A log of 2^32 identities does not fit the memory they are found in.
        let place = free.pop().unwrap_or(all.len() as u32);
        match all.get_mut(place as usize) {
            Some(free) => *free = life,
            None => all.push(life),
        }
        match entry {
            Entry::Occupied(_) => all[last as usize].next = place,
            Entry::Vacant(free) => drop(free.insert(First { hash, place })),
        }
        (place, true)
    }
}

impl Life {
    fn none() -> Self {
        let bytes = Place::default();
        Self { bytes, next: NONE, first: Sequence(0), at: None, beside: None }
    }

    pub fn beside(&mut self) -> &mut Beside {
        self.beside.get_or_insert_default()
    }
}

/// Places in the order of their ids, each with what of its id decides most: a comparison that has
/// to look at the ids themselves waits for memory twice.
fn in_order<'p>(places: Vec<u32>, ids: impl Fn(u32) -> Ids<'p>) -> Vec<(u64, u32)> {
    let device = |at: u32| ids(at).device.as_bytes();
    let mut shared: &[u8] = places.first().map_or(&[], |at| device(*at));
    for at in &places {
        let same = shared.iter().zip(device(*at)).take_while(|(one, other)| one == other);
        shared = &shared[..same.count()];
    }
    let behind = |at: u32| {
        let mut eight = [0; 8];
        let rest = &device(at)[shared.len()..];
        eight.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        (u64::from_be_bytes(eight), at)
    };
    let mut order: Vec<(u64, u32)> = places.into_iter().map(behind).collect();
    order.sort_unstable_by(|(one, at), (other, with)| {
        one.cmp(other).then_with(|| ids(*at).cmp(&ids(*with)))
    });
    order
}

fn pieces_ids<'p>(pieces: &'p Pieces, life: &Life) -> Ids<'p> {
    let (device, module) = Packed::names_in(pieces.get(life.bytes));
    Ids { device, module }
}

fn device<'p>(pieces: &'p Pieces, all: &[Life], first: &First) -> &'p str {
    pieces_ids(pieces, &all[first.place as usize]).device
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    #[test]
    fn places_are_in_the_order_of_ids() {
        let devices =
            ["pump-", "pump-1", "pump-10", "pump-1234567", "pump-12345678", "pump-123456789"];
        let all =
            devices.map(|device| [None, Some("a"), Some("b")].map(|module| Ids { device, module }));
        let sorted = all.concat();
        let mut chance = Chance::new(1);
        for _ in 0..200 {
            let (mut left, mut mixed) = (sorted.clone(), Vec::new());
            while !left.is_empty() {
                mixed.push(left.swap_remove(chance.below(left.len())));
            }
            let order = in_order((0..mixed.len() as u32).collect(), |at| mixed[at as usize]);
            let found: Vec<Ids<'_>> = order.iter().map(|(_, at)| mixed[*at as usize]).collect();
            assert_eq!(found, sorted);
        }
        assert!(in_order(Vec::new(), |_| sorted[0]).is_empty());
    }
}
