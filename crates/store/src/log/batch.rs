//! Records that become facts together, laid out as they will lie in the file.
//!
//! Owns the head of a batch. Reactors fill [`Records`]; the committer joins them to a [`Batch`],
//! numbers them and writes them with one call.
//!
//! ```text
//! 0   u32  "GHB1"
//! 4   u32  CRC32C of bytes 8..32 and the log's identity
//! 8   u64  first sequence
//! 16  u32  number of records
//! 20  u32  bytes of records behind the head
//! 24  u64  sequence that was durable when this was written
//! ```
//! The identity keeps bytes that a client chose from passing for a batch: nobody outside knows it.

use super::record::{self, Hold, Kind, StreamId, word};
use crate::op::{NamespaceId, Sequence};

/// Records of one producer, not yet numbered.
#[derive(Debug, Default)]
pub struct Records {
    bytes: Vec<u8>,
    count: u32,
    footer_bytes: usize,
}

/// Records of all producers, numbered when the log writes them.
#[derive(Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    count: u32,
    footer_bytes: usize,
}

/// The head of a batch as read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BatchHead {
    pub first: Sequence,
    pub count: u32,
    pub bytes: u32,
    pub durable: Sequence,
}

impl Records {
    /// Appends one record; `payload` is given in parts.
    pub fn push(
        &mut self,
        kind: Kind,
        hold: Hold,
        namespace: NamespaceId,
        streams: &[StreamId],
        payload: &[&[u8]],
    ) {
        record::write(&mut self.bytes, (kind, hold, namespace), streams, payload);
        self.count += 1;
        self.footer_bytes += FOOTER_RECORD + streams.len() * FOOTER_STREAM;
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Their bytes in the file.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self { bytes: vec![0; BATCH_HEAD], count: 0, footer_bytes: 0 }
    }
}

impl Batch {
    /// Takes the records of one producer; they come behind those that are there.
    pub fn join(&mut self, records: &mut Records) {
        self.bytes.extend_from_slice(&records.bytes);
        self.count += records.count;
        self.footer_bytes += records.footer_bytes;
        records.bytes.clear();
        (records.count, records.footer_bytes) = (0, 0);
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes in the file.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets its records and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.truncate(BATCH_HEAD);
        (self.count, self.footer_bytes) = (0, 0);
    }

    /// The most that a segment's footer can need for its records.
    pub(super) fn footer_bytes_max(&self) -> usize {
        self.footer_bytes
    }

    /// The bytes as the last [`seal`](Self::seal) made them.
    pub(super) fn sealed(&self) -> &[u8] {
        &self.bytes
    }

    /// Numbers the records from `first` and completes the head; gives the bytes to write.
    pub(super) fn seal(&mut self, identity: u64, first: Sequence, durable: Sequence) -> &[u8] {
        let mut at = BATCH_HEAD;
        let mut sequence = first;
        while at < self.bytes.len() {
            at += record::seal(&mut self.bytes[at..], sequence);
            sequence.0 += 1;
        }
        debug_assert_eq!(sequence.0 - first.0, u64::from(self.count), "every record was counted");
        // A batch is bounded far below 4 GiB by the bound of the log's queue.
        let bytes = (self.bytes.len() - BATCH_HEAD) as u32;
        let head = BatchHead { first, count: self.count, bytes, durable };
        self.bytes[..BATCH_HEAD].copy_from_slice(&head.encode(identity));
        &self.bytes
    }
}

impl BatchHead {
    pub fn encode(&self, identity: u64) -> [u8; BATCH_HEAD] {
        let mut head = [0; BATCH_HEAD];
        head[..4].copy_from_slice(&MARK.to_le_bytes());
        head[8..16].copy_from_slice(&self.first.0.to_le_bytes());
        head[16..20].copy_from_slice(&self.count.to_le_bytes());
        head[20..24].copy_from_slice(&self.bytes.to_le_bytes());
        head[24..32].copy_from_slice(&self.durable.0.to_le_bytes());
        let check = check(&head, identity);
        head[4..8].copy_from_slice(&check.to_le_bytes());
        head
    }

    /// The head at the start of `bytes`, if there is one of this log.
    pub fn parse(bytes: &[u8], identity: u64) -> Option<Self> {
        let head: &[u8; BATCH_HEAD] = bytes.first_chunk()?;
        if word(head, 0) != MARK || word(head, 4) != check(head, identity) {
            return None;
        }
        let long = |at: usize| u64::from_le_bytes(*head[at..].first_chunk().expect("32 bytes"));
        Some(Self {
            first: Sequence(long(8)),
            count: word(head, 16),
            bytes: word(head, 20),
            durable: Sequence(long(24)),
        })
    }
}

fn check(head: &[u8; BATCH_HEAD], identity: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&head[8..]), &identity.to_le_bytes())
}

/// Bytes of a batch before its first record.
pub(super) const BATCH_HEAD: usize = 32;
/// What a record may cost in the footer: an entry of the index, and its hold.
const FOOTER_RECORD: usize = 12;
/// What each of its streams may cost: an entry of the directory, and of a list.
const FOOTER_STREAM: usize = 20;
/// How a batch begins: "GHB1".
pub(super) const MARK: u32 = u32::from_le_bytes(*b"GHB1");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::record::Record;

    #[test]
    fn producers_join_in_order_and_are_numbered() {
        let mut records = Records::default();
        let mut batch = Batch::default();
        for payload in [&b"one"[..], b"two"] {
            records.push(Kind(1), Hold::No, NamespaceId(0), &[], &[payload]);
            batch.join(&mut records);
        }
        assert!(records.is_empty());
        let bytes = batch.seal(77, Sequence(10), Sequence(9)).to_vec();
        let head = BatchHead::parse(&bytes, 77).unwrap();
        assert_eq!((head.first, head.count, head.durable), (Sequence(10), 2, Sequence(9)));
        assert_eq!(head.bytes as usize, bytes.len() - BATCH_HEAD);
        let (one, len) = Record::parse(&bytes[BATCH_HEAD..]).unwrap();
        let (two, _) = Record::parse(&bytes[BATCH_HEAD + len..]).unwrap();
        assert_eq!((one.sequence.0, one.payload), (10, &b"one"[..]));
        assert_eq!((two.sequence.0, two.payload), (11, &b"two"[..]));
        assert!(BatchHead::parse(&bytes, 78).is_none(), "another log's batch is none of ours");
    }
}
