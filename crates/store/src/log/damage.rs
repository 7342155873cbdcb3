//! What is wrong with a file, named so that an operator finds the place.

use std::fmt;
use std::io;

/// A file that cannot be used as it is.
#[derive(Debug)]
pub struct Damage {
    /// The file's name in the data directory.
    pub file: String,
    /// Where, in bytes from its start.
    pub offset: u64,
    /// What was found there.
    pub what: String,
}

impl Damage {
    pub(super) fn at(file: &str, offset: u64, what: &str) -> Self {
        Self { file: file.to_owned(), offset, what: what.to_owned() }
    }

    pub(super) fn io(file: &str, offset: u64, error: &io::Error) -> Self {
        Self::at(file, offset, &format!("it cannot be read: {error}"))
    }

    pub(super) fn version(file: &str, version: u32) -> Self {
        let what =
            format!("it is written in version {version} of the format, made by a newer gridhub");
        Self::at(file, 8, &what)
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}: {}", self.file, self.offset, self.what)
    }
}

impl std::error::Error for Damage {}
