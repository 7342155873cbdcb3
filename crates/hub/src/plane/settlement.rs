//! What a client's PUBACK does to a command (iot-hub A14.4). Refuses to know the command's queue.

use mqtt::reason::Reason;
use mqtt::wire::Properties;

use super::status::Status;
use super::told::STATUS;

pub use crate::command::Settlement;

impl Settlement {
    /// Reads reason code and user property `status`; of two, the first. A text that is no status
    /// is none.
    pub fn of(reason: Reason, properties: Properties<'_>) -> Self {
        if !reason.is_error() {
            return Self::Complete;
        }
        let status = properties.user().find(|(name, _)| *name == STATUS);
        match status.and_then(|(_, text)| Status::parse(text)) {
            Some(status) if !status.retryable() => Self::Reject,
            Some(_) | None => Self::Abandon,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::telemetry::tests::block;
    use super::*;
    use mqtt::wire::Property;

    #[test]
    fn every_row_of_the_table() {
        for (code, status, settlement) in [
            (0, None, Settlement::Complete),
            (0, Some("0100"), Settlement::Complete),
            (0x10, None, Settlement::Complete),
            (131, Some("0603"), Settlement::Abandon),
            (131, Some("0100"), Settlement::Reject),
            (131, Some("0501"), Settlement::Abandon),
            (131, Some("06a0"), Settlement::Abandon),
            (131, Some("0101"), Settlement::Reject),
            (131, Some("02FF"), Settlement::Reject),
            (131, Some("0000"), Settlement::Reject),
            (131, Some("busy"), Settlement::Abandon),
            (131, None, Settlement::Abandon),
            (0x80, None, Settlement::Abandon),
            (0x97, Some("0502"), Settlement::Abandon),
            (0x87, Some("0101"), Settlement::Reject),
        ] {
            let all: Vec<_> =
                status.map(|text| Property::User("status", text)).into_iter().collect();
            let raw = block(&all);
            let reason = Reason::from_code(code).unwrap();
            let settled = Settlement::of(reason, Properties::trusted(&raw));
            assert_eq!(settled, settlement, "{code} {status:?}");
        }
    }
}
