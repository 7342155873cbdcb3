//! Documents of a twin as JSON: for services (B1.1), for the device (B1.3), and the body of the
//! event of a change (B6). Refuses to know who may read them.

use super::about::About;
use super::metadata::{Versions, write_metadata};
use super::node::Node;
use super::record::{Part, Record};
use super::section::Section;
use super::state::Twin;
use crate::identity::Edge;
use crate::json::write_text;

impl Twin {
    /// What the device reads: desired and reported with their versions, and nothing else (B1.3).
    pub fn write_for_device(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"desired\":");
        write_versioned(&self.desired, out);
        out.extend_from_slice(b",\"reported\":");
        write_versioned(&self.reported, out);
        out.push(b'}');
    }

    /// What a service reads (B1.1), without `configurations`, which we have none of.
    pub fn write_for_service(&self, about: &About<'_>, out: &mut Vec<u8>) {
        let mut fields = Fields { out, count: 0 };
        fields.out.push(b'{');
        fields.text("deviceId", about.device_id);
        fields.optional("moduleId", about.module_id);
        fields.text("etag", self.etag.twin_text().as_str());
        fields.text("deviceEtag", about.device_etag.identity_text().as_str());
        fields.text("status", about.status.as_str());
        fields.optional("statusReason", about.status_reason);
        fields.text("statusUpdateTime", about.status_updated.text().as_str());
        fields.text("connectionState", about.connection.as_str());
        fields.text("lastActivityTime", about.last_activity.text().as_str());
        fields.raw("cloudToDeviceMessageCount", about.command_count.to_string().as_bytes());
        fields.text("authenticationType", about.authentication.as_str());
        write_thumbprints(about, fields.value("x509Thumbprint"));
        fields.text("modelId", about.model_id);
        fields.raw("version", self.version.to_string().as_bytes());
        self.tags.root().write_json(fields.value("tags"));
        self.write_properties(fields.value("properties"));
        write_capabilities(about, fields.value("capabilities"));
        fields.optional("deviceScope", about.device_scope.as_deref());
        if !about.parent_scopes.is_empty() {
            write_texts(about.parent_scopes, fields.value("parentScopes"));
        }
        out.push(b'}');
    }

    /// The body of the event of an identity that is created or deleted (B6).
    pub fn write_lifecycle_event(&self, about: &About<'_>, out: &mut Vec<u8>) {
        let mut fields = Fields { out, count: 0 };
        fields.out.push(b'{');
        fields.text("deviceId", about.device_id);
        fields.optional("moduleId", about.module_id);
        fields.text("etag", self.etag.twin_text().as_str());
        fields.raw("version", self.version.to_string().as_bytes());
        self.write_properties(fields.value("properties"));
        out.push(b'}');
    }

    /// The body of the `updateTwin` event of a record, which this is the state after: the changed
    /// keys, with metadata and version of their sections. That of a replacement is the whole twin,
    /// as [`write_for_service`](Self::write_for_service) has it.
    pub fn write_update_event(&self, record: &Record, out: &mut Vec<u8>) {
        let mut fields = Fields { out, count: 0 };
        fields.out.push(b'{');
        fields.raw("version", record.version.to_string().as_bytes());
        if let Some(tags) = record.edit(Part::Tags) {
            tags.tree.root().write_json(fields.value("tags"));
        }
        let mut properties = Fields { out: fields.value("properties"), count: 0 };
        properties.out.push(b'{');
        for (part, section, versions) in [
            (Part::Desired, &self.desired, Versions::Shown),
            (Part::Reported, &self.reported, Versions::Hidden),
        ] {
            if let Some(edit) = record.edit(part) {
                let stamp = section.root().stamp;
                let changed = edit.tree.root().with_stamp(stamp);
                let out = properties.value(part.name());
                write_section(&changed, section.version, versions, out);
            }
        }
        out.extend_from_slice(b"}}");
    }

    /// `properties`: desired and reported, with metadata and versions.
    pub fn write_properties(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"desired\":");
        self.write_section(Part::Desired, out);
        out.extend_from_slice(b",\"reported\":");
        self.write_section(Part::Reported, out);
        out.push(b'}');
    }

    /// One part as services see it.
    pub fn write_section(&self, part: Part, out: &mut Vec<u8>) {
        let (section, versions) = match part {
            Part::Tags => return self.tags.root().write_json(out),
            Part::Desired => (&self.desired, Versions::Shown),
            Part::Reported => (&self.reported, Versions::Hidden),
        };
        write_section(&section.root(), section.version, versions, out);
    }
}

