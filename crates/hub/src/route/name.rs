//! The name of a route or an endpoint (iot-hub B5). Refuses to know what it names.

use super::limits::NAME_CHARS_MAX;

/// 1 to 64 ASCII letters, digits, `.`, `_` and `-`. Two that differ by case only are one.
#[derive(Debug, Clone)]
pub struct Name(Box<str>);

impl Name {
    /// The endpoint that every hub has.
    pub fn events() -> Self {
        Self(EVENTS.into())
    }

    /// Checks length and characters and copies; `None` = it is no name.
    pub fn parse(text: &str) -> Option<Self> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(good);
        is_name.then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether an endpoint of one's own cannot be called so.
    pub(super) fn is_reserved(&self) -> bool {
        RESERVED.iter().any(|name| self.0.eq_ignore_ascii_case(name))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

const EVENTS: &str = "events";
const RESERVED: [&str; 3] = [EVENTS, "operationsMonitoringEvents", "fileNotifications"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_characters_and_length() {
        let longest = "x".repeat(64);
        for good in ["a", "Route-1_b.c", &longest] {
            assert_eq!(Name::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "é", "a/b", "$default", &format!("{longest}x")] {
            assert_eq!(Name::parse(bad), None, "{bad}");
        }
        assert_eq!(Name::parse("EVENTS"), Some(Name::events()));
        assert!(Name::parse("Events").unwrap().is_reserved());
        assert!(!Name::parse("events2").unwrap().is_reserved());
    }
}
