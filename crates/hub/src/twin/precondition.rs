//! What a writer expects of the twin it writes to (B1.6). Refuses to know where the expectation
//! came from: user property, topic or header.

use super::etag::Etag;
use super::refused::Refused;

/// What a device expects of its reported section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfVersion {
    /// Nothing.
    Any,
    /// This `$version`.
    Is(u64),
}

impl IfVersion {
    pub(super) fn check(self, version: u64) -> Result<(), Refused> {
        match self {
            Self::Is(expected) if expected != version => Err(Refused::VersionDiffers { version }),
            _ => Ok(()),
        }
    }
}

/// What a service expects of tags and desired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// Nothing: no header, `*` or `"*"`.
    Any,
    /// This etag, without quotes.
    Is(String),
}

impl IfMatch {
    /// Takes the text of the header, which some clients send without the quotes. A list of
    /// etags is compared as one text, so it matches nothing.
    pub fn parse(header: Option<&str>) -> Self {
        let text = header.map_or("*", str::trim);
        let bare = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        if bare == "*" { Self::Any } else { Self::Is(bare.to_owned()) }
    }

    pub(super) fn check(&self, etag: Etag) -> Result<(), Refused> {
        match self {
            Self::Is(expected) if expected != etag.text().as_str() => Err(Refused::EtagDiffers),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_with_and_without_quotes() {
        for (header, matches_first) in [
            (None, true),
            (Some("*"), true),
            (Some("\"*\""), true),
            (Some("\"AAAAAAAAAAE=\""), true),
            (Some("AAAAAAAAAAE="), true),
            (Some("\"AAAAAAAAAAI=\""), false),
            (Some("aaaaaaaaaae="), false),
            (Some(""), false),
            (Some("\"AAAAAAAAAAE=\", \"x\""), false),
            (Some("W/\"AAAAAAAAAAE=\""), false),
        ] {
            let outcome = IfMatch::parse(header).check(Etag(1));
            assert_eq!(outcome.is_ok(), matches_first, "{header:?}");
        }
    }
}
