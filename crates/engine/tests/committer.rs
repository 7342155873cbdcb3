//! Many reactors, one committer, a disk that fails: who hears of what, in which order, and what of
//! it is there after a crash.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

use crashdisk::{CrashDisk, Fault, below};
use engine::{Committer, Facts, Form, Handle, Intake, Outcome, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use store::log::{Hold, Kind, Log, Options};
use store::op::{NamespaceId, Sequence, Ticket};

/// What a record is to its hearers: its own bytes.
type Told = Arc<[u8]>;

struct World {
    chance: u64,
    disk: CrashDisk,
    committer: Committer<CrashDisk, Told>,
    handles: Vec<Handle<Told>>,
    woken: Arc<AtomicUsize>,
    /// By reactor: tickets without an outcome, in order.
    open: Vec<BTreeMap<u64, Told>>,
    /// By reactor: sequences it heard of, in order.
    heard: Vec<Vec<u64>>,
    durable: BTreeMap<u64, Told>,
    /// What a failing disk may have kept.
    unsure: BTreeSet<Told>,
    tickets: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let disk = CrashDisk::new(seed);
        let (committer, handles, woken) = start(&disk);
        Self {
            chance: seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1,
            disk,
            committer,
            handles,
            woken,
            open: vec![BTreeMap::new(); REACTORS],
            heard: vec![Vec::new(); REACTORS],
            durable: BTreeMap::new(),
            unsure: BTreeSet::new(),
            tickets: 0,
        }
    }

    fn submit(&mut self) {
        let me = below(&mut self.chance, REACTORS as u64) as usize;
        self.tickets += 1;
        let told: Told = format!("record {}", self.tickets).into_bytes().into();
        let others = below(&mut self.chance, 1 << REACTORS);
        let form = Form {
            kind: Kind(1),
            hold: Hold::UntilReleased,
            namespace: NamespaceId(1),
            streams: &[],
            payload: &[&told[..4], &told[4..]],
        };
        self.handles[me].submit(Ticket(self.tickets), others, form, Arc::clone(&told));
        self.open[me].insert(self.tickets, told);
    }

    fn flush(&mut self) {
        let me = below(&mut self.chance, REACTORS as u64) as usize;
        let (was, waits) = (self.woken.load(Ordering::Relaxed), !self.open[me].is_empty());
        self.handles[me].flush();
        assert!(self.woken.load(Ordering::Relaxed) - was <= usize::from(waits));
    }

    fn step(&mut self) {
        let mut told = Vec::new();
        let step = self.committer.step(|_, _| {}, |reactor, facts| told.push((reactor, facts)));
        let reactors: BTreeSet<usize> = told.iter().map(|(reactor, _)| *reactor).collect();
        assert_eq!(reactors.len(), told.len(), "each hears of a commit once");
        match step {
            Step::Idle => assert!(told.is_empty()),
            Step::Committed(n) | Step::Refused(n, _) => assert_eq!(told[0].1.list.len(), n),
        }
        for (reactor, facts) in told {
            self.hear(reactor, &facts);
        }
    }

    fn hear(&mut self, reactor: usize, facts: &Facts<Told>) {
        for fact in facts.of(reactor) {
            if usize::from(fact.origin) == reactor {
                let (ticket, told) = self.open[reactor].pop_first().unwrap();
                assert_eq!(ticket, fact.ticket.0, "outcomes come in the order of submission");
                assert_eq!(told, fact.record);
            } else {
                assert!(fact.others & (1 << reactor) != 0 && facts.outcome == Outcome::Durable);
            }
            match facts.outcome {
                Outcome::Durable => {
                    let last = self.heard[reactor].last().copied().unwrap_or(0);
                    assert!(last < fact.sequence.0, "the log's order");
                    self.heard[reactor].push(fact.sequence.0);
                    self.durable.insert(fact.sequence.0, Arc::clone(&fact.record));
                }
                Outcome::Full | Outcome::Failed => {
                    assert_eq!(fact.sequence, Sequence(0));
                    self.unsure.insert(Arc::clone(&fact.record));
                }
            }
        }
    }

    /// The power goes and comes back: what was told durable is there, nothing else but what had no
    /// outcome.
    fn crash(&mut self) {
        self.disk.crash();
        let open = self.open.iter_mut().flat_map(|open| std::mem::take(open).into_values());
        self.unsure.extend(open);
        let mut found = BTreeMap::new();
        let options = Options { segment_bytes: 64 * 1024, identity: 7 };
        drop(Log::open(self.disk.clone(), options, |record| {
            found.insert(record.sequence.0, Told::from(record.payload));
        }));
        for (sequence, told) in &self.durable {
            assert_eq!(found.get(sequence), Some(told), "what was told durable is there");
        }
        for (sequence, told) in found {
            if !self.durable.contains_key(&sequence) {
                assert!(self.unsure.contains(&told), "nobody sent {told:?}");
                self.durable.insert(sequence, told);
            }
        }
        (self.committer, self.handles, self.woken) = start(&self.disk);
        self.heard = vec![Vec::new(); REACTORS];
    }
}

fn start(disk: &CrashDisk) -> (Committer<CrashDisk, Told>, Vec<Handle<Told>>, Arc<AtomicUsize>) {
    let options = Options { segment_bytes: 64 * 1024, identity: 7 };
    let log = Log::open(disk.clone(), options, |_| {}).unwrap().log;
    let woken = Arc::new(AtomicUsize::new(0));
    let wakes = Arc::clone(&woken);
    let intake = Intake::new(move || {
        wakes.fetch_add(1, Ordering::Relaxed);
    });
    let handles = (0..REACTORS).map(|n| intake.handle(n as u8)).collect();
    (Committer::new(log, intake), handles, woken)
}

#[test]
fn everybody_concerned_hears_the_log_in_its_order_and_it_lasts() {
    let (mut durable, mut refused) = (0, 0);
    for seed in 1..=SEEDS {
        let mut world = World::new(seed);
        for _ in 0..STEPS {
            match below(&mut world.chance, 40) {
                0 => world.crash(),
                1 => world.disk.plan(below(&mut world.chance, 8), Fault::Broken),
                2 => world.disk.plan(1, Fault::Full(below(&mut world.chance, 20))),
                3 => world.disk.plan(below(&mut world.chance, 20), Fault::PowerLoss),
                4..20 => world.submit(),
                20..30 => world.flush(),
                _ => world.step(),
            }
        }
        refused += world.unsure.len();
        world.crash();
        durable += world.durable.len();
    }
    assert!(durable > 10_000 && refused > 500, "{durable} durable, {refused} not");
}

const REACTORS: usize = 4;
const SEEDS: u64 = 150;
const STEPS: usize = 600;
