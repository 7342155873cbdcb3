//! Which records of the log carry the key of a request, and how long each is kept for it.
//!
//! A record under a key may be its topic's retained message too, or the removal of one. It is
//! released by whoever needs it last: the retained store's word about it waits here while the key
//! is needed, and the end of the key says nothing while the topic needs it. A topic's burial waits
//! as well: the log looks for released messages that a start may find again, not for those that a
//! key holds and a start finds for certain.
//!
//! A key is needed until the log's clock has passed its end, not only until its end: the next start
//! may go back to what the log's clock says, and a repeat would be new to it.
//!
//! Owns these records. Refuses to know what the keys are: HTTP answers for them.

use crate::journal::FoundRequest;
use broker::publication::Publication;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::log::Need;
use store::op::Sequence;

/// The records under keys of one namespace; shared by whoever makes facts and the reactors. As many
/// as HTTP remembers keys, and those that have ended since the log's clock was told last.
#[derive(Default)]
pub struct KeyRecords(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    /// All, by the end of their keys in domain milliseconds.
    ends: BTreeSet<(u64, Sequence)>,
    /// Of these the ones with RETAIN, and what their keys' ends mean.
    retained: BTreeMap<Sequence, Then>,
    /// The latest end of one with RETAIN.
    latest_ms: u64,
    /// Burials, and the end that each waits for.
    burials: Vec<(u64, Need)>,
}

/// What follows when a key is needed no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Its topic needs the record, or has it buried.
    Leave,
    /// Nobody needs the record.
    Release,
}

impl KeyRecords {
    /// Takes in the keys that a start has found, before anything is published; `shared` are the
    /// records that have another holder too. All count as retained: the log does not say which are.
    pub fn restore(&self, found: &[FoundRequest], shared: impl Fn(Sequence) -> bool) {
        let mut inner = self.lock();
        for request in found {
            let then = if shared(request.sequence) { Then::Leave } else { Then::Release };
            inner.hold(request.sequence, request.ends_at_ms);
            inner.retain(request.sequence, request.ends_at_ms, then);
        }
    }

    /// A publish under a key is a fact. Comes before the retained store hears of it.
    pub(crate) fn accepted(&self, publication: &Publication, ends_at_ms: u64) {
        let (mut inner, at) = (self.lock(), Sequence(publication.sequence()));
        inner.hold(at, ends_at_ms);
        if publication.message.retain() {
            inner.retain(at, ends_at_ms, Then::Leave);
        }
    }

    /// What the retained store has said, if the log may hear it now.
    pub(crate) fn pass(&self, need: Need) -> Option<Need> {
        let mut inner = self.lock();
        match need {
            Need::Release(at) => match inner.retained.get_mut(&at) {
                Some(then) => *then = Then::Release,
                None => return Some(need),
            },
            Need::Bury { oldest, at } if inner.retained.range(oldest..=at).next().is_some() => {
                let until_ms = inner.latest_ms;
                inner.burials.push((until_ms, need));
            }
            _ => return Some(need),
        }
        None
    }

    /// The log's clock has come so far, durably.
    pub(crate) fn clock(&self, wall_ms: u64, needs: &mut Vec<Need>) {
        let mut inner = self.lock();
        while let Some(&(ends_at_ms, at)) = inner.ends.first()
            && ends_at_ms <= wall_ms
        {
            inner.ends.pop_first();
            if inner.retained.remove(&at) != Some(Then::Leave) {
                needs.push(Need::Release(at));
            }
        }
        inner.burials.retain(|(until_ms, burial)| {
            let waits = *until_ms > wall_ms;
            if !waits {
                needs.push(*burial);
            }
            waits
        });
    }

    /// Whether a key has ended at `now_ms` without the log's clock being so far.
    pub(crate) fn has_ended(&self, now_ms: u64) -> bool {
        self.lock().ends.first().is_some_and(|(ends_at_ms, _)| *ends_at_ms <= now_ms)
    }

