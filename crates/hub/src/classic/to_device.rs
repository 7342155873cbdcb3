//! The topics on which the hub publishes to a device (iot-hub D2), in the forms that the parsers of
//! SDKs need: `$rid` first, behind exactly `/?`. Refuses to know payloads and who hears it.

use std::fmt::Write;

use mqtt::limits::TOPIC_BYTES_MAX;

use super::bag::encode_bag;
use crate::errors::ErrorCode;
use crate::identity::DeviceId;
use crate::telemetry::Message;
use crate::twin::Refused;

/// One PUBLISH. All but commands are QoS 0.
#[derive(Debug, Clone, Copy)]
pub enum ToDevice<'a> {
    /// A command; the payload is the message's body. PUBACK completes it.
    Command {
        /// Whose.
        device: &'a DeviceId,
        /// Its system properties, `to` and expiry included, are in the topic.
        message: &'a Message<'a>,
    },
    /// A method request; the payload is JSON or nothing.
    Method {
        /// A name by the rule of B3.
        name: &'a str,
        /// What the response will carry; written without encoding.
        rid: &'a str,
    },
    /// A response of the twin.
    TwinResponse {
        /// How it went.
        status: TwinStatus,
        /// Of the request, as it stood there.
        rid: &'a str,
        /// `$version` of reported after a patch.
        version: Option<u64>,
    },
    /// A change of desired properties; the payload is the patch with `$version`.
    Desired {
        /// `$version` of desired after the change.
        version: u64,
    },
}

/// The status of a twin's response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TwinStatus {
    /// 200: GET; the payload is the twin.
    Read,
    /// 204: PATCH; the version is in the topic and there is no payload.
    Patched,
    /// 400: the payload is a [`twin_error`](super::twin_error).
    Bad,
    /// 412: the base version differs.
    VersionDiffers,
    /// 429: too much in a short time.
    Throttled,
    /// 500: the hub has failed.
    Failed,
    /// 503: the hub has too much to do.
    Busy,
}

/// A topic with its properties is longer than topics can be: the message cannot go to a device of
/// MQTT 3.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the topic has {0} bytes with the properties, and may have 65535")]
pub struct TopicTooLong(pub usize);

impl TwinStatus {
    /// The number in the topic.
    pub const fn number(self) -> u16 {
        match self {
            Self::Read => 200,
            Self::Patched => 204,
            Self::Bad => 400,
            Self::VersionDiffers => 412,
            Self::Throttled => 429,
            Self::Failed => 500,
            Self::Busy => 503,
        }
    }
}

impl From<&Refused> for TwinStatus {
    fn from(refused: &Refused) -> Self {
        match refused.code() {
            ErrorCode::PreconditionFailed => Self::VersionDiffers,
            _ => Self::Bad,
        }
    }
}

impl ToDevice<'_> {
    /// The topic name.
    ///
    /// # Errors
    /// When it is too long.
    pub fn topic(&self) -> Result<String, TopicTooLong> {
        let topic = match self {
            Self::Command { device, message } => {
                let bag = encode_bag(&message.system, &message.application);
                ["devices/", device.as_str(), "/messages/devicebound/", &bag].concat()
            }
            Self::Method { name, rid } => ["$iothub/methods/POST/", name, "/?$rid=", rid].concat(),
            Self::TwinResponse { status, rid, version } => {
                let mut topic = format!("$iothub/twin/res/{}/?$rid={rid}", status.number());
                if let Some(version) = version {
                    // Writing into a String does not fail.
                    let _ = write!(topic, "&$version={version}");
                }
                topic
            }
            Self::Desired { version } => {
                format!("$iothub/twin/PATCH/properties/desired/?$version={version}")
            }
        };
        if topic.len() > TOPIC_BYTES_MAX { Err(TopicTooLong(topic.len())) } else { Ok(topic) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{ApplicationProperties, SystemProperties};

    #[test]
    fn every_topic_to_a_device() {
        let device = DeviceId::parse("D1").unwrap();
        let message = Message {
            system: SystemProperties {
                to: Some("/devices/D1/messages/deviceBound".into()),
                ..SystemProperties::default()
            },
            application: ApplicationProperties::of(vec![("k".into(), "a b".into())]),
            ..Message::default()
        };
        let bare = Message::default();
        let twin = |status, rid, version| ToDevice::TwinResponse { status, rid, version };
        for (publish, topic) in [
            (
                ToDevice::Command { device: &device, message: &message },
                "devices/D1/messages/devicebound/\
                 %24.to=%2Fdevices%2FD1%2Fmessages%2FdeviceBound&k=a%20b",
            ),
            (
                ToDevice::Command { device: &device, message: &bare },
                "devices/D1/messages/devicebound/",
            ),
            (
                ToDevice::Method { name: "reboot", rid: "1f" },
                "$iothub/methods/POST/reboot/?$rid=1f",
            ),
            (twin(TwinStatus::Read, "%41", None), "$iothub/twin/res/200/?$rid=%41"),
            (twin(TwinStatus::Patched, "1", Some(6)), "$iothub/twin/res/204/?$rid=1&$version=6"),
            (twin(TwinStatus::VersionDiffers, "1", None), "$iothub/twin/res/412/?$rid=1"),
            (ToDevice::Desired { version: 3 }, "$iothub/twin/PATCH/properties/desired/?$version=3"),
        ] {
            assert_eq!(publish.topic().as_deref(), Ok(topic));
        }
        let long = Message {
            application: ApplicationProperties::of(vec![("k".into(), " ".repeat(30_000).into())]),
            ..Message::default()
        };
        let refused = ToDevice::Command { device: &device, message: &long }.topic();
        assert!(matches!(refused, Err(TopicTooLong(bytes)) if bytes > 90_000));
    }

    #[test]
    fn refusals_of_twins_have_a_status() {
        let differs = Refused::VersionDiffers { version: 2 };
        assert_eq!(TwinStatus::from(&differs).number(), 412);
        assert_eq!(TwinStatus::from(&Refused::NotAnObject("request")).number(), 400);
        let rest = [TwinStatus::Throttled, TwinStatus::Failed, TwinStatus::Busy];
        assert_eq!(rest.map(TwinStatus::number), [429, 500, 503]);
    }
}
