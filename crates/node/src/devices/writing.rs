//! From a decision to a fact: one write of a device at a time goes to the log, then the state
//! changes, then everybody is told, then what waited has its turn.

use super::known::{KeptTwin, Known};
use super::session::Way;
use super::{Placed, TwinShown};
use crate::door::Reply;
use crate::journal::Entry;
use crate::record::What;
use crate::shard::Shard;
use crate::waiting::Completion;
use hub::errors::{ErrorCode, Refusal};
use hub::identity::{
    BulkRow, DeviceId, IdentityId, Loss, Packed, RowError, Standing, TwinRow, standing,
};
use hub::plane::Status;
use hub::registry::{Entry as DeviceEntry, Ids, Of};
use hub::twin::{Notification, Record, Twin};
use std::borrow::Cow;
use store::log::Need;
use store::op::Sequence;

/// A write of a device that is on its way to the log.
pub(crate) struct Written {
    id: IdentityId,
    effect: Effect,
    then: Then,
}

/// What changes once the write is a fact.
pub(super) enum Effect {
    /// Another state of the identity, or a new one.
    Put(Packed),
    /// Its end; a device takes its modules with it.
    Gone,
    /// The next state of its twin.
    Twin(Box<Twin>, Shape, Option<Notification>),
}

/// How a twin's write stands in the log.
pub(super) enum Shape {
    /// By itself.
    Change(Record),
    /// As the whole twin after it.
    Whole(Record),
}

/// Who is told, and what.
pub(super) enum Then {
    /// Whether it is new, and the way back.
    Placed(bool, Reply<Result<Placed, Refusal>>),
    Ended(Reply<Result<(), Refusal>>),
    Twin(Reply<Result<TwinShown, Refusal>>),
    /// A device that reported, and the `$version` of that.
    Reported(Way, u64),
    /// Nobody: another record says of the same batch what is done.
    Beside,
    /// A row of a bulk operation, with what it is about to write into its twin.
    Row(Box<BulkRow>, Option<Box<TwinRow>>, Reply<Result<(), RowError>>),
}

impl Shard {
    /// Puts a decision into the log, and beside it, in the same turn and so in the same batch, the
    /// events that routes want to hear of it: whatever crashes, none is missing and none is of a
    /// write that is no fact.
    pub(super) fn write(&mut self, id: IdentityId, effect: Effect, then: Then) {
        self.submit_events(&id, &effect);
        if !self.perform.keeps() {
            return self.device_written(Written { id, effect, then }, Sequence(0));
        }
        let mut payload = Vec::new();
        let entry = Entry::Device(self.entry(Ids::from(&id), &effect));
        entry.encode(&mut payload);
        let kind = entry.kind();
        self.devices.busy.entry(id.device.clone()).or_default();
        let written = Completion::Device(Box::new(Written { id, effect, then }));
        self.perform.write_payload((kind, &payload), What::Own, written);
    }

    fn submit_events(&mut self, id: &IdentityId, effect: &Effect) {
        match effect {
            Effect::Put(packed) if self.devices.known.get(Ids::from(id)).is_none() => {
                self.submit_created(packed);
            }
            Effect::Put(_) => {}
            Effect::Gone => self.submit_deleted(&self.ending(id)),
            Effect::Twin(twin, Shape::Change(record) | Shape::Whole(record), _) => {
                self.submit_twin_changed(id, twin, record);
            }
        }
    }

    fn entry<'e>(&self, ids: Ids<'e>, effect: &'e Effect) -> DeviceEntry<'e> {
        let generation = || {
            let known = self.devices.known.get(ids);
            // It was found when the change was decided, and nothing of its device was since.
            known.expect("the identity of the twin is there").0.generation()
        };
        match effect {
            Effect::Put(packed) => DeviceEntry::Identity(packed.clone()),
            Effect::Gone => DeviceEntry::Gone(ids),
            Effect::Twin(twin, Shape::Whole(_), _) => {
                let of = Of { ids, generation: generation() };
                DeviceEntry::Twin(of, Cow::Borrowed(twin))
            }
            Effect::Twin(_, Shape::Change(record), _) => {
                let of = Of { ids, generation: generation() };
                DeviceEntry::TwinChange(of, Cow::Borrowed(record))
            }
        }
    }

