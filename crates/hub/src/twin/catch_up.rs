//! What a device has missed of its desired properties (B1.8), from nothing but the twin: every
//! value knows the version that wrote it, and the section the last one that took something away.
//! Refuses to know how a device says what it last saw.

use super::change::Notification;
use super::node::{Kind, Node};
use super::state::Twin;
use crate::bytes::text;
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

#[cfg(test)]
mod tests {
    use super::super::{Twin, patch, replace};
    use crate::IfMatch;

    #[test]
    fn devices_get_what_they_missed_and_no_more() {
        let wrote = |twin: &Twin, desired: &str| {
            let request = format!("{{\"properties\":{{\"desired\":{desired}}}}}");
            patch(twin, request.as_bytes(), &IfMatch::Any, 1).unwrap().twin
        };
        let missed = |twin: &Twin, seen| {
            let missed = twin.catch_up(seen).map(|n| String::from_utf8(n.payload).unwrap());
            missed.unwrap_or_else(|| "nothing".to_owned())
        };
        let twin = wrote(&Twin::new(0), r#"{"a":{"x":1,"y":2},"b":[1]}"#);
        let twin = wrote(&twin, r#"{"a":{"x":3}}"#);
        let twin = wrote(&twin, r#"{"c":1.0,"none":null}"#);
        // The version that was seen, of 4.
        for (seen, expected) in [
            (0, r#"{"a":{"x":3,"y":2},"b":[1],"c":1.0,"$version":4}"#),
            (1, r#"{"a":{"x":3,"y":2},"b":[1],"c":1.0,"$version":4}"#),
            (2, r#"{"a":{"x":3},"c":1.0,"$version":4}"#),
            (3, r#"{"c":1.0,"$version":4}"#),
            (4, "nothing"),
            (9, r#"{"a":{"x":3,"y":2},"b":[1],"c":1.0,"$version":4}"#),
        ] {
            assert_eq!(missed(&twin, seen), expected, "{seen}");
        }
        let removed = wrote(&wrote(&twin, r#"{"a":{"x":null}}"#), r#"{"d":true}"#);
        let whole = r#"{"a":{"y":2},"b":[1],"c":1.0,"d":true,"$version":6}"#;
        assert_eq!(missed(&removed, 4), whole);
        assert_eq!(missed(&removed, 5), r#"{"d":true,"$version":6}"#);
        let request = br#"{"properties":{"desired":{}}}"#;
        let emptied = replace(&removed, request, &IfMatch::Any, 1).unwrap().twin;
        assert_eq!(missed(&emptied, 6), r#"{"$version":7}"#);
    }
}
