//! Identities: what becomes of them, decided with what is registered (iot-hub C3).

use super::Strikes;
use super::asking::{Ask, Job, Wish};
use super::methods::Invoker;
use super::writing::{Effect, Then};
use super::{Placed, Shown};
use crate::door::Reply;
use crate::shard::Shard;
use hub::IfMatch;
use hub::errors::Refusal;
use hub::identity::{
    BulkChange, BulkRow, Change, Fresh, Identity, IdentityId, Neighbours, Packed, RowError,
    TwinRow, Wanted, delete, not_found, put,
};
use hub::registry::Ids;
use hub::twin::{self, Twin};

impl Shard {
    /// Decides a job whose device waits for nothing.
    pub(super) fn decide(&mut self, job: Job) {
        let Job { id, wish } = job;
        match wish {
            Wish::Service(ask) => self.decide_ask(id, ask),
            Wish::GetTwin(way) => self.tell_twin(&id, &way),
            Wish::PatchReported(way, if_version, patch) => {
                self.decide_reported(id, way, if_version, &patch);
            }
            Wish::JobTwin(work) => self.decide_twin_of_job(id, &work),
        }
    }

    pub(super) fn decide_ask(&mut self, id: IdentityId, ask: Ask) {
        match ask {
            Ask::Get(reply) => reply(self.shown(&id).ok_or_else(|| not_found(&id))),
            Ask::Put(wanted, if_match, fresh, reply) => {
                self.decide_put(id, &wanted, &if_match, &fresh, reply);
            }
            Ask::Delete(if_match, reply) => {
                match delete(&id, self.stored(&id).as_ref(), &if_match) {
                    Ok(()) => self.write(id, Effect::Gone, Then::Ended(reply)),
                    Err(refusal) => reply(Err(refusal)),
                }
            }
            Ask::Row(row, fresh, reply) => self.decide_row(id, row, &fresh, reply),
            Ask::Send(sending, reply) => self.send_command(id, &sending, reply),
            Ask::Purge(reply) => self.purge_commands(id, reply),
            Ask::Receive(lock_ms, reply) => self.receive_command(&id, lock_ms, reply),
            Ask::Settle(token, how, reply) => self.settle_unless_lost(id, (token, how), reply),
            Ask::Commands(reply) => reply(self.commands_shown(&id)),
            Ask::Verify(credential, reply) => reply(self.verify(&id, credential)),
            Ask::Event(sending, auth_method, reply) => {
                self.take_event(&id, *sending, auth_method, (reply, Strikes::May));
            }
            Ask::Invoke(request, ticket, reply) => {
                self.invoke(&id, *request, Invoker { ticket, reply });
            }
            Ask::HangUp(ticket) => self.hang_up(&id, ticket),
            Ask::Modules(reply) => reply(self.modules(&id)),
            Ask::Twin(reply) => reply(self.twin_shown(&id)),
            Ask::TwinHistory(reply) => reply(self.twin_history(&id)),
            Ask::WriteTwin(mode, body, if_match, reply) => {
                self.decide_twin(id, mode, &body, &if_match, reply);
            }
        }
    }

    /// An identity as services see it.
    pub(super) fn shown(&self, id: &IdentityId) -> Option<Shown> {
        let (packed, known) = self.devices.known.get(Ids::from(id))?;
        Some(Shown { identity: packed.clone(), activity: known.activity() })
    }

    /// What is registered under an id.
    pub(super) fn stored(&self, id: &IdentityId) -> Option<Identity> {
        self.devices.known.get(Ids::from(id)).map(|(packed, _)| packed.unpack())
    }

    fn modules(&self, id: &IdentityId) -> Result<Vec<Shown>, Refusal> {
        let device = id.device.as_str();
        if self.devices.known.get(Ids { device, module: None }).is_none() {
            return Err(not_found(&IdentityId { device: id.device.clone(), module: None }));
        }
        let modules = self.devices.known.modules(device);
        let shown = modules
            .map(|(packed, known)| Shown { identity: packed.clone(), activity: known.activity() });
        Ok(shown.collect())
    }

