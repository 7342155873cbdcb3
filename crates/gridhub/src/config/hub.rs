//! `[hub]`: the host names and shared access policies of the IoT hub (iot-hub C2). Owns their
//! spelling and what is refused; knows nothing of tokens and devices.

use hub::identity::{Policies, Policy, PolicyError, Right, Rights};
use hub::sas::{Key, SymmetricKeys};
use serde::{Deserialize, Serialize};

use super::feedback::FeedbackConfig;
use super::mistake::Mistake;
use super::telemetry::{EnrichmentEntry, RouteEntry, TelemetryConfig};
use super::throttles::{DeviceThrottles, HubThrottles};
use super::{Config, Profile};

/// A hub. Where the section is absent there is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HubConfig {
    /// Host names besides `namespace.hostname`; a port does not count.
    pub hostnames: Vec<String>,
    /// Whether keys of devices are no proof.
    pub disable_device_sas: bool,
    /// Whether keys of modules are no proof.
    pub disable_module_sas: bool,
    /// Whether messages of devices that no route takes go to the built-in endpoint.
    pub fallback: bool,
    /// Shared access policies.
    pub policies: Vec<PolicyEntry>,
    /// The built-in endpoint.
    pub telemetry: TelemetryConfig,
    /// What becomes of commands, for their senders.
    pub feedback: FeedbackConfig,
    /// What goes there besides.
    pub routes: Vec<RouteEntry>,
    /// What is added on the way.
    pub enrichments: Vec<EnrichmentEntry>,
    /// How much all may do together.
    pub throttles: HubThrottles,
    /// How much each device and module may do.
    pub device_throttles: DeviceThrottles,
    /// Changes of each twin that are remembered.
    pub twin_history_changes_max: usize,
    /// Bytes of all of them together.
    pub twin_history_bytes_max: usize,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            hostnames: Vec::new(),
            disable_device_sas: false,
            disable_module_sas: false,
            fallback: true,
            policies: Vec::new(),
            telemetry: TelemetryConfig::default(),
            feedback: FeedbackConfig::default(),
            routes: Vec::new(),
            enrichments: Vec::new(),
            throttles: HubThrottles::default(),
            device_throttles: DeviceThrottles::default(),
            twin_history_changes_max: 10,
            twin_history_bytes_max: 16 * 1024 * 1024,
        }
    }
}

/// A shared access policy. Its keys are secrets: `Debug` does not show them.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PolicyEntry {
    /// 1 to 64 letters, digits or `-._`.
    pub name: String,
    /// What its signature may do.
    pub rights: Vec<RightName>,
    /// Base64 of 16 to 64 bytes.
    pub primary_key: String,
    /// As the primary one; either of them signs.
    pub secondary_key: String,
}

/// A right as the file spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RightName {
    /// Read identities.
    RegistryRead,
    /// Create, change and delete identities.
    RegistryWrite,
    /// Use the service side: twins, queries.
    ServiceConnect,
    /// Connect as any device.
    DeviceConnect,
}

impl HubConfig {
    /// The hub's host names: the namespace's first, all without ports.
    pub fn hosts(&self, hostname: &str) -> Vec<String> {
        let all = std::iter::once(hostname).chain(self.hostnames.iter().map(String::as_str));
        all.map(|host| without_port(host).to_owned()).collect()
    }

    /// The policies, read.
    ///
    /// # Errors
    /// The first mistake.
    pub fn policies(&self) -> Result<Policies, Mistake> {
        let entries = self.policies.iter().enumerate();
        let policies: Vec<_> =
            entries.map(|(at, entry)| policy(at, entry)).collect::<Result<_, _>>()?;
        Policies::new(policies).map_err(|error| self.mistake(&error))
    }

    /// Puts an error at its key. A name that is there twice is wrong the second time.
    fn mistake(&self, error: &PolicyError) -> Mistake {
        let at = |name: &str, key: &str| {
            let at = self.policies.iter().rposition(|entry| entry.name == name);
            at.map_or_else(|| POLICIES.to_owned(), |at| format!("{POLICIES}[{at}].{key}"))
        };
        let path = match error {
            PolicyError::Name(name) | PolicyError::Twice(name) => at(name, "name"),
            PolicyError::NoRights(name) => at(name, "rights"),
            PolicyError::TooMany => POLICIES.to_owned(),
        };
        Mistake::new(path, error.to_string())
    }
}

/// Without its keys.
impl std::fmt::Debug for PolicyEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PolicyEntry({}: {:?})", self.name, self.rights)
    }
}

impl From<RightName> for Right {
    fn from(name: RightName) -> Self {
        match name {
            RightName::RegistryRead => Self::RegistryRead,
            RightName::RegistryWrite => Self::RegistryWrite,
            RightName::ServiceConnect => Self::ServiceConnect,
            RightName::DeviceConnect => Self::DeviceConnect,
        }
    }
}

