//! Etags and generations of identities, and the preconditions of a request (iot-hub B1.1, C1).
//! Refuses to know where new ones come from.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Which state of an identity: another after every change. Its text is opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Etag(pub u64);

/// Base64 of the decimal number, as in `MQ==`; without the quotes of a header.
impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64_STANDARD.encode(self.0.to_string()))
    }
}

/// Which life of an id: another after each new creation. Its text is opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation(pub u64);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The precondition `If-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// No header: the identity must not exist.
    Absent,
    /// `*` or `"*"`: it must exist, in any state.
    Any,
    /// `"etag"` or `etag`: it must be in this state.
    Etag(Box<str>),
}

impl IfMatch {
    /// Reads the header's value.
    pub fn parse(header: Option<&str>) -> Self {
        let Some(text) = header else { return Self::Absent };
        let text = text.trim();
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        match inner.unwrap_or(text) {
            "*" => Self::Any,
            etag => Self::Etag(etag.into()),
        }
    }

    /// Whether what exists with `etag` is what the caller means.
    pub fn allows(&self, etag: Etag) -> bool {
        match self {
            Self::Absent => false,
            Self::Any => true,
            Self::Etag(expected) => **expected == *etag.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_etag_looks_like_the_clouds() {
        assert_eq!(Etag(1).to_string(), "MQ==");
        assert_eq!(Generation(637_000_000_000_000_001).to_string(), "637000000000000001");
    }

    #[test]
    fn the_forms_of_if_match() {
        let rows = [
            (None, IfMatch::Absent, false),
            (Some("*"), IfMatch::Any, true),
            (Some("\"*\""), IfMatch::Any, true),
            (Some(" \"*\" "), IfMatch::Any, true),
            (Some("\"MQ==\""), IfMatch::Etag("MQ==".into()), true),
            (Some("MQ=="), IfMatch::Etag("MQ==".into()), true),
            (Some("Mg=="), IfMatch::Etag("Mg==".into()), false),
            (Some(""), IfMatch::Etag("".into()), false),
            (Some("\"\""), IfMatch::Etag("".into()), false),
            (Some("\""), IfMatch::Etag("\"".into()), false),
            (Some("1"), IfMatch::Etag("1".into()), false),
        ];
        for (header, expected, allowed) in rows {
            let read = IfMatch::parse(header);
            assert_eq!(read, expected);
            assert_eq!(read.allows(Etag(1)), allowed, "{header:?}");
        }
    }
}
