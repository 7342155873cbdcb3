//! `status`: the outcome of an operation as 16 bits (iot-hub A13). Refuses to know which operation
//! it was.

use std::fmt;

use mqtt::reason::Reason;

use crate::errors::ErrorCode;
use crate::twin::Refused;

/// High byte flags, low byte code. Equal codes under different flags are different outcomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status(u16);

/// Who is to blame: bits 0 and 1 of the high byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Nobody.
    Success,
    /// The client.
    Client,
    /// The server.
    Server,
    /// The bits say both: nothing that A13 knows.
    Unknown,
}

macro_rules! table {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal,
       $reason:ident, $trace_id:literal, $why:literal;)*) => {
        impl Status {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// Every row of A13 but the absent one.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            const fn row(self) -> Option<Row> {
                match self.0 {
                    $($number => Some(Row {
                        name: $text,
                        reason: Reason::$reason,
                        trace_id: $trace_id,
                        why: $why,
                    }),)*
                    _ => None,
                }
            }
        }
    };
}

struct Row {
    name: &'static str,
    reason: Reason,
    trace_id: bool,
    why: bool,
}

impl Status {
    /// Reads the value of a user property: four hex digits of any case. The flags need not be
    /// ones that A13 defines.
    pub fn parse(text: &str) -> Option<Self> {
        let good = text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if good { u16::from_str_radix(text, 16).ok().map(Self) } else { None }
    }

    /// The number.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Who is to blame.
    pub const fn class(self) -> Class {
        match self.0 >> 8 & 3 {
            0 => Class::Success,
            1 => Class::Client,
            2 => Class::Server,
            _ => Class::Unknown,
        }
    }

    /// Bit 2 of the high byte: it may go well another time.
    pub const fn retryable(self) -> bool {
        self.0 & 0x0400 != 0
    }

    /// The name in A13; `None` for what is not in there.
    pub fn name(self) -> Option<&'static str> {
        self.row().map(|row| row.name)
    }

    /// The reason code of the acknowledgement that carries it. What A13 has not is 131, or 0 where
    /// the flags say success.
    pub fn ack_reason(self) -> Reason {
        match (self.row(), self.class()) {
            (Some(row), _) => row.reason,
            (None, Class::Success) => Reason::SUCCESS,
            (None, _) => Reason::IMPLEMENTATION_SPECIFIC_ERROR,
        }
    }

    /// Whether user property `trace-id` goes with it.
    pub fn has_trace_id(self) -> bool {
        self.row().is_some_and(|row| row.trace_id)
    }

    /// Whether user property `reason` goes with it.
    pub fn has_reason(self) -> bool {
        self.row().is_some_and(|row| row.why)
    }
}

/// Why a write into a twin is refused.
impl From<&Refused> for Status {
    fn from(refused: &Refused) -> Self {
        match refused.code() {
            ErrorCode::PreconditionFailed => Self::PRECONDITION_FAILED,
            _ => Self::BAD_REQUEST,
        }
    }
}

/// Four hex digits, `06A0`.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

