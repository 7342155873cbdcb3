//! What `gridhub dev` tells once its listeners accept (product 3): one line to a program, a page
//! to a person. Refuses to know how any of it came to be.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context;
use hub::sas::{ConnectionString, Credential, Key, Subject};
use serde::{Serialize, Serializer};

use super::dev::{HOSTNAME, NAMESPACE};
use super::endpoint::for_clients;
use crate::config::Durability;
use crate::config::hub::PolicyEntry;
use crate::first_device::FirstDevice;
use crate::http::router::WEBSOCKET;
use crate::identity::directory::DEFAULT_NAME;
use crate::identity::profile::ClientProfile;
use crate::identity::signing::{TokenRequest, TokenRole};
use crate::identity::{DEFAULT_CLIENT, Identity};
use crate::serve::Endpoints;

/// What is told once the listeners accept.
pub struct Ready {
    data: PathBuf,
    ca_file: PathBuf,
    client_files: (PathBuf, PathBuf),
    token: String,
    /// None where there is no hub.
    policies: Vec<PolicyEntry>,
    durability: Durability,
    output: Output,
}

/// Whom the server tells that it is ready.
#[derive(Clone, Copy)]
pub enum Output {
    /// A program: one line of JSON.
    Line,
    /// A person.
    Page,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    hub_connection_string: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<ReadyDevice>,
    #[serde(skip_serializing_if = "Policies::is_empty")]
    policies: Policies<'a>,
    client: ReadyClient<'a>,
}

#[derive(Serialize)]
struct ReadyDevice {
    id: String,
    key: String,
    connection_string: String,
}

/// By name, in the order of the file.
struct Policies<'a>(&'a [PolicyEntry]);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReadyKeys<'a> {
    primary_key: &'a str,
    secondary_key: &'a str,
}

#[derive(Serialize)]
struct ReadyClient<'a> {
    name: &'a str,
    cert_file: &'a Path,
    key_file: &'a Path,
}

impl Policies<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Policies<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|policy| {
            let PolicyEntry { name, primary_key, secondary_key, .. } = policy;
            (name, ReadyKeys { primary_key, secondary_key })
        }))
    }
}

impl Ready {
    /// What an identity has to tell; `policies` are the hub's.
    ///
    /// # Errors
    /// When the identity's key cannot sign a token.
    pub fn new(
        identity: &Identity,
        policies: Vec<PolicyEntry>,
        durability: Durability,
        output: Output,
    ) -> anyhow::Result<Self> {
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
            policies,
            durability,
            output,
        })
    }

    /// Tells it, and leaves the addresses for client verbs.
    ///
    /// # Errors
    /// When the profile cannot be written.
    pub fn tell(&self, endpoints: &Endpoints, device: Option<&FirstDevice>) -> anyhow::Result<()> {
        let mqtts = *endpoints.mqtts.first().context("no MQTT listener")?;
        let https = *endpoints.https.first().context("no HTTPS listener")?;
        let https = format!("https://{}", for_clients(https));
        let profile = ClientProfile { mqtts: for_clients(mqtts), https: https.clone() };
        profile.store(&self.data)?;
        let text = match self.output {
            Output::Line => self.line(endpoints, mqtts, &https, device)?,
            Output::Page => self.page(endpoints, mqtts, &https, device),
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
        device: Option<&FirstDevice>,
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
            hub_connection_string: self.hub_connection_string(https)?,
            device: device.map(ready_device).transpose()?,
            policies: Policies(&self.policies),
            client: ReadyClient {
                name: DEFAULT_CLIENT,
                cert_file: &self.client_files.0,
                key_file: &self.client_files.1,
            },
        };
        serde_json::to_string(&line).context("cannot write the ready line")
    }

    /// By the owner's policy, with the port: service SDKs take none otherwise.
    fn hub_connection_string(&self, https: &str) -> anyhow::Result<Option<String>> {
        let Some(owner) = self.policies.iter().find(|policy| policy.name == OWNER) else {
            return Ok(None);
        };
        let key = Key::from_base64(&owner.primary_key).context("the key of iothubowner")?;
        let credential = Credential::Key { policy: Some(OWNER.into()), key };
        let host = https.trim_start_matches("https://");
        Ok(Some(ConnectionString::new(host, Subject::Hub, credential)?.reveal()))
    }

    fn page(
        &self,
        endpoints: &Endpoints,
        mqtts: SocketAddr,
        https: &str,
        device: Option<&FirstDevice>,
    ) -> String {
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
        let gridhub = command_name();
        let hub = device.map_or_else(String::new, |FirstDevice { id, .. }| {
            format!(
                "\x20 {gridhub} twin patch{profile} {id} \
                 '{{\"properties\":{{\"desired\":{{\"interval\":10}}}}}}'\n\n\
                 \x20 {gridhub} method invoke{profile} {id} reboot --connect-timeout 5m\n\n"
            )
        });
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
             {hub}Ctrl-C stops it.",
            version = env!("CARGO_PKG_VERSION"),
            wss = websocket(https),
            client = DEFAULT_CLIENT,
        )
    }
}

