//! What readers of the channel call, on threads of theirs: the disk is waited for. Refuses to know
//! who reads, and what a message says beside when it was taken.

use super::shared::Channel;
use hub::channel::{ENVELOPE, enqueued_ms};
use store::disk::File;
use store::log::{Credit, Cursor, Kind, Reader};
use store::op::Sequence;

/// Some messages of one partition.
#[derive(Debug)]
pub struct Page {
    /// Offset and payload (`hub::channel::Envelope`), ascending.
    pub records: Vec<(Sequence, Vec<u8>)>,
    /// The offset where the next page begins.
    pub next: Sequence,
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
        let mut page = Page { records: Vec::new(), next: from };
        let (after, mut bad) = (Sequence(from.0 - 1), None);
        let mut cursor = Cursor::new(after, [(Self::stream(partition), after)]);
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
