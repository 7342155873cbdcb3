//! What all homes of a hub share.

use hub::identity::Policies;
use std::sync::atomic::{AtomicU64, Ordering};

/// A hub.
pub struct Hub {
    /// Its host names, in lower case.
    pub hosts: Vec<String>,
    /// Its shared access policies.
    pub policies: Policies,
    /// Devices and modules that are registered or about to be.
    registered: AtomicU64,
}

impl Hub {
    /// A hub where nobody is registered.
    pub fn new(hosts: Vec<String>, policies: Policies) -> Self {
        let hosts = hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect();
        Self { hosts, policies, registered: AtomicU64::new(0) }
    }

    /// Counts one that is about to be registered; gives how many there were before.
    pub(crate) fn count(&self) -> u64 {
        self.registered.fetch_add(1, Ordering::Relaxed)
    }

    /// So many are registered no more, or have not become so.
    pub(crate) fn discount(&self, identities: u64) {
        self.registered.fetch_sub(identities, Ordering::Relaxed);
    }
}
