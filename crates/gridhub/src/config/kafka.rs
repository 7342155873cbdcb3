//! Kafka endpoints of `[[hub.endpoints]]`: the spelling of what only they have, and what is
//! refused. Refuses to know how records get to a topic; without feature `kafka` none do.

use serde::{Deserialize, Serialize};

/// What a record's key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordKey {
    /// The id of the device: a device's records are in one partition.
    Device,
    /// It has none: each may be in any partition.
    None,
}

/// What is spoken with brokers, as Kafka calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// Neither TLS nor a log-in.
    Plaintext,
    /// TLS.
    Ssl,
    /// A log-in.
    SaslPlaintext,
    /// Both.
    SaslSsl,
}

/// How a log-in is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mechanism {
    /// The password itself.
    #[serde(rename = "PLAIN")]
    Plain,
    /// A proof of it.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// A proof of it.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

#[cfg(feature = "kafka")]
pub use checked::settings;

#[cfg(feature = "kafka")]
mod checked {
    use super::super::endpoint::EndpointEntry;
    use super::super::mistake::Mistake;
    use super::{Mechanism, RecordKey, Security};
    use crate::outlet::{KafkaLogin, KafkaSettings};
    use hyper::http::uri::Authority;

    /// An endpoint of this kind, as whoever delivers there takes it.
    ///
    /// # Errors
    /// The first mistake, by the key within the entry.
    pub fn settings(entry: &EndpointEntry) -> Result<KafkaSettings, Mistake> {
        let security = entry.security.unwrap_or(Security::Plaintext);
        if security.has_tls() && !HAS_TLS {
            return Err(Mistake::new("security", format!("TLS: {NO_TLS}")));
        }
        if entry.ca_file.is_some() && !security.has_tls() {
            let message = "only security = \"ssl\" or \"sasl_ssl\" asks for authorities";
            return Err(Mistake::new("ca_file", message));
        }
        Ok(KafkaSettings {
            brokers: brokers(entry)?,
            topic: topic(entry)?,
            has_keys: entry.key.unwrap_or(RecordKey::Device) == RecordKey::Device,
            security: security.name(),
            login: login(entry, security)?,
            ca_file: entry.ca_file.clone(),
            has_tls: security.has_tls(),
            timeout: entry.time()?,
        })
    }

    fn brokers(entry: &EndpointEntry) -> Result<Vec<String>, Mistake> {
        let wrong = || Mistake::new("brokers", "write [\"host:9092\"], without a scheme");
        let brokers = entry.brokers.as_deref().unwrap_or_default();
        let is_broker = |text: &String| {
            let read = text.parse::<Authority>().ok();
            read.is_some_and(|at| !at.host().is_empty() && !at.as_str().contains(['@', ',']))
        };
        match !brokers.is_empty() && brokers.iter().all(is_broker) {
            true => Ok(brokers.to_vec()),
            false => Err(wrong()),
        }
    }

    fn topic(entry: &EndpointEntry) -> Result<String, Mistake> {
        let topic = entry.topic.as_deref().unwrap_or_default();
        let is_legal = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        let is_topic = (1..=TOPIC_BYTES_MAX).contains(&topic.len())
            && topic.bytes().all(is_legal)
            && ![".", ".."].contains(&topic);
        if !is_topic {
            let message = "name a topic: 1 to 249 letters, digits, '.', '_' and '-'";
            return Err(Mistake::new("topic", message));
        }
        Ok(topic.to_owned())
    }

    fn login(entry: &EndpointEntry, security: Security) -> Result<Option<KafkaLogin>, Mistake> {
        if !security.has_login() {
            for (key, is_there) in [
                ("mechanism", entry.mechanism.is_some()),
                ("user", entry.user.is_some()),
                ("password", entry.password.is_some()),
            ] {
                if is_there {
                    let message = "only security = \"sasl_plaintext\" or \"sasl_ssl\" asks for it";
                    return Err(Mistake::new(key, message));
                }
            }
            return Ok(None);
        }
        let mechanism = entry.mechanism.unwrap_or(Mechanism::Plain);
        if mechanism != Mechanism::Plain && !HAS_TLS {
            return Err(Mistake::new("mechanism", format!("SCRAM: {NO_TLS}")));
        }
        let needed = |key, value: &Option<String>| {
            value.clone().ok_or_else(|| Mistake::new(key, "a log-in needs it"))
        };
        Ok(Some(KafkaLogin {
            mechanism: mechanism.name(),
            user: needed("user", &entry.user)?,
            password: needed("password", &entry.password)?,
        }))
    }

