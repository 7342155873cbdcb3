//! How much feedback may wait in a hub: shared by the homes of devices, where commands end, and the
//! home of the outbox. Refuses to know what waits.

use std::sync::atomic::{AtomicU64, Ordering};

use super::settings::Settings;

/// Ends that wait, on their way to the log or in the outbox, and those that found no room.
#[derive(Debug, Default)]
pub struct Room {
    taken: AtomicU64,
    dropped: AtomicU64,
}

impl Room {
    /// A place for one end; `None` = there is none, which is counted.
    pub fn take(&self, settings: &Settings) -> Option<()> {
        if self.taken.fetch_add(1, Ordering::Relaxed) < u64::from(settings.items_max) {
            return Some(());
        }
        self.give_back(1);
        self.dropped.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// So many ends that a start has found wait, even if there are more than there may be.
    pub fn found(&self, ends: usize) {
        self.taken.fetch_add(ends as u64, Ordering::Relaxed);
    }

    /// So many do not wait any more.
    pub fn give_back(&self, ends: usize) {
        self.taken.fetch_sub(ends as u64, Ordering::Relaxed);
    }

    /// How many wait.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// How many found no room since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_bound_and_a_count() {
        let (room, settings) = (Room::default(), Settings { items_max: 2, ..Settings::default() });
        room.found(1);
        assert_eq!([(); 3].map(|()| room.take(&settings)), [Some(()), None, None]);
        assert_eq!((room.taken(), room.dropped()), (2, 2));
        room.give_back(1);
        assert_eq!(room.take(&settings), Some(()));
    }
}
