//! Whether somebody is the identity that he says he is (iot-hub A3 to A5, C2, D1, D6). Refuses to
//! know packets and HTTP: who asks translates, and never says which of the reasons it was.

use super::authentication::{Authentication, Thumbprint};
use super::policy::{Policy, Right};
use super::registered::{Identity, Part, Status};
use crate::sas::{Proof, SignatureError, SignedConnect, SymmetricKeys, Target, Token, When};

/// An identity that somebody claims to be.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// What is registered.
    pub identity: &'a Identity,
    /// The status of its device, which holds for its modules.
    pub status: Status,
}

/// What proves a certificate, after TLS.
#[derive(Debug, Clone, Copy)]
pub struct Certificate<'a> {
    /// Its SHA-1 and SHA-256.
    pub thumbprints: &'a [Thumbprint],
    /// The subject's CN.
    pub common_name: Option<&'a str>,
    /// Whether its chain ends at a registered CA.
    pub chain: Chain,
}

/// Where a certificate's chain ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// At a CA that is registered, and it is valid now.
    Trusted,
    /// Elsewhere.
    Unknown,
}

/// Whose keys a signature claims to be of.
#[derive(Debug, Clone, Copy)]
pub enum Signer<'a> {
    /// The identity's own.
    Own,
    /// A policy's.
    Policy(&'a Policy),
}

/// Why somebody is not let in. Outside they are all the same (iot-hub A5: "do not reveal whether
/// the identity exists").
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The device is disabled.
    #[error("the device is disabled")]
    Disabled,
    /// It is registered with another kind of proof.
    #[error("the identity is registered with another authentication type")]
    Method,
    /// The policy has not the right DeviceConnect.
    #[error("the policy has no right DeviceConnect")]
    NoRight,
    /// The signature is not good.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The certificate's thumbprint is not registered.
    #[error("the certificate's thumbprint is none of the identity's")]
    Thumbprint,
    /// Its chain ends at no registered CA.
    #[error("the certificate is of no registered authority")]
    Authority,
    /// Its CN is not the id.
    #[error("the certificate's common name is not the id")]
    CommonName,
}

impl Denied {
    /// The rule that refused, for logs and counters.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Disabled => "identity_disabled",
            Self::Method => "authentication_type",
            Self::NoRight => "policy_without_device_connect",
            Self::Signature(SignatureError::Wrong) => "signature_wrong",
            Self::Signature(SignatureError::NoTime) => "signature_no_time",
            Self::Signature(SignatureError::Expired { .. }) => "signature_expired",
            Self::Signature(SignatureError::Resource) => "signature_resource",
            Self::Thumbprint => "thumbprint_unknown",
            Self::Authority => "authority_unknown",
            Self::CommonName => "common_name",
        }
    }
}