    impl Security {
        fn name(self) -> &'static str {
            match self {
                Self::Plaintext => "plaintext",
                Self::Ssl => "ssl",
                Self::SaslPlaintext => "sasl_plaintext",
                Self::SaslSsl => "sasl_ssl",
            }
        }

        fn has_tls(self) -> bool {
            matches!(self, Self::Ssl | Self::SaslSsl)
        }

        fn has_login(self) -> bool {
            matches!(self, Self::SaslPlaintext | Self::SaslSsl)
        }
    }

    impl Mechanism {
        fn name(self) -> &'static str {
            match self {
                Self::Plain => "PLAIN",
                Self::ScramSha256 => "SCRAM-SHA-256",
                Self::ScramSha512 => "SCRAM-SHA-512",
            }
        }
    }

    const HAS_TLS: bool = cfg!(feature = "kafka-tls");
    const NO_TLS: &str = "this build's Kafka has none; build one that has: `cargo build --release \
                          --features kafka-tls`";
    const TOPIC_BYTES_MAX: usize = 249;
}

#[cfg(test)]
mod tests {
    use super::super::endpoint::EndpointEntry;

    /// The key of the first mistake.
    fn wrong(rest: &str) -> Option<String> {
        let text = format!("name = \"e\"\nkind = \"kafka\"\n{rest}");
        let entry: EndpointEntry = toml::from_str(&text).expect("readable");
        entry.settings().err().map(|mistake| mistake.path)
    }

    /// Whatever else is wrong with it.
    #[cfg(not(feature = "kafka"))]
    #[test]
    fn a_build_without_kafka_refuses_the_kind() {
        for rest in ["", "brokers = [\"h:9092\"]\ntopic = \"t\"", "subject = \"s\""] {
            assert_eq!(wrong(rest).as_deref(), Some("kind"), "{rest}");
        }
    }

    #[cfg(feature = "kafka")]
    #[test]
    fn what_cannot_work_is_refused_at_its_key() {
        let has_tls = cfg!(feature = "kafka-tls");
        let tls = |key| if has_tls { None } else { Some(key) };
        let login = "user = \"u\"\npassword = \"p\"";
        for (more, key) in [
            ("", None),
            ("key = \"none\"\ntimeout = \"5s\"", None),
            ("security = \"plaintext\"", None),
            ("subject = \"a\"", Some("subject")),
            ("url = \"nats://h\"", Some("url")),
            ("user = \"u\"", Some("user")),
            ("password = \"p\"", Some("password")),
            ("mechanism = \"PLAIN\"", Some("mechanism")),
            ("ca_file = \"f\"", Some("ca_file")),
            ("security = \"sasl_plaintext\"", Some("user")),
            ("security = \"sasl_plaintext\"\nuser = \"u\"", Some("password")),
            (&format!("security = \"sasl_plaintext\"\n{login}"), None),
            ("security = \"ssl\"\nca_file = \"f\"", tls("security")),
            (&format!("security = \"sasl_ssl\"\n{login}"), tls("security")),
            (
                &format!("security = \"sasl_plaintext\"\nmechanism = \"SCRAM-SHA-256\"\n{login}"),
                tls("mechanism"),
            ),
            ("timeout = \"6m\"", Some("timeout")),
        ] {
            let text = format!("brokers = [\"h:9092\", \"10.0.0.1\"]\ntopic = \"t.a_b-c\"\n{more}");
            assert_eq!(wrong(&text).as_deref(), key, "{text}");
        }
        for brokers in ["", "brokers = []", "brokers = [\"kafka://h\"]", "brokers = [\"a,b\"]"] {
            assert_eq!(wrong(&format!("topic = \"t\"\n{brokers}")).as_deref(), Some("brokers"));
        }
        for topic in ["", "topic = \"\"", "topic = \"..\"", "topic = \"a b\"", "topic = \"a/b\""] {
            let text = format!("brokers = [\"h\"]\n{topic}");
            assert_eq!(wrong(&text).as_deref(), Some("topic"), "{topic}");
        }
    }
}
