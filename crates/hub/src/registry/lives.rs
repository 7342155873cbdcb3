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
        let mut order: Vec<u32> = (0..all.len() as u32).filter(|at| !gone[*at as usize]).collect();
        let ids = |at: &u32| pieces_ids(&pieces, &all[*at as usize]);
        order.sort_unstable_by(|one, other| ids(one).cmp(&ids(other)));
        order.into_iter().map(move |at| {
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

fn pieces_ids<'p>(pieces: &'p Pieces, life: &Life) -> Ids<'p> {
    let (device, module) = Packed::names_in(pieces.get(life.bytes));
    Ids { device, module }
}

fn device<'p>(pieces: &'p Pieces, all: &[Life], first: &First) -> &'p str {
    pieces_ids(pieces, &all[first.place as usize]).device
}
