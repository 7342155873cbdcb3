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
    /// Whether the group is so far again that this says nothing of what it has not met.
    pub fn is_behind(&self, taken: Sequence) -> bool {
        self.taken <= taken && self.done.last().is_none_or(|last| *last <= taken)
    }

    /// Whether nobody is to get it again.
    pub fn is_done(&self, sequence: Sequence) -> bool {
        if sequence <= self.taken {
            return !self.open.contains(&sequence);
        }
        self.done.contains(&sequence)
    }
}