    /// A write has become a fact.
    pub(crate) fn device_written(&mut self, written: Written, at: Sequence) {
        let Written { id, effect, then } = written;
        match effect {
            Effect::Put(packed) => self.put(&id, packed, at),
            Effect::Gone => self.gone(&id, at),
            Effect::Twin(twin, shape, heard) => {
                self.turned(&id, *twin, &shape, at);
                if let Some(notification) = heard {
                    self.notify_desired(&id, &notification);
                }
                let (Shape::Change(record) | Shape::Whole(record)) = shape;
                self.remember_change(&id, record);
            }
        }
        match then {
            Then::Placed(is_new, reply) => {
                if let Some(shown) = self.shown(&id) {
                    reply(Ok(Placed { is_new, shown }));
                }
            }
            Then::Ended(reply) => reply(Ok(())),
            Then::Twin(reply) => reply(self.twin_shown(&id)),
            Then::Reported(way, version) => self.respond_success(&way, Some(version), &[]),
            Then::Beside => {}
            Then::Row(row, None, reply) => {
                drop(row);
                reply(Ok(()))
            }
            // The device is not free yet: this is one row.
            Then::Row(row, Some(twin), reply) => {
                return self.write_twin_of_row(id, row, &twin, reply);
            }
        }
        self.device_free(&id.device);
    }

    /// A write has not become a fact: nothing has changed.
    pub(crate) fn device_unwritten(&mut self, written: Written, why: &'static str) {
        let Written { id, effect, then } = written;
        let is_new = self.devices.known.get(Ids::from(&id)).is_none();
        if let (Effect::Put(_), true, Some(hub)) = (effect, is_new, &self.devices.hub) {
            hub.discount(1);
        }
        let refusal = Refusal::new(ErrorCode::ServiceUnavailable, why);
        match then {
            Then::Placed(_, reply) => reply(Err(refusal)),
            Then::Ended(reply) => reply(Err(refusal)),
            Then::Twin(reply) => reply(Err(refusal)),
            Then::Reported(way, _) => self.respond_failure(&way, Status::SERVER_BUSY, why),
            Then::Beside => {}
            Then::Row(row, _, reply) => reply(Err(row.error(refusal))),
        }
        self.device_free(&id.device);
    }

    /// What waited for a write of this device has its turn, up to the next write.
    pub(super) fn device_free(&mut self, device: &DeviceId) {
        let Some(mut waiting) = self.devices.busy.remove(device) else { return };
        while let Some(job) = waiting.pop() {
            self.decide(job);
            if let Some(behind) = self.devices.busy.get_mut(device) {
                return behind.behind(waiting);
            }
        }
    }

    fn put(&mut self, id: &IdentityId, packed: Packed, at: Sequence) {
        let after = packed.unpack();
        let Some((before, known)) = self.devices.leave(Ids::from(id)) else {
            return self.devices.enter(packed, Known::new(at));
        };
        self.release_record(known.at);
        self.devices.enter(packed, Known { at, ..known });
        let before = before.unpack();
        if let Standing::Lost(loss) = standing(&before, Some(&after)) {
            self.stand_down(id, loss);
        }
    }

    /// Whose end the end of an identity is: a device's modules, then its own.
    fn ending(&self, id: &IdentityId) -> Vec<IdentityId> {
        let of_device = id.module.is_none().then(|| self.devices.known.modules(id.device.as_str()));
        let modules = of_device.into_iter().flatten().map(|(packed, _)| packed.unpack().id());
        modules.chain([id.clone()]).collect()
    }

    fn gone(&mut self, id: &IdentityId, at: Sequence) {
        let ended = self.ending(id);
        let mut oldest = at;
        for id in &ended {
            self.stand_down(id, Loss::Deleted);
            let Some((packed, known)) = self.devices.leave(Ids::from(id)) else { continue };
            if id.module.is_none() {
                self.feedback_ends(&id.device, packed.generation());
            }
            self.devices.forget_history(&known);
            oldest = oldest.min(known.first);
            known.records().for_each(|record| self.release_record(record));
        }
        if at.0 > 0 {
            self.perform.need(Need::Bury { oldest, at });
        }
        if let Some(hub) = &self.devices.hub {
            hub.discount(ended.len() as u64);
        }
    }

    fn turned(&mut self, id: &IdentityId, twin: Twin, shape: &Shape, at: Sequence) {
        let Some((_, known)) = self.devices.known.get_mut(Ids::from(id)) else { return };
        let at = (at.0 > 0).then_some(at);
        let before = match (&mut known.twin, shape) {
            (Some(kept), Shape::Change(_)) => {
                kept.twin = twin;
                kept.changes.extend(at);
                None
            }
            (kept, Shape::Change(_)) => {
                let (whole, changes) = (None, at.into_iter().collect());
                kept.replace(Box::new(KeptTwin { twin, whole, changes }))
            }
            (kept, Shape::Whole(_)) => {
                kept.replace(Box::new(KeptTwin { twin, whole: at, changes: Vec::new() }))
            }
        };
        before
            .iter()
            .flat_map(|kept| kept.records())
            .for_each(|record| self.release_record(record));
    }

    fn release_record(&mut self, at: Sequence) {
        if at.0 > 0 {
            self.perform.need(Need::Release(at));
        }
    }
}
