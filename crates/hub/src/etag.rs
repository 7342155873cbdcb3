//! Which state of an identity or a twin a client has seen (iot-hub B1.1). Owns the two texts in
//! which clients know a number; refuses to know when it changes and where new ones come from.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::ShortText;

/// A state: another number after every change. Its text is opaque to clients, and here without the
/// quotes of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Etag(pub u64);

impl Etag {
    /// As identities show it: base64 of the decimal number, `MQ==` for 1.
    pub fn identity_text(self) -> ShortText {
        base64(self.0.to_string().as_bytes())
    }

    /// As twins show it, for tags and desired: base64 of eight bytes, big-endian, `AAAAAAAAAAE=`
    /// for 1.
    pub fn twin_text(self) -> ShortText {
        base64(&self.0.to_be_bytes())
    }
}

/// Of at most 20 bytes, the digits of the greatest number.
fn base64(bytes: &[u8]) -> ShortText {
    ShortText::filled(|place| {
        BASE64_STANDARD.encode_slice(bytes, place).expect("20 bytes take 28 characters")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_look_like_the_clouds() {
        // The number; as identities show it; as twins show it.
        for (number, identity, twin) in [
            (1, "MQ==", "AAAAAAAAAAE="),
            (2, "Mg==", "AAAAAAAAAAI="),
            (16, "MTY=", "AAAAAAAAABA="),
            (0x0102_0304_0506_0708, "NzI2MjM4NTk3OTAzODI4NTY=", "AQIDBAUGBwg="),
            (u64::MAX, "MTg0NDY3NDQwNzM3MDk1NTE2MTU=", "//////////8="),
        ] {
            assert_eq!(Etag(number).identity_text().as_str(), identity);
            assert_eq!(Etag(number).twin_text().as_str(), twin);
        }
    }
}
