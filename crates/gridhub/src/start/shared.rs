//! What all reactors share, made of the configuration.

use crate::auth::Authenticator;
use crate::auth::certificate::CertificateNames;
use crate::config::hub::HubConfig;
use crate::config::mistake::Mistake;
use crate::config::{Config, Durability, Profile};
use anyhow::anyhow;
use broker::access::{Authorizer, SessionQuota};
use broker::budget::Budget;
use broker::rate::SharedBucket;
use broker::retained::Retained;
use broker::subscription::Interest;
use hub::identity::Thumbprint;
use node::channel::Channel;
use node::counters::Counters;
use node::devices::{
    self, Hub as Devices, KeysOff, MakePrincipal, ReadCertificate, Scope, TwinHistory,
};
use node::keys::KeyRecords;
use std::sync::Arc;

/// The parts of `node::Settings` that are the same for all.
pub(super) struct Shared {
    pub limits: Arc<broker::limits::Limits>,
    pub quota: Arc<SessionQuota>,
    pub budget: Arc<Budget>,
    pub connects: Arc<SharedBucket>,
    pub authorizer: Authorizer,
    pub interest: Arc<Interest>,
    pub retained: Arc<Retained>,
    pub keys: Arc<KeyRecords>,
    pub hub: Option<Arc<Devices>>,
    pub counters: Vec<Arc<Counters>>,
}

impl Shared {
    /// As the configuration says, for so many reactors.
    ///
    /// # Errors
    /// Policies that the hub refuses.
    pub fn new(
        config: &Config,
        count: usize,
        authenticator: &Arc<Authenticator>,
    ) -> anyhow::Result<Self> {
        let limits = Arc::new(config.limits.limits(config.namespace.profile));
        let memory_bytes_max = config.process.memory_bytes_max();
        tracing::info!(memory_bytes_max, reactors = count, "memory for data is bounded");
        Ok(Self {
            quota: Arc::new(SessionQuota::new(limits.sessions_per_name_max)),
            budget: Arc::new(Budget::new(memory_bytes_max, limits.queued_total_bytes_max, count)),
            connects: Arc::new(SharedBucket::default()),
            authorizer: Authorizer::new(&limits),
            interest: Arc::new(Interest::new(count)),
            retained: Arc::new(Retained::new(&limits)),
            keys: Arc::default(),
            hub: devices(config, authenticator)?.map(Arc::new),
            counters: (0..count).map(|_| Arc::default()).collect(),
            limits,
        })
    }
}

/// The hub that the configuration describes; none in profile `event-grid`.
fn devices(config: &Config, authenticator: &Arc<Authenticator>) -> anyhow::Result<Option<Devices>> {
    let hub = config.hub.as_ref().filter(|_| config.namespace.profile != Profile::EventGrid);
    let Some(hub) = hub else { return Ok(None) };
    let policies =
        hub.policies().map_err(|mistake| anyhow!("{}: {}", mistake.path, mistake.message))?;
    let authenticator = Arc::clone(authenticator);
    let principal: MakePrincipal =
        Box::new(move |name, expires_at_ms| authenticator.device(name, expires_at_ms));
    let names: ReadCertificate = Box::new(|der| {
        let names = CertificateNames::read(der).ok()?;
        let thumbprints = names.thumbprints.iter().filter_map(|print| Thumbprint::parse(print));
        Some(devices::CertificateNames {
            thumbprints: thumbprints.collect(),
            common_name: names.common_name,
        })
    });
    let hosts = hub.hosts(&config.namespace.hostname);
    let mut devices = Devices::new(hosts, policies, principal, names);
    channel(config, hub, &mut devices)?;
    let wrong = |mistake: Mistake| anyhow!("{}: {}", mistake.path, mistake.message);
    devices.feedback = hub.feedback.settings().map_err(wrong)?;
    devices.throttles = hub.bounds(config.namespace.profile);
    devices.keys_off = KeysOff { devices: hub.disable_device_sas, modules: hub.disable_module_sas };
    devices.twin_history = TwinHistory {
        changes_max: hub.twin_history_changes_max,
        bytes_max: hub.twin_history_bytes_max,
    };
    if config.namespace.profile == Profile::IotHub {
        devices.scope = Scope::Alone;
    }
    Ok(Some(devices))
}

/// Telemetry: how much is kept, and what goes there.
fn channel(config: &Config, hub: &HubConfig, devices: &mut Devices) -> anyhow::Result<()> {
    let wrong = |mistake: Mistake| anyhow!("{}: {}", mistake.path, mistake.message);
    let mut settings = hub.telemetry.settings().map_err(wrong)?;
    if config.durability == Durability::Memory {
        let memory_bytes_max = config.process.memory_bytes_max() as u64 / MEMORY_PART;
        settings.bytes_max = settings.bytes_max.min(memory_bytes_max);
    }
    devices.channel = Arc::new(Channel::new(settings));
    devices.routing = hub.routing().map_err(wrong)?;
    Ok(())
}

/// Of the memory for data, where telemetry is kept in nothing else.
const MEMORY_PART: u64 = 8;
