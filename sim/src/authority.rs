//! Who may what, and how it changes while clients are connected. Answers come when the world
//! says so: late, out of order, or never.

use broker::access::{Manage, PermissionSets, Principal, Source};
use node::journal::Owner;
use std::sync::Arc;

/// Filters that somebody may publish to and subscribe to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rights {
    pub publish: &'static [&'static str],
    pub subscribe: &'static [&'static str],
}

/// Makes principals.
#[derive(Default)]
pub(crate) struct Authority {
    sets: PermissionSets,
}

impl Authority {
    pub fn principal(&self, name: &str, r: Rights, expires_at_ms: Option<u64>) -> Arc<Principal> {
        let own = |filters: &[&str]| filters.iter().map(|f| (*f).to_owned()).collect();
        let permissions = self.sets.intern(own(r.publish), own(r.subscribe), Manage::No);
        Arc::new(Principal { name: name.into(), permissions, expires_at_ms, source: Source::Token })
    }

    /// Who the owner of a session of an earlier run is.
    pub fn recall(&self, owner: &Owner<'_>) -> Option<Arc<Principal>> {
        owner.to_principal(&self.sets).map(Arc::new)
    }

    /// Who may nothing.
    pub fn nobody(&self) -> Arc<Principal> {
        self.principal("nobody", Rights { publish: &[], subscribe: &[] }, None)
    }
}

/// Everything.
pub(crate) const ALL: Rights = Rights { publish: &["#"], subscribe: &["#"] };
/// What a misbehaving client has: nobody else publishes there.
pub(crate) const BAD: Rights = Rights { publish: &["bad/#"], subscribe: &["#"] };
/// What good clients have, by number.
pub(crate) const RIGHTS: [Rights; 6] = [
    ALL,
    ALL,
    Rights { publish: &["a/#"], subscribe: &["#"] },
    Rights { publish: &["#"], subscribe: &["a/#", "b"] },
    Rights { publish: &["a/b", "b", "b/+"], subscribe: &["+/+", "b/c/#"] },
    Rights { publish: &[], subscribe: &["a/+"] },
];
