//! Names of groups, topic spaces and the like.
//!
//! Owns their one rule (event-grid 5.2, 5.3): 3 to 50 letters, digits and `-`.

use std::fmt;

/// A name that breaks the rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameError {
    /// What it names: "client group", "topic space".
    pub kind: &'static str,
    /// The name.
    pub name: Box<str>,
}

/// Checks a name of a `kind`.
pub(super) fn check(kind: &'static str, name: &str) -> Result<Box<str>, NameError> {
    let long_enough = (NAME_CHARS_MIN..=NAME_CHARS_MAX).contains(&name.len());
    if long_enough && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Ok(name.into());
    }
    Err(NameError { kind, name: name.into() })
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} name '{}' must be {NAME_CHARS_MIN} to {NAME_CHARS_MAX} letters, digits or '-'",
            self.kind, self.name
        )
    }
}

impl std::error::Error for NameError {}

const NAME_CHARS_MIN: usize = 3;
const NAME_CHARS_MAX: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_to_fifty_letters_digits_and_dashes() {
        for good in ["all", "A-1", &"x".repeat(50)] {
            assert!(check("topic space", good).is_ok(), "{good}");
        }
        for bad in ["", "ab", "a_b", "$all", "a b", "äöü", &"x".repeat(51)] {
            let error = check("topic space", bad).unwrap_err();
            assert!(error.to_string().contains(bad), "{error}");
        }
    }
}
