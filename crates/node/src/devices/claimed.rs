//! Who says to be which device, owned until the home of that device has judged it.

use super::session::Proved;
use super::{After, CertificateNames, Devices, Hub};
use crate::auth::{Certificate, Chain};
use crate::now::Now;
use crate::shard::Shard;
use hub::classic::{self, UserName};
use hub::errors::{ErrorCode, Refusal};
use hub::identity::{self, Candidate, Denied, IdentityId, Signer};
use hub::plane::{Claim, ConnectRefused, Hello, Method, Signature};
use hub::registry::Ids;
use hub::sas::{SignatureError, SignedConnect, Token, TokenError, When};
use hub::telemetry::AuthMethod;
use mqtt::reason::Reason;
use mqtt::wire::Connect;
use std::sync::Arc;

/// A CONNECT for the hub.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub id: IdentityId,
    pub proved: Proved,
    proof: Proof,
    /// The model that it says to be of.
    pub model_id: Option<Box<str>>,
    /// What becomes of the connection behind CONNACK.
    pub after: After,
}

/// What somebody shows by HTTP who asks as a device (D6).
#[derive(Debug, Clone)]
pub enum Credential {
    /// Of the device, or of a policy.
    Token(Box<str>),
    /// That of his connection.
    Certificate(Certificate),
}

/// What is to be judged.
#[derive(Debug, Clone)]
enum Proof {
    /// Of MQTT 5.
    Signature {
        at: Option<Box<str>>,
        expiry: Box<str>,
        mac: Box<[u8]>,
    },
    /// The password of MQTT 3.1.1.
    Token(Box<str>),
    Certificate,
}

/// Why somebody is not let in: for logs. Outside they are all the same.
pub(crate) enum NotAdmitted {
    /// Nobody of that id is registered.
    Unknown,
    /// There is no such policy.
    Policy,
    /// Its own keys prove nothing.
    KeysOff,
    /// There is no certificate.
    NoCertificate,
    /// The password is no token.
    Token(TokenError),
    /// The proof is not good.
    Denied(Denied),
}

impl Claimed {
    /// Takes what a CONNECT of MQTT 5 says. `server_name`: what its TLS has called this server, if
    /// that is none of the hub's names.
    ///
    /// # Errors
    /// A host that is none of this hub. Who names none is for the one hub that there is; where
    /// there is nothing else, only if TLS did not name another.
    pub fn of(
        hello: Hello<'_>,
        hub: &Hub,
        certificate: Option<Certificate>,
        server_name: Option<&str>,
    ) -> Result<Self, ConnectRefused> {
        let Hello { id, host, claim, .. } = hello;
        let is_stranger = match host {
            Some(host) => !hub.is_host(host),
            None => hub.is_alone() && server_name.is_some(),
        };
        if is_stranger {
            return Err(ConnectRefused::UnknownTenant);
        }
        let host = host.or(server_name).map(Into::into);
        let (method, policy, proof) = match claim {
            Claim::X509 => (Method::X509, None, Proof::Certificate),
            Claim::Sas(s) => (Method::Sas, s.policy.map(Into::into), Proof::of(&s)),
        };
        let certificate = names(hub, certificate);
        let proved = Proved { method, policy, host, certificate };
        Ok(Self { id, proved, proof, model_id: None, after: After::Stays })
    }

    /// Takes what a CONNECT of MQTT 3.1.1 says (D1).
    ///
    /// # Errors
    /// What stands against it, for logs: outside all of it is CONNACK 5.
    pub fn of_classic(
        c: &Connect<'_>,
        hub: &Hub,
        certificate: Option<Certificate>,
    ) -> Result<Self, String> {
        let user_name = c.user_name.ok_or("a device names itself by its user name")?;
        let name = UserName::parse(user_name).map_err(|error| error.to_string())?;
        if name.id.to_string() != c.client_id {
            return Err("the client identifier is not that of the user name".to_owned());
        }
        if !hub.is_host(name.host) {
            return Err(format!("no hub '{}' is here", name.host.escape_debug()));
        }
        if let Some(will) = &c.will {
            classic::will(&name.id, will).map_err(|error| format!("the will: {error}"))?;
        }
        let (method, proof) = match c.password {
            None => (Method::X509, Proof::Certificate),
            Some(password) => {
                let text = std::str::from_utf8(password).map_err(|_| "the password is no text")?;
                (Method::Sas, Proof::Token(text.into()))
            }
        };
        let model_id = name.model_id.map(|model| model.into());
        let certificate = names(hub, certificate);
        let policy = match &proof {
            Proof::Token(text) => policy_of(text),
            _ => None,
        };
        let proved = Proved { method, policy, host: None, certificate };
        Ok(Self { id: name.id, proved, proof, model_id, after: After::Stays })
    }

