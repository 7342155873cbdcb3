//! How a command ends, and who wants to hear of it (iot-hub B2). Refuses to know queues.

use crate::errors::{ErrorCode, Refusal};

/// How a command has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The device has completed it.
    Completed,
    /// The device has rejected it.
    Rejected,
    /// Its expiry came first.
    Expired,
    /// It was abandoned too often.
    DeliveryCountExceeded,
    /// A service has purged the queue.
    Purged,
}

impl Outcome {
    /// `statusCode` of its feedback.
    pub const fn status_code(self) -> &'static str {
        match self {
            Self::Completed => "Success",
            Self::Rejected => "Rejected",
            Self::Expired => "Expired",
            Self::DeliveryCountExceeded => "DeliveryCountExceeded",
            Self::Purged => "Purged",
        }
    }

    /// Whether a command that ends so is a dead letter.
    pub fn is_dead(self) -> bool {
        self != Self::Completed
    }

    /// Its number in records.
    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    /// The other side of [`number`](Self::number).
    pub(crate) fn of_number(number: u8) -> Option<Self> {
        ALL.get(usize::from(number)).copied()
    }
}

/// `iothub-ack`: which outcomes the sender wants to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ack {
    /// None.
    #[default]
    None,
    /// That it was completed.
    Positive,
    /// That it was not.
    Negative,
    /// Both.
    Full,
}

impl Ack {
    /// Reads the property, in any case.
    ///
    /// # Errors
    /// ArgumentInvalid for another text.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let all = [Self::None, Self::Positive, Self::Negative, Self::Full];
        all.into_iter().find(|ack| ack.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            let text = "iothub-ack is none, positive, negative or full";
            Refusal::new(ErrorCode::ArgumentInvalid, text)
        })
    }

    /// The text of the property.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Positive => "positive",
            Self::Negative => "negative",
            Self::Full => "full",
        }
    }

    /// Whether an outcome is to be told.
    pub fn wants(self, outcome: Outcome) -> bool {
        match self {
            Self::None => false,
            Self::Positive => !outcome.is_dead(),
            Self::Negative => outcome.is_dead(),
            Self::Full => true,
        }
    }
}

const ALL: [Outcome; 5] = [
    Outcome::Completed,
    Outcome::Rejected,
    Outcome::Expired,
    Outcome::DeliveryCountExceeded,
    Outcome::Purged,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feedback_is_wanted_as_the_table_says() {
        // B2: outcome, told to positive, negative, full; statusCode.
        for (outcome, wanted, code) in [
            (Outcome::Completed, [false, true, false, true], "Success"),
            (Outcome::Expired, [false, false, true, true], "Expired"),
            (Outcome::DeliveryCountExceeded, [false, false, true, true], "DeliveryCountExceeded"),
            (Outcome::Rejected, [false, false, true, true], "Rejected"),
            (Outcome::Purged, [false, false, true, true], "Purged"),
        ] {
            let acks =
                ["none", "positive", "Negative", "FULL"].map(|text| Ack::parse(text).unwrap());
            assert_eq!(acks.map(|ack| ack.wants(outcome)), wanted, "{outcome:?}");
            assert_eq!(outcome.status_code(), code);
            assert_eq!(Outcome::of_number(outcome.number()), Some(outcome));
        }
        assert_eq!(Outcome::of_number(5), None);
        assert_eq!(Ack::parse("yes").unwrap_err().code, ErrorCode::ArgumentInvalid);
    }
}
