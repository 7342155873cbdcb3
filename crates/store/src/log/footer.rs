//! The footer of a sealed segment: where records lie, which streams they belong to, which were
//! held.
//!
//! ```text
//! 0   u32  entries of the index, u32 held records, u32 streams, u32 records
//! 16  the index: u32 distance from the base, u32 offset of the record
//!     held records: u32 distance
//!     streams: u32 stream, u32 count, u32 offset of its list in the file, u32 last distance
//!     the lists: u32 distance, ascending
//! ```
//! The index has one entry each 16 KiB: a record is found by reading on from the entry before it.

use super::damage::Damage;
use super::file::{TRAILER, Trailer};
use super::record::{StreamId, word};
use super::stream::{List, Part};
use crate::disk::File;
use crate::op::Sequence;

/// What is known of a segment's records without reading them.
#[derive(Debug, Default)]
pub(super) struct Footer {
    /// Distance from the base and offset of some records, ascending.
    pub index: Vec<(u32, u32)>,
    /// Distances of records that were held when it was sealed.
    pub held: Vec<u32>,
    /// How many records there are.
    pub records: u64,
    /// The streams' lists.
    pub parts: Vec<(StreamId, Part)>,
}

/// Where the bytes of a sealed segment go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seal {
    pub identity: u64,
    pub base: Sequence,
    pub last: Sequence,
    /// How many records it has.
    pub records: u64,
    /// The end of them.
    pub at: u32,
}

impl Footer {
    /// The bytes of footer and trailer, to be written at `seal.at`, and the streams' parts.
    pub fn encode(
        index: &[(u32, u32)],
        held: &[u32],
        lists: &[(StreamId, &[u32])],
        seal: Seal,
    ) -> (Vec<u8>, Vec<(StreamId, Part)>) {
        let mut bytes = Vec::new();
        // As many as records in one segment, below 2^32.
        for n in [index.len(), held.len(), lists.len(), seal.records as usize] {
            put(&mut bytes, n as u32);
        }
        for (local, offset) in index {
            put(&mut bytes, *local);
            put(&mut bytes, *offset);
        }
        for local in held {
            put(&mut bytes, *local);
        }
        let mut at = seal.at + (bytes.len() + lists.len() * STREAM) as u32;
        let mut parts = Vec::with_capacity(lists.len());
        for (id, list) in lists {
            let last = list.last().copied().unwrap_or(0);
            for n in [id.0, list.len() as u32, at, last] {
                put(&mut bytes, n);
            }
            let last = Sequence(seal.base.0 + u64::from(last));
            let (count, list_at) = (list.len() as u32, List::File(at));
            let part = Part { base: seal.base.0, count, list: list_at, last };
            parts.push((*id, part));
            at += list.len() as u32 * 4;
        }
        for (_, list) in lists {
            list.iter().for_each(|local| put(&mut bytes, *local));
        }
        let trailer = Trailer {
            identity: seal.identity,
            last: seal.last,
            footer_at: seal.at,
            footer_check: crc32c::crc32c(&bytes),
        };
        bytes.extend_from_slice(&trailer.encode());
        (bytes, parts)
    }

    /// Reads the footer that `trailer` names, without the lists.
    pub fn read(
        file: &impl File,
        name: &str,
        base: Sequence,
        trailer: &Trailer,
    ) -> Result<Self, Damage> {
        let at = u64::from(trailer.footer_at);
        let io = |e| Damage::io(name, at, &e);
        let len = (file.len().map_err(io)?).saturating_sub(at + TRAILER as u64);
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        let got = file.read_at(at, &mut bytes).map_err(io)?;
        if got < bytes.len() || crc32c::crc32c(&bytes) != trailer.footer_check {
            return Err(Damage::at(name, at, "the checksum of the footer does not fit"));
        }
        Self::parse(&bytes, base)
            .ok_or_else(|| Damage::at(name, at, "the footer contradicts itself"))
    }

    /// How many records the footer at `at` counts, if `len` bytes have its shape to the last one:
    /// for one whose checksum is not known.
    pub fn records_at(file: &impl File, at: u64, len: u64) -> std::io::Result<Option<u64>> {
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(usize::MAX)];
        let got = file.read_at(at, &mut bytes)?;
        let footer = Self::parse(&bytes[..got], Sequence(0));
        Ok(footer.filter(|f| f.bytes() == got).map(|f| f.records))
    }

    /// Its length in the file, without the trailer.
    fn bytes(&self) -> usize {
        let lists: usize = self.parts.iter().map(|(_, part)| part.count as usize * 4).sum();
        FIXED + self.index.len() * 8 + self.held.len() * 4 + self.parts.len() * STREAM + lists
    }

    fn parse(bytes: &[u8], base: Sequence) -> Option<Self> {
        let counts = bytes.get(..FIXED)?;
        let [index, held, streams, records] = [0, 4, 8, 12].map(|at| word(counts, at) as usize);
        let (index, rest) = bytes[FIXED..].split_at_checked(index.checked_mul(8)?)?;
        let (held, rest) = rest.split_at_checked(held.checked_mul(4)?)?;
        let streams = rest.get(..streams.checked_mul(STREAM)?)?;
        Some(Self {
            index: index.chunks_exact(8).map(|e| (word(e, 0), word(e, 4))).collect(),
            records: records as u64,
            held: held.chunks_exact(4).map(|e| word(e, 0)).collect(),
            parts: streams
                .chunks_exact(STREAM)
                .map(|e| {
                    let last = Sequence(base.0 + u64::from(word(e, 12)));
                    let list = List::File(word(e, 8));
                    let part = Part { base: base.0, count: word(e, 4), list, last };
                    (StreamId(word(e, 0)), part)
                })
                .collect(),
        })
    }
}

fn put(bytes: &mut Vec<u8>, n: u32) {
    bytes.extend_from_slice(&n.to_le_bytes());
}

const FIXED: usize = 16;
const STREAM: usize = 16;
/// How far the index's entries lie apart in the file.
pub(super) const INDEX_EVERY_BYTES: u32 = 16 * 1024;
