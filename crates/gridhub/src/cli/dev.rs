//! `gridhub dev` (product.md 3): a configuration in code and an identity on disk. What it tells
//! when all is ready belongs to [`ready`](super::ready).

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use super::endpoint::{ListenAddress, OptionalAddress};
use super::ready::{Output, Ready};
use crate::config::check::check;
use crate::config::duration::HumanDuration;
use crate::config::hub::HubConfig;
use crate::config::registry::{
    BindingEntry, BindingProperties, Permission, TopicSpaceEntry, TopicSpaceProperties,
};
use crate::config::{
    Anonymous, Auth, Config, Durability, Issuer, Listeners, Namespace, Profile, Tls, Unregistered,
    algorithms, principal_claims,
};
use crate::identity::Identity;
use crate::identity::directory::{DEFAULT_NAME, DataDir};
use crate::serve;

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

impl Dev {
    /// Runs until it is told to stop.
    pub fn run(self) -> anyhow::Result<()> {
        let dir = match (&self.data, self.ephemeral) {
            (_, true) => DataDir::ephemeral()?,
            (Some(path), false) => DataDir::kept(absolute(path)?),
            (None, false) => DataDir::kept(absolute(Path::new(DEFAULT_NAME))?),
        };
        // Bad flags first: they must not leave a directory behind.
        let mut config = self.config(dir.path());
        refuse_mistakes(&config)?;
        super::start_log(&config.log);
        let identity = Identity::prepare(dir, super::wall_s())?;
        let mut policies = Vec::new();
        if let Some(hub) = &mut config.hub {
            policies = identity.hub_policies()?;
            hub.policies.clone_from(&policies);
        }
        // Somebody may have written into the file of policies.
        refuse_mistakes(&config)?;
        let output = if self.json { Output::Line } else { Output::Page };
        let ready = Ready::new(&identity, policies, config.durability, output)?;
        serve::run(&config, Some(&identity), move |endpoints, device| ready.tell(endpoints, device))
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
            // Its policies lie in the data directory.
            hub: (self.profile != Profile::EventGrid).then(|| HubConfig {
                hostnames: HUB_HOSTS.map(str::to_owned).into(),
                policies: Vec::new(),
                ..HubConfig::default()
            }),
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

fn refuse_mistakes(config: &Config) -> anyhow::Result<()> {
    match check(config).first() {
        Some(mistake) => bail!("{}: {}", mistake.path, mistake.message),
        None => Ok(()),
    }
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

/// The name of the namespace.
pub const NAMESPACE: &str = "dev";
/// What clients call this machine.
pub const HOSTNAME: &str = "localhost";
const TOPIC_SPACE: &str = "all";
/// What clients may call the hub too.
const HUB_HOSTS: [&str; 2] = ["127.0.0.1", "[::1]"];

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
        assert!(dev(&["--profile", "event-grid"]).config(Path::new("/d")).hub.is_none());
        let config = dev(&["--mqtt", "0.0.0.0:1883"]).config(Path::new("/d"));
        assert_eq!(check(&config).len(), 1);
    }
}
