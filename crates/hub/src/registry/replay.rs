//! What the log has of identities and twins, added up at a start. Refuses to know where records
//! lie and what is done with what was found.
//!
//! A record that was released may come back for as long as its segment is not rewritten. It lies
//! before the one that overtook it, which is still there: the later one counts.

use super::entry::{Entry, Of};
use super::index::Ids;
use super::lives::{Beside, Life, Lives};
use crate::Lists;
use crate::command::{self, DEAD_LETTERS_RANGE, Queue};
use crate::identity::Packed;
use crate::twin::{Record, Twin};
use store::op::Sequence;

/// Adds up records.
#[derive(Debug, Default)]
pub struct Replay {
    lives: Lives,
    lists: Lists,
}

/// An identity that was found.
#[derive(Debug)]
pub struct Found {
    /// What it is.
    pub identity: Packed,
    /// Its record.
    pub at: Sequence,
    /// The oldest record of this life that may come back: what its end speaks of.
    pub first: Sequence,
    /// Its twin, where somebody has written into it.
    pub twin: Option<Box<FoundTwin>>,
    /// Its commands, where it had some.
    pub commands: Option<Box<Queue>>,
}

/// A twin that was found.
#[derive(Debug, PartialEq, Eq)]
pub struct FoundTwin {
    /// As it is now.
    pub twin: Twin,
    /// The record that has the whole of it, if there is one.
    pub whole: Option<Sequence>,
    /// The records of the writes since, in order.
    pub changes: Vec<Sequence>,
}

impl Replay {
    /// Takes the next record in the order of the log.
    pub fn take(&mut self, at: Sequence, entry: Entry<'_>) {
        match entry {
            Entry::Identity(identity) => {
                self.lists.stale.extend(self.lives.identify(&identity, at));
            }
            Entry::Gone(ids) => self.end(ids, at),
            Entry::Twin(of, twin) => {
                let beside = self.lives.life(of.ids, at).beside();
                let (whole, changes) = (Some(at), Vec::new());
                let found = FoundTwin { twin: twin.into_owned(), whole, changes };
                if let Some((_, before)) = beside.twin.replace((of.generation, Box::new(found))) {
                    self.lists.stale.extend(before.records());
                }
            }
            Entry::TwinChange(of, record) => self.change(at, &of, &record),
            Entry::Command(of, record) => self.command(at, &of, &record),
        }
    }

    /// Everything was taken: the identities in order of their ids, and the rest.
    pub fn finish(self) -> (Vec<Found>, Lists) {
        let Self { lives, mut lists } = self;
        let lives = lives.into_all();
        let mut all = Vec::with_capacity(lives.len());
        for (identity, life) in lives {
            let Life { first, at, beside, .. } = life;
            let Beside { twin, commands } = beside.map_or_else(Beside::default, |beside| *beside);
            let (Some(identity), Some(at)) = (identity, at) else {
                lists.stale.extend(twin.iter().flat_map(|(_, twin)| twin.records()));
                lists.stale.extend(commands.iter().flat_map(|(_, queue)| queue.held()));
                continue;
            };
            let generation = identity.generation();
            let twin = twin.and_then(|(of, twin)| {
                if of == generation {
                    return Some(twin);
                }
                lists.stale.extend(twin.records());
                None
            });
            let commands = commands.and_then(|(of, queue)| {
                if of == generation {
                    return Some(queue);
                }
                lists.stale.extend(queue.held());
                None
            });
            all.push(Found { identity, at, first, twin, commands });
        }
        (all, lists)
    }

    fn change(&mut self, at: Sequence, of: &Of<'_>, record: &Record) {
        let beside = self.lives.life(of.ids, at).beside();
        let known = beside.twin.take_if(|(generation, _)| *generation == of.generation);
        let (_, mut twin) = known.unwrap_or_else(|| {
            let twin = Twin::new(of.generation.begun_ms());
            (of.generation, Box::new(FoundTwin { twin, whole: None, changes: Vec::new() }))
        });
        // What does not follow has come back without what lay before it.
        let stale = match twin.twin.apply(record) {
            Ok(Some(after)) => {
                twin.twin = after;
                twin.changes.push(at);
                None
            }
            Ok(None) | Err(_) => Some(at),
        };
        let is_known = twin.records().next().is_some();
        let before = if is_known { beside.twin.replace((of.generation, twin)) } else { None };
        self.lists.stale.extend(before.iter().flat_map(|(_, twin)| twin.records()));
        self.lists.stale.extend(stale);
    }

