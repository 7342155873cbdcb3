//! Holds docs/config.md and the code together: every key is described, and nothing else is.

use std::collections::BTreeSet;
use std::path::PathBuf;

use toml::Value;

use super::commands::CommandsConfig;
use super::connect::ConnectConfig;
use super::duration::Interval;
use super::endpoint::{EndpointEntry, EndpointKind};
use super::feedback::FeedbackConfig;
use super::hub::PolicyEntry;
use super::kafka::{Mechanism, RecordKey, Security};
use super::registry::*;
use super::telemetry::{EnrichmentEntry, RouteEntry, TelemetryConfig};
use super::throttles::{DeviceThrottles, HubThrottles};
use super::*;

/// A configuration with every key present. Without `..Default`: a new key does not compile here
/// until it is given a value, and then the test asks for its description.
fn everything() -> Config {
    let file = || Some(PathBuf::from("f"));
    let text = || Some("t".to_owned());
    Config {
        durability: Durability::Memory,
        data: file(),
        reactors: Some(1),
        process: ProcessConfig { memory_bytes_max: Some(1) },
        namespace: Namespace::default(),
        listeners: Listeners { mqtt: vec![], mqtts: vec![], https: vec![] },
        tls: Tls { cert_file: file(), key_file: file(), client_ca_files: vec![] },
        limits: LimitsConfig::default().effective(Profile::Open),
        http: HttpConfig::default().effective(Profile::Open),
        hub: Some(hub()),
        auth: auth(),
        sys: Sys { interval: Interval::Off },
        log: Log { format: LogFormat::Auto, level: LogLevel::Info },
        clients: vec![ClientEntry {
            name: String::new(),
            properties: ClientProperties {
                authentication_name: text(),
                state: ClientState::Enabled,
                client_certificate_authentication: CertificateAuthentication {
                    validation_scheme: ValidationScheme::ThumbprintMatch,
                    allowed_thumbprints: vec![],
                },
                attributes: [].into(),
                description: text(),
                provisioning_state: text(),
            },
        }],
        client_groups: vec![GroupEntry {
            name: String::new(),
            properties: GroupProperties {
                query: String::new(),
                description: text(),
                provisioning_state: text(),
            },
        }],
        topic_spaces: vec![TopicSpaceEntry {
            name: String::new(),
            properties: TopicSpaceProperties {
                topic_templates: vec![],
                description: text(),
                provisioning_state: text(),
            },
        }],
        permission_bindings: vec![BindingEntry {
            name: String::new(),
            properties: BindingProperties {
                client_group_name: String::new(),
                topic_space_name: String::new(),
                permission: Permission::Publisher,
                description: text(),
                provisioning_state: text(),
            },
        }],
    }
}

fn hub() -> HubConfig {
    HubConfig {
        hostnames: vec![],
        policies: vec![PolicyEntry {
            name: String::new(),
            rights: vec![],
            primary_key: String::new(),
            secondary_key: String::new(),
        }],
        disable_device_sas: false,
        disable_module_sas: false,
        fallback: true,
        telemetry: TelemetryConfig::default(),
        connect: ConnectConfig::default(),
        commands: CommandsConfig::default(),
        feedback: FeedbackConfig::default(),
        routes: vec![RouteEntry {
            name: String::new(),
            source: String::new(),
            condition: String::new(),
            endpoint: String::new(),
            enabled: true,
        }],
        endpoints: vec![endpoint()],
        enrichments: vec![EnrichmentEntry {
            key: String::new(),
            value: String::new(),
            endpoints: vec![],
        }],
        throttles: HubThrottles::default().effective(Profile::Open),
        device_throttles: DeviceThrottles::default(),
        twin_history_changes_max: 1,
        twin_history_bytes_max: 1,
    }
}

fn endpoint() -> EndpointEntry {
    let text = || Some(String::new());
    let duration = Some(HumanDuration::new(std::time::Duration::from_secs(1)));
    EndpointEntry {
        name: String::new(),
        kind: EndpointKind::File,
        batch_messages_max: Some(1),
        batch_wait: duration,
        attempts_max: Some(1),
        retry_wait_max: duration,
        dead_letters_bytes_max: Some(1),
        url: Some(String::new()),
        headers: Some([].into()),
        ca_file: Some(PathBuf::from("f")),
        timeout: duration,
        subject: text(),
        brokers: Some(vec![]),
        topic: text(),
        key: Some(RecordKey::Device),
        security: Some(Security::Plaintext),
        mechanism: Some(Mechanism::Plain),
        user: text(),
        password: text(),
        token: text(),
        path: Some(PathBuf::from("f")),
        rotate_bytes: Some(1),
        rotate_after: duration,
        keep_files: Some(1),
    }
}

fn auth() -> Auth {
    Auth {
        anonymous: Anonymous::Never,
        unregistered_certificates: Unregistered::Refuse,
        alternative_authentication_name_sources: vec![],
        token_leeway: TOKEN_LEEWAY,
        users: vec![User { name: String::new(), password_hash: String::new() }],
        issuers: vec![Issuer {
            issuer: String::new(),
            jwks_file: Some(PathBuf::from("f")),
            pem_file: Some(PathBuf::from("f")),
            audiences: vec![],
            principal_claims: principal_claims(),
            algorithms: algorithms(),
        }],
    }
}

/// Paths of all leaves; an empty table is a leaf, tables in arrays are stepped into.
fn keys(value: &Value, path: &str, out: &mut BTreeSet<String>) {
    match value {
        Value::Table(table) if !table.is_empty() => {
            for (key, value) in table {
                let step = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                keys(value, &step, out);
            }
        }
        Value::Array(items) if items.first().is_some_and(Value::is_table) => {
            keys(&items[0], &format!("{path}[]"), out);
        }
        _ => {
            out.insert(path.to_owned());
        }
    }
}

fn described() -> BTreeSet<String> {
    let rows = REFERENCE.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split_once('`')).map(|(key, _)| key.to_owned()).collect()
}

#[test]
fn every_key_is_described_and_nothing_else_is() {
    let mut real = BTreeSet::new();
    keys(&Value::try_from(everything()).expect("toml"), "", &mut real);
    let described = described();
    let missing: Vec<_> = real.difference(&described).collect();
    let stale: Vec<_> = described.difference(&real).collect();
    assert!(missing.is_empty(), "not in docs/config.md: {missing:?}");
    assert!(stale.is_empty(), "only in docs/config.md: {stale:?}");
}

#[test]
fn the_example_is_one_that_may_be_served() {
    let (_, rest) = REFERENCE.split_once("```toml\n").expect("an example");
    let (example, _) = rest.split_once("```").expect("an end");
    let config: Config = toml::from_str(example).expect("readable");
    assert_eq!(check::check(&config), []);
}

const REFERENCE: &str = include_str!("../../../../docs/config.md");
