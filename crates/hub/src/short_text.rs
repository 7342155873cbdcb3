//! A text of a few bytes without the heap, for what is shown often: etags and moments. Refuses to
//! know what it says.

use std::fmt;

/// A text of at most 28 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShortText {
    bytes: [u8; SHORT_BYTES_MAX],
    len: u8,
}

impl ShortText {
    /// Takes a text as it is; `None` = it is too long.
    pub fn of(text: &str) -> Option<Self> {
        let mut bytes = [0; SHORT_BYTES_MAX];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { bytes, len: text.len() as u8 })
    }

    /// The ASCII that `fill` puts at the beginning of the place; it says how much.
    pub(crate) fn filled(fill: impl FnOnce(&mut [u8; SHORT_BYTES_MAX]) -> usize) -> Self {
        let mut bytes = [0; SHORT_BYTES_MAX];
        let len = fill(&mut bytes).min(SHORT_BYTES_MAX);
        bytes[len..].fill(0);
        Self { bytes, len: len as u8 }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

impl fmt::Display for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ShortText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// As many as a moment takes, and the longest etag.
pub(crate) const SHORT_BYTES_MAX: usize = 28;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_fit_or_are_none() {
        for text in ["", "é", "AAAAAAAAAAE=", "2026-11-22T10:00:00.0000000Z"] {
            assert_eq!(ShortText::of(text).unwrap().as_str(), text);
        }
        assert_eq!(ShortText::of(&"x".repeat(29)), None);
        let filled = ShortText::filled(|place| {
            place.fill(b'x');
            2
        });
        assert_eq!(filled, ShortText::of("xx").unwrap());
    }
}
