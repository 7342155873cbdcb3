//! A registered identity as bytes, for the log and for memory. Refuses to know where it lies.
//!
//! ```text
//! u8        version
//! u8        module (bit 0), disabled (1), edge (2), a reason (3), a scope or managed-by (4),
//!           parents (5), the authentication's type (6 and 7)
//! text      device id
//! text      module id, of a module
//! number x2 generation, etag
//! bytes x2  keys of `sas`; text x2: thumbprints of `selfSigned`, empty for none
//! moment    of the last change of status, of a device
//! text      reason, if there is one
//! text      scope of a leaf, managed-by of a module, if there is one
//! texts     parents of an edge device behind their number, if there are some
//! ```
//!
//! Numbers are unsigned LEB128 in their shortest form, moments are wall milliseconds plus one with
//! 0 for never, texts have their length before them. There is one encoding of each identity: what
//! decodes encodes to the same bytes.

use super::authentication::{Authentication, AuthenticationType, Thumbprint, Thumbprints};
use super::generation::Generation;
use super::id::{DeviceId, ModuleId};
use super::registered::{Device, Edge, Identity, Module, Part, Status};
use crate::bytes::{BadRecord, Reader, Writer};
use crate::sas::{Key, SymmetricKeys};
use crate::{Etag, Moment};
use std::cmp::Ordering;

/// An identity in its bytes: what a registry of a million keeps in memory, 16 bytes and the
/// record. Made from an identity or from checked bytes, so it always reads.
#[derive(Clone, PartialEq, Eq)]
pub struct Packed(Box<[u8]>);

impl Packed {
    /// Takes bytes of the log as an identity.
    ///
    /// # Errors
    /// When they are none.
    pub fn read(bytes: &[u8]) -> Result<Self, BadRecord> {
        Identity::decode(bytes).map(|_| Self(bytes.into()))
    }

    /// The record.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The ids of device and module, read in place: for an index that keeps no copy of them.
    pub fn names(&self) -> (&str, Option<&str>) {
        Self::names_in(&self.0)
    }

    /// As [`names`](Self::names), of its bytes or of their [`beginning`](Self::beginning).
    pub(crate) fn names_in(bytes: &[u8]) -> (&str, Option<&str>) {
        let read = || {
            let r = &mut Reader::new(bytes);
            let (_version, flags) = (r.byte()?, r.byte()?);
            let device = r.text()?;
            let module = if flags & MODULE == 0 { None } else { Some(r.text()?) };
            Ok::<_, BadRecord>((device, module))
        };
        read().expect("it was encoded or decoded before")
    }

    /// How its ids compare to others, a device before its modules: of bytes, as texts compare.
    pub(crate) fn compare_names(&self, device: &str, module: Option<&str>) -> Ordering {
        let read = || {
            let r = &mut Reader::new(&self.0);
            let (_version, flags) = (r.byte()?, r.byte()?);
            let mut order = r.bytes()?.cmp(device.as_bytes());
            if order == Ordering::Equal {
                let own = if flags & MODULE == 0 { None } else { Some(r.bytes()?) };
                order = own.cmp(&module.map(str::as_bytes));
            }
            Ok::<_, BadRecord>(order)
        };
        read().expect("it was encoded or decoded before")
    }

    /// As much of a record as has these ids.
    pub(crate) fn beginning(device: &str, module: Option<&str>) -> Vec<u8> {
        let mut out = Vec::with_capacity(RECORD_BYTES_USUAL);
        let w = &mut Writer(&mut out);
        w.byte(VERSION);
        w.byte(if module.is_some() { MODULE } else { 0 });
        w.text(device);
        module.into_iter().for_each(|module| w.text(module));
        out
    }

    /// Bytes that another had.
    pub(crate) fn checked(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The status of a device, read in place; a module has none of its own.
    pub fn status(&self) -> Status {
        match self.0.get(1) {
            Some(flags) if flags & DISABLED != 0 => Status::Disabled,
            _ => Status::Enabled,
        }
    }

    /// Its generation, read in place.
    pub fn generation(&self) -> Generation {
        let read = || {
            let r = &mut Reader::new(&self.0);
            let (_version, flags) = (r.byte()?, r.byte()?);
            let texts = if flags & MODULE == 0 { 1 } else { 2 };
            (0..texts).try_for_each(|_| r.bytes().map(drop))?;
            Ok::<_, BadRecord>(Generation(r.number()?))
        };
        read().expect("it was encoded or decoded before")
    }

    /// The identity.
    pub fn unpack(&self) -> Identity {
        Identity::decode(&self.0).expect("it was encoded or decoded before")
    }
}

impl From<&Identity> for Packed {
    fn from(identity: &Identity) -> Self {
        let mut bytes = Vec::with_capacity(RECORD_BYTES_USUAL);
        identity.encode(&mut bytes);
        // A copy: shrunk in place it would leave a piece of memory behind it that nothing fits.
        Self(bytes.as_slice().into())
    }
}

/// Without keys.
impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packed({})", self.unpack().id())
    }
}

