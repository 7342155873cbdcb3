//! Which life of an id it is (iot-hub B1.1). Refuses to know where new numbers come from.

use std::fmt;

/// A life of an id: another number after each new creation. Its text is opaque to clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Generation(pub u64);

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generation_looks_like_the_clouds() {
        assert_eq!(Generation(637_000_000_000_000_001).to_string(), "637000000000000001");
    }
}
