//! The order of the connections of a device as readers of events see it (iot-hub B6). Refuses to
//! know connections and clocks.

use std::fmt;

/// 64 hexadecimal digits, each greater than the one before, as a text too. Of one home: a device
/// has no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ConnectionSequence {
    at_ms: u64,
    count: u64,
}

impl ConnectionSequence {
    /// The next one; also after a start, if the clock has not been put back since.
    pub fn next(self, now_ms: u64) -> Self {
        match now_ms > self.at_ms {
            true => Self { at_ms: now_ms, count: 0 },
            false => Self { count: self.count.saturating_add(1), ..self },
        }
    }
}

impl fmt::Display for ConnectionSequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032X}{:016X}{:016X}", 0, self.at_ms, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_as_texts_too() {
        let mut sequence = ConnectionSequence::default();
        let mut before = sequence.to_string();
        for now_ms in [1, 1, 1, 0, 9, 10, 15, 16, 255, 256, 1 << 40, 1 << 40, u64::MAX, u64::MAX] {
            sequence = sequence.next(now_ms);
            let text = sequence.to_string();
            assert!(text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()));
            assert!(text > before, "{now_ms}: {text} {before}");
            before = text;
        }
    }
}