impl Identity {
    /// Appends the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let w = &mut Writer(out);
        w.byte(VERSION);
        w.byte(self.flags());
        w.text(self.device.as_str());
        if let Part::Module(module) = &self.part {
            w.text(module.id.as_str());
        }
        w.number(self.generation.0);
        w.number(self.etag.0);
        match &self.authentication {
            Authentication::Sas(keys) => {
                w.bytes(keys.primary.bytes());
                w.bytes(keys.secondary.bytes());
            }
            Authentication::SelfSigned(thumbprints) => {
                for one in [&thumbprints.primary, &thumbprints.secondary] {
                    w.text(one.as_ref().map_or("", Thumbprint::as_str));
                }
            }
            Authentication::CertificateAuthority | Authentication::None => {}
        }
        match &self.part {
            Part::Module(module) => module.managed_by.iter().for_each(|text| w.text(text)),
            Part::Device(device) => {
                w.moment(device.status_updated.unix_ms());
                device.status_reason.iter().for_each(|text| w.text(text));
                device.scope.iter().for_each(|text| w.text(text));
                if !device.parent_scopes.is_empty() {
                    w.number(device.parent_scopes.len() as u64);
                    device.parent_scopes.iter().for_each(|text| w.text(text));
                }
            }
        }
    }

    /// Reads a record, which has to be all of the bytes.
    ///
    /// # Errors
    /// For another version, and for any bytes that [`encode`](Self::encode) does not write.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        let r = &mut Reader::new(bytes);
        r.version(VERSION)?;
        let flags = r.byte()?;
        let device = DeviceId::parse(r.text()?).map_err(|_| NO_ID)?;
        let module = match flags & MODULE {
            0 => None,
            _ => Some(ModuleId::parse(r.text()?).map_err(|_| NO_ID)?),
        };
        let (generation, etag) = (Generation(r.number()?), Etag(r.number()?));
        let authentication = authentication(r, TYPES[usize::from(flags >> TYPE_AT)])?;
        let part = match module {
            Some(id) => Part::Module(read_module(r, id, flags)?),
            None => Part::Device(read_device(r, flags)?),
        };
        r.end()?;
        Ok(Self { device, generation, etag, authentication, part })
    }

    fn flags(&self) -> u8 {
        let kind = self.authentication.kind();
        let kind = TYPES.iter().position(|known| *known == kind);
        let kind = (kind.expect("the table has every type") as u8) << TYPE_AT;
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        kind | match &self.part {
            Part::Module(module) => MODULE | bit(module.managed_by.is_some(), SCOPE),
            Part::Device(device) => {
                bit(device.status == Status::Disabled, DISABLED)
                    | bit(device.edge == Edge::Yes, EDGE)
                    | bit(device.status_reason.is_some(), REASON)
                    | bit(device.scope.is_some(), SCOPE)
                    | bit(!device.parent_scopes.is_empty(), PARENTS)
            }
        }
    }
}

fn authentication(
    r: &mut Reader<'_>,
    kind: AuthenticationType,
) -> Result<Authentication, BadRecord> {
    Ok(match kind {
        AuthenticationType::Sas => {
            let mut key = || {
                Key::new(r.bytes()?).map_err(|_| BadRecord::Malformed("a key of no such length"))
            };
            Authentication::Sas(SymmetricKeys { primary: key()?, secondary: key()? })
        }
        AuthenticationType::SelfSigned => {
            let mut thumbprint = || match r.text()? {
                "" => Ok(None),
                text => Thumbprint::parse(text)
                    .map(Some)
                    .ok_or(BadRecord::Malformed("a thumbprint is none")),
            };
            Authentication::SelfSigned(Thumbprints {
                primary: thumbprint()?,
                secondary: thumbprint()?,
            })
        }
        AuthenticationType::CertificateAuthority => Authentication::CertificateAuthority,
        AuthenticationType::None => Authentication::None,
    })
}

fn read_module(r: &mut Reader<'_>, id: ModuleId, flags: u8) -> Result<Module, BadRecord> {
    if flags & (DISABLED | EDGE | REASON | PARENTS) != 0 {
        return Err(BadRecord::Malformed("a module has a flag of devices"));
    }
    Ok(Module { id, managed_by: optional(r, flags & SCOPE)? })
}

fn read_device(r: &mut Reader<'_>, flags: u8) -> Result<Device, BadRecord> {
    let status_updated = match r.moment()? {
        None => Moment::NEVER,
        Some(unix_ms) => {
            let moment = Moment::at(unix_ms);
            if moment.unix_ms() != Some(unix_ms) {
                return Err(BadRecord::Malformed("a moment is after the year 9999"));
            }
            moment
        }
    };
    let status_reason = optional(r, flags & REASON)?;
    let scope = optional(r, flags & SCOPE)?;
    let parent_scopes = match flags & PARENTS {
        0 => Box::default(),
        _ => {
            let count = r.count()?;
            if count == 0 {
                return Err(BadRecord::Malformed("no parents where some were announced"));
            }
            (0..count).map(|_| Ok(r.text()?.into())).collect::<Result<_, BadRecord>>()?
        }
    };
    Ok(Device {
        status: if flags & DISABLED == 0 { Status::Enabled } else { Status::Disabled },
        status_reason,
        status_updated,
        edge: if flags & EDGE == 0 { Edge::No } else { Edge::Yes },
        scope,
        parent_scopes,
    })
}

fn optional(r: &mut Reader<'_>, flag: u8) -> Result<Option<Box<str>>, BadRecord> {
    Ok(if flag == 0 { None } else { Some(r.text()?.into()) })
}

const VERSION: u8 = 1;
const MODULE: u8 = 1;
const DISABLED: u8 = 1 << 1;
const EDGE: u8 = 1 << 2;
const REASON: u8 = 1 << 3;
const SCOPE: u8 = 1 << 4;
const PARENTS: u8 = 1 << 5;
const TYPE_AT: u8 = 6;
/// By their number in the last two bits.
const TYPES: [AuthenticationType; 4] = [
    AuthenticationType::Sas,
    AuthenticationType::SelfSigned,
    AuthenticationType::CertificateAuthority,
    AuthenticationType::None,
];
const NO_ID: BadRecord = BadRecord::Malformed("an id is none");
/// A short id and two keys of 32 bytes.
const RECORD_BYTES_USUAL: usize = 112;

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
