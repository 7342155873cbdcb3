//! How far a durable session has come in the log: what was taken from it, what waits there.
//!
//! A session that keeps up takes every message as it is pushed, in the order of the log. One that
//! does not leaves them there and reads them when it has room again, from the place where it
//! stopped; it is pushed to again from the moment when a read has reached everything that was
//! left (core.md 4). Refuses to know messages, sockets and who reads.

use crate::journal::Done;
use store::log::ReadEnd;
use store::op::Sequence;

/// Where one session stands. Sequences are those of messages for it; each is taken once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backlog {
    /// Everything for it up to here was taken or dropped.
    taken: Sequence,
    /// The last one that was left in the log; not above `taken` = it keeps up.
    left: Sequence,
    /// A read is under way.
    reading: bool,
    /// Whether `waiting` is how much waits.
    count: Count,
    /// What lies behind `taken`; absent where nothing does.
    behind: Option<Box<Behind>>,
}

/// How much waits, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    Known,
    /// What an earlier run has left is not in it.
    Without,
    /// It is being counted.
    UnderWay,
}

/// What was left in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Behind {
    /// How much, and not read yet; its bytes without those of what an earlier run has left.
    waiting: Waiting,
    /// The oldest so many of those that are not read were dropped.
    dropped: u64,
    /// Their bytes.
    dropped_bytes: u64,
    /// How many were left since a count began.
    left_since: u64,
    /// The log cannot be read there: not tried again before so many were dropped.
    put_off: u64,
    /// Messages beyond `taken` that were dropped as the newest, or are known to be done from before
    /// a restart. Not plain where there are some.
    done: Done,
    /// The message that was left before the last one.
    left_before: Sequence,
    /// The last one that was dropped as the newest.
    skipped: Sequence,
}

/// How much waits in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Waiting {
    pub messages: u64,
    pub bytes: u64,
}

impl Waiting {
    /// One message less; not below zero where the count was an estimate.
    fn less(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes as u64);
    }
}

impl Behind {
    /// One message of those that were dropped is read; false if there is none.
    fn let_go_one(&mut self) -> bool {
        if self.dropped == 0 {
            return false;
        }
        self.dropped_bytes -= self.dropped_bytes / self.dropped;
        self.dropped -= 1;
        true
    }
}

/// What to do with a message that is pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Push {
    /// It is the session's from now on.
    Take,
    /// It stays in the log.
    Leave,
    /// It was read before.
    Known,
}

/// What to do with a message that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// It is the session's from now on.
    Take,
    /// It was dropped, and counted, when the queue was full; or it is done.
    Drop,
}

impl Backlog {
    /// A session that keeps up and has taken everything up to `taken`.
    pub fn live(taken: Sequence) -> Self {
        Self::behind(taken, Sequence(0), Waiting::default(), 0)
    }

    /// A session after a start: it has taken everything up to `taken`; what the log holds for it
    /// up to `end` is to be read.
    pub fn behind(taken: Sequence, end: Sequence, waiting: Waiting, dropped: u64) -> Self {
        let count = if end > taken { Count::Without } else { Count::Known };
        let mut backlog = Self { taken, left: end, reading: false, count, behind: None };
        if dropped > 0 || waiting != Waiting::default() {
            let behind = backlog.left_behind();
            (behind.waiting, behind.dropped) = (waiting, dropped);
        }
        backlog
    }

    /// Whether everything up to here was taken, so that pushes are.
    pub fn keeps_up(&self) -> bool {
        self.left <= self.taken
    }

    /// A message came in the order of the log. `room` tells whether the session could take it.
    pub fn push(&mut self, sequence: Sequence, bytes: usize, room: bool) -> Push {
        if sequence <= self.taken {
            return Push::Known;
        }
        if self.keeps_up() && room {
            self.taken = sequence;
            return Push::Take;
        }
        let before = std::mem::replace(&mut self.left, sequence);
        let behind = self.left_behind();
        behind.left_since += 1;
        behind.left_before = before;
        behind.waiting.messages += 1;
        behind.waiting.bytes += bytes as u64;
        Push::Leave
    }

