//! The thread that gives space back, and makes segments ahead.

use crate::disk::{FileDisk, FileHandle};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use store::log::{Cleaner, Log, Options};

/// The thread.
pub(super) struct Cleaning {
    asks: Sender<Ask>,
    made: Arc<Mutex<Made>>,
    thread: JoinHandle<()>,
}

/// Segments made ahead, as the writer sees them.
pub(super) struct Spares {
    asks: Sender<Ask>,
    made: Arc<Mutex<Made>>,
    asked: bool,
}

/// What became of the last segment that was asked for.
enum Made {
    Nothing,
    Segment(FileHandle),
    Failed,
}

enum Ask {
    Spare,
    Stop,
}

impl Spares {
    /// The segment that was made.
    pub fn take(&mut self) -> Option<FileHandle> {
        if !self.asked {
            return None;
        }
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let made = std::mem::replace(&mut *made, Made::Nothing);
        self.asked = matches!(made, Made::Nothing);
        match made {
            Made::Segment(file) => Some(file),
            // The next time it may work, as when the disk was full.
            Made::Nothing | Made::Failed => None,
        }
    }

    /// Asks for one, once.
    pub fn ask(&mut self) {
        if !std::mem::replace(&mut self.asked, true) {
            // Without the thread a commit makes its own.
            let _ = self.asks.send(Ask::Spare);
        }
    }
}

impl Cleaning {
    pub fn start(
        cleaner: Cleaner<FileDisk>,
        disk: Arc<FileDisk>,
        options: Options,
    ) -> anyhow::Result<Self> {
        let (asks, asked) = channel();
        let made = Arc::new(Mutex::new(Made::Nothing));
        let spare = Arc::clone(&made);
        let thread = std::thread::Builder::new()
            .name("log-cleaner".into())
            .spawn(move || run(&asked, &cleaner, &disk, &options, &spare))?;
        Ok(Self { asks, made, thread })
    }

    /// The writer's end of it.
    pub fn spares(&self) -> Spares {
        Spares { asks: self.asks.clone(), made: Arc::clone(&self.made), asked: false }
    }

    /// Ends the thread after what it does now.
    pub fn stop(self) {
        let _ = self.asks.send(Ask::Stop);
        let _ = self.thread.join();
    }
}

fn run(
    asked: &Receiver<Ask>,
    cleaner: &Cleaner<FileDisk>,
    disk: &FileDisk,
    options: &Options,
    spare: &Mutex<Made>,
) {
    let mut pause = TICK;
    let mut spare_from = Instant::now();
    loop {
        match asked.recv_timeout(pause) {
            Ok(Ask::Spare) => {
                let may_try = Instant::now() >= spare_from;
                let made = if may_try { make_spare(disk, options) } else { Made::Failed };
                if may_try && matches!(made, Made::Failed) {
                    spare_from = Instant::now() + AFTER_ERROR;
                }
                *spare.lock().unwrap_or_else(PoisonError::into_inner) = made;
            }
            Ok(Ask::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => pause = clean(cleaner, options),
        }
    }
}

fn make_spare(disk: &FileDisk, options: &Options) -> Made {
    match Log::make_spare(disk, options) {
        Ok(file) => Made::Segment(file),
        Err(error) => {
            tracing::warn!(%error, "a segment cannot be made ahead");
            Made::Failed
        }
    }
}

/// Cleans once; how long to wait until the next time.
fn clean(cleaner: &Cleaner<FileDisk>, options: &Options) -> Duration {
    let cleaned = cleaner.clean(options.segment_bytes).and_then(|cleaned| {
        let left = cleaner.release_tombstones();
        if left > TOMBSTONES_MAX { cleaner.renew() } else { Ok(cleaned) }
    });
    match cleaned {
        Ok(cleaned) => TICK + Duration::from_micros(cleaned.written / BYTES_A_MICROSECOND),
        Err(error) => {
            tracing::error!(%error, "the log cannot be cleaned");
            AFTER_ERROR
        }
    }
}

const TICK: Duration = Duration::from_millis(200);
const AFTER_ERROR: Duration = Duration::from_secs(10);
/// Copying takes at most 64 MB of each second from the disk.
const BYTES_A_MICROSECOND: u64 = 64;
/// More buried keys than this are worth a rewrite for their own sake.
const TOMBSTONES_MAX: usize = 10_000;
