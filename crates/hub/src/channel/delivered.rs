//! A message as endpoints of the hub's own get it: a line of a file as the cloud's storage has it
//! (iot-hub B4), or a CloudEvent as its Event Grid does. Refuses to know how it gets there.

use super::envelope::Envelope;
use super::shown::member;
use crate::Moment;
use crate::json::write_text;
use crate::registry::Ids;
use crate::route::Source;
use crate::telemetry::SystemName;

impl Envelope<'_> {
    /// Appends the record of a file of storage, without a line's end. `id` is the same whenever the
    /// message comes.
    pub fn write_storage(&self, id: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"Id\":");
        write_text(id, out);
        out.extend_from_slice(b",\"EnqueuedTimeUtc\":");
        write_text(Moment::at(self.head.enqueued_ms).text().as_str(), out);
        out.extend_from_slice(b",\"Properties\":{");
        self.write_properties(out);
        out.extend_from_slice(b"},\"SystemProperties\":{");
        let mut first = true;
        self.each_system(|name, value| member(&mut first, name.camel(), value, out));
        out.extend_from_slice(b"},\"Body\":");
        self.write_value(out);
        out.push(b'}');
    }

    /// Appends a CloudEvent 1.0 of the hub `hub`. `id` as above: with `source` it names the event.
    pub fn write_cloud_event(&self, id: &str, hub: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"specversion\":\"1.0\",\"id\":");
        write_text(id, out);
        out.extend_from_slice(b",\"source\":");
        write_text(&format!("/hubs/{hub}"), out);
        out.extend_from_slice(b",\"type\":");
        write_text(&kind(self.head.source), out);
        out.extend_from_slice(b",\"subject\":");
        write_text(&subject(self.head.ids), out);
        out.extend_from_slice(b",\"time\":");
        write_text(Moment::at(self.head.enqueued_ms).text().as_str(), out);
        out.extend_from_slice(b",\"datacontenttype\":\"application/json\",\"data\":{");
        out.extend_from_slice(b"\"properties\":{");
        self.write_properties(out);
        out.extend_from_slice(b"},\"systemProperties\":{");
        let mut first = true;
        self.each_system(|name, value| match name {
            SystemName::ContentType => member(&mut first, "iothub-content-type", value, out),
            SystemName::ContentEncoding => {
                member(&mut first, "iothub-content-encoding", value, out);
            }
            _ => member(&mut first, name.dashed(), value, out),
        });
        out.extend_from_slice(b"},\"body\":");
        self.write_value(out);
        out.extend_from_slice(b"}}");
    }
}

/// Of the cloud's types only telemetry has this form of `data`; the others are ours.
fn kind(source: Source) -> String {
    match source {
        Source::DeviceMessages => "Microsoft.Devices.DeviceTelemetry".to_owned(),
        other => format!("Gridhub.Devices.{}", other.as_str()),
    }
}

fn subject(Ids { device, module }: Ids<'_>) -> String {
    match module {
        Some(module) => format!("devices/{device}/modules/{module}"),
        None => format!("devices/{device}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::envelope::tests::of_device;
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_of_a_file_is_as_the_cloud_writes_it() {
        let line = text(|out| of_device(None).write_storage("i", out));
        assert_eq!(
            line,
            concat!(
                r#"{"Id":"i","EnqueuedTimeUtc":"2020-09-13T12:26:40.0000000Z","#,
                r#""Properties":{"a":"1","":"é"},"SystemProperties":{"#,
                r#""contentType":"application/json","messageId":"m-1","#,
                r#""connectionDeviceId":"d1","connectionDeviceGenerationId":"7","#,
                r#""enqueuedTime":"2020-09-13T12:26:40.0000000Z","messageSource":"Telemetry"},"#,
                r#""Body":{"t":21.5}}"#
            )
        );
        let mut other = of_device(None);
        (other.system, other.body) = (vec![(SystemName::ContentType, "text/plain")], b"\xff\n");
        let line = text(|out| other.write_storage("i", out));
        assert!(line.ends_with(r#""Body":"/wo="}"#), "{line}");
        assert!(!line.contains('\n'));
    }

    #[test]
    fn a_cloud_event_says_who_and_what() {
        let event = text(|out| of_device(Some("m")).write_cloud_event("i", "h", out));
        for part in [
            r#"{"specversion":"1.0","id":"i","source":"/hubs/h","#,
            r#""type":"Microsoft.Devices.DeviceTelemetry","subject":"devices/d1/modules/m","#,
            r#""time":"2020-09-13T12:26:40.0000000Z","datacontenttype":"application/json","#,
            r#""data":{"properties":{"a":"1","":"é"},"systemProperties":{"#,
            r#""iothub-content-type":"application/json","message-id":"m-1","#,
            r#""body":{"t":21.5}}}"#,
        ] {
            assert!(event.contains(part), "{part}: {event}");
        }
        let mut twin = of_device(None);
        twin.head.source = Source::TwinChangeEvents;
        let event = text(|out| twin.write_cloud_event("i", "h", out));
        assert!(event.contains(r#""type":"Gridhub.Devices.TwinChangeEvents","#), "{event}");
    }
}
