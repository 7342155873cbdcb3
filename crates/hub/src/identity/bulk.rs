//! Bulk operations on the registry, row by row (iot-hub C3): `ExportImportDevice` in, changes and
//! `BulkRegistryOperationResult` out. Refuses to know the twins whose parts rows may carry.

use std::collections::HashSet;

use serde_json::json;

use super::change::{Change, Fresh, Neighbours, create, delete, not_found, update};
use super::id::{DeviceId, IdentityId, ModuleId, NameError};
use super::limits::{BULK_ROWS_MAX, SHOWN_ID_CHARS_MAX};
use super::member::{Members, array, format_error, object};
use super::registered::Identity;
use super::wanted::Wanted;
use crate::IfMatch;
use crate::errors::{ErrorCode, Refusal};
use crate::json::{Value, write_text};

/// One row: what shall become of one identity.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkRow {
    /// Which one.
    pub id: IdentityId,
    /// `importMode`.
    pub mode: ImportMode,
    /// Its twin's part, for the twin's own rules; `None` = none was given.
    pub twin: Option<TwinRow>,
    action: Action,
}

/// What a row says of a twin, as it was given.
#[derive(Debug, Clone, PartialEq)]
pub struct TwinRow {
    /// `{tags?, properties?}` in JSON, for [`patch`](crate::twin::patch) or
    /// [`replace`](crate::twin::replace): its numbers as the row wrote them.
    pub request: Box<[u8]>,
    /// The precondition on the twin's etag: `twinETag` with
    /// [`UpdateTwinIfMatchEtag`](ImportMode::UpdateTwinIfMatchEtag), any state otherwise.
    pub if_match: IfMatch,
}

#[derive(Debug, Clone, PartialEq)]
enum Action {
    Create(Wanted),
    Update(Wanted, IfMatch),
    CreateOrUpdate(Wanted, IfMatch),
    Delete(IfMatch),
    Twin,
}

/// `importMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportMode {
    /// It must not exist.
    Create,
    /// It must exist, in any state.
    Update,
    /// It must exist in the state of `eTag`.
    UpdateIfMatchEtag,
    /// Whatever exists.
    CreateOrUpdate,
    /// If it exists, then in the state of `eTag`.
    CreateOrUpdateIfMatchEtag,
    /// It must exist, in any state.
    Delete,
    /// It must exist in the state of `eTag`.
    DeleteIfMatchEtag,
    /// Its twin, in any state.
    UpdateTwin,
    /// Its twin, in the state of `twinETag`.
    UpdateTwinIfMatchEtag,
}

impl ImportMode {
    /// The text in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::UpdateIfMatchEtag => "updateIfMatchETag",
            Self::CreateOrUpdate => "createOrUpdate",
            Self::CreateOrUpdateIfMatchEtag => "createOrUpdateIfMatchETag",
            Self::Delete => "delete",
            Self::DeleteIfMatchEtag => "deleteIfMatchETag",
            Self::UpdateTwin => "updateTwin",
            Self::UpdateTwinIfMatchEtag => "updateTwinIfMatchETag",
        }
    }

    /// The mode of that text in any case: clients differ.
    pub fn parse(text: &str) -> Option<Self> {
        MODES.into_iter().find(|mode| mode.as_str().eq_ignore_ascii_case(text))
    }
}

/// What a row leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BulkChange {
    /// Another identity.
    Put(Change),
    /// The identity and its twin end; a device takes its modules with it.
    Deleted,
    /// Only the twin is concerned; its identity exists.
    Twin,
}

