//! The bytes of a backup file (docs/FORMAT.md): a head, then frames, each with its checksum.
//! Refuses to know where they come from and where they go.

use std::io::{self, Read};

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A file begins: its name, and how many bytes it has.
    File(&'a str, u64),
    /// The next bytes of it.
    Data(&'a [u8]),
    /// The backup is whole.
    End,
}

/// Why bytes are no backup that can be read.
#[derive(Debug, thiserror::Error)]
pub enum BadBackup {
    /// What stands at this offset is not what was written.
    #[error("at offset {offset}: {what}")]
    Garbled {
        /// In bytes from the start.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A later version made it.
    #[error("it has version {0} of the format, and this gridhub reads {VERSION}; use a newer one")]
    Version(u32),
    /// The source failed.
    #[error("at offset {offset}: {error}")]
    Io {
        /// In bytes from the start.
        offset: u64,
        /// As the system says it.
        error: io::Error,
    },
}

/// Makes the bytes.
#[derive(Default)]
pub struct Encoder {
    /// Of everything made so far.
    check: u32,
    bytes: u64,
}

/// Reads and checks the bytes.
pub struct Decoder<R> {
    from: R,
    check: u32,
    at: u64,
    payload: Vec<u8>,
}

impl Encoder {
    /// The head; `made_ms` is the wall clock in milliseconds.
    pub fn head(&mut self, made_ms: u64, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&made_ms.to_le_bytes());
        let check = crc32c::crc32c(&out[start..]);
        out.extend_from_slice(&check.to_le_bytes());
        self.count(&out[start..]);
    }

    /// One frame.
    pub fn frame(&mut self, frame: &Frame<'_>, out: &mut Vec<u8>) {
        let start = out.len();
        let kind = match frame {
            Frame::File(..) => FILE,
            Frame::Data(_) => DATA,
            Frame::End => END,
        };
        out.extend_from_slice(kind);
        out.extend_from_slice(&[0; 8]);
        match frame {
            Frame::File(name, bytes) => {
                out.extend_from_slice(&bytes.to_le_bytes());
                out.extend_from_slice(name.as_bytes());
            }
            Frame::Data(data) => out.extend_from_slice(data),
            Frame::End => {
                out.extend_from_slice(&self.bytes.to_le_bytes());
                out.extend_from_slice(&self.check.to_le_bytes());
            }
        }
        // Callers pass at most DATA_BYTES_MAX or a name.
        let len = (out.len() - start - FRAME_HEAD) as u32;
        out[start + 4..start + 8].copy_from_slice(&len.to_le_bytes());
        let check = frame_check(&out[start..start + 8], &out[start + FRAME_HEAD..]);
        out[start + 8..start + FRAME_HEAD].copy_from_slice(&check.to_le_bytes());
        self.count(&out[start..]);
    }

    fn count(&mut self, bytes: &[u8]) {
        self.check = crc32c::crc32c_append(self.check, bytes);
        self.bytes += bytes.len() as u64;
    }
}

impl<R: Read> Decoder<R> {
    /// Reads the head; gives when the backup was made, in wall milliseconds.
    ///
    /// # Errors
    /// Bytes that are no backup, or one of a later version.
    pub fn begin(from: R) -> Result<(Self, u64), BadBackup> {
        let mut decoder = Self { from, check: 0, at: 0, payload: Vec::new() };
        let mut head = [0; HEAD];
        decoder.take(&mut head)?;
        let bad = |what| BadBackup::Garbled { offset: 0, what };
        if head[..8] != *MAGIC {
            return Err(bad("this is no backup of gridhub"));
        }
        if word(&head, 20) != crc32c::crc32c(&head[..20]) {
            return Err(bad("the checksum of the head does not fit"));
        }
        match word(&head, 8) {
            VERSION => Ok((decoder, long(&head, 12))),
            version => Err(BadBackup::Version(version)),
        }
    }

    /// The next frame, and the offset at which it begins.
    ///
    /// # Errors
    /// Bytes that are cut off or not what was written.
    pub fn next(&mut self) -> Result<(u64, Frame<'_>), BadBackup> {
        let (offset, check) = (self.at, self.check);
        let bad = |what| BadBackup::Garbled { offset, what };
        let mut head = [0; FRAME_HEAD];
        self.take(&mut head)?;
        let len = word(&head, 4) as usize;
        if len > PAYLOAD_MAX {
            return Err(bad("a frame is longer than any that is written"));
        }
        let mut payload = std::mem::take(&mut self.payload);
        payload.resize(len, 0);
        self.take(&mut payload)?;
        self.payload = payload;
        let payload = self.payload.as_slice();
        if word(&head, 8) != frame_check(&head[..8], payload) {
            return Err(bad("the checksum of a frame does not fit"));
        }
        let kind = head.first_chunk::<4>().expect("a frame's head has four bytes");
        match kind {
            FILE if len > 8 => {
                let name =
                    std::str::from_utf8(&payload[8..]).map_err(|_| bad("a name is no text"))?;
                Ok((offset, Frame::File(name, long(payload, 0))))
            }
            DATA => Ok((offset, Frame::Data(payload))),
            END if len == 12 => {
                if long(payload, 0) != offset || word(payload, 8) != check {
                    return Err(bad("the checksum of the whole does not fit"));
                }
                Ok((offset, Frame::End))
            }
            _ => Err(bad("a frame of an unknown kind")),
        }
    }

    /// That nothing follows.
    ///
    /// # Errors
    /// When something does.
    pub fn end(&mut self) -> Result<(), BadBackup> {
        let offset = self.at;
        match self.from.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(BadBackup::Garbled { offset, what: "something stands behind the end" }),
            Err(error) => Err(BadBackup::Io { offset, error }),
        }
    }

    fn take(&mut self, into: &mut [u8]) -> Result<(), BadBackup> {
        let offset = self.at;
        self.from.read_exact(into).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => BadBackup::Garbled { offset, what: "it is cut off" },
            _ => BadBackup::Io { offset, error },
        })?;
        self.check = crc32c::crc32c_append(self.check, into);
        self.at += into.len() as u64;
        Ok(())
    }
}

