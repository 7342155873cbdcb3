//! Twins: what is read of them and written into them (iot-hub B1, C4).

use super::TwinShown;
use super::session::Way;
use super::writing::{Effect, Shape, Then};
use crate::door::Reply;
use crate::jobs::Work;
use crate::shard::Shard;
use hub::IfMatch;
use hub::errors::Refusal;
use hub::identity::{BulkRow, IdentityId, RowError, TwinRow, not_found};
use hub::job::Action;
use hub::plane::Status;
use hub::registry::Ids;
use hub::twin::{self, About, Change, IfVersion, Mode, Refused, Twin};

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
            Ok(Some(effect)) => self.write(id, effect, Then::Twin(reply)),
            // It named no part: nothing has changed.
            Ok(None) => reply(self.twin_shown(&id)),
            Err(not) => reply(Err(not.refusal(&id))),
        }
    }

    /// What a job says of it. That the device is done with goes to the log in this turn, and so in
    /// the same batch: whatever crashes, the twin is written once.
    pub(super) fn decide_twin_of_job(&mut self, id: IdentityId, work: &Work) {
        let Action::Twin { request, if_match } = &work.plan.action else { return };
        let now_ms = self.homes.now.wall_ms;
        match self.change_twin(&id, |twin| twin::patch(twin, request, if_match, now_ms)) {
            Ok(Some(effect)) => {
                self.write(id, effect, Then::Beside);
                self.job_twin_written(work);
            }
            Ok(None) => self.job_twin_decided(work, Ok(())),
            Err(not) => self.job_twin_decided(work, Err(not.refusal(&id))),
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
            Ok(Some(effect)) => return self.write(id, effect, Then::Row(row, None, reply)),
            Ok(None) => reply(Ok(())),
            Err(not) => reply(Err(row.error(not.refusal(&id)))),
        }
        self.device_free(&id.device);
    }

    /// A device reads its twin (A14.2).
    pub(super) fn tell_twin(&mut self, id: &IdentityId, way: &Way) {
        let Some((packed, known)) = self.devices.known.get(Ids::from(id)) else {
            return self.respond_failure(way, Status::NOT_AUTHORIZED, GONE);
        };
        let mut json = Vec::new();
        known.twin(packed.generation()).write_for_device(&mut json);
        self.respond_success(way, None, &json);
    }

    /// A device writes into what it reports (A14.3).
    pub(super) fn decide_reported(
        &mut self,
        id: IdentityId,
        way: Way,
        if_version: IfVersion,
        patch: &[u8],
    ) {
        let now_ms = self.homes.now.wall_ms;
        let decided =
            self.change_twin(&id, |twin| twin::patch_reported(twin, patch, if_version, now_ms));
        match decided {
            Ok(Some(effect)) => {
                let version = match &effect {
                    Effect::Twin(twin, ..) => twin.reported().version(),
                    Effect::Put(_) | Effect::Gone => 0,
                };
                self.write(id, effect, Then::Reported(way, version));
            }
            // A patch is always a write.
            Ok(None) => self.respond_failure(&way, Status::SERVER_ERROR, ""),
            Err(NotChanged::Unknown) => self.respond_failure(&way, Status::NOT_AUTHORIZED, GONE),
            Err(NotChanged::Refused(refused)) => {
                self.respond_failure(&way, Status::from(&refused), &refused.to_string());
            }
        }
    }

    /// Decides a write into a twin; nothing, if it changes nothing.
    fn change_twin(
        &self,
        id: &IdentityId,
        decide: impl FnOnce(&Twin) -> Result<Change, Refused>,
    ) -> Result<Option<Effect>, NotChanged> {
        let found = self.devices.known.get(Ids::from(id));
        let (packed, known) = found.ok_or(NotChanged::Unknown)?;
        let change = decide(&known.twin(packed.generation())).map_err(NotChanged::Refused)?;
        let scattered = known.twin.as_ref().is_some_and(|kept| kept.is_scattered());
        let notification = change.notification();
        let Change { twin, record } = change;
        Ok(record.map(|record| {
            let shape = if scattered { Shape::Whole(record) } else { Shape::Change(record) };
            Effect::Twin(Box::new(twin), shape, notification)
        }))
    }
}

/// Why a twin stays as it is.
enum NotChanged {
    /// There is none.
    Unknown,
    /// A rule stands against it.
    Refused(Refused),
}

impl NotChanged {
    fn refusal(self, id: &IdentityId) -> Refusal {
        match self {
            Self::Unknown => not_found(id),
            Self::Refused(refused) => refused.into(),
        }
    }
}

const GONE: &str = "the identity is not registered any more";
