//! What is still needed: how far the holders of streams are, which records their owner holds.
//!
//! All of it is in the catalog; [`Cleaner`] acts on it.

use super::record::StreamId;
use super::rewrite::Cleaner;
use crate::disk::Disk;
use crate::op::Sequence;

/// Where a holder of a stream stands, as the log counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing(u64);

impl<D: Disk> Cleaner<D> {
    /// Somebody reads the stream behind `after` from now on.
    pub fn hold(&self, stream: StreamId, after: Sequence) -> Standing {
        let mut catalog = self.shared.lock();
        let base = catalog.base_of(Sequence(after.0 + 1));
        catalog.streams.hold(stream, base);
        Standing(base)
    }

    /// A holder has come to `after`, durably.
    pub fn advance(&self, stream: StreamId, from: Standing, after: Sequence) -> Standing {
        let mut catalog = self.shared.lock();
        let base = catalog.base_of(Sequence(after.0 + 1));
        if base != from.0 {
            catalog.streams.hold(stream, base);
            catalog.streams.release(stream, from.0);
        }
        Standing(base)
    }

    /// A holder is gone, durably. A stream without holders ends.
    pub fn leave(&self, stream: StreamId, from: Standing) {
        self.shared.lock().streams.release(stream, from.0);
    }

    /// After a start, when all holders are known: streams that nobody holds end.
    pub fn end_unheld(&self) {
        self.shared.lock().streams.end_unheld();
    }

    /// A held record is not needed any more, durably.
    pub fn release(&self, sequence: Sequence) {
        let mut catalog = self.shared.lock();
        if let Some((base, segment)) = catalog.segments.range_mut(..=sequence.0).next_back() {
            segment.held.release(Sequence(*base), sequence);
        }
    }

    /// As [`release`](Self::release) for a record whose return would change nothing.
    pub(super) fn forget(&self, sequence: Sequence) {
        let mut catalog = self.shared.lock();
        if let Some((base, segment)) = catalog.segments.range_mut(..=sequence.0).next_back() {
            segment.held.forget(Sequence(*base), sequence);
        }
    }

    /// Whether a record from `from` up to below `to` that was released may be found held by the
    /// next start: it lies in a segment whose footer says so, or that has none.
    pub fn may_return(&self, from: Sequence, to: Sequence) -> bool {
        let catalog = self.shared.lock();
        let first = catalog.base_of(from);
        let mut segments = catalog.segments.range(first..to.0.max(first));
        from < to && segments.any(|(_, segment)| segment.held.stale() > 0)
    }
}
