//! Bearer tokens: who signed them, for whom, until when (event-grid 2.4, 4.5). The algorithm is
//! the configuration's, never the token's. Knows nothing of permissions or of where tokens come
//! from.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::crypto;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::token_key::TokenKey;
use crate::config::{Algorithm, Auth, Issuer};

/// Who signs tokens that we believe.
pub struct Issuers {
    issuers: Vec<TrustedIssuer>,
    leeway_s: u64,
}

struct TrustedIssuer {
    issuer: String,
    keys: Vec<TokenKey>,
    /// Normalised by [`normal_audience`].
    audiences: Vec<String>,
    principal_claims: Vec<String>,
    algorithms: Vec<Algorithm>,
}

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The principal: the first claim present of the issuer's `principal_claims`.
    pub principal: String,
    /// The `roles` claim.
    pub roles: Vec<String>,
    /// When it ends, Unix milliseconds, leeway included.
    pub expires_ms: u64,
}

/// Why a token is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// It is no JWT.
    Malformed,
    /// No issuer is configured.
    NoIssuers,
    /// Its `iss` is not configured.
    UnknownIssuer,
    /// Its `alg` is not among the issuer's.
    Algorithm,
    /// Its `kid` is not among the issuer's keys.
    UnknownKey,
    /// The signature does not belong to the content.
    Signature,
    /// Its `aud` names none of ours; these are ours.
    Audience(Vec<String>),
    /// It has no `exp`.
    NoExpiry,
    /// It is over since so many seconds.
    Expired(u64),
    /// It begins in so many seconds.
    NotYet(u64),
    /// None of these claims is there.
    NoPrincipal(Vec<String>),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

impl Issuers {
    /// Reads the issuers' keys. `hostname` is the namespace's, always an audience.
    ///
    /// # Errors
    /// When a key file is missing or has no key for the issuer's algorithms.
    pub fn new(auth: &Auth, hostname: &str) -> anyhow::Result<Self> {
        let issuers = auth.issuers.iter().map(|issuer| TrustedIssuer::new(issuer, hostname));
        let issuers = issuers.collect::<anyhow::Result<_>>()?;
        Ok(Self { issuers, leeway_s: auth.token_leeway.get().as_secs() })
    }

    /// Checks a token at the domain clock's `now_ms`.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn verify(&self, token: &str, now_ms: u64) -> Result<Claims, TokenError> {
        if self.issuers.is_empty() {
            return Err(TokenError::NoIssuers);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        if token.len() > TOKEN_BYTES_MAX || payload.contains('.') || !is_url_base64(signature) {
            return Err(TokenError::Malformed);
        }
        let header: Header = part(header)?;
        // An extension we must understand and do not (RFC 7515, 4.1.11).
        if header.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        let claims: Map<String, Value> = part(payload)?;
        let issuer = self.issuer(&claims)?;
        issuer.check_signature(&header, message, signature)?;
        issuer.check_audience(&claims)?;
        let expires_ms = self.check_time(&claims, now_ms)?;
        let principal = issuer.principal(&claims)?;
        Ok(Claims { principal, roles: texts(claims.get("roles")), expires_ms })
    }

    /// Picks the issuer by the claim, which only the signature then makes true.
    fn issuer(&self, claims: &Map<String, Value>) -> Result<&TrustedIssuer, TokenError> {
        let name = claims.get("iss").and_then(Value::as_str);
        let exact = self.issuers.iter().find(|issuer| Some(issuer.issuer.as_str()) == name);
        exact
            .or_else(|| self.issuers.iter().find(|issuer| issuer.issuer == ANY_ISSUER))
            .ok_or(TokenError::UnknownIssuer)
    }

    fn check_time(&self, claims: &Map<String, Value>, now_ms: u64) -> Result<u64, TokenError> {
        let now_s = now_ms / 1000;
        let expires_s = seconds(claims.get("exp")).ok_or(TokenError::NoExpiry)?;
        let end_s = expires_s.saturating_add(self.leeway_s);
        if now_s >= end_s {
            return Err(TokenError::Expired(now_s.saturating_sub(expires_s)));
        }
        if let Some(begin) = claims.get("nbf") {
            let begin_s = seconds(Some(begin)).ok_or(TokenError::Malformed)?;
            if begin_s > now_s.saturating_add(self.leeway_s) {
                return Err(TokenError::NotYet(begin_s - now_s));
            }
        }
        Ok(end_s.saturating_mul(1000))
    }
}

impl TrustedIssuer {
    fn new(issuer: &Issuer, hostname: &str) -> anyhow::Result<Self> {
        let own = [format!("https://{hostname}"), EVENT_GRID_AUDIENCE.to_owned()];
        let audiences = own.iter().chain(&issuer.audiences);
        Ok(Self {
            issuer: issuer.issuer.clone(),
            keys: TokenKey::read(issuer)?,
            audiences: audiences.map(|audience| normal_audience(audience)).collect(),
            principal_claims: issuer.principal_claims.clone(),
            algorithms: issuer.algorithms.clone(),
        })
    }

