//! The id of a job (iot-hub C7). Refuses to know which there are.

use std::fmt;

use super::limits::JOB_ID_CHARS_MAX;
use crate::errors::{ErrorCode, Refusal};
use crate::telemetry::is_id_character;

/// 1 to 64 characters as ids of messages have them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(Box<str>);

impl JobId {
    /// Checks length and characters and copies.
    ///
    /// # Errors
    /// ArgumentInvalid.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let fits = (1..=JOB_ID_CHARS_MAX).contains(&text.len());
        if !fits || !text.chars().all(is_id_character) {
            let rule = "letters, digits and -:.+%_#*?!(),=@;$'";
            let text = format!("the id of a job has 1 to {JOB_ID_CHARS_MAX} {rule}");
            return Err(Refusal::new(ErrorCode::ArgumentInvalid, text));
        }
        Ok(Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
