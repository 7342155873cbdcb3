//! Continuation tokens of the retained list: opaque text that says where a list goes on. It grants
//! nothing: the filter inside is authorized again on every page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Where a list goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    pub filter: String,
    /// The last topic of the page before.
    pub after: String,
}

impl Continuation {
    /// URL-safe text.
    pub fn token(&self) -> String {
        let text = format!("{}\0{}", self.filter, self.after);
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&checksum(text.as_bytes()).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// `None` for a text that no [`Continuation::token`] made.
    pub fn parse(token: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (head, text) = bytes.split_at_checked(5)?;
        let (version, sum) = head.split_first()?;
        if *version != VERSION || sum != checksum(text).to_be_bytes() {
            return None;
        }
        // Neither a filter nor a topic holds U+0000 (MQTT 5, 4.7.3-2).
        let (filter, after) = std::str::from_utf8(text).ok()?.split_once('\0')?;
        Some(Continuation { filter: filter.to_owned(), after: after.to_owned() })
    }
}

/// FNV-1a: finds a token that was cut or mistyped.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |sum, b| (sum ^ u32::from(*b)).wrapping_mul(0x0100_0193))
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_damage() {
        let page = Continuation { filter: "a/+/#".to_owned(), after: "a/\u{e4}/c".to_owned() };
        let token = page.token();
        assert_eq!(Continuation::parse(&token), Some(page));
        for end in 0..token.len() {
            assert_eq!(Continuation::parse(&token[..end]), None, "{end}");
        }
        assert_eq!(Continuation::parse(&token.replace('A', "B")), None);
        assert_eq!(Continuation::parse("not a token"), None);
        assert_eq!(Continuation::parse(""), None);
    }
}
