//! The private certificate authority of a data directory: makes the server's and clients'
//! certificates. Not a CA product: no revocation, no requests; knows nothing of TLS connections.

use anyhow::{Context, bail};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use std::time::Duration;
use x509_parser::prelude::{GeneralName, parse_x509_pem};

use super::directory::{Access, CLIENTS, DataDir};

/// The authority with its key loaded.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    ca_pem: String,
}

/// A certificate with its key, both PEM.
pub struct Issued {
    /// The certificate.
    pub cert_pem: String,
    /// Its private key, PKCS#8.
    pub key_pem: String,
}

impl Authority {
    /// Loads the authority, or makes it. The key is written before the certificate, so that a
    /// certificate that is there always has its key.
    ///
    /// # Errors
    /// When files are damaged or cannot be written.
    pub fn open_or_create(dir: &DataDir, wall_s: u64) -> anyhow::Result<Self> {
        let key = match dir.read(CA_KEY)? {
            Some(pem) => key_from(&pem)?,
            None => {
                let key = KeyPair::generate().context("cannot make the authority's key")?;
                dir.write(CA_KEY, &key.serialize_pem(), Access::Secret)?;
                key
            }
        };
        if dir.read(CA_CERT)?.is_none() {
            let mut params = ca_params(&key);
            valid(&mut params, wall_s, CA_DAYS);
            let cert = params.self_signed(&key).context("cannot make the authority")?;
            dir.write(CA_CERT, &cert.pem(), Access::Public)?;
        }
        Self::open(dir)
    }

    /// Loads an authority that is there.
    ///
    /// # Errors
    /// When it is not, or its files are damaged.
    pub fn open(dir: &DataDir) -> anyhow::Result<Self> {
        let key = dir.read(CA_KEY)?.context("the authority's key is missing")?;
        let ca_pem = dir.read(CA_CERT)?.context("the authority's certificate is missing")?;
        let key = key_from(&key)?;
        Ok(Self { issuer: Issuer::new(ca_params(&key), key), ca_pem })
    }

    /// Writes a server certificate unless a good one is there: for these names and not near its
    /// end.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn renew_server(&self, dir: &DataDir, names: &[String], wall_s: u64) -> anyhow::Result<()> {
        if let Some(pem) = dir.read(SERVER_CERT)?
            && lasts(&pem, wall_s)
            && names.iter().all(|name| names_of(&pem).contains(name))
            && dir.read(SERVER_KEY)?.is_some()
        {
            return Ok(());
        }
        let mut params =
            CertificateParams::new(names).context("the server's names are unusable")?;
        params.distinguished_name = common_name("gridhub dev server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.store(dir, (SERVER_CERT, SERVER_KEY), &self.issue(params, wall_s)?)
    }

    /// Writes a client's certificate into the directory unless a good one is there.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn renew_client(&self, dir: &DataDir, name: &str, wall_s: u64) -> anyhow::Result<()> {
        let (cert, key) = (client_cert(name), client_key(name));
        if let Some(pem) = dir.read(&cert)?
            && lasts(&pem, wall_s)
            && dir.read(&key)?.is_some()
        {
            return Ok(());
        }
        self.store(dir, (&cert, &key), &self.issue_client(name, wall_s)?)
    }

    /// Makes a client certificate whose common name is `name`.
    ///
    /// # Errors
    /// When the name is no authentication name (event-grid 4.2): 1 to 128 characters, no
    /// control characters.
    pub fn issue_client(&self, name: &str, wall_s: u64) -> anyhow::Result<Issued> {
        let count = name.chars().count();
        if count == 0 || count > 128 || name.chars().any(char::is_control) {
            bail!("'{name}' is no client name; use 1 to 128 characters without control characters");
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params, wall_s)
    }

    fn issue(&self, mut params: CertificateParams, wall_s: u64) -> anyhow::Result<Issued> {
        let key = KeyPair::generate().context("cannot make a key")?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        valid(&mut params, wall_s, LEAF_DAYS);
        let cert = params.signed_by(&key, &self.issuer).context("cannot sign a certificate")?;
        Ok(Issued { cert_pem: cert.pem(), key_pem: key.serialize_pem() })
    }

    /// Key and certificate are two files, and a crash may leave the new key with the old
    /// certificate: the old certificate goes first, so that a pair is whole or is made again.
    fn store(
        &self,
        dir: &DataDir,
        (cert, key): (&str, &str),
        issued: &Issued,
    ) -> anyhow::Result<()> {
        match std::fs::remove_file(dir.file(cert)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot replace {cert}"));
            }
            _ => {}
        }
        dir.write(key, &issued.key_pem, Access::Secret)?;
        dir.write(cert, &format!("{}{}", issued.cert_pem, self.ca_pem), Access::Public)
    }
}

/// File of a client's certificate, below the data directory.
pub fn client_cert(name: &str) -> String {
    format!("{CLIENTS}/{name}.pem")
}

/// File of a client's private key, below the data directory.
pub fn client_key(name: &str) -> String {
    format!("{CLIENTS}/{name}-key.pem")
}

fn key_from(pem: &str) -> anyhow::Result<KeyPair> {
    KeyPair::from_pem(pem).context("the authority's key is damaged")
}

/// Only what follows from the key, so that loading needs no reading of the certificate.
fn ca_params(key: &KeyPair) -> CertificateParams {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.public_key_raw());
    let mark: String = digest.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let mut params = CertificateParams::default();
    // Two data directories on one machine must not look alike to a client that trusts both.
    params.distinguished_name = common_name(&format!("gridhub dev CA {mark}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn common_name(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn valid(params: &mut CertificateParams, wall_s: u64, days: u64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    // An hour back: containers' clocks disagree.
    params.not_before = epoch + Duration::from_secs(wall_s.saturating_sub(3600));
    params.not_after = epoch + Duration::from_secs(wall_s + days * DAY_S);
}

/// Whether the first certificate of `pem` is good for another while.
fn lasts(pem: &str, wall_s: u64) -> bool {
    let Ok((_, block)) = parse_x509_pem(pem.as_bytes()) else { return false };
    let Ok(cert) = block.parse_x509() else { return false };
    let end_s = u64::try_from(cert.validity().not_after.timestamp()).unwrap_or(0);
    end_s > wall_s + RENEW_DAYS * DAY_S
}

/// The subject alternative names of the first certificate of `pem`.
fn names_of(pem: &str) -> Vec<String> {
    let Ok((_, block)) = parse_x509_pem(pem.as_bytes()) else { return Vec::new() };
    let Ok(cert) = block.parse_x509() else { return Vec::new() };
    let Ok(Some(san)) = cert.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => crate::auth::certificate::ip_text(bytes),
        _ => None,
    };
    san.value.general_names.iter().filter_map(text).collect()
}

/// The authority's certificate.
pub const CA_CERT: &str = "ca.pem";
/// The server's certificate, then the authority's.
pub const SERVER_CERT: &str = "server.pem";
/// The server's private key.
pub const SERVER_KEY: &str = "server-key.pem";
const CA_KEY: &str = "ca-key.pem";
const DAY_S: u64 = 86_400;
const CA_DAYS: u64 = 3650;
/// Below the 398 days that browsers accept.
const LEAF_DAYS: u64 = 365;
const RENEW_DAYS: u64 = 30;
