//! Some messages on their way to an endpoint, and the forms that they have there. Refuses to know
//! how they get there.

use hub::channel::Envelope;
use std::sync::Arc;
use store::op::Sequence;

/// Messages in order, at least one.
#[derive(Clone)]
pub struct Batch {
    messages: Arc<[(Sequence, Vec<u8>)]>,
    hub: Arc<str>,
}

impl Batch {
    /// Of records of the channel of a hub; what cannot be read is left out.
    pub fn new(hub: Arc<str>, records: Vec<(Sequence, Vec<u8>)>) -> Self {
        let can_be_read = |record: &(Sequence, Vec<u8>)| Envelope::decode(&record.1).is_ok();
        Self { messages: records.into_iter().filter(can_be_read).collect(), hub }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// When the oldest was taken, wall milliseconds; 0 = there is none.
    pub fn oldest_ms(&self) -> u64 {
        let mut oldest_ms = 0;
        self.each(|_, envelope| {
            if oldest_ms == 0 {
                oldest_ms = envelope.head.enqueued_ms;
            }
        });
        oldest_ms
    }

    /// A JSON array of CloudEvents.
    pub fn cloud_events(&self) -> Vec<u8> {
        let mut out = vec![b'['];
        self.each(|id, envelope| {
            if out.len() > 1 {
                out.push(b',');
            }
            envelope.write_cloud_event(id, &self.hub, &mut out);
        });
        out.push(b']');
        out
    }

    /// Each as a CloudEvent, under its name.
    pub fn events(&self) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::with_capacity(self.len());
        self.each(|id, envelope| {
            let mut event = Vec::new();
            envelope.write_cloud_event(id, &self.hub, &mut event);
            all.push((id.to_owned(), event));
        });
        all
    }

    /// A line of JSON for each, as the cloud's storage has them.
    pub fn storage_lines(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.each(|id, envelope| {
            envelope.write_storage(id, &mut out);
            out.push(b'\n');
        });
        out
    }

    /// Shows each message under a name that it has whenever it comes.
    pub fn each(&self, mut show: impl FnMut(&str, &Envelope<'_>)) {
        for (Sequence(number), payload) in self.messages.iter() {
            if let Ok(envelope) = Envelope::decode(payload) {
                show(&format!("{}-{number}-{}", self.hub, envelope.head.enqueued_ms), &envelope);
            }
        }
    }

    /// The name of the hub.
    pub fn hub(&self) -> &str {
        &self.hub
    }
}

/// The media type of each of [`Batch::events`].
pub const CLOUD_EVENT: &str = "application/cloudevents+json";

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use hub::channel::Head;
    use hub::identity::Generation;
    use hub::registry::Ids;
    use hub::route::Source;
    use hub::telemetry::SystemName;
    use std::ops::Range;

    /// Messages with these numbers, as bodies and records.
    pub fn batch(numbers: Range<u64>) -> Batch {
        let head = Head {
            enqueued_ms: 1_600_000_000_000,
            ids: Ids { device: "d1", module: None },
            generation: Generation(7),
            source: Source::DeviceMessages,
            auth_method: None,
        };
        let record = |n| {
            let mut payload = Vec::new();
            let system = |show: &mut dyn FnMut(SystemName, &str)| {
                show(SystemName::ContentType, "application/json");
            };
            head.encode(system, [].into_iter(), &mut payload);
            payload.extend_from_slice(format!("{{\"n\":{n}}}").as_bytes());
            (Sequence(n), payload)
        };
        Batch::new("h".into(), numbers.map(record).collect())
    }

    #[test]
    fn a_batch_has_its_forms_and_leaves_out_what_cannot_be_read() {
        let two = batch(7..9);
        let events: serde_json::Value = serde_json::from_slice(&two.cloud_events()).unwrap();
        let ids: Vec<_> = events.as_array().unwrap().iter().map(|event| &event["id"]).collect();
        assert_eq!(ids, ["h-7-1600000000000", "h-8-1600000000000"]);
        let lines = String::from_utf8(two.storage_lines()).unwrap();
        assert!(lines.ends_with("\"Body\":{\"n\":8}}\n") && lines.lines().count() == 2, "{lines}");
        assert_eq!(two.oldest_ms(), 1_600_000_000_000);
        let bad = Batch::new("h".into(), vec![(Sequence(1), vec![9, 9])]);
        assert_eq!((bad.len(), bad.oldest_ms(), bad.cloud_events()), (0, 0, b"[]".to_vec()));
    }
}