    /// What waits in the log, without what will be dropped.
    pub fn waiting(&self) -> Waiting {
        self.behind.as_ref().map_or(Waiting::default(), |behind| behind.waiting)
    }

    /// The oldest message that waits is dropped to make room; false if none waits. Its bytes are
    /// those of an average one: nobody has read it.
    pub fn drop_oldest(&mut self) -> bool {
        let Some(behind) = &mut self.behind else { return false };
        let waiting = &mut behind.waiting;
        let Some(bytes) = waiting.bytes.checked_div(waiting.messages) else { return false };
        waiting.messages -= 1;
        waiting.bytes -= bytes;
        behind.dropped += 1;
        behind.dropped_bytes += bytes;
        true
    }

    /// Everything for it up to here was taken or dropped.
    pub fn taken(&self) -> Sequence {
        self.taken
    }

    /// The message that was left last is dropped as the newest. Between two messages of one stream
    /// lies nothing of its own, so that many in a row are one range.
    pub fn skip_newest(&mut self, bytes: usize) {
        let (taken, left) = (self.taken, self.left);
        let behind = self.left_behind();
        behind.left_since = behind.left_since.saturating_sub(1);
        behind.waiting.less(bytes);
        let in_a_row = behind.skipped == behind.left_before && behind.skipped > taken;
        let first = if in_a_row { Sequence(behind.skipped.0 + 1) } else { left };
        behind.done.add_last(first..=left);
        behind.skipped = left;
    }

    /// What is done beyond what was taken, known from before a restart.
    pub fn knows(&mut self, done: Done) {
        self.taken = self.taken.max(done.cursor());
        if !done.is_plain() {
            self.left_behind().done = done;
        }
    }

    /// What need not be delivered any more, if everything up to `cursor` need not. What lies before
    /// it is not asked for again.
    pub fn done(&mut self, cursor: Sequence) -> Done {
        let Some(behind) = &mut self.behind else { return Done::up_to(cursor) };
        let done = behind.done.beginning_at(cursor);
        behind.done = done.clone();
        let is_empty = behind.dropped == 0 && behind.waiting == Waiting::default();
        if is_empty && done.is_plain() {
            self.behind = None;
        }
        done
    }

    fn left_behind(&mut self) -> &mut Behind {
        self.behind.get_or_insert_with(|| {
            let (none, done) = (Sequence(0), Done::up_to(Sequence(0)));
            Box::new(Behind {
                waiting: Waiting::default(),
                dropped: 0,
                dropped_bytes: 0,
                left_since: 0,
                put_off: 0,
                done,
                left_before: none,
                skipped: none,
            })
        })
    }

    /// What was taken from `first` on waits in the log again.
    pub fn give_back(&mut self, first: Sequence, messages: u64, bytes: u64) {
        self.left = self.left.max(self.taken);
        self.taken = Sequence(first.0 - 1);
        let waiting = &mut self.left_behind().waiting;
        waiting.messages += messages;
        waiting.bytes += bytes;
    }

    /// Begins a read, if there is something to read or `more` asks for it, and none is under way:
    /// behind which sequence.
    pub fn begin_read(&mut self, more: bool) -> Option<Sequence> {
        if (self.keeps_up() && !more) || self.reading {
            return None;
        }
        self.reading = true;
        Some(self.taken)
    }

    /// Whether a read is under way.
    pub fn is_reading(&self) -> bool {
        self.reading
    }

    /// The next message of a read.
    pub fn read(&mut self, sequence: Sequence, bytes: usize) -> Read {
        debug_assert!(sequence > self.taken, "the log's order");
        self.taken = sequence;
        let Some(behind) = &mut self.behind else { return Read::Take };
        if behind.done.contains(sequence) {
            return Read::Drop;
        }
        if behind.let_go_one() {
            return Read::Drop;
        }
        behind.waiting.less(bytes);
        Read::Take
    }

