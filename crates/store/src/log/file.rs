//! The frame of a segment's file: its name, its head, and the trailer that closes a sealed one.
//!
//! ```text
//! head     0   "GRIDHUB\0"
//!          8   u32  version of the format
//!          12  u32  CRC32C of the other bytes of the head
//!          16  u64  identity of the log
//!          24  u64  first sequence
//! trailer  0   u32  "GHT1"
//!          4   u32  CRC32C of the rest of the trailer
//!          8   u64  identity of the log
//!          16  u64  last sequence
//!          24  u32  offset of the footer, u32 its CRC32C
//! ```

use super::damage::Damage;
use super::record::word;
use crate::disk::File;
use crate::op::Sequence;

/// The head of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    pub identity: u64,
    pub base: Sequence,
}

/// The end of a sealed segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trailer {
    pub identity: u64,
    pub last: Sequence,
    /// Where the footer begins: the end of the records.
    pub footer_at: u32,
    pub footer_check: u32,
}

/// The name of the segment that begins with `base`: names sort like sequences.
pub(super) fn name(base: Sequence) -> String {
    format!("{:020}.log", base.0)
}

/// A rewritten segment until it takes its name.
pub(super) fn unfinished_name(base: Sequence) -> String {
    format!("{:020}.new", base.0)
}

/// The first sequence of the segment of that name.
pub(super) fn parse_name(name: &str) -> Option<Sequence> {
    let digits = name.strip_suffix(".log")?;
    let plain = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(Sequence))?
}

impl Head {
    /// Where the identity of the log stands.
    pub const IDENTITY_AT: usize = 16;

    pub fn encode(self) -> [u8; FILE_HEAD] {
        let mut bytes = [0; FILE_HEAD];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.identity.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.base.0.to_le_bytes());
        let check = head_check(&bytes);
        bytes[12..16].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// Reads and checks the head of the file called `name`.
    pub fn read(file: &impl File, name: &str) -> Result<Self, Damage> {
        let mut bytes = [0; FILE_HEAD];
        let got = file.read_at(0, &mut bytes).map_err(|e| Damage::io(name, 0, &e))?;
        Self::parse(&bytes[..got]).map_err(|bad| match bad {
            BadHead::Short => Damage::at(name, got as u64, "the file ends within its head"),
            BadHead::Foreign => Damage::at(name, 0, "this is no segment of a log"),
            BadHead::Garbled => Damage::at(name, 12, "the checksum of the head does not fit"),
            BadHead::Version(version) => Damage::version(name, version),
        })
    }

    /// The head at the start of `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadHead> {
        let bytes: &[u8; FILE_HEAD] = bytes.first_chunk().ok_or(BadHead::Short)?;
        if bytes[..8] != *MAGIC {
            return Err(BadHead::Foreign);
        }
        if word(bytes, 12) != head_check(bytes) {
            return Err(BadHead::Garbled);
        }
        match word(bytes, 8) {
            VERSION => Ok(Self { identity: long(bytes, 16), base: Sequence(long(bytes, 24)) }),
            version => Err(BadHead::Version(version)),
        }
    }
}

/// Why bytes are no head that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadHead {
    Short,
    /// It begins with something else.
    Foreign,
    Garbled,
    /// Of a format that is not known here.
    Version(u32),
}

impl Trailer {
    pub fn encode(self) -> [u8; TRAILER] {
        let mut bytes = [0; TRAILER];
        bytes[..4].copy_from_slice(TRAILER_MARK);
        bytes[8..16].copy_from_slice(&self.identity.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.last.0.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.footer_at.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.footer_check.to_le_bytes());
        let check = crc32c::crc32c(&bytes[8..]);
        bytes[4..8].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// The trailer at the end of the file; `None` if it was not sealed.
    pub fn read(file: &impl File, identity: u64) -> std::io::Result<Option<Self>> {
        let len = file.len()?;
        let mut bytes = [0; TRAILER];
        let Some(at) = len.checked_sub(TRAILER as u64) else { return Ok(None) };
        if file.read_at(at, &mut bytes)? < TRAILER
            || bytes[..4] != *TRAILER_MARK
            || word(&bytes, 4) != crc32c::crc32c(&bytes[8..])
            || long(&bytes, 8) != identity
        {
            return Ok(None);
        }
        let trailer = Self {
            identity,
            last: Sequence(long(&bytes, 16)),
            footer_at: word(&bytes, 24),
            footer_check: word(&bytes, 28),
        };
        Ok((u64::from(trailer.footer_at) <= at).then_some(trailer))
    }
}

fn head_check(bytes: &[u8; FILE_HEAD]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..])
}

pub(super) fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("callers checked the length"))
}

/// Bytes before the first batch.
pub(super) const FILE_HEAD: usize = 32;
/// Bytes of the trailer.
pub(super) const TRAILER: usize = 32;
const MAGIC: &[u8; 8] = b"GRIDHUB\0";
const TRAILER_MARK: &[u8; 4] = b"GHT1";
/// Of the format as written; older ones that can be read are named in docs/FORMAT.md.
const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_like_sequences_and_parse() {
        assert!(name(Sequence(9)) < name(Sequence(10)));
        assert_eq!(parse_name(&name(Sequence(u64::MAX))), Some(Sequence(u64::MAX)));
        for other in ["1.log", "00000000000000000001.new", "0000000000000000000x.log", "LOCK"] {
            assert_eq!(parse_name(other), None, "{other}");
        }
    }
}