    fn check_signature(
        &self,
        header: &Header,
        message: &str,
        signature: &str,
    ) -> Result<(), TokenError> {
        let allowed = self.algorithms.iter().find(|allowed| spelled(**allowed) == header.alg);
        let algorithm = *allowed.ok_or(TokenError::Algorithm)?;
        let fitting = |key: &&TokenKey| {
            key.algorithm == algorithm
                && header
                    .kid
                    .as_ref()
                    .is_none_or(|kid| key.kid.as_ref().is_none_or(|own| own == kid))
        };
        let mut keys = self.keys.iter().filter(fitting).peekable();
        if keys.peek().is_none() {
            return Err(TokenError::UnknownKey);
        }
        let algorithm = in_library(algorithm);
        let good = keys.any(|key| {
            crypto::verify(signature, message.as_bytes(), &key.key, algorithm).unwrap_or(false)
        });
        if good { Ok(()) } else { Err(TokenError::Signature) }
    }

    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), TokenError> {
        let ours = |audience: &String| self.audiences.contains(&normal_audience(audience));
        if texts(claims.get("aud")).iter().any(ours) {
            return Ok(());
        }
        Err(TokenError::Audience(self.audiences.clone()))
    }

    fn principal(&self, claims: &Map<String, Value>) -> Result<String, TokenError> {
        let name = |claim: &String| claims.get(claim).and_then(Value::as_str);
        let plausible = |name: &&str| {
            let count = name.chars().count();
            (1..=128).contains(&count) && !name.chars().any(char::is_control)
        };
        let found = self.principal_claims.iter().find_map(name).filter(plausible);
        found
            .map(str::to_owned)
            .ok_or_else(|| TokenError::NoPrincipal(self.principal_claims.clone()))
    }
}

impl TokenError {
    /// The rule's name, for the log.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Malformed => "token-malformed",
            Self::NoIssuers => "token-no-issuers",
            Self::UnknownIssuer => "token-issuer",
            Self::Algorithm => "token-algorithm",
            Self::UnknownKey => "token-key",
            Self::Signature => "token-signature",
            Self::Audience(_) => "token-audience",
            Self::NoExpiry | Self::Expired(_) => "token-expired",
            Self::NotYet(_) => "token-not-yet",
            Self::NoPrincipal(_) => "token-principal",
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => {
                f.write_str("the token is no JWT; send one as three base64url parts")
            }
            Self::NoIssuers => {
                f.write_str("no token issuer is configured here; add one under auth.issuers")
            }
            Self::UnknownIssuer => f.write_str(
                "the token's iss is not trusted here; use a configured issuer or add it under \
                 auth.issuers",
            ),
            Self::Algorithm => f.write_str(
                "the token's alg is not allowed for its issuer; sign with RS256 or ES256 as \
                 configured",
            ),
            Self::UnknownKey => f.write_str(
                "no key of the issuer fits the token's kid and alg; use a current key or update \
                 the issuer's key file",
            ),
            Self::Signature => {
                f.write_str("the token's signature is wrong; request a new token from its issuer")
            }
            Self::Audience(ours) => {
                write!(
                    f,
                    "the token is for another audience; request one for {}",
                    ours.join(" or ")
                )
            }
            Self::NoExpiry => f.write_str("the token has no exp claim; request one that ends"),
            Self::Expired(ago_s) => {
                write!(f, "the token expired {ago_s} s ago; request a new one")
            }
            Self::NotYet(in_s) => {
                write!(f, "the token is valid only in {in_s} s; check the clocks")
            }
            Self::NoPrincipal(claims) => write!(
                f,
                "the token names nobody; it needs a claim {} of 1 to 128 characters",
                claims.join(" or ")
            ),
        }
    }
}

impl std::error::Error for TokenError {}

/// Whether a password is a token: three base64url parts, the first a JSON object.
pub fn looks_like_token(password: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(password) else { return false };
    let parts: Vec<&str> = text.split('.').collect();
    // The last part is empty in a token without signature, which must be refused as a token.
    parts.len() == 3
        && parts[0].starts_with("ey")
        && !parts[1].is_empty()
        && parts.iter().all(|part| is_url_base64(part))
}

fn part<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, TokenError> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&bytes).map_err(|_| TokenError::Malformed)
}

fn is_url_base64(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Whole seconds of a NumericDate (RFC 7519, 2), which may have a fraction.
fn seconds(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    value.as_u64().or_else(|| {
        let float = value.as_f64().filter(|float| float.is_finite() && *float >= 0.0)?;
        // Saturates, which is what a date beyond all time should do.
        Some(float as u64)
    })
}

/// A claim that is one text or several.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => vec![text.clone()],
        Some(Value::Array(items)) => {
            items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Without trailing slash, in lower case, and without the port: one host may listen on many.
fn normal_audience(audience: &str) -> String {
    let lower = audience.trim_end_matches('/').to_ascii_lowercase();
    if let Some(host) = lower.strip_prefix("https://")
        && let Some((name, port)) = host.rsplit_once(':')
        && !name.is_empty()
        && !port.is_empty()
        && port.bytes().all(|byte| byte.is_ascii_digit())
    {
        return format!("https://{name}");
    }
    lower
}

const fn spelled(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::RS256 => "RS256",
        Algorithm::ES256 => "ES256",
    }
}

const fn in_library(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
    }
}

/// An issuer entry that takes tokens of any issuer its key signed.
const ANY_ISSUER: &str = "*";
const EVENT_GRID_AUDIENCE: &str = "https://eventgrid.azure.net";
/// Entra's largest are below 8 KB; a header line of HTTP holds 16.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
