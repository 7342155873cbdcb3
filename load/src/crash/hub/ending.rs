//! The account of how one command may have ended, and of what its sender is told of that. Refuses
//! to know when it is delivered.

use super::section::Wrong;
use std::collections::BTreeSet;

/// What the sender wants to be told (iot-hub B2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// Nothing.
    None,
    /// That it was completed.
    Positive,
    /// That it has ended otherwise.
    Negative,
    /// Both.
    Full,
}

/// How a command ends here; none expires, and none is given back too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// By its device.
    Completed,
    /// By its device.
    Rejected,
    /// By a service.
    Purged,
}

/// The books of an end.
#[derive(Debug)]
pub struct Ending {
    ack: Ack,
    /// What it may have come to since it was delivered last; empty = it has not ended.
    ways: BTreeSet<Way>,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Nobody was.
    No,
    /// A reader was, and whether it has understood is not known to last.
    Yes,
    /// The hub has taken that a reader has understood.
    Understood,
}

impl Ack {
    /// Each.
    pub const ALL: [Self; 4] = [Self::None, Self::Positive, Self::Negative, Self::Full];

    /// As `iothub-ack` has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Full => "full",
        }
    }

    fn wants(self, way: Way) -> bool {
        match self {
            Self::None => false,
            Self::Positive => way == Way::Completed,
            Self::Negative => way != Way::Completed,
            Self::Full => true,
        }
    }
}

impl Way {
    /// By its `statusCode`.
    pub fn parse(code: &str) -> Option<Self> {
        match code {
            "Success" => Some(Self::Completed),
            "Rejected" => Some(Self::Rejected),
            "Purged" => Some(Self::Purged),
            _ => None,
        }
    }
}

impl Ending {
    /// Of a command that is about to be sent.
    pub fn new(ack: Ack) -> Self {
        Self { ack, ways: BTreeSet::new(), told: Told::No }
    }

    /// From now on it may have ended so.
    pub fn may(&mut self, way: Way) {
        self.ways.insert(way);
    }

    /// It has come: it had not ended.
    pub fn not_yet(&mut self) {
        self.ways.clear();
    }

    /// It has ended so.
    pub fn is(&mut self, way: Way) {
        self.ways = BTreeSet::from([way]);
    }

    /// A reader was told that it has ended so.
    ///
    /// # Errors
    /// When it cannot have, when its sender did not want to know, or when a reader has understood
    /// it before.
    pub fn told(&mut self, way: Way) -> Result<(), Wrong> {
        if !self.ways.contains(&way) {
            return Err(format!("it is told as {way:?}, of {:?}", self.ways));
        }
        if !self.ack.wants(way) {
            return Err(format!("it is told as {way:?}, and its sender asked for {:?}", self.ack));
        }
        if self.told == Told::Understood {
            return Err("it is told again, and was understood".to_owned());
        }
        self.is(way);
        self.told = Told::Yes;
        Ok(())
    }

    /// The hub has taken that a reader has understood.
    pub fn understood(&mut self) {
        self.told = Told::Understood;
    }

    /// Whether it has ended, its sender wanted to know however it was, and nobody was told.
    pub fn is_untold(&self) -> bool {
        let wants = self.ways.iter().all(|way| self.ack.wants(*way));
        !self.ways.is_empty() && wants && self.told == Told::No
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Way::{Completed, Purged, Rejected};

    #[test]
    fn a_right_history_is_right() {
        let mut ending = Ending::new(Ack::Full);
        assert!(!ending.is_untold());
        ending.may(Completed);
        // It came again: the process ended before that lasted.
        ending.not_yet();
        ending.may(Rejected);
        ending.may(Purged);
        assert!(ending.is_untold());
        ending.told(Purged).unwrap();
        ending.told(Purged).unwrap();
        ending.understood();
        assert!(!ending.is_untold());
        for (ack, way, wanted) in [
            (Ack::None, Completed, false),
            (Ack::Positive, Completed, true),
            (Ack::Positive, Rejected, false),
            (Ack::Negative, Completed, false),
            (Ack::Negative, Purged, true),
            (Ack::Full, Rejected, true),
        ] {
            let mut ending = Ending::new(ack);
            ending.is(way);
            assert_eq!(ending.is_untold(), wanted, "{ack:?} {way:?}");
        }
        let mut either = Ending::new(Ack::Positive);
        either.may(Completed);
        either.may(Purged);
        assert!(!either.is_untold(), "perhaps it was the other");
        assert_eq!(
            ["Success", "Purged", "Expired"].map(Way::parse),
            [Some(Completed), Some(Purged), None]
        );
    }

    #[test]
    fn wrong_histories_are_seen() {
        type History = fn(&mut Ending) -> Result<(), Wrong>;
        let rows: [(&str, History); 6] = [
            ("not ended", |e| e.told(Completed)),
            ("come again since", |e| {
                e.may(Completed);
                e.not_yet();
                e.told(Completed)
            }),
            ("another way", |e| {
                e.is(Completed);
                e.told(Rejected)
            }),
            ("two ways", |e| {
                e.may(Completed);
                e.may(Rejected);
                e.told(Completed)?;
                e.told(Rejected)
            }),
            ("understood", |e| {
                e.is(Completed);
                e.told(Completed)?;
                e.understood();
                e.told(Completed)
            }),
            ("not wanted", |e| {
                *e = Ending::new(Ack::Negative);
                e.is(Completed);
                e.told(Completed)
            }),
        ];
        for (name, history) in rows {
            assert!(history(&mut Ending::new(Ack::Full)).is_err(), "{name}");
        }
    }
}
