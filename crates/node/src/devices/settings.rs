//! What all homes of a hub share.

use super::Throttles;
use crate::channel::{Channel, ChannelSettings};
use broker::access::Principal;
use hub::command;
use hub::fault::Faults;
use hub::feedback;
use hub::identity::{IdentityId, Policies, Thumbprint};
use hub::job;
use hub::plane::Leniency;
use hub::route::Routing;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A hub.
pub struct Hub {
    /// In lower case.
    hosts: Vec<String>,
    /// Its shared access policies.
    pub policies: Policies,
    /// How exactly CONNECT is taken.
    pub leniency: Leniency,
    /// Whose own keys prove nothing.
    pub keys_off: KeysOff,
    /// By how much a device's clock may be behind, milliseconds.
    pub skew_ms: u64,
    /// Bounds of commands.
    pub commands: command::Settings,
    /// Bounds of their feedback.
    pub feedback: feedback::Settings,
    /// How much of it may wait.
    pub feedback_room: feedback::Room,
    /// What jobs have not kept.
    pub job_losses: job::Losses,
    /// Whether there is something else than the hub.
    pub scope: Scope,
    /// Where telemetry goes.
    pub channel: Arc<Channel>,
    /// Which of it, and what else.
    pub routing: Routing,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// How much it may do.
    pub throttles: Throttles,
    /// How much is remembered of changes of twins.
    pub twin_history: TwinHistory,
    /// Who a device is to the broker: its name, and when its proof ends.
    principal: MakePrincipal,
    /// What a certificate (DER) says of itself.
    read_certificate: ReadCertificate,
    /// Devices and modules that are registered or about to be.
    registered: AtomicU64,
}

/// Whose own keys prove nothing (iot-hub A4); certificates and policies do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeysOff {
    /// Of devices: `disableDeviceSAS`.
    pub devices: bool,
    /// Of modules: `disableModuleSAS`.
    pub modules: bool,
}

impl KeysOff {
    /// Whether the keys of this identity are meant.
    pub(crate) fn of(self, id: &IdentityId) -> bool {
        if id.module.is_some() { self.modules } else { self.devices }
    }
}

/// How much is remembered of changes of twins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TwinHistory {
    /// Of each twin, at most so many changes.
    pub changes_max: usize,
    /// Of all twins together, bytes.
    pub bytes_max: usize,
}

impl Default for TwinHistory {
    fn default() -> Self {
        Self { changes_max: 10, bytes_max: 16 << 20 }
    }
}

/// What a namespace with a hub has beside it (product.md 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A broker; devices use it as their permissions allow.
    WithBroker,
    /// Nothing: every connection is a device's.
    Alone,
}

/// Makes the principal of a device.
pub type MakePrincipal = Box<dyn Fn(&str, Option<u64>) -> Arc<Principal> + Send + Sync>;

/// What a certificate says of itself.
#[derive(Debug, Clone)]
pub struct CertificateNames {
    /// Its SHA-1 and SHA-256.
    pub thumbprints: Vec<Thumbprint>,
    /// The subject's CN.
    pub common_name: Option<String>,
}

/// Reads a certificate (DER); nothing, if it is none.
pub type ReadCertificate = Box<dyn Fn(&[u8]) -> Option<CertificateNames> + Send + Sync>;

impl Hub {
    /// A hub where nobody is registered.
    pub fn new(
        hosts: Vec<String>,
        policies: Policies,
        principal: MakePrincipal,
        read_certificate: ReadCertificate,
    ) -> Self {
        Self {
            hosts: hosts.into_iter().map(|host| host.to_ascii_lowercase()).collect(),
            policies,
            leniency: Leniency::default(),
            keys_off: KeysOff::default(),
            skew_ms: SKEW_MS,
            commands: command::Settings::default(),
            feedback: feedback::Settings::default(),
            feedback_room: feedback::Room::default(),
            job_losses: job::Losses::default(),
            scope: Scope::WithBroker,
            channel: Arc::new(Channel::new(ChannelSettings::default())),
            routing: Routing::default(),
            faults: Faults::default(),
            throttles: Throttles::default(),
            twin_history: TwinHistory::default(),
            principal,
            read_certificate,
            registered: AtomicU64::new(0),
        }
    }

    /// Its host names, in lower case.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().map(String::as_str)
    }

    /// What it is called in events: the first part of its first host name.
    pub fn name(&self) -> &str {
        let host = self.hosts.first().map_or("", String::as_str);
        host.split('.').next().unwrap_or_default()
    }

    /// Whether it is called so, in any case.
    pub fn is_host(&self, name: &str) -> bool {
        self.hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
    }

    /// Devices and modules that are registered.
    pub fn registered(&self) -> u64 {
        self.registered.load(Ordering::Relaxed)
    }

    pub(crate) fn is_alone(&self) -> bool {
        self.scope == Scope::Alone
    }

    /// Who a device is to the broker.
    pub fn principal(&self, name: &str, expires_at_ms: Option<u64>) -> Arc<Principal> {
        (self.principal)(name, expires_at_ms)
    }

    pub(crate) fn certificate(&self, der: &[u8]) -> Option<CertificateNames> {
        (self.read_certificate)(der)
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

/// "Five minutes of drift" is where devices start to fail (iot-hub A3).
const SKEW_MS: u64 = 300_000;
