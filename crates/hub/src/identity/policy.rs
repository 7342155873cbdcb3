//! Shared access policies of a hub: named keys with rights (iot-hub C2). Refuses to know what a
//! right is needed for, and identities' own keys.

use super::limits::{POLICIES_MAX, POLICY_NAME_BYTES_MAX, SERVICE_POLICIES_MAX};
use std::fmt;

use crate::sas::SymmetricKeys;

/// What a policy's signature may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Read identities.
    RegistryRead,
    /// Create, change and delete identities.
    RegistryWrite,
    /// Use the service side: twins, methods, commands.
    ServiceConnect,
    /// Connect as any device.
    DeviceConnect,
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::RegistryRead, Self::RegistryWrite, Self::ServiceConnect, Self::DeviceConnect];

    /// The name in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RegistryRead => "RegistryRead",
            Self::RegistryWrite => "RegistryWrite",
            Self::ServiceConnect => "ServiceConnect",
            Self::DeviceConnect => "DeviceConnect",
        }
    }
}

/// A set of rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rights(u8);

impl Rights {
    /// Exactly these.
    pub const fn of(rights: &[Right]) -> Self {
        let (mut set, mut at) = (0, 0);
        while at < rights.len() {
            set |= 1 << rights[at] as u8;
            at += 1;
        }
        Self(set)
    }

    /// Whether `right` is in it.
    pub const fn has(self, right: Right) -> bool {
        self.0 & 1 << right as u8 != 0
    }

    /// Reads names with commas between them, as [`Display`](fmt::Display) writes them; `None` for
    /// an unknown name.
    pub fn parse(text: &str) -> Option<Self> {
        let mut set = Self::default();
        for name in text.split(',').map(str::trim) {
            let right = Right::ALL.into_iter().find(|right| right.as_str() == name)?;
            set.0 |= 1 << right as u8;
        }
        Some(set)
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Right::ALL.into_iter().filter(|right| self.has(*right)).map(Right::as_str);
        f.write_str(&names.collect::<Vec<_>>().join(", "))
    }
}

/// A named pair of keys with rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// 1 to 64 letters, digits or `-._`; compared with its case.
    pub name: Box<str>,
    /// What it may do.
    pub rights: Rights,
    /// Either of them signs.
    pub keys: SymmetricKeys,
}

/// All policies of a hub.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policies(Vec<Policy>);

impl Policies {
    /// Takes policies as a hub's.
    ///
    /// # Errors
    /// For a bad name or one that is there twice, one without rights, and too many of them.
    pub fn new(policies: Vec<Policy>) -> Result<Self, PolicyError> {
        for (at, policy) in policies.iter().enumerate() {
            if !is_name(&policy.name) {
                return Err(PolicyError::Name(policy.name.clone()));
            }
            if policies[..at].iter().any(|other| other.name == policy.name) {
                return Err(PolicyError::Twice(policy.name.clone()));
            }
            if policy.rights == Rights::default() {
                return Err(PolicyError::NoRights(policy.name.clone()));
            }
        }
        let services = policies.iter().filter(|policy| policy.rights.has(Right::ServiceConnect));
        if policies.len() > POLICIES_MAX || services.count() > SERVICE_POLICIES_MAX {
            return Err(PolicyError::TooMany);
        }
        Ok(Self(policies))
    }

    /// The policy of that name.
    pub fn get(&self, name: &str) -> Option<&Policy> {
        self.0.iter().find(|policy| *policy.name == *name)
    }

    /// All of them, as they were given.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.0.iter()
    }
}

/// Why policies are no hub's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not 1 to 64 letters, digits or `-._`.
    #[error("policy name '{0}' must be 1 to 64 letters, digits or '-._'")]
    Name(Box<str>),
    /// Two of one name.
    #[error("policy '{0}' is there twice")]
    Twice(Box<str>),
    /// It could do nothing.
    #[error(
        "policy '{0}' has no rights; give it some of RegistryRead, RegistryWrite, \
         ServiceConnect and DeviceConnect"
    )]
    NoRights(Box<str>),
    /// More than 16, or more than 10 with ServiceConnect.
    #[error("a hub has at most 16 policies, 10 of them with ServiceConnect")]
    TooMany,
}

/// The policies that a new hub has, for which somebody draws keys (iot-hub C2).
pub const DEFAULT_POLICIES: [(&str, Rights); 5] = [
    ("iothubowner", Rights::of(&Right::ALL)),
    ("service", Rights::of(&[Right::ServiceConnect])),
    ("device", Rights::of(&[Right::DeviceConnect])),
    ("registryRead", Rights::of(&[Right::RegistryRead])),
    ("registryReadWrite", Rights::of(&[Right::RegistryRead, Right::RegistryWrite])),
];

fn is_name(text: &str) -> bool {
    (1..=POLICY_NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sas::Key;

    fn policy(name: &str, rights: Rights) -> Policy {
        let keys = |byte| Key::generated(&[byte; 32]);
        Policy {
            name: name.into(),
            rights,
            keys: SymmetricKeys { primary: keys(1), secondary: keys(2) },
        }
    }

    #[test]
    fn the_default_policies_of_the_specification() {
        let rows = [
            ("iothubowner", "RegistryRead, RegistryWrite, ServiceConnect, DeviceConnect"),
            ("service", "ServiceConnect"),
            ("device", "DeviceConnect"),
            ("registryRead", "RegistryRead"),
            ("registryReadWrite", "RegistryRead, RegistryWrite"),
        ];
        let made = DEFAULT_POLICIES.map(|(name, rights)| policy(name, rights)).to_vec();
        let policies = Policies::new(made).unwrap();
        assert_eq!(policies.iter().count(), rows.len());
        for (name, rights) in rows {
            let found = policies.get(name).unwrap().rights;
            assert_eq!(found.to_string(), rights);
            assert_eq!(Rights::parse(rights), Some(found));
        }
        assert_eq!(policies.get("IoTHubOwner"), None);
        for bad in ["", "registryRead", "RegistryRead,", "RegistryRead ServiceConnect"] {
            assert_eq!(Rights::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_hubs() {
        let read = Rights::of(&[Right::RegistryRead]);
        let service = Rights::of(&[Right::ServiceConnect]);
        let many = |count: usize, rights| -> Vec<_> {
            (0..count).map(|at| policy(&format!("p{at}"), rights)).collect()
        };
        assert!(Policies::new(many(16, read)).is_ok());
        assert_eq!(Policies::new(many(17, read)), Err(PolicyError::TooMany));
        assert!(Policies::new(many(10, service)).is_ok());
        assert_eq!(Policies::new(many(11, service)), Err(PolicyError::TooMany));
        for name in ["", "a b", "a&b", &"x".repeat(65)] {
            let error = Policies::new(vec![policy(name, read)]);
            assert_eq!(error, Err(PolicyError::Name(name.into())));
        }
        let twice = vec![policy("a", read), policy("a", service)];
        assert_eq!(Policies::new(twice), Err(PolicyError::Twice("a".into())));
        let none = vec![policy("a", Rights::default())];
        assert_eq!(Policies::new(none), Err(PolicyError::NoRights("a".into())));
    }
}
