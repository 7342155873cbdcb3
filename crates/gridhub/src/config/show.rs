//! The effective configuration as TOML with secrets masked. Refuses to know secrets' meaning.

use super::Config;

/// The configuration after layering, defaults included, as TOML; password hashes are masked.
///
/// # Errors
/// Only when a value has no form in TOML (a number above its range).
pub fn show(config: &Config) -> Result<String, String> {
    let mut shown = config.clone();
    for user in &mut shown.auth.users {
        user.password_hash = MASK.into();
    }
    for policy in shown.hub.iter_mut().flat_map(|hub| &mut hub.policies) {
        policy.primary_key = MASK.into();
        policy.secondary_key = MASK.into();
    }
    for endpoint in shown.hub.iter_mut().flat_map(|hub| &mut hub.endpoints) {
        endpoint.mask(MASK);
    }
    if let Some(hub) = &mut shown.hub {
        hub.throttles = hub.throttles.effective(config.namespace.profile);
    }
    shown.process = config.process.effective();
    shown.limits = config.limits.effective(config.namespace.profile);
    shown.http = config.http.effective(config.namespace.profile);
    toml::to_string(&shown).map_err(|error| error.to_string())
}

const MASK: &str = "(secret)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::User;
    use crate::config::hub::{HubConfig, PolicyEntry, RightName};

    #[test]
    fn secrets_are_masked_and_the_rest_reads_back() {
        let mut config = Config::default();
        let password_hash = "$argon2id$v=19$secret".to_owned();
        config.auth.users.push(User { name: "ann".into(), password_hash });
        let key = "c2VjcmV0c2VjcmV0c2VjcmV0".to_owned();
        config.hub = Some(HubConfig {
            policies: vec![PolicyEntry {
                name: "service".into(),
                rights: vec![RightName::ServiceConnect],
                primary_key: key.clone(),
                secondary_key: key.clone(),
            }],
            ..HubConfig::default()
        });
        let text = show(&config).expect("toml");
        assert!(!text.contains("argon2id") && !text.contains(&key), "{text}");
        let back: Config = toml::from_str(&text).expect("reads back");
        assert_eq!(back.auth.users[0].name, "ann");
    }
}
