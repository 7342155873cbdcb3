//! Twins: what is read of them and written into them (iot-hub B1, C4).

use super::TwinShown;
use super::writing::{Effect, Shape, Then};
use crate::door::Reply;
use crate::shard::Shard;
use hub::IfMatch;
use hub::errors::Refusal;
use hub::identity::{BulkRow, IdentityId, RowError, TwinRow, not_found};
use hub::registry::Ids;
use hub::twin::{self, About, Change, Mode, Refused, Twin};

impl Shard {
    /// A twin as services read it.
    pub(super) fn twin_shown(&self, id: &IdentityId) -> Result<TwinShown, Refusal> {
        let found = self.devices.known.get(Ids::from(id));
        let (packed, known) = found.ok_or_else(|| not_found(id))?;
        let (identity, activity) = (packed.unpack(), known.activity());
        let twin = known.twin(identity.generation);
        let mut json = Vec::new();
        let about = About::of(&identity, &activity, known.model_id());
        twin.write_for_service(&about, &mut json);
        Ok(TwinShown { etag: twin.etag(), json })
    }

    /// A service writes into tags and desired.
    pub(super) fn decide_twin(
        &mut self,
        id: IdentityId,
        mode: Mode,
        body: &[u8],
        if_match: &IfMatch,
        reply: Reply<Result<TwinShown, Refusal>>,
    ) {
        let now_ms = self.homes.now.wall_ms;
        let decided = self.change_twin(&id, |twin| match mode {
            Mode::Merge => twin::patch(twin, body, if_match, now_ms),
            Mode::Replace => twin::replace(twin, body, if_match, now_ms),
        });
        match decided {
            Ok(Some((twin, shape))) => {
                self.write(id, Effect::Twin(Box::new(twin), shape), Then::Twin(reply));
            }
            // It named no part: nothing has changed.
            Ok(None) => reply(self.twin_shown(&id)),
            Err(refusal) => reply(Err(refusal)),
        }
    }

    /// What a row of a bulk operation says of its twin.
    pub(super) fn write_twin_of_row(
        &mut self,
        id: IdentityId,
        row: Box<BulkRow>,
        twin: &TwinRow,
        reply: Reply<Result<(), RowError>>,
    ) {
        let now_ms = self.homes.now.wall_ms;
        let decided =
            self.change_twin(&id, |at| twin::patch(at, &twin.request, &twin.if_match, now_ms));
        match decided {
            Ok(Some((twin, shape))) => {
                let effect = Effect::Twin(Box::new(twin), shape);
                return self.write(id, effect, Then::Row(row, None, reply));
            }
            Ok(None) => reply(Ok(())),
            Err(refusal) => reply(Err(row.error(refusal))),
        }
        self.device_free(&id.device);
    }

    /// Decides a write into a twin; nothing, if it changes nothing.
    fn change_twin(
        &self,
        id: &IdentityId,
        decide: impl FnOnce(&Twin) -> Result<Change, Refused>,
    ) -> Result<Option<(Twin, Shape)>, Refusal> {
        let found = self.devices.known.get(Ids::from(id));
        let (packed, known) = found.ok_or_else(|| not_found(id))?;
        let Change { twin, record } = decide(&known.twin(packed.generation()))?;
        let scattered = known.twin.as_ref().is_some_and(|kept| kept.is_scattered());
        let shape = |record| if scattered { Shape::Whole } else { Shape::Change(record) };
        Ok(record.map(|record| (twin, shape(record))))
    }
}
