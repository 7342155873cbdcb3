//! Tokens: the vectors and rules of iot-hub C2, and any bytes.

use super::super::key::KeySlot;
use super::super::key::tests::{vector_key, vector_keys};
use super::*;
use crate::chance::Chance;

const DEVICE: &str = "SharedAccessSignature sr=abc.azure-devices.net%2Fdevices%2FD1\
    &sig=FtM6OfxMnOeVbDThfxDvzUn6bY%2BQnRaeLYW96vYWa18%3D&se=1600990795";
const HUB: &str = "SharedAccessSignature sr=abc.azure-devices.net\
    &sig=57TYsLvExCtYTtAKBVogYVSMaKxhzyqsl1vezru3ohQ%3D&se=1600990795&skn=iothubowner";
const SIG: &str = "sig=FtM6OfxMnOeVbDThfxDvzUn6bY%2BQnRaeLYW96vYWa18%3D";
const EXPIRY_MS: u64 = 1_600_990_795_000;
const HOSTS: &[&str] = &["abc.azure-devices.net", "localhost"];
const D1: Target<'static> = Target { hosts: HOSTS, path: &["devices", "D1"] };

fn judge(text: &str, target: &Target<'_>) -> Result<Proof, SignatureError> {
    let when = When { now_ms: EXPIRY_MS - 1, skew_ms: 0 };
    Token::parse(text).unwrap().verify(&vector_keys(KeySlot::Primary), target, when)
}

/// `sr` signed as it stands there.
fn signed(sr: &str) -> String {
    let mac = BASE64_STANDARD.encode(vector_key().sign(&[sr, "\n1600990795"]));
    format!("SharedAccessSignature sr={sr}&sig={}&se=1600990795", percent::encode(&mac))
}

#[test]
fn the_vectors_of_the_specification() {
    for (text, resource, policy) in [
        (DEVICE, "abc.azure-devices.net/devices/D1", None),
        (HUB, "abc.azure-devices.net", Some("iothubowner")),
    ] {
        assert_eq!(Token::make(resource, 1_600_990_795, policy, &vector_key()), text);
        let token = Token::parse(text).unwrap();
        assert_eq!((token.resource().as_str(), token.policy()), (resource, policy));
        for by in [KeySlot::Primary, KeySlot::Secondary] {
            let when = When { now_ms: EXPIRY_MS - 1, skew_ms: 0 };
            let proof = token.verify(&vector_keys(by), &D1, when);
            assert_eq!(proof, Ok(Proof { expires_at_ms: EXPIRY_MS, by }));
        }
    }
}

#[test]
fn forms_that_clients_send() {
    let body = DEVICE.strip_prefix("SharedAccessSignature ").unwrap();
    let plus = DEVICE.replace("%2B", "+");
    let rows = [
        format!("sharedaccesssignature {body}"),
        format!("SharedAccessSignature   {body}"),
        format!("{DEVICE}&skn="),
        DEVICE.replace("%2B", "%2b").replace("%3D", "%3d"),
        DEVICE.replace("%3D", "="),
        plus,
        format!("SharedAccessSignature se=1600990795&{SIG}&{}", &body[..body.find('&').unwrap()]),
        signed("abc.azure-devices.net%2fdevices%2fD1"),
        signed("abc.azure-devices.net/devices/D1"),
        signed("ABC.Azure-Devices.NET%2Fdevices%2FD1"),
        signed("localhost%3A8444%2Fdevices%2FD1"),
        signed("localhost:8444/devices/D1/"),
        signed("localhost"),
        signed("localhost%2Fdevices%2F%2544%2531"),
    ];
    for text in rows {
        assert!(judge(&text, &D1).is_ok(), "{text}");
        assert_eq!(Token::parse(&text).unwrap().policy(), None, "{text}");
    }
}