impl BulkRow {
    /// Reads the body of `POST /devices`: a row or its error for each element, in their order. A
    /// second row for one id is an error of that row.
    ///
    /// # Errors
    /// IotHubFormatError when it is no JSON array, TooManyDevices for more than 100 rows.
    pub fn read_all(body: &[u8]) -> Result<Vec<Result<Self, RowError>>, Refusal> {
        let rows = array(body)?;
        if rows.len() > BULK_ROWS_MAX {
            let text = format!("{} devices in a call, at most {BULK_ROWS_MAX} may be", rows.len());
            return Err(Refusal::new(ErrorCode::TooManyDevices, text));
        }
        let mut seen = HashSet::new();
        let read = |row: &Value<'_>| {
            let row = match row {
                Value::Object(_) => Self::of_object(row, None),
                _ => Err(RowError::unnamed(format_error("a row is no JSON object"))),
            }?;
            if seen.insert(row.id.clone()) {
                return Ok(row);
            }
            let twice = Refusal::new(
                ErrorCode::DeviceDefinedMultipleTimes,
                format!("{} is in this call more than once", row.id),
            );
            Err(row.error(twice))
        };
        Ok(rows.iter().map(read).collect())
    }

    /// Reads one line of an import file, where no `importMode` means `createOrUpdate`.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub fn read_line(line: &[u8]) -> Result<Self, RowError> {
        let row = object(line).map_err(RowError::unnamed)?;
        Self::of_object(&row, Some(ImportMode::CreateOrUpdate))
    }

    /// Decides the row. `stored` is the identity of its id, after the rows before it.
    ///
    /// # Errors
    /// The row's error, as [`create`], [`update`] and [`delete`] have it.
    pub fn decide(
        &self,
        stored: Option<&Identity>,
        neighbours: Neighbours,
        fresh: &Fresh,
    ) -> Result<BulkChange, RowError> {
        let created = |wanted| create(wanted, stored, neighbours, fresh).map(Change::Created);
        let updated =
            |wanted, if_match| update(wanted, stored, if_match, fresh).map(Change::Updated);
        let decided = match &self.action {
            Action::Create(wanted) => created(wanted).map(BulkChange::Put),
            Action::Update(wanted, if_match) => updated(wanted, if_match).map(BulkChange::Put),
            Action::CreateOrUpdate(wanted, if_match) => match stored {
                None => created(wanted).map(BulkChange::Put),
                Some(_) => updated(wanted, if_match).map(BulkChange::Put),
            },
            Action::Delete(if_match) => {
                delete(&self.id, stored, if_match).map(|()| BulkChange::Deleted)
            }
            Action::Twin => match stored {
                Some(_) => Ok(BulkChange::Twin),
                None => Err(not_found(&self.id)),
            },
        };
        decided.map_err(|refusal| self.error(refusal))
    }

    /// An error of this row, also one that its twin's rules found.
    pub fn error(&self, refusal: Refusal) -> RowError {
        let IdentityId { device, module } = &self.id;
        RowError {
            device: device.as_str().into(),
            module: module.as_ref().map(|module| module.as_str().into()),
            mode: Some(self.mode),
            refusal,
        }
    }

    fn of_object(row: &Value<'_>, mode_absent: Option<ImportMode>) -> Result<Self, RowError> {
        let members = Members::new(row, "");
        let mut error = RowError::unnamed(members.missing("id"));
        Self::read_row(members, mode_absent, &mut error).map_err(|refusal| {
            error.refusal = refusal;
            error
        })
    }

    /// Fills in whom an error is about as soon as that is known.
    fn read_row(
        members: Members<'_>,
        mode_absent: Option<ImportMode>,
        about: &mut RowError,
    ) -> Result<Self, Refusal> {
        let device = match members.filled("id")? {
            Some(id) => id,
            None => members.filled("deviceId")?.ok_or_else(|| members.missing("id"))?,
        };
        about.device = device.chars().take(SHOWN_ID_CHARS_MAX).collect();
        let module = members.filled("moduleId")?;
        about.module = module.map(|module| module.chars().take(SHOWN_ID_CHARS_MAX).collect());
        let mode = match members.filled("importMode")? {
            None => mode_absent.ok_or_else(|| members.missing("importMode"))?,
            Some(text) => ImportMode::parse(text)
                .ok_or_else(|| members.invalid("importMode", "is not a known one"))?,
        };
        about.mode = Some(mode);
        let bad = |name, why: NameError| members.invalid(name, &why.to_string());
        let device = DeviceId::parse(device).map_err(|why| bad("id", why))?;
        let module = module.map(ModuleId::parse).transpose();
        let id = IdentityId { device, module: module.map_err(|why| bad("moduleId", why))? };
        let wanted = || Wanted::of_members(members, id.clone());
        let etag = || -> Result<IfMatch, Refusal> {
            let etag = match members.filled("eTag")? {
                None => members.filled("etag")?,
                given => given,
            };
            Ok(IfMatch::parse(Some(etag.ok_or_else(|| members.missing("eTag"))?)))
        };
        let action = match mode {
            ImportMode::Create => Action::Create(wanted()?),
            ImportMode::Update => Action::Update(wanted()?, IfMatch::Any),
            ImportMode::UpdateIfMatchEtag => Action::Update(wanted()?, etag()?),
            ImportMode::CreateOrUpdate => Action::CreateOrUpdate(wanted()?, IfMatch::Any),
            ImportMode::CreateOrUpdateIfMatchEtag => {
                // One that is to be created has no etag yet.
                let if_match = etag().unwrap_or(IfMatch::Etag("".into()));
                Action::CreateOrUpdate(wanted()?, if_match)
            }
            ImportMode::Delete => Action::Delete(IfMatch::Any),
            ImportMode::DeleteIfMatchEtag => Action::Delete(etag()?),
            ImportMode::UpdateTwin | ImportMode::UpdateTwinIfMatchEtag => Action::Twin,
        };
        let twin = twin(members, mode)?;
        Ok(Self { id, mode, twin, action })
    }
}

