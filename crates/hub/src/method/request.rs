//! A direct method as a service asks for it (iot-hub C5, B3). Refuses to know the device.

use super::limits::{
    CONNECT_TIMEOUT_RANGE, PAYLOAD_BYTES_MAX, REQUEST_BYTES_MAX, RESPONSE_TIMEOUT_DEFAULT,
    RESPONSE_TIMEOUT_RANGE,
};
use super::name::MethodName;
use crate::errors::{ErrorCode, Refusal};
use crate::identity::member::{Members, object};
use crate::json::Value;
use std::ops::RangeInclusive;

/// A request, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `methodName`.
    pub name: MethodName,
    /// `payload` as JSON; empty where none was given.
    pub payload: Box<[u8]>,
    /// `responseTimeoutInSeconds`.
    pub response_timeout_s: u32,
    /// `connectTimeoutInSeconds`.
    pub connect_timeout_s: u32,
}

impl Request {
    /// Reads the body of the call.
    ///
    /// # Errors
    /// IotHubFormatError, ArgumentNull, ArgumentInvalid.
    pub fn read(body: &[u8]) -> Result<Self, Refusal> {
        if body.len() > REQUEST_BYTES_MAX {
            let text = format!("the body has more than {REQUEST_BYTES_MAX} bytes");
            return Err(Refusal::new(ErrorCode::ArgumentInvalid, text));
        }
        Self::of(&object(body)?, "")
    }

    /// Reads an object that is part of a document, as the `cloudToDeviceMethod` of a job. `path`:
    /// which part, with a `.` at its end.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn of(object: &Value<'_>, path: &'static str) -> Result<Self, Refusal> {
        let members = Members::new(object, path);
        let name = members.text("methodName")?.ok_or_else(|| members.missing("methodName"))?;
        let mut payload = Vec::new();
        if let Some(value) = object.member("payload") {
            value.write(&mut payload);
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            let why = format!("has more than {PAYLOAD_BYTES_MAX} bytes");
            return Err(members.invalid("payload", &why));
        }
        let seconds = |name, range, default| seconds(&members, name, range, default);
        let response = (RESPONSE_TIMEOUT_RANGE, RESPONSE_TIMEOUT_DEFAULT);
        Ok(Self {
            name: MethodName::parse(name)?,
            payload: payload.into(),
            response_timeout_s: seconds("responseTimeoutInSeconds", response.0, response.1)?,
            connect_timeout_s: seconds("connectTimeoutInSeconds", CONNECT_TIMEOUT_RANGE, 0)?,
        })
    }
}

fn seconds(
    members: &Members<'_>,
    name: &str,
    range: RangeInclusive<u32>,
    default: u32,
) -> Result<u32, Refusal> {
    let given = match members.get(name) {
        None => return Ok(default),
        Some(Value::Number(text)) => text.parse().ok(),
        Some(_) => None,
    };
    given.filter(|seconds| range.contains(seconds)).ok_or_else(|| {
        let why = format!("is a whole number from {} to {}", range.start(), range.end());
        members.invalid(name, &why)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_services_send_them() {
        for (body, payload, timeouts) in [
            (r#"{"methodName":"m"}"#, "", (30, 0)),
            (r#"{"methodName":"m","payload":null}"#, "null", (30, 0)),
            (r#"{"methodName":"m","payload":""}"#, r#""""#, (30, 0)),
            (
                r#"{"methodName":"m","payload":{"a": 1.0},"responseTimeoutInSeconds":300,
                    "connectTimeoutInSeconds":300,"other":1}"#,
                r#"{"a":1.0}"#,
                (300, 300),
            ),
            (
                r#"{"methodName":"m","responseTimeoutInSeconds":null,
                    "connectTimeoutInSeconds":0}"#,
                "",
                (30, 0),
            ),
        ] {
            let request = Request::read(body.as_bytes()).unwrap();
            assert_eq!((request.name.as_str(), &*request.payload), ("m", payload.as_bytes()));
            assert_eq!((request.response_timeout_s, request.connect_timeout_s), timeouts);
        }
    }

    #[test]
    fn what_is_wrong_has_its_code() {
        use ErrorCode::{ArgumentInvalid, ArgumentNull, IotHubFormatError};
        let payload =
            |len: usize| format!(r#"{{"methodName":"m","payload":"{}"}}"#, "x".repeat(len));
        let one = |rest: &str| format!(r#"{{"methodName":"m",{rest}}}"#);
        for (body, code) in [
            (String::new(), Some(IotHubFormatError)),
            ("[]".into(), Some(IotHubFormatError)),
            ("{}".into(), Some(ArgumentNull)),
            (r#"{"methodName":null}"#.into(), Some(ArgumentNull)),
            (r#"{"methodName":""}"#.into(), Some(ArgumentNull)),
            (r#"{"methodName":"a/b"}"#.into(), Some(ArgumentInvalid)),
            (r#"{"methodName":1}"#.into(), Some(IotHubFormatError)),
            (one(r#""responseTimeoutInSeconds":5"#), None),
            (one(r#""responseTimeoutInSeconds":4"#), Some(ArgumentInvalid)),
            (one(r#""responseTimeoutInSeconds":301"#), Some(ArgumentInvalid)),
            (one(r#""responseTimeoutInSeconds":30.5"#), Some(ArgumentInvalid)),
            (one(r#""responseTimeoutInSeconds":"30""#), Some(ArgumentInvalid)),
            (one(r#""connectTimeoutInSeconds":-1"#), Some(ArgumentInvalid)),
            (one(r#""connectTimeoutInSeconds":301"#), Some(ArgumentInvalid)),
            (one(r#""connectTimeoutInSeconds":99999999999999"#), Some(ArgumentInvalid)),
            (payload(PAYLOAD_BYTES_MAX - 2), None),
            (payload(PAYLOAD_BYTES_MAX - 1), Some(ArgumentInvalid)),
            (" ".repeat(REQUEST_BYTES_MAX + 1), Some(ArgumentInvalid)),
        ] {
            let found = Request::read(body.as_bytes()).err().map(|e| e.code);
            assert_eq!(found, code, "{}", &body[..body.len().min(80)]);
        }
    }
}
