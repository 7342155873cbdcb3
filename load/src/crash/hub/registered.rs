//! The account of one identity that one service alone creates, changes and deletes: what may stand
//! there, given what was answered. Refuses to know who asks, and how.

use super::section::Wrong;

/// What stands there: nothing, or the document that was written with this number.
pub type Stands = Option<u64>;

/// The books of an identity.
#[derive(Debug)]
pub struct Registered {
    /// One where all was answered.
    may: Vec<Stands>,
    /// Changes that were answered with success.
    pub answered: u64,
}

/// A change, and what it needs to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing must be there.
    Create(u64),
    /// Something must be there.
    Update(u64),
    /// Something must be there.
    Delete,
}

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 2xx.
    Done,
    /// It found something else than it needs.
    Refused,
    /// No answer.
    Unknown,
}

impl Registered {
    /// Nothing is there.
    pub fn new() -> Self {
        Self { may: vec![None], answered: 0 }
    }

    /// A change came to its end.
    ///
    /// # Errors
    /// When that outcome cannot be.
    pub fn step(&mut self, step: Step, outcome: Outcome) -> Result<(), Wrong> {
        let fits = |stands: &Stands| stands.is_none() == matches!(step, Step::Create(_));
        let after = match step {
            Step::Create(number) | Step::Update(number) => Some(number),
            Step::Delete => None,
        };
        let may = match outcome {
            Outcome::Done if self.may.iter().any(fits) => vec![after],
            Outcome::Refused if !self.may.iter().all(fits) => {
                self.may.iter().filter(|stands| !fits(stands)).copied().collect()
            }
            Outcome::Unknown if self.may.iter().any(fits) => {
                let mut may = self.may.clone();
                may.push(after);
                may
            }
            Outcome::Unknown => self.may.clone(),
            _ => return Err(format!("{step:?} is {outcome:?} where {:?} stands", self.may)),
        };
        self.may = may;
        self.answered += u64::from(outcome == Outcome::Done);
        Ok(())
    }

    /// What it belongs to was deleted, or perhaps.
    pub fn gone(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Done => self.may = vec![None],
            Outcome::Unknown => self.may.push(None),
            Outcome::Refused => {}
        }
    }

    /// Somebody looked.
    ///
    /// # Errors
    /// When that cannot stand there.
    pub fn found(&mut self, stands: Stands) -> Result<(), Wrong> {
        if !self.may.contains(&stands) {
            return Err(format!("{stands:?} is found, {:?} should be", self.may));
        }
        self.may = vec![stands];
        Ok(())
    }

    /// What stands there, as far as it is known.
    pub fn stands(&self) -> Stands {
        self.may.last().copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_answered_may_be_or_not_until_it_is_found() {
        let mut device = Registered::new();
        device.step(Step::Create(1), Outcome::Done).unwrap();
        device.step(Step::Update(2), Outcome::Unknown).unwrap();
        device.step(Step::Delete, Outcome::Unknown).unwrap();
        assert_eq!(device.may, [Some(1), Some(2), None]);
        device.step(Step::Create(3), Outcome::Refused).unwrap();
        assert_eq!(device.may, [Some(1), Some(2)]);
        device.found(Some(2)).unwrap();
        assert_eq!((device.found(Some(1)).is_err(), device.stands()), (true, Some(2)));
        device.step(Step::Delete, Outcome::Done).unwrap();
        device.step(Step::Update(4), Outcome::Refused).unwrap();
        device.found(None).unwrap();
        assert_eq!(device.answered, 2);
        let mut module = Registered::new();
        module.step(Step::Create(5), Outcome::Done).unwrap();
        module.gone(Outcome::Refused);
        module.gone(Outcome::Unknown);
        module.step(Step::Update(6), Outcome::Done).unwrap();
        module.gone(Outcome::Done);
        assert!(module.found(Some(6)).is_err() && module.found(None).is_ok());
    }

    #[test]
    fn wrong_histories_are_seen() {
        use Outcome::{Done, Refused};
        type History = (&'static [(Step, Outcome)], Option<Stands>);
        let rows: [History; 6] = [
            // Lost, back again, and the older one.
            (&[(Step::Create(1), Done)], Some(None)),
            (&[(Step::Create(1), Done), (Step::Delete, Done)], Some(Some(1))),
            (&[(Step::Create(1), Done), (Step::Update(2), Done)], Some(Some(1))),
            (&[(Step::Create(1), Done), (Step::Create(2), Done)], None),
            (&[(Step::Create(1), Done), (Step::Update(2), Refused)], None),
            (&[(Step::Delete, Done)], None),
        ];
        for (steps, found) in rows {
            let mut device = Registered::new();
            let stepped: Result<Vec<()>, Wrong> =
                steps.iter().map(|(step, outcome)| device.step(*step, *outcome)).collect();
            let seen = found.is_some_and(|stands| device.found(stands).is_err());
            assert!(stepped.is_err() || seen, "{steps:?}");
        }
    }
}
