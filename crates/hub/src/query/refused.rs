//! Why a query is refused. Refuses to know the form of the answer.

use crate::errors::{ErrorCode, Refusal};

/// What is wrong with a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has more characters than are read.
    #[error("a query of {0} characters is too long")]
    TooLong(usize),
    /// It cannot be understood.
    #[error("character {at}: {what}")]
    Syntax {
        /// The character at which it stops to make sense, from 1.
        at: usize,
        /// What is wrong there.
        what: String,
    },
    /// The documents fall into more groups than are kept.
    #[error("the devices fall into too many groups")]
    TooManyGroups,
}

impl Refused {
    /// The code of C9. Where a job's condition is too long a real hub says
    /// `PreconditionFailed` (B7); who runs jobs may do so by the variant.
    pub fn code(&self) -> ErrorCode {
        ErrorCode::ArgumentInvalid
    }

    pub(super) fn at(query: &str, byte: usize, what: impl Into<String>) -> Self {
        let before = query.get(..byte).unwrap_or(query);
        Self::Syntax { at: before.chars().count() + 1, what: what.into() }
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
    fn services_are_answered_with_a_code_and_the_place() {
        let refused = Refused::at("é = ", 2, "a value is missing");
        let text = "ErrorCode:ArgumentInvalid;character 2: a value is missing";
        assert_eq!(Refusal::from(refused).to_string(), text);
    }
}
