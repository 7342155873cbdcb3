//! Values to bytes. Owns the forms that all entries share; refuses to know any entry.

use super::session_id::SessionId;
use mqtt::packet_id::PacketId;
use store::op::Sequence;

/// The end of a payload that is being made.
pub(super) struct Writer<'o>(pub &'o mut Vec<u8>);

impl Writer<'_> {
    pub fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    /// Unsigned LEB128, 1 to 10 bytes.
    pub fn number(&mut self, mut value: u64) {
        while value > 0x7F {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// How far `value` is from `base`, in either direction: small when they are close.
    pub fn distance(&mut self, value: Sequence, base: Sequence) {
        let signed = value.0.wrapping_sub(base.0).cast_signed();
        self.number((signed << 1 ^ signed >> 63).cast_unsigned());
    }

    /// Wall milliseconds; `u64::MAX` = never takes one byte.
    pub fn moment(&mut self, at_ms: u64) {
        self.number(at_ms.wrapping_add(1));
    }

    /// Behind its length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.raw(bytes);
    }

    /// A list of filters.
    pub fn filters(&mut self, filters: &[&str]) {
        self.number(filters.len() as u64);
        filters.iter().for_each(|filter| self.bytes(filter.as_bytes()));
    }

    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub fn session(&mut self, session: SessionId) {
        self.number(session.0);
    }

    pub fn sequence(&mut self, sequence: Sequence) {
        self.number(sequence.0);
    }

    pub fn packet_id(&mut self, id: PacketId) {
        self.number(u64::from(id.get()));
    }
}
