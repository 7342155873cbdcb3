//! The one place that waits: for a condition, with a deadline, never for luck.
use std::time::{Duration, Instant};

/// Far above what any step needs, so that a slow machine does not fail a right program.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Asks again until there is an answer.
///
/// # Panics
/// With `what` when the deadline passes first.
#[track_caller]
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited {DEADLINE:?} for {what}");
        std::thread::sleep(PAUSE);
    }
}

/// Short against what is waited for, long against what asking costs.
const PAUSE: Duration = Duration::from_millis(5);
