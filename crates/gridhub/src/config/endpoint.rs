//! `[[hub.endpoints]]`: where routes may send messages besides the built-in endpoint (iot-hub B5).
//! Owns their spelling and what is refused; refuses to know how messages get there.

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::duration::HumanDuration;
use super::kafka::{Mechanism, RecordKey, Security};
use super::mistake::Mistake;
use crate::outlet::{
    FileSettings, Login, NatsSettings, OutletSettings, Patience, SinkSettings, WebhookSettings,
};

/// An endpoint. What is absent has the default of its kind.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointEntry {
    /// 1 to 64 letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// What it is; says which of the other keys it has.
    pub kind: EndpointKind,
    /// Messages of one batch.
    pub batch_messages_max: Option<usize>,
    /// How long a message waits for others.
    pub batch_wait: Option<HumanDuration>,
    /// After so many attempts a batch goes to the dead letters; 0 = it is tried for ever.
    pub attempts_max: Option<u32>,
    /// The longest time between two attempts.
    pub retry_wait_max: Option<HumanDuration>,
    /// Bytes of dead letters.
    pub dead_letters_bytes_max: Option<u64>,
    /// Webhook: `https://host/path`; NATS: `nats://host:4222`, `tls://host:4222`.
    pub url: Option<String>,
    /// Webhook: more headers of each request. Their values are secrets.
    pub headers: Option<BTreeMap<String, String>>,
    /// Not file: authorities besides the system's (PEM).
    pub ca_file: Option<PathBuf>,
    /// Not file: how long one batch may take.
    pub timeout: Option<HumanDuration>,
    /// NATS: the subject.
    pub subject: Option<String>,
    /// Kafka: `host:9092`, at least one of the cluster.
    pub brokers: Option<Vec<String>>,
    /// Kafka: the topic.
    pub topic: Option<String>,
    /// Kafka: what a record's key is.
    pub key: Option<RecordKey>,
    /// Kafka: what is spoken.
    pub security: Option<Security>,
    /// Kafka: how SASL tells who we are.
    pub mechanism: Option<Mechanism>,
    /// NATS, Kafka: who we are.
    pub user: Option<String>,
    /// NATS, Kafka: a secret.
    pub password: Option<String>,
    /// NATS: instead of a user; a secret.
    pub token: Option<String>,
    /// File: the directory.
    pub path: Option<PathBuf>,
    /// File: a file that has so many bytes is followed by another.
    pub rotate_bytes: Option<u64>,
    /// File: so is one that is so old.
    pub rotate_after: Option<HumanDuration>,
    /// File: so many files are kept; 0 = all.
    pub keep_files: Option<usize>,
}

/// What an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointKind {
    /// HTTP requests.
    Webhook,
    /// Lines of JSON in files.
    File,
    /// A NATS JetStream subject.
    Nats,
    /// A Kafka topic.
    Kafka,
}

/// Without what may be secret.
impl std::fmt::Debug for EndpointEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EndpointEntry({}: {:?})", self.name, self.kind)
    }
}

impl EndpointKind {
    fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::File => "file",
            Self::Nats => "nats",
            Self::Kafka => "kafka",
        }
    }
}

impl EndpointEntry {
    /// Makes relative paths relative to the directory of the configuration.
    pub fn resolve_paths(&mut self, base: &Path) {
        let resolve = |path: &mut PathBuf| *path = base.join(&*path);
        self.ca_file.iter_mut().for_each(resolve);
        self.path.iter_mut().for_each(resolve);
    }

    /// Replaces what is secret.
    pub fn mask(&mut self, mask: &str) {
        let secrets = self.password.iter_mut().chain(&mut self.token);
        let all = secrets.chain(self.headers.iter_mut().flatten().map(|(_, value)| value));
        all.for_each(|value| *value = mask.to_owned());
    }

