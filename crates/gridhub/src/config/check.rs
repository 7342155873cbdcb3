//! Mistakes of meaning: what is readable but cannot work or would not be safe. Every one at its
//! key path. Reads no other file; files are read by those who need them.

use std::collections::HashSet;
use std::net::SocketAddr;

use super::mistake::{Mistake, nearest};
use super::{Anonymous, Config, Profile, http, hub, limits, process, registry_check};
use crate::auth::password;

/// Everything wrong with the configuration; empty when it can be served.
pub fn check(config: &Config) -> Vec<Mistake> {
    let mut mistakes = Vec::new();
    server(config, &mut mistakes);
    listeners(config, &mut mistakes);
    tls(config, &mut mistakes);
    process::check(&config.process, &mut mistakes);
    limits::check(&config.limits, config.namespace.profile, &mut mistakes);
    let limits = config.limits.limits(config.namespace.profile);
    http::check(&config.http, limits.http_body_bytes_max, &mut mistakes);
    hub::check(config, &mut mistakes);
    users(config, &mut mistakes);
    issuers(config, &mut mistakes);
    registry_check::check(config, &mut mistakes);
    mistakes
}

fn server(config: &Config, mistakes: &mut Vec<Mistake>) {
    let mut refuse = |path: &str, message: String| mistakes.push(Mistake::new(path, message));
    if config.reactors.is_some_and(|reactors| !(1..=REACTORS_MAX).contains(&reactors)) {
        refuse("reactors", format!("must be 1 to {REACTORS_MAX}"));
    }
    let name = &config.namespace.name;
    if !is_resource_name(name) {
        refuse("namespace.name", format!("'{name}' must be 3 to 50 letters, digits or '-'"));
    }
    let hostname = &config.namespace.hostname;
    let plausible = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']');
    if hostname.is_empty() || !hostname.chars().all(plausible) {
        let message = format!("'{hostname}' is no host name; write it without scheme and path");
        refuse("namespace.hostname", message);
    }
    if config.namespace.profile == Profile::IotHub && config.hub.is_none() {
        let message = "profile iot-hub needs a hub; write [hub] with its policies";
        refuse("hub", message.into());
    }
}

fn listeners(config: &Config, mistakes: &mut Vec<Mistake>) {
    let listeners = &config.listeners;
    let kinds: [(&str, &[SocketAddr]); 3] =
        [("mqtt", &listeners.mqtt), ("mqtts", &listeners.mqtts), ("https", &listeners.https)];
    if kinds.iter().all(|(_, addresses)| addresses.is_empty()) {
        let message = "nothing to listen on; write for example mqtts = [\"0.0.0.0:8883\"]";
        mistakes.push(Mistake::new("listeners", message));
    }
    let mut taken = HashSet::new();
    for (kind, addresses) in kinds {
        for (at, address) in addresses.iter().enumerate() {
            let path = format!("listeners.{kind}[{at}]");
            if address.port() != 0 && !taken.insert(*address) {
                mistakes.push(Mistake::new(&path, format!("{address} is listed twice")));
            }
            let open = kind == "mqtt" && config.auth.anonymous == Anonymous::Loopback;
            if open && !address.ip().is_loopback() {
                let message = format!(
                    "{address} is not a loopback address while anonymous clients are allowed; \
                     set auth.anonymous = \"never\" or listen on 127.0.0.1"
                );
                mistakes.push(Mistake::new(path, message));
            }
        }
    }
}

fn tls(config: &Config, mistakes: &mut Vec<Mistake>) {
    let wanted = !(config.listeners.mqtts.is_empty() && config.listeners.https.is_empty());
    for (key, file) in [("cert_file", &config.tls.cert_file), ("key_file", &config.tls.key_file)] {
        let path = format!("tls.{key}");
        match file {
            None if wanted => {
                let message = "needed by listeners.mqtts and listeners.https";
                mistakes.push(Mistake::new(path, message));
            }
            Some(_) if !wanted => {
                let message = "given, but no listener speaks TLS; add listeners.mqtts";
                mistakes.push(Mistake::new(path, message));
            }
            _ => {}
        }
    }
}

fn users(config: &Config, mistakes: &mut Vec<Mistake>) {
    let mut names = HashSet::new();
    for (at, user) in config.auth.users.iter().enumerate() {
        let path = format!("auth.users[{at}]");
        if user.name.is_empty() || user.name.chars().count() > 128 {
            mistakes.push(Mistake::new(format!("{path}.name"), "must be 1 to 128 characters"));
        }
        if !names.insert(&user.name) {
            let message = format!("'{}' is listed twice", user.name);
            mistakes.push(Mistake::new(format!("{path}.name"), message));
        }
        if !password::is_hash(&user.password_hash) {
            // The value may be a password by mistake: it is not shown.
            let message = "is no argon2 hash; make one with `gridhub config hash-password`";
            mistakes.push(Mistake::new(format!("{path}.password_hash"), message));
        }
    }
}

