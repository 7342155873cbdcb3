//! Index streams: which records wait for the holders of one filter, in log order.
//!
//! Owns, for each stream, where its sequence numbers lie (a list in the footer of each sealed
//! segment, a list in memory for the open one) and where its holders stand.
//! Refuses to know filters and sessions.

use super::holders::Holders;
use super::record::StreamId;
use crate::op::Sequence;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// All streams of a log.
#[derive(Debug, Default)]
pub(super) struct Streams {
    all: HashMap<StreamId, Stream, RandomState>,
}

/// One stream.
#[derive(Debug, Default)]
pub(super) struct Stream {
    parts: VecDeque<Part>,
    /// Distances from the base of the open segment.
    open: Vec<u32>,
    holders: Holders,
}

/// A stream's list of one sealed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// Base of the segment.
    pub base: u64,
    /// How many sequence numbers.
    pub count: u32,
    /// Where they are.
    pub list: List,
    /// The last of them.
    pub last: Sequence,
}

/// The lists of several streams.
pub(super) type Parts = Vec<(StreamId, Part)>;

/// Where a list lies: ascending distances from the segment's base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum List {
    /// In the footer, at this offset of the file.
    File(u32),
    /// The segment could not be sealed.
    Memory(Arc<[u32]>),
}

impl Streams {
    pub fn get(&self, id: StreamId) -> Option<&Stream> {
        self.all.get(&id)
    }

    /// A record of the open segment belongs to the stream.
    pub fn push(&mut self, id: StreamId, local: u32) {
        let stream = self.all.entry(id).or_default();
        stream.open.push(local);
    }

    /// A list of a sealed segment; segments come in log order.
    pub fn add_part(&mut self, id: StreamId, part: Part) {
        self.all.entry(id).or_default().parts.push_back(part);
    }

    /// The lists of the open segment with at least one number that somebody may still read.
    pub fn open_lists(&self) -> Vec<(StreamId, &[u32])> {
        let lists = self.all.iter().filter(|(_, s)| !s.open.is_empty());
        let mut lists: Vec<_> = lists.map(|(id, s)| (*id, s.open.as_slice())).collect();
        lists.sort_unstable_by_key(|(id, _)| *id);
        lists
    }

    /// The open segment was sealed: its lists lie in its footer now.
    pub fn seal(&mut self, parts: impl Iterator<Item = (StreamId, Part)>) {
        for (id, part) in parts {
            let stream = self.all.entry(id).or_default();
            stream.parts.push_back(part);
            stream.open = Vec::new();
        }
    }

    /// The open segment cannot be sealed: its lists stay in memory.
    pub fn freeze(&mut self, base: u64) {
        for stream in self.all.values_mut().filter(|s| !s.open.is_empty()) {
            let open = std::mem::take(&mut stream.open);
            let last = Sequence(base + u64::from(open.last().copied().unwrap_or(0)));
            let (count, list) = (open.len() as u32, List::Memory(open.into()));
            stream.parts.push_back(Part { base, count, list, last });
        }
    }

    /// Segments were removed, or joined to one: their lists give way to `instead`.
    pub fn replace(&mut self, bases: &[u64], instead: &[(StreamId, Part)]) {
        for stream in self.all.values_mut() {
            stream.parts.retain(|part| !bases.contains(&part.base));
        }
        for (id, part) in instead {
            let stream = self.all.entry(*id).or_default();
            let at = stream.parts.partition_point(|p| p.base < part.base);
            stream.parts.insert(at, part.clone());
        }
    }

    /// Takes what a scan of the open segment found.
    pub fn adopt_open(&mut self, found: Self) {
        for (id, stream) in found.all {
            self.all.entry(id).or_default().open = stream.open;
        }
    }

    /// Somebody reads the stream behind `after` from now on.
    pub fn hold(&mut self, id: StreamId, after: Sequence) {
        self.all.entry(id).or_default().holders.add(after);
    }

    /// A holder has come from `from` to `to`.
    pub fn advance(&mut self, id: StreamId, from: Sequence, to: Sequence) {
        if let Some(stream) = self.all.get_mut(&id)
            && stream.holders.remove(from)
        {
            stream.holders.add(to);
        }
    }

    /// A holder that stood behind `after` is gone. A stream without holders ends.
    pub fn leave(&mut self, id: StreamId, after: Sequence) {
        let Some(stream) = self.all.get_mut(&id) else { return };
        stream.holders.remove(after);
        if stream.holders.is_empty() {
            self.all.remove(&id);
        }
    }

    /// Ends streams that nobody holds: after a start, when all holders are known.
    pub fn end_unheld(&mut self) {
        self.all.retain(|_, stream| !stream.holders.is_empty());
    }

    /// How many of each sealed segment's numbers somebody may still read, by base.
    pub fn needed(&self) -> BTreeMap<u64, u64> {
        let mut needed = BTreeMap::new();
        for stream in self.all.values() {
            for part in stream.parts.iter().filter(|part| stream.needs(part)) {
                *needed.entry(part.base).or_insert(0) += u64::from(part.count);
            }
        }
        needed
    }

    /// Forgets lists that nobody may read any more.
    pub fn trim(&mut self) {
        for stream in self.all.values_mut() {
            while let Some(part) = stream.parts.front()
                && !stream.needs(part)
            {
                stream.parts.pop_front();
            }
        }
    }

    /// Every list of one segment that somebody may still read.
    pub fn parts_of(&self, base: u64) -> Vec<(StreamId, Part)> {
        let mut parts = Vec::new();
        for (id, stream) in &self.all {
            let at = stream.parts.partition_point(|part| part.base < base);
            if let Some(part) = stream.parts.get(at)
                && part.base == base
                && stream.needs(part)
            {
                parts.push((*id, part.clone()));
            }
        }
        parts.sort_unstable_by_key(|(id, _)| *id);
        parts
    }
}

impl Stream {
    /// The list that may hold the first number behind `after`, with how far to go on if it does
    /// not: the sealed lists in order, then the open one.
    pub fn list_behind(&self, after: Sequence) -> Option<Part> {
        let at = self.parts.partition_point(|part| part.last <= after);
        self.parts.get(at).cloned()
    }

    /// The numbers of the open segment.
    pub fn open(&self) -> &[u32] {
        &self.open
    }

    /// Whether somebody may still read something of the list.
    fn needs(&self, part: &Part) -> bool {
        self.holders.slowest().is_some_and(|slowest| slowest < part.last)
    }
}