fn ready_device(device: &FirstDevice) -> anyhow::Result<ReadyDevice> {
    let FirstDevice { id, key } = device;
    let credential = Credential::Key { policy: None, key: key.clone() };
    let text = ConnectionString::new(HOSTNAME, Subject::Device(id.clone()), credential)?;
    let (id, key) = (id.to_string(), key.to_base64());
    Ok(ReadyDevice { id, key, connection_string: text.reveal() })
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

const API_VERSION: &str = "2025-08-01-preview";
const OWNER: &str = "iothubowner";
/// A year: tests move the domain clock by days.
const TOKEN_TTL_S: u64 = 365 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::directory::DataDir;
    use hub::identity::DeviceId;

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
        let policies = identity.hub_policies().expect("policies");
        let device = FirstDevice {
            id: DeviceId::parse("device1").expect("id"),
            key: Key::generated(&[7; 32]),
        };
        let ready = Ready::new(&identity, policies, Durability::Memory, Output::Line);
        let ready = ready.expect("ready");
        let line =
            ready.line(&endpoints, endpoints.mqtts[0], "https://localhost:8443", Some(&device));
        let line = line.expect("line");
        let want = format!(
            r#"{{"ready":true,"pid":{},"version":"{}","namespace":"dev","hostname":"localhost","#,
            std::process::id(),
            env!("CARGO_PKG_VERSION"),
        );
        assert!(line.starts_with(&want), "{line}");
        let order = [
            "\"token\":",
            "\"hub_connection_string\":\"HostName=localhost:8443;SharedAccessKeyName=iothubowner;",
            "\"device\":{\"id\":\"device1\",\"key\":\"BwcH",
            "\"connection_string\":\"HostName=localhost;DeviceId=device1;SharedAccessKey=BwcH",
            "\"policies\":{\"iothubowner\":{\"primaryKey\":\"",
            "\"secondaryKey\":",
            "\"service\":{",
            "\"device\":{\"primaryKey\"",
            "\"registryRead\":",
            "\"registryReadWrite\":",
            "\"client\":{",
        ];
        let places: Vec<_> = order.iter().map(|part| line.find(part)).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?} {line}");
        let value: serde_json::Value = serde_json::from_str(&line).expect("json");
        assert_eq!(value["mqtts"], "127.0.0.1:8883");
        assert_eq!(value["https"], "https://localhost:8443");
        assert_eq!(value["wss"], "wss://localhost:8443/mqtt");
        assert_eq!(value["client"]["name"], "client1");
        assert!(!line.contains('\n'));
        ready.tell(&endpoints, None).expect("told");
        let profile = ClientProfile::load(identity.dir()).expect("profile").expect("there");
        assert_eq!(profile.mqtts, "localhost:8883");
        let page =
            |device| ready.page(&endpoints, endpoints.mqtts[0], "https://localhost:8443", device);
        assert!(page(None).contains("curl") && page(None).contains("Durability memory"));
        assert!(!page(None).contains("twin") && page(Some(&device)).contains("twin patch"));
    }

    #[test]
    fn without_a_hub_there_is_no_word_of_it() {
        let identity = Identity::prepare(DataDir::ephemeral().expect("dir"), 1_800_000_000);
        let ready =
            Ready::new(&identity.expect("identity"), Vec::new(), Durability::Memory, Output::Line);
        let mqtts = "127.0.0.1:8883".parse().expect("address");
        let line = ready.expect("ready").line(&Endpoints::default(), mqtts, "https://h:1", None);
        let line = line.expect("line");
        for absent in ["hub_connection_string", "device", "policies"] {
            assert!(!line.contains(absent), "{line}");
        }
    }
}
