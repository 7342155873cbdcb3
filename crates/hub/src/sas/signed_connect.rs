//! The signature of an MQTT 5 CONNECT or AUTH (iot-hub A3, A8). Refuses to know packets.

use super::key::{Key, SymmetricKeys};
use super::signature::{Proof, SignatureError, When};

/// What a client signs, as texts in the form in which they were received: a number is never
/// written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedConnect<'a> {
    /// The Client Identifier, with `/moduleId`.
    pub client_id: &'a str,
    /// User property `sas-policy`.
    pub policy: Option<&'a str>,
    /// User property `sas-at`. It proves nothing and is not compared with anything.
    pub at: Option<&'a str>,
    /// User property `sas-expiry`.
    pub expiry: &'a str,
}

impl SignedConnect<'_> {
    /// The MAC for Authentication Data: over five fields, each with one LF behind it.
    pub fn sign(&self, key: &Key, host: &str) -> [u8; 32] {
        key.sign(&self.parts(host))
    }

    /// Judges `mac`, the Authentication Data, of the identity's or the policy's keys. `hosts` are
    /// tried in their order: the property `host` as sent, the SNI as sent, the configured name.
    ///
    /// # Errors
    /// When the signature is of none of them, or its time is no time or over.
    pub fn verify(
        &self,
        keys: &SymmetricKeys,
        hosts: &[&str],
        mac: &[u8],
        when: When,
    ) -> Result<Proof, SignatureError> {
        let signer = hosts.iter().find_map(|host| keys.signer(&self.parts(host), mac));
        let by = signer.ok_or(SignatureError::Wrong)?;
        when.judge(time(self.expiry).ok_or(SignatureError::NoTime)?, by)
    }

    fn parts<'s>(&'s self, host: &'s str) -> [&'s str; 10] {
        let (policy, at) = (self.policy.unwrap_or_default(), self.at.unwrap_or_default());
        [host, LF, self.client_id, LF, policy, LF, at, LF, self.expiry, LF]
    }
}

