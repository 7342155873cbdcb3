//! Callers of the door who wait to hear of deliveries (`?wait=delivered`), while the message lies
//! in the log: what is read of it there is watched too.

use crate::shard::Shard;
use broker::publication::{Publication, Watch};
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use std::sync::Arc;

/// By place in the log.
pub(crate) type Watched = HashMap<u64, Arc<dyn Watch>, RandomState>;

impl Shard {
    /// A message that has become a fact may be left in the log here.
    pub(crate) fn watch(&mut self, publication: &Publication) {
        let Some(watch) = &publication.watch else { return };
        if self.watched.len() >= WATCHED_SWEPT {
            // Whoever asked has gone by now.
            self.watched.retain(|_, watch| Arc::strong_count(watch) > 1);
        }
        self.watched.insert(publication.sequence(), Arc::clone(watch));
    }

    /// A message that was read there.
    pub(super) fn watch_again(&self, publication: &mut Arc<Publication>) {
        if self.watched.is_empty() {
            return;
        }
        let watch = self.watched.get(&publication.sequence());
        if let (Some(watch), Some(publication)) = (watch, Arc::get_mut(publication)) {
            publication.watch = Some(Arc::clone(watch));
        }
    }
}

/// So many are kept before it is asked who still waits.
const WATCHED_SWEPT: usize = 1_024;
