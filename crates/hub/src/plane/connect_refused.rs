//! Why a CONNECT of the plane is refused, and what CONNACK says of it (iot-hub A5): one table.
//! Refuses to know how the reason was found.

use std::borrow::Cow;

use mqtt::reason::Reason;

use super::status::Status;
use super::told::Told;
use super::will::WillRefused;

/// The rows of A5 but the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectRefused {
    /// Something is missing, unknown or unreadable; the sentence says what.
    BadRequest(Cow<'static, str>),
    /// Authentication Method is neither `SAS` nor `X509`.
    Method,
    /// Unknown or disabled, bad signature or certificate, wrong method, policy without
    /// DeviceConnect: outside they are all the same.
    NotAuthorized,
    /// No such hub, or two that differ.
    UnknownTenant,
    /// The client identifier is empty or no id; the sentence says why.
    ClientId(Cow<'static, str>),
    /// The will.
    Will(WillRefused),
    /// Too many connections in a short time.
    RateLimited,
    /// The hub is not there yet.
    NotReady,
    /// The hub has too much to do.
    Busy,
}

impl ConnectRefused {
    /// Reason code of CONNACK.
    pub fn reason(&self) -> Reason {
        match self {
            Self::BadRequest(_) => Reason::IMPLEMENTATION_SPECIFIC_ERROR,
            Self::Method => Reason::BAD_AUTHENTICATION_METHOD,
            Self::NotAuthorized | Self::UnknownTenant => Reason::NOT_AUTHORIZED,
            Self::ClientId(_) => Reason::CLIENT_IDENTIFIER_NOT_VALID,
            Self::Will(refused) => refused.reason(),
            Self::RateLimited => Reason::CONNECTION_RATE_EXCEEDED,
            Self::NotReady => Reason::SERVER_UNAVAILABLE,
            Self::Busy => Reason::SERVER_BUSY,
        }
    }

    /// User properties of CONNACK.
    pub fn told<'a>(&'a self, trace_id: &'a str) -> Told<'a> {
        match self {
            Self::BadRequest(why) => Told::of(Status::BAD_REQUEST, trace_id, why),
            Self::Method => Told::of(Status::BAD_REQUEST, trace_id, METHOD),
            Self::NotAuthorized => Told::of(Status::NOT_AUTHORIZED, trace_id, ""),
            Self::UnknownTenant => Told::status(Status::NOT_AUTHORIZED),
            Self::Will(WillRefused::Telemetry(why)) => Told::of(Status::BAD_REQUEST, trace_id, why),
            Self::ClientId(_) | Self::Will(_) => Told::NOTHING,
            Self::RateLimited => Told::status(Status::THROTTLED),
            Self::NotReady | Self::Busy => Told::status(Status::SERVER_BUSY),
        }
    }

    /// One sentence for logs and for `gridhub why`.
    pub fn why(&self) -> &str {
        match self {
            Self::BadRequest(why) | Self::ClientId(why) => why,
            Self::Method => METHOD,
            Self::NotAuthorized => "not authorized",
            Self::UnknownTenant => "no hub of that name is here",
            Self::Will(refused) => refused.why(),
            Self::RateLimited => "too many connections in a short time",
            Self::NotReady => "the hub is not ready",
            Self::Busy => "the hub has too much to do",
        }
    }

    pub(super) fn bad(why: impl Into<Cow<'static, str>>) -> Self {
        Self::BadRequest(why.into())
    }
}

const METHOD: &str = "Authentication Method is SAS or X509";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table() {
        use ConnectRefused as C;
        let rows = [
            (C::bad("w"), 131, "0100", "reason"),
            (C::Method, 140, "0100", "reason"),
            (C::NotAuthorized, 135, "0101", "trace-id"),
            (C::UnknownTenant, 135, "0101", ""),
            (C::ClientId("w".into()), 133, "", ""),
            (C::Will(WillRefused::Topic), 0x90, "", ""),
            (C::Will(WillRefused::Retained), 0x9A, "", ""),
            (C::Will(WillRefused::ExactlyOnce), 0x9B, "", ""),
            (C::Will(WillRefused::Telemetry("w".into())), 131, "0100", "reason"),
            (C::RateLimited, 159, "0501", ""),
            (C::NotReady, 136, "0603", ""),
            (C::Busy, 137, "0603", ""),
        ];
        for (refused, code, status, other) in rows {
            assert_eq!(refused.reason().code(), code, "{refused:?}");
            let told = refused.told("t");
            let user = told.user();
            let expected = [("status", status), (other, "")];
            let names: Vec<_> = expected
                .iter()
                .filter(|(name, text)| !name.is_empty() && (*name != "status" || !text.is_empty()))
                .map(|(name, _)| *name)
                .collect();
            assert_eq!(user.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
            assert!(user.first().is_none_or(|(_, text)| *text == status), "{refused:?}");
            assert!(!refused.why().is_empty());
        }
    }
}
