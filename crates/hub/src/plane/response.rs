//! A device's answer to a method request (iot-hub A14.5). Refuses to know who had asked.

use mqtt::wire::Properties;

use super::correlation::Correlation;
use super::property::{self, A_U32, PropertyError, PropertyRule};
use super::status::{Class, Status};
use super::told::STATUS;
use super::typed;

/// A PUBLISH to `$iothub/responses`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Response<'p> {
    /// Of the request, as the hub had chosen it.
    pub correlation: Correlation,
    /// What it says.
    pub answer: Answer<'p>,
}

/// What a device says to a method request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer<'p> {
    /// The method has run.
    Done {
        /// `response-code`.
        code: u32,
        /// Any bytes; what is no JSON is `TARGET_FAILED` for who asked (B3).
        payload: &'p [u8],
    },
    /// It cannot run here: `06A0`, `0603`, or any other status that says failure.
    Unavailable(Status),
}

impl<'p> Answer<'p> {
    /// Reads user properties and payload.
    ///
    /// # Errors
    /// When there is neither a `response-code` nor a `status` of failure, or something else that
    /// should not be there: for who asked, the target has failed.
    pub(super) fn read(
        properties: Properties<'p>,
        payload: &'p [u8],
    ) -> Result<Self, PropertyError> {
        let [code, status] = property::read(properties.user(), [CODE, STATUS], property::no_other)?;
        let status = property::typed(STATUS, status, "four hex digits", Status::parse)?;
        let code = property::typed(CODE, code, A_U32, typed::u32)?;
        match (status, code) {
            (Some(status), _) if status.class() != Class::Success => Ok(Self::Unavailable(status)),
            (_, Some(code)) => Ok(Self::Done { code, payload }),
            (_, None) => Err(PropertyError::new(CODE, PropertyRule::Missing)),
        }
    }
}

const CODE: &str = "response-code";

#[cfg(test)]
mod tests {
    use super::super::telemetry::tests::block;
    use super::*;
    use mqtt::wire::Property;

    #[test]
    fn answers() {
        let done = |code| Ok(Answer::Done { code, payload: b"p" });
        let unavailable = |status| Ok(Answer::Unavailable(status));
        let bad = |name: &str, rule| Err(PropertyError::new(name, rule));
        let code = "response-code";
        let malformed = PropertyRule::Malformed;
        for (all, expected) in [
            (&[(code, "200")][..], done(200)),
            (&[(code, "4294967295"), ("@x", "ignored")], done(u32::MAX)),
            (&[(code, "200"), ("status", "0000")], done(200)),
            (&[("status", "06A0")], unavailable(Status::TARGET_UNAVAILABLE)),
            (&[("status", "06a0")], unavailable(Status::TARGET_UNAVAILABLE)),
            (&[("status", "0603")], unavailable(Status::SERVER_BUSY)),
            (&[("status", "0100"), (code, "200")], unavailable(Status::BAD_REQUEST)),
            (&[], bad(code, PropertyRule::Missing)),
            (&[("status", "0000")], bad(code, PropertyRule::Missing)),
            (&[(code, "-1")], bad(code, malformed(A_U32))),
            (&[(code, "4294967296")], bad(code, malformed(A_U32))),
            (&[("status", "6A0")], bad("status", malformed("four hex digits"))),
            (&[(code, "1"), (code, "1")], bad(code, PropertyRule::Twice)),
            (&[(code, "1"), ("version", "1")], bad("version", PropertyRule::Unknown)),
        ] {
            let all: Vec<_> = all.iter().map(|(k, v)| Property::User(k, v)).collect();
            let raw = block(&all);
            assert_eq!(Answer::read(Properties::trusted(&raw), b"p"), expected, "{all:?}");
        }
    }
}
