//! What a group had done when the process stopped. Refuses to know what it does now.

use std::collections::BTreeSet;
use store::op::Sequence;

/// How far a group was in an earlier run.
pub(super) struct Before {
    pub taken: Sequence,
    /// What of that was open.
    pub open: BTreeSet<Sequence>,
    /// What sessions have behind it.
    pub done: BTreeSet<Sequence>,
}

impl Before {
    /// Whether nobody is to get it, which was at `from` before, if it was carried forward: who
    /// reads meets it there too, as long as the group has not told that it has left.
    pub fn is_known(&self, sequence: Sequence, from: Option<Sequence>) -> bool {
        self.is_done(sequence) || from.is_some_and(|from| !self.is_done(from))
    }

    fn is_done(&self, sequence: Sequence) -> bool {
        if sequence <= self.taken {
            return !self.open.contains(&sequence);
        }
        self.done.contains(&sequence)
    }
}
