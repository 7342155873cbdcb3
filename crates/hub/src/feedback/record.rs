//! What the log keeps of feedback. Items are known by where their record lies. Refuses to know
//! which of them are a batch.
//!
//! ```text
//! u8, u8    version, kind
//! 1         text device id; number generation; u8 outcome; number: when it ended, wall
//!           milliseconds; u8 1 and text: the message id, or u8 0
//! 2         number: how often they were given back by now; items
//! 3         items
//! ```
//!
//! Items are their number, then for each how far its place is above the one before, from 0.

use store::op::Sequence;

use crate::bytes::{BadRecord, Reader, Writer};
use crate::command::{Outcome, Report};
use crate::identity::{DeviceId, Generation};

/// A fact of feedback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A command has ended, and its sender wants to hear of it. Needed until that is over.
    Reported(Item),
    /// A reader has given items back. Needed until the next time.
    Abandoned {
        /// Which, ascending.
        items: Box<[Sequence]>,
        /// How often by now.
        deliveries: u32,
    },
    /// Items were read, or have expired, or were given back too often, or their device is gone.
    Over {
        /// Which, ascending.
        items: Box<[Sequence]>,
    },
}

/// One end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// `deviceId`.
    pub device: DeviceId,
    /// `deviceGenerationId`.
    pub generation: Generation,
    /// What has ended and how.
    pub report: Report,
}

impl Record {
    /// The kind of its records in the log.
    pub const KIND: u8 = 35;

    /// Appends its durable form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let w = &mut Writer(out);
        w.byte(VERSION);
        match self {
            Self::Reported(Item { device, generation, report }) => {
                w.byte(REPORTED);
                w.text(device.as_str());
                w.number(generation.0);
                w.byte(report.outcome.number());
                w.number(report.at_ms);
                w.byte(u8::from(report.message_id.is_some()));
                report.message_id.iter().for_each(|id| w.text(id));
            }
            Self::Abandoned { items, deliveries } => {
                w.byte(ABANDONED);
                w.number(u64::from(*deliveries));
                write_items(items, w);
            }
            Self::Over { items } => {
                w.byte(OVER);
                write_items(items, w);
            }
        }
    }

    /// The other side of [`encode`](Self::encode), of bytes that nobody vouches for.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        let r = &mut Reader::new(bytes);
        r.version(VERSION)?;
        let record = match r.byte()? {
            REPORTED => Self::Reported(item(r)?),
            ABANDONED => {
                let deliveries = u32::try_from(r.number()?);
                let deliveries = deliveries.map_err(|_| BadRecord::Malformed("too often"))?;
                Self::Abandoned { items: items(r)?, deliveries }
            }
            OVER => Self::Over { items: items(r)? },
            _ => return Err(BadRecord::Malformed("no record of feedback is of this kind")),
        };
        r.end()?;
        Ok(record)
    }
}

fn item(r: &mut Reader<'_>) -> Result<Item, BadRecord> {
    let device = DeviceId::parse(r.text()?).map_err(|_| BadRecord::Malformed("an id is none"))?;
    let generation = Generation(r.number()?);
    let outcome = Outcome::of_number(r.byte()?).ok_or(BadRecord::Malformed("no such outcome"))?;
    let at_ms = r.number()?;
    let message_id = match r.byte()? {
        0 => None,
        1 => Some(r.text()?.into()),
        _ => return Err(BadRecord::Malformed("a flag is set that is none")),
    };
    Ok(Item { device, generation, report: Report { message_id, at_ms, outcome } })
}

fn write_items(items: &[Sequence], w: &mut Writer<'_>) {
    debug_assert!(items.is_sorted_by(|a, b| a < b), "{items:?} cannot be read again");
    w.number(items.len() as u64);
    items.iter().fold(0, |before, item| {
        w.number(item.0.saturating_sub(before));
        item.0
    });
}

fn items(r: &mut Reader<'_>) -> Result<Box<[Sequence]>, BadRecord> {
    let mut last = 0_u64;
    let items = (0..r.count()?).map(|_| {
        let above = r.number()?;
        let next = last.checked_add(above).filter(|_| above > 0);
        last = next.ok_or(BadRecord::Malformed("no such place"))?;
        Ok(Sequence(last))
    });
    let items: Box<[Sequence]> = items.collect::<Result<_, BadRecord>>()?;
    if items.is_empty() { Err(BadRecord::Malformed("no items")) } else { Ok(items) }
}

const VERSION: u8 = 1;
const REPORTED: u8 = 1;
const ABANDONED: u8 = 2;
const OVER: u8 = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    #[test]
    fn records_come_back_and_others_are_refused() {
        let item = |message_id: Option<&str>| Item {
            device: DeviceId::parse("d1").unwrap(),
            generation: Generation(7),
            report: Report {
                message_id: message_id.map(Into::into),
                at_ms: 1 << 40,
                outcome: Outcome::Expired,
            },
        };
        let items: Box<[Sequence]> = [Sequence(1), Sequence(900)].into();
        let mut chance = Chance::new(9);
        for (record, len) in [
            (Record::Reported(item(Some("m"))), 16),
            (Record::Reported(item(None)), 14),
            (Record::Abandoned { items: items.clone(), deliveries: 3 }, 7),
            (Record::Over { items }, 6),
        ] {
            let mut bytes = Vec::new();
            record.encode(&mut bytes);
            assert_eq!((Record::decode(&bytes), bytes.len()), (Ok(record), len));
            for end in 0..bytes.len() {
                assert!(Record::decode(&bytes[..end]).is_err());
            }
            for _ in 0..1_000 {
                let mut bytes = bytes.clone();
                let at = chance.below(bytes.len());
                bytes[at] = chance.below(256) as u8;
                if let Ok(read) = Record::decode(&bytes) {
                    let mut again = Vec::new();
                    read.encode(&mut again);
                    assert_eq!(again, bytes);
                }
            }
        }
        let bad = BadRecord::Malformed;
        for (bytes, error) in [
            (&[1, 3, 0][..], bad("no items")),
            (&[1, 3, 1, 0], bad("no such place")),
            (&[1, 3, 2, 1, 0], bad("no such place")),
            (&[1, 4], bad("no record of feedback is of this kind")),
            (&[1, 1, 0], bad("an id is none")),
            (&[1, 1, 1, b'd', 0, 9, 0, 0], bad("no such outcome")),
            (&[1, 1, 1, b'd', 0, 0, 0, 2], bad("a flag is set that is none")),
        ] {
            assert_eq!(Record::decode(bytes), Err(error));
        }
    }
}
