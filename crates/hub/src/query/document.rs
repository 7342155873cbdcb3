//! What an expression looks at. Refuses to know what kind of thing it is.

use super::path::{Path, Root, Step};
use super::value::Value;
use crate::json;

/// One twin, job or message.
pub trait Document {
    /// The value at a path; undefined where there is none. Does not allocate.
    fn value(&self, path: &Path) -> Value<'_>;

    /// Appends the JSON text of the value at a path as it was written; `false`, and nothing
    /// appended, where there is none.
    fn write(&self, path: &Path, out: &mut Vec<u8>) -> bool;

    /// Appends the JSON text of all of it: `SELECT *`.
    fn write_all(&self, out: &mut Vec<u8>);
}

/// A document that is JSON, as the record of a job; its fields have their proper case.
impl Document for json::Value<'_> {
    fn value(&self, path: &Path) -> Value<'_> {
        match path.root {
            Root::Field => self.at(&path.steps).map_or(Value::Undefined, Self::as_operand),
            _ => Value::Undefined,
        }
    }

    fn write(&self, path: &Path, out: &mut Vec<u8>) -> bool {
        let found = if path.root == Root::Field { self.at(&path.steps) } else { None };
        found.inspect(|value| json::Value::write(value, out)).is_some()
    }

    fn write_all(&self, out: &mut Vec<u8>) {
        json::Value::write(self, out);
    }
}

impl json::Value<'_> {
    fn at(&self, steps: &[Step]) -> Option<&Self> {
        steps.iter().try_fold(self, |value, step| match (step, value) {
            (Step::Key(key), value) => value.member(key),
            (Step::Index(at), json::Value::List(list)) => list.get(*at as usize),
            _ => None,
        })
    }

    pub(super) fn as_operand(&self) -> Value<'_> {
        match self {
            json::Value::Null => Value::Null,
            json::Value::Bool(bool) => Value::Bool(*bool),
            json::Value::Number(text) => Value::number_of(text),
            json::Value::Text(text) => Value::text_of(text),
            json::Value::List(_) => Value::List,
            json::Value::Object(_) => Value::Object,
        }
    }
}