    /// A message of a read that somebody else knows to be done.
    pub fn pass(&mut self, sequence: Sequence) {
        debug_assert!(sequence > self.taken, "the log's order");
        self.taken = sequence;
    }

    /// The read has ended: whether another has to follow.
    pub fn end_read(&mut self, end: ReadEnd) -> bool {
        self.reading = false;
        if let ReadEnd::All(up_to) = end
            && up_to >= self.left
        {
            // Pushes that were read already are known by this.
            self.taken = self.taken.max(up_to);
            self.count = Count::Known;
            if let Some(behind) = &mut self.behind {
                behind.waiting = Waiting::default();
                (behind.dropped, behind.dropped_bytes, behind.put_off) = (0, 0, 0);
            }
        }
        !self.keeps_up()
    }

    /// A read has failed or its answer is for a connection that is gone.
    pub fn forget_read(&mut self) {
        self.reading = false;
        if self.count != Count::Known {
            self.count = Count::Without;
        }
    }

    /// Whether more than `messages_max` may wait, and nobody knows: an earlier run has left some
    /// of what waits, and the log's numbers leave room for that.
    pub fn may_be_over(&self, messages_max: usize) -> bool {
        let possible = self.left.0.saturating_sub(self.taken.0);
        self.count != Count::Known && possible > messages_max as u64
    }

    /// Begins to count what waits, if no read is under way: behind which sequence, and up to which.
    pub fn begin_count(&mut self) -> Option<(Sequence, Sequence)> {
        let after = self.begin_read(false)?;
        self.count = Count::UnderWay;
        self.left_behind().left_since = 0;
        Some((after, self.left))
    }

    /// Whether a message between the ends of a count is one of those that wait or were dropped.
    pub fn counts(&self, sequence: Sequence) -> bool {
        self.behind.as_ref().is_none_or(|behind| !behind.done.contains(sequence))
    }

    /// A count has ended with so many messages.
    pub fn counted(&mut self, messages: u64) {
        self.reading = false;
        if self.count != Count::UnderWay {
            return;
        }
        self.count = Count::Known;
        let behind = self.left_behind();
        behind.waiting.messages = (messages + behind.left_since).saturating_sub(behind.dropped);
    }

    /// Begins to read over what was dropped, if that is worth it: behind which sequence, and how
    /// many messages at most.
    pub fn begin_let_go(&mut self, least: Waiting) -> Option<(Sequence, u64)> {
        let behind = self.behind.as_ref()?;
        let is_worth_it = behind.dropped >= least.messages || behind.dropped_bytes >= least.bytes;
        let dropped = behind.dropped;
        if !is_worth_it || dropped <= behind.put_off {
            return None;
        }
        Some((self.begin_read(false)?, dropped))
    }

    /// The next message of such a read; false if it is none of those that were dropped.
    pub fn let_go(&mut self, sequence: Sequence) -> bool {
        let Some(behind) = &mut self.behind else { return false };
        if !behind.done.contains(sequence) && !behind.let_go_one() {
            return false;
        }
        self.taken = self.taken.max(sequence);
        true
    }

    /// The log cannot be read where this is: whatever is tried without anybody who asks for it is
    /// tried seldom.
    pub fn put_off(&mut self) {
        self.count = Count::Known;
        if let Some(behind) = &mut self.behind {
            behind.put_off = 2 * behind.dropped;
        }
    }

    /// Nothing of the session lies up to here that it has not taken or dropped.
    pub fn is_at(&mut self, sequence: Sequence) {
        self.taken = self.taken.max(sequence);
    }

