//! A publication of telemetry as a message (iot-hub D2 to D4). Refuses to know where it goes.

use mqtt::wire::{Publish, Will};

use super::bag::{self, BadBag};
use super::publication::{NoPublication, Publication};
use crate::identity::IdentityId;
use crate::telemetry::{Invalid, Message};

/// Why a publication is no message. The connection is closed (D4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoTelemetry {
    /// The topic of a will is none for telemetry.
    #[error(transparent)]
    Publication(#[from] NoPublication),
    /// The bag cannot be read.
    #[error(transparent)]
    Bag(#[from] BadBag),
    /// The message breaks a rule of B4.
    #[error(transparent)]
    Message(#[from] Invalid),
}

/// The message of a PUBLISH whose topic was [`Publication::Telemetry`] with this bag. RETAIN and
/// DUP become application properties (D4).
///
/// # Errors
/// The first rule that it breaks.
pub fn telemetry<'p>(bag: &'p str, publish: &Publish<'p>) -> Result<Message<'p>, NoTelemetry> {
    let mut message = read(bag, publish.payload)?;
    if publish.retain {
        message.application.set(RETAIN, "true");
    }
    if publish.dup {
        message.application.set(DUP, "true");
    }
    Ok(message)
}

/// The telemetry that a will is, marked as one (D1).
///
/// # Errors
/// The first rule that it breaks.
pub fn will<'w>(id: &IdentityId, will: &Will<'w>) -> Result<Message<'w>, NoTelemetry> {
    let Publication::Telemetry { bag } = Publication::of(id, will.topic)? else {
        return Err(NoPublication::Topic.into());
    };
    let mut message = read(bag, will.payload)?;
    if will.retain {
        message.application.set(RETAIN, "true");
    }
    message.mark_as_will();
    Ok(message)
}

fn read<'p>(bag: &'p str, body: &'p [u8]) -> Result<Message<'p>, NoTelemetry> {
    let (system, application) = bag::decode(bag)?;
    let message = Message { body, system, application };
    message.check()?;
    Ok(message)
}

const RETAIN: &str = "mqtt-retain";
const DUP: &str = "mqtt-dup";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::MESSAGE_BYTES_MAX;
    use mqtt::packet_id::PacketId;
    use mqtt::qos::QoS;
    use mqtt::wire::Properties;

    fn publish(payload: &[u8]) -> Publish<'_> {
        Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: false,
            topic: "",
            packet_id: PacketId::new(1),
            alias: 0,
            expiry: None,
            has_subscription_id: false,
            properties: Properties::EMPTY,
            payload,
            packet_id_at: 0,
        }
    }

    #[test]
    fn flags_become_properties() {
        let plain = publish(b"x");
        for (retain, dup, expected) in [
            (false, false, &[("a", "1")][..]),
            (true, false, &[("a", "1"), ("mqtt-retain", "true")]),
            (true, true, &[("a", "1"), ("mqtt-retain", "true"), ("mqtt-dup", "true")]),
        ] {
            let publish = Publish { retain, dup, ..plain };
            let message = telemetry("a=1&$.mid=m", &publish).unwrap();
            assert!(message.application.iter().eq(expected.iter().copied()));
            assert_eq!(
                (message.body, message.system.message_id.as_deref()),
                (&b"x"[..], Some("m"))
            );
        }
    }

    #[test]
    fn rules_of_messages_hold() {
        let body = vec![0; MESSAGE_BYTES_MAX - 2];
        assert!(telemetry("a=1", &publish(&body)).is_ok());
        let over = Invalid::TooLarge { bytes: MESSAGE_BYTES_MAX + 1 };
        assert_eq!(telemetry("a=12", &publish(&body)), Err(NoTelemetry::Message(over)));
        let bad = Invalid::IdCharacter { name: "message-id", c: '/' };
        assert_eq!(telemetry("$.mid=%2F", &publish(b"")), Err(NoTelemetry::Message(bad)));
        assert_eq!(telemetry("%", &publish(b"")), Err(NoTelemetry::Bag(BadBag::Encoding)));
    }

    #[test]
    fn wills_are_telemetry() {
        let id = IdentityId::parse("D1").unwrap();
        let good = Will {
            qos: QoS::AtMostOnce,
            retain: false,
            topic: "devices/D1/messages/events/a=1/",
            payload: b"gone",
            delay_s: 0,
            expiry: None,
            properties: Properties::EMPTY,
        };
        let message = will(&id, &good).unwrap();
        assert!(message.application.iter().eq([("a", "1"), ("iothub-MessageType", "Will")]));
        let retained = will(&id, &Will { retain: true, ..good }).unwrap();
        assert_eq!(retained.application.get("mqtt-retain"), Some("true"));
        for (topic, error) in [
            ("$iothub/twin/GET/?$rid=1", NoPublication::Topic),
            ("$iothub/telemetry", NoPublication::Topic),
            ("devices/D2/messages/events/", NoPublication::Outside),
            ("a", NoPublication::Outside),
        ] {
            let refused = will(&id, &Will { topic, ..good });
            assert_eq!(refused, Err(NoTelemetry::Publication(error)), "{topic}");
        }
    }
}
