//! One open file of a log. Owns its reads and writes; refuses to know its name.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::Instant;

use super::space;
use super::times::SyncTimes;

/// An open file; reads and writes name their place, so threads share it.
pub struct FileHandle {
    file: File,
    syncing: Syncing,
    times: Arc<SyncTimes>,
}

/// Whether what is written is made to last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syncing {
    /// A sync comes back when it does.
    Always,
    /// The system has it and writes it when it likes: the end of the process takes nothing, that
    /// of the machine may.
    Never,
}

impl FileHandle {
    pub(super) fn new(file: File, syncing: Syncing, times: Arc<SyncTimes>) -> Self {
        Self { file, syncing, times }
    }
}

impl store::disk::File for FileHandle {
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut got = 0;
        while got < into.len() {
            match self.file.read_at(&mut into[got..], at + got as u64) {
                Ok(0) => break,
                Ok(n) => got += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(got)
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }

    /// `fdatasync`: the data, and of the rest what is needed to read it again.
    fn sync(&self) -> io::Result<()> {
        match self.syncing {
            Syncing::Always => {
                let begun = Instant::now();
                let synced = self.file.sync_data();
                self.times.took(begun.elapsed());
                synced
            }
            Syncing::Never => Ok(()),
        }
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// What is added is reserved where there is room; without it the bytes are still zeros, and a
    /// later write may find the disk full.
    fn set_len(&self, len: u64) -> io::Result<()> {
        let before = self.len()?;
        self.file.set_len(len)?;
        if len > before {
            match space::reserve(&self.file, before, len) {
                Err(error) if !space::is_full(&error) => return Err(error),
                Err(_) | Ok(()) => {}
            }
        }
        Ok(())
    }
}
