//! The name of a lock on a message that an HTTP client works on (iot-hub C6, D6): opaque to it, and
//! here without the quotes of a header. Refuses to know what is locked and where chance comes from.

use std::fmt;

/// 128 random bits, in the form of a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LockToken(pub u128);

impl LockToken {
    /// Reads what a client sends back, with or without quotes, in any case; `None` = we never gave
    /// out such a text.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let bytes = inner.unwrap_or(text).as_bytes();
        if bytes.len() != 36 {
            return None;
        }
        bytes
            .iter()
            .enumerate()
            .try_fold(0, |bits, (at, &byte)| match (at, byte) {
                (8 | 13 | 18 | 23, b'-') => Some(bits),
                (8 | 13 | 18 | 23, _) => None,
                _ => Some(bits << 4 | u128::from(char::from(byte).to_digit(16)?)),
            })
            .map(Self)
    }
}

impl fmt::Display for LockToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0;
        let part = |shift: u32, digits: u32| bits >> shift & ((1 << (4 * digits)) - 1);
        let (a, b, c) = (part(96, 8), part(80, 4), part(64, 4));
        write!(f, "{a:08x}-{b:04x}-{c:04x}-{:04x}-{:012x}", part(48, 4), part(0, 12))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_come_back_as_clients_send_them() {
        let token = LockToken(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        let text = "01234567-89ab-cdef-0011-223344556677";
        assert_eq!(token.to_string(), text);
        let quoted = format!("\"{text}\"");
        for good in [text, &quoted, &text.to_uppercase(), &format!(" {text} ")] {
            assert_eq!(LockToken::parse(good), Some(token), "{good}");
        }
        for bad in ["", "*", &text[1..], &text.replace('-', "0"), &text.replace('a', "g")] {
            assert_eq!(LockToken::parse(bad), None, "{bad}");
        }
        assert_eq!(LockToken::parse("0123456789-ab-cdef-0011-22334455667é"), None);
    }
}
