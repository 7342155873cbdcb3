//! The hub policies of a data directory: the cloud's five with random keys, made once (iot-hub C2).
//! Refuses to know what a policy may do.

use anyhow::Context;
use aws_lc_rs::rand;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hub::identity::DEFAULT_POLICIES;

use super::directory::{Access, DataDir};
use crate::config::hub::{PolicyEntry, RightName};

/// Reads the policies, or makes them.
///
/// # Errors
/// When the file is damaged or cannot be written.
pub fn open_or_create(dir: &DataDir) -> anyhow::Result<Vec<PolicyEntry>> {
    if let Some(text) = dir.read(POLICIES)? {
        return serde_json::from_str(&text).with_context(|| {
            format!("{POLICIES} in the data directory is damaged; remove it to get new keys")
        });
    }
    let entries: Vec<PolicyEntry> =
        DEFAULT_POLICIES.iter().map(|policy| made(*policy)).collect::<anyhow::Result<_>>()?;
    dir.write(POLICIES, &serde_json::to_string_pretty(&entries)?, Access::Secret)?;
    Ok(entries)
}

fn made((name, rights): (&str, hub::identity::Rights)) -> anyhow::Result<PolicyEntry> {
    let rights = RightName::ALL.into_iter().filter(|name| rights.has((*name).into())).collect();
    let (primary_key, secondary_key) = (key()?, key()?);
    Ok(PolicyEntry { name: name.to_owned(), rights, primary_key, secondary_key })
}

fn key() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    rand::fill(&mut bytes).map_err(|_| anyhow::anyhow!("the system gives no random bytes"))?;
    Ok(BASE64_STANDARD.encode(bytes))
}

/// The file.
pub const POLICIES: &str = "hub-policies.json";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::config::hub::HubConfig;

    #[test]
    fn made_once_kept_later_private_and_good_for_a_hub() {
        let dir = DataDir::ephemeral().expect("dir");
        let first = open_or_create(&dir).expect("made");
        let again = open_or_create(&dir).expect("read");
        let keys = |all: &[PolicyEntry]| -> Vec<String> {
            all.iter().flat_map(|p| [p.primary_key.clone(), p.secondary_key.clone()]).collect()
        };
        assert_eq!(keys(&first), keys(&again));
        let different: std::collections::BTreeSet<_> = keys(&first).into_iter().collect();
        assert_eq!(different.len(), 10);
        let mode = std::fs::metadata(dir.file(POLICIES)).expect("meta").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let hub = HubConfig { policies: first, ..HubConfig::default() };
        let policies = hub.policies().expect("policies");
        for (name, rights) in DEFAULT_POLICIES {
            assert_eq!(policies.get(name).map(|policy| policy.rights), Some(rights), "{name}");
        }
        std::fs::write(dir.file(POLICIES), "{").expect("write");
        assert!(open_or_create(&dir).is_err());
    }
}
