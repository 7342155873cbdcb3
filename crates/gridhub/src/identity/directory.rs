//! The data directory: where it is, who may read it, and writes that are whole or absent.
//! Knows nothing of what the files mean.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use aws_lc_rs::rand;

/// A directory that belongs to one identity.
pub struct DataDir {
    path: PathBuf,
    lifetime: Lifetime,
}

/// How long the directory stays.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lifetime {
    Kept,
    UntilDropped,
}

/// Who may read a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Mode 0644 inside a directory of mode 0700.
    Public,
    /// Mode 0600.
    Secret,
}

impl DataDir {
    /// A directory that stays.
    pub fn kept(path: PathBuf) -> Self {
        Self { path, lifetime: Lifetime::Kept }
    }

    /// A fresh temporary directory, removed with everything in it on drop.
    ///
    /// # Errors
    /// When the temporary directory cannot be written.
    pub fn ephemeral() -> anyhow::Result<Self> {
        let name = format!("gridhub-{}", random_hex()?);
        let dir = Self { path: std::env::temp_dir().join(name), lifetime: Lifetime::UntilDropped };
        dir.create()?;
        Ok(dir)
    }

    /// Looks for an existing `.gridhub` in `start` and its parents.
    pub fn find(start: &Path) -> Option<PathBuf> {
        start.ancestors().map(|dir| dir.join(DEFAULT_NAME)).find(|dir| dir.is_dir())
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes the directory with mode 0700, or narrows an existing one to that.
    ///
    /// # Errors
    /// When it cannot be made or is no directory.
    pub fn create(&self) -> anyhow::Result<()> {
        let shown = self.path.display();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .with_context(|| format!("cannot create the data directory {shown}"))?;
        fs::set_permissions(&self.path, fs::Permissions::from_mode(0o700))
            .with_context(|| format!("cannot make the data directory {shown} private"))
    }

    /// Removes half-written files of a process that crashed. Call with the lock held.
    ///
    /// # Errors
    /// When the directory cannot be listed.
    pub fn remove_leftovers(&self) -> anyhow::Result<()> {
        for dir in [self.path.clone(), self.path.join(CLIENTS)] {
            let entries = match fs::read_dir(&dir) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                Err(error) => return Err(error).context("cannot list the data directory"),
            };
            for entry in entries.flatten() {
                if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                    // A leftover that stays is only clutter.
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
        Ok(())
    }

    /// Reads a text file; absent is `None`.
    ///
    /// # Errors
    /// When it is there but unreadable.
    pub fn read(&self, name: &str) -> anyhow::Result<Option<String>> {
        let path = self.file(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Writes a file so that a crash leaves the old one, the new one or none.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, name: &str, text: &str, access: Access) -> anyhow::Result<()> {
        write_whole(&self.file(name), text, access)
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::UntilDropped {
            // Nobody is left to tell; the system clears its temporary directory in time.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Writes `path` by a temporary file beside it and a rename. Missing parents are made, private.
///
/// # Errors
/// When the disk refuses.
pub fn write_whole(path: &Path, text: &str, access: Access) -> anyhow::Result<()> {
    let context = || format!("cannot write {}", path.display());
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o700).create(parent).with_context(context)?;
    let temporary = parent.join(format!("{TEMPORARY}{}", random_hex()?));
    let mode = match access {
        Access::Public => 0o644,
        Access::Secret => 0o600,
    };
    let written = (|| {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&temporary, path)?;
        // The rename itself must survive too.
        File::open(parent)?.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written.with_context(context)
}

/// 16 random hex digits for names nobody else has.
fn random_hex() -> anyhow::Result<String> {
    let mut bytes = [0u8; 8];
    rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The data directory's name when none is given.
pub const DEFAULT_NAME: &str = ".gridhub";
/// Folder of client certificates.
pub const CLIENTS: &str = "clients";
const TEMPORARY: &str = ".new-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_from_below_but_not_beside() {
        let root = DataDir::ephemeral().expect("dir");
        let deep = root.path().join("a/b");
        fs::create_dir_all(&deep).expect("dirs");
        fs::create_dir(root.path().join(DEFAULT_NAME)).expect("dir");
        assert_eq!(DataDir::find(&deep), Some(root.path().join(DEFAULT_NAME)));
    }

    #[test]
    fn a_write_replaces_the_whole_file_and_leaves_no_other() {
        let dir = DataDir::ephemeral().expect("dir");
        dir.write("f", "long text", Access::Secret).expect("write");
        dir.write("f", "x", Access::Secret).expect("write");
        assert_eq!(dir.read("f").expect("read").as_deref(), Some("x"));
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1);
    }
}
