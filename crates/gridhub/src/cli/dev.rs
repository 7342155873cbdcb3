//! `gridhub dev` (product.md 3): a configuration in code, an identity on disk, and the lines that
//! tell a person or a program where everything is.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use super::endpoint::{ListenAddress, OptionalAddress, for_clients};
use crate::config::check::check;
use crate::config::duration::HumanDuration;
use crate::config::registry::{
    BindingEntry, BindingProperties, Permission, TopicSpaceEntry, TopicSpaceProperties,
};
use crate::config::{
    Anonymous, Auth, Config, Durability, Issuer, Listeners, Namespace, Profile, Tls, Unregistered,
    algorithms, principal_claims,
};
use crate::http::router::WEBSOCKET;
use crate::identity::directory::{DEFAULT_NAME, DataDir};
use crate::identity::profile::ClientProfile;
use crate::identity::signing::{TokenRequest, TokenRole};
use crate::identity::{DEFAULT_CLIENT, Identity};
use crate::serve::{self, Endpoints};

/// Run a broker for development.
#[derive(Args)]
pub struct Dev {
    /// Directory for keys, certificates and data [default: .gridhub]
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    data: Option<PathBuf>,
    /// Keep nothing: messages in memory, keys in a temporary directory that is removed at exit
    #[arg(long)]
    ephemeral: bool,
    /// How strict the namespace is
    #[arg(long, value_enum, default_value = "open")]
    profile: Profile,
    /// Print one line of JSON when every listener accepts
    #[arg(long)]
    json: bool,
    /// MQTT over TLS
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8883")]
    mqtts: ListenAddress,
    /// Plain MQTT on loopback, anonymous clients allowed; or off
    #[arg(long, value_name = "ADDR|off", default_value = "127.0.0.1:1883")]
    mqtt: OptionalAddress,
    /// HTTPS; may be repeated
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    https: Vec<ListenAddress>,
    /// Reactor threads [default: the cores this process may use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    reactors: Option<u16>,
}

/// The line of `--json` (product.md 3); fields of later features are absent.
#[derive(Serialize)]
struct ReadyLine<'a> {
    ready: bool,
    pid: u32,
    version: &'a str,
    namespace: &'a str,
    hostname: &'a str,
    data: &'a Path,
    mqtts: SocketAddr,
    mqtt: Option<SocketAddr>,
    https: &'a str,
    wss: &'a str,
    ca_file: &'a Path,
    token: &'a str,
    client: ReadyClient<'a>,
}

#[derive(Serialize)]
struct ReadyClient<'a> {
    name: &'a str,
    cert_file: &'a Path,
    key_file: &'a Path,
}

impl Dev {
    /// Runs until it is told to stop.
    pub fn run(self) -> anyhow::Result<()> {
        let dir = match (&self.data, self.ephemeral) {
            (_, true) => DataDir::ephemeral()?,
            (Some(path), false) => DataDir::kept(absolute(path)?),
            (None, false) => DataDir::kept(absolute(Path::new(DEFAULT_NAME))?),
        };
        // Bad flags first: they must not leave a directory behind.
        let config = self.config(dir.path());
        if let Some(mistake) = check(&config).first() {
            bail!("{}: {}", mistake.path, mistake.message);
        }
        super::start_log(&config.log);
        let identity = Identity::prepare(dir, super::wall_s())?;
        let output = if self.json { Output::Line } else { Output::Page };
        let ready = Ready::new(&identity, config.durability, output)?;
        serve::run(&config, Some(&identity), move |endpoints| ready.tell(endpoints))
    }

    /// The configuration that product.md 3 describes, with files below `data`.
    fn config(&self, data: &Path) -> Config {
        let files = Identity::files(data);
        let mqtt = match self.mqtt {
            OptionalAddress::Off => Vec::new(),
            OptionalAddress::On(address) => vec![address.0],
        };
        Config {
            durability: if self.ephemeral { Durability::Memory } else { Durability::Disk },
            data: Some(data.to_owned()),
            reactors: self.reactors.map(usize::from),
            namespace: Namespace {
                name: NAMESPACE.into(),
                hostname: HOSTNAME.into(),
                profile: self.profile,
            },
            listeners: Listeners {
                mqtt,
                mqtts: vec![self.mqtts.0],
                https: self.https.iter().map(|address| address.0).collect(),
            },
            tls: Tls {
                cert_file: Some(files.server_cert),
                key_file: Some(files.server_key),
                client_ca_files: vec![files.ca],
            },
            auth: Auth {
                anonymous: Anonymous::Loopback,
                unregistered_certificates: Unregistered::Accept,
                // Tokens are made on this machine: its clock agrees with itself.
                token_leeway: HumanDuration::new(std::time::Duration::ZERO),
                issuers: vec![Issuer {
                    // Tests sign tokens of their own with the key in the directory.
                    issuer: "*".into(),
                    jwks_file: Some(files.jwks),
                    pem_file: None,
                    audiences: vec!["https://127.0.0.1".into(), "https://[::1]".into()],
                    principal_claims: principal_claims(),
                    algorithms: algorithms(),
                }],
                ..Auth::default()
            },
            topic_spaces: vec![everything()],
            permission_bindings: vec![
                everybody(Permission::Publisher, "all-publish"),
                everybody(Permission::Subscriber, "all-subscribe"),
            ],
            ..Config::default()
        }
    }
}

