//! Symmetric keys: bytes that sign. They are shown as base64 where a document needs them, and
//! nowhere else. Refuses to know what is signed.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A symmetric key of 16 to 64 bytes. Its `Debug` does not show it.
#[derive(Clone)]
pub struct Key(Box<[u8]>);

impl Key {
    /// Takes `bytes` as a key.
    ///
    /// # Errors
    /// When there are less than 16 or more than 64.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyError> {
        match bytes.len() {
            KEY_BYTES_MIN..=KEY_BYTES_MAX => Ok(Self(bytes.into())),
            len => Err(KeyError::Length(len)),
        }
    }

    /// A key as 32 random bytes, which the caller has drawn.
    pub fn generated(bytes: &[u8; 32]) -> Self {
        Self(bytes.as_slice().into())
    }

    /// Reads base64 with its padding.
    ///
    /// # Errors
    /// When it is none, or the key is too short or too long.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| KeyError::NoBase64)?;
        Self::new(&bytes)
    }

    /// The key as documents and connection strings show it.
    pub fn to_base64(&self) -> String {
        BASE64_STANDARD.encode(&self.0)
    }

    /// The key itself.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// HMAC-SHA256 over the parts, one after the other.
    pub fn sign(&self, parts: &[&str]) -> [u8; MAC_BYTES] {
        let mut context = hmac::Context::with_key(&self.hmac());
        parts.iter().for_each(|part| context.update(part.as_bytes()));
        let tag = context.sign();
        tag.as_ref().try_into().expect("HMAC-SHA256 has 32 bytes")
    }

    /// Whether `mac` is [`sign`](Self::sign) of the parts; takes as long for any wrong one.
    pub fn verifies(&self, parts: &[&str], mac: &[u8]) -> bool {
        hmac::verify(&self.hmac(), parts.concat().as_bytes(), mac).is_ok()
    }

    fn hmac(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.0)
    }
}

/// Constant in time for keys of one length.
impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// Why a text or bytes are no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not base64 of the standard alphabet with padding.
    #[error("it is not base64 with padding")]
    NoBase64,
    /// This many bytes.
    #[error("it has {0} bytes, not 16 to 64")]
    Length(usize),
}

/// Two keys of one owner, so that one can be replaced while the other is in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymmetricKeys {
    /// Tried first.
    pub primary: Key,
    /// Tried second.
    pub secondary: Key,
}

impl SymmetricKeys {
    /// Which of the two made `mac` over the parts.
    pub fn signer(&self, parts: &[&str], mac: &[u8]) -> Option<KeySlot> {
        let primary = self.primary.verifies(parts, mac);
        let secondary = self.secondary.verifies(parts, mac);
        match (primary, secondary) {
            (true, _) => Some(KeySlot::Primary),
            (false, true) => Some(KeySlot::Secondary),
            (false, false) => None,
        }
    }
}

/// Which of two keys or thumbprints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySlot {
    /// The first.
    Primary,
    /// The second.
    Secondary,
}

/// Bytes of HMAC-SHA256.
pub(super) const MAC_BYTES: usize = 32;
const KEY_BYTES_MIN: usize = 16;
const KEY_BYTES_MAX: usize = 64;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The key of the vectors in iot-hub A3 and C2: bytes 00 to 1F.
    pub(crate) fn vector_key() -> Key {
        Key::from_base64("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap()
    }

    /// The vectors' key as primary or secondary beside another.
    pub(crate) fn vector_keys(slot: KeySlot) -> SymmetricKeys {
        let other = Key::generated(&[7; 32]);
        match slot {
            KeySlot::Primary => SymmetricKeys { primary: vector_key(), secondary: other },
            KeySlot::Secondary => SymmetricKeys { primary: other, secondary: vector_key() },
        }
    }

    #[test]
    fn a_key_has_16_to_64_bytes_of_base64() {
        for (len, good) in [(0, false), (15, false), (16, true), (64, true), (65, false)] {
            let text = BASE64_STANDARD.encode(vec![1; len]);
            match Key::from_base64(&text) {
                Ok(key) => assert!(good && key.to_base64() == text, "{len}"),
                Err(error) => assert!(!good && error == KeyError::Length(len), "{len}"),
            }
        }
        for text in ["AAECAwQFBgcICQoLDA0ODw", "AAECAwQFBgcICQoLDA0OD_==", "A A=", "é"] {
            assert_eq!(Key::from_base64(text), Err(KeyError::NoBase64), "{text}");
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        let shown = format!("{:?}", vector_keys(KeySlot::Primary));
        assert!(!shown.contains("AAEC") && !shown.contains('1'), "{shown}");
    }

    #[test]
    fn each_of_two_keys_is_found_by_what_it_signed() {
        let mac = vector_key().sign(&["a", "b"]);
        for slot in [KeySlot::Primary, KeySlot::Secondary] {
            assert_eq!(vector_keys(slot).signer(&["ab"], &mac), Some(slot));
            assert_eq!(vector_keys(slot).signer(&["ab", "c"], &mac), None);
            assert_eq!(vector_keys(slot).signer(&["ab"], &mac[..31]), None);
            assert_eq!(vector_keys(slot).signer(&["ab"], &[]), None);
        }
    }
}
