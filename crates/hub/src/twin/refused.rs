//! Why a write into a twin is refused. Refuses to know the form of an answer: it gives codes and
//! sentences, the edges choose.

use crate::errors::{ErrorCode, Refusal};
use crate::json::Malformed;

/// A rule that a request breaks. The twin is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The request is longer than is read at all: its bytes.
    #[error("a request of {0} bytes is not read")]
    RequestTooLong(usize),
    /// The request is no JSON.
    #[error("{0}")]
    Json(Malformed),
    /// What has to be a JSON object is none: `request`, `tags`, `properties`, ...
    #[error("{0} has to be a JSON object")]
    NotAnObject(&'static str),
    /// A key that a twin cannot have, with its path and the reason.
    #[error("key '{path}': {rule}")]
    Key {
        /// Keys from the section down, with dots.
        path: String,
        /// The rule.
        rule: &'static str,
    },
    /// A value that a twin cannot have.
    #[error("value of '{path}': {rule}")]
    Value {
        /// Keys from the section down, with dots.
        path: String,
        /// The rule.
        rule: &'static str,
    },
    /// The section would be larger than it may be.
    #[error("{part} would have a size of {size}, and may have {size_max}")]
    TooLarge {
        /// `tags`, `desired` or `reported`.
        part: &'static str,
        /// Its size after the write, as B1.4 counts.
        size: usize,
        /// What it may be.
        size_max: usize,
    },
    /// `if-version` names another version than the section has.
    #[error("the section is at version {version}")]
    VersionDiffers {
        /// What the section has.
        version: u64,
    },
    /// `If-Match` names another state than the twin has.
    #[error("the twin was changed since the etag was read")]
    EtagDiffers,
}

impl Refused {
    /// The code of C9: B1.4 has one for every rule, and B1.6 one for every precondition.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::VersionDiffers { .. } | Self::EtagDiffers => ErrorCode::PreconditionFailed,
            _ => ErrorCode::ArgumentInvalid,
        }
    }
}

/// What a service is answered.
impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        Self::new(refused.code(), refused.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_answered_with_codes() {
        let rows = [
            (Refused::NotAnObject("tags"), "ArgumentInvalid;tags has to be a JSON object"),
            (
                Refused::Json(Malformed { at: 3, what: "no JSON value begins so" }),
                "ArgumentInvalid;byte 3: no JSON value begins so",
            ),
            (
                Refused::TooLarge { part: "tags", size: 8193, size_max: 8192 },
                "ArgumentInvalid;tags would have a size of 8193, and may have 8192",
            ),
            (
                Refused::VersionDiffers { version: 2 },
                "PreconditionFailed;the section is at version 2",
            ),
            (
                Refused::EtagDiffers,
                "PreconditionFailed;the twin was changed since the etag was read",
            ),
        ];
        for (refused, text) in rows {
            assert_eq!(Refusal::from(refused).to_string(), format!("ErrorCode:{text}"));
        }
    }
}
