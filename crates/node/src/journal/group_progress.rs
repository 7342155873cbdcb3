//! How far a shared group has come, whole: the latest one of its stream wins.
//!
//! ```text
//! u8      version
//! number  stream
//! number  everything up to here was taken from the stream
//! number  messages to be dropped when they are read
//! list    of numbers: what was taken and is not finished, each by its distance from the one
//!         before it, the first one from 0
//! list    the same of what is finished beyond that; absent if there is nothing
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
    /// What is finished behind `taken`, ascending: sessions had it before a start, and the group
    /// has not come so far again.
    pub done: Vec<Sequence>,
}

impl GroupProgress {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        w.number(u64::from(self.stream.0));
        w.number(self.taken.0);
        w.number(self.dropped);
        write_ascending(&mut w, &self.open);
        if !self.done.is_empty() {
            write_ascending(&mut w, &self.done);
        }
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, Fault> {
        r.version(VERSION)?;
        let (stream, taken) = (StreamId(r.number_u32()?), r.sequence()?);
        let dropped = r.number()?;
        let open = ascending(r)?;
        let mut done = Vec::new();
        if r.end().is_err() {
            done = ascending(r)?;
            if done.is_empty() {
                return Err(Fault::EMPTY);
            }
        }
        let is_beyond = |last: &Sequence| *last > taken;
        if open.last().is_some_and(is_beyond) || !done.first().is_none_or(is_beyond) {
            return Err(ORDER);
        }
        Ok(Self { stream, taken, dropped, open, done })
    }

    /// A session has had this message, or has it under way at QoS 2, which the group did not tell.
    /// Gives whether it is news.
    pub fn finish(&mut self, sequence: Sequence) -> bool {
        let list = if sequence <= self.taken { &mut self.open } else { &mut self.done };
        match (list.binary_search(&sequence), sequence <= self.taken) {
            (Ok(at), true) => drop(list.remove(at)),
            (Err(at), false) => list.insert(at, sequence),
            (Ok(_), false) | (Err(_), true) => return false,
        }
        true
    }

    pub(super) const KIND: Kind = Kind(14);
}

fn write_ascending(w: &mut Writer<'_>, list: &[Sequence]) {
    w.number(list.len() as u64);
    let mut before = 0;
    for Sequence(one) in list {
        w.number(one - before);
        before = *one;
    }
}

fn ascending(r: &mut Reader<'_>) -> Result<Vec<Sequence>, Fault> {
    let mut before: u64 = 0;
    r.list(1, |r| {
        let distance = r.number()?;
        before = before.checked_add(distance).filter(|_| distance > 0).ok_or(ORDER)?;
        Ok(Sequence(before))
    })
}

const VERSION: u8 = 1;
const ORDER: Fault =
    Fault::Malformed("open messages do not ascend up to what was taken, or done ones behind it");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sessions_have_is_open_no_more_or_done_behind() {
        let mut progress = GroupProgress {
            stream: StreamId(1),
            taken: Sequence(10),
            dropped: 0,
            open: [4, 7].map(Sequence).into(),
            done: Vec::new(),
        };
        let news: Vec<bool> = [7, 5, 20, 12, 20, 7].map(|n| progress.finish(Sequence(n))).into();
        assert_eq!(news, [true, false, true, true, false, false]);
        assert_eq!(
            (&*progress.open, &*progress.done),
            (&[Sequence(4)][..], &[12, 20].map(Sequence)[..])
        );
        let mut bytes = Vec::new();
        progress.encode(&mut bytes);
        assert_eq!(GroupProgress::decode(&mut Reader::new(&bytes)), Ok(progress));
    }

    #[test]
    fn nothing_behind_is_written_in_one_way() {
        let bytes = [VERSION, 1, 0, 0, 0];
        assert!(GroupProgress::decode(&mut Reader::new(&bytes)).is_ok());
        let longer = [&bytes[..], &[0]].concat();
        assert_eq!(GroupProgress::decode(&mut Reader::new(&longer)), Err(Fault::EMPTY));
    }
}
