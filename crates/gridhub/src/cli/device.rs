//! `gridhub device`: devices and modules of the hub. Owns flags and words; what becomes of a device
//! is the service API's.

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};
use hub::identity::IdentityId;
use hub::sas::{ConnectionString, Credential, Key, Subject};
use serde_json::{Value, json};

use super::http_client::Method;
use super::pretty::pretty;
use super::service::{Service, ServiceFlags, if_match, name, path};
use super::table::{lines, say, table};

/// What to do with devices. A module is named DEVICE/MODULE.
#[derive(Subcommand)]
pub enum Device {
    /// Register a device or a module
    Create(Create),
    /// Devices in order of their names
    List(List),
    /// One device or module, its keys included
    Show(Show),
    /// Change a device or module: what is not named stays
    Update(Update),
    /// Delete a device with its modules, or a module
    Delete(Delete),
    /// How a device or module connects
    ConnectionString(ConnectionText),
}

/// What an identity may be given.
#[derive(Args)]
pub struct Description {
    /// How it proves itself [default for a new one: sas]
    #[arg(long, value_enum)]
    auth: Option<Proof>,
    /// Primary key in base64 [default for a new one: a random one]
    #[arg(long, value_name = "KEY", requires = "secondary_key")]
    primary_key: Option<String>,
    /// Secondary key in base64
    #[arg(long, value_name = "KEY", requires = "primary_key")]
    secondary_key: Option<String>,
    /// SHA-1 or SHA-256 of its certificate, with --auth self-signed; may be there twice
    #[arg(long, value_name = "HEX")]
    thumbprint: Vec<String>,
    /// Whether it may connect
    #[arg(long, value_enum)]
    status: Option<Status>,
    /// Why it may or may not
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Whether it is an edge device
    #[arg(long, value_name = "true|false")]
    edge: Option<bool>,
}

/// `--auth`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Proof {
    Sas,
    SelfSigned,
    Ca,
    None,
}

/// `--status`.
#[derive(Clone, Copy, ValueEnum)]
pub enum Status {
    Enabled,
    Disabled,
}

/// A new one.
#[derive(Args)]
pub struct Create {
    /// DEVICE or DEVICE/MODULE
    #[arg(value_parser = name)]
    name: IdentityId,
    #[command(flatten)]
    description: Description,
    /// Print it as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

/// All devices.
#[derive(Args)]
pub struct List {
    /// At most so many
    #[arg(long, value_name = "N", default_value = "1000")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    top: u32,
    /// Modules of this device instead
    #[arg(long, value_name = "DEVICE", value_parser = name)]
    modules_of: Option<IdentityId>,
    /// Print one line of JSON a device
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

/// One, to look at.
#[derive(Args)]
pub struct Show {
    /// DEVICE or DEVICE/MODULE
    #[arg(value_parser = name)]
    name: IdentityId,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

/// One, to change.
#[derive(Args)]
pub struct Update {
    /// DEVICE or DEVICE/MODULE
    #[arg(value_parser = name)]
    name: IdentityId,
    #[command(flatten)]
    description: Description,
    /// Make new keys
    #[arg(long, conflicts_with_all = ["primary_key", "thumbprint"])]
    new_keys: bool,
    /// Print it as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

/// One, to delete.
#[derive(Args)]
pub struct Delete {
    /// DEVICE or DEVICE/MODULE
    #[arg(value_parser = name)]
    name: IdentityId,
    /// Only in the state of this etag
    #[arg(long, value_name = "ETAG")]
    if_match: Option<String>,
    #[command(flatten)]
    service: ServiceFlags,
}

/// One, to connect as.
#[derive(Args)]
pub struct ConnectionText {
    /// DEVICE or DEVICE/MODULE
    #[arg(value_parser = name)]
    name: IdentityId,
    /// With the secondary key
    #[arg(long)]
    secondary: bool,
    /// Print it as one line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    service: ServiceFlags,
}

impl Device {
    /// Asks the hub and prints what it says on stdout.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create(verb) => verb.run(),
            Self::List(verb) => verb.run(),
            Self::Show(Show { name, json, service }) => {
                let document =
                    service.resolve()?.ask(Method::Get, &of(&name), &[], None)?.bytes()?;
                say(&if json { super::pretty::line(&document)? } else { pretty(&document)? })
            }
            Self::Update(verb) => verb.run(),
            Self::Delete(Delete { name, if_match: etag, service }) => {
                let headers = [("if-match", &*if_match(etag.as_deref()))];
                service.resolve()?.ask(Method::Delete, &of(&name), &headers, None)?;
                eprintln!("deleted {name}");
                Ok(())
            }
            Self::ConnectionString(verb) => verb.run(),
        }
    }
}

impl Create {
    fn run(self) -> anyhow::Result<()> {
        let mut document = json!({ "deviceId": self.name.device.as_str() });
        if let Some(module) = &self.name.module {
            document["moduleId"] = json!(module.as_str());
        }
        self.description.put_into(&mut document);
        let body = document.to_string();
        let service = self.service.resolve()?;
        let answer = service.ask(Method::Put, &of(&self.name), &[], Some(body.as_bytes()))?;
        told("created", &self.name, self.json, &answer.bytes()?)
    }
}

impl List {
    fn run(self) -> anyhow::Result<()> {
        let service = self.service.resolve()?;
        let path = match &self.modules_of {
            Some(device) => format!("{}/modules", of(device)),
            None => format!("{DEVICES}?top={}", self.top),
        };
        let all = service.ask(Method::Get, &path, &[], None)?.json()?;
        let all = all.as_array().context("an answer that is no list")?;
        if self.json {
            return say(&lines(all));
        }
        let mut all = all.clone();
        for one in all.iter_mut().filter(|one| one[ACTIVITY] == NEVER) {
            one[ACTIVITY] = json!("never");
        }
        say(&match &self.modules_of {
            None => table(&DEVICE_COLUMNS, &all),
            Some(_) => table(&MODULE_COLUMNS, &all),
        })
    }
}

impl Update {
    fn run(self) -> anyhow::Result<()> {
        let service = self.service.resolve()?;
        let mut document = read(&service, &self.name)?;
        self.description.put_into(&mut document);
        if self.new_keys {
            document["authentication"]["symmetricKey"] = Value::Null;
        }
        // What somebody else has changed meanwhile is not overwritten.
        let etag = if_match(document["etag"].as_str());
        let (headers, body) = ([("if-match", &*etag)], document.to_string());
        let answer = service.ask(Method::Put, &of(&self.name), &headers, Some(body.as_bytes()))?;
        told("updated", &self.name, self.json, &answer.bytes()?)
    }
}

impl ConnectionText {
    fn run(self) -> anyhow::Result<()> {
        let service = self.service.resolve()?;
        let document = read(&service, &self.name)?;
        let proof = &document["authentication"];
        let credential = match proof["type"].as_str() {
            Some("sas") => {
                let which = if self.secondary { "secondaryKey" } else { "primaryKey" };
                let key =
                    proof["symmetricKey"][which].as_str().context("an answer without keys")?;
                Credential::Key { policy: None, key: Key::from_base64(key)? }
            }
            Some("selfSigned" | "certificateAuthority") => Credential::X509,
            _ => bail!("{} has no proof of its own; it connects by a policy's token", self.name),
        };
        let subject = match (self.name.device, self.name.module) {
            (device, None) => Subject::Device(device),
            (device, Some(module)) => Subject::Module(device, module),
        };
        let text = ConnectionString::new(service.host(), subject, credential)?.reveal();
        say(&match self.json {
            true => format!("{}\n", json!({ "connectionString": text })),
            false => format!("{text}\n"),
        })
    }
}

impl Description {
    /// Says it in the words of the service API; what is not given stays as it is there.
    fn put_into(&self, document: &mut Value) {
        let proof = match (self.auth, &self.primary_key, self.thumbprint.is_empty()) {
            (Some(proof), ..) => Some(proof),
            (None, Some(_), _) => Some(Proof::Sas),
            (None, None, false) => Some(Proof::SelfSigned),
            (None, None, true) => None,
        };
        if let Some(proof) = proof {
            document["authentication"] = self.authentication(proof, &document["authentication"]);
        }
        if let Some(status) = self.status {
            document["status"] = json!(match status {
                Status::Enabled => "enabled",
                Status::Disabled => "disabled",
            });
        }
        if let Some(reason) = &self.reason {
            document["statusReason"] = json!(reason);
        }
        if let Some(edge) = self.edge {
            document["capabilities"] = json!({ "iotEdge": edge });
        }
    }

