//! Random histories of a queue against a naive account of it: nothing lost, nothing ended twice,
//! the order of sequence numbers, and at every point what the log keeps says the same as the queue.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use store::log::Need;
use store::op::Sequence;

use super::entry::{Entry, State};
use super::examples::message;
use super::{Ack, Claim, Holder, Queue, Record, Settings, Settlement, Step};
use crate::LockToken;
use crate::chance::Chance;
use crate::telemetry::Message;

/// What an outsider knows of a command.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    expires_ms: u64,
    deliveries: u32,
    held: Option<(Holder, u64)>,
    is_settling: bool,
}

/// A log whose released records may come back until a cleaning.
#[derive(Default)]
struct Log {
    records: Vec<Vec<u8>>,
    released: BTreeSet<u64>,
    buried: Vec<(u64, u64)>,
    cleaned: BTreeSet<u64>,
}

impl Log {
    fn tell(&mut self, needs: Vec<Need>) {
        for need in needs {
            match need {
                Need::Release(at) => drop(self.released.insert(at.0)),
                Need::Bury { oldest, at } => self.buried.push((oldest.0, at.0)),
                other => panic!("{other:?}"),
            }
        }
    }

    fn clean(&mut self) {
        self.cleaned.append(&mut self.released);
        self.cleaned.extend(self.buried.drain(..).map(|(_, at)| at));
    }

    /// A start: what it finds is released again, what it does not find never comes back.
    fn start(&mut self, mut comes_back: impl FnMut() -> bool) -> Queue {
        let (back, gone): (BTreeSet<u64>, BTreeSet<u64>) =
            std::mem::take(&mut self.released).into_iter().partition(|_| comes_back());
        self.cleaned.extend(gone);
        self.buried.clear();
        let (queue, needs) = self.found(|_| true);
        self.tell(needs);
        assert!(self.released.is_superset(&back), "{back:?} is released again");
        queue
    }

    /// What a start may find.
    fn found(&self, mut comes_back: impl FnMut(u64) -> bool) -> (Queue, Vec<Need>) {
        let (mut queue, mut needs) = (Queue::default(), Vec::new());
        for (at, bytes) in (1..).zip(&self.records) {
            let is_gone = self.cleaned.contains(&at);
            if is_gone || self.released.contains(&at) && !comes_back(at) {
                continue;
            }
            let record = Record::decode(bytes).unwrap();
            queue.heard(&record, Sequence(at), DEAD_MAX, &mut needs);
        }
        (queue, needs)
    }

    fn whole(&self) -> Queue {
        let mut queue = Queue::default();
        for (at, bytes) in (1..).zip(&self.records) {
            let record = Record::decode(bytes).unwrap();
            queue.heard(&record, Sequence(at), DEAD_MAX, &mut Vec::new());
        }
        queue
    }
}

/// What of a queue outlives a crash: commands, dead letters, the records of both.
fn durable(queue: &Queue) -> impl PartialEq + std::fmt::Debug {
    let known = |entry: &&Entry| entry.state != State::Writing;
    let entries = queue.entries.iter().filter(known).map(|entry| {
        let places = (entry.content_at, entry.abandoned_at);
        (entry.content.bytes().to_vec(), entry.deliveries, places)
    });
    (entries.collect::<Vec<_>>(), queue.dead.clone())
}

