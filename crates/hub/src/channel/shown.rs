//! A record of the channel as readers get it: one line of JSON (product.md 3). Refuses to know how
//! it is asked for.

use super::envelope::Envelope;
use crate::Moment;
use crate::json::{self, write_text};
use crate::telemetry::SystemName;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

impl Envelope<'_> {
    /// Appends the record as JSON without a line's end: names as in the hub's own events, the body
    /// as JSON where it says to be that in UTF-8 and is, else in base64.
    pub fn write_json(&self, partition: usize, offset: u64, out: &mut Vec<u8>) {
        let moment = Moment::at(self.head.enqueued_ms).text();
        // Of seven digits of the second three say something.
        let enqueued = moment.as_str().get(..MS_CHARS).unwrap_or_default();
        let start = format!(
            "{{\"partition\":{partition},\"offset\":{offset},\"enqueuedTime\":\"{enqueued}Z\""
        );
        out.extend_from_slice(start.as_bytes());
        out.extend_from_slice(b",\"source\":");
        write_text(self.head.source.stamp(), out);
        out.extend_from_slice(b",\"deviceId\":");
        write_text(self.head.ids.device, out);
        out.extend_from_slice(b",\"moduleId\":");
        match self.head.ids.module {
            Some(module) => write_text(module, out),
            None => out.extend_from_slice(b"null"),
        }
        out.extend_from_slice(b",\"systemProperties\":{");
        let mut first = true;
        self.each_system(|name, value| member(&mut first, name.dashed(), value, out));
        out.extend_from_slice(b"},\"properties\":{");
        self.write_properties(out);
        out.push(b'}');
        self.write_body(out);
        out.push(b'}');
    }

    /// Shows each system property, those that the hub has stamped last.
    pub fn each_system(&self, mut show: impl FnMut(SystemName, &str)) {
        let model_id = self.said(SystemName::ModelId);
        let said = self.system.iter().filter(|(name, _)| *name != SystemName::ModelId);
        said.for_each(|(name, value)| show(*name, value));
        self.head.stamp(model_id, show);
    }

    pub(super) fn write_properties(&self, out: &mut Vec<u8>) {
        let mut first = true;
        self.properties.iter().for_each(|(name, value)| member(&mut first, name, value, out));
    }

    fn write_body(&self, out: &mut Vec<u8>) {
        let value = self.json();
        let name = if value.is_some() { "body" } else { "bodyBase64" };
        out.extend_from_slice(format!(",\"{name}\":").as_bytes());
        self.write(value, out);
    }

    /// Appends the body: the JSON that it says to be and is, else a text of base64.
    pub(super) fn write_value(&self, out: &mut Vec<u8>) {
        self.write(self.json(), out);
    }

    fn write(&self, value: Option<json::Value<'_>>, out: &mut Vec<u8>) {
        match value {
            Some(value) => value.write(out),
            None => write_text(&BASE64_STANDARD.encode(self.body), out),
        }
    }

    fn json(&self) -> Option<json::Value<'_>> {
        if self.says_json() { json::parse(self.body, DEPTH_MAX).ok() } else { None }
    }

    fn says_json(&self) -> bool {
        let is = |name, wanted: &[&str]| {
            let said = self.said(name).map(|value| value.split(';').next().unwrap_or_default());
            said.map(|value| wanted.iter().any(|one| value.trim().eq_ignore_ascii_case(one)))
        };
        is(SystemName::ContentType, &["application/json"]) == Some(true)
            && is(SystemName::ContentEncoding, &["utf-8", "utf8"]) != Some(false)
    }
}

pub(super) fn member(first: &mut bool, name: &str, value: &str, out: &mut Vec<u8>) {
    if !std::mem::replace(first, false) {
        out.push(b',');
    }
    write_text(name, out);
    out.push(b':');
    write_text(value, out);
}

/// `2026-11-21T10:00:00.000`.
const MS_CHARS: usize = 23;
/// What is deeper is shown in base64.
const DEPTH_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::super::envelope::tests::of_device;
    use super::*;

    fn shown(envelope: &Envelope<'_>) -> String {
        let mut out = Vec::new();
        envelope.write_json(3, 17, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_record_is_one_line_of_the_contracts() {
        assert_eq!(
            shown(&of_device(None)),
            concat!(
                r#"{"partition":3,"offset":17,"enqueuedTime":"2020-09-13T12:26:40.000Z","#,
                r#""source":"Telemetry","deviceId":"d1","moduleId":null,"systemProperties":{"#,
                r#""content-type":"application/json","message-id":"m-1","#,
                r#""iothub-connection-device-id":"d1","iothub-connection-auth-generation-id":"7","#,
                r#""iothub-enqueuedtime":"2020-09-13T12:26:40.0000000Z","#,
                r#""iothub-message-source":"Telemetry"},"properties":{"a":"1","":"é"},"#,
                r#""body":{"t":21.5}}"#
            )
        );
        let module = shown(&of_device(Some("m")));
        for part in [
            r#""moduleId":"m""#,
            r#""iothub-connection-module-id":"m""#,
            r#""iothub-connection-auth-method":"{\"scope\":\"module\","#,
        ] {
            assert!(module.contains(part), "{module}");
        }
    }

    #[test]
    fn a_body_is_json_where_it_says_so_and_is() {
        for (content_type, encoding, body, expected) in [
            (Some("application/json"), None, &b"[1]"[..], r#","body":[1]}"#),
            (Some("Application/JSON; charset=utf-8"), None, b"1", r#","body":1}"#),
            (Some("application/json"), Some("UTF-8"), b"\"a\"", r#","body":"a"}"#),
            (Some("application/json"), Some("utf-16"), b"1", r#","bodyBase64":"MQ=="}"#),
            (Some("application/json"), None, b"{", r#","bodyBase64":"ew=="}"#),
            (Some("text/plain"), None, b"1", r#","bodyBase64":"MQ=="}"#),
            (None, None, b"", r#","bodyBase64":""}"#),
        ] {
            let mut envelope = of_device(None);
            envelope.system.clear();
            envelope.system.extend(content_type.map(|text| (SystemName::ContentType, text)));
            envelope.system.extend(encoding.map(|text| (SystemName::ContentEncoding, text)));
            envelope.body = body;
            let line = shown(&envelope);
            assert!(line.ends_with(expected), "{line}");
        }
    }
}
