//! TLS server configurations for MQTT and HTTPS. Owns versions, tickets, ALPN and the trust in
//! client certificates; what a certificate's name is worth is decided by `auth::registry`.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use node::auth::{Certificate, Chain};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig,
    SignatureScheme,
};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::certificate::{normal_thumbprint, thumbprints};
use crate::config::http::ClientCertificates;
use crate::config::registry::ClientEntry;
use crate::config::{Config, Profile, Tls};

/// What the listeners need to speak TLS.
#[derive(Clone)]
pub struct TlsConfigs {
    /// MQTT: client certificate optional, TLS 1.2 and 1.3, no ALPN.
    pub mqtts: Arc<ServerConfig>,
    /// Tells certificates of authorities from others, where listeners take any.
    pub trust: Option<Arc<Trust>>,
    /// HTTPS: client certificate optional or none, ALPN `h2` and `http/1.1`.
    pub https: Arc<ServerConfig>,
}

impl TlsConfigs {
    /// Reads the certificates and builds both configurations.
    ///
    /// # Errors
    /// When a file is missing, damaged or does not belong to the others; the message names it.
    pub fn build(tls: &Tls, clients: &[ClientEntry], asked: ClientAuth) -> anyhow::Result<Self> {
        let (Some(cert_file), Some(key_file)) = (&tls.cert_file, &tls.key_file) else {
            bail!("tls.cert_file and tls.key_file must both be given");
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let chain = certificates(cert_file)?;
        let key = PrivateKeyDer::from_pem_file(key_file)
            .with_context(|| format!("{} holds no private key", key_file.display()))?;
        let known = client_verifier(tls, clients, &provider)?;
        let (verifier, trust): (Arc<dyn ClientCertVerifier>, _) = match asked.strangers {
            Strangers::Refused => (known, None),
            Strangers::Taken => {
                let trust = Arc::new(Trust { known, provider: Arc::clone(&provider) });
                (Arc::clone(&trust) as _, Some(trust))
            }
        };
        let on_https = match asked.on_https {
            ClientCertificates::Optional => Arc::clone(&verifier),
            ClientCertificates::Never => WebPkiClientVerifier::no_client_auth(),
        };
        let build = |verifier: Arc<dyn ClientCertVerifier>, alpn: &[&[u8]]| {
            let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_protocol_versions(rustls::ALL_VERSIONS)?
                .with_client_cert_verifier(verifier)
                .with_single_cert(chain.clone(), key.clone_key())?;
            config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
            config.ticketer = aws_lc_rs::Ticketer::new()?;
            // One is what a device uses; each costs the handshake a record.
            config.send_tls13_tickets = 1;
            Ok::<_, Error>(Arc::new(config))
        };
        let context =
            || format!("{} and {} do not fit together", cert_file.display(), key_file.display());
        Ok(Self {
            // No ALPN for MQTT: a client that offers some (`mqtt`, `x-amzn-mqtt-ca`) must not be
            // refused for a list that we would keep.
            mqtts: build(verifier, &[]).with_context(context)?,
            trust,
            https: build(on_https, &[b"h2", b"http/1.1"]).with_context(context)?,
        })
    }
}

/// Which client certificates are asked for, beside those that MQTT listeners ask for.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClientAuth {
    /// What becomes of those that nobody here vouches for.
    pub strangers: Strangers,
    /// What HTTPS listeners ask for.
    pub on_https: ClientCertificates,
}

/// What becomes of client certificates that nobody here vouches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strangers {
    /// The handshake fails.
    #[default]
    Refused,
    /// They come in: a device may be registered with their thumbprint (iot-hub A4).
    Taken,
}

impl ClientAuth {
    /// Strangers are taken where there is a hub.
    pub fn of(config: &Config) -> Self {
        let profile = config.namespace.profile;
        let has_hub = config.hub.is_some() && profile != Profile::EventGrid;
        let strangers = if has_hub { Strangers::Taken } else { Strangers::Refused };
        let on_https = config.http.effective(profile).client_certificates.unwrap_or_default();
        Self { strangers, on_https }
    }
}

