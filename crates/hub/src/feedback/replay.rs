//! What the records of feedback add up to at a start. Refuses to know which devices there are.
//!
//! A device that is gone has taken its feedback along (B2), whether or not that was written: the
//! record of its end is enough.

use store::op::Sequence;

use super::outbox::Outbox;
use super::record::{Item, Record};
use crate::Lists;

/// Adds up the held records of feedback. Released ones that come back change nothing but
/// [`Lists`].
#[derive(Debug, Default)]
pub struct Replay {
    outbox: Outbox,
    lists: Lists,
}

impl Replay {
    /// Takes the next record in the order of the log.
    pub fn take(&mut self, at: Sequence, record: &Record) {
        let mut needs = Vec::new();
        self.outbox.heard(record, at, &mut needs);
        needs.into_iter().for_each(|need| self.lists.add(need));
    }

    /// Everything was taken: what waits, and the rest. `lives`: whether the device is there, in the
    /// same life.
    pub fn finish(self, lives: impl Fn(&Item) -> bool) -> (Outbox, Lists) {
        let Self { mut outbox, mut lists } = self;
        outbox.bereave(lives).into_iter().for_each(|need| lists.add(need));
        (outbox, lists)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Outcome, Report};
    use crate::identity::{DeviceId, Generation};

    fn reported(device: &str, generation: u64) -> Record {
        let (device, generation) = (DeviceId::parse(device).unwrap(), Generation(generation));
        let report = Report { message_id: None, at_ms: 5, outcome: Outcome::Completed };
        Record::Reported(Item { device, generation, report })
    }

    #[test]
    fn every_record_is_somewhere() {
        let items = |items: &[u64]| items.iter().copied().map(Sequence).collect();
        let mut replay = Replay::default();
        for (at, record) in (1..).zip([
            reported("a", 1),
            reported("b", 1),
            reported("b", 2),
            Record::Abandoned { items: items(&[2, 3]), deliveries: 1 },
            Record::Over { items: items(&[1]) },
            // What it speaks of was cleaned away.
            Record::Over { items: items(&[0]) },
            Record::Abandoned { items: items(&[1]), deliveries: 1 },
            reported("c", 1),
            Record::Abandoned { items: items(&[8]), deliveries: 1 },
        ]) {
            replay.take(Sequence(at), &record);
        }
        let lives = |item: &Item| item.device.as_str() == "b" && item.generation == Generation(2);
        let (outbox, Lists { mut stale, tombstones }) = replay.finish(lives);
        assert_eq!(outbox.len(), 1);
        stale.sort_unstable();
        assert_eq!(stale, [1, 2, 6, 7, 8, 9].map(Sequence), "4 names what is left");
        assert_eq!(tombstones, [(Sequence(1), Sequence(5))]);
    }
}