    /// What is given, and the same kind's own of before where nothing is.
    fn authentication(&self, proof: Proof, before: &Value) -> Value {
        let word = match proof {
            Proof::Sas => "sas",
            Proof::SelfSigned => "selfSigned",
            Proof::Ca => "certificateAuthority",
            Proof::None => "none",
        };
        let mut authentication = json!({ "type": word });
        let same = before["type"] == word;
        match (&self.primary_key, &self.secondary_key) {
            (Some(primary), Some(secondary)) => {
                authentication["symmetricKey"] =
                    json!({ "primaryKey": primary, "secondaryKey": secondary });
            }
            _ if same => authentication["symmetricKey"] = before["symmetricKey"].clone(),
            _ => {}
        }
        if let [primary, rest @ ..] = &self.thumbprint[..] {
            authentication["x509Thumbprint"] =
                json!({ "primaryThumbprint": primary, "secondaryThumbprint": rest.first() });
        } else if same {
            authentication["x509Thumbprint"] = before["x509Thumbprint"].clone();
        }
        authentication
    }
}

fn read(service: &Service, name: &IdentityId) -> anyhow::Result<Value> {
    service.ask(Method::Get, &of(name), &[], None)?.json()
}

fn told(what: &str, name: &IdentityId, json: bool, document: &[u8]) -> anyhow::Result<()> {
    if json {
        return say(&super::pretty::line(document)?);
    }
    eprintln!("{what} {name}; `gridhub device connection-string {name}` prints how it connects");
    Ok(())
}

fn of(name: &IdentityId) -> String {
    path(DEVICES, name)
}

const DEVICES: &str = "/devices";
const ACTIVITY: &str = "lastActivityTime";
const NEVER: &str = "0001-01-01T00:00:00Z";
const DEVICE_COLUMNS: [(&str, &str); 5] = [
    ("DEVICE", "/deviceId"),
    ("STATUS", "/status"),
    ("AUTH", "/authentication/type"),
    ("CONNECTION", "/connectionState"),
    ("LAST ACTIVITY", "/lastActivityTime"),
];
const MODULE_COLUMNS: [(&str, &str); 5] = [
    ("DEVICE", "/deviceId"),
    ("MODULE", "/moduleId"),
    ("AUTH", "/authentication/type"),
    ("CONNECTION", "/connectionState"),
    ("LAST ACTIVITY", "/lastActivityTime"),
];
