//! Desired or reported: properties with a version. Refuses to know which of the two it is, but for
//! what its stamps carry.

use super::merge::{merge, plant};
use super::node::{Kind, Node, Stamp};
use super::record::{Edit, Mode};
use super::tree::{Nulls, Tree};
use crate::bytes::{BadRecord, Reader, Writer};

/// A section with its `$version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub(super) version: u64,
    /// The last version that took a key away, 0 for none: who knows an older one needs it whole.
    pub(super) removed_version: u64,
    pub(super) tree: Tree,
}

impl Section {
    /// Empty, at version 1.
    pub(super) fn new(stamp: Stamp) -> Self {
        Self { version: 1, removed_version: 0, tree: Tree::empty(stamp) }
    }

    /// `$version`: 1 at first, one more for each write.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The properties.
    pub fn root(&self) -> Node<'_> {
        self.tree.root()
    }

    /// After a write, if there is one, at `stamp`, whose version is the new one where the section
    /// keeps them.
    pub(super) fn after(&self, edit: Option<&Edit>, stamp: Stamp) -> Self {
        let Some(edit) = edit else { return self.clone() };
        let version = self.version.saturating_add(1);
        let (tree, removed) = match edit.mode {
            Mode::Merge => {
                let merged = merge(self.root(), edit.tree.root(), stamp);
                (merged.tree, merged.removed)
            }
            Mode::Replace => (plant(edit.tree.root(), stamp), true),
        };
        let removed_version = if removed { version } else { self.removed_version };
        Self { version, removed_version, tree }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        Writer(out).number(self.version);
        Writer(out).number(self.removed_version);
        Writer(out).bytes(self.tree.bytes());
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, BadRecord> {
        let (version, removed_version) = (r.number()?, r.number()?);
        if version == 0 || removed_version > version {
            return Err(BadRecord::Malformed("a section has no such version"));
        }
        let tree = Tree::decode(r.bytes()?, Nulls::Nowhere)?;
        Ok(Self { version, removed_version, tree })
    }
}

/// The size of an object as B1.4 counts: characters but for control characters in keys and
/// strings, 8 a number, 4 a boolean.
pub(super) fn size(node: Node<'_>) -> usize {
    match node.kind {
        Kind::Null => 0,
        Kind::False | Kind::True => 4,
        Kind::Number => 8,
        Kind::Text => characters(node.body),
        Kind::List => node.elements().map(size).sum(),
        Kind::Object => node.raw_entries().map(|(key, value)| characters(key) + size(value)).sum(),
    }
}

/// How many characters of a text are no control characters, from its bytes: all of a section are
/// counted for each write into it.
fn characters(text: &[u8]) -> usize {
    let counts = |byte: u8| byte & 0xC0 != 0x80 && byte >= b' ' && byte != 0x7F;
    let all = text.iter().filter(|&&byte| counts(byte)).count();
    let second_row = |pair: &&[u8]| pair[0] == 0xC2 && pair[1] < 0xA0;
    if text.contains(&0xC2) { all - text.windows(2).filter(second_row).count() } else { all }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_those_that_are_no_controls() {
        for n in 0..0x3000 {
            let Some(c) = char::from_u32(n) else { continue };
            let text = format!("a{c}\u{9f}é{c}\u{a0}");
            let expected = text.chars().filter(|c| !c.is_control()).count();
            assert_eq!(characters(text.as_bytes()), expected, "{n:x}");
        }
    }
}
