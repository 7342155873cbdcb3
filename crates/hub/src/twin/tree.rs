//! A whole object in one run of bytes, checked once. Refuses to know which section it is.

use super::limits::{DEPTH_MAX, SECTION_BYTES_MAX};
use super::node::{Kind, Node, NodeWriter, Stamp};
use crate::bytes::{BadRecord, Reader, text};
use crate::json::is_number;

/// An object with everything in it. Cloning copies the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    bytes: Box<[u8]>,
}

/// Whether nulls, which delete, may stand in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nulls {
    Members,
    Nowhere,
}

impl Tree {
    /// `{}`, written with a stamp.
    pub(super) fn empty(stamp: Stamp) -> Self {
        Self::build(0, |w| w.leaf(Kind::Object, &[], stamp, Stamp::default()))
    }

    /// A tree of what `build` writes, which is about `len` bytes: one object, by our own code.
    pub(super) fn build(len: usize, build: impl FnOnce(&mut NodeWriter<'_>)) -> Self {
        let mut bytes = Vec::with_capacity(len + ROOT_BYTES_MAX);
        build(&mut NodeWriter(&mut bytes));
        Self { bytes: bytes.into_boxed_slice() }
    }

    /// The object.
    pub fn root(&self) -> Node<'_> {
        let empty = Node { kind: Kind::Object, stamp: Stamp::default(), body: &[] };
        Node::read(&mut Reader::new(&self.bytes), Stamp::default()).unwrap_or(empty)
    }

    /// The value at a path of keys.
    pub fn at<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Option<Node<'_>> {
        keys.into_iter().try_fold(self.root(), |node, key| node.child(key))
    }

    /// Its durable form.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes bytes that came from outside of this process, after checking all that nobody checks
    /// behind it.
    pub(super) fn decode(bytes: &[u8], nulls: Nulls) -> Result<Self, BadRecord> {
        if bytes.len() > SECTION_BYTES_MAX + ROOT_BYTES_MAX {
            return Err(BadRecord::Malformed("a section is too long"));
        }
        let mut r = Reader::new(bytes);
        let root = Checked::read(&mut r, Stamp::default())?;
        r.end()?;
        if root.kind != Kind::Object {
            return Err(BadRecord::Malformed("a section is no object"));
        }
        check(&root, DEPTH_MAX + 1, nulls)?;
        Ok(Self { bytes: bytes.into() })
    }
}

/// Reads a value that has a stamp of its own only where it differs.
struct Checked;

impl Checked {
    fn read<'a>(r: &mut Reader<'a>, parent: Stamp) -> Result<Node<'a>, BadRecord> {
        let own_stamp = r.rest.first().is_some_and(|head| head & 8 != 0);
        let node = Node::read(r, parent)?;
        if own_stamp && node.stamp == parent {
            return Err(BadRecord::Malformed("a stamp is written that is the parent's"));
        }
        Ok(node)
    }
}

/// `depth_left`: how many arrays and objects may lie in each other from here, this one included.
fn check(node: &Node<'_>, depth_left: usize, nulls: Nulls) -> Result<(), BadRecord> {
    let depth_below = || depth_left.checked_sub(1).ok_or(BadRecord::Malformed("it is too deep"));
    match node.kind {
        Kind::Null if nulls == Nulls::Nowhere => Err(BadRecord::Malformed("a null stands here")),
        Kind::Null | Kind::False | Kind::True => Ok(()),
        Kind::Number if is_number(text(node.body)?) => Ok(()),
        Kind::Number => Err(BadRecord::Malformed("this is no number")),
        Kind::Text => text(node.body).map(drop),
        Kind::List => {
            let depth_left = depth_below()?;
            let mut r = Reader::new(node.body);
            while !r.rest.is_empty() {
                let element = Checked::read(&mut r, node.stamp)?;
                if element.stamp != node.stamp {
                    return Err(BadRecord::Malformed("an element has a stamp"));
                }
                check(&element, depth_left, Nulls::Nowhere)?;
            }
            Ok(())
        }
        Kind::Object => {
            let depth_left = depth_below()?;
            let mut r = Reader::new(node.body);
            let mut keys = Vec::new();
            while !r.rest.is_empty() {
                keys.push(text(r.bytes()?)?);
                check(&Checked::read(&mut r, node.stamp)?, depth_left, nulls)?;
            }
            keys.sort_unstable();
            if keys.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(BadRecord::Malformed("a key stands twice"));
            }
            Ok(())
        }
    }
}

/// Head, stamp and length of the object itself.
const ROOT_BYTES_MAX: usize = 31;
