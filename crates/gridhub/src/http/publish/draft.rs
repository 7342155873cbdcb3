//! One publish as a caller asked for it: syntax is checked, permission is not. Refuses to know
//! whether it came as a request or as a batch item.

use broker::limits::Limits;
use mqtt::qos::QoS;
use mqtt::topic::TopicName;
use node::door::{PublishRequest, RequestKey};

use crate::http::error::HttpError;

/// Everything of a PUBLISH but its payload.
#[derive(Debug, PartialEq, Eq)]
pub struct Draft {
    /// As the caller wrote it, decoded; may still be no topic at all.
    pub topic: String,
    pub flags: Flags,
    /// MQTT 5 property bytes without their length.
    pub properties: Vec<u8>,
}

/// What the fixed header of a PUBLISH says (MQTT 5, 3.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flags {
    pub qos: QoS,
    pub retain: Retain,
}

/// The RETAIN flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retain {
    Keep,
    No,
}

impl Draft {
    /// Largest payload in bytes (event-grid 2.5, 413).
    pub fn payload_bytes_max(&self, limits: &Limits) -> usize {
        match self.flags.retain {
            Retain::Keep => limits.http_retained_body_bytes_max.min(limits.retained_bytes_max),
            Retain::No => limits.http_body_bytes_max,
        }
    }

    /// What the door takes, watched by nobody.
    pub fn request(self, payload: Vec<u8>, key: Option<RequestKey>) -> PublishRequest {
        PublishRequest {
            topic: self.topic,
            qos: self.flags.qos,
            retain: self.flags.retain == Retain::Keep,
            properties: self.properties,
            payload,
            watch: None,
            key,
        }
    }
}

/// # Errors
/// 403: an invalid topic is forbidden, not bad (event-grid 2.5). Profile bounds and reserved
/// topics are the door's to refuse, with the same status.
pub fn check_topic(topic: &str) -> Result<(), HttpError> {
    TopicName::parse(topic).map(|_| ()).map_err(|e| {
        HttpError::forbidden(
            "InvalidTopic",
            format!("topic '{topic}': {}; name one topic to publish to", e.what()),
        )
    })
}
