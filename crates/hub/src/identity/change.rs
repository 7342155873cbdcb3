//! Whether an identity is created, changed or deleted, and what it is then (iot-hub C3): the
//! stored record and the request in, the new record or a refusal out. Refuses to know the log,
//! HTTP and where chance comes from.

use super::authentication::Authentication;
use super::generation::Generation;
use super::id::{DeviceId, IdentityId};
use super::limits::{IDENTITIES_MAX, MODULES_OF_DEVICE_MAX};
use super::registered::{Device, Edge, Identity, Module, Part, Status};
use super::wanted::{Wanted, WantedAuthentication};
use crate::errors::{ErrorCode, Refusal};
use crate::sas::{Key, SymmetricKeys};
use crate::{Etag, IfMatch, Moment};

/// What only the outermost crate can give: fresh numbers and the time.
#[derive(Clone)]
pub struct Fresh {
    /// Of a new identity: one that its id never had before.
    pub generation: Generation,
    /// Of the new state. Where it is the present one by chance, the next number is taken.
    pub etag: Etag,
    /// Random: the primary key, if one is to be made.
    pub primary: [u8; 32],
    /// Random: the secondary key, if one is to be made.
    pub secondary: [u8; 32],
    /// Domain clock, Unix milliseconds.
    pub now_ms: u64,
}

/// What is registered beside the identity in question.
#[derive(Debug, Clone, Copy)]
pub struct Neighbours {
    /// Devices and modules of the hub, all together.
    pub identities: u64,
    /// The device of a module, and how many modules it has; `None` = no such device. Not asked
    /// for devices.
    pub modules_of_device: Option<u32>,
}

/// What a request for an identity leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new identity, and with it a new twin.
    Created(Identity),
    /// Another state of one that was there.
    Updated(Identity),
}

impl Change {
    /// The identity as it is then.
    pub fn identity(&self) -> &Identity {
        match self {
            Self::Created(identity) | Self::Updated(identity) => identity,
        }
    }
}

/// `PUT`: creates without a precondition, and updates with one. `stored` is the identity of that
/// id.
///
/// # Errors
/// DeviceAlreadyExists or ModuleAlreadyExistsOnDevice without `If-Match`, DeviceNotFound or
/// ModuleNotFound with it, PreconditionFailed for another state, and what [`create`] and
/// [`update`] refuse.
pub fn put(
    wanted: &Wanted,
    stored: Option<&Identity>,
    if_match: &IfMatch,
    neighbours: Neighbours,
    fresh: &Fresh,
) -> Result<Change, Refusal> {
    match if_match {
        IfMatch::Absent => create(wanted, stored, neighbours, fresh).map(Change::Created),
        _ => update(wanted, stored, if_match, fresh).map(Change::Updated),
    }
}

/// Makes a new identity.
///
/// # Errors
/// DeviceAlreadyExists or ModuleAlreadyExistsOnDevice, DeviceNotFound for a module of no device,
/// TooManyModulesOnDevice, TooManyDevices, ArgumentInvalid.
pub fn create(
    wanted: &Wanted,
    stored: Option<&Identity>,
    neighbours: Neighbours,
    fresh: &Fresh,
) -> Result<Identity, Refusal> {
    if stored.is_some() {
        return Err(exists(&wanted.id));
    }
    if wanted.id.module.is_some() {
        match neighbours.modules_of_device {
            None => return Err(no_device(&wanted.id.device)),
            Some(modules) if modules >= MODULES_OF_DEVICE_MAX => {
                let text = format!("a device has at most {MODULES_OF_DEVICE_MAX} modules");
                return Err(Refusal::new(ErrorCode::TooManyModulesOnDevice, text));
            }
            Some(_) => {}
        }
    }
    if neighbours.identities >= IDENTITIES_MAX {
        let text = format!("a hub has at most {IDENTITIES_MAX} devices and modules");
        return Err(Refusal::new(ErrorCode::TooManyDevices, text));
    }
    settled(wanted, None, fresh.generation, fresh.etag, fresh)
}

