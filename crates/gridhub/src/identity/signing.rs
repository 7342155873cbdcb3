//! The key for bearer tokens of a data directory, and the tokens made with it. ES256, because
//! signing and checking are cheap; PEM on disk, so that tests can make tokens of their own.
//! Knows nothing of how tokens are checked.

use anyhow::Context;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::KeyPair;
use serde::Serialize;

use super::directory::{Access, DataDir};

/// The private key, loaded.
pub struct SigningKey {
    key: EncodingKey,
    kid: String,
}

/// What a token is to say.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// Name of the principal.
    pub name: String,
    /// What it may do.
    pub roles: Vec<TokenRole>,
    /// Now, in Unix seconds.
    pub now_s: u64,
    /// Life in seconds.
    pub ttl_s: u64,
}

/// A role a token can grant (event-grid 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum TokenRole {
    /// May publish.
    Publisher,
    /// May subscribe.
    Subscriber,
    /// May manage.
    Contributor,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: &'a str,
    oid: &'a str,
    roles: Vec<&'static str>,
    iat: u64,
    nbf: u64,
    exp: u64,
}

impl SigningKey {
    /// Loads the key, or makes it, and writes its public half beside it.
    ///
    /// # Errors
    /// When files are damaged or cannot be written.
    pub fn open_or_create(dir: &DataDir) -> anyhow::Result<Self> {
        if dir.read(KEY)?.is_none() {
            let key = KeyPair::generate().context("cannot make the token key")?;
            dir.write(KEY, &key.serialize_pem(), Access::Secret)?;
        }
        let (signing, jwks) = Self::load(dir)?;
        if dir.read(JWKS)?.as_deref() != Some(&jwks) {
            dir.write(JWKS, &jwks, Access::Public)?;
        }
        Ok(signing)
    }

    /// Loads a key that is there.
    ///
    /// # Errors
    /// When it is not, or is damaged.
    pub fn open(dir: &DataDir) -> anyhow::Result<Self> {
        Ok(Self::load(dir)?.0)
    }

    fn load(dir: &DataDir) -> anyhow::Result<(Self, String)> {
        let pem = dir.read(KEY)?.context("the token key is missing")?;
        let key = EncodingKey::from_ec_pem(pem.as_bytes()).context("the token key is damaged")?;
        let mut jwk = Jwk::from_encoding_key(&key, Algorithm::ES256)
            .context("the token key is not an EC key on P-256")?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).context("the token key has no print")?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let jwks = serde_json::to_string_pretty(&JwkSet { keys: vec![jwk] })?;
        Ok((Self { key, kid }, jwks))
    }

    /// Makes a token.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub fn token(&self, request: &TokenRequest) -> anyhow::Result<String> {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(self.kid.clone());
        let claims = Claims {
            iss: ISSUER,
            aud: AUDIENCE,
            sub: &request.name,
            oid: &request.name,
            roles: request.roles.iter().map(|role| role.claim()).collect(),
            iat: request.now_s,
            nbf: request.now_s,
            exp: request.now_s.saturating_add(request.ttl_s),
        };
        jsonwebtoken::encode(&header, &claims, &self.key).context("cannot sign a token")
    }
}

impl TokenRole {
    /// Every role, as the token that `dev` prints has them.
    pub const ALL: [Self; 3] = [Self::Publisher, Self::Subscriber, Self::Contributor];

    /// The role's name in the `roles` claim.
    pub const fn claim(self) -> &'static str {
        match self {
            Self::Publisher => "EventGrid TopicSpaces Publisher",
            Self::Subscriber => "EventGrid TopicSpaces Subscriber",
            Self::Contributor => "Contributor",
        }
    }
}

/// The `iss` claim of our own tokens.
pub const ISSUER: &str = "https://localhost/gridhub-dev";
/// The `aud` claim of our own tokens (event-grid 2.4).
pub const AUDIENCE: &str = "https://eventgrid.azure.net";
/// The private key's file.
pub const KEY: &str = "token-key.pem";
/// The public key's file.
pub const JWKS: &str = "jwks.json";