/// Made with the standard library of Python, in the spellings of three SDKs.
#[test]
fn tokens_of_another_maker() {
    let rows = [
        "sr=localhost%3A8444%2Fdevices%2FD1%2Fmodules%2Fm\
         &sig=hjCeRpyn4k3KxM7rWIhNG/GZ3Nf2tlc358s8%2BaZETz4%3D&se=1600990800",
        "sr=localhost%2fdevices%2fD1%2fmodules%2fm\
         &sig=mX7AJAbobnIoCIXc9hRxYSIrvnyM%2FpvMNKr1PVjSOoI%3D&se=1600990795&skn=",
        "sr=localhost&sig=SnicLdh5ZeUvtnhMkUZ7wBLWdt3tdnpHdiv3zH00VCM%3D&se=1600990795\
         &skn=iothubowner",
    ];
    let module = Target { hosts: HOSTS, path: &["devices", "D1", "modules", "m"] };
    for fields in rows {
        let text = format!("SharedAccessSignature {fields}");
        assert!(judge(&text, &module).is_ok(), "{text}");
    }
    let device = format!("SharedAccessSignature {}", rows[0]);
    assert_eq!(judge(&device, &D1), Err(SignatureError::Resource));
}

#[test]
fn the_decoded_resource_may_be_what_was_signed() {
    let mac = BASE64_STANDARD.encode(vector_key().sign(&["localhost/devices/D1", "\n1600990795"]));
    let sig = percent::encode(&mac);
    let text = format!("SharedAccessSignature sr=localhost%2Fdevices%2FD1&sig={sig}&se=1600990795");
    assert!(judge(&text, &D1).is_ok());
    assert_eq!(judge(&text.replace("D1", "D2"), &D1), Err(SignatureError::Wrong));
}

#[test]
fn what_is_no_token() {
    use TokenError::*;
    let sr = "sr=h%2Fdevices%2FD1";
    let long = format!("sr={}", "h".repeat(TOKEN_BYTES_MAX));
    let short_mac = BASE64_STANDARD.encode([0; 31]);
    let rows = [
        ("", Scheme),
        ("SharedAccessSignature", Scheme),
        ("SharedAccessSignaturesr=h", Scheme),
        ("Bearer a.b.c", Scheme),
        (" SharedAccessSignature sr=h", Scheme),
        ("SharedAccessSignature ", NoField),
        ("SharedAccessSignature sr", NoField),
        (&format!("SharedAccessSignature {sr}&{SIG}&se=1&"), NoField),
        (&format!("SharedAccessSignature {sr}&&{SIG}&se=1"), NoField),
        (&format!("SharedAccessSignature {sr}&{SIG}&se=1&x=1"), Unknown),
        (&format!("SharedAccessSignature SR=h&{SIG}&se=1"), Unknown),
        (&format!("SharedAccessSignature {sr}&{SIG}&se=1&se=1"), Twice("se")),
        (&format!("SharedAccessSignature {sr}&{SIG}&se=1&{sr}"), Twice("sr")),
        (&format!("SharedAccessSignature {SIG}&se=1"), Missing("sr")),
        (&format!("SharedAccessSignature {sr}&se=1"), Missing("sig")),
        (&format!("SharedAccessSignature {sr}&{SIG}"), Missing("se")),
        (&format!("SharedAccessSignature sr=h%2&{SIG}&se=1"), Encoding("sr")),
        (&format!("SharedAccessSignature sr=h%FF&{SIG}&se=1"), Encoding("sr")),
        (&format!("SharedAccessSignature {sr}&sig=%4&se=1"), Encoding("sig")),
        (&format!("SharedAccessSignature {sr}&{SIG}&se=1&skn=%zz"), Encoding("skn")),
        (&format!("SharedAccessSignature sr=&{SIG}&se=1"), NoHost),
        (&format!("SharedAccessSignature sr=%2Fdevices&{SIG}&se=1"), NoHost),
        (&format!("SharedAccessSignature {sr}&sig=&se=1"), NoMac),
        (&format!("SharedAccessSignature {sr}&sig={short_mac}&se=1"), NoMac),
        (&format!("SharedAccessSignature {sr}&sig=***&se=1"), NoBase64),
        (&format!("SharedAccessSignature {sr}&sig=AA&se=1"), NoBase64),
        (&format!("SharedAccessSignature {sr}&{SIG}&se="), NoTime),
        (&format!("SharedAccessSignature {sr}&{SIG}&se=-1"), NoTime),
        (&format!("SharedAccessSignature {sr}&{SIG}&se=+1"), NoTime),
        (&format!("SharedAccessSignature {sr}&{SIG}&se=1.5"), NoTime),
        (&format!("SharedAccessSignature {sr}&{SIG}&se=18446744073709551616"), NoTime),
        (&format!("SharedAccessSignature {long}&{SIG}&se=1"), TooLong),
    ];
    for (text, error) in rows {
        assert_eq!(Token::parse(text).err(), Some(error), "{text}");
        assert!(error.to_string().len() > 10);
    }
}