fn twin(members: Members<'_>, mode: ImportMode) -> Result<Option<TwinRow>, Refusal> {
    let if_match = match mode {
        ImportMode::UpdateTwinIfMatchEtag => {
            let etag = members.filled("twinETag")?;
            IfMatch::parse(Some(etag.ok_or_else(|| members.missing("twinETag"))?))
        }
        _ => IfMatch::Any,
    };
    let mut request = Vec::new();
    for name in ["tags", "properties"] {
        if let Some(part) = members.object(name)? {
            request.push(if request.is_empty() { b'{' } else { b',' });
            write_text(name, &mut request);
            request.push(b':');
            part.write(&mut request);
        }
    }
    let given = !request.is_empty();
    request.extend_from_slice(if given { b"}" } else { b"{}" });
    let concerned = matches!(mode, ImportMode::UpdateTwin | ImportMode::UpdateTwinIfMatchEtag);
    Ok((given || concerned).then_some(TwinRow { request: request.into(), if_match }))
}

/// Why a row had no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// The device, as the row named it; empty where it did not.
    pub device: Box<str>,
    /// The module, if the row named one.
    pub module: Option<Box<str>>,
    /// What was to be done; `None` where that could not be read.
    pub mode: Option<ImportMode>,
    /// Why not.
    pub refusal: Refusal,
}

impl RowError {
    fn unnamed(refusal: Refusal) -> Self {
        Self { device: "".into(), module: None, mode: None, refusal }
    }

    /// The element of `errors`. The code is its name: some clients cannot read a number there.
    pub fn document(&self) -> serde_json::Value {
        json!({
            "deviceId": self.device,
            "errorCode": self.refusal.code.name(),
            "errorStatus": self.refusal.message,
            "moduleId": self.module,
            "operation": self.mode.map(ImportMode::as_str),
        })
    }
}

/// What became of all rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BulkResult {
    /// Of the rows that had no effect, in their order.
    pub errors: Vec<RowError>,
}

impl BulkResult {
    /// `None` = 200; otherwise 400 with this code in the header, and the document all the same.
    pub fn code(&self) -> Option<ErrorCode> {
        (!self.errors.is_empty()).then_some(ErrorCode::BulkRegistryOperationFailure)
    }

    /// `BulkRegistryOperationResult`. No rule warns, and the member is always there.
    pub fn document(&self) -> serde_json::Value {
        json!({
            "isSuccessful": self.errors.is_empty(),
            "errors": self.errors.iter().map(RowError::document).collect::<Vec<_>>(),
            "warnings": [],
        })
    }
}

const MODES: [ImportMode; 9] = [
    ImportMode::Create,
    ImportMode::Update,
    ImportMode::UpdateIfMatchEtag,
    ImportMode::CreateOrUpdate,
    ImportMode::CreateOrUpdateIfMatchEtag,
    ImportMode::Delete,
    ImportMode::DeleteIfMatchEtag,
    ImportMode::UpdateTwin,
    ImportMode::UpdateTwinIfMatchEtag,
];

#[cfg(test)]
#[path = "bulk_tests.rs"]
mod tests;
