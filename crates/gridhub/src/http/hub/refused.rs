//! A refusal as clients of the service API read it (iot-hub C9, the first of its two formats).
//! Refuses to know what was refused.

use axum::body::Body;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::json;

use hub::errors::{ErrorCode, Refusal};

use super::JSON;
use crate::http::error::{Hint, HttpError};
use crate::http::timestamp::iso8601;

impl From<Refusal> for HttpError {
    fn from(refusal: Refusal) -> Self {
        let Refusal { code, message, retry_after_s } = refusal;
        let status = StatusCode::from_u16(code.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let error = HttpError::new(status, code.name(), message.into_string());
        if let Some(seconds) = retry_after_s {
            return error.with(Hint::RetryAfter { seconds: u64::from(seconds) });
        }
        match status {
            StatusCode::SERVICE_UNAVAILABLE => error.with(Hint::RetryAfter { seconds: 1 }),
            _ => error,
        }
    }
}

/// `{"Message":"ErrorCode:{name};{text}","ExceptionMessage":"Tracking ID:.."}`, and the name again
/// in `iothub-errorcode`, which has to agree.
pub fn response(error: &HttpError, request_id: &str, wall_ms: u64) -> Response<Body> {
    let error = &HttpError { code: code(error), ..error.clone() };
    // Clients split the message at `;` and `:`; the first of each are ours.
    let body = json!({
        "Message": format!("ErrorCode:{};{}", error.code, error.message),
        "ExceptionMessage": format!("Tracking ID:{}", tracking_id(request_id, wall_ms)),
    });
    with_code(error, body.to_string())
}

/// What a refusal is found by in logs.
pub fn tracking_id(request_id: &str, wall_ms: u64) -> String {
    format!("{request_id}-G:0-TimeStamp:{}", stamp(wall_ms))
}

/// A body of its own beside the code: what bulk operations and methods answer.
pub fn with_code(error: &HttpError, body: impl Into<Body>) -> Response<Body> {
    let mut response = error.response::<Body>().map(|_| body.into());
    let headers = response.headers_mut();
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    headers.insert(ERROR_CODE, HeaderValue::from_static(error.code));
    response
}

/// What all of HTTP refuses has names of its own: C9's for them.
fn code(error: &HttpError) -> &'static str {
    let known = ErrorCode::ALL.iter().map(|code| code.name()).find(|name| *name == error.code);
    known.unwrap_or_else(|| {
        let code = match error.status.as_u16() {
            400 => ErrorCode::ArgumentInvalid,
            401 => ErrorCode::IotHubUnauthorizedAccess,
            405 => ErrorCode::GenericMethodNotAllowed,
            408 => ErrorCode::GenericTimeout,
            413 => ErrorCode::MessageTooLarge,
            429 => ErrorCode::ThrottlingException,
            503 => ErrorCode::ServiceUnavailable,
            _ => ErrorCode::ServerError,
        };
        code.name()
    })
}

/// `MM/DD/YYYY HH:MM:SS`.
fn stamp(wall_ms: u64) -> String {
    let text = iso8601(wall_ms);
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    let (year, day) = date.split_once('-').unwrap_or((date, ""));
    let time = time.split('.').next().unwrap_or_default();
    format!("{}/{year} {time}", day.replace('-', "/"))
}

const ERROR_CODE: HeaderName = HeaderName::from_static("iothub-errorcode");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_table_whoever_refused() {
        for (error, name) in [
            (HttpError::from(Refusal::new(ErrorCode::DeviceNotFound, "x")), "DeviceNotFound"),
            (HttpError::too_large("the body", 5), "MessageTooLarge"),
            (HttpError::method_not_allowed("GET"), "GenericMethodNotAllowed"),
            (HttpError::bad_request("BadBody", "x"), "ArgumentInvalid"),
            (HttpError::unavailable("x"), "ServiceUnavailable"),
        ] {
            let response = response(&error, "id", 0);
            assert_eq!(response.headers()["iothub-errorcode"], name);
            assert_eq!(response.status(), error.status);
        }
        assert_eq!(stamp(1_763_719_200_000), "11/21/2025 10:00:00");
    }
}
