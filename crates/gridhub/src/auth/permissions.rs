//! Turns the configuration's groups, topic spaces and bindings into the broker's policy, and
//! identities into principals. The only file here that knows `broker::access::Policy`.

use std::sync::Arc;

use anyhow::anyhow;
use broker::access::{
    Binding, ClientFacts, Grants, Group, Manage, Permission, PermissionSets, Policy, Principal,
    Query, Role, Source, TopicSpace,
};

use crate::config::Config;
use crate::config::registry::Permission as Written;
use node::journal::Owner;

/// The policy in force and the permission sets in use.
pub struct Permissions {
    policy: Policy,
    sets: PermissionSets,
}

impl Permissions {
    /// Compiles the policy of a configuration that `config::check` accepted.
    ///
    /// # Errors
    /// What the broker refuses nevertheless.
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        let groups = config.client_groups.iter().map(|group| {
            let query = Query::parse(&group.properties.query)
                .map_err(|error| anyhow!("clientGroups '{}': {error}", group.name))?;
            Group::new(&group.name, query)
                .map_err(|error| anyhow!("clientGroups '{}': {error}", group.name))
        });
        let spaces = config.topic_spaces.iter().map(|space| {
            TopicSpace::parse(
                &space.name,
                space.properties.topic_templates.iter().map(String::as_str),
            )
            .map_err(|error| anyhow!("topicSpaces '{}': {error}", space.name))
        });
        let bindings = config.permission_bindings.iter().map(|binding| Binding {
            group: binding.properties.client_group_name.as_str().into(),
            topic_space: binding.properties.topic_space_name.as_str().into(),
            permission: match binding.properties.permission {
                Written::Publisher => Permission::Publisher,
                Written::Subscriber => Permission::Subscriber,
            },
        });
        let (groups, spaces) =
            (groups.collect::<anyhow::Result<_>>()?, spaces.collect::<anyhow::Result<_>>()?);
        let policy = Policy::new(groups, spaces, bindings.collect()).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            anyhow!("permissionBindings: {}", lines.join("; "))
        })?;
        Ok(Self { policy, sets: PermissionSets::default() })
    }

    /// A principal whose groups decide; `$all` always is one (event-grid 5.1).
    pub fn client(&self, facts: &ClientFacts<'_>, source: Source) -> Arc<Principal> {
        let grants = self.policy.grants_for_client(facts);
        self.principal(facts.name, grants, None, source)
    }

    /// A token's holder, whose roles replace groups and bindings (event-grid 5.4). Roles that
    /// are not ours grant nothing.
    pub fn holder(&self, name: &str, roles: &[String], expires_at_ms: u64) -> Arc<Principal> {
        let roles: Vec<Role> = roles.iter().filter_map(|name| role(name)).collect();
        let grants = self.policy.grants_for_roles(&roles, name);
        self.principal(name, grants, Some(expires_at_ms), Source::Token)
    }

    /// A token's holder of an earlier run, with what the token allowed.
    pub fn recall(&self, owner: &Owner<'_>) -> Option<Arc<Principal>> {
        owner.to_principal(&self.sets).map(Arc::new)
    }

    /// Nobody: may nothing.
    pub fn nobody(&self) -> Arc<Principal> {
        let permissions = self.sets.intern(Vec::new(), Vec::new(), Manage::No);
        let (name, source) = ("$nobody".into(), Source::Anonymous);
        Arc::new(Principal { name, permissions, expires_at_ms: None, source })
    }

    fn principal(
        &self,
        name: &str,
        grants: Grants,
        expires_at_ms: Option<u64>,
        source: Source,
    ) -> Arc<Principal> {
        for template in &grants.refused {
            tracing::warn!(principal = name, %template, "a topic template permits nothing");
        }
        let permissions = grants.intern(&self.sets);
        Arc::new(Principal { name: name.into(), permissions, expires_at_ms, source })
    }
}

/// Short and long names of roles (event-grid 4.5), in any case.
fn role(name: &str) -> Option<Role> {
    let known = [
        ("publisher", Role::Publisher),
        ("eventgrid topicspaces publisher", Role::Publisher),
        ("subscriber", Role::Subscriber),
        ("eventgrid topicspaces subscriber", Role::Subscriber),
        ("contributor", Role::Contributor),
    ];
    known.iter().find(|(known, _)| name.eq_ignore_ascii_case(known)).map(|(_, role)| *role)
}
