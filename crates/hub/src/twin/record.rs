//! A write as the log keeps it: what was asked for and when, not what came of it, so that a small
//! patch of a large twin is a small record. Refuses to know the state it is applied to.

use super::limits::{SECTION_SIZE_MAX, TAGS_SIZE_MAX};
use super::tree::{Nulls, Tree};
use crate::bytes::{BadRecord, Reader, Writer};

/// One accepted write. Bytes: a version (1), the twin's version after it, wall milliseconds, a
/// byte of which bits 0 to 2 say that tags, desired, reported are written and bits 3 to 5 that
/// they are replaced; then the tree of each that is, behind its length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The twin's `version` after the write.
    pub version: u64,
    /// When, in wall milliseconds.
    pub at_ms: u64,
    /// What, one for each part at most, in the order of [`Part`].
    pub edits: Vec<Edit>,
}

/// A write into one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// Where.
    pub part: Part,
    /// How.
    pub mode: Mode,
    /// The patch or the new content; nulls delete.
    pub tree: Tree,
}

/// A part of a twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What services know and devices do not see.
    Tags,
    /// What services want.
    Desired,
    /// What the device says.
    Reported,
}

/// Whether the rest stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// PATCH.
    Merge,
    /// PUT.
    Replace,
}

impl Part {
    /// Its key in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tags => "tags",
            Self::Desired => "desired",
            Self::Reported => "reported",
        }
    }

    /// What it may hold, as B1.4 counts.
    pub fn size_max(self) -> usize {
        match self {
            Self::Tags => TAGS_SIZE_MAX,
            Self::Desired | Self::Reported => SECTION_SIZE_MAX,
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Tags => 1,
            Self::Desired => 2,
            Self::Reported => 4,
        }
    }
}

impl Record {
    /// The write into a part.
    pub fn edit(&self, part: Part) -> Option<&Edit> {
        self.edits.iter().find(|edit| edit.part == part)
    }

    /// Appends its durable form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        Writer(out).number(self.version);
        Writer(out).number(self.at_ms);
        let bits = |edit: &Edit| match edit.mode {
            Mode::Merge => edit.part.bit(),
            Mode::Replace => edit.part.bit() | edit.part.bit() << 3,
        };
        out.push(self.edits.iter().fold(0, |all, edit| all | bits(edit)));
        self.edits.iter().for_each(|edit| Writer(out).bytes(edit.tree.bytes()));
    }

    /// The other side of [`encode`](Self::encode), of bytes that nobody vouches for.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadRecord> {
        let mut r = Reader::new(bytes);
        r.version(VERSION)?;
        let (version, at_ms) = (r.number()?, r.number()?);
        let bits = r.byte()?;
        let (written, replaced) = (bits & 7, bits >> 3);
        if written == 0 || replaced & !written != 0 {
            return Err(BadRecord::Malformed("a flag is set that is none"));
        }
        let mut edits = Vec::with_capacity(3);
        for part in [Part::Tags, Part::Desired, Part::Reported] {
            if written & part.bit() == 0 {
                continue;
            }
            let mode = if replaced & part.bit() == 0 { Mode::Merge } else { Mode::Replace };
            let tree = Tree::decode(r.bytes()?, Nulls::Members)?;
            edits.push(Edit { part, mode, tree });
        }
        r.end()?;
        Ok(Self { version, at_ms, edits })
    }
}

const VERSION: u8 = 1;
