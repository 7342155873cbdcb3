//! What a copy of a log consists of, taken while it is written and cleaned.
//!
//! All of it at one moment: a file is only ever appended to, and what takes the place of one is
//! another file, so a handle reads what it read when it was taken. Until it is dropped the disk
//! keeps the space of a file that is removed meanwhile.

use super::catalog::Closed;
use super::reader::Reader;
use std::sync::Arc;

/// One file of a copy.
pub struct Piece<F> {
    /// Its name in the log's directory.
    pub name: String,
    /// The file.
    pub file: Arc<F>,
    /// How many bytes from its start belong to the copy.
    pub bytes: u64,
}

impl<F> Reader<F> {
    /// The files that are the log at this moment, in its order: what is a fact now is in them, and
    /// a directory with these bytes opens as a log does after a crash.
    pub fn pieces(&self) -> Vec<Piece<F>> {
        let catalog = self.shared.lock();
        let piece = |segment: &super::catalog::Segment<F>| Piece {
            name: segment.name.clone(),
            file: Arc::clone(&segment.file),
            bytes: match segment.closed {
                Closed::Sealed => segment.bytes,
                // Behind its records nothing is certain.
                Closed::No | Closed::Abandoned => segment.end,
            },
        };
        catalog.segments.values().map(piece).collect()
    }
}

/// Whether a file of a copy may have this name.
pub fn is_piece(name: &str) -> bool {
    super::file::parse_name(name).is_some()
}
