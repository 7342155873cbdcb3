//! How far the channel reaches back: parts of it, each with its last message, its time and its
//! bytes. Coarse, so that a day of messages takes a kilobyte. Refuses to know the log.

use super::shared::ChannelSettings;
use hub::channel::{MARKS_MAX, Mark, State};
use std::collections::VecDeque;
use store::op::Sequence;

/// The parts, one behind the other, over all partitions.
pub(super) struct Marks {
    /// Messages up to here are gone.
    floor: Sequence,
    /// Parts that have ended.
    closed: VecDeque<Mark>,
    /// The last one, and when its first message was taken.
    open: Option<(Mark, u64)>,
    bytes: u64,
    /// Whether there is something that the log has not been told.
    is_news: bool,
}

impl Marks {
    /// A channel as the log has it.
    pub fn of(state: Option<&State>) -> Self {
        let (floor, closed) = match state {
            Some(state) => (state.floor, state.marks.iter().copied().collect()),
            None => (Sequence(0), VecDeque::new()),
        };
        let bytes = closed.iter().map(|mark: &Mark| mark.bytes).sum();
        Self { floor, closed, open: None, bytes, is_news: false }
    }

    /// Messages up to here are gone.
    pub fn floor(&self) -> Sequence {
        self.floor
    }

    /// Where the part begins that has not ended.
    pub fn closed_up_to(&self) -> Sequence {
        self.closed.back().map_or(self.floor, |mark| mark.last)
    }

    /// A message has become a fact.
    pub fn append(&mut self, s: &ChannelSettings, at: Sequence, enqueued_ms: u64, bytes: u64) {
        self.bytes += bytes;
        let (mark, since_ms) =
            self.open.get_or_insert((Mark { last: at, enqueued_ms, bytes: 0 }, enqueued_ms));
        mark.last = at;
        mark.bytes += bytes;
        // Reactors' clocks may be read in another order than the log has.
        mark.enqueued_ms = mark.enqueued_ms.max(enqueued_ms);
        let is_large = mark.bytes >= s.bytes_max / PARTS;
        let is_long = mark.enqueued_ms.saturating_sub(*since_ms) >= s.retention_ms / PARTS;
        if (is_large || is_long) && self.closed.len() < MARKS_MAX {
            self.close();
        }
    }

    /// Whether there is more than there may be.
    pub fn is_over(&self, s: &ChannelSettings) -> bool {
        self.bytes > s.bytes_max && !self.closed.is_empty()
    }

    /// Lets go of what is too old or too much; gives how far messages are gone, if that is news.
    pub fn retire(&mut self, s: &ChannelSettings, now_ms: u64) -> Option<Sequence> {
        let is_old = |mark: &Mark| mark.enqueued_ms.saturating_add(s.retention_ms) <= now_ms;
        if self.open.as_ref().is_some_and(|(mark, _)| is_old(mark)) {
            self.close();
        }
        let before = self.floor;
        while let Some(first) = self.closed.front()
            && (is_old(first) || self.bytes > s.bytes_max)
        {
            self.floor = first.last;
            self.bytes -= first.bytes;
            self.closed.pop_front();
        }
        self.is_news |= self.floor > before;
        (self.floor > before).then_some(self.floor)
    }

    /// What the log is to be told, if that is news; it is none any more.
    pub fn take_news(&mut self, s: &ChannelSettings) -> Option<State> {
        let (partitions, floor) = (s.partitions, self.floor);
        let state = || State { partitions, floor, marks: self.closed.iter().copied().collect() };
        let told = self.is_news.then(state);
        self.is_news = false;
        told
    }

    /// The log has not taken what it was told.
    pub fn not_told(&mut self) {
        self.is_news = true;
    }

    fn close(&mut self) {
        if let Some((mark, _)) = self.open.take() {
            self.closed.push_back(mark);
            self.is_news = true;
        }
    }
}

/// As many parts as make the bounds exact to a few percent.
const PARTS: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(retention_ms: u64, bytes_max: u64) -> ChannelSettings {
        ChannelSettings { retention_ms, bytes_max, ..ChannelSettings::default() }
    }

    #[test]
    fn what_is_too_old_goes_to_the_nearest_part() {
        let s = settings(64_000, u64::MAX);
        let mut marks = Marks::of(None);
        assert_eq!(marks.retire(&s, 1 << 40), None);
        // A message each 100 ms: a part is a second.
        (1..=1_000).for_each(|n| marks.append(&s, Sequence(n), n * 100, 10));
        assert_eq!(marks.retire(&s, 64_000), None);
        let floor = marks.retire(&s, 64_000 + 50_000).unwrap();
        assert!((485..=500).contains(&floor.0), "{floor:?}");
        assert_eq!(marks.floor(), floor);
        // Idle since: the last part goes as well.
        assert_eq!(marks.retire(&s, 100_000 + 64_000), Some(Sequence(1_000)));
        assert_eq!(marks.retire(&s, 1 << 40), None);
        assert!(marks.closed.is_empty() && marks.open.is_none() && marks.bytes == 0);
    }

    #[test]
    fn what_is_too_much_goes_and_a_start_goes_on() {
        let s = settings(u64::MAX, 6_400);
        let mut marks = Marks::of(None);
        let mut gone = 0;
        for n in 1..=10_000 {
            marks.append(&s, Sequence(n), 5, 10);
            if marks.is_over(&s) {
                gone = marks.retire(&s, 6).unwrap().0;
            }
            assert!(n - gone <= 640, "{n} {gone}");
        }
        assert!(10_000 - gone >= 620, "{gone}");
        let state = marks.take_news(&s).unwrap();
        assert_eq!((state.floor, marks.take_news(&s)), (Sequence(gone), None));
        marks.not_told();
        assert_eq!(marks.take_news(&s).as_ref(), Some(&state));
        let mut again = Marks::of(Some(&state));
        assert_eq!((again.floor(), again.closed_up_to()), (marks.floor(), marks.closed_up_to()));
        again.append(&s, Sequence(20_000), 5, 640);
        assert_eq!(again.retire(&s, 6).map(|floor| floor.0 > gone), Some(true));
        assert!(state.marks.len() < 70, "{}", state.marks.len());
    }
}
