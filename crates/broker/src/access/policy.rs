//! What groups, topic spaces and bindings together permit (event-grid 5.1, 5.4).
//!
//! Owns the references between them and the rights of one client or token. Default is deny, and
//! bindings only add. Refuses to know credentials and connections.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::attributes::{Attributes, ClientFacts};
use super::group::Group;
use super::permission::{Manage, PermissionSet, PermissionSets};
use super::template::TooManyFilters;
use super::topic_space::TopicSpace;

/// All groups, topic spaces and bindings of one namespace; every reference is known to resolve.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    groups: BTreeMap<Box<str>, Group>,
    topic_spaces: BTreeMap<Box<str>, TopicSpace>,
    bindings: Vec<Binding>,
}

/// A group may do something with the topics of a topic space.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// The group's name, or [`Group::ALL`].
    pub group: Box<str>,
    /// The topic space's name.
    pub topic_space: Box<str>,
    /// What it may do.
    pub permission: Permission,
}

/// What a binding permits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Publishing.
    Publisher,
    /// Subscribing and reading retained messages.
    Subscriber,
}

/// What a token was given, in place of groups and bindings (event-grid 4.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// Publishing.
    Publisher,
    /// Subscribing and reading retained messages.
    Subscriber,
    /// Management; no topics by itself.
    Contributor,
}

/// Where a role holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope<'a> {
    /// On every topic space.
    Namespace,
    /// On one topic space, by name.
    TopicSpace(&'a str),
}

/// The rights of one principal, before they are interned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grants {
    /// Filters of topics that may be published to.
    pub publish: Vec<String>,
    /// Filters that may be subscribed to.
    pub subscribe: Vec<String>,
    /// Whether management and service APIs may be used.
    pub manage: Manage,
    /// Templates that permit nothing because they become too many filters: for the log and for
    /// `gridhub why`.
    pub refused: Vec<TooManyFilters>,
}

/// A mistake in a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PolicyError {
    /// Two groups have one name.
    GroupTwice(Box<str>),
    /// Two topic spaces have one name.
    TopicSpaceTwice(Box<str>),
    /// A binding names a group that does not exist.
    UnknownGroup {
        /// The binding.
        binding: Binding,
        /// The groups there are.
        known: Vec<Box<str>>,
    },
    /// A binding names a topic space that does not exist.
    UnknownTopicSpace {
        /// The binding.
        binding: Binding,
        /// The topic spaces there are.
        known: Vec<Box<str>>,
    },
}

