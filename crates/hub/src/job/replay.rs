//! What the records of jobs add up to at a start. Refuses to know what is done with them.

use store::op::Sequence;

use super::board::Board;
use super::record::Record;
use crate::Lists;

/// Adds up the held records of jobs. Released ones that come back change nothing but [`Lists`].
#[derive(Debug, Default)]
pub struct Replay {
    board: Board,
    lists: Lists,
}

impl Replay {
    /// Takes the next record in the order of the log.
    pub fn take(&mut self, at: Sequence, record: Record) {
        let mut needs = Vec::new();
        self.board.heard(record, at, &mut needs);
        needs.into_iter().for_each(|need| self.lists.add(need));
    }

    /// Everything was taken: all jobs, and the rest. What a condition has selected of devices
    /// before a job began is selected anew.
    pub fn finish(self) -> (Board, Lists) {
        let Self { mut board, mut lists } = self;
        lists.stale.extend(board.drop_all_parts());
        (board, lists)
    }
}
