//! What the session of a device has beside an ordinary one. Refuses to know the identity's state.

use super::{After, CertificateNames};
use crate::auth::Chain;
use crate::journal::Subscription;
use crate::link::LinkId;
use hub::classic;
use hub::identity::IdentityId;
use hub::plane::{self, Correlation, Filter, Method};
use mqtt::packet_id::PacketId;
use mqtt::qos::QoS;
use mqtt::wire::Version;
use std::sync::Arc;

/// The hub's part of a session.
pub(crate) struct DeviceSession {
    /// Whose it is.
    pub id: IdentityId,
    /// How it had proved itself on the present or last connection since the start.
    pub proved: Option<Proved>,
    /// What it hears of.
    pub hears: Hears,
    /// Commands that it was sent on this connection and has not answered.
    pub sent: Vec<(PacketId, u64)>,
    /// It is about to hear what it has missed of its desired properties since this version.
    pub missed: Option<u64>,
}

/// What a device hears of, in the words of its protocol.
#[derive(Debug, Clone)]
pub(crate) enum Hears {
    /// MQTT 5 (iot-hub A10).
    Plane(plane::Subscriptions),
    /// MQTT 3.1.1 (D2).
    Classic(classic::Subscriptions),
}

/// How somebody had proved itself: what a re-authentication has to repeat (iot-hub A8).
#[derive(Debug, Clone)]
pub(crate) struct Proved {
    pub method: Method,
    /// The policy that had signed.
    pub policy: Option<Box<str>>,
    /// The host as it was given.
    pub host: Option<Box<str>>,
    /// The certificate of its TLS connection.
    pub certificate: Option<Arc<(CertificateNames, Chain)>>,
}

/// The way back to a device that has asked for something.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub link: LinkId,
    pub to: To,
    /// What becomes of the connection once it is answered.
    pub after: After,
}

/// What the answer names.
#[derive(Debug, Clone)]
pub(crate) enum To {
    /// Of a request of MQTT 5.
    Correlation(Correlation),
    /// `$rid` of one of MQTT 3.1.1.
    Rid(Box<str>),
}

impl DeviceSession {
    /// A session that begins.
    pub fn new(id: IdentityId, version: Version) -> Self {
        Self { id, proved: None, hears: Hears::nothing(version), sent: Vec::new(), missed: None }
    }

    /// One of an earlier run, if its client identifier is a device's.
    pub fn found(
        client: &str,
        version: Version,
        subscriptions: &[Subscription<'_>],
    ) -> Option<Self> {
        let mut session = Self::new(IdentityId::parse(client).ok()?, version);
        for s in subscriptions {
            // What it had been granted it may have again.
            let _ = session.subscribe(s.filter, s.options.qos(), usize::MAX);
        }
        Some(session)
    }

    /// Another connection of the session, perhaps of another protocol: then it hears of nothing.
    pub fn begin(&mut self, version: Version, proved: &Proved) {
        if self.hears.version() != version {
            self.hears = Hears::nothing(version);
        }
        self.proved = Some(proved.clone());
        self.missed = None;
    }

    /// Whether a filter is the hub's, and not the broker's.
    pub fn has(&self, filter: &str) -> bool {
        match &self.hears {
            Hears::Plane(_) => !matches!(Filter::of(filter), Filter::Outside(_)),
            Hears::Classic(_) => {
                filter.starts_with(HUB) || classic::Subscription::of(&self.id, filter).is_some()
            }
        }
    }

    /// Subscribes; the QoS that is granted, or the code of the refusal.
    pub fn subscribe(
        &mut self,
        filter: &str,
        qos: QoS,
        max: usize,
    ) -> Result<QoS, mqtt::reason::Reason> {
        use mqtt::reason::Reason;
        match &mut self.hears {
            Hears::Plane(subscriptions) => match subscriptions.subscribe(filter, qos, max) {
                Reason::GRANTED_QOS_0 => Ok(QoS::AtMostOnce),
                Reason::GRANTED_QOS_1 => Ok(QoS::AtLeastOnce),
                refused => Err(refused),
            },
            Hears::Classic(subscriptions) => {
                subscriptions.subscribe(&self.id, filter, qos).ok_or(Reason::TOPIC_FILTER_INVALID)
            }
        }
    }

    /// Ends a subscription; its code.
    pub fn unsubscribe(&mut self, filter: &str) -> mqtt::reason::Reason {
        match &mut self.hears {
            Hears::Plane(subscriptions) => subscriptions.unsubscribe(filter),
            Hears::Classic(subscriptions) => {
                subscriptions.unsubscribe(&self.id, filter);
                mqtt::reason::Reason::SUCCESS
            }
        }
    }

    /// Filters and QoS of what counts: what the log keeps.
    pub fn filters(&self) -> Vec<(String, QoS)> {
        match &self.hears {
            Hears::Plane(subscriptions) => subscriptions.iter().collect(),
            Hears::Classic(subscriptions) => subscriptions.iter(&self.id).collect(),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        match &self.hears {
            Hears::Plane(subscriptions) => subscriptions.len(),
            Hears::Classic(subscriptions) => subscriptions.iter(&self.id).count(),
        }
    }
}

impl Hears {
    fn nothing(version: Version) -> Self {
        match version {
            Version::V5 => Self::Plane(plane::Subscriptions::default()),
            Version::V311 => Self::Classic(classic::Subscriptions::default()),
        }
    }

    /// In which protocol.
    pub fn version(&self) -> Version {
        match self {
            Self::Plane(_) => Version::V5,
            Self::Classic(_) => Version::V311,
        }
    }

    /// Whether changes of desired properties are sent.
    pub fn desired(&self) -> bool {
        match self {
            Self::Plane(subscriptions) => subscriptions.hears_desired(),
            Self::Classic(all) => all.get(classic::Subscription::Desired).is_some(),
        }
    }

    /// With which QoS commands are sent; `None` = they wait.
    pub fn commands(&self) -> Option<QoS> {
        match self {
            Self::Plane(subscriptions) => subscriptions.commands(),
            Self::Classic(all) => all.get(classic::Subscription::Commands),
        }
    }

    /// Whether requests for a method are sent.
    pub fn method(&self, name: &str) -> bool {
        match self {
            Self::Plane(subscriptions) => subscriptions.hears_method(name),
            Self::Classic(all) => all.get(classic::Subscription::Methods).is_some(),
        }
    }

    /// Whether responses to requests of the twin are sent.
    pub fn responses(&self) -> bool {
        match self {
            Self::Plane(_) => true,
            Self::Classic(all) => all.get(classic::Subscription::TwinResponses).is_some(),
        }
    }
}

const HUB: &str = "$iothub/";
