//! Who is read at once and who waits for its turn: connections that took much of the reactor
//! lately are read on behind all that take little, for a slice of time; beside a fan-out so are all
//! but a few of those that only acknowledge. Refuses to know what packets are.

use node::LinkId;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Connections that have more to read, the one whose turn it is first.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<LinkId>,
    now_ms: u64,
    /// Connections that took little, and said something, were read in this turn.
    light_read: bool,
    /// Those that only acknowledge of which so many more are read at once in this turn.
    acknowledging_left: usize,
    /// Until then a crowd may acknowledge a fan-out.
    crowd_until_ms: u64,
    /// Until then slices are short, for the sake of those that take little.
    short_until: Option<Instant>,
}

/// What one connection took lately: bytes and reads, forgotten by half every [`PERIOD_MS`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Work {
    bytes: u32,
    period: u32,
    queued: bool,
    said: Said,
}

/// What the last input of a connection was, as far as it matters for the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Said {
    /// Something that others may wait for.
    #[default]
    More,
    /// Nothing but what makes room for the connection itself.
    Acknowledgements,
}

/// Whether messages with many receivers are being handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Jobs {
    None,
    Waiting,
}

/// A stretch of time in which the queue is served.
pub(super) struct Slice {
    end: Instant,
    left: usize,
}

impl Queue {
    /// A turn begins.
    pub fn begin(&mut self, now_ms: u64, jobs: Jobs) {
        self.now_ms = now_ms;
        self.light_read = false;
        if jobs == Jobs::Waiting {
            self.crowd_until_ms = now_ms + CROWD_EXPECTED_MS;
        }
        let crowd = now_ms < self.crowd_until_ms;
        self.acknowledging_left = if crowd { ACKNOWLEDGING_AT_ONCE } else { usize::MAX };
    }

    /// Whether a connection that has become readable is read at once; else it waits here.
    #[inline]
    pub fn admits(&mut self, id: LinkId, work: &mut Work) -> bool {
        if work.queued {
            return false;
        }
        if work.lately(self.now_ms) > HEAVY_BYTES {
            self.push(id, work);
            return false;
        }
        if work.said == Said::More {
            self.light_read = true;
            return true;
        }
        // A crowd that acknowledges a fan-out must not delay a publisher that comes behind it.
        if self.acknowledging_left == 0 {
            self.push(id, work);
            return false;
        }
        self.acknowledging_left -= 1;
        true
    }

    /// It has more to read: it waits for its turn, once however often this is said.
    pub fn push(&mut self, id: LinkId, work: &mut Work) {
        if !work.queued {
            work.queued = true;
            self.waiting.push_back(id);
        }
    }

    /// A read of it brought so many bytes, which were this.
    #[inline]
    pub fn count(&self, work: &mut Work, bytes: usize, said: Said) {
        work.said = said;
        let cost = u32::try_from(bytes).unwrap_or(u32::MAX).saturating_add(READ_COST);
        work.bytes = work.lately(self.now_ms).saturating_add(cost);
    }

    /// Whether somebody waits.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether somebody waits while others, who took little, were read in this turn: what these
    /// caused is written before anybody is read on.
    pub fn gives_way(&mut self) -> bool {
        let gives_way = self.light_read && self.is_waiting();
        if gives_way {
            self.short_until = Some(Instant::now() + LIGHT_EXPECTED);
        }
        gives_way
    }

    /// A slice begins.
    pub fn slice(&mut self) -> Slice {
        let now = Instant::now();
        self.short_until = self.short_until.filter(|until| now < *until);
        let length = if self.short_until.is_some() { SHORT } else { LONG };
        Slice { end: now + length, left: self.waiting.len() }
    }

    /// Who is read next. Who is pushed meanwhile waits for the next slice.
    pub fn next(&mut self, slice: &mut Slice) -> Option<LinkId> {
        if slice.left == 0 || Instant::now() >= slice.end {
            return None;
        }
        slice.left -= 1;
        self.waiting.pop_front()
    }
}

impl Work {
    /// It has left the queue.
    pub fn dequeued(&mut self) {
        self.queued = false;
    }

    fn lately(&mut self, now_ms: u64) -> u32 {
        // Only differences matter: it may go round.
        let period = (now_ms / PERIOD_MS) as u32;
        let passed = period.wrapping_sub(self.period);
        self.bytes = self.bytes.checked_shr(passed).unwrap_or(0);
        self.period = period;
        self.bytes
    }
}

/// What a read costs beside its bytes, as bytes.
const READ_COST: u32 = 256;
const PERIOD_MS: u64 = 8;
/// Who took more than this in about a period takes much: 2 MB or 8,000 reads a second.
const HEAVY_BYTES: u32 = 16 * 1024;
/// Beside a fan-out: about as many as a turn of it has receivers.
const ACKNOWLEDGING_AT_ONCE: usize = 16;
/// Acknowledgements of a fan-out are expected this long behind its last turn.
const CROWD_EXPECTED_MS: u64 = 20;
/// Who takes little is expected back this long.
const LIGHT_EXPECTED: Duration = Duration::from_millis(10);
/// A few reads: others hardly notice.
const SHORT: Duration = Duration::from_micros(75);
/// Many reads and one write for each receiver.
const LONG: Duration = Duration::from_micros(1_000);