impl Policy {
    /// Puts the parts together.
    ///
    /// # Errors
    /// Every name that is taken twice and every reference that leads nowhere.
    pub fn new(
        groups: Vec<Group>,
        topic_spaces: Vec<TopicSpace>,
        bindings: Vec<Binding>,
    ) -> Result<Self, Vec<PolicyError>> {
        let mut policy = Self::default();
        let mut errors = Vec::new();
        for group in groups {
            if let Some(twice) = policy.groups.insert(group.name().into(), group) {
                errors.push(PolicyError::GroupTwice(twice.name().into()));
            }
        }
        for space in topic_spaces {
            if let Some(twice) = policy.topic_spaces.insert(space.name().into(), space) {
                errors.push(PolicyError::TopicSpaceTwice(twice.name().into()));
            }
        }
        for binding in &bindings {
            errors.extend(policy.check(binding));
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        policy.bindings = bindings;
        Ok(policy)
    }

    /// The groups a client belongs to, [`Group::ALL`] first.
    pub fn groups_of(&self, client: &ClientFacts<'_>) -> Vec<&str> {
        let own = self.groups.values().filter(|g| g.query().matches(client)).map(Group::name);
        std::iter::once(Group::ALL).chain(own).collect()
    }

    /// The rights of a client by its groups.
    pub fn grants_for_client(&self, client: &ClientFacts<'_>) -> Grants {
        let groups = self.groups_of(client);
        let mut grants = Grants::none();
        for binding in &self.bindings {
            if groups.contains(&&*binding.group)
                && let Some(space) = self.topic_spaces.get(&binding.topic_space)
            {
                grants.add(binding.permission, space, client);
            }
        }
        grants
    }

    /// The rights of a token's holder by roles on the whole namespace. It has no attributes;
    /// `name` stands for `${client.authenticationName}`.
    pub fn grants_for_roles(&self, roles: &[Role], name: &str) -> Grants {
        let everywhere: Vec<_> = roles.iter().map(|role| (*role, Scope::Namespace)).collect();
        self.grants_for_assignments(&everywhere, name)
    }

    /// As [`Policy::grants_for_roles`] with the scope of each role. A topic space that does not
    /// exist grants nothing; management is granted on the namespace only.
    pub fn grants_for_assignments(&self, roles: &[(Role, Scope<'_>)], name: &str) -> Grants {
        let attributes = Attributes::default();
        let holder = ClientFacts { name, attributes: &attributes };
        let mut grants = Grants::none();
        for (role, scope) in roles {
            let permission = match (role, scope) {
                (Role::Publisher, _) => Permission::Publisher,
                (Role::Subscriber, _) => Permission::Subscriber,
                (Role::Contributor, Scope::Namespace) => {
                    grants.manage = Manage::Yes;
                    continue;
                }
                (Role::Contributor, Scope::TopicSpace(_)) => continue,
            };
            match scope {
                Scope::Namespace => self
                    .topic_spaces
                    .values()
                    .for_each(|space| grants.add(permission, space, &holder)),
                Scope::TopicSpace(space) => self
                    .topic_spaces
                    .get(*space)
                    .into_iter()
                    .for_each(|space| grants.add(permission, space, &holder)),
            }
        }
        grants
    }

    fn check(&self, binding: &Binding) -> Option<PolicyError> {
        if *binding.group != *Group::ALL && !self.groups.contains_key(&binding.group) {
            let all = std::iter::once(Group::ALL.into());
            let known = all.chain(self.groups.keys().cloned()).collect();
            return Some(PolicyError::UnknownGroup { binding: binding.clone(), known });
        }
        if !self.topic_spaces.contains_key(&binding.topic_space) {
            let known = self.topic_spaces.keys().cloned().collect();
            return Some(PolicyError::UnknownTopicSpace { binding: binding.clone(), known });
        }
        None
    }
}

impl Grants {
    /// No rights.
    pub fn none() -> Self {
        let (publish, subscribe) = (Vec::new(), Vec::new());
        Self { publish, subscribe, manage: Manage::No, refused: Vec::new() }
    }

    /// The shared set of these rights.
    pub fn intern(self, sets: &PermissionSets) -> Arc<PermissionSet> {
        sets.intern(self.publish, self.subscribe, self.manage)
    }

    fn add(&mut self, permission: Permission, space: &TopicSpace, client: &ClientFacts<'_>) {
        for template in space.templates() {
            match (template.expand(client), permission) {
                (Ok(filters), Permission::Publisher) => self.publish.extend(filters),
                (Ok(filters), Permission::Subscriber) => self.subscribe.extend(filters),
                (Err(too_many), _) => self.refused.push(too_many),
            }
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, name, known) = match self {
            Self::GroupTwice(name) => return write!(f, "client group '{name}' is defined twice"),
            Self::TopicSpaceTwice(name) => {
                return write!(f, "topic space '{name}' is defined twice");
            }
            Self::UnknownGroup { binding, known } => ("client group", &binding.group, known),
            Self::UnknownTopicSpace { binding, known } => {
                ("topic space", &binding.topic_space, known)
            }
        };
        write!(f, "a binding names {kind} '{name}', which does not exist; there is ")?;
        if known.is_empty() { f.write_str("none") } else { f.write_str(&known.join(", ")) }
    }
}

impl std::error::Error for PolicyError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Query, Value};

    fn binding(group: &str, topic_space: &str, permission: Permission) -> Binding {
        Binding { group: group.into(), topic_space: topic_space.into(), permission }
    }

    fn policy() -> Policy {
        use Permission::{Publisher, Subscriber};
        let query = Query::parse("attributes.kind = 'pump'").unwrap();
        let own = "devices/${client.authenticationName}/#";
        Policy::new(
            vec![Group::new("pumps", query).unwrap()],
            vec![
                TopicSpace::parse("own", [own]).unwrap(),
                TopicSpace::parse("kinds", ["kinds/${client.attributes.kind}/+"]).unwrap(),
                TopicSpace::parse("news", ["news/#", "alerts"]).unwrap(),
            ],
            vec![
                binding("$all", "own", Publisher),
                binding("$all", "news", Subscriber),
                binding("pumps", "kinds", Publisher),
                binding("pumps", "kinds", Subscriber),
            ],
        )
        .unwrap()
    }

    #[test]
    fn a_client_has_the_rights_of_its_groups() {
        let mut attributes = Attributes::default();
        let stranger = ClientFacts { name: "s", attributes: &attributes };
        let grants = policy().grants_for_client(&stranger);
        assert_eq!(grants.publish, ["devices/s/#"]);
        assert_eq!(grants.subscribe, ["news/#", "alerts"]);
        assert_eq!(policy().groups_of(&stranger), ["$all"]);

        attributes.insert("kind", Value::Str("pump".into())).unwrap();
        let pump = ClientFacts { name: "p1", attributes: &attributes };
        let grants = policy().grants_for_client(&pump);
        assert_eq!(grants.publish, ["devices/p1/#", "kinds/pump/+"]);
        assert_eq!(grants.subscribe, ["news/#", "alerts", "kinds/pump/+"]);
        assert_eq!(policy().groups_of(&pump), ["$all", "pumps"]);
        assert_eq!(grants.manage, Manage::No);
    }

    #[test]
    fn without_a_binding_nothing_is_permitted() {
        let attributes = Attributes::default();
        let facts = ClientFacts { name: "x", attributes: &attributes };
        assert_eq!(Policy::default().grants_for_client(&facts), Grants::none());
    }

    #[test]
    fn roles_reach_every_topic_space() {
        let grants = policy().grants_for_roles(&[Role::Publisher], "svc");
        assert_eq!(grants.publish, ["news/#", "alerts", "devices/svc/#"]);
        assert!(grants.subscribe.is_empty() && grants.manage == Manage::No);
        let grants = policy().grants_for_roles(&[Role::Subscriber, Role::Contributor], "svc");
        assert_eq!(grants.subscribe, ["news/#", "alerts", "devices/svc/#"]);
        assert!(grants.publish.is_empty() && grants.manage == Manage::Yes);
        let one = [(Role::Publisher, Scope::TopicSpace("own"))];
        assert_eq!(policy().grants_for_assignments(&one, "svc").publish, ["devices/svc/#"]);
        let none = [
            (Role::Publisher, Scope::TopicSpace("nowhere")),
            (Role::Contributor, Scope::TopicSpace("own")),
        ];
        assert_eq!(policy().grants_for_assignments(&none, "svc"), Grants::none());
    }

    #[test]
    fn every_mistake_is_named() {
        use Permission::Publisher;
        let query = || Query::parse("authenticationName = 'x'").unwrap();
        let group = || Group::new("pumps", query()).unwrap();
        let space = || TopicSpace::parse("all", ["#"]).unwrap();
        let errors = Policy::new(
            vec![group(), group()],
            vec![space(), space()],
            vec![binding("pump", "all", Publisher), binding("$all", "al", Publisher)],
        )
        .unwrap_err();
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "client group 'pumps' is defined twice",
                "topic space 'all' is defined twice",
                "a binding names client group 'pump', which does not exist; there is $all, pumps",
                "a binding names topic space 'al', which does not exist; there is all",
            ]
        );
    }
}
