//! One copy a session: what of its matching subscriptions a delivery needs to know.
//!
//! Owns how overlapping subscriptions become one [`Target`]. Refuses to know how they are found.

use crate::subscription::{Receiver, ReceiverOptions, SessionRef};
use std::rc::Rc;

/// One session that hears a topic (MQTT 5, 3.3.4: one copy at the highest matching QoS that
/// carries the identifiers of all matching subscriptions).
#[derive(Debug, Clone)]
pub struct Target {
    /// The session.
    pub session: SessionRef,
    /// Highest granted QoS; no local if all matching subscriptions say so, retain as published if
    /// one does.
    pub options: ReceiverOptions,
    /// One subscription identifier for each matching subscription that has one, equal ones
    /// included (3.3.4), in no particular order.
    pub ids: Ids,
}

/// Subscription identifiers of one delivery: mostly none or one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Ids {
    /// No subscription had one.
    #[default]
    None,
    /// One did.
    One(u32),
    /// Several did.
    Many(Box<[u32]>),
}

impl Ids {
    /// The identifiers as a slice.
    #[inline]
    pub fn as_slice(&self) -> &[u32] {
        match self {
            Self::None => &[],
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(ids) => ids,
        }
    }

    fn with(self, id: u32) -> Self {
        match (self, id) {
            (ids, 0) => ids,
            (Self::None, id) => Self::One(id),
            (ids, id) => {
                let mut all = ids.as_slice().to_vec();
                all.push(id);
                Self::Many(all.into())
            }
        }
    }
}

impl From<&[u32]> for Ids {
    fn from(ids: &[u32]) -> Self {
        match ids {
            [] => Self::None,
            [id] => Self::One(*id),
            many => Self::Many(many.into()),
        }
    }
}

/// One target a session out of one receiver a subscription; two where some of its subscriptions
/// say No Local: one for others' publishes, one for its own (3.8.3-3).
pub(crate) fn merge(mut all: Vec<Receiver>) -> Rc<[Target]> {
    if all.len() > 1 {
        all.sort_unstable_by_key(|r| (r.session.slot, r.session.generation));
    }
    let mut targets: Vec<Target> = Vec::with_capacity(all.len());
    for same in all.chunk_by(|a, b| a.session == b.session) {
        let local = same.iter().filter(|r| !r.options.no_local()).count();
        if local == 0 || local == same.len() {
            targets.extend(one(same.iter()));
            continue;
        }
        let mut others = one(same.iter());
        if let Some(t) = &mut others {
            let o = t.options;
            t.options = ReceiverOptions::new(o.qos(), true, o.retain_as_published());
        }
        let own = one(same.iter().filter(|r| !r.options.no_local()));
        targets.extend(others);
        targets.extend(own.map(|t| Target { options: t.options.for_own(), ..t }));
    }
    targets.into()
}

/// The target of one session's matching subscriptions.
pub(crate) fn one<'r>(mut same: impl Iterator<Item = &'r Receiver>) -> Option<Target> {
    let first = same.next()?;
    let mut t = Target {
        session: first.session,
        options: first.options,
        ids: Ids::None.with(first.subscription_id),
    };
    for r in same {
        t.options = ReceiverOptions::new(
            t.options.qos().max(r.options.qos()),
            t.options.no_local() && r.options.no_local(),
            t.options.retain_as_published() || r.options.retain_as_published(),
        );
        t.ids = t.ids.with(r.subscription_id);
    }
    Some(t)
}
