//! Tables of tokens: good ones, and every way of being wrong.

use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header as Head};
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::*;
use crate::config::duration::HumanDuration;
use crate::identity::directory::{Access, DataDir};

const NOW_S: u64 = 1_800_000_000;

/// An issuer of each algorithm, with keys on disk.
struct Fixture {
    _dir: DataDir,
    issuers: Issuers,
    ec: KeyPair,
    rsa: KeyPair,
    ec_public_pem: String,
}

fn fixture() -> Fixture {
    let dir = DataDir::ephemeral().expect("dir");
    let ec = KeyPair::generate().expect("key");
    let rsa = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).expect("key");
    let write = |name: &str, text: &str| -> PathBuf {
        dir.write(name, text, Access::Public).expect("write");
        dir.file(name)
    };
    let encoding = EncodingKey::from_ec_pem(ec.serialize_pem().as_bytes()).expect("key");
    let algorithm = jsonwebtoken::Algorithm::ES256;
    let mut jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&encoding, algorithm).expect("jwk");
    jwk.common.key_id = Some("k1".into());
    let set = serde_json::to_string(&json!({ "keys": [jwk, {"kty": "oct", "k": "AAAA"}] }));
    let jwks = write("jwks.json", &set.expect("json"));
    let pem = write("rsa.pem", &rsa.public_key_pem());
    let issuer = |name: &str, jwks: Option<PathBuf>, pem: Option<PathBuf>, algorithm| Issuer {
        issuer: name.into(),
        jwks_file: jwks,
        pem_file: pem,
        audiences: vec!["api://ours".into()],
        principal_claims: crate::config::principal_claims(),
        algorithms: vec![algorithm],
    };
    let auth = Auth {
        token_leeway: HumanDuration::new(std::time::Duration::from_secs(5)),
        issuers: vec![
            issuer("https://ec", Some(jwks), None, Algorithm::ES256),
            issuer("https://rsa", None, Some(pem), Algorithm::RS256),
        ],
        ..Auth::default()
    };
    let issuers = Issuers::new(&auth, "hub.example").expect("issuers");
    let ec_public_pem = ec.public_key_pem();
    Fixture { _dir: dir, issuers, ec, rsa, ec_public_pem }
}

impl Fixture {
    fn ec_key(&self) -> EncodingKey {
        EncodingKey::from_ec_pem(self.ec.serialize_pem().as_bytes()).expect("key")
    }

    fn sign(&self, alg: jsonwebtoken::Algorithm, kid: Option<&str>, claims: &Value) -> String {
        let mut head = Head::new(alg);
        head.kid = kid.map(str::to_owned);
        let key = match alg {
            jsonwebtoken::Algorithm::ES256 => self.ec_key(),
            jsonwebtoken::Algorithm::RS256 => {
                EncodingKey::from_rsa_pem(self.rsa.serialize_pem().as_bytes()).expect("key")
            }
            _ => EncodingKey::from_secret(self.ec_public_pem.as_bytes()),
        };
        jsonwebtoken::encode(&head, claims, &key).expect("token")
    }

    fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        self.issuers.verify(token, NOW_S * 1000)
    }
}

fn claims(changes: &[(&str, Value)]) -> Value {
    let mut claims = json!({
        "iss": "https://ec", "aud": "https://hub.example", "sub": "s", "oid": "o",
        "roles": ["Publisher"], "nbf": NOW_S, "exp": NOW_S + 60,
    });
    for (name, value) in changes {
        let map = claims.as_object_mut().expect("object");
        if value.is_null() {
            map.remove(*name)
        } else {
            map.insert((*name).into(), value.clone())
        };
    }
    claims
}

#[test]
fn good_tokens() {
    use jsonwebtoken::Algorithm::{ES256, RS256};
    let f = fixture();
    let got = f.verify(&f.sign(ES256, Some("k1"), &claims(&[]))).expect("good");
    let roles = vec!["Publisher".to_owned()];
    let expires_ms = (NOW_S + 65) * 1000;
    assert_eq!(got, Claims { principal: "o".into(), roles, expires_ms });
    let rsa = claims(&[("iss", json!("https://rsa")), ("oid", Value::Null)]);
    assert_eq!(f.verify(&f.sign(RS256, None, &rsa)).expect("good").principal, "s");
    for audience in [
        json!("https://hub.example/"),
        json!("https://HUB.example:8443"),
        json!("https://eventgrid.azure.net"),
        json!("https://eventgrid.azure.net/"),
        json!(["x", "api://ours/"]),
    ] {
        let token = f.sign(ES256, None, &claims(&[("aud", audience.clone())]));
        assert!(f.verify(&token).is_ok(), "{audience}");
    }
    for within_leeway in [("exp", json!(NOW_S - 4)), ("nbf", json!(NOW_S + 5))] {
        let token = f.sign(ES256, None, &claims(std::slice::from_ref(&within_leeway)));
        assert!(f.verify(&token).is_ok(), "{within_leeway:?}");
    }
}

