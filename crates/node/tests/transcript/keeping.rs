//! Where the reactors' records become facts: in memory, or in a log on a disk of its own.

use broker::retained::Retained;
use broker::subscription::Interest;
use crashdisk::CrashDisk;
use engine::{Committer, Engine, Intake, LogEnd, Memory, Step};
use node::keys::KeyRecords;
use node::post::Post;
use node::record::{Record, settle};
use node::{ReadJob, answer};
use std::sync::Arc;
use store::log::{Log, Options, Reader};

/// Which of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    InMemory,
    InLog,
}

/// What makes facts of all reactors' records.
pub struct Keeping {
    /// Which records carry keys.
    pub keys: Arc<KeyRecords>,
    place: Place,
}

/// Where they become facts.
enum Place {
    Memory(LogEnd),
    Log(Box<Logged>),
}

/// A log, with the thread that writes it.
struct Logged {
    committer: Committer<CrashDisk, Record>,
    intake: Arc<Intake<Record>>,
    reader: Reader<crashdisk::CrashFile>,
}

impl Keeping {
    pub fn new(kept: Kept) -> Self {
        let keys = Arc::default();
        if kept == Kept::InMemory {
            return Self { keys, place: Place::Memory(LogEnd::default()) };
        }
        let options = Options { segment_bytes: 64 * 1024, identity: 7 };
        let log = Log::open(CrashDisk::new(1), options, |_| {}).expect("an empty disk").log;
        let (reader, intake) = (log.reader(), Intake::new(|| {}));
        let committer = Committer::new(log, Arc::clone(&intake));
        Self { keys, place: Place::Log(Box::new(Logged { committer, intake, reader })) }
    }

    /// One reactor's end of it.
    pub fn engine(&self, reactor: usize) -> Engine<Record> {
        match &self.place {
            Place::Memory(end) => Engine::Memory(Memory::new(end.clone())),
            Place::Log(log) => Engine::Log(log.intake.handle(reactor as u8)),
        }
    }

    /// Makes facts; whether there was something to do.
    pub fn step(
        &mut self,
        retained: &Retained,
        interest: &Interest,
        now_ms: u64,
        posts: &mut [Vec<Post>],
    ) -> bool {
        let Self { keys, place: Place::Log(log) } = self else { return false };
        let step = log.committer.step(
            |fact, needs| settle(fact, needs, retained, interest, keys, now_ms),
            |reactor, facts| posts[reactor].push(Post::Facts(facts)),
        );
        assert!(!matches!(step, Step::Refused(..)), "the disk is well");
        !matches!(step, Step::Idle)
    }

    /// Reads for a session.
    pub fn read(&self, job: ReadJob) -> Post {
        match &self.place {
            Place::Memory(_) => panic!("nothing was left in a log"),
            Place::Log(log) => answer(&log.reader, job),
        }
    }
}
