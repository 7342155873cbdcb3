//! One record of the log as bytes: a fixed head, the streams it belongs to, its payload.
//!
//! Owns the layout and the checksum. Refuses to know what a payload means.
//!
//! ```text
//! 0   u32  length of everything behind the head
//! 4   u32  CRC32C of bytes 8.. to the end
//! 8   u64  sequence
//! 16  u32  kind (bits 0..8), held (bit 8), number of streams (bits 9..32)
//! 20  u32  namespace
//! 24  u32  x number of streams, then the payload
//! ```
//! All numbers are little-endian.

use crate::op::{NamespaceId, Sequence};

/// An index stream: which records wait for the holders of one filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u32);

/// What a payload is; the numbers are given out by the owner of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind(pub u8);

/// Whether a record is needed beyond its streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// It goes when no stream needs it.
    No,
    /// It stays until its owner releases it, and is given back at start.
    UntilReleased,
}

/// A record that was read, borrowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its place in the order of the log.
    pub sequence: Sequence,
    /// What the payload is.
    pub kind: Kind,
    /// Whether it was appended to be held.
    pub hold: Hold,
    /// Whose it is.
    pub namespace: NamespaceId,
    streams: &'a [u8],
    /// What was appended.
    pub payload: &'a [u8],
}

/// Why bytes are no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoRecord {
    /// The bytes end before the record does.
    Short,
    /// The checksum does not fit, or a length within contradicts another.
    Garbled,
}

impl<'a> Record<'a> {
    /// Reads the record at the start of `bytes`; gives it and its length.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, usize), NoRecord> {
        let head: &[u8; HEAD] = bytes.first_chunk().ok_or(NoRecord::Short)?;
        let len = HEAD.checked_add(word(head, 0) as usize).ok_or(NoRecord::Garbled)?;
        let whole = bytes.get(..len).ok_or(NoRecord::Short)?;
        if crc32c::crc32c(&whole[CHECKED_FROM..]) != word(head, 4) {
            return Err(NoRecord::Garbled);
        }
        Self::parse_trusted(bytes)
    }

    /// As [`parse`](Self::parse) for bytes whose checksum was just made.
    pub(super) fn parse_trusted(bytes: &'a [u8]) -> Result<(Self, usize), NoRecord> {
        let head: &[u8; HEAD] = bytes.first_chunk().ok_or(NoRecord::Short)?;
        let len = HEAD.checked_add(word(head, 0) as usize).ok_or(NoRecord::Garbled)?;
        let whole = bytes.get(..len).ok_or(NoRecord::Short)?;
        let shape = word(head, 16);
        let streams_end = HEAD + (shape >> STREAMS_AT) as usize * 4;
        let streams = whole.get(HEAD..streams_end).ok_or(NoRecord::Garbled)?;
        let record = Self {
            sequence: Sequence(u64::from_le_bytes(*head[8..].first_chunk().expect("24 bytes"))),
            kind: Kind(head[16]),
            hold: if shape & HELD == 0 { Hold::No } else { Hold::UntilReleased },
            namespace: NamespaceId(word(head, 20)),
            streams,
            payload: &whole[streams_end..],
        };
        Ok((record, len))
    }

    /// Its length in the file.
    pub(super) fn bytes(&self) -> usize {
        HEAD + self.streams.len() + self.payload.len()
    }

    /// The streams it belongs to.
    pub fn streams(&self) -> impl Iterator<Item = StreamId> + use<'a> {
        self.streams.chunks_exact(4).map(|id| StreamId(word(id, 0)))
    }
}

/// Appends a record without sequence and checksum; [`seal`] sets them.
pub(super) fn write(
    out: &mut Vec<u8>,
    (kind, hold, namespace): (Kind, Hold, NamespaceId),
    streams: &[StreamId],
    payload: &[&[u8]],
) {
    let payload_len: usize = payload.iter().map(|part| part.len()).sum();
    // A record is little more than a packet: far below 4 GiB and 8 million streams.
    let len = (streams.len() * 4 + payload_len) as u32;
    let held = if hold == Hold::UntilReleased { HELD } else { 0 };
    let shape = u32::from(kind.0) | held | (streams.len() as u32) << STREAMS_AT;
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&[0; 12]);
    out.extend_from_slice(&shape.to_le_bytes());
    out.extend_from_slice(&namespace.0.to_le_bytes());
    for stream in streams {
        out.extend_from_slice(&stream.0.to_le_bytes());
    }
    for part in payload {
        out.extend_from_slice(part);
    }
}

/// Sets sequence and checksum of the record at the start of `bytes`; gives its length.
pub(super) fn seal(bytes: &mut [u8], sequence: Sequence) -> usize {
    let len = HEAD + word(bytes, 0) as usize;
    bytes[8..16].copy_from_slice(&sequence.0.to_le_bytes());
    let check = crc32c::crc32c(&bytes[CHECKED_FROM..len]);
    bytes[4..8].copy_from_slice(&check.to_le_bytes());
    len
}

/// The little-endian word at `at`.
pub(super) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("callers checked the length"))
}

/// Bytes before streams and payload.
pub(super) const HEAD: usize = 24;
const CHECKED_FROM: usize = 8;
const HELD: u32 = 1 << 8;
const STREAMS_AT: u32 = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Vec<u8> {
        let mut bytes = Vec::new();
        let head = (Kind(7), Hold::UntilReleased, NamespaceId(3));
        write(&mut bytes, head, &[StreamId(9), StreamId(1)], &[b"ab", b"c"]);
        seal(&mut bytes, Sequence(42));
        bytes
    }

    #[test]
    fn gives_back_what_was_written() {
        let bytes = one();
        let (record, len) = Record::parse(&bytes).unwrap();
        assert_eq!(len, bytes.len());
        assert_eq!((record.sequence, record.kind), (Sequence(42), Kind(7)));
        assert_eq!((record.hold, record.namespace), (Hold::UntilReleased, NamespaceId(3)));
        assert_eq!(record.streams().collect::<Vec<_>>(), [StreamId(9), StreamId(1)]);
        assert_eq!(record.payload, b"abc");
    }

    #[test]
    fn a_changed_or_missing_byte_is_seen() {
        let bytes = one();
        for at in 0..bytes.len() {
            let mut garbled = bytes.clone();
            garbled[at] ^= 0x10;
            assert!(Record::parse(&garbled).is_err(), "byte {at}");
            assert_eq!(Record::parse(&bytes[..at]), Err(NoRecord::Short), "cut at {at}");
        }
    }
}
