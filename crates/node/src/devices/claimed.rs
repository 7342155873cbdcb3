//! Who says to be which device, owned until the home of that device has judged it.

use super::session::Proved;
use super::{Devices, Hub};
use crate::now::Now;
use hub::identity::{Candidate, Denied, IdentityId, Signer};
use hub::plane::{Claim, ConnectRefused, Hello, Method, Signature};
use hub::registry::Ids;
use hub::sas::{SignedConnect, When};

/// A CONNECT for the hub.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub id: IdentityId,
    pub proved: Proved,
    proof: Proof,
}

/// What is to be judged.
#[derive(Debug, Clone)]
enum Proof {
    Signature { at: Option<Box<str>>, expiry: Box<str>, mac: Box<[u8]> },
    Certificate,
}

/// Why somebody is not let in: for logs. Outside they are all the same.
pub(crate) enum NotAdmitted {
    /// Nobody of that id is registered.
    Unknown,
    /// There is no such policy.
    Policy,
    /// The proof is not good.
    Denied(Denied),
}

impl Claimed {
    /// Takes what a CONNECT of MQTT 5 says.
    ///
    /// # Errors
    /// A host that is none of this hub.
    pub fn of(hello: Hello<'_>, hub: &Hub) -> Result<Self, ConnectRefused> {
        let Hello { id, host, claim, .. } = hello;
        if host.is_some_and(|host| !hub.is_host(host)) {
            return Err(ConnectRefused::UnknownTenant);
        }
        let host = host.map(Into::into);
        let (method, policy, proof) = match claim {
            Claim::X509 => (Method::X509, None, Proof::Certificate),
            Claim::Sas(s) => (Method::Sas, s.policy.map(Into::into), Proof::of(&s)),
        };
        Ok(Self { id, proved: Proved { method, policy, host }, proof })
    }

    /// The same identity with the claim of a re-authentication (iot-hub A8).
    pub fn again(id: &IdentityId, proved: &Proved, claim: &Claim<'_>) -> Self {
        let proof = match claim {
            Claim::X509 => Proof::Certificate,
            Claim::Sas(signature) => Proof::of(signature),
        };
        Self { id: id.clone(), proved: proved.clone(), proof }
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
            Proof::Certificate => Err(NotAdmitted::Denied(Denied::Method)),
            Proof::Signature { at, expiry, mac } => {
                let policy = self.proved.policy.as_deref();
                let signer = match policy {
                    None => Signer::Own,
                    Some(name) => {
                        Signer::Policy(hub.policies.get(name).ok_or(NotAdmitted::Policy)?)
                    }
                };
                let client_id = &self.id.to_string();
                let signed = SignedConnect { client_id, policy, at: at.as_deref(), expiry };
                let hosts: Vec<&str> =
                    self.proved.host.as_deref().into_iter().chain(hub.hosts()).collect();
                let proof = candidate.signed_connect(signer, &signed, &hosts, mac, when);
                proof.map(|proof| Some(proof.expires_at_ms)).map_err(NotAdmitted::Denied)
            }
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
            Self::Denied(denied) => denied.rule(),
        }
    }

    /// One sentence for logs.
    pub fn why(&self) -> String {
        match self {
            Self::Unknown => "nobody of this id is registered".to_owned(),
            Self::Policy => "the hub has no policy of this name".to_owned(),
            Self::Denied(denied) => denied.to_string(),
        }
    }
}
