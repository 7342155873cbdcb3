//! How much of the disk a log takes, at a moment. Refuses to look at a file: the catalog knows.

use super::reader::Reader;
use crate::op::Sequence;

/// How far a log reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Segments, the open one among them.
    pub segments: usize,
    /// Bytes of their files, with what the open one has reserved.
    pub bytes: u64,
    /// The last record that is a fact; 0 while there is none.
    pub last: Sequence,
}

impl<F> Reader<F> {
    /// How far the log reaches now.
    pub fn extent(&self) -> Extent {
        let catalog = self.shared.lock();
        let bytes = catalog.segments.values().map(|segment| segment.bytes).sum();
        Extent { segments: catalog.segments.len(), bytes, last: catalog.committed }
    }
}