    /// Who asks by HTTP (D6).
    pub fn by_http(id: &IdentityId, credential: Credential, hub: &Hub) -> Self {
        let (method, policy, certificate, proof) = match credential {
            Credential::Token(text) => (Method::Sas, policy_of(&text), None, Proof::Token(text)),
            Credential::Certificate(certificate) => {
                (Method::X509, None, names(hub, Some(certificate)), Proof::Certificate)
            }
        };
        let proved = Proved { method, policy, host: None, certificate };
        Self { id: id.clone(), proved, proof, model_id: None, after: After::Stays }
    }

    /// The same identity with the claim of a re-authentication (iot-hub A8).
    pub fn again(id: &IdentityId, proved: &Proved, claim: &Claim<'_>) -> Self {
        let proof = match claim {
            Claim::X509 => Proof::Certificate,
            Claim::Sas(signature) => Proof::of(signature),
        };
        Self { id: id.clone(), proved: proved.clone(), proof, model_id: None, after: After::Stays }
    }

    /// Judges it. Gives the domain time from which on it is good no more; `None` = it is for as
    /// long as the connection.
    ///
    /// # Errors
    /// Why not.
    pub fn judge(
        &self,
        devices: &Devices,
        hub: &Hub,
        now: Now,
    ) -> Result<Option<u64>, NotAdmitted> {
        let ids = Ids::from(&self.id);
        let (packed, _) = devices.known.get(ids).ok_or(NotAdmitted::Unknown)?;
        let device = Ids { module: None, ..ids };
        let (device, _) = devices.known.get(device).ok_or(NotAdmitted::Unknown)?;
        let identity = packed.unpack();
        let candidate = Candidate { identity: &identity, status: device.status() };
        let when = When { now_ms: now.wall_ms, skew_ms: hub.skew_ms };
        match &self.proof {
            Proof::Certificate => {
                let certificate = self.proved.certificate.as_deref();
                let (names, chain) = certificate.ok_or(NotAdmitted::NoCertificate)?;
                let shown = identity::Certificate {
                    thumbprints: &names.thumbprints,
                    common_name: names.common_name.as_deref(),
                    chain: *chain,
                };
                candidate.certificate(&shown).map(|()| None).map_err(NotAdmitted::Denied)
            }
            Proof::Signature { at, expiry, mac } => {
                let policy = self.proved.policy.as_deref();
                let signer = self.signer(policy, hub)?;
                let client_id = &self.id.to_string();
                let signed = SignedConnect { client_id, policy, at: at.as_deref(), expiry };
                let hosts: Vec<&str> =
                    self.proved.host.as_deref().into_iter().chain(hub.hosts()).collect();
                let proof = candidate.signed_connect(signer, &signed, &hosts, mac, when);
                proof.map(|proof| Some(proof.expires_at_ms)).map_err(NotAdmitted::Denied)
            }
            Proof::Token(text) => {
                let token = Token::parse(text).map_err(NotAdmitted::Token)?;
                let signer = self.signer(token.policy(), hub)?;
                let hosts: Vec<&str> = hub.hosts().collect();
                let proof = candidate.token(signer, &token, &hosts, when);
                proof.map(|proof| Some(proof.expires_at_ms)).map_err(NotAdmitted::Denied)
            }
        }
    }
}

