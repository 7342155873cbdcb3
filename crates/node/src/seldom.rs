//! A log line that would come often, said now and then with how often it was left out.

/// When it may be said again.
#[derive(Clone, Copy, Default)]
pub(crate) struct Seldom {
    next_ms: u64,
    left_out: u64,
}

impl Seldom {
    /// How many were left out since the last one, if it may be said at `now_ms`; then not again
    /// for `every_ms`.
    pub fn say(&mut self, now_ms: u64, every_ms: u64) -> Option<u64> {
        if now_ms < self.next_ms {
            self.left_out += 1;
            return None;
        }
        self.next_ms = now_ms + every_ms;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_now_and_then() {
        let mut line = Seldom::default();
        assert_eq!(line.say(0, 1_000), Some(0));
        assert_eq!((line.say(1, 1_000), line.say(999, 1_000)), (None, None));
        assert_eq!(line.say(1_000, 1_000), Some(2));
    }
}