    /// As whoever delivers there takes it.
    ///
    /// # Errors
    /// The first mistake, by the key within this entry.
    pub fn settings(&self) -> Result<OutletSettings, Mistake> {
        if self.kind == EndpointKind::Kafka && !cfg!(feature = "kafka") {
            return Err(Mistake::new("kind", NO_KAFKA));
        }
        self.check_kind()?;
        let (messages_max, bytes_max) = match self.kind {
            EndpointKind::Webhook | EndpointKind::Nats => (100, 1 << 20),
            EndpointKind::File | EndpointKind::Kafka => (1_000, 4 << 20),
        };
        let retry_wait_max = duration(self.retry_wait_max, 60_000);
        let settings = OutletSettings {
            name: self.name.clone(),
            batch_messages_max: self.batch_messages_max.unwrap_or(messages_max),
            batch_bytes_max: bytes_max,
            batch_wait: duration(self.batch_wait, 100),
            patience: Patience {
                attempts_max: self.attempts_max.unwrap_or(match self.kind {
                    EndpointKind::File => 0,
                    _ => 30,
                }),
                wait_max: retry_wait_max,
            },
            dead_letters_bytes_max: self.dead_letters_bytes_max.unwrap_or(64 << 20),
            sink: match self.kind {
                EndpointKind::Webhook => SinkSettings::Webhook(self.webhook()?),
                EndpointKind::Nats => SinkSettings::Nats(self.nats()?),
                EndpointKind::File => SinkSettings::File(self.file()?),
                #[cfg(feature = "kafka")]
                EndpointKind::Kafka => SinkSettings::Kafka(super::kafka::settings(self)?),
                #[cfg(not(feature = "kafka"))]
                EndpointKind::Kafka => return Err(Mistake::new("kind", NO_KAFKA)),
            },
        };
        let in_range = |key, value: u128, (from, to): (u128, u128), shown: &str| {
            let message = || format!("must be {shown}");
            if (from..=to).contains(&value) { Ok(()) } else { Err(Mistake::new(key, message())) }
        };
        let messages = settings.batch_messages_max as u128;
        in_range("batch_messages_max", messages, (1, 10_000), "1 to 10000")?;
        let wait = settings.batch_wait.as_millis();
        in_range("batch_wait", wait, (0, 60_000), "0s to 1m")?;
        in_range("retry_wait_max", retry_wait_max.as_millis(), (1_000, DAY_MS), "1s to 1d")?;
        let bytes = u128::from(settings.dead_letters_bytes_max);
        in_range("dead_letters_bytes_max", bytes, (1 << 20, 1 << 40), "at least 1048576")?;
        Ok(settings)
    }

    /// A key of another kind would be ignored.
    fn check_kind(&self) -> Result<(), Mistake> {
        use EndpointKind::{File, Kafka, Nats, Webhook};
        for (key, is_there, kinds) in [
            ("url", self.url.is_some(), &[Webhook, Nats][..]),
            ("headers", self.headers.is_some(), &[Webhook]),
            ("ca_file", self.ca_file.is_some(), &[Webhook, Nats, Kafka]),
            ("timeout", self.timeout.is_some(), &[Webhook, Nats, Kafka]),
            ("subject", self.subject.is_some(), &[Nats]),
            ("brokers", self.brokers.is_some(), &[Kafka]),
            ("topic", self.topic.is_some(), &[Kafka]),
            ("key", self.key.is_some(), &[Kafka]),
            ("security", self.security.is_some(), &[Kafka]),
            ("mechanism", self.mechanism.is_some(), &[Kafka]),
            ("user", self.user.is_some(), &[Nats, Kafka]),
            ("password", self.password.is_some(), &[Nats, Kafka]),
            ("token", self.token.is_some(), &[Nats]),
            ("path", self.path.is_some(), &[File]),
            ("rotate_bytes", self.rotate_bytes.is_some(), &[File]),
            ("rotate_after", self.rotate_after.is_some(), &[File]),
            ("keep_files", self.keep_files.is_some(), &[File]),
        ] {
            if is_there && !kinds.contains(&self.kind) {
                let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
                let (own, others) = (self.kind.name(), names.join(" and "));
                let message = format!("kind {own} has none; only {others} has");
                return Err(Mistake::new(key, message));
            }
        }
        Ok(())
    }

    fn webhook(&self) -> Result<WebhookSettings, Mistake> {
        let text = self.url.as_deref().ok_or_else(|| {
            Mistake::new("url", "a webhook needs one; write \"https://host/path\"")
        })?;
        let url = text.parse::<Uri>().ok().filter(is_url).ok_or_else(|| {
            Mistake::new("url", "is no URL; write \"https://host/path\", without user and password")
        })?;
        let mut headers = Vec::new();
        for (name, value) in self.headers.iter().flatten() {
            let wrong = |why: &str| Mistake::new("headers", format!("'{name}': {why}"));
            let read = name.parse::<HeaderName>().map_err(|_| wrong("this is no header"))?;
            if OURS.contains(&read.as_str()) {
                return Err(wrong("the server sets this header itself"));
            }
            let mut value = value
                .parse::<HeaderValue>()
                .map_err(|_| wrong("its value has characters that no header may have"))?;
            value.set_sensitive(true);
            headers.push((read, value));
        }
        Ok(WebhookSettings { url, headers, ca_file: self.ca_file.clone(), timeout: self.time()? })
    }

