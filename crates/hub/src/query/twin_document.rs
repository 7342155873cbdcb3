//! A twin as queries see it: the fields of its service-side document (B1.1), found where they lie.
//! Refuses to know conditions.

use super::document::Document;
use super::path::{Path, Root, Step};
use super::value::Value;
use crate::Moment;
use crate::identity::Edge;
use crate::json::write_text;
use crate::twin::{
    About, Kind, Node, Part, Section, Twin, Versions, write_capabilities, write_metadata,
    write_texts, write_thumbprints,
};

/// A twin with what its identity says.
#[derive(Debug, Clone, Copy)]
pub struct TwinDocument<'a> {
    /// The identity's part.
    pub about: &'a About<'a>,
    /// The twin.
    pub twin: &'a Twin,
}

/// What lies at a path.
enum Found<'a> {
    Nothing,
    Plain(Value<'a>),
    /// An object or array that is no node.
    Made(Made),
    Node(Node<'a>),
    Metadata(Node<'a>, Versions),
}

enum Made {
    Thumbprints,
    Capabilities,
    ParentScopes,
    Properties,
    Part(Part),
}

impl Document for TwinDocument<'_> {
    fn value(&self, path: &Path) -> Value<'_> {
        match self.find(path) {
            Found::Nothing => Value::Undefined,
            Found::Plain(value) => value,
            Found::Made(Made::ParentScopes) => Value::List,
            Found::Made(_) | Found::Metadata(..) => Value::Object,
            Found::Node(node) => node_value(node),
        }
    }

    fn write(&self, path: &Path, out: &mut Vec<u8>) -> bool {
        match self.find(path) {
            Found::Nothing | Found::Plain(Value::Undefined) => return false,
            Found::Plain(Value::Number(number)) => number.write(out),
            Found::Plain(Value::Bool(true)) => out.extend_from_slice(b"true"),
            Found::Plain(Value::Bool(false)) => out.extend_from_slice(b"false"),
            Found::Plain(value) => match value.text() {
                Some(text) => write_text(text, out),
                None => out.extend_from_slice(b"null"),
            },
            Found::Node(node) => node.write_json(out),
            Found::Metadata(node, versions) => write_metadata(&node, versions, out),
            Found::Made(made) => match made {
                Made::Thumbprints => write_thumbprints(self.about, out),
                Made::Capabilities => write_capabilities(self.about, out),
                Made::ParentScopes => write_texts(self.about.parent_scopes, out),
                Made::Properties => self.twin.write_properties(out),
                Made::Part(part) => self.twin.write_section(part, out),
            },
        }
        true
    }

    fn write_all(&self, out: &mut Vec<u8>) {
        self.twin.write_for_service(self.about, out);
    }
}

