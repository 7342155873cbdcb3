//! What is still needed: how far the holders of streams are, which records their owner holds.
//!
//! All of it is in the catalog; [`Cleaner`] acts on it. Refuses to check: whoever tells a need has
//! made it durable before.

use super::Log;
use super::catalog::{Catalog, Segment, Shared};
use super::record::StreamId;
use super::rewrite::Cleaner;
use crate::disk::Disk;
use crate::op::Sequence;

/// A change of what is needed, told when what follows from it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Somebody reads the stream behind `after` from now on.
    Hold {
        /// Which.
        stream: StreamId,
        /// Behind which record.
        after: Sequence,
    },
    /// A holder has come further.
    Advance {
        /// In which stream.
        stream: StreamId,
        /// Where it stood, as told last.
        from: Sequence,
        /// Where it stands.
        to: Sequence,
    },
    /// A holder is gone. A stream without holders ends.
    Leave {
        /// Which stream.
        stream: StreamId,
        /// Where it stood, as told last.
        after: Sequence,
    },
    /// Somebody reads the stream behind `after` up to `until` only, and what comes behind that is
    /// not for it.
    HoldUntil {
        /// Which.
        stream: StreamId,
        /// Behind which record.
        after: Sequence,
        /// The last one.
        until: Sequence,
    },
    /// Who reads so far only is gone.
    LeaveUntil {
        /// Which stream.
        stream: StreamId,
        /// As told last.
        after: Sequence,
        /// As told.
        until: Sequence,
    },
    /// A held record is not needed any more.
    Release(Sequence),
    /// The held record `at` says that a key is gone, of which `oldest` was the first record that
    /// may still be in a file: it stays as long as the next start could find that again.
    Bury {
        /// The first record of the key.
        oldest: Sequence,
        /// The record that says that it is gone.
        at: Sequence,
    },
}

impl<D: Disk> Log<D> {
    /// So many streams are about to be held: at a start.
    pub fn reserve(&self, streams: usize) {
        self.shared.lock().streams.reserve(streams);
    }

    /// Takes in what has changed, in order.
    pub fn tell(&self, needs: impl IntoIterator<Item = Need>) {
        tell(&self.shared, needs);
    }
}

impl<D: Disk> Cleaner<D> {
    /// As [`Log::tell`].
    pub fn tell(&self, needs: impl IntoIterator<Item = Need>) {
        tell(&self.shared, needs);
    }

    /// After a start, when all holders are known: streams that nobody holds end.
    pub fn end_unheld(&self) {
        self.shared.lock().streams.end_unheld();
    }

    /// Releases buried keys that nothing can contradict any more; to be called after a cleaning
    /// that went well. How many are left.
    pub fn release_tombstones(&self) -> usize {
        self.shared.tombstones().release(self)
    }

    /// As a release, for a record whose return would change nothing.
    pub(super) fn forget(&self, sequence: Sequence) {
        let mut catalog = self.shared.lock();
        if let Some((base, segment)) = catalog.segments.range_mut(..=sequence.0).next_back() {
            segment.held.forget(Sequence(*base), sequence);
        }
    }

    /// Whether a record from `from` up to below `to` that was released may be found held by the
    /// next start: it lies in a segment whose footer says so, or that has none. So is `from` if it
    /// was not released: somebody else holds it too.
    pub fn may_return(&self, from: Sequence, to: Sequence) -> bool {
        let catalog = self.shared.lock();
        let first = catalog.base_of(from);
        let is_held = |(base, segment): (&u64, &Segment<D::File>)| {
            *base <= from.0 && segment.held.holds(Sequence(*base), from)
        };
        let mut segments = catalog.segments.range(first..to.0.max(first));
        from < to && segments.any(|one| is_held(one) || one.1.held.stale() > 0)
    }
}

fn tell<F>(shared: &Shared<F>, needs: impl IntoIterator<Item = Need>) {
    let mut needs = needs.into_iter().peekable();
    if needs.peek().is_none() {
        return;
    }
    let mut buried = Vec::new();
    let mut catalog = shared.lock();
    for need in needs {
        enter(&mut catalog, need, &mut buried);
    }
    drop(catalog);
    if !buried.is_empty() {
        let mut tombstones = shared.tombstones();
        buried.into_iter().for_each(|(oldest, at)| tombstones.add(oldest, at));
    }
}

fn enter<F>(catalog: &mut Catalog<F>, need: Need, buried: &mut Vec<(Sequence, Sequence)>) {
    match need {
        Need::Hold { stream, after } => catalog.streams.hold(stream, after),
        Need::Advance { stream, from, to } => catalog.streams.advance(stream, from, to),
        Need::Leave { stream, after } => catalog.streams.leave(stream, after),
        Need::HoldUntil { stream, after, until } => {
            catalog.streams.hold_until(stream, (after, until));
        }
        Need::LeaveUntil { stream, after, until } => {
            catalog.streams.leave_until(stream, (after, until));
        }
        Need::Release(sequence) => catalog.release(sequence),
        Need::Bury { oldest, at } => buried.push((oldest, at)),
    }
}