    /// Messages that will be dropped when they are read: to be remembered across a restart with
    /// what is done.
    pub fn dropped(&self) -> u64 {
        self.behind.as_ref().map_or(0, |behind| behind.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// A log of which every third record or so is for the session, a reactor that hears it late,
    /// and reads that see more than the reactor has heard.
    struct World {
        chance: u64,
        end: u64,
        ours: Vec<u64>,
        unheard: VecDeque<u64>,
        backlog: Backlog,
        /// What is under way of a read: what for, its messages and its end.
        read: Option<(Aim, Vec<u64>, ReadEnd)>,
        got: Vec<u64>,
        lost: usize,
        counts: usize,
        let_go: usize,
    }

    #[derive(Clone, Copy, PartialEq)]
    enum Aim {
        Messages,
        LetGo,
        Count(u64),
    }

    impl World {
        fn below(&mut self, n: u64) -> u64 {
            self.chance ^= self.chance << 13;
            self.chance ^= self.chance >> 7;
            self.chance ^= self.chance << 17;
            self.chance % n
        }

        fn append(&mut self) {
            self.end += 1;
            if self.below(3) > 0 {
                self.ours.push(self.end);
                self.unheard.push_back(self.end);
            }
        }

        fn hear(&mut self, room: bool) {
            let Some(sequence) = self.unheard.pop_front() else { return };
            if self.backlog.push(Sequence(sequence), 10, room) == Push::Take {
                self.got.push(sequence);
            }
            self.hold_to_bound();
        }

        fn hold_to_bound(&mut self) {
            while self.backlog.waiting().messages > QUEUE_MAX {
                assert!(self.backlog.drop_oldest());
                self.lost += 1;
            }
        }

        /// Another run begins: what it finds is what was told.
        fn restart(&mut self) {
            let (taken, dropped) = (self.backlog.taken(), self.backlog.dropped());
            self.backlog = Backlog::behind(taken, Sequence(self.end), Waiting::default(), dropped);
            self.unheard.clear();
            self.read = None;
        }

        fn begin_read(&mut self) {
            let let_go_from = Waiting { messages: 1 + self.below(4), bytes: u64::MAX };
            let (aim, after, credit) = if self.backlog.may_be_over(QUEUE_MAX as usize) {
                let Some((after, up_to)) = self.backlog.begin_count() else { return };
                (Aim::Count(up_to.0), after, 1_000)
            } else if let Some((after, n)) = self.backlog.begin_let_go(let_go_from) {
                (Aim::LetGo, after, n.min(3) as usize)
            } else {
                let Some(after) = self.backlog.begin_read(false) else { return };
                (Aim::Messages, after, 1 + self.below(5) as usize)
            };
            let behind: Vec<u64> = self.ours.iter().copied().filter(|n| *n > after.0).collect();
            let end = if behind.len() > credit {
                ReadEnd::More
            } else {
                ReadEnd::All(Sequence(self.end))
            };
            self.read = Some((aim, behind.into_iter().take(credit).collect(), end));
        }

        fn end_read(&mut self) {
            let Some((aim, messages, end)) = self.read.take() else { return };
            match aim {
                Aim::Count(up_to) => return self.counted(&messages, up_to),
                Aim::LetGo => {
                    assert!(messages.iter().all(|n| self.backlog.let_go(Sequence(*n))));
                    self.let_go += messages.len();
                    self.backlog.end_read(end);
                    return;
                }
                Aim::Messages => {}
            }
            for sequence in messages {
                if self.backlog.read(Sequence(sequence), 10) == Read::Take {
                    self.got.push(sequence);
                }
            }
            self.backlog.end_read(end);
        }

        fn counted(&mut self, messages: &[u64], up_to: u64) {
            self.counts += 1;
            let its = messages.iter().filter(|n| **n <= up_to).count();
            self.backlog.counted(its as u64);
            let taken = self.backlog.taken().0;
            let waits = |n: &&u64| **n > taken && !self.unheard.contains(*n);
            let waiting = self.ours.iter().filter(waits).count() as u64;
            assert_eq!(self.backlog.waiting().messages, waiting - self.backlog.dropped());
            self.hold_to_bound();
        }
    }

    #[test]
    fn every_message_is_taken_once_in_order_or_dropped_and_counted() {
        let (mut lost, mut turns, mut counts, mut let_go) = (0, 0, 0, 0);
        for seed in 1..=300_u64 {
            let mut w = World {
                chance: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
                end: 0,
                ours: Vec::new(),
                unheard: VecDeque::new(),
                backlog: Backlog::live(Sequence(0)),
                read: None,
                got: Vec::new(),
                lost: 0,
                counts: 0,
                let_go: 0,
            };
            let mut kept_up = true;
            for _ in 0..400 {
                if w.below(100) == 0 {
                    w.restart();
                }
                match w.below(12) {
                    0..4 => w.append(),
                    4..7 => w.hear(true),
                    7 => w.hear(false),
                    8 | 9 => w.begin_read(),
                    _ => w.end_read(),
                }
                turns += usize::from(kept_up != w.backlog.keeps_up());
                kept_up = w.backlog.keeps_up();
            }
            while !w.unheard.is_empty() || !w.backlog.keeps_up() || w.read.is_some() {
                w.hear(true);
                w.begin_read();
                w.end_read();
            }
            assert!(w.got.is_sorted(), "seed {seed}");
            assert_eq!(w.got.len() + w.lost, w.ours.len(), "seed {seed}");
            assert!(w.got.iter().all(|n| w.ours.contains(n)), "seed {seed}");
            assert_eq!(w.backlog.waiting(), Waiting::default(), "seed {seed}");
            let last = w.ours.last().copied().unwrap_or(0);
            assert!(w.backlog.taken.0 >= last, "seed {seed}");
            lost += w.lost;
            counts += w.counts;
            let_go += w.let_go;
        }
        assert!(counts > 100 && let_go > 500, "{counts} counts, {let_go} let go of");
        assert!(
            lost > 500 && turns > 2_000,
            "{lost} lost, {turns} times from one way to the other"
        );
    }

    #[test]
    fn the_newest_dropped_in_a_row_are_one_range() {
        let mut b = Backlog::live(Sequence(0));
        // Sequences of other sessions lie between; every fifth message finds room again.
        for n in 1..=1_000_u64 {
            assert_eq!(b.push(Sequence(n * 7), 10, false), Push::Leave);
            if n % 5 > 0 && n > 6 {
                b.skip_newest(10);
            }
        }
        let kept: Vec<u64> = (1..=1_000).filter(|n| n % 5 == 0 || *n <= 6).collect();
        assert_eq!(b.waiting().messages, kept.len() as u64);
        assert!(b.begin_read(false).is_some());
        let read = |b: &mut Backlog, n: u64| b.read(Sequence(n * 7), 10) == Read::Take;
        let got: Vec<u64> = (1..=500).filter(|n| read(&mut b, *n)).collect();
        assert_eq!(got, kept[..got.len()]);
        // What lies before the cursor is forgotten, what lies behind is a range for each gap.
        let done = b.done(Sequence(3_500));
        assert_eq!(done.ranges(), 100);
        assert!(done.contains(Sequence(501 * 7)) && !done.contains(Sequence(505 * 7)));
        let got: Vec<u64> = (501..=1_000).filter(|n| read(&mut b, *n)).collect();
        assert_eq!(got, kept[kept.len() - got.len()..]);
    }

    #[test]
    fn what_is_done_right_behind_the_cursor_is_not_read_again() {
        let mut b = Backlog::behind(Sequence(5), Sequence(9), Waiting::default(), 0);
        let mut done = Done::up_to(Sequence(5));
        done.add(Sequence(6));
        b.knows(done);
        assert_eq!(b.begin_read(false), Some(Sequence(6)));
    }

    const QUEUE_MAX: u64 = 6;
}