impl<'a> TwinDocument<'a> {
    fn find(&self, path: &Path) -> Found<'a> {
        if path.root != Root::Field {
            return Found::Nothing;
        }
        let [Step::Key(field), below @ ..] = &*path.steps else { return Found::Nothing };
        let twin = self.twin;
        match (&**field, below) {
            ("tags", below) => found_node(walk(twin.tags(), below)),
            ("properties", []) => Found::Made(Made::Properties),
            ("properties", [Step::Key(section), below @ ..]) => match &**section {
                "desired" => in_section(Part::Desired, twin.desired(), below),
                "reported" => in_section(Part::Reported, twin.reported(), below),
                _ => Found::Nothing,
            },
            (field, []) => self.field(field),
            ("x509Thumbprint", [Step::Key(which)]) => {
                let thumbprint = match &**which {
                    "primaryThumbprint" => self.about.primary_thumbprint,
                    "secondaryThumbprint" => self.about.secondary_thumbprint,
                    _ => return Found::Nothing,
                };
                Found::Plain(thumbprint.map_or(Value::Null, Value::text_of))
            }
            ("capabilities", [Step::Key(which)]) if &**which == "iotEdge" => {
                Found::Plain(Value::Bool(self.about.edge == Edge::Yes))
            }
            ("parentScopes", [Step::Index(at)]) => {
                let scope = self.about.parent_scopes.get(*at as usize);
                scope.map_or(Found::Nothing, |scope| Found::Plain(Value::text_of(scope)))
            }
            _ => Found::Nothing,
        }
    }

    fn field(&self, name: &str) -> Found<'a> {
        let about = self.about;
        let optional = |text: Option<&'a str>| text.map_or(Value::Undefined, Value::text_of);
        let moment = |moment: Moment| Value::Moment(moment.text());
        let number = |n| i64::try_from(n).map_or(Value::Undefined, |n| Value::Number(n.into()));
        Found::Plain(match name {
            "deviceId" => Value::text_of(about.device_id),
            "moduleId" => optional(about.module_id),
            "etag" => Value::Short(self.twin.etag().twin_text()),
            "deviceEtag" => Value::Short(about.device_etag.identity_text()),
            "status" => Value::text_of(about.status.as_str()),
            "statusReason" => optional(about.status_reason),
            "statusUpdateTime" => moment(about.status_updated),
            "connectionState" => Value::text_of(about.connection.as_str()),
            "lastActivityTime" => moment(about.last_activity),
            "cloudToDeviceMessageCount" => number(about.command_count.into()),
            "authenticationType" => Value::text_of(about.authentication.as_str()),
            "modelId" => Value::text_of(about.model_id),
            "version" => number(self.twin.version()),
            "deviceScope" => optional(about.device_scope.as_deref()),
            "x509Thumbprint" => return Found::Made(Made::Thumbprints),
            "capabilities" => return Found::Made(Made::Capabilities),
            "parentScopes" if !about.parent_scopes.is_empty() => {
                return Found::Made(Made::ParentScopes);
            }
            _ => Value::Undefined,
        })
    }
}

/// What lies in `properties.desired` or `.reported`.
fn in_section<'a>(part: Part, section: &'a Section, steps: &[Step]) -> Found<'a> {
    let versions = if part == Part::Desired { Versions::Shown } else { Versions::Hidden };
    match steps {
        [] => Found::Made(Made::Part(part)),
        [Step::Key(key)] if &**key == "$version" => i64::try_from(section.version())
            .map_or(Found::Nothing, |n| Found::Plain(Value::Number(n.into()))),
        [Step::Key(key), below @ ..] if &**key == "$metadata" => {
            in_metadata(section.root(), versions, below)
        }
        steps => found_node(walk(section.root(), steps)),
    }
}

fn in_metadata<'a>(root: Node<'a>, versions: Versions, steps: &[Step]) -> Found<'a> {
    let (stamp, above) = match steps {
        [above @ .., Step::Key(key)] if key.starts_with('$') => (Some(&**key), above),
        _ => (None, steps),
    };
    if above.iter().any(|step| matches!(step, Step::Index(_))) {
        return Found::Nothing;
    }
    let Some(node) = walk(root, above) else { return Found::Nothing };
    match stamp {
        None => Found::Metadata(node, versions),
        Some("$lastUpdated") => Found::Plain(Value::Moment(Moment::at(node.stamp.at_ms).text())),
        Some("$lastUpdatedVersion") if versions == Versions::Shown => {
            let version = i64::try_from(node.stamp.version);
            version.map_or(Found::Nothing, |n| Found::Plain(Value::Number(n.into())))
        }
        Some(_) => Found::Nothing,
    }
}

pub(super) fn walk<'a>(root: Node<'a>, steps: &[Step]) -> Option<Node<'a>> {
    steps.iter().try_fold(root, |node, step| match step {
        Step::Key(key) => node.child(key),
        Step::Index(at) => node.element(*at as usize),
    })
}

pub(super) fn node_value(node: Node<'_>) -> Value<'_> {
    match node.kind {
        Kind::Null => Value::Null,
        Kind::False => Value::Bool(false),
        Kind::True => Value::Bool(true),
        Kind::Number => Value::number_of(node.text()),
        Kind::Text => Value::text_of(node.text()),
        Kind::List => Value::List,
        Kind::Object => Value::Object,
    }
}

fn found_node(node: Option<Node<'_>>) -> Found<'_> {
    node.map_or(Found::Nothing, Found::Node)
}
