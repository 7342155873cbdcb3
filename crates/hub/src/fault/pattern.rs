//! Which devices and modules a fault is for. Refuses to know which there are.

use crate::identity::IdentityId;
use std::fmt;

/// A text like client identifiers, `device` or `device/module`, in which each `*` stands for any
/// characters, `/` among them, or for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(Box<str>);

/// What is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// Nothing matches it.
    #[error("is empty; '*' is every device and module")]
    Empty,
    /// More characters than any identity has.
    #[error("has more than {CHARS_MAX} characters")]
    Long,
    /// A character that no id has.
    #[error("holds {0:?}, which no id has; write 'device', 'device/module' or '*' for any part")]
    Character(char),
}

impl Pattern {
    /// Everybody.
    pub fn any() -> Self {
        Self("*".into())
    }

    /// Reads one.
    ///
    /// # Errors
    /// No id could match it, or it is too long.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let plausible = |c: char| c.is_ascii_alphanumeric() || "/-.+%_#*?!(),=@$':;".contains(c);
        if text.is_empty() {
            return Err(BadPattern::Empty);
        }
        if text.len() > CHARS_MAX {
            return Err(BadPattern::Long);
        }
        match text.chars().find(|c| !plausible(*c)) {
            Some(c) => Err(BadPattern::Character(c)),
            None => Ok(Self(text.into())),
        }
    }

    /// Whether it is about this one.
    pub fn matches(&self, id: &IdentityId) -> bool {
        if &*self.0 == "*" {
            return true;
        }
        let device = id.device.as_str().as_bytes();
        match &id.module {
            None => matches(self.0.as_bytes(), device),
            Some(module) => {
                matches(self.0.as_bytes(), &[device, b"/", module.as_str().as_bytes()].concat())
            }
        }
    }
}

/// As it was written.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Goes back to the last `*` only, so that it takes at most the product of both lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, from)) = star else { return false };
                (p, t) = (at + 1, from + 1);
                star = Some((at, from + 1));
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Two ids and the sign between them.
const CHARS_MAX: usize = 257;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_part() {
        let rows: &[(&str, &str, bool)] = &[
            ("*", "d", true),
            ("*", "d/m", true),
            ("d", "d", true),
            ("d", "d/m", false),
            ("d", "dd", false),
            ("d/*", "d/m", true),
            ("d/*", "d", false),
            ("d*", "d/m", true),
            ("*-7", "pump-7", true),
            ("*-7", "pump-77", false),
            ("p*m*-*7", "pump-m-17", true),
            ("p*m*-*7", "pump17", false),
            ("**", "d", true),
            ("D", "d", false),
            ("a*", "a*", true),
        ];
        for (pattern, id, expected) in rows {
            let (pattern, id) = (Pattern::parse(pattern).unwrap(), IdentityId::parse(id).unwrap());
            assert_eq!(pattern.matches(&id), *expected, "{pattern} {id}");
        }
        assert_eq!(Pattern::parse(""), Err(BadPattern::Empty));
        assert_eq!(Pattern::parse("a b"), Err(BadPattern::Character(' ')));
        assert_eq!(Pattern::parse(&"*".repeat(258)), Err(BadPattern::Long));
        // Neither long nor many stars take long.
        let id = IdentityId::parse(&format!("{}b", "a".repeat(127))).unwrap();
        assert!(!Pattern::parse(&"*a".repeat(128)).unwrap().matches(&id));
    }
}
