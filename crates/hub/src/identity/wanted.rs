//! What a client wants an identity to be: the JSON documents of iot-hub C3, read and checked.
//! Refuses to know what is registered.
//!
//! Members that only the hub sets (`etag`, `generationId`, times, states) and unknown ones are
//! skipped: clients send back what they got, of any version.

use super::authentication::{AuthenticationType, Thumbprint, Thumbprints};
use super::id::IdentityId;
use super::limits::{MANAGED_BY_CHARS_MAX, PARENT_SCOPES_MAX, REASON_CHARS_MAX, SCOPE_CHARS_MAX};
use super::member::{Members, object};
use super::registered::{Edge, Status};
use crate::errors::Refusal;
use crate::json::Value;
use crate::sas::{Key, SymmetricKeys};

/// An identity as a client describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which one.
    pub id: IdentityId,
    /// How it shall prove itself.
    pub authentication: WantedAuthentication,
    /// `status`; a new device without it is enabled, another one stays as it is.
    pub status: Option<Status>,
    /// `statusReason`.
    pub status_reason: Option<Box<str>>,
    /// `capabilities.iotEdge`; a new device without it is none, another one stays as it is.
    pub edge: Option<Edge>,
    /// `deviceScope`.
    pub scope: Option<Box<str>>,
    /// `parentScopes`.
    pub parent_scopes: Box<[Box<str>]>,
    /// `managedBy` of a module.
    pub managed_by: Option<Box<str>>,
}

/// `authentication` of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WantedAuthentication {
    /// With keys of the hub's own making: absent, or `sas` without keys.
    Generated,
    /// With these keys.
    Sas(SymmetricKeys),
    /// With these thumbprints.
    SelfSigned(Thumbprints),
    /// By a CA.
    CertificateAuthority,
    /// Not at all.
    None,
}

impl Wanted {
    /// Reads the body of `PUT /devices/{id}` or `PUT /devices/{id}/modules/{mid}`; `id` is the
    /// path's.
    ///
    /// # Errors
    /// IotHubFormatError for what is no JSON or of a wrong type, ArgumentInvalid for a value that
    /// cannot be, a body for another id included.
    pub fn read(body: &[u8], id: IdentityId) -> Result<Self, Refusal> {
        let members = object(body)?;
        let members = Members::new(&members, "");
        let module = id.module.as_ref().map(super::ModuleId::as_str);
        for (name, of_path) in [("deviceId", Some(id.device.as_str())), ("moduleId", module)] {
            let of_body = members.filled(name)?;
            if of_body.is_some() && of_body != of_path {
                return Err(members.invalid(name, "is not the one in the path"));
            }
        }
        Self::of_members(members, id)
    }

    /// Reads the members that `Device`, `Module` and `ExportImportDevice` share.
    pub(super) fn of_members(members: Members<'_>, id: IdentityId) -> Result<Self, Refusal> {
        let status = match members.filled("status")? {
            None => None,
            Some("enabled") => Some(Status::Enabled),
            Some("disabled") => Some(Status::Disabled),
            Some(_) => return Err(members.invalid("status", "is neither enabled nor disabled")),
        };
        let edge = match members.object("capabilities")? {
            None => None,
            Some(capabilities) => Members::new(capabilities, "capabilities.").boolean("iotEdge")?,
        };
        Ok(Self {
            authentication: authentication(members)?,
            status,
            status_reason: members.bounded("statusReason", REASON_CHARS_MAX)?,
            edge: edge.map(|edge| if edge { Edge::Yes } else { Edge::No }),
            scope: members.bounded("deviceScope", SCOPE_CHARS_MAX)?,
            parent_scopes: parent_scopes(members)?,
            managed_by: members.bounded("managedBy", MANAGED_BY_CHARS_MAX)?,
            id,
        })
    }
}