    /// A poisoned lock is used on: nothing under it panics half-way through a change.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn hold(&mut self, at: Sequence, ends_at_ms: u64) {
        self.ends.insert((ends_at_ms, at));
    }

    fn retain(&mut self, at: Sequence, ends_at_ms: u64, then: Then) {
        self.retained.insert(at, then);
        self.latest_ms = self.latest_ms.max(ends_at_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::chance::Chance;
    use crate::journal::{Clock, Entry, Found, Message, Publisher, Replay, Request};
    use crate::record::{Record, Told, What, bury, settle};
    use crate::session::Origin;
    use broker::limits::Limits;
    use broker::publication::NEVER;
    use broker::retained::Retained;
    use broker::subscription::Interest;
    use engine::{Fact, Formed};
    use mqtt::qos::QoS;
    use std::sync::Arc;
    use store::log::{Hold, Kind};
    use store::op::Ticket;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// A publish with RETAIN under a key that ends then.
        Retained(u64, u64),
        /// One without.
        Plain(u64, u64),
        Release(u64),
        Bury(u64, u64),
        Clock(u64),
    }

    #[test]
    fn the_last_who_needs_a_record_lets_it_go() {
        use Step::{Bury, Clock, Plain, Release, Retained};
        // (what happens, what the log hears in the end: "-" a release, "b" a burial)
        let rows: &[(&[Step], &str)] = &[
            (&[Plain(1, 10), Clock(9)], ""),
            (&[Plain(1, 10), Clock(10), Clock(20)], "-1"),
            (&[Plain(1, 20), Plain(2, 10), Clock(10)], "-2"),
            // The topic has it: the one who comes last releases it, once.
            (&[Retained(1, 10), Clock(10)], ""),
            (&[Retained(1, 10), Clock(10), Release(1)], "-1"),
            (&[Retained(1, 10), Release(1)], ""),
            (&[Retained(1, 10), Release(1), Clock(10), Clock(20)], "-1"),
            // What has no key is not held up, nor is a burial of what has none.
            (&[Retained(1, 10), Release(2)], "-2"),
            (&[Retained(1, 10), Bury(2, 3)], "b3"),
            (&[Plain(2, 10), Bury(1, 3)], "b3"),
            // An older one is under a key, then the message that expires is, then the removal is.
            (&[Retained(1, 10), Release(1), Bury(1, 3)], ""),
            (&[Retained(1, 10), Release(1), Bury(1, 3), Clock(10)], "-1 b3"),
            (&[Retained(1, 10), Bury(1, 1), Clock(9)], ""),
            (&[Retained(1, 10), Bury(1, 1), Clock(10)], "b1"),
            (&[Retained(3, 10), Release(1), Bury(1, 3)], "-1"),
            (&[Retained(3, 10), Release(1), Bury(1, 3), Clock(10)], "-1 b3"),
            // There was nothing to remove.
            (&[Retained(3, 10), Release(3), Clock(10)], "-3"),
        ];
        for (steps, wanted) in rows {
            let (keys, mut needs) = (KeyRecords::default(), Vec::new());
            for step in *steps {
                match *step {
                    Retained(at, end) => keys.accepted(&published("t", "x", true, at), end),
                    Plain(at, end) => keys.accepted(&published("t", "x", false, at), end),
                    Release(at) => needs.extend(keys.pass(Need::Release(Sequence(at)))),
                    Bury(oldest, at) => {
                        let (oldest, at) = (Sequence(oldest), Sequence(at));
                        needs.extend(keys.pass(Need::Bury { oldest, at }));
                    }
                    Clock(wall_ms) => keys.clock(wall_ms, &mut needs),
                }
            }
            let said = needs.iter().map(|need| match need {
                Need::Release(at) => format!("-{}", at.0),
                Need::Bury { at, .. } => format!("b{}", at.0),
                other => panic!("{other:?}"),
            });
            assert_eq!(said.collect::<Vec<_>>().join(" "), *wanted, "{steps:?}");
        }
    }

    #[test]
    fn the_clock_is_wanted_when_a_key_has_ended() {
        let (keys, mut needs) = (KeyRecords::default(), Vec::new());
        keys.accepted(&published("t", "x", false, 1), 10);
        assert!(!keys.has_ended(9) && keys.has_ended(10));
        keys.clock(10, &mut needs);
        assert!(!keys.has_ended(99));
    }

    /// Random lives with crashes, in which any part of what was released comes back: no key is
    /// missing that has not ended, and each topic has what it had.
    #[test]
    fn a_start_finds_every_key_and_no_topic_of_another_time() {
        let mut tally = Tally::default();
        for seed in 0..600 {
            let mut life = Life::new(seed);
            for _ in 0..12 {
                for _ in 0..life.chance.below(30) {
                    life.step();
                }
                life.crash(&mut tally);
            }
            life.leaves_nothing_behind();
        }
        let Tally { keys, topics, back } = tally;
        assert!(keys > 5_000 && topics > 5_000 && back > 5_000, "{keys} {topics} {back}");
    }

    /// How much was found again.
    #[derive(Default)]
    struct Tally {
        keys: usize,
        topics: usize,
        back: usize,
    }

    /// A namespace, its log, and what it is by an account of its own.
    struct Life {
        seed: u64,
        chance: Chance,
        now_ms: u64,
        keys: KeyRecords,
        retained: Retained,
        interest: Interest,
        clock: Option<Sequence>,
        /// Removals that the start could not bury: the next one finds them again.
        kept: Vec<Sequence>,
        log: Records,
        /// The end and the record of each key.
        asked: BTreeMap<String, (u64, Sequence)>,
        /// The message and the deadline of each topic.
        topics: BTreeMap<String, (Sequence, u64)>,
    }

    /// Held records, record by record; what was released may come back until it is cleaned.
    #[derive(Default)]
    struct Records {
        last: u64,
        written: BTreeMap<Sequence, (Kind, Vec<u8>)>,
        held: BTreeSet<Sequence>,
        released: BTreeSet<Sequence>,
        buried: Vec<(Sequence, Sequence)>,
        forgotten: BTreeSet<Sequence>,
    }

    impl Records {
        fn write(&mut self, entry: &Entry<'_>) -> Sequence {
            self.last += 1;
            let (at, mut bytes) = (Sequence(self.last), Vec::new());
            entry.encode(&mut bytes);
            if entry.hold() == Hold::UntilReleased {
                self.written.insert(at, (entry.kind(), bytes));
                self.held.insert(at);
            }
            at
        }

        fn hear(&mut self, need: Need) {
            match need {
                Need::Release(at) => {
                    if self.held.remove(&at) {
                        self.released.insert(at);
                    }
                }
                Need::Bury { oldest, at } => self.buried.push((oldest, at)),
                other => panic!("{other:?}"),
            }
        }

        /// What `Cleaner` does, record by record: some of what was released is gone for good.
        fn clean(&mut self, gone: impl FnMut(&Sequence) -> bool) {
            self.released.extract_if(.., gone).for_each(drop);
            self.buried.retain(|(oldest, at)| {
                let may_return = self.released.range(oldest..at).next().is_some();
                if !may_return && self.held.remove(at) {
                    self.forgotten.insert(*at);
                }
                may_return
            });
        }

        fn start(&self, back: &BTreeSet<Sequence>) -> Found {
            let mut replay = Replay::new();
            for at in self.held.union(back) {
                let (kind, bytes) = &self.written[at];
                replay.add(*at, *kind, bytes).expect("it was written by us");
            }
            replay.finish()
        }
    }

    impl Life {
        fn new(seed: u64) -> Self {
            Self {
                seed,
                chance: Chance::new(seed),
                now_ms: 1_000,
                keys: KeyRecords::default(),
                retained: Retained::new(&Limits::open()),
                interest: Interest::new(1),
                clock: None,
                kept: Vec::new(),
                log: Records::default(),
                asked: BTreeMap::new(),
                topics: BTreeMap::new(),
            }
        }

        fn step(&mut self) {
            match self.chance.below(12) {
                0..=3 => self.publish(true),
                4 | 5 => self.publish(false),
                6 | 7 => self.now_ms += self.chance.below(40) as u64,
                8 => self.tell_clock(),
                9 => self.expire(),
                _ => {
                    let (chance, of_4) = (&mut self.chance, 4);
                    self.log.clean(|_| chance.below(of_4) > 0);
                }
            }
        }

        fn publish(&mut self, is_asked: bool) {
            let name = ["k", "l", "m", "n"][self.chance.below(4)].to_owned();
            let known = self.asked.get(&name).is_some_and(|(end, _)| *end > self.now_ms);
            let topic = ["a", "b"][self.chance.below(2)];
            let payload = ["", "x", "y"][self.chance.below(3)];
            let retain = !is_asked || self.chance.below(3) > 0;
            let mut publication = published(topic, payload, retain, 0);
            if self.chance.below(4) == 0 {
                publication.deadline_ms = self.now_ms + 1 + self.chance.below(60) as u64;
            }
            if is_asked && known {
                return;
            }
            let ends_at_ms = self.now_ms + 120;
            let request = Request { principal: "Ann", key: &name, item: None, ends_at_ms };
            let publisher = if is_asked { Publisher::Request(request) } else { Publisher::Passing };
            let at = self.log.write(&Entry::Message(Message::of(&publication, publisher)));
            let (deadline_ms, publication) = (publication.deadline_ms, Arc::new(publication));
            let (order, origin, tally) = (0, Origin::NOBODY, None);
            let key_ends_at_ms = publisher.key_ends_at_ms();
            self.settle(
                at,
                What::Publish(Told { origin, publication, order, key_ends_at_ms, tally }),
            );
            if is_asked {
                self.asked.insert(name, (ends_at_ms, at));
            }
            if retain && payload.is_empty() {
                self.topics.remove(topic);
            } else if retain {
                self.topics.insert(topic.to_owned(), (at, deadline_ms));
            }
        }

        fn settle(&mut self, sequence: Sequence, what: What) {
            let (form, origin, ticket, others) = (Formed::Logged, 0, Ticket(1), 0);
            let mut fact = Fact { sequence, form, origin, ticket, others, record: Record(what) };
            let mut needs = Vec::new();
            let Self { retained, interest, keys, now_ms, .. } = self;
            settle(&mut fact, &mut needs, retained, interest, keys, *now_ms);
            needs.into_iter().for_each(|need| self.log.hear(need));
        }

        fn tell_clock(&mut self) {
            let wall_ms = self.now_ms;
            let at = self.log.write(&Entry::Clock(Clock { wall_ms }));
            self.settle(at, What::Clock(wall_ms));
            if let Some(before) = self.clock.replace(at) {
                self.log.hear(Need::Release(before));
            }
        }

        fn expire(&mut self) {
            let Self { retained, keys, log, now_ms, topics, .. } = self;
            retained.expire(*now_ms, 100, |gone| {
                keys.pass(bury(gone)).into_iter().for_each(|need| log.hear(need));
            });
            topics.retain(|_, (_, deadline_ms)| *deadline_ms > *now_ms);
        }

        /// The process ends; the domain clock may go back to what the log has.
        fn crash(&mut self, tally: &mut Tally) {
            let Self { seed, chance, log, .. } = self;
            let mut back = BTreeSet::new();
            back.extend(log.released.iter().filter(|_| chance.below(2) == 0));
            back.extend(log.forgotten.iter().filter(|_| chance.below(2) == 0));
            let found = log.start(&back);
            tally.back += back.len();
            let before_ms = self.now_ms;
            if chance.below(2) == 0 {
                self.now_ms = found.clock_ms.max(1_000);
            }
            for (name, (end, at)) in &self.asked {
                let known = found.requests.iter().find(|request| *request.key == **name);
                let known = known.map(|request| (request.ends_at_ms, request.sequence));
                if *end > self.now_ms {
                    assert_eq!(known, Some((*end, *at)), "seed {seed}: {name} is missing");
                    tally.keys += 1;
                }
            }
            let topics = found.retained.iter();
            let topics =
                topics.map(|r| (r.message.topic().to_owned(), (r.sequence, r.deadline_ms)));
            let topics: BTreeMap<_, _> = topics.collect();
            let living = |topics: &BTreeMap<String, (Sequence, u64)>| {
                let mut topics = topics.clone();
                topics.retain(|_, (_, deadline_ms)| *deadline_ms > before_ms);
                topics
            };
            assert_eq!(living(&topics), living(&self.topics), "seed {seed}");
            tally.topics += living(&topics).len();
            self.topics = topics;
            let asked = found.requests.iter();
            self.asked = asked.map(|r| (r.key.to_string(), (r.ends_at_ms, r.sequence))).collect();
            self.begin(found, &back);
        }

        /// As `gridhub` does it.
        fn begin(&mut self, found: Found, back: &BTreeSet<Sequence>) {
            let log = &mut self.log;
            // What no footer says is held never comes back.
            log.released.clear();
            log.forgotten.clear();
            log.held.extend(back);
            log.buried.clear();
            found.stale.into_iter().for_each(|at| log.hear(Need::Release(at)));
            for (oldest, at) in found.tombstones {
                log.hear(Need::Bury { oldest, at });
            }
            (self.keys, self.retained) = (KeyRecords::default(), Retained::new(&Limits::open()));
            let shared = |at| found.shared.iter().any(|(shared, _)| *shared == at);
            self.keys.restore(&found.requests, shared);
            let retained = found.retained.into_iter().map(|one| one.restored(&Arc::default()));
            self.retained.restore(retained, found.clock_ms);
            self.clock = found.clock_record;
            self.kept = found.kept;
        }

        /// When all has ended, only messages of topics and the clock are held.
        fn leaves_nothing_behind(mut self) {
            self.now_ms += 1_000;
            self.expire();
            self.tell_clock();
            assert!(!self.keys.has_ended(self.now_ms));
            self.log.clean(|_| true);
            let mut held = self.log.held;
            held.retain(|at| !self.kept.contains(at) && Some(*at) != self.clock);
            let topics: BTreeSet<_> = self.topics.values().map(|(at, _)| *at).collect();
            assert_eq!(held, topics, "seed {}", self.seed);
        }
    }

    fn published(topic: &str, payload: &str, retain: bool, sequence: u64) -> Publication {
        let qos = QoS::AtLeastOnce;
        let message = mqtt::message::Message::new(topic, &[], payload.as_bytes(), qos, retain);
        let publication = Publication { deadline_ms: NEVER, ..Publication::new(message) };
        publication.settled_at(sequence);
        publication
    }
}