table! {
    /// The precondition said that there is nothing to do.
    NOT_MODIFIED = 0x0001, "Not Modified", SUCCESS, false, false;
    /// The request breaks a rule.
    BAD_REQUEST = 0x0100, "Bad Request", IMPLEMENTATION_SPECIFIC_ERROR, false, true;
    /// Who asks may not.
    NOT_AUTHORIZED = 0x0101, "Not Authorized", NOT_AUTHORIZED, true, false;
    /// Nobody may, here.
    NOT_ALLOWED = 0x0102, "Not Allowed", IMPLEMENTATION_SPECIFIC_ERROR, false, true;
    /// Another operation is in progress.
    CONFLICT = 0x0103, "Conflict", IMPLEMENTATION_SPECIFIC_ERROR, true, true;
    /// `if-version` names another version.
    PRECONDITION_FAILED = 0x0104, "Precondition Failed",
        IMPLEMENTATION_SPECIFIC_ERROR, false, false;
    /// Too much in a short time.
    THROTTLED = 0x0501, "Throttled", QUOTA_EXCEEDED, false, false;
    /// Too much for a day.
    QUOTA_EXCEEDED = 0x0502, "Quota Exceeded", QUOTA_EXCEEDED, false, false;
    /// Something else is used up.
    RESOURCE_EXHAUSTED = 0x0503, "Resource Exhausted",
        IMPLEMENTATION_SPECIFIC_ERROR, false, true;
    /// There is no such topic.
    NOT_FOUND = 0x0504, "Not Found", IMPLEMENTATION_SPECIFIC_ERROR, false, true;
    /// The hub has failed.
    SERVER_ERROR = 0x0601, "Server Error", IMPLEMENTATION_SPECIFIC_ERROR, true, false;
    /// The hub was too slow.
    TIMEOUT = 0x0602, "Timeout", IMPLEMENTATION_SPECIFIC_ERROR, true, false;
    /// The hub has too much to do. From a client: it gives a command back.
    SERVER_BUSY = 0x0603, "Server Busy", IMPLEMENTATION_SPECIFIC_ERROR, true, false;
    /// Whom the request is for is not there.
    TARGET_UNAVAILABLE = 0x06A0, "Target Unavailable",
        IMPLEMENTATION_SPECIFIC_ERROR, false, false;
    /// It did not answer in time.
    TARGET_TIMEOUT = 0x06A1, "Target Timeout", IMPLEMENTATION_SPECIFIC_ERROR, true, true;
    /// It answered with something else than an answer.
    TARGET_FAILED = 0x06A2, "Target Failed", IMPLEMENTATION_SPECIFIC_ERROR, false, true;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of A13: text, name, reason of the ack, extra user properties.
    const A13: &[(&str, &str, u8, &str)] = &[
        ("0001", "Not Modified", 0, ""),
        ("0100", "Bad Request", 131, "reason"),
        ("0101", "Not Authorized", 135, "trace-id"),
        ("0102", "Not Allowed", 131, "reason"),
        ("0103", "Conflict", 131, "trace-id reason"),
        ("0104", "Precondition Failed", 131, ""),
        ("0501", "Throttled", 151, ""),
        ("0502", "Quota Exceeded", 151, ""),
        ("0503", "Resource Exhausted", 131, "reason"),
        ("0504", "Not Found", 131, "reason"),
        ("0601", "Server Error", 131, "trace-id"),
        ("0602", "Timeout", 131, "trace-id"),
        ("0603", "Server Busy", 131, "trace-id"),
        ("06A0", "Target Unavailable", 131, ""),
        ("06A1", "Target Timeout", 131, "trace-id reason"),
        ("06A2", "Target Failed", 131, "reason"),
    ];

    #[test]
    fn the_table_is_the_one_of_the_specification() {
        assert_eq!(Status::ALL.len(), A13.len());
        for (status, (text, name, reason, extra)) in Status::ALL.iter().zip(A13) {
            assert_eq!((status.to_string().as_str(), status.name()), (*text, Some(*name)));
            assert_eq!(status.ack_reason().code(), *reason, "{text}");
            assert_eq!(status.has_trace_id(), extra.contains("trace-id"), "{text}");
            assert_eq!(status.has_reason(), extra.contains("reason"), "{text}");
            for form in [text.to_string(), text.to_lowercase()] {
                assert_eq!(Status::parse(&form), Some(*status));
            }
        }
    }

    #[test]
    fn refusals_of_twins_have_a_status() {
        for (refused, status) in [
            (Refused::VersionDiffers { version: 2 }, "0104"),
            (Refused::EtagDiffers, "0104"),
            (Refused::NotAnObject("request"), "0100"),
        ] {
            assert_eq!(Status::from(&refused).to_string(), status);
        }
    }

    #[test]
    fn flags_say_who_is_to_blame_and_whether_to_try_again() {
        for (text, class, retryable) in [
            ("0000", Class::Success, false),
            ("0001", Class::Success, false),
            ("0100", Class::Client, false),
            ("0501", Class::Client, true),
            ("0603", Class::Server, true),
            ("02FF", Class::Server, false),
            ("0300", Class::Unknown, false),
            ("FFFF", Class::Unknown, true),
        ] {
            let status = Status::parse(text).unwrap();
            assert_eq!((status.class(), status.retryable()), (class, retryable), "{text}");
        }
        for (text, reason) in [("0000", 0), ("0042", 0), ("0142", 131), ("0642", 131)] {
            let status = Status::parse(text).unwrap();
            assert_eq!((status.name(), status.ack_reason().code()), (None, reason));
            assert!(!status.has_reason() && !status.has_trace_id());
        }
        for bad in ["", "100", "00100", "0x01", "+100", " 100", "01O0", "010é"] {
            assert_eq!(Status::parse(bad), None, "{bad}");
        }
    }
}