    fn command(&mut self, at: Sequence, of: &Of<'_>, record: &command::Record) {
        let Self { lives, lists } = self;
        let beside = lives.life(of.ids, at).beside();
        let known = beside.commands.take_if(|(generation, _)| *generation == of.generation);
        let (_, mut queue) = known.unwrap_or_else(|| (of.generation, Box::default()));
        let mut needs = Vec::new();
        queue.heard(record, at, *DEAD_LETTERS_RANGE.end() as u32, &mut needs);
        let before = beside.commands.replace((of.generation, queue));
        lists.stale.extend(before.iter().flat_map(|(_, queue)| queue.held()));
        needs.into_iter().for_each(|need| lists.add(need));
    }

    /// An identity has ended, and all that was known of it.
    fn end(&mut self, ids: Ids<'_>, at: Sequence) {
        let ended = self.lives.end(ids);
        let oldest = ended.iter().map(|life| life.first).min();
        let stale = &mut self.lists.stale;
        for Life { at, beside, .. } in ended {
            let Beside { twin, commands } = beside.map_or_else(Beside::default, |beside| *beside);
            stale.extend(at);
            stale.extend(twin.iter().flat_map(|(_, twin)| twin.records()));
            stale.extend(commands.iter().flat_map(|(_, queue)| queue.held()));
        }
        match oldest {
            Some(oldest) => self.lists.tombstones.push((oldest, at)),
            None => stale.push(at),
        }
    }
}

