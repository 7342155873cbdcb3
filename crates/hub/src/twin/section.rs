//! Desired or reported: properties with a version. Refuses to know which of the two it is, but for
//! what its stamps carry.

use super::bytes::{Reader, put_bytes, put_number};
use super::merge::{merge, plant};
use super::node::{Kind, Node, Stamp};
use super::record::{Edit, Mode};
use super::refused::BadTwin;
use super::tree::{Nulls, Tree};

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

    /// After a write at `stamp`, whose version is the new one where the section keeps them.
    pub(super) fn after(&self, edit: &Edit, stamp: Stamp) -> Self {
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
        put_number(out, self.version);
        put_number(out, self.removed_version);
        put_bytes(out, self.tree.bytes());
    }

    pub(super) fn decode(r: &mut Reader<'_>) -> Result<Self, BadTwin> {
        let (version, removed_version) = (r.number()?, r.number()?);
        if version == 0 || removed_version > version {
            return Err(BadTwin::Malformed("a section has no such version"));
        }
        let tree = Tree::decode(r.bytes()?, Nulls::Nowhere)?;
        Ok(Self { version, removed_version, tree })
    }
}

/// The size of an object as B1.4 counts: characters but for control characters in keys and
/// strings, 8 a number, 4 a boolean.
pub(super) fn size(node: Node<'_>) -> usize {
    let characters = |text: &str| text.chars().filter(|c| !c.is_control()).count();
    match node.kind {
        Kind::Null => 0,
        Kind::False | Kind::True => 4,
        Kind::Number => 8,
        Kind::Text => characters(node.text()),
        Kind::List => node.elements().map(size).sum(),
        Kind::Object => node.entries().map(|(key, value)| characters(key) + size(value)).sum(),
    }
}
