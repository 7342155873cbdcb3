//! Public keys of token issuers: from a JWK set, a PEM key or a PEM certificate. Knows nothing
//! of tokens.

use anyhow::{Context, bail};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, JwkSet};
use x509_parser::prelude::parse_x509_pem;
use x509_parser::public_key::PublicKey;

use crate::config::{Algorithm, Issuer};

/// A key that can check signatures of one algorithm.
pub struct TokenKey {
    /// Its id in the set; a PEM key has none and fits any.
    pub kid: Option<String>,
    /// The only algorithm it is used with.
    pub algorithm: Algorithm,
    /// The key.
    pub key: DecodingKey,
}

/// Reads the keys of a file's text.
type Parse = fn(&str) -> anyhow::Result<Vec<TokenKey>>;

impl TokenKey {
    /// Reads the issuer's keys; keys of other kinds in a set are passed over.
    ///
    /// # Errors
    /// When the file is missing or no key in it fits the issuer's algorithms.
    pub fn read(issuer: &Issuer) -> anyhow::Result<Vec<Self>> {
        let (file, parse): (_, Parse) = match (&issuer.jwks_file, &issuer.pem_file) {
            (Some(file), None) => (file, from_jwks),
            (None, Some(file)) => (file, from_pem),
            _ => bail!("issuer '{}' needs either jwks_file or pem_file", issuer.issuer),
        };
        let shown = file.display();
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
        let mut keys = parse(&text).with_context(|| format!("{shown} is unusable"))?;
        keys.retain(|key| issuer.algorithms.contains(&key.algorithm));
        if keys.is_empty() {
            bail!("{shown} holds no key for the algorithms of issuer '{}'", issuer.issuer);
        }
        Ok(keys)
    }
}

fn from_jwks(text: &str) -> anyhow::Result<Vec<TokenKey>> {
    let set: JwkSet = serde_json::from_str(text).context("not a JWK set")?;
    let mut keys = Vec::new();
    for jwk in &set.keys {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Algorithm::RS256,
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => {
                Algorithm::ES256
            }
            _ => continue,
        };
        let key = DecodingKey::from_jwk(jwk).context("a key of the set is damaged")?;
        keys.push(TokenKey { kid: jwk.common.key_id.clone(), algorithm, key });
    }
    Ok(keys)
}

fn from_pem(text: &str) -> anyhow::Result<Vec<TokenKey>> {
    if text.contains("PRIVATE KEY") {
        bail!("a private key; give the public one");
    }
    if text.contains("BEGIN CERTIFICATE") {
        return Ok(vec![from_certificate(text)?]);
    }
    let bytes = text.as_bytes();
    let (algorithm, key) = match DecodingKey::from_rsa_pem(bytes) {
        Ok(key) if text.contains("RSA PUBLIC KEY") => (Algorithm::RS256, key),
        rsa => match (DecodingKey::from_ec_pem(bytes), rsa) {
            (Ok(key), _) => (Algorithm::ES256, key),
            (Err(_), Ok(key)) => (Algorithm::RS256, key),
            (Err(_), Err(error)) => return Err(error).context("not a public key as PEM"),
        },
    };
    Ok(vec![TokenKey { kid: None, algorithm, key }])
}

fn from_certificate(text: &str) -> anyhow::Result<TokenKey> {
    let (_, block) = parse_x509_pem(text.as_bytes()).context("not a PEM file")?;
    let cert = block.parse_x509().context("not a certificate")?;
    let bits = cert.public_key().subject_public_key.data.as_ref();
    let (algorithm, key) = match cert.public_key().parsed().context("its key is unknown")? {
        PublicKey::RSA(_) => (Algorithm::RS256, DecodingKey::from_rsa_der(bits)),
        PublicKey::EC(point) if point.key_size() == 256 => {
            (Algorithm::ES256, DecodingKey::from_ec_der(bits))
        }
        _ => bail!("its key is neither RSA nor EC on P-256"),
    };
    Ok(TokenKey { kid: None, algorithm, key })
}
