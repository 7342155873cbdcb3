//! One process a data directory. Knows nothing of what lies in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
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
        lock(&mut file, dir)?;
        file.rewind().with_context(context)?;
        file.set_len(0).with_context(context)?;
        writeln!(file, "{}", std::process::id()).with_context(context)?;
        Ok(Self { _file: file })
    }

    /// Keeps other processes out for a while and leaves no trace of it. `None` where no process
    /// ever took the lock: then there is none to take.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn watch(dir: &Path) -> anyhow::Result<Option<Self>> {
        let context = || format!("cannot lock the data directory {}", dir.display());
        let mut file = match File::open(dir.join(NAME)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(context),
        };
        lock(&mut file, dir)?;
        Ok(Some(Self { _file: file }))
    }
}

fn lock(file: &mut File, dir: &Path) -> anyhow::Result<()> {
    let shown = dir.display();
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // A holder that cannot be read is still a holder.
            let _ = file.read_to_string(&mut holder);
            let holder = holder.trim();
            let who = if holder.is_empty() { "another process" } else { holder };
            bail!(
                "the data directory {shown} is in use by process {who}; stop it, or choose another \
                 directory"
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock the data directory {shown}"))
        }
    }
}

/// The file that is locked.
pub const NAME: &str = "lock";
