//! One value of a section where it lies. Owns the form of a value in bytes and looking into it
//! without copying; refuses to know what may stand where.
//!
//! A value is a byte, of which the low three bits are its [`Kind`] and bit 3 says that a stamp of
//! its own follows (two numbers), else it has its parent's; then, but for null and booleans, a
//! length and that many bytes: the text, or the elements of an array, or keys and values.

use crate::bytes::{BadRecord, Reader, Writer, text};
use crate::json;

/// When a value was written last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    /// Wall milliseconds (`$lastUpdated`).
    pub at_ms: u64,
    /// The `$version` that wrote it (`$lastUpdatedVersion`); 0 where none is kept.
    pub version: u64,
}

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// In patches only: the key goes.
    Null,
    /// `false`.
    False,
    /// `true`.
    True,
    /// A number, by its text.
    Number,
    /// A string.
    Text,
    /// An array.
    List,
    /// An object.
    Object,
}

/// A value inside the bytes of a tree that was checked when it was made.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a> {
    /// What it is.
    pub kind: Kind,
    /// When it was written last.
    pub stamp: Stamp,
    pub(super) body: &'a [u8],
}

impl<'a> Node<'a> {
    #[inline]
    pub(super) fn read(r: &mut Reader<'a>, parent: Stamp) -> Result<Self, BadRecord> {
        let head = r.byte()?;
        let kind = match head & 7 {
            0 => Kind::Null,
            1 => Kind::False,
            2 => Kind::True,
            3 => Kind::Number,
            4 => Kind::Text,
            5 => Kind::List,
            6 => Kind::Object,
            _ => return Err(BadRecord::Malformed("no value begins so")),
        };
        let stamp = match head >> 3 {
            0 => parent,
            1 => Stamp { at_ms: r.number()?, version: r.number()? },
            _ => return Err(BadRecord::Malformed("a flag is set that is none")),
        };
        let body = match kind {
            Kind::Null | Kind::False | Kind::True => &[],
            _ => r.bytes()?,
        };
        Ok(Self { kind, stamp, body })
    }

    /// The text of a string or a number; empty for others.
    pub fn text(&self) -> &'a str {
        match self.kind {
            Kind::Number | Kind::Text => text(self.body).unwrap_or_default(),
            _ => "",
        }
    }

    /// Keys and values of an object in their order; nothing for others.
    pub fn entries(&self) -> impl Iterator<Item = (&'a str, Self)> + use<'a> {
        self.raw_entries().map(|(key, value)| (text(key).unwrap_or_default(), value))
    }

    /// The elements of an array; nothing for others.
    pub fn elements(&self) -> impl Iterator<Item = Self> + use<'a> {
        let stamp = self.stamp;
        let mut r = Reader::new(if self.kind == Kind::List { self.body } else { &[] });
        std::iter::from_fn(move || Self::read(&mut r, stamp).ok())
    }

    /// The value under a key of an object.
    pub fn child(&self, key: &str) -> Option<Self> {
        self.raw_entries().find(|(k, _)| *k == key.as_bytes()).map(|(_, value)| value)
    }

    /// An element of an array, from 0.
    pub fn element(&self, at: usize) -> Option<Self> {
        self.elements().nth(at)
    }

    /// The same value as if all of it had been written with this stamp, if none of it has one of
    /// its own.
    pub(super) fn with_stamp(self, stamp: Stamp) -> Self {
        Self { stamp, ..self }
    }

    pub(super) fn raw_entries(&self) -> impl Iterator<Item = (&'a [u8], Self)> + use<'a> {
        let stamp = self.stamp;
        let mut r = Reader::new(if self.kind == Kind::Object { self.body } else { &[] });
        std::iter::from_fn(move || {
            let key = r.bytes().ok()?;
            Some((key, Self::read(&mut r, stamp).ok()?))
        })
    }

    /// The JSON text, without blanks and without stamps.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self.kind {
            Kind::Null => out.extend_from_slice(b"null"),
            Kind::False => out.extend_from_slice(b"false"),
            Kind::True => out.extend_from_slice(b"true"),
            Kind::Number => out.extend_from_slice(self.body),
            Kind::Text => json::write_text(self.text(), out),
            Kind::List => {
                out.push(b'[');
                for (n, element) in self.elements().enumerate() {
                    if n > 0 {
                        out.push(b',');
                    }
                    element.write_json(out);
                }
                out.push(b']');
            }
            Kind::Object => {
                out.push(b'{');
                self.write_members(out);
                out.push(b'}');
            }
        }
    }

    /// The members of an object with commas between them; how many there were.
    pub(super) fn write_members(&self, out: &mut Vec<u8>) -> usize {
        let mut count = 0;
        for (key, value) in self.entries() {
            if count > 0 {
                out.push(b',');
            }
            json::write_text(key, out);
            out.push(b':');
            value.write_json(out);
            count += 1;
        }
        count
    }
}

/// Values in the making, at the end of some bytes.
pub(super) struct NodeWriter<'o>(pub &'o mut Vec<u8>);

/// An array or object whose end is not there yet.
pub(super) struct Open {
    body_at: usize,
}

impl NodeWriter<'_> {
    pub fn key(&mut self, key: &[u8]) {
        Writer(self.0).bytes(key);
    }

    /// A value that holds no others.
    pub fn leaf(&mut self, kind: Kind, body: &[u8], stamp: Stamp, parent: Stamp) {
        self.head(kind, stamp, parent);
        if !matches!(kind, Kind::Null | Kind::False | Kind::True) {
            Writer(self.0).bytes(body);
        }
    }

    /// A value as it is, below another parent. What lies in it refers to its own stamp.
    pub fn copy(&mut self, node: Node<'_>, parent: Stamp) {
        self.leaf(node.kind, node.body, node.stamp, parent);
    }

    pub fn open(&mut self, kind: Kind, stamp: Stamp, parent: Stamp) -> Open {
        self.head(kind, stamp, parent);
        self.0.push(0);
        Open { body_at: self.0.len() }
    }

    /// Puts the length where `open` left one byte for it.
    pub fn close(&mut self, open: &Open) {
        let len = self.0.len() - open.body_at;
        let mut bytes = Vec::new();
        if len < 0x80 {
            self.0[open.body_at - 1] = len as u8;
            return;
        }
        Writer(&mut bytes).number(len as u64);
        self.0.splice(open.body_at - 1..open.body_at, bytes);
    }

    fn head(&mut self, kind: Kind, stamp: Stamp, parent: Stamp) {
        let bits = match kind {
            Kind::Null => 0,
            Kind::False => 1,
            Kind::True => 2,
            Kind::Number => 3,
            Kind::Text => 4,
            Kind::List => 5,
            Kind::Object => 6,
        };
        if stamp == parent {
            self.0.push(bits);
            return;
        }
        self.0.push(bits | 1 << 3);
        Writer(self.0).number(stamp.at_ms);
        Writer(self.0).number(stamp.version);
    }
}
