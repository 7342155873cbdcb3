//! Somebody who was authenticated.
//!
//! Owns name, permissions and for how long they hold. Refuses to know how it was proved.

use std::sync::Arc;

use super::permission::PermissionSet;

/// Somebody who was authenticated: the outcome of CONNECT's or HTTP's authentication.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The authentication name in its original case, a token's subject, or the anonymous name.
    pub name: Arc<str>,
    /// What it may do; replaced as a whole when the policy changes or it re-authenticates.
    pub permissions: Arc<PermissionSet>,
    /// Domain wall time in ms at which the proof ends; `None` = with the connection.
    pub expires_at_ms: Option<u64>,
    /// How it proved itself.
    pub source: Source,
}

/// How a principal proved itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A client certificate.
    Certificate,
    /// A bearer token, shared access signature or JWT.
    Token,
    /// User name and password, or a webhook that judged them.
    Password,
    /// Not at all: the loopback port of `gridhub dev`.
    Anonymous,
    /// As a device or module of the hub.
    Device,
}

impl Principal {
    /// Whether the proof has ended.
    pub fn expired(&self, now_ms: u64) -> bool {
        self.expires_at_ms.is_some_and(|at| now_ms >= at)
    }
}
