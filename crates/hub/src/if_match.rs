//! The precondition `If-Match` of a request (iot-hub B1.6, C1). Refuses to know what is changed and
//! what the lack of a header means there.

/// What a client says of the state that it wants to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// No header. For an identity: there must be none. For a twin: as [`Any`](Self::Any).
    Absent,
    /// `*` or `"*"`: it must exist, in any state.
    Any,
    /// `"etag"` or `etag`, here without quotes: it must be in this state.
    Etag(Box<str>),
}

impl IfMatch {
    /// Reads the header's value. A list of etags is compared as one text, so it matches nothing.
    pub fn parse(header: Option<&str>) -> Self {
        let Some(text) = header else { return Self::Absent };
        let text = text.trim();
        let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        match inner.unwrap_or(text) {
            "*" => Self::Any,
            etag => Self::Etag(etag.into()),
        }
    }

    /// Whether it names another state than that with the etag `present`.
    pub fn names_other_than(&self, present: &str) -> bool {
        match self {
            Self::Absent | Self::Any => false,
            Self::Etag(expected) => **expected != *present,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_with_and_without_quotes() {
        let etag = |text: &str| IfMatch::Etag(text.into());
        // The header; what it says; whether it lets a change of `AAAAAAAAAAE=` pass.
        for (header, expected, passes) in [
            (None, IfMatch::Absent, true),
            (Some("*"), IfMatch::Any, true),
            (Some("\"*\""), IfMatch::Any, true),
            (Some(" \"*\" "), IfMatch::Any, true),
            (Some("\"AAAAAAAAAAE=\""), etag("AAAAAAAAAAE="), true),
            (Some("AAAAAAAAAAE="), etag("AAAAAAAAAAE="), true),
            (Some("\"AAAAAAAAAAI=\""), etag("AAAAAAAAAAI="), false),
            (Some("aaaaaaaaaae="), etag("aaaaaaaaaae="), false),
            (Some(""), etag(""), false),
            (Some("\"\""), etag(""), false),
            (Some("\""), etag("\""), false),
            (Some("1"), etag("1"), false),
            (Some("\"AAAAAAAAAAE=\", \"x\""), etag("AAAAAAAAAAE=\", \"x"), false),
            (Some("W/\"AAAAAAAAAAE=\""), etag("W/\"AAAAAAAAAAE=\""), false),
        ] {
            let read = IfMatch::parse(header);
            assert_eq!(read, expected);
            assert_eq!(!read.names_other_than("AAAAAAAAAAE="), passes, "{header:?}");
        }
    }
}
