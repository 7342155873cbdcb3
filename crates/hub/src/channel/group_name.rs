//! The name of a consumer group. Refuses to know positions.

use super::limits::GROUP_CHARS_MAX;
use std::fmt;

/// `$Default`, or 1 to 50 ASCII letters, digits, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupName(Box<str>);

/// A text is no name of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a consumer group is called $Default, or has 1 to {GROUP_CHARS_MAX} letters, digits, '.', \
     '_' and '-'"
)]
pub struct NoGroupName;

impl GroupName {
    /// Checks and copies.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Self, NoGroupName> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = (1..=GROUP_CHARS_MAX).contains(&text.len()) && text.bytes().all(good);
        if is_name || text == DEFAULT { Ok(Self(text.into())) } else { Err(NoGroupName) }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the group that every channel has.
    pub fn is_default(&self) -> bool {
        &*self.0 == DEFAULT
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const DEFAULT: &str = "$Default";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_characters_and_length() {
        let longest = "x".repeat(50);
        for good in ["$Default", "a", "Group-1_b.c", &longest] {
            assert_eq!(GroupName::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "$default", "$", "a b", "é", "a/b", &format!("{longest}x")] {
            assert_eq!(GroupName::parse(bad), Err(NoGroupName), "{bad}");
        }
        assert!(GroupName::parse("$Default").unwrap().is_default());
    }
}
