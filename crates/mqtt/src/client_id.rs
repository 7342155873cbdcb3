//! The client identifier as the key of a session. It refuses to know who may use which.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use crate::limits::STRING_BYTES_MAX;

/// A client identifier: 1 to 65,535 bytes of UTF-8 without U+0000 (MQTT 5, 3.1.3.1). The empty
/// identifier of a CONNECT is not one: the server assigns another first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(Box<str>);

impl ClientId {
    /// Checks length and U+0000 and copies.
    pub fn parse(text: &str) -> Result<Self, ClientIdError> {
        Self::check(text)?;
        Ok(Self(text.into()))
    }

    /// What [`parse`](Self::parse) checks.
    pub fn check(text: &str) -> Result<(), ClientIdError> {
        if text.is_empty() {
            Err(ClientIdError::Empty)
        } else if text.len() > STRING_BYTES_MAX {
            Err(ClientIdError::TooLong)
        } else if text.as_bytes().contains(&0) {
            Err(ClientIdError::Nul)
        } else {
            Ok(())
        }
    }

    /// The text.
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no client identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientIdError {
    /// No characters.
    Empty,
    /// More than 65,535 bytes.
    TooLong,
    /// U+0000 inside.
    Nul,
}

impl fmt::Display for ClientIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "client identifier is empty",
            Self::TooLong => "client identifier is longer than 65535 bytes",
            Self::Nul => "client identifier contains U+0000",
        })
    }
}

impl std::error::Error for ClientIdError {}

impl Borrow<str> for ClientId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for ClientId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Deref for ClientId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn parses_and_is_found_by_text() {
        let set: HashSet<ClientId> = [ClientId::parse("device1").unwrap()].into();
        assert!(set.contains("device1"));
        assert_eq!(ClientId::parse(""), Err(ClientIdError::Empty));
        assert_eq!(ClientId::parse("a\0"), Err(ClientIdError::Nul));
        assert_eq!(ClientId::parse(&"x".repeat(65_536)), Err(ClientIdError::TooLong));
        assert!(ClientId::parse(&"x".repeat(65_535)).is_ok());
    }
}
