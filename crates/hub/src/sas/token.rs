//! The token `SharedAccessSignature sr=..&sig=..&se=..[&skn=..]` of HTTP and MQTT 3.1.1 (iot-hub
//! C2, D1): read, judged and made. Refuses to know which rights its policy has.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::key::{Key, MAC_BYTES, SymmetricKeys};
use super::resource::{Ids, Resource, Target};
use super::signature::{Proof, SignatureError, When};
use crate::percent;

/// A token that was read. Nothing in it is true before [`verify`](Self::verify).
#[derive(Clone, PartialEq, Eq)]
pub struct Token<'a> {
    /// `sr` as received: this is what was signed.
    resource_text: &'a str,
    resource: Resource,
    mac: [u8; MAC_BYTES],
    /// `se` as received.
    expiry_text: &'a str,
    expiry_s: u64,
    policy: Option<Box<str>>,
}

impl<'a> Token<'a> {
    /// Reads a token: the scheme in any case, one or more spaces, and the fields in any order,
    /// each once. An empty `skn`, which some clients send with a device's key, is an absent one.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn parse(text: &'a str) -> Result<Self, TokenError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let (scheme, fields) = text.split_once(' ').ok_or(TokenError::Scheme)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(TokenError::Scheme);
        }
        let mut found: [Option<&str>; 4] = [None; 4];
        for field in fields.trim_start_matches(' ').split('&') {
            let (name, value) = field.split_once('=').ok_or(TokenError::NoField)?;
            let at = FIELDS.iter().position(|known| *known == name);
            let at = at.ok_or(TokenError::Unknown)?;
            if found[at].replace(value).is_some() {
                return Err(TokenError::Twice(FIELDS[at]));
            }
        }
        let [resource, signature, expiry, policy] = found;
        let resource_text = resource.ok_or(TokenError::Missing(FIELDS[0]))?;
        let signature = signature.ok_or(TokenError::Missing(FIELDS[1]))?;
        let expiry_text = expiry.ok_or(TokenError::Missing(FIELDS[2]))?;
        let policy = policy.filter(|policy| !policy.is_empty());
        Ok(Self {
            resource_text,
            resource: Resource::parse(decoded(resource_text, FIELDS[0])?)
                .ok_or(TokenError::NoHost)?,
            mac: mac(&decoded(signature, FIELDS[1])?)?,
            expiry_text,
            expiry_s: seconds(expiry_text).ok_or(TokenError::NoTime)?,
            policy: match policy {
                Some(name) => Some(decoded(name, FIELDS[3])?.into()),
                None => None,
            },
        })
    }

    /// The policy whose keys have to have signed it; `None` = the identity's own.
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// What it says it is for.
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// Judges signature, time and resource, in that order: only the signer is told more.
    ///
    /// The signature is over `sr` as it was received, else over its decoded form.
    ///
    /// # Errors
    /// The first of the three that fails.
    pub fn verify(
        &self,
        keys: &SymmetricKeys,
        target: &Target<'_>,
        when: When,
    ) -> Result<Proof, SignatureError> {
        let signer = |text| keys.signer(&[text, LF, self.expiry_text], &self.mac);
        let by = signer(self.resource_text).or_else(|| signer(self.resource.as_str()));
        let by = by.ok_or(SignatureError::Wrong)?;
        let proof = when.judge(self.expiry_s.saturating_mul(1000), by)?;
        let ids = if self.policy.is_some() { Ids::Literal } else { Ids::MayBeEncoded };
        if !self.resource.covers(target, ids) {
            return Err(SignatureError::Resource);
        }
        Ok(proof)
    }

    /// Makes a token for `resource` (`host[:port][/devices/{id}[/modules/{id}]]`, not encoded) of
    /// an own key or, with `policy`, of a policy's. `expiry_s` is Unix seconds.
    pub fn make(resource: &str, expiry_s: u64, policy: Option<&str>, key: &Key) -> String {
        let resource = percent::encode(resource);
        let mac = key.sign(&[&resource, LF, &expiry_s.to_string()]);
        let signature = percent::encode(&BASE64_STANDARD.encode(mac));
        let mut token = format!("{SCHEME} sr={resource}&sig={signature}&se={expiry_s}");
        if let Some(policy) = policy {
            token.push_str("&skn=");
            token.push_str(&percent::encode(policy));
        }
        token
    }
}

/// Without its signature, which is a secret until it expires.
impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("resource", &self.resource.as_str())
            .field("expiry_s", &self.expiry_s)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It does not begin with `SharedAccessSignature` and a space.
    #[error("a token begins with 'SharedAccessSignature '")]
    Scheme,
    /// More than 4,096 bytes.
    #[error("the token is longer than 4096 bytes")]
    TooLong,
    /// A piece between `&` without `=`.
    #[error("a part of the token is no field=value")]
    NoField,
    /// A field that is none of `sr`, `sig`, `se` and `skn`.
    #[error("the token has a field that is none of sr, sig, se and skn")]
    Unknown,
    /// A field that stands there again.
    #[error("the token has {0} twice")]
    Twice(&'static str),
    /// A field that has to be there.
    #[error("the token has no {0}")]
    Missing(&'static str),
    /// A `%` without two hex digits, or bytes that are no UTF-8.
    #[error("{0} is not percent-encoded UTF-8")]
    Encoding(&'static str),
    /// `sr` begins with no host.
    #[error("sr names no host")]
    NoHost,
    /// `sig` is no base64 with padding.
    #[error("sig is not base64")]
    NoBase64,
    /// `sig` has not the 32 bytes of HMAC-SHA256.
    #[error("sig has not 32 bytes")]
    NoMac,
    /// `se` is no decimal number of seconds.
    #[error("se is no time in seconds")]
    NoTime,
}

fn decoded(text: &str, field: &'static str) -> Result<String, TokenError> {
    percent::decode(text).ok_or(TokenError::Encoding(field))
}

fn mac(text: &str) -> Result<[u8; MAC_BYTES], TokenError> {
    let bytes = BASE64_STANDARD.decode(text).map_err(|_| TokenError::NoBase64)?;
    bytes.try_into().map_err(|_| TokenError::NoMac)
}

fn seconds(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

const SCHEME: &str = "SharedAccessSignature";
/// In the order of [`Token::parse`].
const FIELDS: [&str; 4] = ["sr", "sig", "se", "skn"];
const LF: &str = "\n";
/// Three times the longest host and ids, and the rest.
const TOKEN_BYTES_MAX: usize = 4096;

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
