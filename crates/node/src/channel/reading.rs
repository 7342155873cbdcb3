//! What readers of the channel and endpoints call, on threads of theirs: the disk is waited for.
//! Refuses to know who reads, and what a message says beside when it was taken.

use super::shared::Channel;
use hub::channel::{ENVELOPE, enqueued_ms};
use store::disk::File;
use store::log::{Credit, Cursor, Kind, ReadEnd, Reader, StreamId};
use store::op::Sequence;

/// Some messages of one partition.
#[derive(Debug)]
pub struct Page {
    /// Offset and payload (`hub::channel::Envelope`), ascending.
    pub records: Vec<(Sequence, Vec<u8>)>,
    /// The offset where the next page begins.
    pub next: Sequence,
}

/// Some messages for an endpoint.
#[derive(Debug)]
pub struct Portion {
    /// So many before them are too old or too much.
    pub lapsed: u64,
    /// The last of those, or what was asked for.
    pub after: Sequence,
    /// Number and payload, ascending.
    pub records: Vec<(Sequence, Vec<u8>)>,
}

/// Where the messages of a channel lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptIn {
    /// On the disk.
    InLog,
    /// In rings.
    InMemory,
}

/// The log of a channel; `None` = nothing is kept.
type LogOf<'r, F> = Option<&'r Reader<F>>;

impl Channel {
    /// Messages of a partition from an offset on, or from the first one that is still there.
    ///
    /// # Errors
    /// The log cannot be read there; the text says where.
    pub fn read<F: File>(
        &self,
        log: LogOf<'_, F>,
        partition: usize,
        from: Sequence,
        credit: Credit,
    ) -> Result<Page, String> {
        if partition >= self.settings().partitions.count() {
            return Ok(Page { records: Vec::new(), next: from });
        }
        let Some(log) = log else { return Ok(self.rings.read(partition, from, credit)) };
        let from = from.max(Sequence(self.marks().floor().0 + 1));
        Self::page(log, Self::stream(partition), from, credit)
    }

    /// Messages for an endpoint behind one. What is too old or too much is left out.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_outlet<F: File>(
        &self,
        log: LogOf<'_, F>,
        outlet: usize,
        after: Sequence,
        credit: Credit,
    ) -> Result<Portion, String> {
        let Some(of) = self.outlets.get(outlet) else {
            return Ok(Portion { lapsed: 0, after, records: Vec::new() });
        };
        let Some(log) = log else {
            let page = self.rings.read(self.rings.of_outlet(outlet), Sequence(after.0 + 1), credit);
            let first = page.records.first().map_or(page.next, |(at, _)| *at);
            // Offsets ascend by one.
            let (lapsed, after) = (first.0 - 1 - after.0, Sequence(first.0 - 1));
            return Ok(Portion { lapsed, after, records: page.records });
        };
        let floor = self.marks().floor();
        let lapsed = if floor > after { count(log, of.stream(), after, floor)? } else { 0 };
        let after = after.max(floor);
        let page = Self::page(log, of.stream(), Sequence(after.0 + 1), credit)?;
        Ok(Portion { lapsed, after, records: page.records })
    }

    /// Whether a message for an endpoint is too old or too much.
    pub fn has_lapsed(&self, outlet: usize, at: Sequence, kept: KeptIn) -> bool {
        match kept {
            KeptIn::InLog => self.marks().floor() >= at,
            KeptIn::InMemory => self.rings.first(self.rings.of_outlet(outlet)) > at,
        }
    }

    fn page<F: File>(
        log: &Reader<F>,
        stream: StreamId,
        from: Sequence,
        credit: Credit,
    ) -> Result<Page, String> {
        let mut page = Page { records: Vec::new(), next: from };
        let (after, mut bad) = (Sequence(from.0 - 1), None);
        let mut cursor = Cursor::new(after, [(stream, after)]);
        let read = log.read(&mut cursor, credit, |record| {
            if record.kind != Kind(ENVELOPE) {
                bad = Some(record.sequence);
                return;
            }
            page.records.push((record.sequence, record.payload.to_vec()));
            page.next = Sequence(record.sequence.0 + 1);
        });
        read.map_err(|damage| damage.to_string())?;
        match bad {
            Some(at) => Err(format!("record {} in a partition is no message", at.0)),
            None => Ok(page),
        }
    }

    /// The offset of the first message that is still there, or of whatever comes next.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn first<F: File>(&self, log: LogOf<'_, F>, partition: usize) -> Result<Sequence, String> {
        self.first_from(log, partition, Sequence(0)).map(|(offset, _)| offset)
    }

    /// The offset of the first message that was taken at `ms` or later, or of whatever comes next.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn since<F: File>(
        &self,
        log: LogOf<'_, F>,
        partition: usize,
        ms: u64,
    ) -> Result<Sequence, String> {
        if log.is_none() {
            return Ok(self.rings.since(partition, ms));
        }
        // Of one partition they come in the order of time, but for reactors' turns.
        let (mut low, mut high) = (self.first(log, partition)?, self.end(partition));
        while low <= high {
            let middle = Sequence(low.0 + (high.0 - low.0) / 2);
            let (found, taken_ms) = self.first_from(log, partition, middle)?;
            if taken_ms.is_some_and(|taken_ms| taken_ms < ms) {
                low = Sequence(found.0 + 1);
            } else if middle == low {
                return Ok(found);
            } else {
                high = Sequence(middle.0 - 1);
            }
        }
        self.first_from(log, partition, low).map(|(offset, _)| offset)
    }

    /// The first message from an offset on, and when it was taken.
    fn first_from<F: File>(
        &self,
        log: LogOf<'_, F>,
        partition: usize,
        from: Sequence,
    ) -> Result<(Sequence, Option<u64>), String> {
        let credit = Credit { records: 1, bytes: 1 };
        let page = self.read(log, partition, from, credit)?;
        match page.records.first() {
            Some((at, payload)) => {
                let ms = enqueued_ms(payload).map_err(|bad| format!("record {}: {bad}", at.0))?;
                Ok((*at, Some(ms)))
            }
            None => Ok((page.next.max(self.next(partition)), None)),
        }
    }
}

/// How many records of a stream there are behind one, up to another.
pub(super) fn count<F: File>(
    log: &Reader<F>,
    stream: StreamId,
    after: Sequence,
    until: Sequence,
) -> Result<u64, String> {
    let (mut cursor, mut count, mut beyond) = (Cursor::new(after, [(stream, after)]), 0, false);
    loop {
        let each = |at| if at <= until { count += 1 } else { beyond = true };
        let end =
            log.list(&mut cursor, LISTED_AT_ONCE, each).map_err(|damage| damage.to_string())?;
        if beyond || matches!(end, ReadEnd::All(_)) {
            return Ok(count);
        }
    }
}

const LISTED_AT_ONCE: usize = 4_096;
