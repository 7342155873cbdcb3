//! Send Telemetry (iot-hub A14.1): properties and payload of a PUBLISH to a message. Refuses to
//! know where the message goes.

use std::borrow::Cow;

use mqtt::wire::{Properties, Property};

use super::property::{self, APPLICATION, PropertyError};
use super::typed;
use crate::telemetry::{ApplicationProperties, Invalid, Message, SystemProperties};

/// Why a PUBLISH is no telemetry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoTelemetry {
    /// A property is not as it has to be.
    #[error(transparent)]
    Property(#[from] PropertyError),
    /// The message breaks a rule of B4.
    #[error(transparent)]
    Message(#[from] Invalid),
}

/// Reads the properties of a PUBLISH, or of a will, one pass, borrowing all texts.
///
/// # Errors
/// The first rule that is broken: 131 / `0100` ([`Mistake::BadTelemetry`](super::Mistake)).
pub fn telemetry<'p>(
    properties: Properties<'p>,
    payload: &'p [u8],
) -> Result<Message<'p>, NoTelemetry> {
    let mut content_type = None;
    let mut application = Vec::new();
    let user = properties.iter().filter_map(|property| match property {
        Property::User(name, value) => Some((name, value)),
        Property::ContentType(text) => {
            content_type = Some(text);
            None
        }
        _ => None,
    });
    let [content_encoding, message_id, user_id, correlation_id, creation_time] =
        property::read(user, NAMES, |name, value| match name.strip_prefix(APPLICATION) {
            Some(name) => {
                application.push((Cow::Borrowed(name), Cow::Borrowed(value)));
                Ok(())
            }
            None => Err(property::unknown(name)),
        })?;
    let creation_time =
        property::typed(NAMES[4], creation_time, A_CREATION_TIME, typed::creation_time)?;
    let system = SystemProperties {
        content_type: content_type.map(Cow::Borrowed),
        content_encoding: content_encoding.map(Cow::Borrowed),
        message_id: message_id.map(Cow::Borrowed),
        user_id: user_id.map(Cow::Borrowed),
        correlation_id: correlation_id.map(Cow::Borrowed),
        creation_time,
        ..SystemProperties::default()
    };
    let message =
        Message { body: payload, system, application: ApplicationProperties::of(application) };
    message.check()?;
    Ok(message)
}

const NAMES: [&str; 5] =
    ["content-encoding", "message-id", "user-id", "correlation-id", "creation-time"];
const A_CREATION_TIME: &str = "milliseconds since 1970 began, or ISO 8601 in UTC";

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::Moment;
    use crate::chance::Chance;

    /// A block of properties.
    pub fn block(all: &[Property<'_>]) -> Vec<u8> {
        let mut raw = Vec::new();
        all.iter().for_each(|property| property.encode(&mut raw).unwrap());
        raw
    }

    fn user<'a>(all: &[(&'a str, &'a str)]) -> Vec<u8> {
        let all: Vec<_> = all.iter().map(|(k, v)| Property::User(k, v)).collect();
        block(&all)
    }

    fn error(all: &[(&str, &str)]) -> String {
        let raw = user(all);
        telemetry(Properties::trusted(&raw), b"").unwrap_err().to_string()
    }

    #[test]
    fn all_that_a_device_can_say() {
        let raw = block(&[
            Property::PayloadFormat(1),
            Property::User("@b", "1"),
            Property::ContentType("application/json"),
            Property::User("message-id", "m1"),
            Property::User("user-id", "u1"),
            Property::User("correlation-id", "c1"),
            Property::User("content-encoding", "utf-8"),
            Property::User("creation-time", "1600987195320"),
            Property::User("@", "empty"),
            Property::User("@ No_Rules-ForUser-PROPERTIES", "é"),
            Property::User("@b", "2"),
            Property::CorrelationData(b"ignored"),
            Property::ResponseTopic("ignored"),
        ]);
        let message = telemetry(Properties::trusted(&raw), b"body").unwrap();
        assert_eq!(message.body, b"body");
        let system = SystemProperties {
            content_type: Some("application/json".into()),
            content_encoding: Some("utf-8".into()),
            message_id: Some("m1".into()),
            user_id: Some("u1".into()),
            correlation_id: Some("c1".into()),
            creation_time: Some(Moment::at(1_600_987_195_320)),
            ..SystemProperties::default()
        };
        assert_eq!(message.system, system);
        let application = [("b", "2"), ("", "empty"), (" No_Rules-ForUser-PROPERTIES", "é")];
        assert!(message.application.iter().eq(application));
        assert_eq!(telemetry(Properties::EMPTY, b""), Ok(Message::default()));
    }

    #[test]
    fn each_mistake_names_its_property() {
        for (all, text) in [
            (&[("foo", "1")][..], "property 'foo' is not defined"),
            (&[("Message-Id", "1")], "property 'Message-Id' is not defined"),
            (&[("", "1")], "property '' is not defined"),
            (&[("message-id", "1"), ("message-id", "1")], "property 'message-id' stands there tw"),
            (&[("creation-time", "2021-04-21T11:30:16-07:00")], "property 'creation-time' has to"),
            (&[("message-id", "a b")], "message-id has the character ' '"),
        ] {
            let error = error(all);
            assert!(error.starts_with(text), "{error}");
        }
        let body = vec![0; crate::telemetry::MESSAGE_BYTES_MAX + 1];
        assert!(matches!(
            telemetry(Properties::EMPTY, &body),
            Err(NoTelemetry::Message(Invalid::TooLarge { .. }))
        ));
    }

    #[test]
    fn any_properties_are_read_or_refused() {
        let mut chance = Chance::new(14);
        let names = ["@a", "@", "a", "message-id", "creation-time", "user-id", "@@", "\u{10ffff}"];
        let values = ["", "1", "-1", "2021-04-21T11:30:16Z", "é", "99999999999999999999"];
        let mut taken = 0;
        for _ in 0..500 {
            let all: Vec<_> = (0..chance.below(6))
                .map(|_| (chance.one_of(&names), chance.one_of(&values)))
                .collect();
            taken += usize::from(telemetry(Properties::trusted(&user(&all)), b"x").is_ok());
        }
        assert!(taken > 50);
    }
}
