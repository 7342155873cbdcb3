//! Who may ask what of the service API (iot-hub C2): the token of a policy with the right that the
//! path needs, or our own bearer token with the role contributor, which stands for Entra's. Devices
//! show a token of their own to their home, which alone has their keys: they open no path of
//! services, and no bearer token opens theirs.

use broker::access::Manage;
use hyper::StatusCode;
use hyper::header::AUTHORIZATION;
use hyper::http::request::Parts;

use hub::errors::{ErrorCode, Refusal};
use hub::identity::{IdentityId, Policy, Right};
use hub::sas::{SignatureError, Target, Token, When};
use hub::telemetry::AuthMethod;
use node::devices::{Ask, Credential, Hub};

use super::asking;
use crate::http::app::App;
use crate::http::backend::Backend;
use crate::http::call::Call;
use crate::http::error::{Hint, HttpError};

/// Who asks for the path of these decoded segments has one of `rights`.
///
/// # Errors
/// 401 IotHubUnauthorizedAccess otherwise, for whatever reason.
pub fn check<B: Backend>(
    app: &App<B>,
    head: &Parts,
    segments: &[&str],
    rights: &[Right],
) -> Result<(), HttpError> {
    let Some(text) = authorization(head) else { return Err(unauthorized(SEND)) };
    if !is_token(text) {
        return contributor(app, head);
    }
    // Nobody comes this far where there is no hub.
    let Some(hub) = app.backend.hub() else { return Err(unauthorized(SEND)) };
    let token = Token::parse(text).map_err(|why| unauthorized(&format!("{why}; {SEND}")))?;
    let policy = signed(hub, &token, segments, app.backend.wall_ms())?;
    Call::of(&head.extensions).by_policy(&policy.name);
    if rights.iter().any(|right| policy.rights.has(*right)) {
        return Ok(());
    }
    let names: Vec<_> = rights.iter().map(|right| right.as_str()).collect();
    let (name, names) = (&policy.name, names.join(" or "));
    Err(unauthorized(&format!("policy '{name}' has no right {names}; use one that has it")))
}

/// Whose token it is. Who has the wrong key is not told whether there is such a policy.
fn signed<'h>(
    hub: &'h Hub,
    token: &Token<'_>,
    segments: &[&str],
    now_ms: u64,
) -> Result<&'h Policy, HttpError> {
    let Some(name) = token.policy() else {
        let text = "the token names no policy (skn); a device's own key opens no path of services";
        return Err(unauthorized(text));
    };
    let wrong = || unauthorized("the signature is not one of that policy for this resource");
    let policy = hub.policies.get(name).ok_or_else(wrong)?;
    let hosts: Vec<&str> = hub.hosts().collect();
    let target = Target { hosts: &hosts, path: segments };
    match token.verify(&policy.keys, &target, When { now_ms, skew_ms: SKEW_MS }) {
        Ok(_) => Ok(policy),
        Err(SignatureError::Wrong) => Err(wrong()),
        Err(SignatureError::Resource) => Err(unauthorized(&format!(
            "the token's resource (sr) does not cover this path; sign '{}' for all of the hub",
            hosts.first().copied().unwrap_or_default()
        ))),
        Err(why) => Err(unauthorized(&format!("{why}; make a new token"))),
    }
}

/// A device asks for itself: by a token of its own key, or of a policy with DeviceConnect, or,
/// without any, by the certificate of its connection.
///
/// # Errors
/// 401 IotHubUnauthorizedAccess otherwise.
pub async fn device<B: Backend>(
    app: &App<B>,
    head: &Parts,
    id: &IdentityId,
) -> Result<AuthMethod, HttpError> {
    let credential = match Call::of(&head.extensions).certificate() {
        Some(certificate) if !head.headers.contains_key(AUTHORIZATION) => {
            Credential::Certificate(certificate.clone())
        }
        _ => Credential::Token(token_of_device(head)?.into()),
    };
    let verified = asking::ask(&app.backend, id, |reply| Ask::Verify(credential, reply)).await;
    verified.map_err(|error| match error.status {
        StatusCode::UNAUTHORIZED => error.with(Hint::Bearer(None)),
        _ => error,
    })
}

fn token_of_device(head: &Parts) -> Result<&str, HttpError> {
    let text = authorization(head).filter(|text| is_token(text));
    let text = text.ok_or_else(|| unauthorized(SEND_AS_DEVICE))?;
    Token::parse(text).map_err(|why| unauthorized(&format!("{why}; {SEND_AS_DEVICE}")))?;
    Ok(text)
}

fn is_token(text: &str) -> bool {
    text.split(' ').next().is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
}

/// The one value of the header.
fn authorization(head: &Parts) -> Option<&str> {
    let mut values = head.headers.get_all(AUTHORIZATION).iter();
    let (value, more) = (values.next(), values.next().is_some());
    value.and_then(|value| value.to_str().ok()).filter(|_| !more)
}

fn contributor<B: Backend>(app: &App<B>, head: &Parts) -> Result<(), HttpError> {
    let caller = app.authenticate(head).map_err(|error| {
        let text = format!("{}; or {SEND}", error.message);
        HttpError { code: UNAUTHORIZED.name(), message: text.into(), ..error }
    })?;
    match caller.who.permissions.manage() {
        Manage::Yes => Ok(()),
        Manage::No => Err(unauthorized(&format!(
            "'{}' is no contributor; use a token with the role contributor, or {SEND}",
            caller.who.name
        ))),
    }
}

fn unauthorized(text: &str) -> HttpError {
    let error = HttpError::from(Refusal::new(UNAUTHORIZED, text));
    debug_assert_eq!(error.status, StatusCode::UNAUTHORIZED);
    error.with(Hint::Bearer(None))
}

const UNAUTHORIZED: ErrorCode = ErrorCode::IotHubUnauthorizedAccess;
const SCHEME: &str = "SharedAccessSignature";
const SEND: &str = "send 'Authorization: SharedAccessSignature sr=..&sig=..&se=..&skn=..'";
const SEND_AS_DEVICE: &str = "connect with the device's certificate, or send \
     'Authorization: SharedAccessSignature sr=..&sig=..&se=..' of its own key";
/// How far a service's clock may be behind (iot-hub A3).
const SKEW_MS: u64 = 5 * 60 * 1000;