fn authentication(members: Members<'_>) -> Result<WantedAuthentication, Refusal> {
    let Some(given) = members.object("authentication")? else {
        return Ok(WantedAuthentication::Generated);
    };
    let given = Members::new(given, "authentication.");
    let kind = match given.filled("type")? {
        None => None,
        Some(text) => Some(AuthenticationType::parse(text).ok_or_else(|| {
            given.invalid("type", "is none of sas, selfSigned, certificateAuthority and none")
        })?),
    };
    let keys = keys(given.object("symmetricKey")?)?;
    let thumbprints = thumbprints(given.object("x509Thumbprint")?)?;
    let kind = kind.unwrap_or(match thumbprints {
        Some(_) => AuthenticationType::SelfSigned,
        None => AuthenticationType::Sas,
    });
    let unused = |name| given.invalid(name, &format!("cannot be given with '{}'", kind.as_str()));
    if keys.is_some() && kind != AuthenticationType::Sas {
        return Err(unused("symmetricKey"));
    }
    if thumbprints.is_some() && kind != AuthenticationType::SelfSigned {
        return Err(unused("x509Thumbprint"));
    }
    Ok(match kind {
        AuthenticationType::Sas => {
            keys.map_or(WantedAuthentication::Generated, WantedAuthentication::Sas)
        }
        AuthenticationType::SelfSigned => {
            WantedAuthentication::SelfSigned(thumbprints.unwrap_or_default())
        }
        AuthenticationType::CertificateAuthority => WantedAuthentication::CertificateAuthority,
        AuthenticationType::None => WantedAuthentication::None,
    })
}

/// Both keys or neither: half a pair would be rotated unseen.
fn keys(given: Option<&Value<'_>>) -> Result<Option<SymmetricKeys>, Refusal> {
    let Some(given) = given else { return Ok(None) };
    let given = Members::new(given, "authentication.symmetricKey.");
    let key = |name| match given.filled(name)? {
        None => Ok(None),
        Some(text) => {
            let key = Key::from_base64(text).map_err(|why| {
                given.invalid(name, &format!("is no base64 of 16 to 64 bytes: {why}"))
            });
            key.map(Some)
        }
    };
    match (key("primaryKey")?, key("secondaryKey")?) {
        (Some(primary), Some(secondary)) => Ok(Some(SymmetricKeys { primary, secondary })),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(given.invalid("primaryKey", BOTH)),
        (Some(_), None) => Err(given.invalid("secondaryKey", BOTH)),
    }
}

/// `None` when there is neither.
fn thumbprints(given: Option<&Value<'_>>) -> Result<Option<Thumbprints>, Refusal> {
    let Some(given) = given else { return Ok(None) };
    let given = Members::new(given, "authentication.x509Thumbprint.");
    let thumbprint = |name| match given.filled(name)? {
        None => Ok(None),
        Some(text) => {
            let read = Thumbprint::parse(text);
            read.map(Some).ok_or_else(|| given.invalid(name, "is not 40 or 64 hex digits"))
        }
    };
    let read = Thumbprints {
        primary: thumbprint("primaryThumbprint")?,
        secondary: thumbprint("secondaryThumbprint")?,
    };
    Ok(Some(read).filter(|read| *read != Thumbprints::default()))
}

fn parent_scopes(members: Members<'_>) -> Result<Box<[Box<str>]>, Refusal> {
    let name = "parentScopes";
    let Some(given) = members.array(name)? else { return Ok(Box::default()) };
    if given.len() > PARENT_SCOPES_MAX {
        return Err(members.invalid(name, &format!("has more than {PARENT_SCOPES_MAX} scopes")));
    }
    let scope = |value: &Value<'_>| match value {
        Value::Text(text) if text.is_empty() || text.chars().count() > SCOPE_CHARS_MAX => {
            Err(members.invalid(name, &format!("has a scope not of 1 to {SCOPE_CHARS_MAX} chars")))
        }
        Value::Text(text) => Ok(text.as_ref().into()),
        _ => Err(members.invalid(name, "has something that is no string")),
    };
    given.iter().map(scope).collect()
}

const BOTH: &str = "is missing, give both keys, or neither to have them generated";

#[cfg(test)]
#[path = "wanted_tests.rs"]
mod tests;
