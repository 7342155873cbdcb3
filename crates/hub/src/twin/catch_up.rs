//! What a device has missed of its desired properties (B1.8), from nothing but the twin: every
//! value knows the version that wrote it, and the section the last one that took something away.
//! Refuses to know how a device says what it last saw.

use super::bytes::text;
use super::change::Notification;
use super::node::{Kind, Node};
use super::state::Twin;
use crate::json::write_text;

impl Twin {
    /// What takes a device from the `$version` it saw to the present one: nothing if that is it,
    /// a patch if nothing was removed since, else the whole section as after a replacement. A
    /// version that is not there yet (an older state was restored) gets the whole section too.
    pub fn catch_up(&self, seen_version: u64) -> Option<Notification> {
        let desired = &self.desired;
        if seen_version == desired.version {
            return None;
        }
        let root = desired.root();
        let whole = seen_version < desired.removed_version || seen_version > desired.version;
        let since = if whole { 0 } else { seen_version };
        Some(Notification::of(desired.version, |out| match since {
            0 => root.write_members(out),
            since => write_since(&root, since, out),
        }))
    }
}

/// The members that were written after a version, with commas; how many.
fn write_since(object: &Node<'_>, since: u64, out: &mut Vec<u8>) -> usize {
    let mut count = 0;
    for (key, value) in object.raw_entries() {
        if value.stamp.version <= since {
            continue;
        }
        if count > 0 {
            out.push(b',');
        }
        count += 1;
        write_text(text(key).unwrap_or_default(), out);
        out.push(b':');
        if value.kind == Kind::Object {
            out.push(b'{');
            write_since(&value, since, out);
            out.push(b'}');
        } else {
            value.write_json(out);
        }
    }
    count
}
