//! What the session of a device has beside an ordinary one. Refuses to know the identity's state.

use crate::journal::Subscription;
use crate::link::LinkId;
use hub::identity::IdentityId;
use hub::plane::{Correlation, Filter, Method, Subscriptions};

/// The hub's part of a session.
pub(crate) struct DeviceSession {
    /// Whose it is.
    pub id: IdentityId,
    /// How it had proved itself on the present or last connection since the start.
    pub proved: Option<Proved>,
    /// What it hears of.
    pub subscriptions: Subscriptions,
}

impl DeviceSession {
    /// A session that begins.
    pub fn new(id: IdentityId) -> Self {
        Self { id, proved: None, subscriptions: Subscriptions::default() }
    }

    /// One of an earlier run, if its client identifier is a device's.
    pub fn found(client: &str, subscriptions: &[Subscription<'_>]) -> Option<Self> {
        let mut session = Self::new(IdentityId::parse(client).ok()?);
        for s in subscriptions {
            // What it had been granted it may have again.
            let _ = session.subscriptions.subscribe(s.filter, s.options.qos(), usize::MAX);
        }
        Some(session)
    }

    /// Whether a subscription of a device's session is the hub's.
    pub fn keeps(filter: &str) -> bool {
        !matches!(Filter::of(filter), Filter::Outside(_))
    }
}

/// How somebody had proved itself: what a re-authentication has to repeat (iot-hub A8).
#[derive(Debug, Clone)]
pub(crate) struct Proved {
    pub method: Method,
    /// The policy that had signed.
    pub policy: Option<Box<str>>,
    /// The host as it was given.
    pub host: Option<Box<str>>,
}

/// The way back to a device that has asked for something.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub link: LinkId,
    pub correlation: Correlation,
}
