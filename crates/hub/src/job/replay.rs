//! What the records of jobs add up to at a start. Refuses to know what is done with them.

use store::log::Need;
use store::op::Sequence;

use super::board::Board;
use super::record::Record;

/// Adds up the held records of jobs. Released ones that come back change nothing but
/// [`Found::stale`].
#[derive(Debug, Default)]
pub struct Replay {
    board: Board,
    needs: Vec<Need>,
}

/// Jobs that were found.
#[derive(Debug, Default)]
pub struct Found {
    /// All of them.
    pub board: Board,
    /// What means nothing any more: to be released.
    pub stale: Vec<Sequence>,
    /// For `store::log::Need::Bury`: the oldest record that one speaks of, and itself.
    pub tombstones: Vec<(Sequence, Sequence)>,
}

impl Replay {
    /// Takes the next record in the order of the log.
    pub fn take(&mut self, at: Sequence, record: Record) {
        self.board.heard(record, at, &mut self.needs);
    }

    /// Everything was taken. What a condition has selected of devices before a job began is
    /// selected anew.
    pub fn finish(self) -> Found {
        let Self { mut board, needs } = self;
        let stale = board.drop_all_parts();
        let mut found = Found { board, stale, ..Found::default() };
        for need in needs {
            match need {
                Need::Release(at) => found.stale.push(at),
                Need::Bury { oldest, at } => found.tombstones.push((oldest, at)),
                // Jobs are in no stream.
                Need::Hold { .. }
                | Need::Advance { .. }
                | Need::Leave { .. }
                | Need::HoldUntil { .. }
                | Need::LeaveUntil { .. } => {}
            }
        }
        found
    }
}
