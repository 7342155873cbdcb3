//! What a log needs of a disk: numbered bytes, names, and two ways to make them last.
//!
//! Owns the contract. Knows no path and no system call: `gridhub` implements it with files, tests
//! with a disk that crashes on purpose.

use std::io;

/// A directory of one log.
///
/// After a crash of the machine a name is there for certain only if
/// [`sync_names`](Self::sync_names) came back after it was made; the same for names that were
/// removed.
pub trait Disk: Send + Sync + 'static {
    /// An open file.
    type File: File;

    /// Names in the directory, in no particular order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes a file of `len` zero bytes whose space is reserved, in place of one of that name.
    ///
    /// # Errors
    /// `StorageFull` when there is no room; then no file is left behind.
    fn create(&self, name: &str, len: u64) -> io::Result<Self::File>;

    /// Opens a file that exists.
    fn open(&self, name: &str) -> io::Result<Self::File>;

    /// Gives a file another name, replacing what had it: after a crash either is there whole.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file; handles that are open go on reading it.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes names last.
    fn sync_names(&self) -> io::Result<()>;
}

/// An open file. Reads may come from any thread.
pub trait File: Send + Sync + 'static {
    /// Fills `into` from offset `at`; gives how many bytes there were before the end.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Writes at offset `at`. Nothing of it has to be there after a crash, or all of it, or any
    /// part, until [`sync`](Self::sync) came back.
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes what was written last. After an error nobody knows what is on the disk: the file must
    /// not be written again.
    fn sync(&self) -> io::Result<()>;

    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts the file off, or lengthens it by zeros.
    fn set_len(&self, len: u64) -> io::Result<()>;
}
