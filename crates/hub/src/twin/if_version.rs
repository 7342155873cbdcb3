//! What a device expects of the section that it writes to (iot-hub B1.6). Refuses to know where the
//! expectation came from: user property or topic.

use super::refused::Refused;

/// What a device expects of its reported section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfVersion {
    /// Nothing.
    Any,
    /// This `$version`.
    Is(u64),
}

impl IfVersion {
    pub(super) fn check(self, version: u64) -> Result<(), Refused> {
        match self {
            Self::Is(expected) if expected != version => Err(Refused::VersionDiffers { version }),
            _ => Ok(()),
        }
    }
}
