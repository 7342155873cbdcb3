//! What a client is told beside a reason code (iot-hub A13): `status`, `trace-id`, `reason`, in
//! this order, and what of it goes when there is no room. Refuses to know how a packet is encoded.

use std::fmt::Write;

use super::status::Status;
use crate::ShortText;

/// The user properties of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told<'a> {
    status: Option<ShortText>,
    trace_id: Option<&'a str>,
    reason: Option<&'a str>,
}

/// The packets that tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet {
    /// PUBACK, SUBACK, UNSUBACK.
    Ack,
    /// CONNACK.
    ConnAck,
    /// DISCONNECT.
    Disconnect,
    /// A PUBLISH to `$iothub/responses`.
    Publish,
}

/// Request Problem Information of CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemInformation {
    /// 1, or absent.
    Requested,
    /// 0.
    NotRequested,
}

impl From<bool> for ProblemInformation {
    /// The property's value.
    fn from(requested: bool) -> Self {
        if requested { Self::Requested } else { Self::NotRequested }
    }
}

impl<'a> Told<'a> {
    /// Nothing.
    pub const NOTHING: Self = Self { status: None, trace_id: None, reason: None };

    /// What goes with a status: those of `trace_id` and `why` that A13 names in its row.
    pub fn of(status: Status, trace_id: &'a str, why: &'a str) -> Self {
        Self {
            trace_id: status.has_trace_id().then_some(trace_id),
            reason: status.has_reason().then_some(why),
            ..Self::status(status)
        }
    }

    /// A status alone.
    pub fn status(status: Status) -> Self {
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = write!(text, "{status}");
        Self { status: ShortText::of(&text), ..Self::NOTHING }
    }

    /// A sentence without a status, as with DISCONNECT 144.
    pub fn why(why: &'a str) -> Self {
        Self { reason: Some(why), ..Self::NOTHING }
    }

    /// What of it goes in a packet: an ack tells nothing to a client that asked for nothing. A
    /// Reason String follows the same rule.
    pub fn on(self, packet: Packet, wanted: ProblemInformation) -> Self {
        match (packet, wanted) {
            (Packet::Ack, ProblemInformation::NotRequested) => Self::NOTHING,
            _ => self,
        }
    }

    /// The user properties, in order.
    pub fn user(&self) -> Vec<(&str, &str)> {
        let status = self.status.as_ref().map(|text| (STATUS, text.as_str()));
        let trace_id = self.trace_id.map(|id| (TRACE_ID, id));
        let reason = self.reason.map(|why| (REASON, why));
        [status, trace_id, reason].into_iter().flatten().collect()
    }
}

/// What of a Reason String and of user properties fits in a packet of at most `packet_bytes_max`:
/// the Reason String goes first, then user properties from the end. `bytes` says how large the
/// packet is with what it is given. If not even the bare packet fits, it goes bare.
pub fn fitting<'l, 't>(
    reason_string: Option<&'t str>,
    user: &'l [(&'t str, &'t str)],
    packet_bytes_max: usize,
    bytes: impl Fn(Option<&str>, &[(&str, &str)]) -> usize,
) -> (Option<&'t str>, &'l [(&'t str, &'t str)]) {
    if bytes(reason_string, user) <= packet_bytes_max {
        return (reason_string, user);
    }
    let fits = |left: &&[(&str, &str)]| bytes(None, left) <= packet_bytes_max;
    let left = (0..=user.len()).rev().map(|n| &user[..n]).find(fits);
    (None, left.unwrap_or_default())
}

/// What user properties are called.
pub(super) const STATUS: &str = "status";
const TRACE_ID: &str = "trace-id";
const REASON: &str = "reason";

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(&str, &str); 3] = [("status", "06A1"), ("trace-id", "t"), ("reason", "w")];

    #[test]
    fn each_status_has_its_properties() {
        let told = |status| Told::of(status, "t", "w");
        assert_eq!(told(Status::TARGET_TIMEOUT).user(), ALL);
        assert_eq!(told(Status::BAD_REQUEST).user(), [("status", "0100"), ("reason", "w")]);
        assert_eq!(told(Status::NOT_AUTHORIZED).user(), [("status", "0101"), ("trace-id", "t")]);
        assert_eq!(told(Status::THROTTLED).user(), [("status", "0501")]);
        assert_eq!(Told::why("w").user(), [("reason", "w")]);
        assert_eq!(Told::NOTHING.user(), []);
    }

    #[test]
    fn acks_tell_nothing_to_who_does_not_ask() {
        use ProblemInformation::{NotRequested, Requested};
        let told = Told::of(Status::TARGET_TIMEOUT, "t", "w");
        for (packet, wanted, count) in [
            (Packet::Ack, Requested, 3),
            (Packet::Ack, NotRequested, 0),
            (Packet::ConnAck, NotRequested, 3),
            (Packet::Disconnect, NotRequested, 3),
            (Packet::Publish, NotRequested, 3),
            (Packet::Publish, Requested, 3),
        ] {
            assert_eq!(told.on(packet, wanted).user().len(), count, "{packet:?} {wanted:?}");
        }
        assert_eq!([true, false].map(ProblemInformation::from), [Requested, NotRequested]);
    }

    #[test]
    fn what_does_not_fit_goes_from_the_end_and_the_reason_string_first() {
        let size = |reason: Option<&str>, user: &[(&str, &str)]| {
            let user: usize = user.iter().map(|(k, v)| 5 + k.len() + v.len()).sum();
            5 + reason.map_or(0, |text| 3 + text.len()) + user
        };
        let full = size(Some("text"), &ALL);
        for (max, reason, count) in [
            (full, Some("text"), 3),
            (full - 1, None, 3),
            (size(None, &ALL), None, 3),
            (size(None, &ALL) - 1, None, 2),
            (size(None, &ALL[..2]) - 1, None, 1),
            (size(None, &ALL[..1]) - 1, None, 0),
            (5, None, 0),
            (1, None, 0),
        ] {
            let left = fitting(Some("text"), &ALL, max, size);
            assert_eq!(left, (reason, &ALL[..count]), "{max}");
        }
    }
}
