//! A message as the conditions of routes see it (B5). Refuses to know which routes there are.

use super::document::Document;
use super::path::{Path, Root, Step};
use super::twin_document::{node_value, walk};
use super::value::Value;
use crate::json::{self, write_text};
use crate::twin::{Node, Part, Twin};

/// What is known of a message, borrowed. Names of properties are found in any case; of two that
/// differ by case only the last counts, as of two that are the same (A12).
#[derive(Debug, Clone, Copy, Default)]
pub struct Message<'m> {
    /// Application properties: name and value.
    pub properties: &'m [(&'m str, &'m str)],
    /// System properties under the names of B5 without the `$`: `contentType`,
    /// `connectionDeviceId`, `dt-subject`.
    pub system: &'m [(&'m str, &'m str)],
    /// The body, if it may be looked into and is JSON ([`Body`](super::Body)).
    pub body: Option<&'m json::Value<'m>>,
    /// The twin of the device or module that sent it.
    pub twin: Option<&'m Twin>,
}

impl<'m> Message<'m> {
    fn property(&self, path: &Path) -> Option<&'m str> {
        let name = path.steps.first()?.key()?;
        let named = |all: &'m [(&str, &'m str)]| {
            all.iter().rev().find(|(other, _)| other.eq_ignore_ascii_case(name))
        };
        let system = if path.root == Root::System { named(self.system) } else { None };
        system.or_else(|| named(self.properties)).map(|(_, value)| *value)
    }

    /// A value in the body, never the body itself or an element of it (B5).
    fn in_body(&self, path: &Path) -> Option<&'m json::Value<'m>> {
        let [Step::Key(_), ..] = *path.steps else { return None };
        path.steps.iter().try_fold(self.body?, |value, step| match (step, value) {
            (Step::Key(key), value) => value.member(key),
            (Step::Index(at), json::Value::List(list)) => list.get(*at as usize),
            _ => None,
        })
    }

    fn in_twin(&self, path: &Path) -> Option<InTwin<'m>> {
        let twin = self.twin?;
        let first = path.steps.first()?.key()?;
        let (part, section, steps) = match (first, path.steps.get(1).and_then(Step::key)) {
            ("tags", _) => (Part::Tags, None, &path.steps[1..]),
            (_, Some("desired")) => (Part::Desired, Some(twin.desired()), &path.steps[2..]),
            (_, Some("reported")) => (Part::Reported, Some(twin.reported()), &path.steps[2..]),
            _ => return None,
        };
        match (section, steps) {
            (_, []) => Some(InTwin::Part(twin, part)),
            (Some(section), [Step::Key(key)]) if &**key == "$version" => {
                Some(InTwin::Version(section.version()))
            }
            (Some(section), steps) => walk(section.root(), steps).map(InTwin::Node),
            (None, steps) => walk(twin.tags(), steps).map(InTwin::Node),
        }
    }
}

enum InTwin<'m> {
    Part(&'m Twin, Part),
    Version(u64),
    Node(Node<'m>),
}

impl Document for Message<'_> {
    fn value(&self, path: &Path) -> Value<'_> {
        let found = match path.root {
            Root::Field => None,
            Root::Property | Root::System => self.property(path).map(Value::text_of),
            Root::Body => self.in_body(path).map(json::Value::as_operand),
            Root::Twin => self.in_twin(path).map(|found| match found {
                InTwin::Part(..) => Value::Object,
                InTwin::Version(n) => {
                    i64::try_from(n).map_or(Value::Undefined, |n| Value::Number(n.into()))
                }
                InTwin::Node(node) => node_value(node),
            }),
        };
        found.unwrap_or(Value::Undefined)
    }

    fn write(&self, path: &Path, out: &mut Vec<u8>) -> bool {
        let found = match path.root {
            Root::Field => None,
            Root::Property | Root::System => self.property(path).map(|text| write_text(text, out)),
            Root::Body => self.in_body(path).map(|value| value.write(out)),
            Root::Twin => self.in_twin(path).map(|found| match found {
                InTwin::Part(twin, part) => twin.write_section(part, out),
                InTwin::Version(n) => out.extend_from_slice(n.to_string().as_bytes()),
                InTwin::Node(node) => node.write_json(out),
            }),
        };
        found.is_some()
    }

    /// Nobody selects a message whole: what is known of it as a person would want to see it.
    fn write_all(&self, out: &mut Vec<u8>) {
        let properties = |all: &[(&str, &str)], out: &mut Vec<u8>| {
            out.push(b'{');
            for (n, (name, value)) in all.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                write_text(name, out);
                out.push(b':');
                write_text(value, out);
            }
            out.push(b'}');
        };
        out.extend_from_slice(b"{\"systemProperties\":");
        properties(self.system, out);
        out.extend_from_slice(b",\"properties\":");
        properties(self.properties, out);
        if let Some(body) = self.body {
            out.extend_from_slice(b",\"body\":");
            body.write(out);
        }
        out.push(b'}');
    }
}
