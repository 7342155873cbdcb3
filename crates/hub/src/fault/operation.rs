//! The operations that a fault may strike, and the outcomes that each may have (iot-hub A5, A13,
//! A14). Refuses to know what an outcome leads to but on HTTP.

use crate::errors::{ErrorCode, Refusal};
use crate::plane::Status;

/// An operation of A14, or connecting (A5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// CONNECT of a device that would be let in (A5).
    Connect,
    /// Telemetry, by MQTT and by HTTP (A14.1).
    SendTelemetry,
    /// A device reads its twin (A14.2).
    GetTwin,
    /// A device reports (A14.3).
    PatchTwinReported,
    /// A device gets a command and settles it (A14.4).
    ReceiveCommands,
    /// A device is asked for a method (A14.5).
    ReceiveMethods,
    /// A device hears of its desired properties (A14.6).
    ReceiveDesired,
}

impl Operation {
    /// All of them, in the order of A14.
    pub const ALL: [Self; 7] = [
        Self::Connect,
        Self::SendTelemetry,
        Self::GetTwin,
        Self::PatchTwinReported,
        Self::ReceiveCommands,
        Self::ReceiveMethods,
        Self::ReceiveDesired,
    ];

    /// Its name in requests and listings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::SendTelemetry => "send-telemetry",
            Self::GetTwin => "get-twin",
            Self::PatchTwinReported => "patch-twin-reported",
            Self::ReceiveCommands => "receive-commands",
            Self::ReceiveMethods => "receive-methods",
            Self::ReceiveDesired => "receive-desired",
        }
    }

    /// The operation of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.name() == name)
    }

    /// The outcomes that it may have. Those of A14; `0001` and `0103` of A13, which no row of A14
    /// names, belong to the one operation with a precondition; a command's are what a device may
    /// settle it with; a method's are those for which B3 and C9 have a code.
    pub const fn statuses(self) -> &'static [Status] {
        use Status as S;
        match self {
            Self::Connect => &[S::BAD_REQUEST, S::NOT_AUTHORIZED, S::THROTTLED, S::SERVER_BUSY],
            Self::SendTelemetry | Self::GetTwin => &[
                S::BAD_REQUEST,
                S::NOT_AUTHORIZED,
                S::NOT_ALLOWED,
                S::THROTTLED,
                S::QUOTA_EXCEEDED,
                S::SERVER_ERROR,
                S::TIMEOUT,
                S::SERVER_BUSY,
            ],
            Self::PatchTwinReported => &[
                S::NOT_MODIFIED,
                S::BAD_REQUEST,
                S::NOT_AUTHORIZED,
                S::NOT_ALLOWED,
                S::CONFLICT,
                S::PRECONDITION_FAILED,
                S::THROTTLED,
                S::QUOTA_EXCEEDED,
                S::SERVER_ERROR,
                S::TIMEOUT,
                S::SERVER_BUSY,
            ],
            Self::ReceiveCommands => &[S::BAD_REQUEST, S::SERVER_BUSY],
            Self::ReceiveMethods => &[
                S::BAD_REQUEST,
                S::NOT_ALLOWED,
                S::THROTTLED,
                S::RESOURCE_EXHAUSTED,
                S::NOT_FOUND,
                S::SERVER_ERROR,
                S::SERVER_BUSY,
                S::TARGET_UNAVAILABLE,
                S::TARGET_TIMEOUT,
                S::TARGET_FAILED,
            ],
            Self::ReceiveDesired => &[],
        }
    }

    /// What an HTTP caller of the operation is told instead of an outcome (C9).
    pub fn refusal(self, status: Status, why: &str) -> Refusal {
        let of_method = self == Self::ReceiveMethods;
        let code = match status {
            Status::BAD_REQUEST => ErrorCode::ArgumentInvalid,
            Status::NOT_AUTHORIZED => ErrorCode::IotHubUnauthorizedAccess,
            Status::NOT_ALLOWED if of_method => ErrorCode::DeviceDisabled,
            Status::NOT_ALLOWED => ErrorCode::OperationNotAvailableInCurrentTier,
            Status::CONFLICT => ErrorCode::GenericConflict,
            Status::PRECONDITION_FAILED => ErrorCode::PreconditionFailed,
            Status::THROTTLED => ErrorCode::ThrottlingException,
            Status::QUOTA_EXCEEDED => ErrorCode::IotHubQuotaExceeded,
            Status::RESOURCE_EXHAUSTED => ErrorCode::DeviceMaximumInflightMethodExceeded,
            Status::NOT_FOUND => ErrorCode::DeviceNotFound,
            Status::TIMEOUT => ErrorCode::GenericTimeout,
            // A device that answers so cannot be reached (A14.5).
            Status::SERVER_BUSY if of_method => ErrorCode::DeviceNotOnline,
            Status::SERVER_BUSY => ErrorCode::ServerBusy,
            Status::TARGET_UNAVAILABLE => ErrorCode::DeviceNotOnline,
            Status::TARGET_TIMEOUT => ErrorCode::GatewayTimeout,
            Status::TARGET_FAILED => ErrorCode::GenericBadGateway,
            _ => ErrorCode::ServerError,
        };
        Refusal::new(code, why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_happens_somewhere_and_each_operation_has_those_of_its_section() {
        let rows: &[(&str, &str)] = &[
            ("connect", "0100 0101 0501 0603"),
            ("send-telemetry", "0100 0101 0102 0501 0502 0601 0602 0603"),
            ("get-twin", "0100 0101 0102 0501 0502 0601 0602 0603"),
            ("patch-twin-reported", "0001 0100 0101 0102 0103 0104 0501 0502 0601 0602 0603"),
            ("receive-commands", "0100 0603"),
            ("receive-methods", "0100 0102 0501 0503 0504 0601 0603 06A0 06A1 06A2"),
            ("receive-desired", ""),
        ];
        assert_eq!(rows.len(), Operation::ALL.len());
        for (name, statuses) in rows {
            let operation = Operation::named(name).unwrap();
            let all: Vec<_> = operation.statuses().iter().map(Status::to_string).collect();
            assert_eq!(all.join(" "), *statuses, "{name}");
        }
        for status in Status::ALL {
            assert!(Operation::ALL.iter().any(|o| o.statuses().contains(status)), "{status}");
        }
        assert_eq!(Operation::named("Connect"), None);
    }

    #[test]
    fn http_callers_get_the_code_of_the_outcome() {
        let code = |operation: Operation, status| operation.refusal(status, "w").code.number();
        let codes = |operation: Operation| {
            let all = operation.statuses().iter().map(|status| code(operation, *status));
            all.collect::<Vec<_>>()
        };
        let telemetry = [400004, 401002, 403010, 429001, 403002, 500001, 500008, 503005];
        assert_eq!(codes(Operation::SendTelemetry), telemetry);
        let methods =
            [400004, 403012, 429001, 403800, 404001, 500001, 404103, 404103, 504101, 502000];
        assert_eq!(codes(Operation::ReceiveMethods), methods);
    }
}