    fn decide_put(
        &mut self,
        id: IdentityId,
        wanted: &Wanted,
        if_match: &IfMatch,
        fresh: &Fresh,
        reply: Reply<Result<Placed, Refusal>>,
    ) {
        let stored = self.stored(&id);
        let decided = self.registering(&id, stored.is_none(), |neighbours| {
            put(wanted, stored.as_ref(), if_match, neighbours, fresh)
        });
        match decided {
            Ok(change) => {
                let is_new = matches!(change, Change::Created(_));
                let packed = Packed::from(change.identity());
                self.write(id, Effect::Put(packed), Then::Placed(is_new, reply));
            }
            Err(refusal) => reply(Err(refusal)),
        }
    }

    fn decide_row(
        &mut self,
        id: IdentityId,
        row: Box<BulkRow>,
        fresh: &Fresh,
        reply: Reply<Result<(), RowError>>,
    ) {
        let stored = self.stored(&id);
        let decided = self.registering(&id, stored.is_none(), |neighbours| {
            row.decide(stored.as_ref(), neighbours, fresh)
        });
        // What its twin refuses must not leave half of a row.
        let decided = decided.and_then(|change| match &row.twin {
            Some(twin) if change != BulkChange::Deleted => {
                let is_new = matches!(&change, BulkChange::Put(Change::Created(_)));
                let judged = self.judge_row(&id, is_new, twin, fresh.now_ms);
                if judged.is_err() && is_new {
                    self.unregister();
                }
                judged.map(|()| change).map_err(|refusal| row.error(refusal))
            }
            _ => Ok(change),
        });
        match decided {
            Ok(BulkChange::Put(change)) => {
                let effect = Effect::Put(Packed::from(change.identity()));
                let twin = row.twin.clone().map(Box::new);
                self.write(id, effect, Then::Row(row, twin, reply));
            }
            Ok(BulkChange::Deleted) => self.write(id, Effect::Gone, Then::Row(row, None, reply)),
            Ok(BulkChange::Twin) => match row.twin.clone() {
                Some(twin) => self.write_twin_of_row(id, row, &twin, reply),
                None => reply(Ok(())),
            },
            Err(error) => reply(Err(error)),
        }
    }

    /// Whether the twin that a row leads to takes what the row says of it.
    fn judge_row(
        &self,
        id: &IdentityId,
        is_new: bool,
        row: &TwinRow,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        let known = self.devices.known.get(Ids::from(id)).filter(|_| !is_new);
        let judge = |twin: &Twin| twin::patch(twin, &row.request, &row.if_match, now_ms);
        let judged = match known {
            Some((packed, known)) => judge(&known.twin(packed.generation())),
            None => judge(&Twin::new(now_ms)),
        };
        judged.map(drop).map_err(Refusal::from)
    }

    /// Decides something by which an identity may become registered, and counts it if it does.
    fn registering<C: Registers, E>(
        &self,
        id: &IdentityId,
        is_new: bool,
        decide: impl FnOnce(Neighbours) -> Result<C, E>,
    ) -> Result<C, E> {
        let Some(hub) = self.devices.hub.as_ref().filter(|_| is_new) else {
            return decide(Neighbours { identities: 0, modules_of_device: None });
        };
        let device = id.device.as_str();
        let known = &self.devices.known;
        let modules_of_device = known
            .get(Ids { device, module: None })
            .map(|_| u32::try_from(known.modules(device).count()).unwrap_or(u32::MAX));
        let decided = decide(Neighbours { identities: hub.count(), modules_of_device });
        if !decided.as_ref().is_ok_and(C::registers) {
            self.unregister();
        }
        decided
    }

    /// One that was counted is not registered.
    fn unregister(&self) {
        if let Some(hub) = &self.devices.hub {
            hub.discount(1);
        }
    }
}

/// What may register an identity.
trait Registers {
    fn registers(&self) -> bool;
}

impl Registers for Change {
    fn registers(&self) -> bool {
        matches!(self, Self::Created(_))
    }
}

impl Registers for BulkChange {
    fn registers(&self) -> bool {
        matches!(self, Self::Put(Change::Created(_)))
    }
}