impl Candidate<'_> {
    /// An MQTT 5 CONNECT or AUTH of method `SAS` with `mac` as its data.
    ///
    /// # Errors
    /// The first rule that refuses; the proof is judged before the status.
    pub fn signed_connect(
        &self,
        signer: Signer<'_>,
        signed: &SignedConnect<'_>,
        hosts: &[&str],
        mac: &[u8],
        when: When,
    ) -> Result<Proof, Denied> {
        let proof = signed.verify(self.keys(signer)?, hosts, mac, when)?;
        self.enabled().map(|()| proof)
    }

    /// The token of an MQTT 3.1.1 CONNECT or of a device's HTTP request.
    ///
    /// # Errors
    /// The first rule that refuses; the proof is judged before the status.
    pub fn token(
        &self,
        signer: Signer<'_>,
        token: &Token<'_>,
        hosts: &[&str],
        when: When,
    ) -> Result<Proof, Denied> {
        let keys = self.keys(signer)?;
        let device = self.identity.device.as_str();
        let proof = match &self.identity.part {
            Part::Device(_) => {
                token.verify(keys, &Target { hosts, path: &["devices", device] }, when)
            }
            Part::Module(module) => {
                let path = ["devices", device, "modules", module.id.as_str()];
                token.verify(keys, &Target { hosts, path: &path }, when)
            }
        }?;
        self.enabled().map(|()| proof)
    }

    /// A client certificate, of method `X509` or without a password.
    ///
    /// # Errors
    /// The first rule that refuses; the proof is judged before the status.
    pub fn certificate(&self, certificate: &Certificate<'_>) -> Result<(), Denied> {
        match &self.identity.authentication {
            Authentication::SelfSigned(own) => {
                own.find(certificate.thumbprints).ok_or(Denied::Thumbprint)?;
            }
            Authentication::CertificateAuthority => {
                if certificate.chain != Chain::Trusted {
                    return Err(Denied::Authority);
                }
                if certificate.common_name != Some(&self.identity.id().to_string()) {
                    return Err(Denied::CommonName);
                }
            }
            Authentication::Sas(_) | Authentication::None => return Err(Denied::Method),
        }
        self.enabled()
    }

    fn keys<'k>(&'k self, signer: Signer<'k>) -> Result<&'k SymmetricKeys, Denied> {
        use Authentication as Registered;
        match (signer, &self.identity.authentication) {
            (_, Registered::SelfSigned(_) | Registered::CertificateAuthority) => {
                Err(Denied::Method)
            }
            (Signer::Own, Registered::Sas(keys)) => Ok(keys),
            (Signer::Own, Registered::None) => Err(Denied::Method),
            (Signer::Policy(policy), _) if policy.rights.has(Right::DeviceConnect) => {
                Ok(&policy.keys)
            }
            (Signer::Policy(_), _) => Err(Denied::NoRight),
        }
    }

    fn enabled(&self) -> Result<(), Denied> {
        match self.status {
            Status::Enabled => Ok(()),
            Status::Disabled => Err(Denied::Disabled),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::generation::Generation;
    use super::super::id::{DeviceId, ModuleId};
    use super::super::policy::Rights;
    use super::super::registered::{Device, Module};
    use super::super::{Edge, Thumbprints};
    use super::*;
    use crate::Etag;
    use crate::sas::{Key, KeySlot};

    const WHEN: When = When { now_ms: 1_000, skew_ms: 0 };

    fn key(byte: u8) -> Key {
        Key::generated(&[byte; 32])
    }

    fn keys(byte: u8) -> SymmetricKeys {
        SymmetricKeys { primary: key(byte), secondary: key(byte + 1) }
    }

    fn print(digit: &str) -> Thumbprint {
        Thumbprint::parse(&digit.repeat(40)).unwrap()
    }

    fn identity(authentication: Authentication, module: Option<&str>) -> Identity {
        let part = match module {
            None => Part::Device(Device { edge: Edge::No, ..Device::default() }),
            Some(id) => Part::Module(Module { id: ModuleId::parse(id).unwrap(), managed_by: None }),
        };
        let device = DeviceId::parse("D1").unwrap();
        Identity { device, generation: Generation(1), etag: Etag(1), authentication, part }
    }

    fn policy(rights: &[Right]) -> Policy {
        Policy { name: "p".into(), rights: Rights::of(rights), keys: keys(10) }
    }

    #[test]
    fn signatures_of_own_keys_and_of_policies() {
        let sas = || Authentication::Sas(keys(1));
        let own = Authentication::SelfSigned(Thumbprints::default());
        let (may, may_not) = (policy(&Right::ALL[3..]), policy(&Right::ALL[..3]));
        let wrong = Err(Denied::Signature(SignatureError::Wrong));
        let rows = [
            (sas(), Signer::Own, 1, Status::Enabled, Ok(KeySlot::Primary)),
            (sas(), Signer::Own, 2, Status::Enabled, Ok(KeySlot::Secondary)),
            (sas(), Signer::Own, 10, Status::Enabled, wrong),
            (sas(), Signer::Own, 1, Status::Disabled, Err(Denied::Disabled)),
            (sas(), Signer::Own, 9, Status::Disabled, wrong),
            (sas(), Signer::Policy(&may), 11, Status::Enabled, Ok(KeySlot::Secondary)),
            (sas(), Signer::Policy(&may), 1, Status::Enabled, wrong),
            (sas(), Signer::Policy(&may), 10, Status::Disabled, Err(Denied::Disabled)),
            (sas(), Signer::Policy(&may_not), 10, Status::Enabled, Err(Denied::NoRight)),
            (Authentication::None, Signer::Own, 1, Status::Enabled, Err(Denied::Method)),
            (Authentication::None, Signer::Policy(&may), 10, Status::Enabled, Ok(KeySlot::Primary)),
            (own.clone(), Signer::Own, 1, Status::Enabled, Err(Denied::Method)),
            (own, Signer::Policy(&may), 10, Status::Enabled, Err(Denied::Method)),
        ];
        for (authentication, signer, byte, status, expected) in rows {
            for module in [None, Some("m")] {
                let identity = identity(authentication.clone(), module);
                let id = identity.id().to_string();
                let candidate = Candidate { identity: &identity, status };
                let signed =
                    SignedConnect { client_id: &id, policy: None, at: None, expiry: "2000" };
                let mac = signed.sign(&key(byte), "h");
                let judged = candidate.signed_connect(signer, &signed, &["h"], &mac, WHEN);
                assert_eq!(judged.map(|proof| proof.by), expected, "{signer:?} {byte}");

                let path = id.replace('/', "/modules/");
                let text = Token::make(&format!("h/devices/{path}"), 2, None, &key(byte));
                let token = Token::parse(&text).unwrap();
                let judged = candidate.token(signer, &token, &["h"], WHEN);
                assert_eq!(judged.map(|proof| proof.by), expected, "{signer:?} {byte}");
                if let Err(denied) = expected {
                    assert!(!denied.rule().is_empty() && !denied.to_string().is_empty());
                }
            }
        }
    }

    #[test]
    fn a_token_is_for_its_module_only() {
        let module = identity(Authentication::Sas(keys(1)), Some("m"));
        let candidate = Candidate { identity: &module, status: Status::Enabled };
        let judge = |resource| {
            let text = Token::make(resource, 2, None, &key(1));
            candidate.token(Signer::Own, &Token::parse(&text).unwrap(), &["h"], WHEN).is_ok()
        };
        assert!(judge("h/devices/D1/modules/m"));
        assert!(!judge("h/devices/D1/modules/n"));
        assert!(!judge("h/devices/D2"));
        assert!(!judge("g/devices/D1/modules/m"));
    }

    #[test]
    fn certificates() {
        let own = || {
            Authentication::SelfSigned(Thumbprints {
                primary: Some(print("a")),
                secondary: Some(print("b")),
            })
        };
        let authority = || Authentication::CertificateAuthority;
        let sas = || Authentication::Sas(keys(1));
        let (trusted, unknown) = (Chain::Trusted, Chain::Unknown);
        let rows = [
            (own(), None, "A", None, unknown, Ok(())),
            (own(), None, "b", Some("other"), trusted, Ok(())),
            (own(), None, "c", Some("D1"), trusted, Err(Denied::Thumbprint)),
            (authority(), None, "c", Some("D1"), trusted, Ok(())),
            (authority(), Some("m"), "c", Some("D1/m"), trusted, Ok(())),
            (authority(), Some("m"), "c", Some("D1"), trusted, Err(Denied::CommonName)),
            (authority(), None, "c", Some("d1"), trusted, Err(Denied::CommonName)),
            (authority(), None, "c", None, trusted, Err(Denied::CommonName)),
            (authority(), None, "c", Some("D1"), unknown, Err(Denied::Authority)),
            (sas(), None, "a", Some("D1"), trusted, Err(Denied::Method)),
            (Authentication::None, None, "a", Some("D1"), trusted, Err(Denied::Method)),
        ];
        for (authentication, module, digit, common_name, chain, expected) in rows {
            let identity = identity(authentication, module);
            let thumbprints = [print("e"), print(digit)];
            let certificate = Certificate { thumbprints: &thumbprints, common_name, chain };
            let candidate = |status| Candidate { identity: &identity, status };
            assert_eq!(candidate(Status::Enabled).certificate(&certificate), expected);
            let disabled = candidate(Status::Disabled).certificate(&certificate);
            assert_eq!(disabled, expected.and(Err(Denied::Disabled)));
        }
    }
}
