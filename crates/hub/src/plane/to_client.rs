//! What the hub publishes to a client (iot-hub A14.2 to A14.6): topic and properties. Refuses to
//! know who hears it, its payload, and how a packet is sent.

use std::borrow::Cow;

use mqtt::error::TooLarge;
use mqtt::wire::Property;

use super::correlation::Correlation;
use super::status::Status;
use super::told::Told;
use super::topic::{METHODS, PREFIX};
use crate::Moment;
use crate::telemetry::Message;

/// One PUBLISH. All but commands are QoS 0; of a command, QoS is what its subscription was granted.
#[derive(Debug, Clone, Copy)]
pub enum ToClient<'a> {
    /// A command (A14.4).
    Command(Command<'a>),
    /// A method request (A14.5); the payload is its JSON or nothing.
    Method {
        /// What the response will carry.
        correlation: Correlation,
        /// A name by the rule of B3.
        name: &'a str,
    },
    /// A change of desired properties (A14.6); the payload is the patch.
    Desired {
        /// `$version` of desired after the change.
        version: u64,
    },
    /// A successful response: to Get Twin without a version and with the twin as payload (A14.2),
    /// to Patch Twin Reported with a version and without payload (A14.3).
    Success {
        /// Of the request.
        correlation: Correlation,
        /// `$version` of reported after the patch.
        version: Option<u64>,
    },
    /// A response that says why not, without payload (A13).
    Failure {
        /// Of the request.
        correlation: Correlation,
        /// What is told.
        told: Told<'a>,
    },
}

/// The numbers and the message of a command; the payload is the message's body.
#[derive(Debug, Clone, Copy)]
pub struct Command<'a> {
    /// Of this device's queue.
    pub sequence_no: u64,
    /// When the hub took it.
    pub enqueued: Moment,
    /// Deliveries before this one.
    pub delivery_count: u32,
    /// What the service sent. `to`, expiry and `ack` do not go to devices of this plane.
    pub message: &'a Message<'a>,
}

/// What becomes of a PUBLISH that is larger than the client's Maximum Packet Size: it is not sent
/// (A13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oversize {
    /// A response with this status goes in its place.
    Respond(Correlation, Status),
    /// The command stays in the queue, and no delivery is counted.
    LeaveQueued,
    /// Who invoked the method gets this.
    Invoker(Status),
    /// Nothing: the client will read its twin again.
    Skip,
}

impl ToClient<'_> {
    /// The topic name.
    pub fn topic(&self) -> Cow<'static, str> {
        match self {
            Self::Command(_) => Cow::Borrowed("$iothub/commands"),
            Self::Method { name, .. } => Cow::Owned([PREFIX, METHODS, name].concat()),
            Self::Desired { .. } => Cow::Borrowed("$iothub/twin/patch/desired"),
            Self::Success { .. } | Self::Failure { .. } => Cow::Borrowed("$iothub/responses"),
        }
    }

    /// Appends the properties, in the form of `PublishOut::properties`.
    ///
    /// # Errors
    /// When a text of a command is over 65,535 bytes; nothing is appended.
    pub fn put_properties(&self, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        let start = out.len();
        let done = self.each(&mut |property| property.encode(out));
        if done.is_err() {
            out.truncate(start);
        }
        done
    }

    /// What to do if it is too large for the client.
    pub fn oversize(&self) -> Oversize {
        match *self {
            Self::Command(_) => Oversize::LeaveQueued,
            Self::Method { .. } => Oversize::Invoker(Status::TARGET_UNAVAILABLE),
            Self::Desired { .. } => Oversize::Skip,
            Self::Success { correlation, .. } | Self::Failure { correlation, .. } => {
                Oversize::Respond(correlation, Status::SERVER_ERROR)
            }
        }
    }

    fn each(&self, put: Put<'_>) -> Result<(), TooLarge> {
        match self {
            Self::Command(command) => command.each(put),
            Self::Method { correlation, .. } => correlated(correlation, put),
            Self::Desired { version } => number("version", *version, put),
            Self::Success { correlation, version } => {
                correlated(correlation, put)?;
                version.map_or(Ok(()), |version| number("version", version, put))
            }
            Self::Failure { correlation, told } => {
                correlated(correlation, put)?;
                told.user()
                    .into_iter()
                    .try_for_each(|(name, value)| put(Property::User(name, value)))
            }
        }
    }
}

