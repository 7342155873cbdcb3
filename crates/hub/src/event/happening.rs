//! What happens to identities and twins, as events (iot-hub B6). Refuses to know who hears of it.

use super::connection_sequence::ConnectionSequence;
use super::record::Event;
use crate::Moment;
use crate::identity::{Generation, IdentityId, ModuleId};
use crate::route::Source;
use crate::telemetry::{Stamp, SystemName};
use crate::twin::{About, Mode, Record, Twin};

/// What every event says.
#[derive(Debug, Clone, Copy)]
pub struct Origin<'o> {
    /// The hub's name: `hubName`, and the user of its messages.
    pub hub_name: &'o str,
    /// To whom it happened.
    pub id: &'o IdentityId,
    /// Which life of that id.
    pub generation: Generation,
    /// Unique: random.
    pub correlation_id: &'o str,
    /// When it happened, wall milliseconds.
    pub at_ms: u64,
    /// When the event is made, wall milliseconds.
    pub now_ms: u64,
}

/// What becomes of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// It is new.
    Created,
    /// It is gone.
    Deleted,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It is there.
    Connected,
    /// It is gone.
    Disconnected,
}

impl Origin<'_> {
    /// A record has been applied, and `twin` is the state after it: `updateTwin` with what has
    /// changed, or, where a part was replaced, `replaceTwin` with all of it.
    pub fn twin_changed(&self, twin: &Twin, about: &About<'_>, record: &Record) -> Event {
        let mut body = Vec::new();
        let is_replaced = record.edits.iter().any(|edit| edit.mode == Mode::Replace);
        let operation = match is_replaced {
            true => {
                twin.write_for_service(about, &mut body);
                "replaceTwin"
            }
            false => {
                twin.write_update_event(record, &mut body);
                "updateTwin"
            }
        };
        self.event(Source::TwinChangeEvents, "twinChangeNotification", operation, body)
    }

    /// An identity was created or deleted; `twin`: its first or last.
    pub fn lifecycle(&self, what: Lifecycle, twin: &Twin, about: &About<'_>) -> Event {
        let mut body = Vec::new();
        twin.write_lifecycle_event(about, &mut body);
        let operation = match what {
            Lifecycle::Created => "createDeviceIdentity",
            Lifecycle::Deleted => "deleteDeviceIdentity",
        };
        self.event(Source::DeviceLifecycleEvents, "deviceLifecycleNotification", operation, body)
    }

    /// A device or module has connected or disconnected.
    pub fn connection(&self, what: Link, sequence: ConnectionSequence) -> Event {
        let body = format!("{{\"sequenceNumber\":\"{sequence}\"}}").into_bytes();
        let operation = match what {
            Link::Connected => "deviceConnected",
            Link::Disconnected => "deviceDisconnected",
        };
        let schema = "deviceConnectionStateNotification";
        self.event(Source::DeviceConnectionStateEvents, schema, operation, body)
    }

    fn event(&self, source: Source, schema: &str, operation: &str, body: Vec<u8>) -> Event {
        let (device, module) = (&self.id.device, self.id.module.as_ref());
        let mut system: Vec<(SystemName, Box<str>)> = [
            (SystemName::ContentType, "application/json"),
            (SystemName::ContentEncoding, "utf-8"),
            (SystemName::CorrelationId, self.correlation_id),
            (SystemName::UserId, self.hub_name),
        ]
        .map(|(name, value)| (name, value.into()))
        .into();
        let stamp = Stamp {
            sender: self.id,
            generation: self.generation,
            auth_method: None,
            enqueued: Moment::at(self.now_ms),
            source: source.stamp(),
            model_id: None,
        };
        stamp.each(|name, value| system.push((name, value.into())));
        let happened = Moment::at(self.at_ms).text();
        let properties = [
            ("hubName", Some(self.hub_name)),
            ("deviceId", Some(device.as_str())),
            ("moduleId", module.map(ModuleId::as_str)),
            ("operationTimestamp", Some(happened.as_str())),
            ("opType", Some(operation)),
            ("iothub-message-schema", Some(schema)),
        ];
        let properties = properties.into_iter();
        let properties =
            properties.filter_map(|(name, value)| value.map(|value| (name, value.into())));
        Event { source, system, properties: properties.collect(), body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::IfMatch;
    use crate::query::{Body, Message};
    use crate::route::{Routing, Switch, Wanted, WantedRoute};
    use crate::twin::{Change, IfVersion, patch, patch_reported, replace};

    const NOW: u64 = 1_600_000_000_000;

    fn origin(id: &IdentityId) -> Origin<'_> {
        let generation = Generation(7);
        let (hub_name, correlation_id) = ("hub1", "c-1");
        Origin { hub_name, id, generation, correlation_id, at_ms: NOW, now_ms: NOW + 1 }
    }

    fn about() -> About<'static> {
        About { device_id: "d1", ..About::default() }
    }

    fn text(event: &Event) -> String {
        String::from_utf8(event.body.clone()).unwrap()
    }

    fn operation(event: &Event) -> [&str; 3] {
        let property = |name| {
            event.properties.iter().find(|(other, _)| *other == name).map_or("", |(_, v)| &**v)
        };
        [event.source.stamp(), property("iothub-message-schema"), property("opType")]
    }

    fn changed(change: Change) -> (Twin, Record) {
        (change.twin, change.record.unwrap())
    }

    #[test]
    fn every_event_says_whose_it_is() {
        for (client_id, module) in [("d1", None), ("d1/m1", Some("m1"))] {
            let id = IdentityId::parse(client_id).unwrap();
            let sequence = ConnectionSequence::default().next(NOW);
            let event = origin(&id).connection(Link::Connected, sequence);
            let system = event.system.iter().map(|(name, value)| (name.dashed(), &**value));
            let module_id = module.map(|module| ("iothub-connection-module-id", module));
            let expected: Vec<(&str, &str)> = [
                Some(("content-type", "application/json")),
                Some(("content-encoding", "utf-8")),
                Some(("correlation-id", "c-1")),
                Some(("user-id", "hub1")),
                Some(("iothub-connection-device-id", "d1")),
                module_id,
                Some(("iothub-connection-auth-generation-id", "7")),
                Some(("iothub-enqueuedtime", "2020-09-13T12:26:40.0010000Z")),
                Some(("iothub-message-source", "deviceConnectionStateEvents")),
            ]
            .into_iter()
            .flatten()
            .collect();
            assert_eq!(system.collect::<Vec<_>>(), expected);
            let expected: Vec<(&str, &str)> = [
                Some(("hubName", "hub1")),
                Some(("deviceId", "d1")),
                module.map(|module| ("moduleId", module)),
                Some(("operationTimestamp", "2020-09-13T12:26:40.0000000Z")),
                Some(("opType", "deviceConnected")),
                Some(("iothub-message-schema", "deviceConnectionStateNotification")),
            ]
            .into_iter()
            .flatten()
            .collect();
            assert_eq!(event.property_view(), expected);
            let body = format!("{{\"sequenceNumber\":\"{sequence}\"}}");
            assert_eq!((text(&event), event.body.len()), (body, 85));
            let values: usize = event.system_view().iter().map(|(_, value)| value.len()).sum();
            let own: usize = expected.iter().map(|(name, value)| name.len() + value.len()).sum();
            assert_eq!(event.bytes(), 85 + values + own);
        }
    }

    #[test]
    fn events_have_the_names_of_the_table() {
        let id = IdentityId::parse("d1").unwrap();
        let origin = origin(&id);
        let new = Twin::new(NOW);
        let request = br#"{"tags":{"a":1},"properties":{"desired":{"b":2}}}"#;
        let (twin, record) = changed(patch(&new, request, &IfMatch::Any, NOW).unwrap());
        let update = origin.twin_changed(&twin, &about(), &record);
        let update_names = ["twinChangeEvents", "twinChangeNotification", "updateTwin"];
        assert_eq!(operation(&update), update_names);
        let begin = r#"{"version":3,"tags":{"a":1},"properties":{"desired":{"b":2,"$metadata":"#;
        assert!(text(&update).starts_with(begin), "{}", text(&update));
        let (twin, record) = changed(replace(&twin, request, &IfMatch::Any, NOW).unwrap());
        let replaced = origin.twin_changed(&twin, &about(), &record);
        let names = ["twinChangeEvents", "twinChangeNotification", "replaceTwin"];
        assert_eq!(operation(&replaced), names);
        let begin = r#"{"deviceId":"d1","etag":"AAAAAAAAAAM=","#;
        assert!(text(&replaced).starts_with(begin), "{}", text(&replaced));
        let reported = patch_reported(&twin, br#"{"r":1}"#, IfVersion::Any, NOW).unwrap();
        let (twin, record) = changed(reported);
        let reported = origin.twin_changed(&twin, &about(), &record);
        assert_eq!(operation(&reported), update_names);
        let begin = r#"{"version":5,"properties":{"reported":{"r":1,"$metadata":"#;
        assert!(text(&reported).starts_with(begin), "{}", text(&reported));
        for (what, operation_type) in [
            (Lifecycle::Created, "createDeviceIdentity"),
            (Lifecycle::Deleted, "deleteDeviceIdentity"),
        ] {
            let event = origin.lifecycle(what, &new, &about());
            let names = ["deviceLifecycleEvents", "deviceLifecycleNotification", operation_type];
            assert_eq!(operation(&event), names);
            let begin = r#"{"deviceId":"d1","etag":"AAAAAAAAAAE=","version":2,"properties":{"#;
            assert!(text(&event).starts_with(begin), "{}", text(&event));
        }
        let event = origin.connection(Link::Disconnected, ConnectionSequence::default());
        assert_eq!(operation(&event)[2], "deviceDisconnected");
    }

    #[test]
    fn routes_look_into_events_as_into_messages() {
        let id = IdentityId::parse("d1").unwrap();
        let request = br#"{"tags":{"a":1}}"#;
        let (twin, record) = changed(patch(&Twin::new(0), request, &IfMatch::Any, NOW).unwrap());
        let event = origin(&id).twin_changed(&twin, &about(), &record);
        let condition = "opType = 'updateTwin' AND $connectionDeviceId = 'd1' AND $body.tags.a = 1";
        let (name, source, endpoint) = ("r", "TwinChangeEvents", "events");
        let route = WantedRoute { name, source, condition, endpoint, state: Switch::Enabled };
        let routing = Routing::of(&Wanted { routes: &[route], ..Wanted::default() }).unwrap();
        let body = Body::of(&event.body, Some("application/json"), Some("utf-8")).unwrap();
        let (properties, system) = (event.property_view(), event.system_view());
        let body = body.value();
        let message = Message {
            properties: &properties,
            system: &system,
            body: body.as_ref(),
            twin: Some(&twin),
        };
        assert!(!routing.targets(event.source, &message).is_empty());
        let other = Message { body: None, ..message };
        assert!(routing.targets(event.source, &other).is_empty());
    }
}
