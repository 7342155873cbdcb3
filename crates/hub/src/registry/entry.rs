//! What the log keeps of identities and twins: the kinds of records and their bytes. Refuses to
//! know which of them are still needed.
//!
//! An identity is written whole with every change. A twin begins with its identity, from the time
//! in its generation; each write is a record of its own, and now and then the whole twin is
//! written, which overtakes the writes before it. What an earlier life of the id left is of
//! another generation and means nothing.
//!
//! ```text
//! 16  identity     the record of `identity::record`
//! 17  gone         u8 version, text device, text module ("" = the device with its modules)
//! 18  twin         u8 version, text device, text module ("" = the device), number generation,
//!                  the record of `twin::state` behind its length
//! 19  twin change  as 18, with the record of `twin::record`
//! 20  command      as 18, with the record of `command::record`
//! ```

use super::index::Ids;
use crate::bytes::{BadRecord, Reader, Writer};
use crate::command;
use crate::identity::{DeviceId, Generation, ModuleId, Packed};
use crate::twin::{Record, Twin};
use std::borrow::Cow;

/// What one record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry<'a> {
    /// An identity as it is now.
    Identity(Packed),
    /// An identity is no more; with a device go its modules.
    Gone(Ids<'a>),
    /// A twin as it is now.
    Twin(Of<'a>, Cow<'a, Twin>),
    /// A write into a twin.
    TwinChange(Of<'a>, Cow<'a, Record>),
    /// A fact of a device's commands.
    Command(Of<'a>, Cow<'a, command::Record>),
}

/// Whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Of<'a> {
    /// Of the identity with these ids,
    pub ids: Ids<'a>,
    /// in this life.
    pub generation: Generation,
}

impl<'a> Entry<'a> {
    /// The kinds of records that are read here.
    pub const KINDS: std::ops::RangeInclusive<u8> = IDENTITY..=COMMAND;

    /// Reads the payload of a record of one of [`KINDS`](Self::KINDS).
    ///
    /// # Errors
    /// For another kind or version, and for any bytes that [`encode`](Self::encode) does not write.
    pub fn decode(kind: u8, payload: &'a [u8]) -> Result<Self, BadRecord> {
        let r = &mut Reader::new(payload);
        let entry = match kind {
            IDENTITY => return Packed::read(payload).map(Self::Identity),
            GONE => {
                r.version(VERSION)?;
                Self::Gone(ids(r)?)
            }
            TWIN => Self::Twin(of(r)?, Cow::Owned(Twin::decode(r.bytes()?)?)),
            TWIN_CHANGE => Self::TwinChange(of(r)?, Cow::Owned(Record::decode(r.bytes()?)?)),
            COMMAND => Self::Command(of(r)?, Cow::Owned(command::Record::decode(r.bytes()?)?)),
            _ => return Err(BadRecord::Malformed("a kind that is none of the hub's")),
        };
        r.end()?;
        Ok(entry)
    }

    /// The record's kind.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Identity(_) => IDENTITY,
            Self::Gone(_) => GONE,
            Self::Twin(..) => TWIN,
            Self::TwinChange(..) => TWIN_CHANGE,
            Self::Command(..) => COMMAND,
        }
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut inner = Vec::new();
        let of = match self {
            Self::Identity(packed) => return out.extend_from_slice(packed.bytes()),
            Self::Gone(ids) => {
                out.push(VERSION);
                return write_ids(*ids, out);
            }
            Self::Twin(of, twin) => {
                twin.encode(&mut inner);
                of
            }
            Self::TwinChange(of, record) => {
                record.encode(&mut inner);
                of
            }
            Self::Command(of, record) => {
                record.encode(&mut inner);
                of
            }
        };
        out.push(VERSION);
        write_ids(of.ids, out);
        Writer(out).number(of.generation.0);
        Writer(out).bytes(&inner);
    }
}

fn of<'a>(r: &mut Reader<'a>) -> Result<Of<'a>, BadRecord> {
    r.version(VERSION)?;
    Ok(Of { ids: ids(r)?, generation: Generation(r.number()?) })
}

fn ids<'a>(r: &mut Reader<'a>) -> Result<Ids<'a>, BadRecord> {
    let (device, module) = (r.text()?, r.text()?);
    let module = Some(module).filter(|module| !module.is_empty());
    let good = DeviceId::parse(device).is_ok() && module.is_none_or(|m| ModuleId::parse(m).is_ok());
    if good { Ok(Ids { device, module }) } else { Err(BadRecord::Malformed("an id is none")) }
}

fn write_ids(ids: Ids<'_>, out: &mut Vec<u8>) {
    Writer(out).text(ids.device);
    Writer(out).text(ids.module.unwrap_or_default());
}

const IDENTITY: u8 = 16;
const GONE: u8 = 17;
const TWIN: u8 = 18;
const TWIN_CHANGE: u8 = 19;
const COMMAND: u8 = 20;
const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;
    use crate::identity::examples::named;
    use crate::twin::{Change, IfVersion, patch_reported};

    fn all() -> Vec<Entry<'static>> {
        let twin = Twin::new(5);
        let change = patch_reported(&twin, br#"{"a":{"b":1}}"#, IfVersion::Any, 9).unwrap();
        let Change { twin, record: Some(record) } = change else { panic!("a write") };
        let device = Ids { device: "pump", module: None };
        let module = Ids { device: "pump", module: Some("m") };
        let of = |ids, generation| Of { ids, generation: Generation(generation) };
        vec![
            Entry::Identity(named("pump", None, 7)),
            Entry::Identity(named("pump", Some("m"), 8)),
            Entry::Gone(device),
            Entry::Gone(module),
            Entry::Twin(of(device, 0), Cow::Owned(twin)),
            Entry::TwinChange(of(module, u64::MAX), Cow::Owned(record)),
            Entry::Command(
                of(device, 3),
                Cow::Owned(command::Record::Abandoned { sequence: 7, deliveries: 300 }),
            ),
        ]
    }

    fn encoded(entry: &Entry<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        bytes
    }

    #[test]
    fn every_entry_comes_back() {
        for entry in all() {
            let bytes = encoded(&entry);
            assert!(Entry::KINDS.contains(&entry.kind()));
            assert_eq!(Entry::decode(entry.kind(), &bytes), Ok(entry.clone()));
            for end in 0..bytes.len() {
                assert!(Entry::decode(entry.kind(), &bytes[..end]).is_err(), "{entry:?} {end}");
            }
            let longer = [&bytes[..], &[0]].concat();
            assert!(Entry::decode(entry.kind(), &longer).is_err());
            assert!(Entry::decode(99, &bytes).is_err());
        }
    }

    #[test]
    fn bytes_from_elsewhere_never_panic_and_have_one_form() {
        let mut chance = Chance::new(3);
        for entry in all().iter().cycle().take(3_000) {
            let mut bytes = encoded(entry);
            let at = chance.below(bytes.len());
            bytes[at] ^= 1 << chance.below(8);
            for kind in Entry::KINDS {
                if let Ok(read) = Entry::decode(kind, &bytes) {
                    assert_eq!(encoded(&read), bytes);
                }
            }
        }
    }
}
