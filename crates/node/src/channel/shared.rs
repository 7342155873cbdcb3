//! What reactors, the log's threads and readers share of the channel. Refuses to know messages.

use super::marks::Marks;
use super::outlet::Outlet;
use super::ring::{Message, Rings};
use broker::subscription::RESERVED_FROM;
use hub::channel::{Partitions, State};
use hub::route::{Name, Target, Targets};
use smallvec::SmallVec;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use store::log::StreamId;
use store::op::Sequence;

/// The channel of one hub.
pub struct Channel {
    settings: ChannelSettings,
    marks: Mutex<Marks>,
    /// The last offset of each partition.
    ends: Box<[AtomicU64]>,
    /// There is more than there may be.
    is_over: AtomicBool,
    listener: OnceLock<Listener>,
    pub(super) outlets: Box<[Outlet]>,
    /// Where nothing is kept.
    pub(super) rings: Rings,
}

/// How much a channel has.
#[derive(Debug, Clone)]
pub struct ChannelSettings {
    /// Fixed when it begins.
    pub partitions: Partitions,
    /// How long a message is there, milliseconds of the domain clock.
    pub retention_ms: u64,
    /// How many bytes of messages there are; above it the oldest go.
    pub bytes_max: u64,
}

/// Called with a partition and the offset of what has come there, on the thread that has made it a
/// fact: must not block.
type Listener = Box<dyn Fn(usize, Sequence) + Send + Sync>;

/// A message on its way into the log, as whoever makes facts sees it.
pub(crate) struct Enqueued {
    pub channel: Arc<Channel>,
    pub places: Places,
    pub enqueued_ms: u64,
    pub bytes: usize,
}

/// Where a message lies: in its partition, if it goes to the built-in endpoint, and in what goes to
/// others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    pub partition: usize,
    pub targets: Targets,
}

impl Channel {
    /// One without messages, of a hub that has the built-in endpoint only.
    pub fn new(settings: ChannelSettings) -> Self {
        Self::with_outlets(settings, [])
    }

    /// One without messages, of a hub with endpoints of its own too, as its routes know them.
    pub fn with_outlets(settings: ChannelSettings, names: impl IntoIterator<Item = Name>) -> Self {
        let outlets: Box<[Outlet]> = names.into_iter().map(Outlet::new).collect();
        let count = settings.partitions.count();
        Self {
            marks: Mutex::new(Marks::of(None)),
            ends: (0..count).map(|_| AtomicU64::new(0)).collect(),
            is_over: AtomicBool::new(false),
            listener: OnceLock::new(),
            rings: Rings::new(count, outlets.len()),
            outlets,
            settings,
        }
    }

    /// How much it has.
    pub fn settings(&self) -> &ChannelSettings {
        &self.settings
    }

    /// Who hears of new messages: the first that is given.
    pub fn listen(&self, listener: impl Fn(usize, Sequence) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
    }

    /// The offset of the last message of a partition; 0 = there was none.
    pub fn end(&self, partition: usize) -> Sequence {
        Sequence(self.ends.get(partition).map_or(0, |end| end.load(Ordering::Acquire)))
    }

    /// The lowest offset that the next message of a partition can have, and no lower than the first
    /// one that can still be there.
    pub fn next(&self, partition: usize) -> Sequence {
        let floor = self.marks().floor();
        Sequence(self.end(partition).max(floor).0 + 1)
    }

    /// Whether there is more than there may be: reactor 0 should have a turn.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    /// The stream of a partition in the log.
    pub(crate) fn stream(partition: usize) -> StreamId {
        // There are 32 at most.
        StreamId(RESERVED_FROM.0 + partition as u32)
    }

    /// The streams of all partitions.
    pub(super) fn streams(partitions: Partitions) -> impl Iterator<Item = StreamId> {
        (0..partitions.count()).map(Self::stream)
    }

    /// The streams of a message.
    pub(crate) fn streams_of(&self, places: Places) -> SmallVec<[StreamId; 4]> {
        let own = places.targets.has(Target::EVENTS).then(|| Self::stream(places.partition));
        own.into_iter().chain(self.outlets_of(places.targets).map(Outlet::stream)).collect()
    }

    /// A message of the log has become a fact.
    pub(crate) fn appended(&self, places: Places, at: Sequence, what: (u64, usize)) {
        self.weigh(at, what);
        if places.targets.has(Target::EVENTS) {
            self.tell(places.partition, at);
        }
        self.outlets_of(places.targets).for_each(|outlet| outlet.tell(at));
    }

    /// Where nothing is kept: a message goes into the ring of each of its places.
    pub(super) fn remember(&self, places: Places, copy: impl Fn() -> Message) {
        let Places { partition, targets } = places;
        if targets.has(Target::EVENTS) {
            let at = self.rings.push(&self.settings, partition, copy());
            self.tell(partition, at);
        }
        for place in targets.iter().filter_map(Target::custom) {
            let Some(outlet) = self.outlets.get(place) else { continue };
            outlet.tell(self.rings.push(&self.settings, self.rings.of_outlet(place), copy()));
        }
    }

    /// The log has a message, taken then and of so many bytes.
    pub(super) fn weigh(&self, at: Sequence, (enqueued_ms, bytes): (u64, usize)) {
        let mut marks = self.marks();
        marks.append(&self.settings, at, enqueued_ms, (bytes + HEAD_BYTES) as u64);
        if marks.is_over(&self.settings) {
            self.is_over.store(true, Ordering::Relaxed);
        }
    }

    fn outlets_of(&self, targets: Targets) -> impl Iterator<Item = &Outlet> {
        let all = targets.iter().filter_map(Target::custom);
        all.filter_map(|place| self.outlets.get(place))
    }

    /// A partition ends here.
    pub(super) fn tell(&self, partition: usize, at: Sequence) {
        let Some(end) = self.ends.get(partition) else { return };
        end.fetch_max(at.0, Ordering::Release);
        if let Some(listener) = self.listener.get() {
            listener(partition, at);
        }
    }

    pub(super) fn restore(&self, state: &State) {
        *self.marks() = Marks::of(Some(state));
    }

    pub(super) fn looked_at(&self) {
        self.is_over.store(false, Ordering::Relaxed);
    }

    pub(super) fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for ChannelSettings {
    fn default() -> Self {
        Self { partitions: Partitions::default(), retention_ms: DAY_MS, bytes_max: 1 << 30 }
    }
}

const DAY_MS: u64 = 86_400_000;
/// What the log adds to a payload: a record's head and its stream.
const HEAD_BYTES: usize = 28;
