//! What goes to an endpoint of the hub's own, as all threads see it: a stream beside those of the
//! partitions, which its endpoint takes in order. Refuses to know what the endpoint is.

use super::shared::Channel;
use broker::subscription::RESERVED_FROM;
use hub::channel::PARTITIONS_MAX;
use hub::route::Name;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use store::log::StreamId;
use store::op::Sequence;

/// One of them.
pub struct Outlet {
    name: Name,
    /// Which stream it is; where nothing is kept it says nothing.
    slot: AtomicU8,
    /// The last message there.
    end: AtomicU64,
    /// The endpoint has everything up to here, as a fact.
    after: AtomicU64,
    /// Messages behind that.
    waiting: AtomicU64,
    listener: OnceLock<Listener>,
}

/// Called when a message has come, on the thread that has made it a fact: must not block.
type Listener = Box<dyn Fn() + Send + Sync>;

impl Outlet {
    pub(super) fn new(name: Name) -> Self {
        let zero = || AtomicU64::new(0);
        let (slot, listener) = (AtomicU8::new(0), OnceLock::new());
        Self { name, slot, end: zero(), after: zero(), waiting: zero(), listener }
    }

    /// What its endpoint is called.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The last message that goes there; 0 = there was none since the start.
    pub fn end(&self) -> Sequence {
        Sequence(self.end.load(Ordering::Acquire))
    }

    /// The endpoint has everything up to here, and a start begins behind it.
    pub fn after(&self) -> Sequence {
        Sequence(self.after.load(Ordering::Acquire))
    }

    /// Messages that it has not.
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Who hears of new messages: the first that is given.
    pub fn listen(&self, listener: impl Fn() + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
    }

    /// Its stream in the log.
    pub(crate) fn stream(&self) -> StreamId {
        Self::stream_of(self.slot())
    }

    pub(super) fn stream_of(slot: u8) -> StreamId {
        StreamId(RESERVED_FROM.0 + u32::from(PARTITIONS_MAX) + u32::from(slot))
    }

    pub(super) fn slot(&self) -> u8 {
        self.slot.load(Ordering::Relaxed)
    }

    /// At a start: which stream it is, how far its endpoint is and how much is behind that.
    pub(super) fn begin(&self, slot: u8, after: Sequence) {
        self.slot.store(slot, Ordering::Relaxed);
        self.after.store(after.0, Ordering::Release);
    }

    /// At a start: what is there already.
    pub(super) fn found(&self, last: Option<Sequence>, waiting: u64) {
        self.end.fetch_max(last.map_or(0, |last| last.0), Ordering::Release);
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    /// One more.
    pub(super) fn tell(&self, at: Sequence) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.end.fetch_max(at.0, Ordering::Release);
        if let Some(listener) = self.listener.get() {
            listener();
        }
    }

    /// The endpoint has so many more, up to here.
    pub(super) fn taken(&self, to: Sequence, messages: u64) {
        self.after.fetch_max(to.0, Ordering::Release);
        let left = |waiting: u64| Some(waiting.saturating_sub(messages));
        let _ = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
    }
}

impl Channel {
    /// What goes to endpoints of the hub's own, in the order of the configuration.
    pub fn outlets(&self) -> &[Outlet] {
        &self.outlets
    }
}