#[test]
fn claims_that_are_refused() {
    let f = fixture();
    let rows: &[(&str, Value, &str)] = &[
        ("exp", json!(NOW_S - 5), "token-expired"),
        ("exp", json!("soon"), "token-expired"),
        ("exp", Value::Null, "token-expired"),
        ("nbf", json!(NOW_S + 6), "token-not-yet"),
        ("nbf", json!("x"), "token-malformed"),
        ("aud", json!("https://other"), "token-audience"),
        ("aud", json!("https://hub.example.evil"), "token-audience"),
        ("aud", Value::Null, "token-audience"),
        ("iss", json!("https://evil"), "token-issuer"),
        ("iss", Value::Null, "token-issuer"),
        // Signed by the EC issuer's key, named as the RSA issuer's.
        ("iss", json!("https://rsa"), "token-algorithm"),
        ("oid", json!(""), "token-principal"),
        ("oid", json!("x".repeat(129)), "token-principal"),
    ];
    for (name, value, rule) in rows {
        let token =
            f.sign(jsonwebtoken::Algorithm::ES256, Some("k1"), &claims(&[(name, value.clone())]));
        let error = f.verify(&token).expect_err(name);
        assert_eq!(error.rule(), *rule, "{name} {value}");
        assert!(!error.to_string().contains(&token));
    }
}

#[test]
fn signatures_that_are_refused() {
    use jsonwebtoken::Algorithm::{ES256, HS256};
    let f = fixture();
    let good = f.sign(ES256, Some("k1"), &claims(&[]));
    let (message, signature) = good.rsplit_once('.').expect("parts");
    let (header, payload) = message.split_once('.').expect("parts");
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let stronger = part(claims(&[("roles", json!(["Contributor"]))]));
    let mut flipped = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64");
    flipped[10] ^= 1;
    let flipped = BASE64_URL_SAFE_NO_PAD.encode(flipped);
    let none = part(json!({"alg": "none"}));
    let critical = part(json!({"alg": "ES256", "crit": ["x"], "x": 1}));
    let rows = [
        (f.sign(ES256, Some("k2"), &claims(&[])), "token-key"),
        // The public key as the secret of a symmetric algorithm.
        (f.sign(HS256, Some("k1"), &claims(&[])), "token-algorithm"),
        (format!("{none}.{payload}."), "token-algorithm"),
        (format!("{none}.{payload}.{signature}"), "token-algorithm"),
        (format!("{header}.{stronger}.{signature}"), "token-signature"),
        (format!("{message}.{flipped}"), "token-signature"),
        (format!("{message}."), "token-signature"),
        (format!("{critical}.{payload}.{signature}"), "token-malformed"),
        (message.to_owned(), "token-malformed"),
        (format!("{good}.x"), "token-malformed"),
        (String::new(), "token-malformed"),
        ("..".into(), "token-malformed"),
        ("a.b.c".into(), "token-malformed"),
        (format!("{message}.{}", "A".repeat(TOKEN_BYTES_MAX)), "token-malformed"),
    ];
    for (token, rule) in rows {
        let error = f.verify(&token).expect_err(rule);
        assert_eq!(error.rule(), rule, "{token}");
    }
}

#[test]
fn a_star_takes_any_issuer_whose_key_signed() {
    let f = fixture();
    let mut issuers = f.issuers;
    issuers.issuers[0].issuer = ANY_ISSUER.into();
    let key = EncodingKey::from_ec_pem(f.ec.serialize_pem().as_bytes()).expect("key");
    for iss in [json!("anybody"), Value::Null] {
        let token = jsonwebtoken::encode(
            &Head::new(jsonwebtoken::Algorithm::ES256),
            &claims(&[("iss", iss)]),
            &key,
        );
        assert!(issuers.verify(&token.expect("token"), NOW_S * 1000).is_ok());
    }
    let none = Issuers { issuers: Vec::new(), leeway_s: 0 };
    assert_eq!(none.verify("a.b.c", 0), Err(TokenError::NoIssuers));
}

#[test]
fn passwords_that_are_tokens() {
    for (password, want) in [
        (&b"eyJh.eyJp.c2ln"[..], true),
        (b"eyJh.eyJp.", true),
        (b"eyJh.eyJp", false),
        (b"a.b.c", false),
        (b"eyJh.ey p.x", false),
        (b"ey.x.\xFF", false),
    ] {
        assert_eq!(looks_like_token(password), want, "{password:?}");
    }
}

#[test]
fn keys_in_certificates_count_too() {
    let f = fixture();
    let dir = DataDir::ephemeral().expect("dir");
    for (pair, algorithm) in [(&f.ec, Algorithm::ES256), (&f.rsa, Algorithm::RS256)] {
        let cert = rcgen::CertificateParams::default().self_signed(pair).expect("certificate");
        dir.write("c.pem", &cert.pem(), Access::Public).expect("write");
        let auth = Auth {
            issuers: vec![Issuer {
                issuer: "*".into(),
                jwks_file: None,
                pem_file: Some(dir.file("c.pem")),
                audiences: Vec::new(),
                principal_claims: vec!["sub".into()],
                algorithms: vec![algorithm],
            }],
            ..Auth::default()
        };
        let issuers = Issuers::new(&auth, "hub.example").expect("issuers");
        let token = f.sign(in_library(algorithm), Some("any"), &claims(&[]));
        assert_eq!(issuers.verify(&token, NOW_S * 1000).expect("good").principal, "s");
    }
}