/// `x509Thumbprint`.
pub(crate) fn write_thumbprints(about: &About<'_>, out: &mut Vec<u8>) {
    let thumbprints = [
        ("{\"primaryThumbprint\":", about.primary_thumbprint),
        (",\"secondaryThumbprint\":", about.secondary_thumbprint),
    ];
    for (key, thumbprint) in thumbprints {
        out.extend_from_slice(key.as_bytes());
        match thumbprint {
            Some(thumbprint) => write_text(thumbprint, out),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b'}');
}

/// `capabilities`.
pub(crate) fn write_capabilities(about: &About<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(match about.edge {
        Edge::Yes => b"{\"iotEdge\":true}".as_slice(),
        Edge::No => b"{\"iotEdge\":false}",
    });
}

/// `parentScopes`.
pub(crate) fn write_texts(texts: &[Box<str>], out: &mut Vec<u8>) {
    out.push(b'[');
    for (n, text) in texts.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        write_text(text, out);
    }
    out.push(b']');
}

fn write_versioned(section: &Section, out: &mut Vec<u8>) {
    out.push(b'{');
    if section.root().write_members(out) > 0 {
        out.push(b',');
    }
    write_version(section.version, out);
}

fn write_section(root: &Node<'_>, version: u64, versions: Versions, out: &mut Vec<u8>) {
    out.push(b'{');
    if root.write_members(out) > 0 {
        out.push(b',');
    }
    out.extend_from_slice(b"\"$metadata\":");
    write_metadata(root, versions, out);
    out.push(b',');
    write_version(version, out);
}

fn write_version(version: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\"$version\":");
    out.extend_from_slice(version.to_string().as_bytes());
    out.push(b'}');
}

/// The fields of an object in the making.
struct Fields<'o> {
    out: &'o mut Vec<u8>,
    count: usize,
}

