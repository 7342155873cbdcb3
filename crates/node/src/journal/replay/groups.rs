//! The latest progress of each shared group. Refuses to know who is in a group.

use super::super::group_progress::GroupProgress;
use super::needs::Needs;
use std::collections::BTreeMap;
use store::log::StreamId;
use store::op::Sequence;

/// A shared group as the log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundGroup {
    /// What it has done.
    pub progress: GroupProgress,
    /// The record that says so.
    pub at: Option<Sequence>,
    /// Sessions say more than that record.
    pub is_behind: bool,
}

impl FoundGroup {
    /// Behind which record it has to be read again.
    pub fn cursor(&self) -> Sequence {
        let first = self.progress.open.first();
        first.map_or(self.progress.taken, |first| Sequence(first.0 - 1))
    }
}

#[derive(Default)]
pub(super) struct Groups(BTreeMap<StreamId, FoundGroup>);

impl Groups {
    pub fn take(&mut self, at: Sequence, progress: &GroupProgress, needs: &mut Needs) {
        let found = FoundGroup { progress: progress.clone(), at: Some(at), is_behind: false };
        if let Some(before) = self.0.insert(progress.stream, found) {
            before.at.into_iter().for_each(|at| needs.let_go(at));
        }
    }

    pub fn finish(self) -> Vec<FoundGroup> {
        self.0.into_values().collect()
    }
}
