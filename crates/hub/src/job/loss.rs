//! What jobs do not keep, counted: shared by the homes of devices, where answers come, and the home
//! of the board. Refuses to know what is done about it.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The payload of an answer that is longer than one may be.
    AnswerTooLong,
    /// The payload of an answer, because all together have no more room.
    AnswersFull,
    /// A job that has ended, before its time: for newer ones, or for their devices.
    HistoryFull,
}

/// How often since the start.
#[derive(Debug, Default)]
pub struct Losses([AtomicU64; LOSSES]);

impl Loss {
    /// Every kind, in the order of its number.
    pub const ALL: [Self; LOSSES] = [Self::AnswerTooLong, Self::AnswersFull, Self::HistoryFull];

    /// The label in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::AnswerTooLong => "answer_too_long",
            Self::AnswersFull => "answers_full",
            Self::HistoryFull => "history_full",
        }
    }
}

impl Losses {
    /// One more.
    pub fn count(&self, loss: Loss) {
        self.0[loss as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many.
    pub fn of(&self, loss: Loss) -> u64 {
        self.0[loss as usize].load(Ordering::Relaxed)
    }
}

const LOSSES: usize = 3;