/// What is told once the listeners accept.
struct Ready {
    data: PathBuf,
    ca_file: PathBuf,
    client_files: (PathBuf, PathBuf),
    token: String,
    durability: Durability,
    output: Output,
}

/// Whom the server tells that it is ready.
#[derive(Clone, Copy)]
enum Output {
    /// A program: one line of JSON.
    Line,
    /// A person.
    Page,
}

impl Ready {
    fn new(identity: &Identity, durability: Durability, output: Output) -> anyhow::Result<Self> {
        let token = identity.signing().token(&TokenRequest {
            name: "dev".into(),
            roles: TokenRole::ALL.to_vec(),
            now_s: super::wall_s(),
            ttl_s: TOKEN_TTL_S,
        })?;
        Ok(Self {
            data: identity.dir().to_owned(),
            ca_file: identity.ca_file(),
            client_files: identity.client_files(DEFAULT_CLIENT),
            token,
            durability,
            output,
        })
    }

    fn tell(&self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let mqtts = *endpoints.mqtts.first().context("no MQTT listener")?;
        let https = *endpoints.https.first().context("no HTTPS listener")?;
        let https = format!("https://{}", for_clients(https));
        let profile = ClientProfile { mqtts: for_clients(mqtts), https: https.clone() };
        profile.store(&self.data)?;
        let text = match self.output {
            Output::Line => self.line(endpoints, mqtts, &https)?,
            Output::Page => self.page(endpoints, mqtts, &https),
        };
        let mut out = std::io::stdout().lock();
        // Whoever started us may not listen: the server runs on all the same.
        let _ = writeln!(out, "{text}").and_then(|()| out.flush());
        Ok(())
    }

    fn line(
        &self,
        endpoints: &Endpoints,
        mqtts: SocketAddr,
        https: &str,
    ) -> anyhow::Result<String> {
        let line = ReadyLine {
            ready: true,
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION"),
            namespace: NAMESPACE,
            hostname: HOSTNAME,
            data: &self.data,
            mqtts,
            mqtt: endpoints.mqtt.first().copied(),
            https,
            wss: &websocket(https),
            ca_file: &self.ca_file,
            token: &self.token,
            client: ReadyClient {
                name: DEFAULT_CLIENT,
                cert_file: &self.client_files.0,
                key_file: &self.client_files.1,
            },
        };
        serde_json::to_string(&line).context("cannot write the ready line")
    }

    fn page(&self, endpoints: &Endpoints, mqtts: SocketAddr, https: &str) -> String {
        let data = self.data.display();
        let ca = self.ca_file.display();
        let (cert, key) = (self.client_files.0.display(), self.client_files.1.display());
        let plain = endpoints.mqtt.first().map_or_else(
            || "off".to_owned(),
            |address| format!("mqtt://{address} (anonymous, loopback only)"),
        );
        let kept = match self.durability {
            Durability::Memory => "Durability memory: everything is forgotten at the end.".into(),
            Durability::Os => format!("Durability os: what is kept lies in {data}."),
            Durability::Disk => {
                format!("Durability disk: what is acknowledged is kept in {data}.")
            }
        };
        let profile = if self.data.ends_with(DEFAULT_NAME) {
            String::new()
        } else {
            format!(" --data {data}")
        };
        format!(
            "gridhub {version} is ready. {kept}\n\n\
             MQTT over TLS  mqtts://{mqtts}\n\
             MQTT           {plain}\n\
             HTTPS          {https}\n\
             WebSocket      {wss}\n\
             Authority      {ca}\n\
             Client         {client}: {cert}, {key}\n\n\
             Try, in another terminal:\n\n\
             \x20 {gridhub} subscribe{profile} 'devices/#'\n\n\
             \x20 {gridhub} publish{profile} devices/d1/hello -m 'hello'\n\n\
             \x20 curl --cacert {ca} -H \"Authorization: Bearer $({gridhub} token{profile})\" \\\n\
             \x20   '{https}/mqtt/messages?topic=devices%2Fd1%2Fhello\
             &api-version={API_VERSION}' \\\n\
             \x20   -H 'Content-Type: text/plain' -d 'hello over HTTP'\n\n\
             Ctrl-C stops it.",
            version = env!("CARGO_PKG_VERSION"),
            wss = websocket(https),
            client = DEFAULT_CLIENT,
            gridhub = command_name(),
        )
    }
}