#[cfg(test)]
mod tests {
    use super::*;

    fn id(slot: u32) -> LinkId {
        LinkId { slot, generation: 0 }
    }

    /// Two that take much and one that takes little, readable in this order.
    #[test]
    fn who_took_much_waits_behind_who_took_little() {
        let (mut queue, mut works) = (Queue::default(), [Work::default(); 3]);
        queue.begin(1_000, Jobs::None);
        for (n, work) in works.iter_mut().enumerate() {
            assert!(queue.admits(id(n as u32), work), "nobody took anything yet");
        }
        assert!(!queue.gives_way(), "nobody waits");
        for work in &mut works[..2] {
            queue.count(work, 20_000, Said::More);
        }
        queue.count(&mut works[2], 100, Said::More);
        queue.begin(1_001, Jobs::None);
        let admitted = [0, 1, 2].map(|n| queue.admits(id(n as u32), &mut works[n]));
        assert_eq!(admitted, [false, false, true]);
        assert!(queue.gives_way());
        let mut slice = queue.slice();
        assert!(slice.end <= Instant::now() + SHORT);
        slice.end += Duration::from_secs(3600);
        assert_eq!(queue.next(&mut slice), Some(id(0)));
        works[0].dequeued();
        queue.push(id(0), &mut works[0]);
        assert_eq!(queue.next(&mut slice), Some(id(1)));
        assert_eq!(queue.next(&mut slice), None, "once a slice");
        assert!(queue.is_waiting());
    }

    /// A crowd that acknowledges, and a publisher that becomes readable behind it.
    #[test]
    fn a_crowd_that_acknowledges_waits_behind_who_publishes() {
        let (mut queue, mut works) = (Queue::default(), [Work::default(); 40]);
        queue.begin(1_000, Jobs::Waiting);
        for work in &mut works[..39] {
            queue.count(work, 4, Said::Acknowledgements);
        }
        queue.count(&mut works[39], 100, Said::More);
        let mut admitted = |queue: &mut Queue, n: usize| queue.admits(id(n as u32), &mut works[n]);
        let at_once = (0..39).filter(|n| admitted(&mut queue, *n)).count();
        assert_eq!(at_once, ACKNOWLEDGING_AT_ONCE, "a few never wait");
        assert!(!queue.gives_way(), "nobody waits for what acknowledgements cause");
        assert!(admitted(&mut queue, 39), "a publisher never waits behind them");
        assert!(queue.gives_way());
        let mut slice = queue.slice();
        slice.end += Duration::from_secs(3600);
        let rest: Vec<_> = std::iter::from_fn(|| queue.next(&mut slice)).collect();
        assert_eq!(
            rest,
            (ACKNOWLEDGING_AT_ONCE as u32..39).map(id).collect::<Vec<_>>(),
            "in order, all of them"
        );
        // Who publishes again is read at once again.
        works[38].dequeued();
        queue.count(&mut works[38], 100, Said::More);
        queue.acknowledging_left = 0;
        assert!(queue.admits(id(38), &mut works[38]));
        queue.begin(1_000 + CROWD_EXPECTED_MS - 1, Jobs::None);
        assert_eq!(queue.acknowledging_left, ACKNOWLEDGING_AT_ONCE, "they come behind the job");
        assert!(queue.admits(id(0), &mut works[0]), "a new turn, a new few");
        queue.begin(1_000 + CROWD_EXPECTED_MS, Jobs::None);
        assert_eq!(queue.acknowledging_left, usize::MAX, "without a fan-out nobody waits");
    }

    #[test]
    fn it_waits_once_and_its_news_do_not_count() {
        let (mut queue, mut work) = (Queue::default(), Work::default());
        queue.push(id(7), &mut work);
        queue.push(id(7), &mut work);
        assert!(!queue.admits(id(7), &mut work));
        assert!(!queue.gives_way(), "nobody else was read");
        let before = Instant::now();
        let mut slice = queue.slice();
        assert!(slice.end >= before + LONG, "nobody light is there");
        slice.end += Duration::from_secs(3600);
        assert_eq!(queue.next(&mut slice), Some(id(7)));
        assert!(!queue.is_waiting());
    }

    #[test]
    fn what_it_took_is_forgotten() {
        let (mut queue, mut work) = (Queue::default(), Work::default());
        queue.begin(0, Jobs::None);
        queue.count(&mut work, 4 * HEAVY_BYTES as usize - READ_COST as usize, Said::More);
        assert_eq!(work.lately(PERIOD_MS - 1), 4 * HEAVY_BYTES);
        assert_eq!(work.lately(2 * PERIOD_MS), HEAVY_BYTES);
        assert!(queue.admits(id(0), &mut { work }));
        assert_eq!(work.lately(40 * PERIOD_MS), 0);
        // A flood for ever must not go round to nothing.
        queue.begin(1_000_000, Jobs::None);
        for _ in 0..2 {
            queue.count(&mut work, usize::MAX, Said::More);
        }
        assert_eq!(work.bytes, u32::MAX);
        // What was counted long ago is gone, however long.
        assert_eq!(work.lately(u64::MAX), 0);
    }
}