#[test]
fn a_token_is_refused_for_its_signature_then_its_time_then_its_resource() {
    let keys = vector_keys(KeySlot::Primary);
    let token = Token::parse(DEVICE).unwrap();
    let late = |skew_ms| When { now_ms: EXPIRY_MS + 1_000, skew_ms };
    let other = Target { hosts: HOSTS, path: &["devices", "D2"] };
    assert_eq!(
        token.verify(&keys, &other, late(0)),
        Err(SignatureError::Expired { since_ms: 1_000 })
    );
    assert_eq!(token.verify(&keys, &other, late(2_000)), Err(SignatureError::Resource));
    assert!(token.verify(&keys, &D1, late(2_000)).is_ok());
    let other_key = |byte| Key::generated(&[byte; 32]);
    let strange = SymmetricKeys { primary: other_key(1), secondary: other_key(2) };
    assert_eq!(token.verify(&strange, &other, late(0)), Err(SignatureError::Wrong));
    let later = DEVICE.replace("1600990795", "1600990796");
    assert_eq!(judge(&later, &D1), Err(SignatureError::Wrong));
    let far = Token::make("localhost", u64::MAX, None, &vector_key());
    assert_eq!(judge(&far, &D1).map(|proof| proof.expires_at_ms), Ok(u64::MAX));
}

#[test]
fn a_policys_token_for_an_encoded_id_is_for_no_other_device() {
    let device = signed("localhost%2Fdevices%2F%2544%2531");
    let policy = format!("{device}&skn=device");
    assert!(judge(&device, &D1).is_ok());
    assert_eq!(judge(&policy, &D1), Err(SignatureError::Resource));
    let literal = Target { hosts: HOSTS, path: &["devices", "%44%31"] };
    assert!(judge(&policy, &literal).is_ok());
}

#[test]
fn its_debug_does_not_show_the_signature() {
    let shown = format!("{:?}", Token::parse(DEVICE).unwrap());
    assert!(!shown.contains("FtM6") && shown.contains("D1"), "{shown}");
}

#[test]
fn what_is_made_is_read_and_any_change_of_it_is_not_believed() {
    let ids = ["D1", "a+b", "-.+%_#*?!(),=@$'", "%41", "x&y=z", "a:b;c"];
    for seed in 0..500 {
        let mut chance = Chance::new(seed);
        let id = ids[chance.below(ids.len())];
        let policy = ["device", "a b", "é&="].get(chance.below(5)).copied();
        let path = ["devices", id];
        let target = Target { hosts: HOSTS, path: &path };
        let text =
            Token::make(&format!("localhost/devices/{id}"), 1_600_990_795, policy, &vector_key());
        let token = Token::parse(&text).unwrap();
        assert_eq!(token.policy(), policy);
        assert!(judge(&text, &target).is_ok(), "{text}");

        let mut bytes = text.clone().into_bytes();
        let at = chance.below(bytes.len());
        match chance.below(3) {
            0 => bytes[at] = chance.below(128) as u8,
            1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, b"&=%+ /:A0"[chance.below(9)]),
        }
        let changed = String::from_utf8(bytes).unwrap();
        let Ok(changed) = Token::parse(&changed) else { continue };
        let when = When { now_ms: EXPIRY_MS - 1, skew_ms: 0 };
        if changed.verify(&vector_keys(KeySlot::Primary), &target, when).is_ok() {
            // The name of the policy is not signed: it chooses the keys.
            assert_eq!(changed.mac, token.mac);
            assert_eq!(changed.expiry_s, token.expiry_s);
            assert_eq!(changed.resource, token.resource);
        }
    }
}

#[test]
fn no_text_makes_it_panic() {
    let pieces = ["SharedAccessSignature ", "sr=", "sig=", "se=", "skn=", "&", "%", "=", "é", "9"];
    for seed in 0..5_000 {
        let mut chance = Chance::new(seed);
        let count = chance.below(16);
        let text: String = (0..count).map(|_| pieces[chance.below(pieces.len())]).collect();
        let _ = Token::parse(&format!("{}{text}", pieces[0]));
        let _ = Token::parse(&text);
    }
}
