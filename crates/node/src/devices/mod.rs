//! Devices and modules at home here: their identities, twins and connections (iot-hub A to D).
//!
//! Owns each of them whole: a device and its modules live on one reactor, which alone decides what
//! becomes of them. [`asking`] takes what services ask, [`registry`] and [`twins`] decide it with
//! crate `hub`, [`writing`] makes facts of it, [`restore`] is a start. One write of a device is on
//! its way to the log at a time, and whatever is asked of the device meanwhile waits behind it: so
//! nothing is shown that is no fact, and nothing has to be taken back when the disk is full.

mod asking;
mod behind;
mod claimed;
mod classic;
mod commands;
mod connecting;
mod deadlines;
mod desired;
mod events;
mod faults;
mod history;
mod known;
mod late;
mod methods;
mod publishing;
mod registry;
mod restore;
mod session;
mod settings;
mod subscribing;
mod telling;
mod throttles;
mod twins;
mod writing;

pub use asking::{
    Ask, Asked, Commands, Counts, Page, Placed, Received, Scan, Scanned, Sending, Shown, TwinShown,
};
use behind::Behind;
pub(crate) use claimed::Claimed;
pub use claimed::Credential;
pub(crate) use commands::CommandWritten;
use deadlines::Deadlines;
pub(crate) use faults::{After, Strikes};
use known::{Heard, Known};
use late::Later;
pub use methods::Ticket;
pub(crate) use publishing::Said;
pub(crate) use session::DeviceSession;
pub use settings::{
    CertificateNames, Hub, KeysOff, MakePrincipal, ReadCertificate, SKEW_MS, Scope, TwinHistory,
};
pub(crate) use subscribing::{Subscribed, kept};
use throttles::Used;
pub use throttles::{Bounds, By, Metered, Throttled, Throttles, Whose};
pub(crate) use writing::Written;

use hashbrown::HashMap;
use hub::identity::{Activity, DeviceId, Generation, Identity, IdentityId, Packed};
use hub::query::{Condition, TwinDocument, Verdict};
use hub::registry::{Ids, Index};
use hub::twin::{About, Twin};
use std::borrow::Cow;
use std::sync::Arc;

/// Devices and modules at home here.
pub(crate) struct Devices {
    /// What all homes share; none where there is no hub.
    pub hub: Option<Arc<Hub>>,
    known: Index<Known>,
    counts: Counts,
    deadlines: Deadlines,
    /// Devices of which a write is on its way to the log, with what waits behind it.
    busy: HashMap<DeviceId, Behind, foldhash::fast::RandomState>,
    /// What faults have put off.
    later: Later,
    /// Bytes of the histories of all twins here.
    history_bytes: usize,
}

impl Devices {
    pub fn new(hub: Option<Arc<Hub>>) -> Self {
        let (known, busy) = (Index::default(), HashMap::default());
        let (counts, deadlines) = (Counts::default(), Deadlines::default());
        Self { hub, known, counts, deadlines, busy, later: Later::default(), history_bytes: 0 }
    }

    /// Whether there is nothing but the hub.
    pub fn is_alone(&self) -> bool {
        self.hub.as_ref().is_some_and(|hub| hub.is_alone())
    }

    /// What telemetry says of its sender.
    pub fn sender(&self, ids: Ids<'_>) -> Option<Sender<'_>> {
        let (packed, known) = self.known.get(ids)?;
        Some(Sender { generation: packed.generation(), model_id: known.model_id() })
    }

    /// Which life of an identity this is.
    pub fn known_generation(&self, ids: Ids<'_>) -> Option<Generation> {
        self.known.get(ids).map(|(packed, _)| packed.generation())
    }

    /// The devices that a condition selects behind an id, and where that goes on: looks at so many
    /// twins that others are not kept waiting.
    pub fn select(
        &self,
        condition: &Condition,
        after: Option<&IdentityId>,
    ) -> (Vec<DeviceId>, Option<IdentityId>) {
        let mut all = self.known.after(after.map(Ids::from));
        let (mut found, mut next) = (Vec::new(), None);
        for _ in 0..SCANNED_AT_ONCE {
            let Some((packed, known)) = all.next() else { return (found, None) };
            next = Some(packed);
            if packed.ids().module.is_some() {
                continue;
            }
            let (identity, activity) = (packed.unpack(), known.activity());
            let about = About::of(&identity, &activity, known.model_id());
            let twin = known.twin(identity.generation);
            let document = TwinDocument { about: &about, twin: &twin };
            if condition.verdict(&document) == Verdict::True {
                found.push(identity.id().device);
            }
        }
        (found, next.map(|packed| packed.unpack().id()))
    }

    /// The twin of an identity.
    pub fn twin_of(&self, ids: Ids<'_>) -> Option<Cow<'_, Twin>> {
        self.known.get(ids).map(|(packed, known)| known.twin(packed.generation()))
    }

    /// What events say of an identity.
    pub fn seen(&self, ids: Ids<'_>) -> Option<Seen> {
        let (packed, known) = self.known.get(ids)?;
        let (activity, model_id) = (known.activity(), known.model_id().to_owned());
        Some(Seen { identity: packed.unpack(), activity, model_id })
    }

    fn enter(&mut self, identity: Packed, known: Known) {
        self.counts.add(&identity, &known);
        self.known.put(identity, known);
    }

    /// Something was heard of an identity.
    fn hear(&mut self, ids: Ids<'_>, change: impl FnOnce(&mut Heard)) {
        let Some((identity, known)) = self.known.get_mut(ids) else { return };
        self.counts.sub(identity, known);
        change(known.heard.get_or_insert_default());
        self.counts.add(identity, known);
    }

    fn leave(&mut self, ids: Ids<'_>) -> Option<(Packed, Known)> {
        let left = self.known.remove(ids);
        left.iter().for_each(|(identity, known)| self.counts.sub(identity, known));
        left
    }
}

/// Who sends something.
pub(crate) struct Sender<'d> {
    pub generation: Generation,
    /// Of the last connection that named one, else empty.
    pub model_id: &'d str,
}

/// An identity at a moment.
pub(crate) struct Seen {
    pub identity: Identity,
    pub activity: Activity,
    pub model_id: String,
}

impl Seen {
    /// One of which nothing was heard yet.
    pub fn new(identity: &Packed) -> Self {
        let (identity, activity) = (identity.unpack(), Activity::default());
        Self { identity, activity, model_id: String::new() }
    }

    /// What its twin's document says of it.
    pub fn about(&self) -> About<'_> {
        About::of(&self.identity, &self.activity, &self.model_id)
    }
}

/// The home of a device and its modules, the same on every reactor.
pub fn home_of_device(device: &str, reactors: usize) -> usize {
    crate::shard::home_of(device, reactors)
}

/// A scan of so many twins takes about as long as a burst of publishes.
const SCANNED_AT_ONCE: usize = 1_000;
