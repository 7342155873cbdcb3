//! Where the shards' records become facts: in memory at once, or in a log on a disk that crashes on
//! purpose, whenever the world says so. Refuses to know what a record means to anybody.

use crate::chance::Chance;
use broker::retained::Retained;
use broker::subscription::Interest;
use crashdisk::{CrashDisk, CrashFile, Fault};
use engine::{Committer, Engine, Facts, Intake, LogEnd, Memory, Step};
use node::journal::{Found, Replay};
use node::keys::KeyRecords;
use node::post::Post;
use node::record::{Record, settle};
use node::{ReadJob, answer, resume};
use std::collections::VecDeque;
use std::sync::Arc;
use store::log::{CleanError, Cleaner, CommitError, Log, Options, Reader};
use store::op::{NamespaceId, Sequence};

/// Either of both.
pub(crate) enum Keeping {
    Memory(LogEnd),
    Log(Box<Logged>),
}

/// A log, with what its threads do.
pub(crate) struct Logged {
    disk: CrashDisk,
    committer: Committer<CrashDisk, Record>,
    intake: Arc<Intake<Record>>,
    reader: Reader<CrashFile>,
    cleaner: Cleaner<CrashDisk>,
    /// What sessions want to read: the reactor that asks, and what for.
    reads: VecDeque<(usize, Box<ReadJob>)>,
    pub health: Health,
}

/// Whether the disk takes what is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Health {
    Well,
    Full,
    /// Until the next start.
    Failed,
}

/// What a start has found.
pub(crate) struct Opened {
    pub found: Found,
    /// The last record.
    pub end: Sequence,
}

/// Facts on their way to a reactor.
pub(crate) type Told = (usize, Arc<Facts<Record>>);

impl Keeping {
    /// One reactor's end of it.
    pub fn engine(&self, reactor: usize) -> Engine<Record> {
        match self {
            Self::Memory(end) => Engine::Memory(Memory::new(end.clone())),
            Self::Log(log) => Engine::Log(log.intake.handle(reactor as u8)),
        }
    }

    pub fn log(&mut self) -> Option<&mut Logged> {
        match self {
            Self::Memory(_) => None,
            Self::Log(log) => Some(log),
        }
    }

    pub fn is_log(&self) -> bool {
        matches!(self, Self::Log(_))
    }
}

impl Logged {
    /// Opens the log as production does.
    ///
    /// # Errors
    /// What makes a start fail: it is a finding.
    pub fn open(disk: &CrashDisk) -> Result<(Box<Self>, Opened), String> {
        let mut replay = Replay::new();
        let mut bad = None;
        let recovered = Log::open(disk.clone(), OPTIONS, |record| {
            if let Err(error) = replay.take(record) {
                bad.get_or_insert(format!("record {}: {error}", record.sequence.0));
            }
        });
        let recovered = recovered.map_err(|error| format!("the log cannot be opened: {error}"))?;
        if let Some(bad) = bad {
            return Err(format!("the log cannot be read: {bad}"));
        }
        let (mut log, mut found) = (recovered.log, replay.finish());
        let end = resume(&mut log, &mut found, NAMESPACE);
        let end = end.map_err(|error| format!("the log cannot be resumed: {error}"))?;
        let (reader, cleaner) = (log.reader(), log.cleaner());
        let intake = Intake::new(|| {});
        let committer = Committer::new(log, Arc::clone(&intake));
        let (disk, reads, health) = (disk.clone(), VecDeque::new(), Health::Well);
        let this = Self { disk, committer, intake, reader, cleaner, reads, health };
        Ok((Box::new(this), Opened { found, end }))
    }

    /// Once every reactor has taken in its sessions: streams without a holder are of sessions that
    /// have ended. Gives who is to be told.
    pub fn begin(&mut self) -> Vec<Told> {
        let mut told = Vec::new();
        self.committer.step(|_, _| {}, |reactor, facts| told.push((reactor, facts)));
        self.cleaner.end_unheld();
        told
    }

    /// One commit; whether anything waited for it, and who is to be told.
    pub fn commit(
        &mut self,
        retained: &Retained,
        interest: &Interest,
        keys: &KeyRecords,
        now_ms: u64,
    ) -> (Step, Vec<Told>) {
        let mut told = Vec::new();
        let step = self.committer.step(
            |fact, needs| settle(fact, needs, retained, interest, keys, now_ms),
            |reactor, facts| told.push((reactor, facts)),
        );
        match &step {
            Step::Idle => {}
            Step::Committed(_) => self.health = Health::Well,
            Step::Refused(_, CommitError::Full(_)) => self.health = Health::Full,
            Step::Refused(_, CommitError::Failed(_)) => self.health = Health::Failed,
        }
        (step, told)
    }

    /// A session wants to read.
    pub fn ask(&mut self, reactor: usize, job: Box<ReadJob>) {
        self.reads.push_back((reactor, job));
    }

    /// The oldest read that was asked for.
    pub fn read(&mut self) -> Option<(usize, Post)> {
        let (reactor, job) = self.reads.pop_front()?;
        Some((reactor, answer(&self.reader, *job)))
    }

    /// Gives space back, as the cleaning thread does.
    ///
    /// # Errors
    /// As the cleaner's; what the disk refuses is none.
    pub fn clean(&self, chance: &mut Chance) -> Result<u64, String> {
        let cleaned = self.cleaner.clean(OPTIONS.segment_bytes).and_then(|cleaned| {
            let left = self.cleaner.release_tombstones();
            if left > 0 && chance.one_in(4) { self.cleaner.renew() } else { Ok(cleaned) }
        });
        match cleaned {
            Ok(cleaned) => Ok(cleaned.written),
            Err(CleanError::Io(_)) => Ok(0),
            Err(error) => Err(format!("the log cannot be cleaned: {error}")),
        }
    }

    /// Makes a segment ahead.
    pub fn make_spare(&mut self) {
        if self.committer.log().wants_spare()
            && let Ok(file) = Log::make_spare(&self.disk, &OPTIONS)
        {
            self.committer.log().give_spare(file);
        }
    }

    /// What goes wrong a few calls from now.
    pub fn plan(&self, after: u64, fault: Fault) {
        self.disk.plan(after, fault);
    }

    pub fn disk(&self) -> &CrashDisk {
        &self.disk
    }
}

/// The one namespace.
pub(crate) const NAMESPACE: NamespaceId = NamespaceId(1);
/// The smallest that may be: seeds are short.
const OPTIONS: Options = Options { segment_bytes: 64 << 10, identity: 7 };
