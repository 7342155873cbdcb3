//! The log of a durable namespace: opened, read at start, and served by threads of its own, so
//! that no reactor waits for a disk.
//!
//! Owns those threads and their order at start and stop. What a record means is `node`'s to know,
//! what a file is `store`'s.

mod bell;
mod cleaning;
mod folding;
mod open;
mod reading;
mod state;
mod writing;

pub use open::{Opened, open};
#[cfg(test)]
pub use state::Health;
pub use state::{State, Watch};

use crate::net::{Inbox, Parcel};
use bell::Bell;
use broker::retained::Retained;
use broker::subscription::Interest;
use cleaning::Cleaning;
use engine::{Committer, Intake};
use node::ReadJob;
use node::devices::Hub;
use node::keys::KeyRecords;
use node::post::Post;
use node::record::Record;
use state::Tally;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use writing::Writing;

/// What the threads share with the reactors.
pub struct Sharing {
    /// Every reactor's post.
    pub inboxes: Arc<[Arc<Inbox>]>,
    /// Retained messages.
    pub retained: Arc<Retained>,
    /// Which records carry keys.
    pub keys: Arc<KeyRecords>,
    /// Which reactor wants what, and which filters are held.
    pub interest: Arc<Interest>,
    /// Whose telemetry channel may have to let go of something.
    pub hub: Option<Arc<Hub>>,
    /// The domain clock.
    pub wall: Arc<dyn Fn() -> u64 + Send + Sync>,
}

/// The way into the log, before anybody writes it.
pub struct Entrance {
    /// Where reactors put their records.
    pub intake: Arc<Intake<Record>>,
    bell: Arc<Bell>,
}

/// The threads of a running log.
pub struct Threads {
    /// Reads for sessions: the reactor that asks, and what for.
    pub reads: Sender<(usize, Box<ReadJob>)>,
    /// How the log is doing.
    pub watch: Arc<Watch>,
    bell: Arc<Bell>,
    cleaning: Cleaning,
    writer: JoinHandle<()>,
}

impl Entrance {
    /// An empty one.
    pub fn new() -> Self {
        let bell = Arc::new(Bell::default());
        let rung = Arc::clone(&bell);
        Self { intake: Intake::new(move || rung.ring()), bell }
    }

    /// Starts the threads, once every reactor has taken in its sessions.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(self, opened: Opened, sharing: Sharing) -> anyhow::Result<Threads> {
        let Opened { log, disk, options, place, syncs, .. } = opened;
        let (reader, cleaner) = (log.reader(), log.cleaner());
        let tally = Arc::new(Tally::new((sharing.wall)()));
        let watch = Arc::new(Watch::new(place, log.reader(), Arc::clone(&tally), syncs));
        let reads = reading::start(reader, Arc::clone(&sharing.inboxes))?;
        let mut committer = Committer::new(log, Arc::clone(&self.intake));
        // What sessions hold, and the ends of those whose owner is gone: their reactors hear of it
        // as of any other record. After that, streams without a holder are of sessions that ended.
        committer.step(
            |_, _| {},
            |reactor, facts| sharing.inboxes[reactor].send(Parcel::Post(Post::Facts(facts))),
        );
        cleaner.end_unheld();
        let cleaning = Cleaning::start(cleaner, disk, options)?;
        let spares = cleaning.spares();
        let bell = Arc::clone(&self.bell);
        let writer =
            Writing { committer, bell: Arc::clone(&bell), spares, sharing, tally, last: 0 };
        Ok(Threads { reads, watch, bell, cleaning, writer: writer.start()? })
    }
}

impl Threads {
    /// Writes what waits and ends the threads. The reactors have ended before.
    pub fn stop(self) {
        self.bell.stop();
        // A thread that panicked has nothing left to finish.
        let _ = self.writer.join();
        drop(self.reads);
        self.cleaning.stop();
    }
}
