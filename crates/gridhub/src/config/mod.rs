//! The configuration: one struct for `serve` (read from TOML) and `dev` (built in code).
//! Owns key names, defaults and layering; knows nothing of sockets, keys or sessions.
//! Every key is described in docs/config.md, and a test holds the two together.

pub mod check;
pub mod commands;
pub mod connect;
pub mod duration;
pub mod endpoint;
pub mod feedback;
pub mod http;
pub mod hub;
pub mod kafka;
pub mod limits;
pub mod load;
pub mod mistake;
pub mod process;
#[cfg(test)]
mod reference;
pub mod registry;
pub mod registry_check;
pub mod show;
pub mod telemetry;
pub mod throttles;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::hub::HubConfig;
use duration::{HumanDuration, Interval};
use http::HttpConfig;
use limits::LimitsConfig;
use process::ProcessConfig;
use registry::{BindingEntry, ClientEntry, GroupEntry, TopicSpaceEntry};

/// Everything `serve::run` needs to know. Read by [`load::load`], checked by [`check::check`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What an acknowledgement waits for.
    pub durability: Durability,
    /// Directory for what gridhub keeps; locked, so that only one process uses it. What a file
    /// does not name lies beside it, where something is kept.
    pub data: Option<PathBuf>,
    /// Reactor threads, 1 to 64; absent = the cores the process may use.
    pub reactors: Option<usize>,
    /// What the process may use.
    pub process: ProcessConfig,
    /// The namespace served.
    pub namespace: Namespace,
    /// Addresses to listen on.
    pub listeners: Listeners,
    /// Server certificate and client authorities.
    pub tls: Tls,
    /// Bounds that differ from the profile's.
    pub limits: LimitsConfig,
    /// Rates, versions and bounds of the HTTPS side.
    pub http: HttpConfig,
    /// The IoT hub; absent = there is none.
    pub hub: Option<HubConfig>,
    /// Who may connect.
    pub auth: Auth,
    /// `$SYS` topics.
    pub sys: Sys,
    /// The log on stderr.
    pub log: Log,
    /// Registered clients (event-grid 4.2), ARM names.
    pub clients: Vec<ClientEntry>,
    /// Client groups (event-grid 5.2), ARM names.
    #[serde(rename = "clientGroups")]
    pub client_groups: Vec<GroupEntry>,
    /// Topic spaces (event-grid 5.3), ARM names.
    #[serde(rename = "topicSpaces")]
    pub topic_spaces: Vec<TopicSpaceEntry>,
    /// Permission bindings (event-grid 5.1), ARM names.
    #[serde(rename = "permissionBindings")]
    pub permission_bindings: Vec<BindingEntry>,
}

/// The namespace: its name, its host and how strict it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Namespace {
    /// 3 to 50 letters, digits or `-`.
    pub name: String,
    /// Host name that clients use; tokens may name `https://<hostname>` as their audience.
    pub hostname: String,
    /// How strict the namespace is.
    pub profile: Profile,
}

/// How strict a namespace is (product.md 1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// Every MQTT feature, high limits.
    #[default]
    Open,
    /// Refuses what Event Grid refuses.
    EventGrid,
    /// The hub only.
    IotHub,
}

/// What an acknowledgement waits for (product.md 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// `fdatasync`.
    #[default]
    Disk,
    /// Written to the operating system: the end of the machine may take the last of it.
    Os,
    /// Nothing: what is kept is lost when the process ends.
    Memory,
}

/// Addresses to listen on; port 0 takes any free port.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listeners {
    /// Plain MQTT; loopback only while anonymous clients are allowed.
    pub mqtt: Vec<SocketAddr>,
    /// MQTT over TLS.
    pub mqtts: Vec<SocketAddr>,
    /// HTTPS.
    pub https: Vec<SocketAddr>,
}

/// Certificates as PEM files.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// Server certificate, then its intermediates.
    pub cert_file: Option<PathBuf>,
    /// Private key of the server certificate.
    pub key_file: Option<PathBuf>,
    /// Authorities of client certificates, roots or intermediates (event-grid 4.4).
    pub client_ca_files: Vec<PathBuf>,
}

/// Who may connect, and how they prove it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Whether clients may come without any credential.
    pub anonymous: Anonymous,
    /// What becomes of a certificate of a known authority that names no registered client.
    pub unregistered_certificates: Unregistered,
    /// Where the name is read when CONNECT has no user name (event-grid 4.3), in order.
    pub alternative_authentication_name_sources: Vec<NameSource>,
    /// Clock difference tolerated in a token's `exp` and `nbf`.
    pub token_leeway: HumanDuration,
    /// Names with passwords.
    pub users: Vec<User>,
    /// Who signs tokens that we believe.
    pub issuers: Vec<Issuer>,
}

