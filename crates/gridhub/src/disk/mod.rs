//! The log's disk as real files: a directory of one log, for its owner alone.
//!
//! Owns names, permissions, reserved space and what makes each last. Refuses to know what a file
//! means, and any file outside its directory.

mod file;
mod space;
mod times;

pub use file::{FileHandle, Syncing};
pub use times::{SyncTimes, Times};

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use store::disk::Disk;

/// A directory with the files of one log. The data directory's lock keeps other processes out.
pub struct FileDisk {
    path: PathBuf,
    directory: File,
    usage: Usage,
    syncing: Syncing,
    times: Arc<SyncTimes>,
}

/// What may be done with the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Everything.
    Full,
    /// Nothing is changed: files are opened for reading and the system refuses the rest.
    Inspect,
}

impl FileDisk {
    /// Opens the directory, for its owner alone (mode 0700), and makes it if it is not there.
    ///
    /// # Errors
    /// When it cannot be made, or is no directory.
    pub fn open_or_create(path: &Path) -> io::Result<Self> {
        match DirBuilder::new().mode(0o700).create(path) {
            // A directory that is new has to be there after a crash too.
            Ok(()) => File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700))?;
        Self::open(path, Usage::Full)
    }

    /// Opens a directory that exists, as it is.
    ///
    /// # Errors
    /// When it is not there, or is no directory.
    pub fn open(path: &Path, usage: Usage) -> io::Result<Self> {
        let directory = File::open(path)?;
        if !directory.metadata()?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        let (path, syncing) = (path.to_owned(), Syncing::Always);
        Ok(Self { path, directory, usage, syncing, times: Arc::default() })
    }

    /// The same with other ideas of what lasts.
    pub fn with(self, syncing: Syncing) -> Self {
        Self { syncing, ..self }
    }

    /// How long syncs of its files took so far.
    pub fn sync_times(&self) -> Arc<SyncTimes> {
        Arc::clone(&self.times)
    }

    fn handle(&self, file: File) -> FileHandle {
        FileHandle::new(file, self.syncing, Arc::clone(&self.times))
    }

    /// Where a file lies; the name is one that a log could have given.
    fn place(&self, name: &str) -> io::Result<PathBuf> {
        if !is_plain(name) {
            let why = format!("'{name}' is no file name of a log");
            return Err(io::Error::new(io::ErrorKind::InvalidFilename, why));
        }
        Ok(self.path.join(name))
    }

    /// As [`place`](Self::place), to change what is there.
    fn place_to_change(&self, name: &str) -> io::Result<PathBuf> {
        match self.usage {
            Usage::Full => self.place(name),
            Usage::Inspect => Err(io::Error::new(
                io::ErrorKind::ReadOnlyFilesystem,
                "the directory was opened to be inspected only",
            )),
        }
    }
}

impl Disk for FileDisk {
    type File = FileHandle;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
                && is_plain(&name)
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Beside what has the name, which stays whole until the new file takes its place: readers of
    /// the old one go on, and without room the old one is still there.
    fn create(&self, name: &str, len: u64) -> io::Result<FileHandle> {
        let place = self.place_to_change(name)?;
        // The log removes files that end like this when it starts.
        let making = self.place(&format!("{name}{UNFINISHED}"))?;
        let made = (|| {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&making)?;
            space::reserve(&file, 0, len)?;
            fs::rename(&making, &place)?;
            Ok(self.handle(file))
        })();
        if made.is_err() {
            // The first error is the one to tell; a leftover is removed at the next start.
            let _ = fs::remove_file(&making);
        }
        made
    }

    fn open(&self, name: &str) -> io::Result<FileHandle> {
        let write = self.usage == Usage::Full;
        let file = OpenOptions::new().read(true).write(write).open(self.place(name)?)?;
        Ok(self.handle(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.place_to_change(from)?, self.place_to_change(to)?)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.place_to_change(name)?)
    }

    fn sync_names(&self) -> io::Result<()> {
        match self.syncing {
            Syncing::Always => self.directory.sync_all(),
            Syncing::Never => Ok(()),
        }
    }
}

/// Letters, digits, `.`, `-` and `_`, and no hidden file: nothing that leads out of a directory.
fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && !name.starts_with('.')
        && name.bytes().all(plain)
}

const UNFINISHED: &str = ".new";
/// With room for the ending of an unfinished file below the 255 bytes of file systems.
const NAME_BYTES_MAX: usize = 200;

#[cfg(test)]
mod tests;