    fn nats(&self) -> Result<NatsSettings, Mistake> {
        let wrong = || Mistake::new("url", "write \"nats://host:4222\" or \"tls://host:4222\"");
        let url = self.url.as_deref().ok_or_else(wrong)?;
        let url = url.parse::<Uri>().ok().filter(has_host).ok_or_else(wrong)?;
        let tls = match url.scheme_str() {
            Some("nats") => false,
            Some("tls") => true,
            _ => return Err(wrong()),
        };
        let host = url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let subject = self.subject.clone().unwrap_or_default();
        // A wildcard is for those who listen.
        let is_token = |token: &str| {
            !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic() && !b"*>".contains(&b))
        };
        if !subject.split('.').all(is_token) || subject.len() > SUBJECT_BYTES_MAX {
            let message = "name the subject of a stream, such as \"telemetry.plant1\"";
            return Err(Mistake::new("subject", message));
        }
        let port = url.port_u16().unwrap_or(NATS_PORT);
        let (ca_file, timeout, login) = (self.ca_file.clone(), self.time()?, self.login()?);
        Ok(NatsSettings { host, port, tls, subject, login, ca_file, timeout })
    }

    fn login(&self) -> Result<Login, Mistake> {
        match (&self.user, &self.password, &self.token) {
            (None, None, None) => Ok(Login::Nobody),
            (None, None, Some(token)) => Ok(Login::Token(token.clone())),
            (Some(user), Some(password), None) => Ok(Login::User(user.clone(), password.clone())),
            (_, _, Some(_)) => Err(Mistake::new("token", "give it or a user, not both")),
            (Some(_), None, None) => Err(Mistake::new("user", "it needs a password")),
            (None, Some(_), None) => Err(Mistake::new("password", "it needs a user")),
        }
    }

    /// How long a batch may take.
    pub fn time(&self) -> Result<Duration, Mistake> {
        let time = duration(self.timeout, 30_000);
        match (Duration::from_secs(1)..=Duration::from_secs(300)).contains(&time) {
            true => Ok(time),
            false => Err(Mistake::new("timeout", "must be 1s to 5m")),
        }
    }

    fn file(&self) -> Result<FileSettings, Mistake> {
        let directory = self.path.clone().ok_or_else(|| {
            Mistake::new("path", "a file endpoint needs the directory of its files")
        })?;
        let rotate_bytes = self.rotate_bytes.unwrap_or(64 << 20);
        if rotate_bytes < 1 << 16 {
            return Err(Mistake::new("rotate_bytes", "must be at least 65536"));
        }
        let rotate_after = duration(self.rotate_after, 3_600_000);
        if rotate_after < Duration::from_secs(1) {
            return Err(Mistake::new("rotate_after", "must be at least 1s"));
        }
        Ok(FileSettings {
            directory,
            rotate_bytes,
            rotate_after_ms: u64::try_from(rotate_after.as_millis()).unwrap_or(u64::MAX),
            keep_files: self.keep_files.unwrap_or(0),
        })
    }
}

/// All endpoints, checked.
///
/// # Errors
/// The first mistake, at its key.
pub fn settings(entries: &[EndpointEntry]) -> Result<Vec<OutletSettings>, Mistake> {
    let mut all: Vec<OutletSettings> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let here = |wrong: Mistake| Mistake {
            path: format!("{ENDPOINTS}[{at}].{}", wrong.path),
            message: wrong.message,
        };
        let one = entry.settings().map_err(here)?;
        if let SinkSettings::File(file) = &one.sink
            && all.iter().any(|other| other.sink.is_in(&file.directory))
        {
            let message = "another endpoint writes there; each needs a directory of its own";
            return Err(here(Mistake::new("path", message)));
        }
        all.push(one);
    }
    Ok(all)
}

fn is_url(url: &Uri) -> bool {
    matches!(url.scheme_str(), Some("http" | "https")) && has_host(url)
}

/// And no user and password.
fn has_host(url: &Uri) -> bool {
    url.authority().is_some_and(|a| !a.host().is_empty() && !a.as_str().contains('@'))
}

fn duration(given: Option<HumanDuration>, default_ms: u64) -> Duration {
    given.map_or(Duration::from_millis(default_ms), HumanDuration::get)
}

