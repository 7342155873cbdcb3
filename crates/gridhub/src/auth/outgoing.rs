//! Whom we believe when we connect to others (product.md 3): which authorities, read from files.
//! Refuses to know who connects where.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::{ClientConfig, RootCertStore};

use super::tls::certificates;

/// Believes the authorities of these files.
///
/// # Errors
/// A file cannot be read; none holds an authority.
pub fn trusting(files: &[PathBuf]) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for file in files {
        let (usable, _) = roots.add_parsable_certificates(certificates(file)?);
        if usable == 0 {
            bail!("{} holds no usable authority", file.display());
        }
    }
    if roots.is_empty() {
        bail!("no authority is known: this system has no file of them, and none is named");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Believes the system's authorities, those of `SSL_CERT_FILE`, and those of a file.
///
/// # Errors
/// As [`trusting`].
pub fn trusting_system_and(file: Option<&Path>) -> anyhow::Result<Arc<ClientConfig>> {
    let all = [system(), named(), file.map(Path::to_owned)];
    trusting(&all.into_iter().flatten().collect::<Vec<_>>())
}

/// What `SSL_CERT_FILE` names.
pub fn named() -> Option<PathBuf> {
    std::env::var_os("SSL_CERT_FILE").map(PathBuf::from)
}

/// The system's authorities.
pub fn system() -> Option<PathBuf> {
    SYSTEM_ROOTS.iter().map(PathBuf::from).find(|file| file.exists())
}

const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
