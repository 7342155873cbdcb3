//! What one session lost at its bounds, by reason, and since when it does not keep up.
//!
//! Owns when that begins, when it ends and what is worth a log line. Refuses to know queues.

use crate::counters::Loss;
use crate::seldom::Seldom;

/// A session without losses owns none of this.
#[derive(Default)]
pub(crate) struct Losses {
    by: [u64; Loss::ALL.len()],
    stall: Option<Stall>,
    line: Seldom,
}

/// A time in which a session does not keep up, from its first loss on.
#[derive(Clone, Copy)]
struct Stall {
    since_ms: u64,
    lost: u64,
    /// Whether the log knows.
    told: bool,
}

/// A stall that is over and that the log knows of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recovered {
    pub lost: u64,
    pub seconds: u64,
}

/// Whether a loss is the first of a stall that the log should know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tell {
    Begun,
    Nothing,
}

impl Losses {
    /// Counts `n` losses at real time `now_ms`.
    pub fn add(&mut self, why: Loss, n: u64, now_ms: u64) -> Tell {
        self.by[why as usize] += n;
        if !matches!(why, Loss::OutputFull | Loss::QueueFull | Loss::NamespaceFull) {
            return Tell::Nothing;
        }
        if let Some(stall) = &mut self.stall {
            stall.lost += n;
            return Tell::Nothing;
        }
        let told = self.line.say(now_ms, LINE_EVERY_MS).is_some();
        self.stall = Some(Stall { since_ms: now_ms, lost: n, told });
        if told { Tell::Begun } else { Tell::Nothing }
    }

    /// Nothing waits for the session any more.
    pub fn recover(&mut self, now_ms: u64) -> Option<Recovered> {
        let stall = self.stall.take()?;
        let seconds = now_ms.saturating_sub(stall.since_ms) / 1_000;
        stall.told.then_some(Recovered { lost: stall.lost, seconds })
    }

    /// Messages lost, whatever the reason.
    pub fn total(&self) -> u64 {
        self.by.iter().sum()
    }

    /// Messages lost, by reason; only those that there are.
    pub fn by_reason(&self) -> Vec<(&'static str, u64)> {
        let all = Loss::ALL.iter().map(|why| (why.name(), self.by[*why as usize]));
        all.filter(|(_, n)| *n > 0).collect()
    }

    /// Since when it does not keep up, in real milliseconds.
    pub fn stalled_since_ms(&self) -> Option<u64> {
        self.stall.map(|s| s.since_ms)
    }
}

/// A session that stalls and recovers all the time is told of so often.
const LINE_EVERY_MS: u64 = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_is_told_at_its_begin_and_end_but_not_all_the_time() {
        let mut l = Losses::default();
        assert_eq!(l.add(Loss::Absent, 1, 0), Tell::Nothing);
        assert_eq!(l.recover(0), None);
        assert_eq!(l.add(Loss::OutputFull, 1, 1_000), Tell::Begun);
        assert_eq!(l.add(Loss::QueueFull, 4, 2_000), Tell::Nothing);
        assert_eq!(l.stalled_since_ms(), Some(1_000));
        assert_eq!(l.recover(4_000), Some(Recovered { lost: 5, seconds: 3 }));
        assert_eq!(l.add(Loss::OutputFull, 1, 5_000), Tell::Nothing);
        assert_eq!(l.recover(5_000), None);
        assert_eq!(l.add(Loss::OutputFull, 1, 11_000), Tell::Begun);
        let reasons = [("absent", 1), ("output_full", 3), ("queue_full", 4)];
        assert_eq!((l.total(), l.by_reason()), (8, reasons.to_vec()));
    }
}
