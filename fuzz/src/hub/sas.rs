//! Tokens and connection strings on any text: what is made is read back the same and verifies, a
//! token that verifies says what was signed, whatever was done to it, and a connection string that
//! is read is written as one that says the same. Refuses to know who has which key.

use hub::sas::{ConnectionString, Key, KeySlot, SymmetricKeys, Target, Token, When};

use crate::choices::Choices;

/// A kind, then what it is about.
pub fn check(data: &[u8]) {
    let mut choices = Choices::new(data);
    match choices.below(3) {
        0 => made(&mut choices),
        1 => changed(&mut choices),
        _ => any(choices.rest()),
    }
}

/// Any text, as both.
fn any(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(token) = Token::parse(text) {
        assert!(text.get(..SCHEME.len()).is_some_and(|s| s.eq_ignore_ascii_case(SCHEME)));
        assert!(token.policy().is_none_or(|policy| !policy.is_empty() || text.contains("skn=")));
        // Nobody has signed it.
        assert!(token.verify(&keys(), &target(&[]), When { now_ms: 0, skew_ms: 0 }).is_err());
    }
    if let Ok(read) = ConnectionString::parse(text) {
        let shown = read.reveal();
        assert_eq!(ConnectionString::parse(&shown).as_ref(), Ok(&read), "{shown}");
        let mut fields: Vec<_> = text.strip_suffix(';').unwrap_or(text).split(';').collect();
        let mut again: Vec<_> = shown.split(';').collect();
        fields.sort_unstable();
        again.sort_unstable();
        // A key may be written in more than one way.
        let other = |field: &&str| !field.starts_with("SharedAccessKey=");
        assert!(fields.iter().filter(|f| other(f)).eq(again.iter().filter(|f| other(f))));
    }
}

fn text<'a>(choices: &mut Choices<'a>) -> &'a str {
    let len = choices.below(64);
    std::str::from_utf8(choices.take(len)).unwrap_or("é%2F+&;=")
}

/// A token for any resource and policy says so, and its signer is known.
fn made(choices: &mut Choices<'_>) {
    let (resource, policy) = (text(choices), text(choices));
    let policy = Some(policy).filter(|policy| !policy.is_empty());
    let expiry_s = u64::from(choices.byte()) << choices.below(48);
    let token = Token::make(resource, expiry_s, policy, &key(7));
    let Ok(read) = Token::parse(&token) else {
        // A resource without a host is none.
        let host = resource.split('/').next().unwrap_or_default();
        let named = host.rsplit_once(':').map_or(host, |(name, _)| name);
        return assert!(host.is_empty() || named.is_empty(), "{token}");
    };
    assert_eq!((read.resource().as_str(), read.policy()), (resource, policy));
    let hosts = [resource.split('/').next().unwrap_or_default()];
    let at = |now_ms| {
        let target = Target { hosts: &hosts, path: &[] };
        read.verify(&keys(), &target, When { now_ms, skew_ms: 0 })
    };
    let expires_at_ms = expiry_s.saturating_mul(1_000);
    // Whether it covers a target is another rule; signature and time come before it.
    assert_ne!(at(0).err(), Some(hub::sas::SignatureError::Wrong));
    let expired = matches!(at(expires_at_ms), Err(hub::sas::SignatureError::Expired { .. }));
    assert!(expired, "{token}");
}

/// A token with some bytes changed: if it verifies, it says the same.
fn changed(choices: &mut Choices<'_>) {
    let path = ["devices", "D 1/é"];
    let resource = "hub.example/devices/D%201%2F%C3%A9";
    let own = Token::make(resource, EXPIRY_S, None, &key(9));
    let of_policy = Token::make("hub.example", EXPIRY_S, Some("service"), &key(9));
    let token = if choices.one_in(2) { of_policy } else { own };
    let when = When { now_ms: EXPIRY_S * 1_000 - 1, skew_ms: 0 };
    let parsed = Token::parse(&token).expect("it was made");
    let proof = parsed.verify(&keys(), &target(&path), when);
    assert_eq!(proof.map(|proof| proof.by), Ok(KeySlot::Secondary), "{token}");
    let mut bytes = token.clone().into_bytes();
    while !choices.is_empty() {
        let at = (usize::from(choices.byte()) << 8 | usize::from(choices.byte())) % bytes.len();
        match choices.below(3) {
            0 => bytes[at] = choices.byte(),
            1 => bytes.insert(at, choices.byte()),
            _ => {
                bytes.remove(at);
            }
        }
        if bytes.is_empty() {
            return;
        }
    }
    let Ok(text) = std::str::from_utf8(&bytes) else { return };
    let Ok(other) = Token::parse(text) else { return };
    let Ok(proof) = other.verify(&keys(), &target(&path), when) else { return };
    assert_eq!(proof.expires_at_ms, EXPIRY_S * 1_000, "{text}");
    assert_eq!(other.resource().as_str(), parsed.resource().as_str(), "{text}");
}

fn target<'t>(path: &'t [&'t str]) -> Target<'t> {
    Target { hosts: &["hub.example"], path }
}

fn keys() -> SymmetricKeys {
    SymmetricKeys { primary: key(7), secondary: key(9) }
}

fn key(of: u8) -> Key {
    Key::generated(&[of; 32])
}

const SCHEME: &str = "SharedAccessSignature";
const EXPIRY_S: u64 = 1_600_990_795;
