//! How an identity proves itself (iot-hub A4, C3). Refuses to know certificates' insides and
//! signed texts.

use std::fmt;

use crate::sas::{KeySlot, SymmetricKeys};

/// What is registered as an identity's proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// Signatures of one of two keys: `sas`.
    Sas(SymmetricKeys),
    /// Certificates of these thumbprints: `selfSigned`. With neither, nobody gets in.
    SelfSigned(Thumbprints),
    /// A certificate of a registered CA with the id as its common name: `certificateAuthority`.
    CertificateAuthority,
    /// Nothing: `none`. Only a policy's signature may speak for it.
    None,
}

impl Authentication {
    /// The name in documents.
    pub fn kind(&self) -> AuthenticationType {
        match self {
            Self::Sas(_) => AuthenticationType::Sas,
            Self::SelfSigned(_) => AuthenticationType::SelfSigned,
            Self::CertificateAuthority => AuthenticationType::CertificateAuthority,
            Self::None => AuthenticationType::None,
        }
    }
}

/// `authentication.type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthenticationType {
    /// `sas`
    #[default]
    Sas,
    /// `selfSigned`
    SelfSigned,
    /// `certificateAuthority`
    CertificateAuthority,
    /// `none`
    None,
}

impl AuthenticationType {
    /// The text in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sas => "sas",
            Self::SelfSigned => "selfSigned",
            Self::CertificateAuthority => "certificateAuthority",
            Self::None => "none",
        }
    }

    /// The type of that text, with its case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Sas, Self::SelfSigned, Self::CertificateAuthority, Self::None]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// The hash of a certificate: 40 (SHA-1) or 64 (SHA-256) hex digits. Keeps the case in which it
/// was registered, and is equal in any.
#[derive(Debug, Clone)]
pub struct Thumbprint(Box<str>);

impl Thumbprint {
    /// Checks length and digits; separators are refused.
    pub fn parse(text: &str) -> Option<Self> {
        let good = matches!(text.len(), SHA1_DIGITS | SHA256_DIGITS)
            && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        good.then(|| Self(text.into()))
    }

    /// The digits as they were registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Thumbprint {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Thumbprint {}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Up to two thumbprints, so that a certificate can be replaced while the other is in use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Thumbprints {
    /// Compared first.
    pub primary: Option<Thumbprint>,
    /// Compared second.
    pub secondary: Option<Thumbprint>,
}

impl Thumbprints {
    /// Which one is among the certificate's own.
    pub fn find(&self, of_certificate: &[Thumbprint]) -> Option<KeySlot> {
        let has =
            |own: &Option<Thumbprint>| own.as_ref().is_some_and(|own| of_certificate.contains(own));
        match (has(&self.primary), has(&self.secondary)) {
            (true, _) => Some(KeySlot::Primary),
            (false, true) => Some(KeySlot::Secondary),
            (false, false) => None,
        }
    }
}

const SHA1_DIGITS: usize = 40;
const SHA256_DIGITS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbprint_is_40_or_64_hex_digits_of_any_case() {
        let (short, long) = ("aB".repeat(20), "aB".repeat(32));
        for text in [&short, &long] {
            let read = Thumbprint::parse(text).unwrap();
            assert_eq!(read.as_str(), text, "its case stays");
            assert_eq!(Thumbprint::parse(&text.to_uppercase()), Some(read));
        }
        let colons = ["ab"; 14].join(":");
        let none = ["", "ab", &short[1..], &long[1..], &"g".repeat(40), &"é".repeat(20), &colons];
        for text in none {
            assert_eq!(Thumbprint::parse(text), None, "{text}");
        }
    }

    #[test]
    fn either_thumbprint_of_the_identity_may_be_the_certificates() {
        let print = |digit: &str| Thumbprint::parse(&digit.repeat(40));
        let own = Thumbprints { primary: print("a"), secondary: print("b") };
        let rows = [
            (vec![print("A")], Some(KeySlot::Primary)),
            (vec![print("c"), print("b")], Some(KeySlot::Secondary)),
            (vec![print("c")], None),
            (vec![], None),
        ];
        for (certificate, found) in rows {
            let certificate: Vec<_> = certificate.into_iter().flatten().collect();
            assert_eq!(own.find(&certificate), found);
            assert_eq!(Thumbprints::default().find(&certificate), None);
        }
    }

    #[test]
    fn types_have_their_texts() {
        for text in ["sas", "selfSigned", "certificateAuthority", "none"] {
            assert_eq!(AuthenticationType::parse(text).map(AuthenticationType::as_str), Some(text));
        }
        for text in ["SAS", "selfsigned", ""] {
            assert_eq!(AuthenticationType::parse(text), None);
        }
    }
}
