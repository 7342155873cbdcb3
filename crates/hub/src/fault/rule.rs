//! What one fault says. Refuses to know how often it has struck.

use super::operation::Operation;
use super::pattern::Pattern;
use crate::plane::Status;
use std::num::NonZeroU32;

/// A fault as somebody wants it. [`Rule::check`] says whether it can be.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What it strikes.
    pub operation: Operation,
    /// Whose.
    pub devices: Pattern,
    /// What happens.
    pub effect: Effect,
    /// How often; `None` = until it is taken away.
    pub count: Option<NonZeroU32>,
    /// How likely, each time.
    pub odds: Odds,
}

/// What happens to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It has this outcome and no other effect.
    Status(Status),
    /// It happens so many milliseconds later, by the clock that `POST /admin/clock` moves.
    Delay(u32),
    /// It is acknowledged, and what that stands for is lost: telemetry is not kept, a settlement
    /// and a method's answer are not heard, a notification is not sent; where something was done
    /// the connection ends behind the acknowledgement, without DISCONNECT.
    DropAfterAck,
}

/// How likely it is: more than 0, at most 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Odds(f64);

/// What cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// The operation has no such outcome.
    #[error("'{operation}' cannot have status {status}; it may have {may}")]
    Status {
        /// Which.
        operation: &'static str,
        /// What was wanted.
        status: Status,
        /// What there is.
        may: String,
    },
    /// The operation has no outcome at all.
    #[error("'{0}' is not acknowledged and has no status; use a delay or drop-after-ack")]
    NoStatus(&'static str),
    /// A delay that is none, or too long.
    #[error("a delay is 1 to {DELAY_MS_MAX} milliseconds")]
    Delay,
    /// No probability.
    #[error("a probability is more than 0 and at most 1")]
    Odds,
}

impl Rule {
    /// Whether it can be.
    ///
    /// # Errors
    /// What cannot, and what could instead.
    pub fn check(self) -> Result<Self, BadRule> {
        let (operation, may) = (self.operation.name(), self.operation.statuses());
        match self.effect {
            Effect::Status(_) if may.is_empty() => Err(BadRule::NoStatus(operation)),
            Effect::Status(status) if !may.contains(&status) => {
                let may: Vec<_> = may.iter().map(Status::to_string).collect();
                Err(BadRule::Status { operation, status, may: may.join(", ") })
            }
            Effect::Delay(ms) if ms == 0 || ms > DELAY_MS_MAX => Err(BadRule::Delay),
            Effect::Status(_) | Effect::Delay(_) | Effect::DropAfterAck => Ok(self),
        }
    }
}

impl Odds {
    /// Every time.
    pub const ALWAYS: Self = Self(1.0);

    /// Reads a probability.
    ///
    /// # Errors
    /// It is none, or never.
    pub fn new(probability: f64) -> Result<Self, BadRule> {
        if probability > 0.0 && probability <= 1.0 {
            Ok(Self(probability))
        } else {
            Err(BadRule::Odds)
        }
    }

    /// As a number.
    pub fn get(self) -> f64 {
        self.0
    }

    /// Whether this is the time, by a number of which all are equally likely.
    pub fn strikes(self, number: u64) -> bool {
        // The 53 bits that a float holds.
        ((number >> 11) as f64) < self.0 * (1_u64 << 53) as f64
    }
}

/// An hour.
pub const DELAY_MS_MAX: u32 = 3_600_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(operation: Operation, effect: Effect) -> Result<Rule, BadRule> {
        let (devices, count, odds) = (Pattern::any(), None, Odds::ALWAYS);
        Rule { operation, devices, effect, count, odds }.check()
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_could() {
        let wrong = rule(Operation::ReceiveCommands, Effect::Status(Status::THROTTLED));
        let text = "'receive-commands' cannot have status 0501; it may have 0100, 0603";
        assert_eq!(wrong.unwrap_err().to_string(), text);
        let none = rule(Operation::ReceiveDesired, Effect::Status(Status::THROTTLED));
        assert_eq!(none, Err(BadRule::NoStatus("receive-desired")));
        for (ms, is_good) in [(0, false), (1, true), (DELAY_MS_MAX, true), (u32::MAX, false)] {
            assert_eq!(rule(Operation::Connect, Effect::Delay(ms)).is_ok(), is_good, "{ms}");
        }
        for operation in Operation::ALL {
            assert!(rule(operation, Effect::DropAfterAck).is_ok());
            for status in Status::ALL {
                let may = operation.statuses().contains(status);
                assert_eq!(rule(operation, Effect::Status(*status)).is_ok(), may);
            }
        }
    }

    #[test]
    fn odds_are_what_they_say() {
        for bad in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Odds::new(bad), Err(BadRule::Odds));
        }
        assert!(Odds::ALWAYS.strikes(u64::MAX) && Odds::ALWAYS.strikes(0));
        assert!(!Odds::new(0.5).unwrap().strikes(u64::MAX));
        let third = Odds::new(1.0 / 3.0).unwrap();
        let struck = (0..9_000).filter(|n| third.strikes(n * (u64::MAX / 9_000))).count();
        assert!((2_999..=3_001).contains(&struck), "{struck}");
    }
}
