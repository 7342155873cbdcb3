//! The error codes of the hub's service API (iot-hub C9): number, name, HTTP status, and a refusal
//! that carries one with its sentence. Refuses to know how a response is written.

use std::fmt;

macro_rules! codes {
    ($($name:ident = $number:literal,)*) => {
        /// An error code of C9. Its number begins with its HTTP status.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u32)]
        pub enum ErrorCode {
            $(#[doc = stringify!($number)] $name = $number,)*
        }

        impl ErrorCode {
            /// Every code, by number within its group of the table.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The name, as in `ErrorCode:{name}` and in the header `iothub-errorcode`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)*
                }
            }
        }
    };
}

impl ErrorCode {
    /// The six digits.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// The HTTP status, 400 to 504. Codes that only a log shows (400027, 404104, 409002) have the
    /// one of their class.
    pub const fn status(self) -> u16 {
        (self.number() / 1000) as u16
    }
}

/// Why the hub does not do what it was asked for, for the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What C9 calls it.
    pub code: ErrorCode,
    /// One sentence that names what to change. Never holds a key or a path.
    pub message: Box<str>,
    /// Seconds after which it may go well, where that is known.
    pub retry_after_s: Option<u32>,
}

impl Refusal {
    /// A refusal with its sentence.
    pub fn new(code: ErrorCode, message: impl Into<Box<str>>) -> Self {
        Self { code, message: message.into(), retry_after_s: None }
    }

    /// The same, to be tried again after so many seconds.
    pub fn after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }
}

/// The text of `Message` in the first body format of C9.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ErrorCode:{};{}", self.code.name(), self.message)
    }
}

impl std::error::Error for Refusal {}

