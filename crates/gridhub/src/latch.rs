//! Several threads wait until all of them have come to the same point, or have ended.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// One thread's share of the latch.
pub struct Latch(Arc<Shared>);

struct Shared {
    on_their_way: Mutex<usize>,
    all_there: Condvar,
}

impl Latch {
    /// One for each of `count` threads.
    pub fn all(count: usize) -> Vec<Self> {
        let (on_their_way, all_there) = (Mutex::new(count), Condvar::new());
        let shared = Arc::new(Shared { on_their_way, all_there });
        (0..count).map(|_| Self(Arc::clone(&shared))).collect()
    }

    /// This thread is there; waits for the others.
    pub fn wait(self) {
        let shared = Arc::clone(&self.0);
        drop(self);
        let count = shared.on_their_way.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = shared.all_there.wait_while(count, |count| *count > 0);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Latch {
    /// A thread that has panicked is there too.
    fn drop(&mut self) {
        *self.0.on_their_way.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.all_there.notify_all();
    }
}
