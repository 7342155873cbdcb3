//! The name of a method (iot-hub B3): ASCII that needs no escapes in a topic. Refuses to know which
//! methods a device has.

use super::limits::NAME_CHARS_MAX;
use crate::errors::{ErrorCode, Refusal};

/// 1 to 100 printable ASCII characters, none of ``$()<>@,;:\"/[]?={}`` and no blank; nor `+` and
/// `#`, which no topic has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodName(Box<str>);

impl MethodName {
    /// Checks length and characters and copies.
    ///
    /// # Errors
    /// ArgumentNull for no characters, ArgumentInvalid for others.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err(Refusal::new(ErrorCode::ArgumentNull, "methodName is empty"));
        }
        if !Self::is_name(text) {
            let marks = String::from_utf8_lossy(NOT_IN_NAMES);
            let rule = format!("printable ASCII characters without blanks and {marks}");
            let text = format!("methodName has at most {NAME_CHARS_MAX} {rule}");
            return Err(Refusal::new(ErrorCode::ArgumentInvalid, text));
        }
        Ok(Self(text.into()))
    }

    /// Whether a method can be called so.
    pub fn is_name(text: &str) -> bool {
        let good = |byte: u8| byte.is_ascii_graphic() && !NOT_IN_NAMES.contains(&byte);
        (1..=NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(good)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const NOT_IN_NAMES: &[u8] = b"$()<>@,;:\\\"/[]?={}+#";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_topics() {
        let longest = "x".repeat(100);
        for good in ["reboot", "a-b_c.d!%&'*^`|~9", &longest] {
            assert_eq!(MethodName::parse(good).unwrap().as_str(), good);
        }
        assert_eq!(MethodName::parse("").unwrap_err().code, ErrorCode::ArgumentNull);
        let marks = "$()<>@,;:\\\"/[]?={} \t+#\0\u{7f}é";
        let bad = marks.chars().map(|mark| format!("a{mark}"));
        for bad in bad.chain([format!("{longest}x")]) {
            let refused = MethodName::parse(&bad).unwrap_err();
            assert_eq!(refused.code, ErrorCode::ArgumentInvalid, "{bad:?}");
        }
    }
}
