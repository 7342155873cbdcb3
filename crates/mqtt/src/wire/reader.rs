//! A cursor over the bytes of one packet: the data types of MQTT 5, 1.5. It refuses to know the
//! packets.

use crate::error::Wrong;
use crate::packet_id::PacketId;
use crate::wire::varint::{self, Varint};

/// Reads from the front; what is left is `rest`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    #[inline]
    pub(crate) fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, Wrong> {
        let (&byte, rest) = self.rest.split_first().ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(byte)
    }

    #[inline]
    pub(crate) fn u16(&mut self) -> Result<u16, Wrong> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    #[inline]
    pub(crate) fn u32(&mut self) -> Result<u32, Wrong> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    /// A Variable Byte Integer in its shortest form (1.5.5-1).
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u32, Wrong> {
        match varint::read(self.rest) {
            Varint::Is { value, size } if size == varint::size(value) => {
                self.rest = &self.rest[size..];
                Ok(value)
            }
            Varint::Is { .. } => Err(VARINT_PADDED),
            Varint::Incomplete => Err(ENDS_EARLY),
            Varint::TooLong => Err(VARINT_TOO_LONG),
        }
    }

    #[inline]
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Wrong> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(ENDS_EARLY)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Two bytes of length, then as many bytes (1.5.6).
    #[inline]
    pub(crate) fn binary(&mut self) -> Result<&'a [u8], Wrong> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    /// A UTF-8 string without U+0000 (1.5.4).
    #[inline]
    pub(crate) fn string(&mut self) -> Result<&'a str, Wrong> {
        let text = std::str::from_utf8(self.binary()?).map_err(|_| NOT_UTF8)?;
        if text.as_bytes().contains(&0) { Err(HAS_NUL) } else { Ok(text) }
    }

    /// Never zero (2.2.1-3).
    #[inline]
    pub(crate) fn packet_id(&mut self) -> Result<PacketId, Wrong> {
        PacketId::new(self.u16()?).ok_or(PACKET_ID_ZERO)
    }

    /// A property block: its length, then as many bytes, not yet looked at.
    #[inline]
    pub(crate) fn block(&mut self) -> Result<&'a [u8], Wrong> {
        let len = self.varint()?;
        self.take(len as usize)
    }

    /// Nothing may be left.
    #[inline]
    pub(crate) fn end(self) -> Result<(), Wrong> {
        if self.rest.is_empty() { Ok(()) } else { Err(BYTES_LEFT) }
    }
}

pub(crate) const ENDS_EARLY: Wrong =
    Wrong::malformed("MQTT 5, 2.1.4", "packet ends before its content");
pub(crate) const BYTES_LEFT: Wrong =
    Wrong::malformed("MQTT 5, 2.1.4", "packet is longer than its content");
pub(crate) const NOT_UTF8: Wrong =
    Wrong::malformed("MQTT 5, 1.5.4-1", "string is not well-formed UTF-8");
pub(crate) const HAS_NUL: Wrong = Wrong::malformed("MQTT 5, 1.5.4-2", "string contains U+0000");
pub(crate) const VARINT_PADDED: Wrong =
    Wrong::malformed("MQTT 5, 1.5.5-1", "length is not in its shortest form");
pub(crate) const VARINT_TOO_LONG: Wrong =
    Wrong::malformed("MQTT 5, 1.5.5", "length takes more than four bytes");
pub(crate) const PACKET_ID_ZERO: Wrong =
    Wrong::protocol("MQTT 5, 2.2.1-3", "packet identifier is zero");
