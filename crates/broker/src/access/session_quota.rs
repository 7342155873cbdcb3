//! How many sessions one authentication name holds (event-grid 3.4), absent ones included.
//!
//! Shared by all reactors, locked only when a session begins or ends. Knows no session.

use hashbrown::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The sessions of each name, and how many one may have.
pub struct SessionQuota {
    each_max: usize,
    held: Mutex<HashMap<Arc<str>, usize, foldhash::fast::RandomState>>,
}

/// The name has as many sessions as it may.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionsFull;

impl SessionQuota {
    /// Nobody has a session; each name may have `each_max`.
    pub fn new(each_max: usize) -> Self {
        Self { each_max, held: Mutex::default() }
    }

    /// A session of `name` begins.
    ///
    /// # Errors
    /// It has as many as it may: 0x97.
    pub fn begin(&self, name: &Arc<str>) -> Result<(), SessionsFull> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(Arc::clone(name)).or_insert(0);
        if *count >= self.each_max {
            return Err(SessionsFull);
        }
        *count += 1;
        Ok(())
    }

    /// A session of `name` has ended.
    pub fn end(&self, name: &str) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                held.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gets_as_many_as_it_may_and_again_after_one_ended() {
        let quota = SessionQuota::new(2);
        let name: Arc<str> = "d1".into();
        assert_eq!(quota.begin(&name), Ok(()));
        assert_eq!(quota.begin(&name), Ok(()));
        assert_eq!(quota.begin(&name), Err(SessionsFull));
        assert_eq!(quota.begin(&"d2".into()), Ok(()));
        quota.end("d1");
        assert_eq!(quota.begin(&name), Ok(()));
        quota.end("unknown");
    }
}
