//! What the log keeps of a queue: a command, an abandon, an end. Locks are not kept: after a crash
//! whatever was in work waits again. Refuses to know the device, which the log's key names.
//!
//! ```text
//! u8, u8    version, kind
//! 1         a command: see `content`
//! 2         number x2: sequence number; how often it was abandoned by then
//! 3         u8 outcome; number wall milliseconds; number: the last sequence number that was given
//!           out; number of commands; then for each how far its sequence number is above the one
//!           before, from 0
//! ```

use super::content::Content;
use super::outcome::Outcome;
use crate::bytes::{BadRecord, Reader, Writer};

/// A fact of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A command is in the queue. Needed until it has ended, and then as long as its dead letter.
    Enqueued(Content),
    /// A device has given a command back. Needed until the next abandon or the end.
    Abandoned {
        /// Which.
        sequence: u64,
        /// How often by now.
        deliveries: u32,
    },
    /// Commands are over. Overtakes all of theirs; needed as the last of its kind, since it alone
    /// knows which numbers were given out, and as long as a dead letter of it is kept.
    Ended(Ended),
}

/// Commands that are over for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How.
    pub outcome: Outcome,
    /// When, wall milliseconds.
    pub at_ms: u64,
    /// Their sequence numbers, ascending, at least one.
    pub sequences: Box<[u64]>,
    /// The greatest sequence number that any command of the queue has had.
    pub last_sequence: u64,
}

impl Record {
    /// Appends its durable form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Enqueued(content) => out.extend_from_slice(content.bytes()),
            Self::Abandoned { sequence, deliveries } => {
                let w = &mut Writer(out);
                [VERSION, ABANDONED].into_iter().for_each(|byte| w.byte(byte));
                [*sequence, u64::from(*deliveries)].into_iter().for_each(|n| w.number(n));
            }
            Self::Ended(ended) => {
                let w = &mut Writer(out);
                let head = [VERSION, ENDED, ended.outcome.number()];
                head.into_iter().for_each(|byte| w.byte(byte));
                let count = ended.sequences.len() as u64;
                [ended.at_ms, ended.last_sequence, count].into_iter().for_each(|n| w.number(n));
                ended.sequences.iter().fold(0, |before, sequence| {
                    debug_assert!(*sequence > before, "{sequence} behind {before} is not read");
                    w.number(sequence.saturating_sub(before));
                    *sequence
                });
            }
        }
    }

    /// The other side of [`encode`](Self::encode), of bytes that nobody vouches for.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        let mut r = Reader::new(bytes);
        r.version(VERSION)?;
        let record = match r.byte()? {
            ENQUEUED => return Content::decode(bytes).map(Self::Enqueued),
            ABANDONED => {
                let (sequence, deliveries) = (r.number()?, u32::try_from(r.number()?));
                let deliveries = deliveries.map_err(|_| BadRecord::Malformed("too often"))?;
                Self::Abandoned { sequence, deliveries }
            }
            ENDED => Self::Ended(ended(&mut r)?),
            _ => return Err(BadRecord::Malformed("no record of a queue is of this kind")),
        };
        r.end()?;
        Ok(record)
    }
}

fn ended(r: &mut Reader<'_>) -> Result<Ended, BadRecord> {
    let outcome = Outcome::of_number(r.byte()?).ok_or(BadRecord::Malformed("no such outcome"))?;
    let (at_ms, last_sequence) = (r.number()?, r.number()?);
    let mut last = 0_u64;
    let sequences = (0..r.count()?).map(|_| {
        let above = r.number()?;
        let next = last.checked_add(above).filter(|next| above > 0 && *next <= last_sequence);
        last = next.ok_or(BadRecord::Malformed("no such sequence number"))?;
        Ok(last)
    });
    let sequences: Box<[u64]> = sequences.collect::<Result<_, BadRecord>>()?;
    if sequences.is_empty() {
        return Err(BadRecord::Malformed("nothing has ended"));
    }
    Ok(Ended { outcome, at_ms, sequences, last_sequence })
}

pub(super) const VERSION: u8 = 1;
pub(super) const ENQUEUED: u8 = 1;
const ABANDONED: u8 = 2;
const ENDED: u8 = 3;

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
