//! What the disk itself takes: a thread that appends and calls fdatasync, again and again, as the
//! log does. Refuses to know a server.

use crate::latency::Latency;
use anyhow::{Result, anyhow};
use rustix::fs::{FallocateFlags, fallocate};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

/// A running thread.
pub struct Raw {
    thread: JoinHandle<Result<Latency>>,
    stop: Arc<AtomicBool>,
}

impl Raw {
    /// Appends `bytes` at a time, each as soon as the one before lasts.
    ///
    /// # Errors
    /// When there is no thread.
    pub fn start(folder: &Path, bytes: usize) -> Result<Self> {
        let (path, stop) = (folder.join("raw"), Arc::new(AtomicBool::new(false)));
        let ends = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("raw".into());
        let thread = thread.spawn(move || {
            let taken = append(&path, bytes, &ends);
            std::fs::remove_file(&path)?;
            taken
        })?;
        Ok(Self { thread, stop })
    }

    /// Ends it; how long each append with its fdatasync took.
    ///
    /// # Errors
    /// When the disk failed.
    pub fn finish(self) -> Result<Latency> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the raw appends panicked"))?
    }
}

fn append(path: &Path, bytes: usize, stop: &AtomicBool) -> Result<Latency> {
    let (mut times, batch) = (Latency::default(), vec![0x5A; bytes.max(1)]);
    let (mut file, mut at) = (reserved(path)?, 0);
    while !stop.load(Ordering::Relaxed) {
        if at + batch.len() as u64 > FILE_BYTES {
            (file, at) = (reserved(path)?, 0);
        }
        let begun = Instant::now();
        file.write_all_at(&batch, at)?;
        file.sync_data()?;
        times.add(u64::try_from(begun.elapsed().as_micros())?);
        at += batch.len() as u64;
    }
    Ok(times)
}

/// Its place on the disk is reserved before it is written, as a segment's is.
fn reserved(path: &Path) -> Result<File> {
    let file = File::create(path)?;
    fallocate(&file, FallocateFlags::empty(), 0, FILE_BYTES)?;
    file.sync_all()?;
    Ok(file)
}

/// As large as a segment.
const FILE_BYTES: u64 = 32 << 20;
