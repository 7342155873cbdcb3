//! The etag of tags and desired: a counter in the clothes that clients know (B1.1). Refuses to
//! know when it counts.

/// How often tags or desired were written; `AAAAAAAAAAE=` is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Etag(pub u64);

impl Etag {
    /// Base64 of the counter's eight bytes, big-endian, without quotes.
    pub fn text(self) -> EtagText {
        let mut text = [b'='; TEXT_LEN];
        let bits = u128::from(self.0) << 2;
        for (n, place) in text[..TEXT_LEN - 1].iter_mut().enumerate() {
            *place = ALPHABET[(bits >> (60 - 6 * n) & 63) as usize];
        }
        EtagText(text)
    }
}

/// The text of an etag, without the heap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EtagText([u8; TEXT_LEN]);

impl EtagText {
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

const TEXT_LEN: usize = 12;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_are_base64_of_a_counter() {
        for (counter, text) in [
            (1, "AAAAAAAAAAE="),
            (2, "AAAAAAAAAAI="),
            (16, "AAAAAAAAABA="),
            (0x0102_0304_0506_0708, "AQIDBAUGBwg="),
            (u64::MAX, "//////////8="),
        ] {
            assert_eq!(Etag(counter).text().as_str(), text);
        }
    }
}
