//! One process a data directory. Knows nothing of what lies in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};

/// Held while a process uses a data directory; the system releases it when the process ends,
/// however it ends.
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the lock and leaves this process's id in it.
    ///
    /// # Errors
    /// When another process holds it; the message names its pid.
    pub fn take(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(NAME);
        let context = || format!("cannot lock the data directory {}", dir.display());
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .with_context(context)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // A holder that cannot be read is still a holder.
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                let who = if holder.is_empty() { "another process" } else { holder };
                bail!(
                    "the data directory {} is in use by process {who}; stop it, or choose \
                     another with --data DIR or --ephemeral",
                    dir.display()
                );
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(context),
        }
        file.rewind().with_context(context)?;
        file.set_len(0).with_context(context)?;
        writeln!(file, "{}", std::process::id()).with_context(context)?;
        Ok(Self { _file: file })
    }
}

const NAME: &str = "lock";