impl Fields<'_> {
    /// The place for the value of a field.
    fn value(&mut self, key: &str) -> &mut Vec<u8> {
        if self.count > 0 {
            self.out.push(b',');
        }
        self.count += 1;
        write_text(key, self.out);
        self.out.push(b':');
        self.out
    }

    fn raw(&mut self, key: &str, value: &[u8]) {
        self.value(key).extend_from_slice(value);
    }

    fn text(&mut self, key: &str, text: &str) {
        write_text(text, self.value(key));
    }

    fn optional(&mut self, key: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(key, text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Change, IfVersion, patch, patch_reported};
    use super::*;
    use crate::{Etag, IfMatch, Moment};

    const BORN: u64 = 1_600_000_000_000;
    const LATER: u64 = BORN + 3_600_000;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    fn twin() -> Twin {
        let request = br#"{"tags":{"t":[]},"properties":{"desired":{"a":{"b":1},"c":[{"d":2}]}}}"#;
        let twin = patch(&Twin::new(BORN), request, &IfMatch::Any, BORN).unwrap().twin;
        patch_reported(&twin, br#"{"r":1.0}"#, IfVersion::Any, LATER).unwrap().twin
    }

    #[test]
    fn the_device_reads_two_sections_and_their_versions() {
        let empty = text(|out| Twin::new(BORN).write_for_device(out));
        assert_eq!(empty, r#"{"desired":{"$version":1},"reported":{"$version":1}}"#);
        let expected = concat!(
            r#"{"desired":{"a":{"b":1},"c":[{"d":2}],"$version":2},"#,
            r#""reported":{"r":1.0,"$version":2}}"#
        );
        assert_eq!(text(|out| twin().write_for_device(out)), expected);
    }

    #[test]
    fn removing_leaves_its_trace_on_the_parents() {
        // B1.2: every object and leaf has its stamp, arrays are leaves, desired has versions.
        let request = br#"{"properties":{"desired":{"a":{"b":null}}}}"#;
        let after = patch(&twin(), request, &IfMatch::Any, LATER).unwrap().twin;
        let (born, later) = ("2020-09-13T12:26:40.0000000Z", "2020-09-13T13:26:40.0000000Z");
        let stamp = |at, n| format!(r#""$lastUpdated":"{at}","$lastUpdatedVersion":{n}"#);
        let desired = format!(
            r#"{{"a":{{}},"c":[{{"d":2}}],"$metadata":{{{},"a":{{{}}},"c":{{{}}}}},"$version":3}}"#,
            stamp(later, 3),
            stamp(later, 3),
            stamp(born, 2),
        );
        assert_eq!(text(|out| after.write_section(Part::Desired, out)), desired);
        let reported = format!(
            "{{\"r\":1.0,\"$metadata\":{{{later},\"r\":{{{later}}}}},\"$version\":2}}",
            later = format!("\"$lastUpdated\":\"{later}\"")
        );
        assert_eq!(text(|out| after.write_section(Part::Reported, out)), reported);
    }

    #[test]
    fn services_read_the_identity_too() {
        let scopes = ["s1".into(), "s\"2".into()];
        let about = About {
            device_id: "d1",
            module_id: Some("m1"),
            device_etag: Etag(1),
            status_reason: Some("why"),
            last_activity: Moment::at(BORN),
            primary_thumbprint: Some("AB"),
            device_scope: Some("scope".into()),
            parent_scopes: &scopes,
            ..About::default()
        };
        let expected = concat!(
            r#"{"deviceId":"d1","moduleId":"m1","etag":"AAAAAAAAAAE=","deviceEtag":"MQ==","#,
            r#""status":"enabled","statusReason":"why","statusUpdateTime":"0001-01-01T00:00:00Z","#,
            r#""connectionState":"Disconnected","#,
            r#""lastActivityTime":"2020-09-13T12:26:40.0000000Z","#,
            r#""cloudToDeviceMessageCount":0,"authenticationType":"sas","#,
            r#""x509Thumbprint":{"primaryThumbprint":"AB","secondaryThumbprint":null},"#,
            r#""modelId":"","version":2,"tags":{},"properties":{"desired":{"$metadata":"#,
            r#"{"$lastUpdated":"2020-09-13T12:26:40.0000000Z","$lastUpdatedVersion":1},"#,
            r#""$version":1},"reported":{"$metadata":{"$lastUpdated":"#,
            r#""2020-09-13T12:26:40.0000000Z"},"$version":1}},"capabilities":{"iotEdge":false},"#,
            r#""deviceScope":"scope","parentScopes":["s1","s\"2"]}"#,
        );
        let found = text(|out| Twin::new(BORN).write_for_service(&about, out));
        assert_eq!(found, expected);
    }

    #[test]
    fn events_show_what_changed() {
        let request = br#"{"tags":{"t":null},"properties":{"desired":{"a":{"b":null}}}}"#;
        let change = patch(&twin(), request, &IfMatch::Any, LATER).unwrap();
        let Change { twin, record: Some(record) } = change else { panic!("a write") };
        let stamp = r#""$lastUpdated":"2020-09-13T13:26:40.0000000Z","$lastUpdatedVersion":3"#;
        let expected = format!(
            concat!(
                r#"{{"version":5,"tags":{{"t":null}},"properties":{{"desired":{{"a":{{"b":null}},"#,
                r#""$metadata":{{{stamp},"a":{{{stamp}}}}},"$version":3}}}}}}"#
            ),
            stamp = stamp
        );
        assert_eq!(text(|out| twin.write_update_event(&record, out)), expected);
        let about = About { device_id: "d", module_id: Some("m"), ..About::default() };
        let expected = concat!(
            r#"{"deviceId":"d","moduleId":"m","etag":"AAAAAAAAAAE=","version":2,"#,
            r#""properties":{"desired":{"$metadata":{"$lastUpdated":"#
        );
        let born = text(|out| Twin::new(BORN).write_lifecycle_event(&about, out));
        assert!(born.starts_with(expected) && born.ends_with(r#""$version":1}}}"#), "{born}");
    }
}
