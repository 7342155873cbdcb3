//! What is known of a client besides its name.
//!
//! Owns attribute keys and values (event-grid 4.2). Refuses to know where they come from.

use std::collections::BTreeMap;
use std::fmt;

/// A client's attributes: keys of letters, digits and `_`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Attributes(BTreeMap<Box<str>, Value>);

/// The value of an attribute.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// A text.
    Str(Box<str>),
    /// A whole number.
    Int(i64),
    /// Yes or no.
    Bool(bool),
    /// Several texts.
    List(Vec<Box<str>>),
}

/// What a decision may look at: a client's authentication name, in its original case, and its
/// attributes.
#[derive(Clone, Copy, Debug)]
pub struct ClientFacts<'a> {
    /// The authentication name.
    pub name: &'a str,
    /// The attributes.
    pub attributes: &'a Attributes,
}

/// Why an attribute is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AttributeError {
    /// The key is empty or contains something besides letters, digits and `_`.
    Key(Box<str>),
    /// All attributes together pass [`Attributes::BYTES_MAX`].
    TooLarge {
        /// What they would have.
        bytes: usize,
    },
}

impl Attributes {
    /// Bytes of all keys and values of one client (event-grid 10: 4 KB).
    pub const BYTES_MAX: usize = 4096;

    /// Sets an attribute.
    ///
    /// # Errors
    /// A key that is not letters, digits and `_`, or more than [`Attributes::BYTES_MAX`] in all;
    /// nothing has changed then.
    pub fn insert(&mut self, key: &str, value: Value) -> Result<(), AttributeError> {
        if !is_key(key) {
            return Err(AttributeError::Key(key.into()));
        }
        let replaced = self.0.get(key).map_or(0, |old| key.len() + old.bytes());
        let bytes = self.bytes() - replaced + key.len() + value.bytes();
        if bytes > Self::BYTES_MAX {
            return Err(AttributeError::TooLarge { bytes });
        }
        self.0.insert(key.into(), value);
        Ok(())
    }

    /// The attribute of exactly this key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// All attributes by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }

    /// Bytes of all keys and values.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|(key, value)| key.len() + value.bytes()).sum()
    }
}

impl Value {
    fn bytes(&self) -> usize {
        match self {
            Self::Str(text) => text.len(),
            Self::Int(_) => 8,
            Self::Bool(_) => 1,
            Self::List(all) => all.iter().map(|text| text.len()).sum(),
        }
    }
}

/// Whether `key` is letters, digits and `_`, and at least one.
pub(super) fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl fmt::Display for AttributeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => {
                write!(f, "attribute key '{key}' may only contain letters, digits and '_'")
            }
            Self::TooLarge { bytes } => write!(
                f,
                "attributes have {bytes} bytes, a client may have {}",
                Attributes::BYTES_MAX
            ),
        }
    }
}

impl std::error::Error for AttributeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_sizes_are_checked() {
        let mut attributes = Attributes::default();
        for key in ["", "a-b", "a.b", "a b", "é"] {
            assert_eq!(attributes.insert(key, Value::Int(1)), Err(AttributeError::Key(key.into())));
        }
        assert!(attributes.insert("big", Value::Str("x".repeat(4093).into())).is_ok());
        assert!(attributes.insert("big", Value::Str("y".repeat(4093).into())).is_ok());
        assert_eq!(
            attributes.insert("b", Value::Bool(true)),
            Err(AttributeError::TooLarge { bytes: 4098 })
        );
        assert_eq!(attributes.bytes(), 4096);
        assert_eq!(attributes.get("b"), None);
    }
}