struct World {
    chance: Chance,
    now_ms: u64,
    settings: Settings,
    queue: Queue,
    log: Log,
    /// On their way to the log.
    submitted: VecDeque<Record>,
    known: BTreeMap<u64, Known>,
    ended: BTreeSet<u64>,
    greatest: u64,
    tokens: u128,
    connection: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let settings = Settings {
            deliveries_max: 3,
            depth_max: 8,
            dead_letters_max: DEAD_MAX,
            ..Settings::default()
        };
        Self {
            chance: Chance::new(seed),
            now_ms: 1,
            settings,
            queue: Queue::default(),
            log: Log::default(),
            submitted: VecDeque::new(),
            known: BTreeMap::new(),
            ended: BTreeSet::new(),
            greatest: 0,
            tokens: 0,
            connection: 0,
        }
    }

    fn step(&mut self) {
        self.now_ms += self.chance.below(20) as u64;
        let now_ms = self.now_ms;
        match self.chance.below(20) {
            0..=4 => self.send(),
            5..=8 => self.deliver(),
            9..=12 => self.settle(),
            13 => {
                let connection = self.connection;
                self.queue.disconnected(connection);
                let holder = Holder::Connection(connection);
                for known in self.known.values_mut() {
                    known.held = known.held.filter(|(held_by, _)| *held_by != holder);
                }
                self.connection += 1;
            }
            14 => {
                let step = self.queue.turn(now_ms);
                self.over(step, |known, now_ms| known.expires_ms <= now_ms);
            }
            15 if self.chance.below(4) == 0 => {
                let step = self.queue.purge(now_ms);
                self.over(step, |_, _| true);
            }
            16 if self.chance.below(6) == 0 => self.crash(),
            17 if self.chance.below(4) == 0 => self.log.clean(),
            18 if self.chance.below(4) == 0 => self.lose(),
            _ => self.hear(),
        }
        self.judge();
    }

    fn send(&mut self) {
        let expires_ms = Some(self.now_ms + 1 + self.chance.below(2_000) as u64);
        let body = vec![7; self.chance.below(40)];
        let sent = Message { body: &body, ..message(None, Ack::Full, expires_ms) };
        let writing = self.submitted.iter().filter(|one| matches!(one, Record::Enqueued(_)));
        let is_full = self.known.len() + writing.count() >= 8;
        match self.queue.enqueue(&sent, &self.settings, self.now_ms) {
            Ok(record) => self.submitted.push_back(record),
            Err(refused) => assert!(is_full, "{refused}"),
        }
    }

    fn waits(known: &Known, now_ms: u64) -> bool {
        !known.is_settling && known.held.is_none_or(|(_, until_ms)| until_ms <= now_ms)
    }

    fn deliver(&mut self) {
        let (now_ms, lock_ms) = (self.now_ms, 50 + self.chance.below(100) as u64);
        let to = match self.chance.below(3) {
            0 => {
                self.tokens += 1;
                Holder::Lock(LockToken(self.tokens))
            }
            _ => Holder::Connection(self.connection),
        };
        let is_next = |known: &Known| Self::waits(known, now_ms) && known.expires_ms > now_ms;
        let expected = self.known.iter_mut().find(|(_, known)| is_next(known));
        let delivery = self.queue.deliver(to, lock_ms, now_ms, |_| true);
        let found = delivery.map(|one| (one.content.read().sequence, one.deliveries));
        assert_eq!(found, expected.as_ref().map(|(sequence, one)| (**sequence, one.deliveries)));
        expected.into_iter().for_each(|(_, one)| one.held = Some((to, now_ms + lock_ms)));
    }

    fn settle(&mut self) {
        let now_ms = self.now_ms;
        let claim = match self.chance.below(3) {
            0 => Claim::Locked(LockToken(self.chance.below(self.tokens as usize + 1) as u128)),
            _ => {
                let sequence = self.greatest.saturating_sub(self.chance.below(8) as u64);
                Claim::Sent { connection: self.connection, sequence }
            }
        };
        let how = [Settlement::Complete, Settlement::Abandon, Settlement::Reject];
        let how = how[self.chance.below(3)];
        let expected = self.known.iter_mut().find(|(known_as, known)| match claim {
            Claim::Locked(token) => {
                let is_it = |(holder, until)| holder == Holder::Lock(token) && until > now_ms;
                !known.is_settling && known.held.is_some_and(is_it)
            }
            Claim::Sent { connection, sequence } => {
                let mine = Some(Holder::Connection(connection));
                let is_mine = known.held.map(|(holder, _)| holder) == mine;
                let is_free = Self::waits(known, now_ms);
                **known_as == sequence && !known.is_settling && (is_mine || is_free)
            }
        });
        let expected = expected.map(|(sequence, known)| {
            (known.is_settling, known.held) = (true, None);
            *sequence
        });
        let step = self.queue.settle(claim, how, &self.settings, now_ms);
        match (step, expected) {
            (Err(_), None) => {}
            (Ok(Step { record, .. }), Some(sequence)) => {
                match &record {
                    Record::Abandoned { sequence: of, .. } => assert_eq!(*of, sequence),
                    Record::Ended(ended) => assert_eq!(*ended.sequences, [sequence]),
                    Record::Enqueued(_) => panic!("nothing was sent"),
                }
                self.submitted.push_back(record);
            }
            (found, expected) => panic!("{found:?} {expected:?}"),
        }
    }

    fn over(&mut self, step: Option<Step>, is_meant: impl Fn(&Known, u64) -> bool) {
        let now_ms = self.now_ms;
        let ends = |known: &Known| Self::waits(known, now_ms) && is_meant(known, now_ms);
        let mut expected = Vec::new();
        for (sequence, known) in self.known.iter_mut().filter(|(_, known)| ends(known)) {
            (known.is_settling, known.held) = (true, None);
            expected.push(*sequence);
        }
        match step {
            None => assert_eq!(expected, [0; 0]),
            Some(Step { record, reports }) => {
                let Record::Ended(ended) = &record else { panic!("an end") };
                assert_eq!((&*ended.sequences, reports.len()), (&*expected, expected.len()));
                self.submitted.push_back(record);
            }
        }
    }

    fn hear(&mut self) {
        let Some(record) = self.submitted.pop_front() else { return };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        self.log.records.push(bytes);
        let (at, mut needs) = (Sequence(self.log.records.len() as u64), Vec::new());
        self.queue.heard(&record, at, DEAD_MAX, &mut needs);
        self.log.tell(needs);
        match &record {
            Record::Enqueued(content) => {
                let command = content.read();
                assert!(command.sequence > self.greatest, "a number is used again");
                self.greatest = command.sequence;
                let known = Known {
                    expires_ms: command.expires_ms,
                    deliveries: 0,
                    held: None,
                    is_settling: false,
                };
                self.known.insert(command.sequence, known);
            }
            Record::Abandoned { sequence, deliveries } => {
                let known = self.known.get_mut(sequence).expect("it has not ended");
                (known.is_settling, known.deliveries) = (false, known.deliveries + 1);
                assert_eq!(known.deliveries, *deliveries);
            }
            Record::Ended(ended) => {
                for sequence in &ended.sequences {
                    assert!(self.known.remove(sequence).is_some(), "{sequence} is lost");
                    assert!(self.ended.insert(*sequence), "{sequence} has ended twice");
                }
            }
        }
    }

    /// All that is on its way is lost, as by a disk without room.
    fn lose(&mut self) {
        for record in std::mem::take(&mut self.submitted) {
            self.queue.lost(&record);
        }
        self.known.values_mut().for_each(|known| known.is_settling = false);
    }

    fn crash(&mut self) {
        self.submitted.clear();
        self.connection += 1;
        let chance = &mut self.chance;
        self.queue = self.log.start(|| chance.below(2) == 0);
        for known in self.known.values_mut() {
            (known.is_settling, known.held) = (false, None);
        }
    }

    fn judge(&mut self) {
        let sequences: Vec<u64> = self.known.keys().copied().collect();
        let live = self.queue.entries.iter().filter(|entry| entry.state != State::Writing);
        assert_eq!(live.map(|entry| entry.sequence).collect::<Vec<_>>(), sequences);
        assert_eq!(self.queue.count() as usize, sequences.len());
        let whole = self.log.whole();
        let chance = &mut self.chance;
        let (found, _) = self.log.found(|_| chance.below(2) == 0);
        assert_eq!(durable(&found), durable(&self.queue));
        assert_eq!(durable(&whole), durable(&self.queue));
        assert_eq!(whole.last_sequence, found.last_sequence, "the last number is kept");
    }
}

#[test]
fn nothing_is_lost_and_nothing_ends_twice() {
    let (mut sent, mut ended, mut dead) = (0, 0, 0);
    for seed in 0..60 {
        let mut world = World::new(seed);
        (0..400).for_each(|_| world.step());
        while !world.submitted.is_empty() {
            world.hear();
        }
        let all = world.known.keys().chain(&world.ended).count() as u64;
        let enqueued = world.log.records.iter().filter(|bytes| bytes[1] == 1).count() as u64;
        assert_eq!(all, enqueued, "seed {seed}");
        (sent, ended) = (sent + enqueued, ended + world.ended.len());
        dead += world.queue.dead_letters().len();
    }
    assert!(sent > 2_000 && ended > 1_500 && dead > 50, "{sent} {ended} {dead}");
}

const DEAD_MAX: u32 = 2;