/// A `time` of iot-hub A12: decimal milliseconds, without sign and spaces.
fn time(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

const LF: &str = "\n";

#[cfg(test)]
mod tests {
    use super::super::key::KeySlot;
    use super::super::key::tests::{vector_key, vector_keys};
    use super::*;

    /// Client id, sas-policy, sas-at, sas-expiry and MAC.
    type Vector = (&'static str, Text, Text, &'static str, &'static str);
    type Text = Option<&'static str>;
    /// The vectors in A3.
    const VECTORS: [Vector; 3] = [
        (
            "D1",
            None,
            Some("1600987195320"),
            "1600990795320",
            "6a28dfa86bf3a73eafa60b3ab966feca6fb05cbf26eecf6fff514a366e26eb61",
        ),
        (
            "D1",
            Some("iothubowner"),
            Some("1600987195320"),
            "1600990795320",
            "b411fc594ddb6c6f7cea512c49efdbf8c10645f41f8d58dc68c28ba1b7c62bac",
        ),
        (
            "dev1/mod1",
            None,
            None,
            "1600990795320",
            "71f9abd5f516ae196cf545080d2e4c528c9eb56ebb2f016df9adb7434163eca1",
        ),
    ];
    const HOST: &str = "abc.azure-devices.net";
    const EXPIRY_MS: u64 = 1_600_990_795_320;

    fn first() -> SignedConnect<'static> {
        let (client_id, policy, at, expiry, _) = VECTORS[0];
        SignedConnect { client_id, policy, at, expiry }
    }

    fn at(now_ms: u64, skew_ms: u64) -> When {
        When { now_ms, skew_ms }
    }

    #[test]
    fn the_vectors_of_the_specification() {
        for (client_id, policy, sas_at, expiry, mac) in VECTORS {
            let signed = SignedConnect { client_id, policy, at: sas_at, expiry };
            let made = signed.sign(&vector_key(), HOST);
            let hex: String = made.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, mac);
            for by in [KeySlot::Primary, KeySlot::Secondary] {
                let proof = signed.verify(&vector_keys(by), &[HOST], &made, at(EXPIRY_MS - 1, 0));
                assert_eq!(proof, Ok(Proof { expires_at_ms: EXPIRY_MS, by }));
            }
        }
    }

    #[test]
    fn any_other_text_has_another_signature() {
        let (keys, mac) = (vector_keys(KeySlot::Primary), first().sign(&vector_key(), HOST));
        let rows = [
            SignedConnect { client_id: "d1", ..first() },
            SignedConnect { client_id: "D1/m", ..first() },
            SignedConnect { policy: Some("device"), ..first() },
            SignedConnect { at: None, ..first() },
            SignedConnect { at: Some("01600987195320"), ..first() },
            SignedConnect { expiry: "1600990795321", ..first() },
            SignedConnect { expiry: "01600990795320", ..first() },
            SignedConnect { at: Some("1600987195320\n1600990795320"), expiry: "", ..first() },
        ];
        for row in rows {
            let judged = row.verify(&keys, &[HOST], &mac, at(0, 0));
            assert_eq!(judged, Err(SignatureError::Wrong), "{row:?}");
        }
        for hosts in [&["ABC.azure-devices.net"][..], &["localhost", ""], &[]] {
            let judged = first().verify(&keys, hosts, &mac, at(0, 0));
            assert_eq!(judged, Err(SignatureError::Wrong), "{hosts:?}");
        }
        let hosts = ["localhost", "ABC.azure-devices.net", HOST];
        assert!(first().verify(&keys, &hosts, &mac, at(0, 0)).is_ok());
    }

    #[test]
    fn a_policy_that_is_absent_signs_as_an_empty_one() {
        let empty = SignedConnect { policy: Some(""), ..first() };
        assert_eq!(empty.sign(&vector_key(), HOST), first().sign(&vector_key(), HOST));
    }

    #[test]
    fn it_holds_until_its_expiry_and_lets_in_until_the_skew() {
        let keys = vector_keys(KeySlot::Primary);
        let mac = first().sign(&vector_key(), HOST);
        let judge = |when| first().verify(&keys, &[HOST], &mac, when);
        let by = KeySlot::Primary;
        assert_eq!(judge(at(EXPIRY_MS, 0)), Err(SignatureError::Expired { since_ms: 0 }));
        let in_time = Ok(Proof { expires_at_ms: EXPIRY_MS, by });
        assert_eq!(judge(at(EXPIRY_MS - 1, 5)), in_time, "it needs no skew");
        assert_eq!(judge(at(EXPIRY_MS, 5)), Ok(Proof { expires_at_ms: EXPIRY_MS + 5, by }));
        assert_eq!(judge(at(EXPIRY_MS + 5, 5)), Err(SignatureError::Expired { since_ms: 5 }));
    }

    #[test]
    fn sas_at_may_be_later_than_the_expiry_and_need_be_no_time() {
        for sas_at in ["1600990795999", "yesterday", ""] {
            let signed = SignedConnect { at: Some(sas_at), ..first() };
            let mac = signed.sign(&vector_key(), HOST);
            let keys = vector_keys(KeySlot::Primary);
            assert!(signed.verify(&keys, &[HOST], &mac, at(0, 0)).is_ok(), "{sas_at}");
        }
    }

    #[test]
    fn an_expiry_is_decimal_milliseconds() {
        let rows = [
            ("0", false),
            ("1", true),
            ("18446744073709551615", true),
            ("18446744073709551616", false),
            ("", false),
            ("+1", false),
            ("-1", false),
            (" 1", false),
            ("1.0", false),
            ("0x1", false),
            ("2021-04-21T11:30:16Z", false),
        ];
        let keys = vector_keys(KeySlot::Primary);
        for (expiry, good) in rows {
            let signed = SignedConnect { expiry, ..first() };
            let mac = signed.sign(&vector_key(), HOST);
            let judged = signed.verify(&keys, &[HOST], &mac, at(0, 0));
            assert_eq!(judged.is_ok(), good, "{expiry}");
            if !good && expiry != "0" {
                assert_eq!(judged, Err(SignatureError::NoTime), "{expiry}");
            }
        }
    }
}
