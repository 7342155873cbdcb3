//! Wakes one thread that waits for work.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Rung by anybody, heard by one.
#[derive(Default)]
pub(super) struct Bell {
    state: Mutex<State>,
    heard: Condvar,
}

#[derive(Default)]
struct State {
    rung: bool,
    stopped: bool,
}

/// What the bell says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// There may be work.
    Work,
    /// Whoever brought work has ended: what is there now is the last.
    Stop,
}

impl Bell {
    /// There is work. Never blocks longer than a store.
    pub fn ring(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.rung {
            state.rung = true;
            self.heard.notify_one();
        }
    }

    /// There will be no more.
    pub fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
        self.heard.notify_one();
    }

    /// Waits until it is rung.
    pub fn wait(&self) -> Said {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet = |state: &mut State| !state.rung && !state.stopped;
        let mut state = self.heard.wait_while(state, quiet).unwrap_or_else(PoisonError::into_inner);
        state.rung = false;
        if state.stopped { Said::Stop } else { Said::Work }
    }

    /// Lets work collect for so long, unless the end comes.
    pub fn pause(&self, long: Duration) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Rung or not, a second look comes behind it.
        let _ = self.heard.wait_timeout_while(state, long, |state| !state.stopped);
    }
}