impl FoundTwin {
    /// Its records.
    pub fn records(&self) -> impl Iterator<Item = Sequence> {
        self.whole.into_iter().chain(self.changes.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use crate::identity::Generation;
    use crate::identity::examples::identity;
    use crate::twin::{Change, IfVersion, patch_reported};
    use std::borrow::Cow;
    use std::collections::{BTreeMap, BTreeSet};

    /// One record of the model's log.
    struct Line {
        kind: u8,
        bytes: Vec<u8>,
        /// Nobody needs it, so it may be cleaned away; of a tombstone: from where on.
        state: State,
    }

    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Needed,
        Released,
        /// It goes when nothing from here on to itself may come back.
        Tombstone(u64),
    }

    struct Known {
        generation: u64,
        etag: u64,
        at: u64,
        first: u64,
        twin: Twin,
        whole: Option<u64>,
        changes: Vec<u64>,
    }

    /// A registry that writes what the real one writes, and knows nothing of `Replay`.
    struct World {
        chance: Chance,
        lines: BTreeMap<u64, Line>,
        next: u64,
        known: BTreeMap<(&'static str, Option<&'static str>), Known>,
    }

    impl World {
        fn write(&mut self, entry: &Entry<'_>) -> u64 {
            let (mut bytes, kind) = (Vec::new(), entry.kind());
            entry.encode(&mut bytes);
            self.next += 1;
            self.lines.insert(self.next, Line { kind, bytes, state: State::Needed });
            self.next
        }

        fn release(&mut self, at: impl IntoIterator<Item = u64>) {
            for at in at {
                self.lines.get_mut(&at).expect("it was written").state = State::Released;
            }
        }

        fn put(&mut self, device: &'static str, module: Option<&'static str>) {
            if module.is_some() && !self.known.contains_key(&(device, None)) {
                return;
            }
            let before = self.known.get(&(device, module));
            let (generation, etag) =
                before.map_or((self.next + 1, 1), |known| (known.generation, known.etag + 1));
            let client_id = module.map_or(device.to_owned(), |m| format!("{device}/{m}"));
            let mut made = identity(&client_id);
            (made.generation, made.etag) = (Generation(generation), crate::Etag(etag));
            let at = self.write(&Entry::Identity(Packed::from(&made)));
            match self.known.get_mut(&(device, module)) {
                Some(known) => {
                    let before = std::mem::replace(&mut known.at, at);
                    known.etag = etag;
                    self.release([before]);
                }
                None => {
                    let twin = Twin::new(0);
                    let (first, whole, changes) = (at, None, Vec::new());
                    let known = Known { generation, etag, at, first, twin, whole, changes };
                    self.known.insert((device, module), known);
                }
            }
        }

        fn change(&mut self, device: &'static str, module: Option<&'static str>) {
            let text = format!("{{\"n\":{}}}", self.next);
            let Some(known) = self.known.get_mut(&(device, module)) else { return };
            let change = patch_reported(&known.twin, text.as_bytes(), IfVersion::Any, 5).unwrap();
            let Change { twin, record: Some(record) } = change else { panic!("a write") };
            known.twin = twin.clone();
            let generation = Generation(known.generation);
            let of = Of { ids: Ids { device, module }, generation };
            let gone: Vec<u64> = known.whole.into_iter().chain(known.changes.clone()).collect();
            if self.chance.below(4) == 0 {
                let at = self.write(&Entry::Twin(of, Cow::Owned(twin)));
                let known = self.known.get_mut(&(device, module)).expect("as above");
                (known.whole, known.changes) = (Some(at), Vec::new());
                self.release(gone);
            } else {
                let at = self.write(&Entry::TwinChange(of, Cow::Owned(record)));
                self.known.get_mut(&(device, module)).expect("as above").changes.push(at);
            }
        }

        fn end(&mut self, device: &'static str, module: Option<&'static str>) {
            let ended =
                |(d, m): &(&str, Option<&str>)| *d == device && (module.is_none() || *m == module);
            let keys: Vec<_> = self.known.keys().copied().filter(ended).collect();
            if keys.is_empty() {
                return;
            }
            let at = self.write(&Entry::Gone(Ids { device, module }));
            let mut oldest = at;
            for key in keys {
                let known = self.known.remove(&key).expect("it is one of them");
                oldest = oldest.min(known.first);
                self.release(known.changes.into_iter().chain(known.whole).chain([known.at]));
            }
            self.lines.get_mut(&at).expect("it was written").state = State::Tombstone(oldest);
        }

        /// What a cleaner that takes this and that leaves.
        fn cleaned(&mut self) -> BTreeSet<u64> {
            let mut left: BTreeSet<u64> = self.lines.keys().copied().collect();
            let segment = 1 + self.chance.below(9) as u64;
            let taken: Vec<bool> =
                (0..=self.next / segment).map(|_| self.chance.below(2) == 0).collect();
            let takes = |at: u64| taken[(at / segment) as usize];
            left.retain(|at| self.lines[at].state != State::Released || !takes(*at));
            for (at, line) in &self.lines {
                let State::Tombstone(oldest) = line.state else { continue };
                let may_return =
                    left.range(oldest..*at).any(|other| self.lines[other].state == State::Released);
                if !may_return && takes(*at) {
                    left.remove(at);
                }
            }
            left
        }

        fn agrees(&self, left: &BTreeSet<u64>) {
            let mut replay = Replay::default();
            for at in left {
                let line = &self.lines[at];
                replay.take(Sequence(*at), Entry::decode(line.kind, &line.bytes).unwrap());
            }
            let (found, lists) = replay.finish();
            assert_eq!(found.len(), self.known.len());
            let mut accounted: Vec<u64> = lists.stale.iter().map(|at| at.0).collect();
            accounted.extend(lists.tombstones.iter().map(|(_, at)| at.0));
            for (found, ((device, module), known)) in found.iter().zip(&self.known) {
                assert_eq!(found.identity.names(), (*device, *module));
                let identity = found.identity.unpack();
                assert_eq!(
                    (identity.generation.0, identity.etag.0),
                    (known.generation, known.etag)
                );
                assert_eq!(found.at.0, known.at);
                assert!(found.first.0 <= known.at);
                let records = known.whole.into_iter().chain(known.changes.iter().copied());
                let twin = found.twin.as_deref();
                let twin_records = twin.iter().flat_map(|twin| twin.records()).map(|at| at.0);
                assert_eq!(twin_records.collect::<Vec<_>>(), records.collect::<Vec<_>>());
                assert_eq!(twin.map_or(&Twin::new(0), |twin| &twin.twin), &known.twin);
                accounted.extend(twin.iter().flat_map(|twin| twin.records()).map(|at| at.0));
                accounted.push(found.at.0);
            }
            accounted.sort_unstable();
            assert_eq!(accounted, left.iter().copied().collect::<Vec<_>>(), "each in one place");
            for (oldest, at) in &lists.tombstones {
                assert!(oldest < at);
                assert_eq!(self.lines[&at.0].kind, 17);
            }
        }
    }

    /// Whether everything that was released comes back, or any part of it.
    #[test]
    fn what_comes_back_changes_nothing() {
        for seed in 0..300 {
            let (lines, known) = (BTreeMap::new(), BTreeMap::new());
            let mut world = World { chance: Chance::new(seed), lines, next: 0, known };
            for _ in 0..120 {
                let device = ["a", "a!", "b"][world.chance.below(3)];
                let module = [None, None, Some("m"), Some("n")][world.chance.below(4)];
                match world.chance.below(8) {
                    0 | 1 => world.put(device, module),
                    2 => world.end(device, module),
                    _ => world.change(device, module),
                }
                let all = world.lines.keys().copied().collect();
                world.agrees(&all);
                let left = world.cleaned();
                world.agrees(&left);
            }
        }
    }
}
