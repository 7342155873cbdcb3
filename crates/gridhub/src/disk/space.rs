//! Room on the disk, taken before it is needed: a commit must not find out that there is none.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::{Errno, retry_on_intr};

/// Reserves the bytes from `from` to `to` of a file; they read as zeros. Nothing may have been
/// written there.
///
/// # Errors
/// `StorageFull` and `QuotaExceeded` when there is no room.
pub(super) fn reserve(file: &File, from: u64, to: u64) -> io::Result<()> {
    if to <= from {
        return Ok(());
    }
    match retry_on_intr(|| fallocate(file, FallocateFlags::empty(), from, to - from)) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(file, from, to),
        Err(error) => Err(error.into()),
    }
}

/// Whether there was no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// For file systems that cannot reserve: what is written has its place.
fn write_zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    let zeros = vec![0; PIECE.min(usize::try_from(to - from).unwrap_or(PIECE))];
    let mut at = from;
    while at < to {
        let len = (zeros.len() as u64).min(to - at) as usize;
        file.write_all_at(&zeros[..len], at)?;
        at += len as u64;
    }
    Ok(())
}

const PIECE: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::directory::DataDir;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn zeros_are_written_where_nothing_can_be_reserved() {
        let dir = DataDir::ephemeral().expect("dir");
        let path = dir.file("f");
        std::fs::write(&path, b"kept").expect("file");
        let file = File::options().read(true).write(true).open(&path).expect("open");
        let to = PIECE as u64 * 2 + 17;
        write_zeros(&file, 4, to).expect("zeros");
        let bytes = std::fs::read(&path).expect("read");
        assert_eq!((bytes.len() as u64, &bytes[..4]), (to, &b"kept"[..]));
        assert!(bytes[4..].iter().all(|b| *b == 0));
        file.sync_all().expect("sync");
        let blocks = file.metadata().expect("metadata").blocks();
        assert!(blocks * 512 >= to, "{blocks} blocks: there are no holes");
    }
}