/// Whether clients may come without any credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Anonymous {
    /// On plain listeners, which then must be loopback addresses.
    Loopback,
    /// Nowhere.
    #[default]
    Never,
}

/// What becomes of a valid certificate whose name is not in the registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unregistered {
    /// Refused, as Event Grid does.
    #[default]
    Refuse,
    /// Accepted; its common name is the authentication name.
    Accept,
}

/// A certificate field that can name the client (event-grid 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::enum_variant_names)] // The names are Azure's.
pub enum NameSource {
    /// The subject's common name, else the whole distinguished name.
    ClientCertificateSubject,
    /// First dNSName.
    ClientCertificateDns,
    /// First URI.
    ClientCertificateUri,
    /// First iPAddress.
    ClientCertificateIp,
    /// First rfc822Name.
    ClientCertificateEmail,
}

/// A user name with its password's hash.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// User name of CONNECT; also the authentication name.
    pub name: String,
    /// argon2 in PHC form, made by `gridhub config hash-password`.
    pub password_hash: String,
}

/// An issuer of bearer tokens.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The `iss` claim, exactly; `*` takes any and none: then only the key decides.
    pub issuer: String,
    /// Public keys as a JWK set; either this or `pem_file`.
    #[serde(default)]
    pub jwks_file: Option<PathBuf>,
    /// One public key or certificate as PEM; either this or `jwks_file`.
    #[serde(default)]
    pub pem_file: Option<PathBuf>,
    /// Audiences besides `https://<hostname>` and `https://eventgrid.azure.net`.
    #[serde(default)]
    pub audiences: Vec<String>,
    /// Claims that name the principal; the first one present counts.
    #[serde(default = "principal_claims")]
    pub principal_claims: Vec<String>,
    /// Signature algorithms believed.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<Algorithm>,
}

/// Signature algorithms of tokens; never the symmetric ones, never `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSA with SHA-256.
    RS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
}

/// `$SYS` topics.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sys {
    /// How often `$SYS/broker/#` is published, or `"off"`; profile `open` only.
    pub interval: Interval,
}

/// The log on stderr.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Shape of a line.
    pub format: LogFormat,
    /// Least important level written.
    pub level: LogLevel,
}

/// Shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Log levels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Failures only.
    Error,
    /// What an operator should look at.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// Every connection too.
    Debug,
}

impl Config {
    /// Names a directory for what is kept where the file does not.
    pub fn name_data(&mut self) {
        if self.durability != Durability::Memory {
            self.data.get_or_insert_with(|| DATA.into());
        }
    }

    /// Makes relative paths relative to `base` (the directory of the file they stand in).
    pub fn resolve_paths(&mut self, base: &Path) {
        let resolve = |path: &mut PathBuf| *path = base.join(&*path);
        self.data.iter_mut().for_each(resolve);
        self.tls.cert_file.iter_mut().for_each(resolve);
        self.tls.key_file.iter_mut().for_each(resolve);
        self.tls.client_ca_files.iter_mut().for_each(resolve);
        for issuer in &mut self.auth.issuers {
            issuer.jwks_file.iter_mut().for_each(resolve);
            issuer.pem_file.iter_mut().for_each(resolve);
        }
        for endpoint in self.hub.iter_mut().flat_map(|hub| &mut hub.endpoints) {
            endpoint.resolve_paths(base);
        }
    }
}

impl LogLevel {
    /// The level in `tracing`'s words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self { name: "default".into(), hostname: "localhost".into(), profile: Profile::default() }
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            anonymous: Anonymous::default(),
            unregistered_certificates: Unregistered::default(),
            alternative_authentication_name_sources: Vec::new(),
            token_leeway: TOKEN_LEEWAY,
            users: Vec::new(),
            issuers: Vec::new(),
        }
    }
}

impl Default for Sys {
    fn default() -> Self {
        Self { interval: Interval::Every(SYS_INTERVAL) }
    }
}

/// Entra's object id, else the subject (event-grid 2.4).
pub fn principal_claims() -> Vec<String> {
    vec!["oid".into(), "sub".into()]
}

/// What Entra and our own dev key sign with.
pub fn algorithms() -> Vec<Algorithm> {
    vec![Algorithm::RS256, Algorithm::ES256]
}

const TOKEN_LEEWAY: HumanDuration = HumanDuration::new(std::time::Duration::from_secs(30));
const SYS_INTERVAL: HumanDuration = HumanDuration::new(std::time::Duration::from_secs(10));

/// The data directory of a file that names none.
const DATA: &str = "gridhub-data";