impl Claimed {
    /// Whose keys have to have signed.
    fn signer<'h>(&self, policy: Option<&str>, hub: &'h Hub) -> Result<Signer<'h>, NotAdmitted> {
        match policy {
            None if hub.keys_off.of(&self.id) => Err(NotAdmitted::KeysOff),
            None => Ok(Signer::Own),
            Some(name) => hub.policies.get(name).map(Signer::Policy).ok_or(NotAdmitted::Policy),
        }
    }
}

/// Whose token says to be of a policy.
fn policy_of(token: &str) -> Option<Box<str>> {
    Token::parse(token).ok().and_then(|token| token.policy().map(Into::into))
}

fn names(hub: &Hub, certificate: Option<Certificate>) -> Option<Arc<(CertificateNames, Chain)>> {
    let Certificate { der, chain } = certificate?;
    hub.certificate(&der).map(|names| Arc::new((names, chain)))
}

impl Shard {
    /// Whether a credential lets somebody in as this device. He is not told whether there is such
    /// a device or such a policy; what he has signed himself he may hear of.
    ///
    /// # Errors
    /// IotHubUnauthorizedAccess.
    pub(super) fn verify(
        &mut self,
        id: &IdentityId,
        credential: Credential,
    ) -> Result<AuthMethod, Refusal> {
        let what = credential.what();
        let Some(hub) = self.devices.hub.clone() else {
            let text = "there is no hub here, and nobody may ask it";
            return Err(Refusal::new(ErrorCode::IotHubUnauthorizedAccess, text));
        };
        let claimed = Claimed::by_http(id, credential, &hub);
        let judged = claimed.judge(&self.devices, &hub, self.homes.now);
        let Err(not) = judged else { return Ok(claimed.proved.auth_method(id)) };
        let client = id.to_string();
        self.homes.refused(&client, Reason::NOT_AUTHORIZED, not.rule(), not.why());
        let why = match not {
            NotAdmitted::Token(error) => error.to_string(),
            NotAdmitted::Denied(Denied::Signature(
                error @ (SignatureError::Expired { .. } | SignatureError::Resource),
            )) => error.to_string(),
            NotAdmitted::Unknown
            | NotAdmitted::Policy
            | NotAdmitted::KeysOff
            | NotAdmitted::NoCertificate
            | NotAdmitted::Denied(_) => {
                let (what, rule) = what;
                format!("the {what} does not let '{client}' in: {rule}")
            }
        };
        Err(Refusal::new(ErrorCode::IotHubUnauthorizedAccess, why))
    }
}

impl Credential {
    /// What it is called, and what it has to be.
    fn what(&self) -> (&'static str, &'static str) {
        match self {
            Self::Token(_) => (
                "token",
                "sign it with the device's key, or with a policy's that has DeviceConnect",
            ),
            Self::Certificate(_) => (
                "certificate",
                "its thumbprint is to be registered, or its authority known and its name the id",
            ),
        }
    }
}

impl Proof {
    fn of(s: &Signature<'_>) -> Self {
        let (at, expiry) = (s.at.map(Into::into), s.expiry.into());
        Self::Signature { at, expiry, mac: s.mac.into() }
    }
}

impl NotAdmitted {
    /// The rule that refused.
    pub fn rule(&self) -> &'static str {
        match self {
            Self::Unknown => "identity_unknown",
            Self::Policy => "policy_unknown",
            Self::KeysOff => "keys_off",
            Self::NoCertificate => "certificate_missing",
            Self::Token(_) => "token_malformed",
            Self::Denied(denied) => denied.rule(),
        }
    }

    /// One sentence for logs.
    pub fn why(&self) -> String {
        match self {
            Self::Unknown => "nobody of this id is registered".to_owned(),
            Self::Policy => "the hub has no policy of this name".to_owned(),
            Self::KeysOff => {
                "hub.disable_device_sas or hub.disable_module_sas turns its own keys off".to_owned()
            }
            Self::NoCertificate => "no certificate came with the TLS connection".to_owned(),
            Self::Token(error) => error.to_string(),
            Self::Denied(denied) => denied.to_string(),
        }
    }
}