impl RightName {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::RegistryRead, Self::RegistryWrite, Self::ServiceConnect, Self::DeviceConnect];
}

/// What cannot be a hub.
pub fn check(config: &Config, mistakes: &mut Vec<Mistake>) {
    let Some(hub) = &config.hub else { return };
    if config.namespace.profile == Profile::EventGrid {
        let message = "profile event-grid has no hub; use profile \"open\" or leave [hub] out";
        mistakes.push(Mistake::new("hub", message));
    }
    for (at, host) in hub.hostnames.iter().enumerate() {
        let plausible =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']');
        if without_port(host).is_empty() || !host.chars().all(plausible) {
            let message = format!("'{host}' is no host name; write it without scheme and path");
            mistakes.push(Mistake::new(format!("hub.hostnames[{at}]"), message));
        }
    }
    mistakes.extend(hub.policies().err());
    mistakes.extend(hub.telemetry.settings().err());
    mistakes.extend(hub.feedback.settings().err());
    mistakes.extend(hub.routing().err());
}

fn policy(at: usize, entry: &PolicyEntry) -> Result<Policy, Mistake> {
    let key = |name: &str, text: &str| {
        Key::from_base64(text).map_err(|why| {
            // The value is a secret, if a wrong one: it is not shown.
            let message = format!("is no base64 of 16 to 64 bytes: {why}; {MAKE}");
            Mistake::new(format!("{POLICIES}[{at}].{name}"), message)
        })
    };
    let keys = SymmetricKeys {
        primary: key("primaryKey", &entry.primary_key)?,
        secondary: key("secondaryKey", &entry.secondary_key)?,
    };
    let rights: Vec<Right> = entry.rights.iter().map(|name| (*name).into()).collect();
    Ok(Policy { name: entry.name.as_str().into(), rights: Rights::of(&rights), keys })
}

/// As a token's resource is compared: a port need not be the one that clients dial.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    }
}

const POLICIES: &str = "hub.policies";
const MAKE: &str = "make one with `openssl rand -base64 32`";

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn mistakes(text: &str) -> Vec<(String, String)> {
        let config: Config = toml::from_str(text).expect("readable");
        let mut mistakes = Vec::new();
        check(&config, &mut mistakes);
        mistakes.into_iter().map(|mistake| (mistake.path, mistake.message)).collect()
    }

    fn policy(name: &str, rights: &str, key: &str) -> String {
        format!(
            "[[hub.policies]]\nname = \"{name}\"\nrights = [{rights}]\n\
             primaryKey = \"{key}\"\nsecondaryKey = \"{KEY}\"\n"
        )
    }

    #[test]
    fn what_cannot_work_is_refused_at_its_key_and_keys_are_not_shown() {
        let good = policy("service", "\"ServiceConnect\"", KEY);
        let secret = "c2VjcmV0";
        for (text, path) in [
            (good.clone(), None),
            ("[hub]\nhostnames = [\"h.example:8443\", \"[::1]\"]".to_owned(), None),
            ("[hub]\nhostnames = [\"https://h/\"]".to_owned(), Some("hub.hostnames[0]")),
            ("[hub]\nhostnames = [\":8443\"]".to_owned(), Some("hub.hostnames[0]")),
            (policy("a b", "\"RegistryRead\"", KEY), Some("hub.policies[0].name")),
            (format!("{good}{good}"), Some("hub.policies[1].name")),
            (policy("none", "", KEY), Some("hub.policies[0].rights")),
            (
                format!("{good}{}", policy("x", "\"RegistryRead\"", secret)),
                Some("hub.policies[1].primaryKey"),
            ),
            (
                (0..11).map(|n| policy(&format!("p{n}"), "\"ServiceConnect\"", KEY)).collect(),
                Some("hub.policies"),
            ),
            ("namespace.profile = \"event-grid\"\n[hub]".to_owned(), Some("hub")),
        ] {
            let found = mistakes(&text);
            let paths: Vec<&str> = found.iter().map(|(path, _)| &**path).collect();
            assert_eq!(paths, path.into_iter().collect::<Vec<_>>(), "{text}");
            assert!(found.iter().all(|(_, message)| !message.contains(secret)), "{found:?}");
        }
    }

    #[test]
    fn hosts_have_no_ports_and_entries_show_no_keys() {
        let hub = HubConfig {
            hostnames: vec!["Hub:8443".into(), "[::1]:1".into()],
            ..HubConfig::default()
        };
        assert_eq!(hub.hosts("localhost"), ["localhost", "Hub", "[::1]"]);
        let config: Config =
            toml::from_str(&policy("p", "\"RegistryRead\"", KEY)).expect("readable");
        let shown = format!("{config:?}");
        assert!(shown.contains("RegistryRead") && !shown.contains(KEY), "{shown}");
        let read = config.hub.expect("a hub").policies().expect("policies");
        assert!(read.get("p").is_some_and(|policy| policy.rights.has(Right::RegistryRead)));
    }
}
