//! A section of a request, checked: what a device or a service may write (B1.4), as a tree in
//! which nulls delete. Refuses to know what is there already.

use super::limits::*;
use super::node::{Kind, NodeWriter, Stamp};
use super::record::Part;
use super::refused::Refused;
use super::tree::Tree;
use crate::json::Value;

/// What becomes of `$version` and `$metadata` at the top of a section (B1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Echo {
    /// Left out: libraries of services send back what they read.
    LeftOut,
    /// Refused, as any key with a `$`.
    Refused,
}

/// The tree of a section. No value in it has a stamp of its own.
pub(super) fn encode(part: Part, section: &Value<'_>, echo: Echo) -> Result<Tree, Refused> {
    let Value::Object(members) = section else {
        return Err(Refused::NotAnObject(part.name()));
    };
    let mut encoder = Encoder { path: Vec::new() };
    let mut outcome = Ok(());
    let tree = Tree::build(0, |w| {
        let open = w.open(Kind::Object, STAMP, STAMP);
        let echoed = |key: &str| echo == Echo::LeftOut && matches!(key, "$version" | "$metadata");
        let mut members = members.iter().filter(|(key, _)| !echoed(key));
        outcome = members
            .try_for_each(|(key, value)| encoder.member(w, key, value, DEPTH_MAX, Within::Objects));
        w.close(&open);
    });
    outcome?;
    match tree.bytes().len() {
        size if size > SECTION_BYTES_MAX => {
            Err(Refused::TooLarge { part: part.name(), size, size_max: SECTION_BYTES_MAX })
        }
        _ => Ok(tree),
    }
}

/// Where it is, for the refusal.
struct Encoder<'v> {
    path: Vec<&'v str>,
}

impl<'v> Encoder<'v> {
    fn member(
        &mut self,
        w: &mut NodeWriter<'_>,
        key: &'v str,
        value: &'v Value<'v>,
        depth_left: usize,
        within: Within,
    ) -> Result<(), Refused> {
        self.path.push(key);
        check_key(key).map_err(|rule| Refused::Key { path: self.path(), rule })?;
        w.key(key.as_bytes());
        match (value, within) {
            (Value::Null, Within::Objects) => w.leaf(Kind::Null, &[], STAMP, STAMP),
            _ => self.value(w, value, depth_left, within)?,
        }
        self.path.pop();
        Ok(())
    }

    fn value(
        &mut self,
        w: &mut NodeWriter<'_>,
        value: &'v Value<'v>,
        depth_left: usize,
        within: Within,
    ) -> Result<(), Refused> {
        match value {
            Value::Null => return Err(self.wrong("there is no null in an array")),
            Value::Bool(false) => w.leaf(Kind::False, &[], STAMP, STAMP),
            Value::Bool(true) => w.leaf(Kind::True, &[], STAMP, STAMP),
            Value::Number(text) => {
                check_number(text).map_err(|rule| self.wrong(rule))?;
                w.leaf(Kind::Number, text.as_bytes(), STAMP, STAMP);
            }
            Value::Text(text) if text.len() > TEXT_BYTES_MAX => {
                return Err(self.wrong("a string has at most 4096 bytes"));
            }
            Value::Text(text) => w.leaf(Kind::Text, text.as_bytes(), STAMP, STAMP),
            Value::List(list) => {
                let depth_left = self.below(depth_left)?;
                let open = w.open(Kind::List, STAMP, STAMP);
                for element in list {
                    self.value(w, element, depth_left, Within::List)?;
                }
                w.close(&open);
            }
            Value::Object(members) => {
                let depth_left = self.below(depth_left)?;
                let open = w.open(Kind::Object, STAMP, STAMP);
                for (key, value) in members {
                    self.member(w, key, value, depth_left, within)?;
                }
                w.close(&open);
            }
        }
        Ok(())
    }

    fn below(&self, depth_left: usize) -> Result<usize, Refused> {
        let below = depth_left.checked_sub(1);
        below.ok_or_else(|| self.wrong("objects and arrays lie at most 10 deep in a section"))
    }

    fn wrong(&self, rule: &'static str) -> Refused {
        Refused::Value { path: self.path(), rule }
    }

    fn path(&self) -> String {
        let mut path = self.path.join(".");
        if path.len() > PATH_SHOWN_BYTES_MAX {
            let mut end = PATH_SHOWN_BYTES_MAX;
            while !path.is_char_boundary(end) {
                end -= 1;
            }
            path.truncate(end);
            path.push('…');
        }
        path
    }
}

/// What surrounds a value: in arrays nothing is null, at no depth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Objects,
    List,
}

fn check_key(key: &str) -> Result<(), &'static str> {
    if key.len() > KEY_BYTES_MAX {
        return Err("a key has at most 1024 bytes");
    }
    let refused = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '.' | '$' | '#');
    if key.contains(refused) {
        return Err("a key has no '.', '$', '#', blank or control character");
    }
    Ok(())
}

fn check_number(text: &str) -> Result<(), &'static str> {
    if text.len() > NUMBER_BYTES_MAX {
        return Err("a number has at most 128 characters");
    }
    if text.contains(['.', 'e', 'E']) {
        let finite = text.parse::<f64>().is_ok_and(f64::is_finite);
        return if finite { Ok(()) } else { Err("a number is too large") };
    }
    match text.parse::<i64>() {
        Ok(INTEGER_MIN..=INTEGER_MAX) => Ok(()),
        _ => Err("an integer is between -4503599627370496 and 4503599627370495"),
    }
}

const STAMP: Stamp = Stamp { at_ms: 0, version: 0 };
const PATH_SHOWN_BYTES_MAX: usize = 256;