/// Takes any certificate that is valid now, and knows which of them somebody vouches for.
#[derive(Debug)]
pub struct Trust {
    known: Arc<dyn ClientCertVerifier>,
    provider: Arc<CryptoProvider>,
}

impl Trust {
    /// What a client has shown, with what it is worth; `None` if that is nothing.
    pub fn certificate(&self, chain: &[CertificateDer<'_>]) -> Option<Certificate> {
        let der = chain.first()?.as_ref().into();
        Some(Certificate { der, chain: self.chain(chain) })
    }

    /// Whether the chain of a client ends at an authority, or its certificate is registered for
    /// itself in the configuration.
    pub fn chain(&self, chain: &[CertificateDer<'_>]) -> Chain {
        let Some((end_entity, intermediates)) = chain.split_first() else { return Chain::Unknown };
        match self.known.verify_client_cert(end_entity, intermediates, UnixTime::now()) {
            Ok(_) if self.known.offer_client_auth() => Chain::Trusted,
            _ => Chain::Unknown,
        }
    }
}

/// Installs the one crypto provider of the process; call first in `main`.
pub fn install_provider() {
    // A second call finds the same provider in place.
    let _ = aws_lc_rs::default_provider().install_default();
}

/// The certificates of a PEM file, at least one.
///
/// # Errors
/// When it cannot be read or has none.
pub fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let shown = file.display();
    let found = CertificateDer::pem_file_iter(file)
        .with_context(|| format!("cannot read {shown}"))?
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("{shown} is no PEM file"))?;
    if found.is_empty() {
        bail!("{shown} holds no certificate");
    }
    Ok(found)
}

fn client_verifier(
    tls: &Tls,
    clients: &[ClientEntry],
    provider: &Arc<CryptoProvider>,
) -> anyhow::Result<Arc<dyn ClientCertVerifier>> {
    let mut roots = RootCertStore::empty();
    for file in &tls.client_ca_files {
        for cert in certificates(file)? {
            roots
                .add(cert)
                .with_context(|| format!("{} is unusable as an authority", file.display()))?;
        }
    }
    let by_authority = if roots.is_empty() {
        None
    } else {
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        Some(builder.allow_unauthenticated().build().context("client authorities")?)
    };
    let pinned = pinned(clients);
    match by_authority {
        None if pinned.is_empty() => Ok(WebPkiClientVerifier::no_client_auth()),
        Some(by_authority) if pinned.is_empty() => Ok(by_authority),
        by_authority => {
            Ok(Arc::new(PinnedOr { pinned, by_authority, provider: Arc::clone(provider) }))
        }
    }
}

/// The thumbprints that registered clients name, normalised.
pub fn pinned(clients: &[ClientEntry]) -> HashSet<String> {
    clients
        .iter()
        .flat_map(|client| &client.properties.client_certificate_authentication.allowed_thumbprints)
        .filter_map(|print| normal_thumbprint(print))
        .collect()
}

/// Takes certificates that a client names by thumbprint, whoever signed them (event-grid 4.1),
/// and leaves all others to the authorities. `auth::registry` accepts a pinned certificate only
/// for the clients that pin it.
#[derive(Debug)]
struct PinnedOr {
    pinned: HashSet<String>,
    by_authority: Option<Arc<dyn ClientCertVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ClientCertVerifier for PinnedOr {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // A hint would keep clients from offering self-signed certificates.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if thumbprints(end_entity).iter().any(|print| self.pinned.contains(print)) {
            return in_time(end_entity, now);
        }
        match &self.by_authority {
            Some(verifier) => verifier.verify_client_cert(end_entity, intermediates, now),
            None => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Trust {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        in_time(end_entity, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Takes a certificate that is valid now.
fn in_time(end_entity: &CertificateDer<'_>, now: UnixTime) -> Result<ClientCertVerified, Error> {
    let (_, cert) = X509Certificate::from_der(end_entity)
        .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let now_s = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now_s < cert.validity().not_before.timestamp() {
        return Err(Error::InvalidCertificate(CertificateError::NotValidYet));
    }
    if now_s > cert.validity().not_after.timestamp() {
        return Err(Error::InvalidCertificate(CertificateError::Expired));
    }
    Ok(ClientCertVerified::assertion())
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
