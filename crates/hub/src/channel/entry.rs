//! What the log keeps of the channel beside its messages: how it is laid out and how far it
//! reaches back, and the positions of consumer groups and of endpoints. Refuses to know which are
//! still needed.
//!
//! ```text
//! 33  state  u8 version, number partitions, number floor, list of marks: number sequence behind
//!            that of the one before (of the floor), number wall milliseconds, number bytes
//! 34  group  u8 version, text name, list of positions: number partition, number offset;
//!            an empty list = the group is gone
//! 37  outlet u8 version, number slot, text endpoint, number sequence up to which it has all;
//!            an empty text = the slot is free
//! ```

use super::group_name::GroupName;
use super::limits::{GROUP_CHARS_MAX, MARKS_MAX, PARTITIONS_MAX, SLOTS_MAX};
use super::partition::Partitions;
use crate::bytes::{BadRecord, Reader, Writer};
use crate::route::Name;
use store::op::Sequence;

/// What one record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// The channel as it is now.
    State(State),
    /// A consumer group as it is now.
    Group(GroupOffsets),
    /// What goes to an endpoint, as it is now.
    Outlet(Outlet),
}

/// A channel: where its messages begin, and where parts of it end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// How many partitions.
    pub partitions: Partitions,
    /// Messages up to here are gone.
    pub floor: Sequence,
    /// Parts, one behind the other.
    pub marks: Vec<Mark>,
}

/// A part of the channel, over all partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its last message.
    pub last: Sequence,
    /// When the latest of them was taken, wall milliseconds.
    pub enqueued_ms: u64,
    /// Their bytes in the log.
    pub bytes: u64,
}

/// A consumer group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOffsets {
    /// What it is called.
    pub name: GroupName,
    /// Partition and the offset from which on it has not read, ascending; empty = it is gone.
    pub offsets: Vec<(u8, u64)>,
}

/// Where messages for an endpoint of the hub's own lie, and how far it has taken them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlet {
    /// Which stream it is, below [`SLOTS_MAX`].
    pub slot: u8,
    /// Whose; `None` = nobody's any more.
    pub name: Option<Name>,
    /// The endpoint has everything up to here.
    pub after: Sequence,
}

impl Entry {
    /// The kinds of records that are read here.
    pub const KINDS: [u8; 3] = [STATE, GROUP, OUTLET];

    /// Reads the payload of a record of one of [`KINDS`](Self::KINDS).
    ///
    /// # Errors
    /// For another kind or version, and for any bytes that [`encode`](Self::encode) does not write.
    pub fn decode(kind: u8, payload: &[u8]) -> Result<Self, BadRecord> {
        let r = &mut Reader::new(payload);
        r.version(VERSION)?;
        let entry = match kind {
            STATE => Self::State(State::decode(r)?),
            GROUP => Self::Group(GroupOffsets::decode(r)?),
            OUTLET => Self::Outlet(Outlet::decode(r)?),
            _ => return Err(BadRecord::Malformed("a kind that is none of the channel's")),
        };
        r.end()?;
        Ok(entry)
    }

    /// The record's kind.
    pub fn kind(&self) -> u8 {
        match self {
            Self::State(_) => STATE,
            Self::Group(_) => GROUP,
            Self::Outlet(_) => OUTLET,
        }
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut w = Writer(out);
        w.byte(VERSION);
        match self {
            Self::State(state) => state.encode(&mut w),
            Self::Group(group) => group.encode(&mut w),
            Self::Outlet(outlet) => outlet.encode(&mut w),
        }
    }
}

