//! The state of one twin and the one way in which it changes. Refuses to know who asked.

use super::limits::SECTION_BYTES_MAX;
use super::merge::{merge, plant};
use super::node::{Node, Stamp};
use super::record::{Edit, Mode, Part, Record};
use super::refused::Refused;
use super::section::{Section, size};
use super::tree::{Nulls, Tree};
use crate::Etag;
use crate::bytes::{BadRecord, Reader, Writer};

/// A twin. Three allocations, of about the size of its documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    pub(super) version: u64,
    pub(super) etag: Etag,
    pub(super) tags: Tree,
    pub(super) desired: Section,
    pub(super) reported: Section,
}

impl Twin {
    /// The twin of an identity that is created now (B1.1).
    pub fn new(now_ms: u64) -> Self {
        let stamp = |version| Stamp { at_ms: now_ms, version };
        Self {
            version: FIRST_VERSION,
            etag: Etag(1),
            tags: Tree::empty(Stamp::default()),
            desired: Section::new(stamp(1)),
            reported: Section::new(stamp(0)),
        }
    }

    /// Counts the writes to any part, from 2.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Of tags and desired.
    pub fn etag(&self) -> Etag {
        self.etag
    }

    /// What only services see.
    pub fn tags(&self) -> Node<'_> {
        self.tags.root()
    }

    /// What services want.
    pub fn desired(&self) -> &Section {
        &self.desired
    }

    /// What the device said.
    pub fn reported(&self) -> &Section {
        &self.reported
    }

    /// The state after a record; nothing if it has come of this record already.
    ///
    /// # Errors
    /// [`Gap`] if versions are missing between the two.
    pub fn apply(&self, record: &Record) -> Result<Option<Self>, Gap> {
        if record.version <= self.version {
            return Ok(None);
        }
        if record.version != self.version.saturating_add(1) {
            return Err(Gap);
        }
        Ok(Some(self.after(record)))
    }

    /// The state after a record that is known to follow.
    pub(super) fn after(&self, record: &Record) -> Self {
        let etag = match record.edits.iter().any(|edit| edit.part != Part::Reported) {
            true => Etag(self.etag.0.saturating_add(1)),
            false => self.etag,
        };
        let at_ms = record.at_ms;
        let desired = Stamp { at_ms, version: self.desired.version.saturating_add(1) };
        let reported = Stamp { at_ms, version: 0 };
        Self {
            version: record.version,
            etag,
            tags: record.edit(Part::Tags).map_or_else(|| self.tags.clone(), |e| self.tagged(e)),
            desired: self.desired.after(record.edit(Part::Desired), desired),
            reported: self.reported.after(record.edit(Part::Reported), reported),
        }
    }

    fn tagged(&self, edit: &Edit) -> Tree {
        let stamp = Stamp::default();
        match edit.mode {
            Mode::Merge => merge(self.tags.root(), edit.tree.root(), stamp).tree,
            Mode::Replace => plant(edit.tree.root(), stamp),
        }
    }

    /// Whether a part is within its bounds.
    pub(super) fn check_size(&self, part: Part) -> Result<(), Refused> {
        let tree = match part {
            Part::Tags => &self.tags,
            Part::Desired => &self.desired.tree,
            Part::Reported => &self.reported.tree,
        };
        let too_large = |size, size_max| {
            let part = part.name();
            if size > size_max { Err(Refused::TooLarge { part, size, size_max }) } else { Ok(()) }
        };
        too_large(tree.bytes().len(), SECTION_BYTES_MAX)?;
        too_large(size(tree.root()), part.size_max())
    }

    /// Appends its durable form: a version (1), `version`, etag, tags behind their length, then
    /// desired and reported, each `$version`, the last version that removed, and the tree behind
    /// its length.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        Writer(out).number(self.version);
        Writer(out).number(self.etag.0);
        Writer(out).bytes(self.tags.bytes());
        self.desired.encode(out);
        self.reported.encode(out);
    }

    /// The other side of [`encode`](Self::encode), of bytes that nobody vouches for.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        let mut r = Reader::new(bytes);
        r.version(VERSION)?;
        let (version, etag) = (r.number()?, Etag(r.number()?));
        let tags = Tree::decode(r.bytes()?, Nulls::Nowhere)?;
        let desired = Section::decode(&mut r)?;
        let reported = Section::decode(&mut r)?;
        r.end()?;
        Ok(Self { version, etag, tags, desired, reported })
    }
}

/// A record does not follow on the state that it is to be applied to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("versions are missing before this record")]
pub struct Gap;

const VERSION: u8 = 1;
/// What a real creation event shows (B1.1).
const FIRST_VERSION: u64 = 2;

#[cfg(test)]
mod tests {
    use super::super::examples::object;
    use super::super::{Change, IfVersion, patch, patch_reported, replace};
    use super::*;
    use crate::IfMatch;
    use crate::chance::Chance;