/// Makes an identity what a client wants it to be.
///
/// # Errors
/// DeviceNotFound or ModuleNotFound, PreconditionFailed, ArgumentInvalid.
pub fn update(
    wanted: &Wanted,
    stored: Option<&Identity>,
    if_match: &IfMatch,
    fresh: &Fresh,
) -> Result<Identity, Refusal> {
    let stored = matching(&wanted.id, stored, if_match)?;
    let etag = match fresh.etag {
        same if same == stored.etag => Etag(same.0.wrapping_add(1)),
        other => other,
    };
    settled(wanted, Some(stored), stored.generation, etag, fresh)
}

/// `DELETE`: whether it may go. A device takes its modules with it.
///
/// # Errors
/// DeviceNotFound or ModuleNotFound, PreconditionFailed for another state and for no precondition.
pub fn delete(
    id: &IdentityId,
    stored: Option<&Identity>,
    if_match: &IfMatch,
) -> Result<(), Refusal> {
    matching(id, stored, if_match).map(|_| ())
}

/// Whether a connection of the identity may stay when it changes from `before` to `after`
/// (`None` = it is deleted): iot-hub A9 ends it with reason 135.
pub fn standing(before: &Identity, after: Option<&Identity>) -> Standing {
    let status = |identity: &Identity| match &identity.part {
        Part::Device(device) => device.status,
        Part::Module(_) => Status::Enabled,
    };
    match after {
        None => Standing::Lost(Loss::Deleted),
        Some(after) if after.generation != before.generation => Standing::Lost(Loss::Deleted),
        Some(after) if status(after) == Status::Disabled => Standing::Lost(Loss::Disabled),
        Some(after) if after.authentication != before.authentication => {
            Standing::Lost(Loss::Authentication)
        }
        Some(_) => Standing::Holds,
    }
}

/// Whether a connection may stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Holds,
    /// It may not.
    Lost(Loss),
}

/// Why a connection may not stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The identity is no more; for a device also its modules'.
    Deleted,
    /// The device is disabled; also its modules'.
    Disabled,
    /// Its keys, thumbprints or type are others.
    Authentication,
}

/// What is stored, if it is what the precondition means.
fn matching<'s>(
    id: &IdentityId,
    stored: Option<&'s Identity>,
    if_match: &IfMatch,
) -> Result<&'s Identity, Refusal> {
    let precondition = |text: &str| Refusal::new(ErrorCode::PreconditionFailed, text);
    if *if_match == IfMatch::Absent {
        return Err(precondition("an If-Match header with an etag or * is needed"));
    }
    let stored = stored.ok_or_else(|| not_found(id))?;
    if if_match.names_other_than(stored.etag.identity_text().as_str()) {
        return Err(precondition("the etag is not the present one, read the identity again"));
    }
    Ok(stored)
}

fn settled(
    wanted: &Wanted,
    stored: Option<&Identity>,
    generation: Generation,
    etag: Etag,
    fresh: &Fresh,
) -> Result<Identity, Refusal> {
    let part = match &wanted.id.module {
        Some(id) => {
            check_module(wanted)?;
            Part::Module(Module { id: id.clone(), managed_by: wanted.managed_by.clone() })
        }
        None => {
            let before = stored.and_then(|stored| match &stored.part {
                Part::Device(device) => Some(device),
                Part::Module(_) => None,
            });
            Part::Device(device(wanted, before, fresh.now_ms)?)
        }
    };
    let authentication = match wanted.authentication.clone() {
        WantedAuthentication::Generated => Authentication::Sas(SymmetricKeys {
            primary: Key::generated(&fresh.primary),
            secondary: Key::generated(&fresh.secondary),
        }),
        WantedAuthentication::Sas(keys) => Authentication::Sas(keys),
        WantedAuthentication::SelfSigned(thumbprints) => Authentication::SelfSigned(thumbprints),
        WantedAuthentication::CertificateAuthority => Authentication::CertificateAuthority,
        WantedAuthentication::None => Authentication::None,
    };
    let mut identity =
        Identity { device: wanted.id.device.clone(), generation, etag, authentication, part };
    settle_scopes(&mut identity, wanted)?;
    Ok(identity)
}