/// The entries' key.
pub const ENDPOINTS: &str = "hub.endpoints";
/// Headers that say what we do.
const OURS: [&str; 6] =
    ["connection", "content-length", "content-type", "host", "transfer-encoding", "upgrade"];
const NO_KAFKA: &str = "this build has no kafka; build one that has: `cargo build --release \
                        --features kafka`, or kafka-tls where the brokers ask for TLS";
const NATS_PORT: u16 = 4222;
const SUBJECT_BYTES_MAX: usize = 256;
const DAY_MS: u128 = 86_400_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(rest: &str) -> EndpointEntry {
        toml::from_str(&format!("name = \"e\"\n{rest}")).expect("readable")
    }

    #[test]
    fn what_cannot_work_is_refused_at_its_key() {
        let hook = "kind = \"webhook\"\nurl = \"https://h/p\"\n";
        let file = "kind = \"file\"\npath = \"d\"\n";
        let nats = "kind = \"nats\"\nurl = \"nats://h\"\nsubject = \"a.b\"\n";
        for (start, more, key) in [
            (hook, "", None),
            (hook, "headers.Authorization = \"Bearer x\"\ntimeout = \"5s\"", None),
            (hook, "attempts_max = 0\nbatch_wait = \"0s\"", None),
            (file, "rotate_bytes = 65536\nrotate_after = \"1s\"\nkeep_files = 3", None),
            ("kind = \"webhook\"\n", "", Some("url")),
            ("kind = \"webhook\"\n", "url = \"h/p\"", Some("url")),
            ("kind = \"webhook\"\n", "url = \"ftp://h/p\"", Some("url")),
            ("kind = \"webhook\"\n", "url = \"https://u:p@h/p\"", Some("url")),
            ("kind = \"file\"\n", "", Some("path")),
            (hook, "path = \"d\"", Some("path")),
            (file, "url = \"https://h/\"", Some("url")),
            (hook, "headers.Host = \"h\"", Some("headers")),
            (hook, "headers.\"a b\" = \"h\"", Some("headers")),
            (hook, "headers.a = \"x\\ny\"", Some("headers")),
            (hook, "timeout = \"6m\"", Some("timeout")),
            (hook, "batch_messages_max = 0", Some("batch_messages_max")),
            (hook, "batch_wait = \"2m\"", Some("batch_wait")),
            (hook, "retry_wait_max = \"10ms\"", Some("retry_wait_max")),
            (hook, "dead_letters_bytes_max = 9", Some("dead_letters_bytes_max")),
            (nats, "", None),
            (nats, "token = \"t\"\nca_file = \"f\"", None),
            (nats, "user = \"u\"\npassword = \"p\"", None),
            (nats, "user = \"u\"", Some("user")),
            (nats, "password = \"p\"", Some("password")),
            (nats, "user = \"u\"\npassword = \"p\"\ntoken = \"t\"", Some("token")),
            (nats, "headers.a = \"b\"", Some("headers")),
            ("kind = \"nats\"\nsubject = \"a\"\n", "url = \"https://h\"", Some("url")),
            ("kind = \"nats\"\nsubject = \"a\"\n", "url = \"nats://u:p@h\"", Some("url")),
            ("kind = \"nats\"\nurl = \"nats://h\"\n", "", Some("subject")),
            ("kind = \"nats\"\nurl = \"nats://h\"\n", "subject = \"a.*\"", Some("subject")),
            ("kind = \"nats\"\nurl = \"nats://h\"\n", "subject = \"a b\"", Some("subject")),
            (hook, "subject = \"a\"", Some("subject")),
            (file, "topic = \"t\"", Some("topic")),
            (nats, "brokers = []", Some("brokers")),
            (file, "rotate_bytes = 9", Some("rotate_bytes")),
            (file, "rotate_after = \"1ms\"", Some("rotate_after")),
        ] {
            let text = format!("{start}{more}");
            let found = entry(&text).settings().err().map(|mistake| mistake.path);
            assert_eq!(found.as_deref(), key, "{text}");
        }
        let both = [entry(file), entry(file)];
        let twice = settings(&both).err().map(|mistake| mistake.path);
        assert_eq!(twice.as_deref(), Some("hub.endpoints[1].path"));
    }

    #[test]
    fn secrets_are_not_shown() {
        let text = "kind = \"webhook\"\nurl = \"https://h\"\nheaders.Authorization = \"secret\"";
        let mut entry = entry(text);
        assert!(!format!("{entry:?}").contains("secret"));
        entry.mask("(masked)");
        assert_eq!(entry.headers.expect("some")["Authorization"], "(masked)");
    }
}
