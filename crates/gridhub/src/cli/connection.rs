//! How client verbs find their server and their credential: flags, then environment, then the
//! data directory that `gridhub dev` left here or in a parent directory (product.md 2).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use rustls::{ClientConfig, RootCertStore};

use super::endpoint::MqttsEndpoint;
use crate::auth::tls::certificates;
use crate::identity::Identity;
use crate::identity::directory::DataDir;
use crate::identity::profile::ClientProfile;
use crate::identity::signing::{TokenRequest, TokenRole};

/// The data directory.
#[derive(Args)]
pub struct DataFlag {
    /// Data directory of `gridhub dev` [default: .gridhub here or in a parent directory]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Server and credential.
#[derive(Args)]
pub struct ConnectionFlags {
    /// Server, such as mqtts://localhost:8883
    #[arg(long, value_name = "URL", env = "GRIDHUB_ENDPOINT")]
    endpoint: Option<MqttsEndpoint>,
    /// Authority of the server's certificate (PEM)
    #[arg(long, value_name = "FILE", env = "GRIDHUB_CA")]
    ca: Option<PathBuf>,
    /// Bearer token
    #[arg(long, env = "GRIDHUB_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    data: DataFlag,
}

/// Everything needed to connect.
pub struct Connection {
    /// Where.
    pub endpoint: MqttsEndpoint,
    /// Whom to believe.
    pub tls: Arc<ClientConfig>,
    /// Who we are.
    pub token: String,
}

impl DataFlag {
    /// The identity in the data directory.
    ///
    /// # Errors
    /// When there is none.
    pub fn identity(&self) -> anyhow::Result<Identity> {
        let dir = self.find()?.context(
            "there is no .gridhub here or in a parent directory; run `gridhub dev` first or give \
             --data DIR",
        )?;
        Identity::open(&dir)
    }

    fn find(&self) -> anyhow::Result<Option<PathBuf>> {
        match &self.data {
            Some(dir) => Ok(Some(dir.clone())),
            None => {
                let here = std::env::current_dir().context("the current directory is gone")?;
                Ok(DataDir::find(&here))
            }
        }
    }
}

impl ConnectionFlags {
    /// Puts together what flags, environment and data directory say.
    ///
    /// # Errors
    /// What is missing, and how to give it.
    pub fn resolve(&self) -> anyhow::Result<Connection> {
        let dir = self.data.find()?;
        let endpoint = match (&self.endpoint, &dir) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, Some(dir)) => from_profile(dir)?,
            (None, None) => bail!(
                "no server given; run `gridhub dev` in this directory, or give --endpoint URL or \
                 GRIDHUB_ENDPOINT"
            ),
        };
        // An identity of this machine is only for servers that its own authority vouches for.
        let identity = match (&self.ca, &dir) {
            (None, Some(dir)) => Some(Identity::open(dir)?),
            (Some(ca), Some(dir)) if is_same(ca, &Identity::files(dir).ca) => {
                Some(Identity::open(dir)?)
            }
            _ => None,
        };
        let token = match (&self.token, &identity) {
            (Some(token), _) => token.clone(),
            (None, Some(identity)) => own_token(identity)?,
            (None, None) => bail!("no credential given; give --token or GRIDHUB_TOKEN"),
        };
        let ca = self.ca.clone().or_else(|| identity.as_ref().map(Identity::ca_file));
        Ok(Connection { endpoint, tls: client_tls(ca.as_deref())?, token })
    }
}

fn from_profile(dir: &Path) -> anyhow::Result<MqttsEndpoint> {
    let profile = ClientProfile::load(dir)?.with_context(|| {
        format!("no server has run on {}; start `gridhub dev` or give --endpoint", dir.display())
    })?;
    profile.mqtts.parse().map_err(anyhow::Error::msg)
}

fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn own_token(identity: &Identity) -> anyhow::Result<String> {
    identity.signing().token(&TokenRequest {
        name: "dev".into(),
        roles: TokenRole::ALL.to_vec(),
        now_s: super::wall_s(),
        ttl_s: OWN_TOKEN_TTL_S,
    })
}

/// Believes the given authority, else those of `SSL_CERT_FILE` or of the system.
fn client_tls(ca: Option<&Path>) -> anyhow::Result<Arc<ClientConfig>> {
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let system = || SYSTEM_ROOTS.iter().map(PathBuf::from).find(|file| file.exists());
    let file = ca.map(Path::to_owned).or(named).or_else(system);
    let file = file.context("no authority is known; give --ca FILE or GRIDHUB_CA")?;
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&file)?);
    if roots.is_empty() {
        bail!("{} holds no usable authority", file.display());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A subscription may stay open as long as the server's own token.
const OWN_TOKEN_TTL_S: u64 = 365 * 86_400;
const SYSTEM_ROOTS: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];