/// Where MQTT over WebSocket is served, on the listener of HTTPS.
fn websocket(https: &str) -> String {
    format!("{}{WEBSOCKET}", https.replacen("https", "wss", 1))
}

/// What to type for this program: its name where the PATH leads to it, else where it lies.
fn command_name() -> String {
    let name = env!("CARGO_PKG_NAME");
    let Ok(me) = std::env::current_exe() else { return name.into() };
    let on_path = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path)
            .any(|dir| dir.join(name).canonicalize().is_ok_and(|found| found == me))
    });
    if on_path { name.into() } else { me.display().to_string() }
}

fn everything() -> TopicSpaceEntry {
    TopicSpaceEntry {
        name: TOPIC_SPACE.into(),
        properties: TopicSpaceProperties {
            topic_templates: vec!["#".into()],
            description: None,
            provisioning_state: None,
        },
    }
}

fn everybody(permission: Permission, name: &str) -> BindingEntry {
    BindingEntry {
        name: name.into(),
        properties: BindingProperties {
            client_group_name: "$all".into(),
            topic_space_name: TOPIC_SPACE.into(),
            permission,
            description: None,
            provisioning_state: None,
        },
    }
}

fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("unusable path {}", path.display()))
}

const NAMESPACE: &str = "dev";
const HOSTNAME: &str = "localhost";
const TOPIC_SPACE: &str = "all";
const API_VERSION: &str = "2025-08-01-preview";
/// A year: tests move the domain clock by days.
const TOKEN_TTL_S: u64 = 365 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        dev: Dev,
    }

    fn dev(flags: &[&str]) -> Dev {
        let words = std::iter::once("dev").chain(flags.iter().copied());
        Command::try_parse_from(words).expect("flags").dev
    }

    #[test]
    fn the_configuration_in_code_is_one_that_may_be_served() {
        for flags in [&[][..], &["--profile", "event-grid"], &["--mqtt", "off"]] {
            let config = dev(flags).config(Path::new("/d"));
            assert_eq!(check(&config), [], "{flags:?}");
        }
        let config = dev(&["--https", ":1", "--https", ":2"]).config(Path::new("/d"));
        assert_eq!(config.listeners.https.len(), 2);
        assert_eq!(config.durability, Durability::Disk);
        let config = dev(&["--ephemeral"]).config(Path::new("/d"));
        assert_eq!(config.durability, Durability::Memory);
    }

    #[test]
    fn what_is_not_for_loopback_or_not_built_is_refused() {
        for flags in [&["--mqtt", "0.0.0.0:1883"][..], &["--profile", "iot-hub"]] {
            let config = dev(flags).config(Path::new("/d"));
            assert_eq!(check(&config).len(), 1, "{flags:?}");
        }
    }

    #[test]
    fn the_ready_line_has_the_fields_of_the_contract_in_order() {
        let identity = Identity::prepare(DataDir::ephemeral().expect("dir"), 1_800_000_000);
        let identity = identity.expect("identity");
        let address = |text: &str| text.parse::<SocketAddr>().expect("address");
        let endpoints = Endpoints {
            mqtt: vec![address("127.0.0.1:1883")],
            mqtts: vec![address("127.0.0.1:8883")],
            https: vec![address("127.0.0.1:8443")],
        };
        let ready = Ready::new(&identity, Durability::Memory, Output::Line).expect("ready");
        let line = ready.line(&endpoints, endpoints.mqtts[0], "https://localhost:8443");
        let line = line.expect("line");
        let want = format!(
            r#"{{"ready":true,"pid":{},"version":"{}","namespace":"dev","hostname":"localhost","#,
            std::process::id(),
            env!("CARGO_PKG_VERSION"),
        );
        assert!(line.starts_with(&want), "{line}");
        let value: serde_json::Value = serde_json::from_str(&line).expect("json");
        assert_eq!(value["mqtts"], "127.0.0.1:8883");
        assert_eq!(value["https"], "https://localhost:8443");
        assert_eq!(value["wss"], "wss://localhost:8443/mqtt");
        assert_eq!(value["client"]["name"], "client1");
        assert!(!line.contains('\n'));
        ready.tell(&endpoints).expect("told");
        let profile = ClientProfile::load(identity.dir()).expect("profile").expect("there");
        assert_eq!(profile.mqtts, "localhost:8883");
        let page = ready.page(&endpoints, endpoints.mqtts[0], "https://localhost:8443");
        assert!(page.contains("curl") && page.contains("Durability memory"), "{page}");
    }
}
