//! Tokens of the tests' own, signed with the key of a data directory: good ones, and every way of
//! being wrong.
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Signs with the key that `gridhub dev` left in `data` (product.md 4).
pub struct Signer {
    key: EncodingKey,
    public: Value,
}

impl Signer {
    /// The key of a data directory.
    #[track_caller]
    pub fn of(data: &Path) -> Self {
        let read = |name: &str| std::fs::read(data.join(name)).expect("`gridhub dev` ran there");
        let key = EncodingKey::from_ec_pem(&read("token-key.pem")).expect("an EC key");
        let public = serde_json::from_slice(&read("jwks.json")).expect("a key set");
        Self { key, public }
    }

    /// The name of the key in the published set.
    pub fn kid(&self) -> String {
        self.public["keys"][0]["kid"].as_str().expect("a key id").to_string()
    }

    /// A token with these claims and this key id.
    #[track_caller]
    pub fn sign(&self, claims: &Value, kid: &str) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(kid.to_string());
        encode(&header, claims, &self.key).expect("it signs")
    }

    /// A good token for a principal, valid for so many seconds.
    #[track_caller]
    pub fn good(&self, name: &str, seconds: i64) -> String {
        self.sign(&claims(name, seconds), &self.kid())
    }

    /// The same claims under a symmetric algorithm, with what everybody knows as its secret.
    #[track_caller]
    pub fn symmetric(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(self.kid());
        let secret = self.public["keys"][0]["x"].as_str().expect("a coordinate");
        encode(&header, claims, &EncodingKey::from_secret(secret.as_bytes())).expect("it signs")
    }
}

/// A token of the hub for a resource of plain characters, signed with a key in base64 and good for
/// an hour (iot-hub C2).
#[track_caller]
pub fn sas(resource: &str, key: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let (resource, expiry) = (resource.replace('/', "%2F"), now + 3600);
    let key = BASE64_STANDARD.decode(key).expect("a key in base64");
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let mac = hmac::sign(&key, format!("{resource}\n{expiry}").as_bytes());
    let signature = BASE64_STANDARD.encode(mac.as_ref());
    let signature = signature.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}")
}

/// Claims that are right in every way, valid for so many seconds from now.
pub fn claims(name: &str, seconds: i64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let now = i64::try_from(now).expect("a date");
    json!({
        "iss": "https://issuer.example", "aud": "https://eventgrid.azure.net",
        "sub": name, "oid": name, "roles": ["Publisher", "Subscriber"],
        "iat": now, "nbf": now - 60, "exp": now + seconds,
    })
}