fn device(wanted: &Wanted, before: Option<&Device>, now_ms: u64) -> Result<Device, Refusal> {
    if wanted.managed_by.is_some() {
        return Err(invalid("managedBy is for modules only"));
    }
    let status = wanted.status.or(before.map(|before| before.status)).unwrap_or_default();
    let (status_updated, old_reason) = match before {
        Some(before) if before.status == status => {
            (before.status_updated, before.status_reason.clone())
        }
        Some(_) => (Moment::at(now_ms), None),
        None => (Moment::NEVER, None),
    };
    // Who does not speak of the status leaves its reason too.
    let status_reason = match wanted.status {
        None => wanted.status_reason.clone().or(old_reason),
        Some(_) => wanted.status_reason.clone(),
    };
    let edge = wanted.edge.or(before.map(|before| before.edge)).unwrap_or_default();
    let (scope, parent_scopes) = (None, Box::default());
    Ok(Device { status, status_reason, status_updated, edge, scope, parent_scopes })
}

/// A leaf names its parent by `deviceScope`, from which follow its `parentScopes`; an edge device
/// has a scope of its own making and names parents by `parentScopes`.
fn settle_scopes(identity: &mut Identity, wanted: &Wanted) -> Result<(), Refusal> {
    let own = identity.scope().map(|scope| scope.into_owned());
    let Part::Device(device) = &mut identity.part else { return Ok(()) };
    match device.edge {
        Edge::Yes => {
            if wanted.scope.is_some() && wanted.scope.as_deref() != own.as_deref() {
                return Err(invalid("deviceScope of an edge device is given by the hub"));
            }
            device.parent_scopes.clone_from(&wanted.parent_scopes);
        }
        Edge::No => {
            if wanted.parent_scopes.iter().any(|parent| Some(parent) != wanted.scope.as_ref()) {
                return Err(invalid("parentScopes of a device is its deviceScope, or absent"));
            }
            device.scope.clone_from(&wanted.scope);
        }
    }
    Ok(())
}

/// What devices have at rest is no mistake: rows of a bulk operation have it for modules too.
fn check_module(wanted: &Wanted) -> Result<(), Refusal> {
    let rows = [
        ("status 'disabled'", wanted.status == Some(Status::Disabled)),
        ("statusReason", wanted.status_reason.is_some()),
        ("capability iotEdge", wanted.edge == Some(Edge::Yes)),
        ("deviceScope", wanted.scope.is_some()),
        ("parentScopes", !wanted.parent_scopes.is_empty()),
    ];
    match rows.iter().find(|(_, given)| *given) {
        Some((name, _)) => Err(invalid(&format!("{name} is for devices only"))),
        None => Ok(()),
    }
}

fn exists(id: &IdentityId) -> Refusal {
    match &id.module {
        None => Refusal::new(
            ErrorCode::DeviceAlreadyExists,
            format!("Device {} is registered already, update it with If-Match", id.device),
        ),
        Some(module) => Refusal::new(
            ErrorCode::ModuleAlreadyExistsOnDevice,
            format!("Module {module} is on device {} already, update it with If-Match", id.device),
        ),
    }
}

/// The refusal for an identity that is not registered.
pub fn not_found(id: &IdentityId) -> Refusal {
    match &id.module {
        None => no_device(&id.device),
        Some(module) => Refusal::new(
            ErrorCode::ModuleNotFound,
            format!("Module {module} not registered on device {}", id.device),
        ),
    }
}

fn no_device(device: &DeviceId) -> Refusal {
    Refusal::new(ErrorCode::DeviceNotFound, format!("Device {device} not registered"))
}

fn invalid(text: &str) -> Refusal {
    Refusal::new(ErrorCode::ArgumentInvalid, text)
}

#[cfg(test)]
#[path = "change_tests.rs"]
mod tests;