fn frame_check(head: &[u8], payload: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(head), payload)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(*bytes[at..].first_chunk().expect("callers checked the length"))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("callers checked the length"))
}

/// The most that one frame of data holds.
pub const DATA_BYTES_MAX: usize = 256 * 1024;
const PAYLOAD_MAX: usize = DATA_BYTES_MAX;
const MAGIC: &[u8; 8] = b"GRIDBACK";
const VERSION: u32 = 1;
const FILE: &[u8; 4] = b"FILE";
const DATA: &[u8; 4] = b"DATA";
const END: &[u8; 4] = b"END!";
/// Mark, version, time, checksum.
const HEAD: usize = 24;
/// Kind, length of the payload, checksum of kind, length and payload.
const FRAME_HEAD: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    fn backup() -> Vec<u8> {
        let (mut encoder, mut out) = (Encoder::default(), Vec::new());
        encoder.head(77, &mut out);
        for frame in [Frame::File("a.log", 3), Frame::Data(b"xyz"), Frame::End] {
            encoder.frame(&frame, &mut out);
        }
        out
    }

    fn read(bytes: &[u8]) -> Result<(u64, Vec<String>), BadBackup> {
        let (mut decoder, made_ms) = Decoder::begin(bytes)?;
        let mut seen = Vec::new();
        loop {
            let (_, frame) = decoder.next()?;
            seen.push(format!("{frame:?}"));
            if frame == Frame::End {
                decoder.end()?;
                return Ok((made_ms, seen));
            }
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let (made_ms, seen) = read(&backup()).unwrap();
        assert_eq!(made_ms, 77);
        assert_eq!(seen, ["File(\"a.log\", 3)", "Data([120, 121, 122])", "End"]);
    }

    #[test]
    fn no_byte_may_be_missing_other_or_too_many() {
        let whole = backup();
        for cut in 0..whole.len() {
            assert!(read(&whole[..cut]).is_err(), "cut at {cut}");
        }
        for at in 0..whole.len() {
            for bit in [1, 0x80] {
                let mut other = whole.clone();
                other[at] ^= bit;
                assert!(read(&other).is_err(), "garbled at {at}");
            }
        }
        assert!(read(&[&whole[..], b"!"].concat()).is_err());
        // A frame that is left out whole, or comes twice.
        let data = HEAD + FRAME_HEAD + 13..HEAD + 2 * FRAME_HEAD + 16;
        assert!(read(&[&whole[..data.start], &whole[data.end..]].concat()).is_err());
        assert!(read(&[&whole[..data.end], &whole[data.start..]].concat()).is_err());
    }

    #[test]
    fn a_later_version_is_named() {
        let mut head = [MAGIC.as_slice(), &9u32.to_le_bytes(), &[0; 8]].concat();
        head.extend_from_slice(&crc32c::crc32c(&head).to_le_bytes());
        assert!(matches!(read(&head), Err(BadBackup::Version(9))));
    }

    #[test]
    fn damage_is_named_by_its_offset() {
        let mut other = backup();
        let at = HEAD + FRAME_HEAD + 13;
        other[at + FRAME_HEAD + 1] ^= 1;
        let error = read(&other).unwrap_err().to_string();
        assert_eq!(error, format!("at offset {at}: the checksum of a frame does not fit"));
    }
}
