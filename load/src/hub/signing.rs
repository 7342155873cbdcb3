//! What a device signs: its CONNECT on the MQTT 5 plane (iot-hub A3) and a token for HTTP (C2).
//! Refuses to know packets and requests.

use super::{HOST, escaped, path};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::time::{SystemTime, UNIX_EPOCH};

/// A device's key.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// Of its own for each device, and the same in each run.
    pub fn of(id: &str) -> Self {
        let seed = hmac::Key::new(hmac::HMAC_SHA256, b"gridhub load");
        let mut key = [0; 32];
        key.copy_from_slice(hmac::sign(&seed, id.as_bytes()).as_ref());
        Self(key)
    }

    /// As documents have it.
    pub fn base64(&self) -> String {
        BASE64_STANDARD.encode(self.0)
    }

    /// Authentication Data of a CONNECT without policy and `sas-at`.
    pub fn connect(&self, id: &str, expiry: &str) -> [u8; 32] {
        self.sign(&format!("{HOST}\n{id}\n\n\n{expiry}\n"))
    }

    /// A token for all of a device or module, over HTTP and as a password.
    pub fn token(&self, id: &str) -> String {
        let resource = escaped(&format!("{HOST}/devices/{}", path(id)));
        let expiry = expiry_ms() / 1_000;
        let signature = BASE64_STANDARD.encode(self.sign(&format!("{resource}\n{expiry}")));
        format!("SharedAccessSignature sr={resource}&sig={}&se={expiry}", escaped(&signature))
    }

    fn sign(&self, text: &str) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut mac = [0; 32];
        mac.copy_from_slice(hmac::sign(&key, text.as_bytes()).as_ref());
        mac
    }
}

/// A day from now, in Unix milliseconds.
pub fn expiry_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX - DAY_MS) + DAY_MS
}

const DAY_MS: u64 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// The specification's vectors (iot-hub A3, C2), for another host than ours.
    #[test]
    fn signs_as_the_vectors_do() {
        let mut key = [0; 32];
        key.iter_mut().zip(0..).for_each(|(byte, n)| *byte = n);
        let hex = |mac: [u8; 32]| mac.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let text = "abc.azure-devices.net\ndev1/mod1\n\n\n1600990795320\n";
        let mac = "71f9abd5f516ae196cf545080d2e4c528c9eb56ebb2f016df9adb7434163eca1";
        assert_eq!(hex(Key(key).sign(text)), mac);
        let text = "abc.azure-devices.net%2Fdevices%2FD1\n1600990795";
        let sig = "FtM6OfxMnOeVbDThfxDvzUn6bY%2BQnRaeLYW96vYWa18%3D";
        assert_eq!(escaped(&BASE64_STANDARD.encode(Key(key).sign(text))), sig);
        assert_ne!(Key::of("a").base64(), Key::of("b").base64());
    }
}
