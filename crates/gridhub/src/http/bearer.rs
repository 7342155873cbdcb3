//! The bearer token of a request (event-grid 2.4, RFC 6750): finds it and asks who it is. Refuses
//! to know how a token is verified.

use std::sync::Arc;

use broker::access::Principal;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

use super::error::HttpError;

/// Verifies tokens; built by `auth`.
pub trait Bearer: Send + Sync + 'static {
    /// Who the token is. Called on a tokio thread, so it must answer at once.
    fn bearer(&self, token: &str) -> Result<Arc<Principal>, TokenRefused>;
}

/// Why a token is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRefused {
    /// For the caller: names the fix, holds nothing of the token.
    pub why: String,
}

/// The principal of the request.
///
/// # Errors
/// 401 with `WWW-Authenticate: Bearer`: no credential, two, another scheme, or a token that is
/// refused.
pub fn authenticate(bearer: &dyn Bearer, headers: &HeaderMap) -> Result<Arc<Principal>, HttpError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        let message = "no credential; send 'Authorization: Bearer <token>' \
                       (gridhub token prints one)";
        return Err(HttpError::unauthorized(None, message));
    };
    if values.next().is_some() {
        let message = "the Authorization header is there twice; send it once";
        return Err(HttpError::unauthorized(Some("invalid_request"), message));
    }
    let token = value.to_str().ok().and_then(token).ok_or_else(|| {
        let message = "the Authorization header must read 'Bearer <token>'";
        HttpError::unauthorized(Some("invalid_request"), message)
    })?;
    bearer
        .bearer(token)
        .map_err(|refused| HttpError::unauthorized(Some("invalid_token"), refused.why))
}

/// The scheme compares without case (RFC 9110, 11.1).
fn token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_and_token() {
        let rows = [
            ("Bearer abc", Some("abc")),
            ("bearer   abc ", Some("abc")),
            ("BEARER a.b.c", Some("a.b.c")),
            ("Bearer", None),
            ("Bearer ", None),
            ("Basic abc", None),
            ("abc", None),
        ];
        for (value, expected) in rows {
            assert_eq!(token(value), expected, "{value}");
        }
    }
}
