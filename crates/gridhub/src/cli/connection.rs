//! How client verbs find their server and their credential: flags, then environment, then the
//! data directory that `gridhub dev` left here or in a parent directory (product.md 2).

use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::endpoint::{Endpoint, MqttsEndpoint};
use crate::auth::outgoing;
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
pub struct ConnectionFlags<E: Endpoint = MqttsEndpoint> {
    #[arg(long, value_name = "URL", env = "GRIDHUB_ENDPOINT")]
    #[arg(help = E::HELP, value_parser = E::from_str)]
    endpoint: Option<E>,
    /// Authority of the server's certificate (PEM)
    #[arg(long, value_name = "FILE", env = "GRIDHUB_CA")]
    ca: Option<PathBuf>,
    /// Bearer token
    #[arg(long, env = "GRIDHUB_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    data: DataFlag,
}

/// A connection under TLS.
pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// Everything needed to connect.
pub struct Connection<E = MqttsEndpoint> {
    /// Where.
    pub endpoint: E,
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

impl<E: Endpoint> Connection<E> {
    /// Connects; the TLS handshake comes with the first bytes.
    ///
    /// # Errors
    /// When nobody can be reached there.
    pub fn open(&self) -> anyhow::Result<TlsStream> {
        let (host, port) = self.endpoint.address();
        let name = ServerName::try_from(host.to_owned())
            .with_context(|| format!("'{host}' is no host name"))?;
        let socket = socket(host, port)?;
        let tls = ClientConnection::new(Arc::clone(&self.tls), name).context("TLS")?;
        Ok(StreamOwned::new(tls, socket))
    }
}

impl<E: Endpoint> ConnectionFlags<E> {
    /// Whether flags or environment name a server.
    pub fn names_server(&self) -> bool {
        self.endpoint.is_some()
    }

    /// The data directory that flags name or that lies here.
    ///
    /// # Errors
    /// When there is no current directory.
    pub fn directory(&self) -> anyhow::Result<Option<PathBuf>> {
        self.data.find()
    }

    /// Puts together what flags, environment and data directory say.
    ///
    /// # Errors
    /// What is missing, and how to give it.
    pub fn resolve(&self) -> anyhow::Result<Connection<E>> {
        self.resolve_with(None)
    }

    /// As [`resolve`](Self::resolve), with a server and a credential that were given otherwise.
    /// A server by flag or environment comes before this one.
    ///
    /// # Errors
    /// As there.
    pub fn resolve_with(&self, given: Option<(E, String)>) -> anyhow::Result<Connection<E>> {
        let dir = self.data.find()?;
        let (named, credential) = given.unzip();
        let endpoint = match (&self.endpoint, named, &dir) {
            (Some(endpoint), _, _) => endpoint.clone(),
            (None, Some(endpoint), _) => endpoint,
            (None, None, Some(dir)) => from_profile(dir)?,
            (None, None, None) => bail!(
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
        let token = match (credential, &self.token, &identity) {
            (Some(credential), _, _) => credential,
            (None, Some(token), _) => token.clone(),
            (None, None, Some(identity)) => own_token(identity)?,
            (None, None, None) => bail!("no credential given; give --token or GRIDHUB_TOKEN"),
        };
        let ca = self.ca.clone().or_else(|| identity.as_ref().map(Identity::ca_file));
        Ok(Connection { endpoint, tls: client_tls(ca.as_deref())?, token })
    }
}

fn from_profile<E: Endpoint>(dir: &Path) -> anyhow::Result<E> {
    let profile = ClientProfile::load(dir)?.with_context(|| {
        format!("no server has run on {}; start `gridhub dev` or give --endpoint", dir.display())
    })?;
    E::told_by(&profile).parse().map_err(anyhow::Error::msg)
}

fn socket(host: &str, port: u16) -> anyhow::Result<TcpStream> {
    let unreachable = || {
        format!(
            "cannot reach {host}:{port}; start the server (`gridhub dev`) or name another with \
             --endpoint URL"
        )
    };
    let mut last = None;
    for address in (host, port).to_socket_addrs().with_context(unreachable)? {
        match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(socket) => {
                socket.set_nodelay(true).context("socket")?;
                socket.set_read_timeout(Some(READ_TIMEOUT)).context("socket")?;
                return Ok(socket);
            }
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) => Err(error).with_context(unreachable),
        None => bail!("'{host}' has no address"),
    }
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
    let file = ca.map(Path::to_owned).or_else(outgoing::named).or_else(outgoing::system);
    let file = file.context("no authority is known; give --ca FILE or GRIDHUB_CA")?;
    outgoing::trusting(&[file])
}

/// A subscription may stay open as long as the server's own token.
const OWN_TOKEN_TTL_S: u64 = 365 * 86_400;
/// Below half of MQTT's keep-alive: then the verb asks whether the server is still there.
/// How long an answer usually may take.
pub const READ_TIMEOUT: Duration = Duration::from_secs(25);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
