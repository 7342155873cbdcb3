//! The account of events: each life of an identity and each write into its twin is told once, in
//! their order. Refuses to know who writes, and how events are read.

use super::section::Wrong;
use super::shown::Shown;
use std::collections::BTreeMap;
use std::ops::Range;

/// The books of events.
#[derive(Debug, Default)]
pub struct Events {
    shown: Shown<Event>,
    /// By identity that is there: the version of its twin.
    versions: BTreeMap<String, u64>,
    /// Events that readers were shown for the first time.
    pub told: u64,
}

/// An event as readers are shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose: a client identifier.
    pub id: String,
    /// What has happened.
    pub what: What,
    /// The version of its twin, with it.
    pub version: u64,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It is new.
    Created,
    /// Somebody has written into its twin.
    Written,
    /// It is gone.
    Deleted,
}

impl What {
    /// By its `opType`.
    pub fn parse(operation: &str) -> Option<Self> {
        match operation {
            "createDeviceIdentity" => Some(Self::Created),
            "updateTwin" | "replaceTwin" => Some(Self::Written),
            "deleteDeviceIdentity" => Some(Self::Deleted),
            _ => None,
        }
    }
}

impl Events {
    /// A reader was shown these of a partition, and no others at these offsets.
    ///
    /// # Errors
    /// With the first that cannot be.
    pub fn show(
        &mut self,
        partition: usize,
        between: Range<u64>,
        records: &[(u64, Event)],
    ) -> Result<(), Wrong> {
        for Event { id, what, version } in self.shown.show(partition, between, records)? {
            self.told += 1;
            let before = self.versions.get(&id).copied();
            let follows = match what {
                What::Created => before.is_none() && version == CREATED,
                What::Written => before.is_some_and(|before| version == before + 1),
                What::Deleted => before == Some(version),
            };
            if !follows {
                return Err(format!("{id} is {what:?} at {version}, told before was {before:?}"));
            }
            match what {
                What::Created | What::Written => self.versions.insert(id, version),
                What::Deleted => self.versions.remove(&id),
            };
        }
        Ok(())
    }

    /// From where to read a partition again, so many events back; 0 = from the first.
    pub fn place(&self, partition: usize, back: usize) -> u64 {
        self.shown.place(partition, back)
    }

    /// Who is there, by what was told.
    pub fn there(&self) -> Vec<String> {
        self.versions.keys().cloned().collect()
    }

    /// All was read, and nobody writes: the version of a twin that was found, if it was.
    ///
    /// # Errors
    /// When something of it was not told, or something was told that is not so.
    pub fn found(&self, id: &str, version: Option<u64>) -> Result<(), Wrong> {
        let told = self.versions.get(id).copied();
        if told == version {
            return Ok(());
        }
        Err(format!("{id} is at {version:?}, and events say {told:?}"))
    }
}

/// The version of a twin that is new.
const CREATED: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use What::{Created, Deleted, Written};

    type Row = (u64, &'static str, What, u64);

    fn show(events: &mut Events, between: Range<u64>, rows: &[Row]) -> Result<(), Wrong> {
        let event = |(at, id, what, version): &Row| {
            (*at, Event { id: (*id).to_owned(), what: *what, version: *version })
        };
        events.show(0, between, &rows.iter().map(event).collect::<Vec<_>>())
    }

    #[test]
    fn a_right_history_is_right() {
        let mut events = Events::default();
        let rows = [(1, "a", Created, 2), (4, "b", Created, 2), (5, "a", Written, 3)];
        show(&mut events, 0..6, &rows).unwrap();
        show(&mut events, 4..6, &rows[1..]).unwrap();
        let rows = [(7, "a", Deleted, 3), (8, "a", Created, 2)];
        show(&mut events, 6..9, &rows).unwrap();
        events.found("a", Some(2)).unwrap();
        events.found("c", None).unwrap();
        assert_eq!((events.there(), events.told), (vec!["a".to_owned(), "b".to_owned()], 5));
        assert_eq!((events.place(0, 0), events.place(0, 1), events.place(1, 9)), (8, 7, 0));
        assert_eq!(What::parse("replaceTwin"), Some(Written));
    }

    #[test]
    fn wrong_histories_are_seen() {
        let rows: [(&str, &[Row]); 7] = [
            ("not told", &[(1, "a", Created, 2), (2, "a", Written, 4)]),
            ("twice", &[(1, "a", Created, 2), (2, "a", Written, 3), (3, "a", Written, 3)]),
            ("written before", &[(1, "a", Written, 3)]),
            ("born twice", &[(1, "a", Created, 2), (2, "a", Created, 2)]),
            ("born late", &[(1, "a", Created, 3)]),
            ("its last write", &[(1, "a", Created, 2), (2, "a", Deleted, 3)]),
            ("gone twice", &[(1, "a", Created, 2), (2, "a", Deleted, 2), (3, "a", Deleted, 2)]),
        ];
        for (name, rows) in rows {
            assert!(show(&mut Events::default(), 0..9, rows).is_err(), "{name}");
        }
        let mut events = Events::default();
        show(&mut events, 0..2, &[(1, "a", Created, 2)]).unwrap();
        assert!(events.found("a", Some(3)).is_err() && events.found("a", None).is_err());
        assert!(events.found("b", Some(2)).is_err());
        assert!(show(&mut events, 0..2, &[]).is_err(), "it is gone from its offset");
        assert!(show(&mut events, 0..2, &[(1, "a", Created, 9)]).is_err(), "another is there");
    }
}
