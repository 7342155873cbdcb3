//! How far a shared group has come, whole: the latest one of its stream wins.
//!
//! ```text
//! u8      version
//! number  stream
//! number  everything up to here was taken from the stream
//! number  messages to be dropped when they are read
//! list    of numbers: what was taken and is not finished, each by its distance from the one
//!         before it, the first one from 0
//! ```

use super::reader::{Fault, Reader};
use super::writer::Writer;
use store::log::{Kind, StreamId};
use store::op::Sequence;

/// A snapshot of what a group has done. It means nothing once nobody subscribes to the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupProgress {
    /// The group's stream: its name as long as somebody is in it.
    pub stream: StreamId,
    /// Everything up to here was handed out, or waits to be, or was dropped.
    pub taken: Sequence,
    /// How many of the oldest messages behind that are dropped when they are read.
    pub dropped: u64,
    /// What was taken and nobody has finished, ascending.
    pub open: Vec<Sequence>,
}

impl GroupProgress {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        w.number(u64::from(self.stream.0));
        w.number(self.taken.0);
        w.number(self.dropped);
        w.number(self.open.len() as u64);
        let mut before = 0;
        for Sequence(open) in &self.open {
            w.number(open - before);
            before = *open;
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        let (stream, taken) = (StreamId(r.number_u32()?), r.sequence()?);
        let dropped = r.number()?;
        let mut before: u64 = 0;
        let open = r.list(1, |r| {
            let distance = r.number()?;
            before = before.checked_add(distance).filter(|_| distance > 0).ok_or(ORDER)?;
            Ok(Sequence(before))
        })?;
        if open.last().is_some_and(|last| *last > taken) {
            return Err(ORDER);
        }
        Ok(Self { stream, taken, dropped, open })
    }

    pub(super) const KIND: Kind = Kind(14);
}

const VERSION: u8 = 1;
const ORDER: Fault = Fault::Malformed("open messages do not ascend up to what was taken");
