//! `[process]`: what the whole process may use. Owns spelling and what is refused; asks the
//! machine only for what is not written.

use serde::{Deserialize, Serialize};

use super::mistake::Mistake;
use crate::machine;

/// Bounds of the process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProcessConfig {
    /// Memory for data in bytes; absent = half of the control group's or the machine's.
    pub memory_bytes_max: Option<usize>,
}

impl ProcessConfig {
    /// Memory for data in bytes.
    pub fn memory_bytes_max(&self) -> usize {
        self.memory_bytes_max.unwrap_or_else(|| (machine::memory_bytes() / 2).max(MEMORY_MIN))
    }

    /// As written, with what follows from the machine filled in.
    pub fn effective(&self) -> Self {
        Self { memory_bytes_max: Some(self.memory_bytes_max()) }
    }
}

/// Bounds with which nobody could be served.
pub fn check(config: &ProcessConfig, mistakes: &mut Vec<Mistake>) {
    if config.memory_bytes_max.is_some_and(|bytes| bytes < MEMORY_MIN) {
        let message = format!("must be at least {MEMORY_MIN} bytes (1 MiB)");
        mistakes.push(Mistake::new("process.memory_bytes_max", message));
    }
}

const MEMORY_MIN: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_counts_and_too_little_is_refused() {
        let of = |bytes| ProcessConfig { memory_bytes_max: bytes };
        assert!(of(None).memory_bytes_max() >= MEMORY_MIN);
        assert_eq!(of(Some(5_000_000)).effective(), of(Some(5_000_000)));
        let mistakes = |bytes| {
            let mut mistakes = Vec::new();
            check(&of(bytes), &mut mistakes);
            mistakes.len()
        };
        assert_eq!([mistakes(None), mistakes(Some(MEMORY_MIN)), mistakes(Some(9))], [0, 0, 1]);
    }
}
