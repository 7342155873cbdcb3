//! `$metadata` of a section (B1.2): its shape with the stamps for values. Refuses to know the
//! document around it.

use super::node::{Kind, Node, Stamp};
use crate::Moment;
use crate::json::write_text;

/// Whether `$lastUpdatedVersion` is shown: in desired only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Versions {
    /// Desired.
    Shown,
    /// Reported.
    Hidden,
}

/// The metadata of an object; arrays are leaves, nulls (of a patch) have none.
pub fn write_metadata(node: &Node<'_>, versions: Versions, out: &mut Vec<u8>) {
    out.push(b'{');
    write_stamp(node.stamp, versions, out);
    if node.kind == Kind::Object {
        for (key, value) in node.entries().filter(|(_, value)| value.kind != Kind::Null) {
            out.push(b',');
            write_text(key, out);
            out.push(b':');
            write_metadata(&value, versions, out);
        }
    }
    out.push(b'}');
}

fn write_stamp(stamp: Stamp, versions: Versions, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"$lastUpdated\":\"");
    out.extend_from_slice(Moment::at(stamp.at_ms).text().as_str().as_bytes());
    out.push(b'"');
    if versions == Versions::Shown {
        out.extend_from_slice(b",\"$lastUpdatedVersion\":");
        out.extend_from_slice(stamp.version.to_string().as_bytes());
    }
}
