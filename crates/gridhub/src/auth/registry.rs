//! Registered clients by authentication name, and whether a certificate proves one (event-grid
//! 4.2, 4.3). Certificates come with their chain verified; permissions are decided elsewhere.

use std::collections::{HashMap, HashSet};

use broker::access::{Attributes, ClientFacts};

use super::certificate::{CertificateNames, normal_thumbprint};
use super::refusal::Refusal;
use super::tls::pinned;
use crate::config::registry::{ClientEntry, ClientState, ValidationScheme};
use crate::config::registry_check::attributes;
use crate::config::{Config, NameSource, Unregistered};

/// The clients of the configuration.
pub struct Registry {
    /// By lower-case authentication name: looked up ignoring case (event-grid 4.2).
    clients: HashMap<String, Client>,
    pinned: HashSet<String>,
    sources: Vec<NameSource>,
    unregistered: Unregistered,
}

/// Somebody identified: the authentication name in its original case, with attributes when the
/// registry has them.
pub struct Identified<'a> {
    name: String,
    attributes: Option<&'a Attributes>,
}

struct Client {
    name: String,
    state: ClientState,
    scheme: ValidationScheme,
    thumbprints: Vec<String>,
    attributes: Attributes,
}

impl Registry {
    /// Takes the clients of a configuration that `config::check` accepted.
    ///
    /// # Errors
    /// Attributes that the broker refuses nevertheless.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let clients = config
            .clients
            .iter()
            .map(|entry| Ok((entry.authentication_name().to_lowercase(), Client::new(entry)?)));
        Ok(Self {
            clients: clients.collect::<anyhow::Result<_>>()?,
            pinned: pinned(&config.clients),
            sources: config.auth.alternative_authentication_name_sources.clone(),
            unregistered: config.auth.unregistered_certificates,
        })
    }

    /// Who comes with this certificate (DER) and this user name.
    ///
    /// # Errors
    /// Why it is nobody.
    pub fn by_certificate(
        &self,
        der: &[u8],
        user_name: Option<&str>,
    ) -> Result<Identified<'_>, Refusal> {
        let names = CertificateNames::read(der).map_err(|_| Refusal::UnreadableCertificate)?;
        let name = self.name(&names, user_name)?;
        let is_pinned = names.thumbprints.iter().any(|print| self.pinned.contains(print));
        match self.clients.get(&name.to_lowercase()) {
            Some(client) => client.prove(&names, is_pinned),
            // Nobody vouches for a pinned certificate but the clients that pin it.
            None if is_pinned => Err(Refusal::Pinned(name)),
            None => self.unregistered(&names, name),
        }
    }

    /// Somebody whose name was proved by a password.
    ///
    /// # Errors
    /// When the registry has the client disabled.
    pub fn by_password(&self, name: &str) -> Result<Identified<'_>, Refusal> {
        match self.clients.get(&name.to_lowercase()) {
            Some(client) => client.enabled(),
            None => Ok(Identified { name: name.to_owned(), attributes: None }),
        }
    }

    /// User name, else the first listed field that the certificate has (event-grid 4.3).
    fn name(&self, names: &CertificateNames, user_name: Option<&str>) -> Result<String, Refusal> {
        if let Some(name) = user_name.filter(|name| !name.is_empty()) {
            return Ok(name.to_owned());
        }
        let listed = self.sources.iter().find_map(|source| names.name_in(*source));
        let own = || match self.unregistered {
            Unregistered::Accept => names.common_name.clone().filter(|name| !name.is_empty()),
            Unregistered::Refuse => None,
        };
        listed.or_else(own).ok_or(Refusal::NoName)
    }

    fn unregistered(
        &self,
        names: &CertificateNames,
        name: String,
    ) -> Result<Identified<'_>, Refusal> {
        match (self.unregistered, &names.common_name) {
            (Unregistered::Refuse, _) => Err(Refusal::UnknownClient(name)),
            (Unregistered::Accept, Some(own)) if *own == name => {
                Ok(Identified { name, attributes: None })
            }
            (Unregistered::Accept, own) => {
                let certificate = own.clone().unwrap_or_default();
                Err(Refusal::OtherName { name, certificate })
            }
        }
    }
}

impl Identified<'_> {
    /// What groups and templates look at.
    pub fn facts<'a>(&'a self, none: &'a Attributes) -> ClientFacts<'a> {
        ClientFacts { name: &self.name, attributes: self.attributes.unwrap_or(none) }
    }
}

impl Client {
    fn new(entry: &ClientEntry) -> anyhow::Result<Self> {
        let proof = &entry.properties.client_certificate_authentication;
        let prints = proof.allowed_thumbprints.iter();
        let attributes = attributes(entry)
            .map_err(|(key, why)| anyhow::anyhow!("clients '{}', {key}: {why}", entry.name))?;
        Ok(Self {
            name: entry.authentication_name().to_owned(),
            state: entry.properties.state,
            scheme: proof.validation_scheme,
            thumbprints: prints.filter_map(|print| normal_thumbprint(print)).collect(),
            attributes,
        })
    }

    fn prove(&self, names: &CertificateNames, is_pinned: bool) -> Result<Identified<'_>, Refusal> {
        let identified = self.enabled()?;
        // A pinned certificate may be self-signed: what it says of itself proves nothing.
        if is_pinned && self.scheme != ValidationScheme::ThumbprintMatch {
            return Err(Refusal::Pinned(self.name.clone()));
        }
        if !names.proves(&self.name, self.scheme, &self.thumbprints) {
            let scheme = format!("{:?}", self.scheme);
            return Err(Refusal::Unproven { name: self.name.clone(), scheme });
        }
        Ok(identified)
    }

    fn enabled(&self) -> Result<Identified<'_>, Refusal> {
        match self.state {
            ClientState::Enabled => {
                let attributes = Some(&self.attributes);
                Ok(Identified { name: self.name.clone(), attributes })
            }
            ClientState::Disabled => Err(Refusal::Disabled(self.name.clone())),
        }
    }
}
