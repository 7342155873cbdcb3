//! Records that a start has found to carry nothing. Refuses to know what they were about.

use store::log::Need;
use store::op::Sequence;

/// Records that carry nothing.
#[derive(Debug, Default)]
pub struct Lists {
    /// What means nothing any more: to be released.
    pub stale: Vec<Sequence>,
    /// For `store::log::Need::Bury`: the oldest record that one speaks of, and itself.
    pub tombstones: Vec<(Sequence, Sequence)>,
}

impl Lists {
    /// What hearing of a record has said of others, none of which is in a stream.
    pub fn add(&mut self, need: Need) {
        match need {
            Need::Release(at) => self.stale.push(at),
            Need::Bury { oldest, at } => self.tombstones.push((oldest, at)),
            Need::Hold { .. }
            | Need::Advance { .. }
            | Need::Leave { .. }
            | Need::HoldUntil { .. }
            | Need::LeaveUntil { .. } => {}
        }
    }
}
