//! What an HTTP caller is told when a request is refused: status, code, a message that names the
//! fix, and the headers that belong to the status. Refuses to know which rule found the fault.

use std::borrow::Cow;

use axum::response::IntoResponse;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE, WWW_AUTHENTICATE,
};
use hyper::{Response, StatusCode};
use serde::Serialize;

/// A refused request. The body is `{"error":{"code","message"}}` (event-grid 2.5); the message is
/// for the caller and holds neither secrets nor paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: Cow<'static, str>,
    pub hint: Hint,
}

/// The header that a status calls for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    None,
    /// 429 and 503: seconds until a repeat makes sense.
    RetryAfter {
        seconds: u64,
    },
    /// 405: the methods of the path.
    Allow(&'static str),
    /// 401: the error code of RFC 6750, 3.1; none when no credential was sent.
    Bearer(Option<&'static str>),
    /// 426: what to upgrade to, in which version (RFC 6455, 4.2.2).
    WebSocket,
    /// The rest of the request is not wanted: close the connection after the answer.
    Close,
}

impl HttpError {
    /// An error without a further header.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        HttpError { status, code, message: message.into(), hint: Hint::None }
    }

    /// 400: the caller wrote something that cannot be read.
    pub fn bad_request(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 401 with `WWW-Authenticate: Bearer`; `error` is a code of RFC 6750, 3.1.
    pub fn unauthorized(
        error: Option<&'static str>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", message).with(Hint::Bearer(error))
    }

    /// 403: readable, and not allowed.
    pub fn forbidden(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 404: nothing of that name.
    pub fn not_found(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 405 with the methods the path has.
    pub fn method_not_allowed(allow: &'static str) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            format!("this path answers to {allow} only"),
        )
        .with(Hint::Allow(allow))
    }

    /// 413: `what` is the thing that is too large, `bytes_max` its bound.
    pub fn too_large(what: &str, bytes_max: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "PayloadTooLarge",
            format!("{what} is larger than {bytes_max} bytes; send less in one request"),
        )
    }

    /// 429: repeat after `seconds`.
    pub fn too_many(message: impl Into<Cow<'static, str>>, seconds: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message)
            .with(Hint::RetryAfter { seconds: seconds.max(1) })
    }

    /// 503: not ready, or shutting down.
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message)
            .with(Hint::RetryAfter { seconds: 1 })
    }

    /// The same error with another header hint.
    pub fn with(mut self, hint: Hint) -> Self {
        self.hint = hint;
        self
    }

    /// The wire form, for the plain service and for axum alike. The error itself goes along in the
    /// extensions, for the log.
    pub fn response<B: From<Bytes>>(&self) -> Response<B> {
        let mut response = Response::new(B::from(Bytes::from(self.json())));
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self.clone());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        match &self.hint {
            Hint::None => {}
            Hint::RetryAfter { seconds } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
            }
            Hint::Allow(methods) => {
                headers.insert(ALLOW, HeaderValue::from_static(methods));
            }
            Hint::Bearer(error) => {
                headers.insert(WWW_AUTHENTICATE, challenge(*error, &self.message));
            }
            Hint::WebSocket => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
            }
            Hint::Close => {
                headers.insert(hyper::header::CONNECTION, HeaderValue::from_static("close"));
            }
        }
        response
    }

    /// `{"error":{"code","message"}}`.
    pub fn json(&self) -> Vec<u8> {
        serde_json::to_vec(&Envelope { error: self.detail() }).expect("two strings are JSON")
    }

    /// The inner object, as batch results carry it.
    pub fn detail(&self) -> Detail<'_> {
        Detail { code: self.code, message: &self.message }
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> axum::response::Response {
        self.response()
    }
}

/// `{"code","message"}`.
#[derive(Serialize)]
pub struct Detail<'a> {
    code: &'a str,
    message: &'a str,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: Detail<'a>,
}

/// RFC 6750, 3: the description is a quoted string of printable ASCII without `"` and `\`.
fn challenge(error: Option<&str>, message: &str) -> HeaderValue {
    let Some(error) = error else { return HeaderValue::from_static("Bearer realm=\"gridhub\"") };
    let description: String = message
        .chars()
        .map(|c| match c {
            '"' | '\\' => '\'',
            ' '..='~' => c,
            _ => '?',
        })
        .collect();
    let text =
        format!("Bearer realm=\"gridhub\", error=\"{error}\", error_description=\"{description}\"");
    HeaderValue::try_from(text).expect("printable ASCII is a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn body_is_the_azure_shape_and_escapes() {
        let error = HttpError::bad_request("BadTopic", "topic 'a\"b' is wrong");
        assert_eq!(
            String::from_utf8(error.json()).unwrap(),
            r#"{"error":{"code":"BadTopic","message":"topic 'a\"b' is wrong"}}"#
        );
    }

    #[test]
    fn hints_become_headers() {
        let r: Response<axum::body::Body> = HttpError::too_many("slow down", 0).response();
        assert_eq!(r.headers()["retry-after"], "1");
        let r: Response<axum::body::Body> = HttpError::method_not_allowed("POST").response();
        assert_eq!(r.headers()["allow"], "POST");
        let r: Response<axum::body::Body> = HttpError::unauthorized(None, "no token").response();
        assert_eq!(r.headers()["www-authenticate"], "Bearer realm=\"gridhub\"");
        let r: Response<axum::body::Body> =
            HttpError::unauthorized(Some("invalid_token"), "a \"b\"\r\n\u{e4}").response();
        assert_eq!(
            r.headers()["www-authenticate"],
            "Bearer realm=\"gridhub\", error=\"invalid_token\", error_description=\"a 'b'???\""
        );
    }
}
