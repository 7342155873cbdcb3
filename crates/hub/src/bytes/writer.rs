//! Values to bytes. Refuses to know any record.

/// The end of a record that is being made.
pub(crate) struct Writer<'o>(pub &'o mut Vec<u8>);

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

    /// Wall milliseconds plus one; never takes one byte.
    pub fn moment(&mut self, at_ms: Option<u64>) {
        self.number(at_ms.map_or(0, |at_ms| at_ms.saturating_add(1)));
    }

    /// Behind its length.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// UTF-8 behind its length in bytes.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }
}
