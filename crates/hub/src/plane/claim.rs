//! How a client says who it is in CONNECT and AUTH (iot-hub A2, A3, A8), before anybody has looked
//! whether it is true. Refuses to know keys and certificates.

use super::property::{self, A_TIME, PropertyError, PropertyRule};
use super::typed;
use crate::sas::SignedConnect;

/// Authentication Method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `SAS`
    Sas,
    /// `X509`
    X509,
}

/// What is to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim<'c> {
    /// A signature.
    Sas(Signature<'c>),
    /// The certificate of the TLS session. Authentication Data and `sas-` properties are ignored.
    X509,
}

/// A signature with the texts that it is over, as they were received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature<'c> {
    /// `sas-policy`.
    pub policy: Option<&'c str>,
    /// `sas-at`.
    pub at: Option<&'c str>,
    /// `sas-expiry`.
    pub expiry: &'c str,
    /// Authentication Data.
    pub mac: &'c [u8],
}

/// Why there is nothing to judge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoClaim {
    #[error(transparent)]
    Property(#[from] PropertyError),
    #[error("method SAS comes with Authentication Data, the raw HMAC")]
    NoData,
}

impl Method {
    /// Reads the text, with its case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Sas, Self::X509].into_iter().find(|method| method.as_str() == text)
    }

    /// The text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sas => "SAS",
            Self::X509 => "X509",
        }
    }
}

impl<'c> Claim<'c> {
    /// Puts together what a method comes with. `sas-at` and `sas-expiry` have to be times with
    /// either method.
    pub(super) fn read(
        method: Method,
        data: Option<&'c [u8]>,
        [policy, at, expiry]: [Option<&'c str>; 3],
    ) -> Result<Self, NoClaim> {
        property::typed(AT, at, A_TIME, typed::time)?;
        property::typed(EXPIRY, expiry, A_TIME, typed::time)?;
        match method {
            Method::X509 => Ok(Self::X509),
            Method::Sas => {
                let expiry =
                    expiry.ok_or_else(|| PropertyError::new(EXPIRY, PropertyRule::Missing))?;
                let mac = data.filter(|data| !data.is_empty()).ok_or(NoClaim::NoData)?;
                Ok(Self::Sas(Signature { policy, at, expiry, mac }))
            }
        }
    }
}

impl<'c> Signature<'c> {
    /// What the signature is over, for [`SignedConnect::verify`].
    pub fn signed(&self, client_id: &'c str) -> SignedConnect<'c> {
        SignedConnect { client_id, policy: self.policy, at: self.at, expiry: self.expiry }
    }
}

pub(super) const POLICY: &str = "sas-policy";
pub(super) const AT: &str = "sas-at";
pub(super) const EXPIRY: &str = "sas-expiry";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_their_texts() {
        for method in [Method::Sas, Method::X509] {
            assert_eq!(Method::parse(method.as_str()), Some(method));
        }
        for text in ["sas", "x509", "SAS ", "", "PLAIN"] {
            assert_eq!(Method::parse(text), None, "{text}");
        }
    }

    #[test]
    fn claims() {
        let mac: &[u8] = b"mac";
        let signature = Signature { policy: Some("p"), at: Some("1"), expiry: "2", mac };
        let all = [Some("p"), Some("1"), Some("2")];
        assert_eq!(Claim::read(Method::Sas, Some(mac), all), Ok(Claim::Sas(signature)));
        assert_eq!(Claim::read(Method::X509, None, [None; 3]), Ok(Claim::X509));
        assert_eq!(Claim::read(Method::X509, Some(mac), all), Ok(Claim::X509));
        let signed =
            SignedConnect { client_id: "D1", policy: Some("p"), at: Some("1"), expiry: "2" };
        assert_eq!(signature.signed("D1"), signed);

        let read = |data, all| Claim::read(Method::Sas, data, all).unwrap_err().to_string();
        let time = "has to be milliseconds since 1970 began";
        assert_eq!(read(Some(mac), [None; 3]), "property 'sas-expiry' has to be given");
        assert_eq!(
            read(Some(mac), [None, None, Some("x")]),
            format!("property 'sas-expiry' {time}")
        );
        assert_eq!(
            read(Some(mac), [None, Some(""), Some("1")]),
            format!("property 'sas-at' {time}")
        );
        for data in [None, Some(&b""[..])] {
            let error = read(data, all);
            assert_eq!(error, "method SAS comes with Authentication Data, the raw HMAC");
        }
    }
}
