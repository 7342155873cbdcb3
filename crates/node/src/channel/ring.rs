//! The channel where nothing is kept: the latest messages of each partition, in memory. Refuses to
//! know what they say.

use super::reading::Page;
use super::shared::ChannelSettings;
use broker::budget::Charge;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::log::Credit;
use store::op::Sequence;

/// A ring a partition, then one an outlet.
pub(super) struct Rings {
    all: Box<[Mutex<Ring>]>,
    partitions: usize,
}

#[derive(Default)]
struct Ring {
    /// Offsets ascend by one.
    kept: VecDeque<Message>,
    last: u64,
    bytes: u64,
}

/// A message in memory.
pub(super) struct Message {
    pub enqueued_ms: u64,
    pub payload: Box<[u8]>,
    /// Its bytes in the budget.
    #[expect(dead_code, reason = "it counts by being there")]
    pub charge: Charge,
}

impl Rings {
    pub fn new(partitions: usize, outlets: usize) -> Self {
        Self { all: (0..partitions + outlets).map(|_| Mutex::default()).collect(), partitions }
    }

    /// The ring of an outlet, by its place among them.
    pub fn of_outlet(&self, outlet: usize) -> usize {
        self.partitions + outlet
    }

    /// Puts a message at the end and lets go of what is too much; gives its offset.
    pub fn push(&self, s: &ChannelSettings, ring: usize, message: Message) -> Sequence {
        let mut ring = self.lock(ring);
        ring.last += 1;
        ring.bytes += message.bytes();
        ring.kept.push_back(message);
        while ring.bytes > s.bytes_max / self.all.len() as u64 && ring.drop_first() {}
        Sequence(ring.last)
    }

    /// Lets go of what is too old.
    pub fn retire(&self, s: &ChannelSettings, now_ms: u64) {
        for ring in 0..self.all.len() {
            let mut ring = self.lock(ring);
            let is_old = |m: &Message| m.enqueued_ms.saturating_add(s.retention_ms) <= now_ms;
            while ring.kept.front().is_some_and(is_old) && ring.drop_first() {}
        }
    }

    /// Lets go of what the endpoint of an outlet has.
    pub fn release_outlet(&self, outlet: usize, to: Sequence) {
        let mut ring = self.lock(self.of_outlet(outlet));
        while ring.first() <= to.0 && ring.drop_first() {}
    }

    /// The first offset that is there, or the next one.
    pub fn first(&self, ring: usize) -> Sequence {
        Sequence(self.lock(ring).first())
    }

    /// Messages from an offset on.
    pub fn read(&self, ring: usize, from: Sequence, credit: Credit) -> Page {
        let ring = self.lock(ring);
        let first = ring.first();
        let from = from.0.max(first);
        let mut page = Page { records: Vec::new(), next: Sequence(from) };
        let mut bytes = 0;
        let skipped = usize::try_from(from - first).unwrap_or(usize::MAX);
        for (offset, message) in (from..).zip(ring.kept.iter().skip(skipped)) {
            if page.records.len() >= credit.records || bytes >= credit.bytes {
                break;
            }
            bytes += message.payload.len();
            page.records.push((Sequence(offset), message.payload.to_vec()));
            page.next = Sequence(offset + 1);
        }
        page
    }

    /// The first offset of a message that was taken at `ms` or later.
    pub fn since(&self, partition: usize, ms: u64) -> Sequence {
        let ring = self.lock(partition);
        let before = ring.kept.partition_point(|message| message.enqueued_ms < ms);
        Sequence(ring.first() + before as u64)
    }

    fn lock(&self, ring: usize) -> MutexGuard<'_, Ring> {
        self.all[ring].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// The offset of the first message, or of the next one.
    fn first(&self) -> u64 {
        self.last + 1 - self.kept.len() as u64
    }

    fn drop_first(&mut self) -> bool {
        let first = self.kept.pop_front();
        self.bytes -= first.as_ref().map_or(0, Message::bytes);
        first.is_some()
    }
}

impl Message {
    fn bytes(&self) -> u64 {
        (self.payload.len() + size_of::<Self>()) as u64
    }
}