impl State {
    fn encode(&self, w: &mut Writer<'_>) {
        w.number(self.partitions.count() as u64);
        w.number(self.floor.0);
        w.number(self.marks.len() as u64);
        let mut before = self.floor.0;
        for mark in &self.marks {
            w.number(mark.last.0 - before);
            w.number(mark.enqueued_ms);
            w.number(mark.bytes);
            before = mark.last.0;
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, BadRecord> {
        let partitions = Partitions::new(r.number()?);
        let partitions = partitions.ok_or(BadRecord::Malformed("no number of partitions"))?;
        let floor = r.number()?;
        let count = r.count()?;
        if count > MARKS_MAX {
            return Err(BadRecord::Malformed("too many marks"));
        }
        let (mut marks, mut before) = (Vec::with_capacity(count), floor);
        for _ in 0..count {
            let (distance, enqueued_ms, bytes) = (r.number()?, r.number()?, r.number()?);
            before = before.checked_add(distance).filter(|_| distance > 0).ok_or(ORDER)?;
            marks.push(Mark { last: Sequence(before), enqueued_ms, bytes });
        }
        Ok(Self { partitions, floor: Sequence(floor), marks })
    }
}

impl GroupOffsets {
    fn encode(&self, w: &mut Writer<'_>) {
        w.text(self.name.as_str());
        w.number(self.offsets.len() as u64);
        for (partition, offset) in &self.offsets {
            w.number(u64::from(*partition));
            w.number(*offset);
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, BadRecord> {
        let name = GroupName::parse(r.text()?).map_err(|_| BadRecord::Malformed(NO_NAME))?;
        let count = r.count()?;
        let (mut offsets, mut next) = (Vec::new(), 0);
        for _ in 0..count {
            let partition = r.number()?;
            if partition < next || partition >= u64::from(PARTITIONS_MAX) {
                return Err(ORDER);
            }
            next = partition + 1;
            // Below 32.
            offsets.push((partition as u8, r.number()?));
        }
        Ok(Self { name, offsets })
    }
}

impl Outlet {
    fn encode(&self, w: &mut Writer<'_>) {
        w.number(u64::from(self.slot));
        w.text(self.name.as_ref().map_or("", Name::as_str));
        w.number(self.after.0);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, BadRecord> {
        let slot = r.number()?;
        if slot >= u64::from(SLOTS_MAX) {
            return Err(BadRecord::Malformed("no slot of an endpoint"));
        }
        let name = match r.text()? {
            "" => None,
            text => Some(Name::parse(text).ok_or(BadRecord::Malformed("no name of an endpoint"))?),
        };
        // Below 31.
        Ok(Self { slot: slot as u8, name, after: Sequence(r.number()?) })
    }
}

const STATE: u8 = 33;
const GROUP: u8 = 34;
const OUTLET: u8 = 37;
const VERSION: u8 = 1;
const ORDER: BadRecord = BadRecord::Malformed("marks or partitions do not ascend");
const NO_NAME: &str = "a group has no name";
const _: () = assert!(GROUP_CHARS_MAX < 128);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Chance;

    fn all() -> Vec<Entry> {
        let mark = |last, bytes| Mark { last: Sequence(last), enqueued_ms: last * 9, bytes };
        let (partitions, floor) = (Partitions::new(32).unwrap(), Sequence(300));
        let group = |name, offsets| {
            Entry::Group(GroupOffsets { name: GroupName::parse(name).unwrap(), offsets })
        };
        let outlet = |slot, name, after| {
            Entry::Outlet(Outlet { slot, name: Name::parse(name), after: Sequence(after) })
        };
        vec![
            outlet(0, "web.hook_1-A", 1 << 40),
            outlet(30, "", 0),
            Entry::State(State { partitions, floor, marks: vec![] }),
            Entry::State(State { partitions, floor, marks: vec![mark(301, 0), mark(1 << 40, 9)] }),
            group("$Default", vec![(0, 0), (31, u64::MAX)]),
            group("g.1", vec![]),
        ]
    }

    fn encoded(entry: &Entry) -> Vec<u8> {
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
            assert!(Entry::decode(entry.kind(), &[&bytes[..], &[0]].concat()).is_err());
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