fn issuers(config: &Config, mistakes: &mut Vec<Mistake>) {
    let mut names = HashSet::new();
    for (at, issuer) in config.auth.issuers.iter().enumerate() {
        let path = format!("auth.issuers[{at}]");
        let mut refuse = |key: &str, message: String| {
            mistakes.push(Mistake::new(format!("{path}.{key}"), message));
        };
        if issuer.issuer.is_empty() || !names.insert(&issuer.issuer) {
            refuse("issuer", format!("'{}' is empty or listed twice", issuer.issuer));
        }
        match (&issuer.jwks_file, &issuer.pem_file) {
            (None, None) => refuse("jwks_file", "give jwks_file or pem_file".into()),
            (Some(_), Some(_)) => {
                refuse("pem_file", "give either jwks_file or pem_file, not both".into());
            }
            _ => {}
        }
        if issuer.algorithms.is_empty() {
            refuse("algorithms", "must name RS256, ES256 or both".into());
        }
        if issuer.principal_claims.is_empty() {
            refuse("principal_claims", "must name at least one claim".into());
        }
    }
}

/// Names of namespaces, groups, topic spaces and bindings (event-grid 12).
pub fn is_resource_name(name: &str) -> bool {
    (3..=50).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// "; did you mean 'x'?" when a known name is near.
pub fn suggestion(name: &str, known: &[&str]) -> String {
    nearest(name, known).map(|near| format!("; did you mean '{near}'?")).unwrap_or_default()
}

/// Interest masks have 64 bits, one a reactor.
const REACTORS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths of the mistakes in `text`.
    fn paths(text: &str) -> Vec<String> {
        let config: Config = toml::from_str(text).expect("readable");
        check(&config).into_iter().map(|mistake| mistake.path).collect()
    }

    #[test]
    fn what_cannot_work_is_refused_at_its_key() {
        let base = "listeners.mqtt = [\"127.0.0.1:1883\"]\n";
        let rows: &[(&str, &[&str])] = &[
            ("", &[]),
            ("reactors = 0", &["reactors"]),
            ("reactors = 65", &["reactors"]),
            ("namespace.name = \"a\"", &["namespace.name"]),
            ("namespace.hostname = \"https://x/\"", &["namespace.hostname"]),
            ("namespace.profile = \"iot-hub\"", &["hub"]),
            ("listeners.mqtts = [\"127.0.0.1:1\"]", &["tls.cert_file", "tls.key_file"]),
            ("tls.key_file = \"k\"", &["tls.key_file"]),
            (
                "listeners.https = [\"127.0.0.1:1883\"]\n\
                 tls = {cert_file = \"c\", key_file = \"k\"}",
                &["listeners.https[0]"],
            ),
            (
                "auth.users = [{name = \"a\", password_hash = \"plain\"}]",
                &["auth.users[0].password_hash"],
            ),
            ("auth.issuers = [{issuer = \"i\"}]", &["auth.issuers[0].jwks_file"]),
            (
                "auth.issuers = [{issuer = \"i\", pem_file = \"p\", algorithms = []}]",
                &["auth.issuers[0].algorithms"],
            ),
            ("limits.topic_bytes_max = 70000", &["limits.topic_bytes_max"]),
        ];
        for (text, want) in rows {
            assert_eq!(paths(&format!("{base}{text}\n")), *want, "{text}");
        }
        assert_eq!(paths(""), ["listeners"]);
    }

    #[test]
    fn anonymous_clients_come_by_loopback_only() {
        let text = |anonymous: &str| {
            format!("listeners.mqtt = [\"0.0.0.0:1\"]\nauth.anonymous = \"{anonymous}\"\n")
        };
        assert_eq!(paths(&text("loopback")), ["listeners.mqtt[0]"]);
        assert_eq!(paths(&text("never")), [""; 0]);
    }

    #[test]
    fn a_refused_hash_is_not_shown() {
        let text = "auth.users = [{name = \"a\", password_hash = \"hunter2\"}]\n";
        let config: Config = toml::from_str(text).expect("readable");
        assert!(!format!("{:?}", check(&config)).contains("hunter2"));
    }
}