    /// A random history: each state with the record that led to it.
    fn history(seed: u64) -> Vec<(Twin, Record)> {
        let mut chance = Chance::new(seed);
        let mut states: Vec<(Twin, Record)> = Vec::new();
        for step in 0..20 {
            let begun = Twin::new(5);
            let twin = states.last().map_or(&begun, |(twin, _)| twin);
            let (tags, desired) = (object(&mut chance, 3, true), object(&mut chance, 3, true));
            let both = format!("{{\"tags\":{tags},\"properties\":{{\"desired\":{desired}}}}}");
            let now_ms = 1_600_000_000_000 + step * 1_000;
            let change = match chance.below(4) {
                0 => patch(twin, both.as_bytes(), &IfMatch::Any, now_ms),
                1 => replace(twin, both.as_bytes(), &IfMatch::Any, now_ms),
                _ => patch_reported(twin, desired.as_bytes(), IfVersion::Any, now_ms),
            };
            let Change { twin, record: Some(record) } = change.unwrap() else { panic!("a write") };
            states.push((twin, record));
        }
        states
    }

    fn encoded(twin: &Twin) -> Vec<u8> {
        let mut bytes = Vec::new();
        twin.encode(&mut bytes);
        bytes
    }

    #[test]
    fn states_and_records_come_back_and_replay() {
        for seed in 0..40 {
            let mut replayed = Twin::new(5);
            for (twin, record) in history(seed) {
                assert_eq!(Twin::decode(&encoded(&twin)), Ok(twin.clone()));
                let mut bytes = Vec::new();
                record.encode(&mut bytes);
                let record = Record::decode(&bytes).unwrap();
                replayed = replayed.apply(&record).unwrap().expect("it is new");
                assert_eq!(replayed, twin);
                assert_eq!(replayed.apply(&record), Ok(None), "it is known");
                assert_eq!(Twin::new(0).apply(&record).is_err(), record.version > 3);
            }
        }
    }

    #[test]
    fn bytes_from_elsewhere_never_panic_and_have_one_form() {
        let mut chance = Chance::new(7);
        let mut still_good = 0;
        for (twin, record) in history(1).into_iter().chain(history(2)) {
            let (state, mut written) = (encoded(&twin), Vec::new());
            record.encode(&mut written);
            for end in 0..state.len() {
                assert!(Twin::decode(&state[..end]).is_err());
            }
            for _ in 0..400 {
                let mut bytes = state.clone();
                let at = chance.below(bytes.len());
                bytes[at] ^= 1 << chance.below(8);
                if let Ok(read) = Twin::decode(&bytes) {
                    assert_eq!(encoded(&read), bytes);
                    read.write_for_device(&mut Vec::new());
                    still_good += 1;
                }
                let mut bytes = written.clone();
                let at = chance.below(bytes.len());
                bytes[at] = chance.below(256) as u8;
                if let Ok(read) = Record::decode(&bytes) {
                    let mut again = Vec::new();
                    read.encode(&mut again);
                    assert_eq!(again, bytes);
                    let _ = Twin::new(0).apply(&Record { version: 3, ..read });
                }
            }
        }
        assert!(still_good > 100, "flips in texts are not seen: {still_good}");
    }

    #[test]
    fn hostile_bytes_are_named() {
        let good = encoded(&Twin::new(0));
        assert_eq!(Twin::decode(&[2]), Err(BadRecord::Version(2)));
        let tree = |bytes: &[u8]| Tree::decode(bytes, Nulls::Nowhere).is_ok();
        assert!(tree(&[6, 0]));
        for (bytes, what) in [
            (&[4, 0][..], "no object"),
            (&[14, 0, 0, 0], "the parent's stamp"),
            (&[6, 2, 0, 0], "a null"),
            (&[6, 4, 0, 1, 0, 1], "a key twice"),
            (&[6, 4, 0, 3, 1, b'x'], "a number"),
            (&[6, 4, 0, 4, 1, 0xFF], "a text"),
            (&[6, 3, 1, 0xFF, 1], "a key that is no text"),
            (&[6, 6, 0, 5, 3, 9, 1, 1], "an element with a stamp"),
            (&[6, 200], "a length beyond the end"),
            (&[22, 0], "a flag"),
        ] {
            assert!(!tree(bytes), "{what}");
        }
        let deep = (0..60).fold(vec![6, 0], |inside, _| {
            let mut bytes = vec![6, inside.len() as u8 + 1, 0];
            bytes.extend(inside);
            bytes
        });
        assert!(!tree(&deep[..]));
        let with_end = [&good[..], &[0]].concat();
        assert_eq!(Twin::decode(&with_end), Err(BadRecord::Malformed("bytes follow the end")));
    }

    #[test]
    fn a_small_twin_is_small() {
        let reported = br#"{"temperature":21.5,"firmware":{"version":"1.2.3","ok":true}}"#;
        let change = patch_reported(&Twin::new(1 << 40), reported, IfVersion::Any, 1 << 41);
        let Change { twin, record: Some(record) } = change.unwrap() else { panic!("a write") };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        assert_eq!((encoded(&twin).len(), bytes.len()), (78, 60), "{} of text", reported.len());
    }
}
