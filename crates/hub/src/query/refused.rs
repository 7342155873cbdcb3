//! Why a query is refused. Refuses to know the form of the answer.

use std::fmt;

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// It has more characters than are read.
    TooLong(usize),
    /// It cannot be understood.
    Syntax {
        /// The character at which it stops to make sense, from 1.
        at: usize,
        /// What is wrong there.
        what: String,
    },
    /// The documents fall into more groups than are kept.
    TooManyGroups,
}

impl Refused {
    /// The name in the table of C9. Where a job's condition is too long a real hub says
    /// `PreconditionFailed` (B7); who runs jobs may do so by the variant.
    pub fn code_name(&self) -> &'static str {
        "ArgumentInvalid"
    }

    pub(super) fn at(query: &str, byte: usize, what: impl Into<String>) -> Self {
        let before = query.get(..byte).unwrap_or(query);
        Self::Syntax { at: before.chars().count() + 1, what: what.into() }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(chars) => write!(f, "a query of {chars} characters is too long"),
            Self::Syntax { at, what } => write!(f, "character {at}: {what}"),
            Self::TooManyGroups => f.write_str("the devices fall into too many groups"),
        }
    }
}

impl std::error::Error for Refused {}
