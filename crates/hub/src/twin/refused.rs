//! Why a write into a twin is refused, and why bytes are no twin. Refuses to know the form of an
//! answer: it gives names and codes, the edges choose.

use crate::json::Malformed;
use std::fmt;

/// A rule that a request breaks. The twin is unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The request is longer than is read at all: its bytes.
    RequestTooLong(usize),
    /// The request is no JSON.
    Json(Malformed),
    /// What has to be a JSON object is none: `request`, `tags`, `properties`, ...
    NotAnObject(&'static str),
    /// A key that a twin cannot have, with its path and the reason.
    Key {
        /// Keys from the section down, with dots.
        path: String,
        /// The rule.
        rule: &'static str,
    },
    /// A value that a twin cannot have.
    Value {
        /// Keys from the section down, with dots.
        path: String,
        /// The rule.
        rule: &'static str,
    },
    /// The section would be larger than it may be.
    TooLarge {
        /// `tags`, `desired` or `reported`.
        part: &'static str,
        /// Its size after the write, as B1.4 counts.
        size: usize,
        /// What it may be.
        size_max: usize,
    },
    /// `if-version` names another version than the section has.
    VersionDiffers {
        /// What the section has.
        version: u64,
    },
    /// `If-Match` names another state than the twin has.
    EtagDiffers,
}

impl Refused {
    /// The name in the table of C9.
    pub fn code_name(&self) -> &'static str {
        match self {
            Self::VersionDiffers { .. } | Self::EtagDiffers => "PreconditionFailed",
            _ => "ArgumentInvalid",
        }
    }

    /// The `status` of the MQTT 5 plane (A13).
    pub fn status(&self) -> &'static str {
        match self {
            Self::VersionDiffers { .. } | Self::EtagDiffers => "0104",
            _ => "0100",
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RequestTooLong(bytes) => write!(f, "a request of {bytes} bytes is not read"),
            Self::Json(e) => write!(f, "byte {}: {}", e.at, e.what),
            Self::NotAnObject(what) => write!(f, "{what} has to be a JSON object"),
            Self::Key { path, rule } => write!(f, "key '{path}': {rule}"),
            Self::Value { path, rule } => write!(f, "value of '{path}': {rule}"),
            Self::TooLarge { part, size, size_max } => {
                write!(f, "{part} would have a size of {size}, and may have {size_max}")
            }
            Self::VersionDiffers { version } => write!(f, "the section is at version {version}"),
            Self::EtagDiffers => write!(f, "the twin was changed since the etag was read"),
        }
    }
}

impl std::error::Error for Refused {}

/// Why bytes that were kept are none of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadTwin {
    /// This version is none that we read.
    Version(u8),
    /// What rule it breaks.
    Malformed(&'static str),
    /// A record does not follow on this state: versions are missing between them.
    Gap,
}

impl fmt::Display for BadTwin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "version {version} of a twin is not known"),
            Self::Malformed(what) => f.write_str(what),
            Self::Gap => f.write_str("versions are missing before this record"),
        }
    }
}

impl std::error::Error for BadTwin {}