codes! {
    GenericBadRequest = 400000,
    InvalidProtocolVersion = 400001,
    InvalidOperation = 400003,
    ArgumentInvalid = 400004,
    ArgumentNull = 400005,
    IotHubFormatError = 400006,
    DeviceDefinedMultipleTimes = 400011,
    BulkRegistryOperationFailure = 400013,
    EtagDoesNotMatch = 400023,
    ConnectionForcefullyClosedOnNewConnection = 400027,
    InvalidRouteTestInput = 400100,
    InvalidSourceOnRoute = 400101,
    RoutingNotEnabled = 400102,
    InvalidContentEncodingOrType = 400103,
    GenericUnauthorized = 401000,
    IotHubNotFound = 401001,
    IotHubUnauthorizedAccess = 401002,
    IotHubUnauthorized = 401003,
    GenericForbidden = 403000,
    IotHubQuotaExceeded = 403002,
    JobQuotaExceeded = 403003,
    DeviceMaximumQueueDepthExceeded = 403004,
    InvalidMessageExpiryTime = 403009,
    OperationNotAvailableInCurrentTier = 403010,
    DeviceDisabled = 403012,
    DeviceMaximumInflightMethodExceeded = 403800,
    GenericNotFound = 404000,
    DeviceNotFound = 404001,
    JobNotFound = 404002,
    ModuleNotFound = 404010,
    DeviceNotOnline = 404103,
    DeviceConnectionClosedRemotely = 404104,
    ConfigurationNotFound = 404301,
    GenericMethodNotAllowed = 405000,
    OperationNotAllowedInCurrentState = 405102,
    GenericConflict = 409000,
    DeviceAlreadyExists = 409001,
    LinkCreationConflict = 409002,
    DeviceJobAlreadyExists = 409103,
    JobAlreadyExists = 409104,
    ModuleAlreadyExistsOnDevice = 409301,
    ConfigurationAlreadyExists = 409401,
    ApplyConfigurationAlreadyInProgressOnDevice = 409402,
    GenericPreconditionFailed = 412000,
    PreconditionFailed = 412001,
    DeviceMessageLockLost = 412002,
    JobRunPreconditionFailed = 412003,
    GenericRequestEntityTooLarge = 413000,
    MessageTooLarge = 413001,
    TooManyDevices = 413002,
    TooManyModulesOnDevice = 413003,
    GenericUnsupportedMediaType = 415000,
    IncompatibleDataType = 415101,
    GenericTooManyRequests = 429000,
    ThrottlingException = 429001,
    ThrottleBacklogLimitExceeded = 429002,
    ThrottlingBacklogTimeout = 429003,
    ThrottlingMaxActiveJobCountExceeded = 429004,
    DeviceThrottlingLimitExceeded = 429005,
    ServerError = 500001,
    JobCancelled = 500002,
    GenericTimeout = 500008,
    GenericBadGateway = 502000,
    ServiceUnavailable = 503001,
    PartitionNotFound = 503003,
    ServerBusy = 503005,
    GenericGatewayTimeout = 504000,
    GatewayTimeout = 504101,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of C9 as they stand there: HTTP status, numbers, names.
    const C9: &[(u16, &[u32], &str)] = &[
        (400, &[400001], "InvalidProtocolVersion"),
        (400, &[400003], "InvalidOperation"),
        (400, &[400004], "ArgumentInvalid"),
        (400, &[400005], "ArgumentNull"),
        (400, &[400006], "IotHubFormatError"),
        (400, &[400011], "DeviceDefinedMultipleTimes"),
        (400, &[400013], "BulkRegistryOperationFailure"),
        (400, &[400023], "EtagDoesNotMatch"),
        (400, &[400027], "ConnectionForcefullyClosedOnNewConnection"),
        (
            400,
            &[400100, 400101, 400102, 400103],
            "InvalidRouteTestInput, InvalidSourceOnRoute, RoutingNotEnabled, \
             InvalidContentEncodingOrType",
        ),
        (
            401,
            &[401001, 401002, 401003],
            "IotHubNotFound, IotHubUnauthorizedAccess, IotHubUnauthorized",
        ),
        (403, &[403002], "IotHubQuotaExceeded"),
        (403, &[403003], "JobQuotaExceeded"),
        (403, &[403004], "DeviceMaximumQueueDepthExceeded"),
        (403, &[403009], "InvalidMessageExpiryTime"),
        (403, &[403010], "OperationNotAvailableInCurrentTier"),
        (403, &[403012], "DeviceDisabled"),
        (403, &[403800], "DeviceMaximumInflightMethodExceeded"),
        (404, &[404001], "DeviceNotFound"),
        (404, &[404002], "JobNotFound"),
        (404, &[404010], "ModuleNotFound"),
        (404, &[404103], "DeviceNotOnline"),
        (404, &[404104], "DeviceConnectionClosedRemotely"),
        (404, &[404301], "ConfigurationNotFound"),
        (405, &[405102], "OperationNotAllowedInCurrentState"),
        (409, &[409001], "DeviceAlreadyExists"),
        (409, &[409002], "LinkCreationConflict"),
        (409, &[409103, 409104], "DeviceJobAlreadyExists, JobAlreadyExists"),
        (409, &[409301], "ModuleAlreadyExistsOnDevice"),
        (
            409,
            &[409401, 409402],
            "ConfigurationAlreadyExists, ApplyConfigurationAlreadyInProgressOnDevice",
        ),
        (412, &[412001], "PreconditionFailed"),
        (412, &[412002], "DeviceMessageLockLost"),
        (412, &[412003], "JobRunPreconditionFailed"),
        (413, &[413001], "MessageTooLarge"),
        (413, &[413002, 413003], "TooManyDevices, TooManyModulesOnDevice"),
        (415, &[415101], "IncompatibleDataType"),
        (
            429,
            &[429001, 429002, 429003, 429004, 429005],
            "ThrottlingException, ThrottleBacklogLimitExceeded, ThrottlingBacklogTimeout, \
             ThrottlingMaxActiveJobCountExceeded, DeviceThrottlingLimitExceeded",
        ),
        (500, &[500001, 500002, 500008], "ServerError, JobCancelled, GenericTimeout"),
        (502, &[502000], "GenericBadGateway"),
        (503, &[503001, 503003, 503005], "ServiceUnavailable, PartitionNotFound, ServerBusy"),
        (504, &[504000, 504101], "GenericGatewayTimeout, GatewayTimeout"),
    ];
    /// "Generic codes exist for each class."
    const GENERIC: [u32; 10] =
        [400000, 401000, 403000, 404000, 405000, 409000, 412000, 413000, 415000, 429000];

    #[test]
    fn the_table_is_the_one_of_the_specification() {
        let find = |number| ErrorCode::ALL.iter().find(|code| code.number() == number);
        let mut rows = 0;
        for (status, numbers, names) in C9 {
            for (number, name) in numbers.iter().zip(names.split(", ")) {
                let code = find(*number).unwrap();
                assert_eq!((code.status(), code.name()), (*status, name));
                rows += 1;
            }
            assert_eq!(numbers.len(), names.split(", ").count());
        }
        for number in GENERIC {
            assert!(find(number).unwrap().name().starts_with("Generic"));
        }
        assert_eq!(ErrorCode::ALL.len(), rows + GENERIC.len());
    }

    #[test]
    fn a_refusal_reads_as_clients_split_it() {
        let refusal = Refusal::new(ErrorCode::DeviceNotFound, "Device D1 not registered");
        assert_eq!(refusal.to_string(), "ErrorCode:DeviceNotFound;Device D1 not registered");
    }
}