impl Command<'_> {
    fn each(&self, put: Put<'_>) -> Result<(), TooLarge> {
        let system = &self.message.system;
        if let Some(text) = &system.content_type {
            put(Property::ContentType(text))?;
        }
        number("sequence-no", self.sequence_no, put)?;
        number("enqueued-time", self.enqueued.unix_ms().unwrap_or_default(), put)?;
        number("delivery-count", self.delivery_count.into(), put)?;
        if let Some(made) = system.creation_time.and_then(Moment::unix_ms) {
            number("creation-time", made, put)?;
        }
        let texts = [
            ("message-id", &system.message_id),
            ("user-id", &system.user_id),
            ("correlation-id", &system.correlation_id),
            ("content-encoding", &system.content_encoding),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                put(Property::User(name, text))?;
            }
        }
        let mut marked = String::new();
        self.message.application.iter().try_for_each(|(name, value)| {
            marked.clear();
            marked.push(super::property::APPLICATION);
            marked.push_str(name);
            put(Property::User(&marked, value))
        })
    }
}

type Put<'p> = &'p mut dyn FnMut(Property<'_>) -> Result<(), TooLarge>;

fn correlated(correlation: &Correlation, put: Put<'_>) -> Result<(), TooLarge> {
    put(Property::CorrelationData(correlation.as_bytes()))
}

fn number(name: &str, number: u64, put: Put<'_>) -> Result<(), TooLarge> {
    put(Property::User(name, &number.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{ApplicationProperties, SystemProperties};
    use mqtt::wire::{Place, Properties};

    fn shown(publish: &ToClient<'_>) -> Vec<String> {
        let mut raw = Vec::new();
        publish.put_properties(&mut raw).unwrap();
        let properties = Properties::parse(&raw, Place::Publish).unwrap();
        properties
            .iter()
            .map(|property| match property {
                Property::User(name, value) => format!("{name}={value}"),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn commands_carry_the_list_and_no_more() {
        let message = Message {
            body: b"",
            system: SystemProperties {
                content_type: Some("text/plain".into()),
                content_encoding: Some("utf-8".into()),
                message_id: Some("m".into()),
                user_id: Some("u".into()),
                correlation_id: Some("c".into()),
                creation_time: Some(Moment::at(5)),
                expiry_time: Some(Moment::at(9)),
                to: Some("/devices/D1/messages/deviceBound".into()),
                ack: Some("full".into()),
                ..SystemProperties::default()
            },
            application: ApplicationProperties::of(vec![
                ("b".into(), "1".into()),
                ("".into(), "2".into()),
            ]),
        };
        let command = |message| {
            let (sequence_no, enqueued, delivery_count) = (7, Moment::at(6), 2);
            ToClient::Command(Command { sequence_no, enqueued, delivery_count, message })
        };
        let all = [
            "ContentType(\"text/plain\")",
            "sequence-no=7",
            "enqueued-time=6",
            "delivery-count=2",
            "creation-time=5",
            "message-id=m",
            "user-id=u",
            "correlation-id=c",
            "content-encoding=utf-8",
            "@b=1",
            "@=2",
        ];
        assert_eq!(shown(&command(&message)), all);
        let bare = Message::default();
        assert_eq!(shown(&command(&bare)), all[1..4]);
        assert_eq!(command(&bare).topic(), "$iothub/commands");
        assert_eq!(command(&bare).oversize(), Oversize::LeaveQueued);

        let mut long = Message::default();
        long.system.message_id = Some("x".repeat(65_536).into());
        let mut out = vec![1];
        assert!(command(&long).put_properties(&mut out).is_err());
        assert_eq!(out, [1]);
    }

    #[test]
    fn methods_notifications_and_responses() {
        let correlation = Correlation::of(Some(b"c")).unwrap();
        let c = "CorrelationData([99])";
        let told = Told::of(Status::BAD_REQUEST, "t", "w");
        let respond = Oversize::Respond(correlation, Status::SERVER_ERROR);
        let rows = [
            (
                ToClient::Method { correlation, name: "reboot" },
                "$iothub/methods/reboot",
                vec![c],
                Oversize::Invoker(Status::TARGET_UNAVAILABLE),
            ),
            (
                ToClient::Desired { version: 4 },
                "$iothub/twin/patch/desired",
                vec!["version=4"],
                Oversize::Skip,
            ),
            (
                ToClient::Success { correlation, version: None },
                "$iothub/responses",
                vec![c],
                respond,
            ),
            (
                ToClient::Success { correlation, version: Some(9) },
                "$iothub/responses",
                vec![c, "version=9"],
                respond,
            ),
            (
                ToClient::Failure { correlation, told },
                "$iothub/responses",
                vec![c, "status=0100", "reason=w"],
                respond,
            ),
        ];
        for (publish, topic, properties, oversize) in rows {
            assert_eq!(publish.topic(), topic);
            assert_eq!(shown(&publish), properties);
            assert_eq!(publish.oversize(), oversize);
        }
    }
}
