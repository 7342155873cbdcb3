//! An owned copy of a PUBLISH's content in one allocation. It refuses to know who sent it, who
//! hears it and when it came.

use crate::limits::TOPIC_BYTES_MAX;
use crate::qos::QoS;
use crate::wire::property::Properties;

/// Topic, forwardable properties and payload of one application message. 32 bytes plus one heap
/// block that holds all three.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    bytes: Box<[u8]>,
    properties_len: u32,
    /// Offset of the Message Expiry value inside the properties; `NO_EXPIRY` without one.
    expiry_at: u32,
    topic_len: u16,
    qos: QoS,
    retain: bool,
}

impl Message {
    /// Copies. `properties` are raw and forwardable: a validated PUBLISH property block without
    /// its length, topic alias and subscription identifiers (`wire::forward`).
    ///
    /// # Panics
    /// When the topic is longer than 65,535 bytes or the properties than 256 MiB: neither can have
    /// come through a decoder or a `TopicName`.
    pub fn new(topic: &str, properties: &[u8], payload: &[u8], qos: QoS, retain: bool) -> Self {
        assert!(topic.len() <= TOPIC_BYTES_MAX, "a topic name was parsed before");
        let properties_len =
            u32::try_from(properties.len()).expect("a property block fits a packet");
        let expiry_at = Properties::trusted(properties).expiry_at();
        let mut bytes = Vec::with_capacity(topic.len() + properties.len() + payload.len());
        bytes.extend_from_slice(topic.as_bytes());
        bytes.extend_from_slice(properties);
        bytes.extend_from_slice(payload);
        Self {
            bytes: bytes.into_boxed_slice(),
            properties_len,
            expiry_at: expiry_at.map_or(NO_EXPIRY, |at| at as u32),
            topic_len: topic.len() as u16,
            qos,
            retain,
        }
    }

    /// The topic name.
    pub fn topic(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.topic_len)])
            .expect("copied from a str by new")
    }

    /// The topic name as bytes, without the check that `topic` repeats.
    #[inline]
    pub fn topic_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.topic_len)]
    }

    /// The raw forwardable properties.
    #[inline]
    pub fn properties(&self) -> &[u8] {
        let start = usize::from(self.topic_len);
        &self.bytes[start..start + self.properties_len as usize]
    }

    /// The payload.
    #[inline]
    pub fn payload(&self) -> &[u8] {
        &self.bytes[usize::from(self.topic_len) + self.properties_len as usize..]
    }

    /// The level it was published with.
    #[inline]
    pub fn qos(&self) -> QoS {
        self.qos
    }

    /// The RETAIN flag it was published with.
    #[inline]
    pub fn retain(&self) -> bool {
        self.retain
    }

    /// Message Expiry Interval in seconds, as received (MQTT 5, 3.3.2.3.3).
    pub fn expiry_s(&self) -> Option<u32> {
        let value = self.properties().get(self.expiry_at()?..)?.first_chunk()?;
        Some(u32::from_be_bytes(*value))
    }

    /// Offset of the Message Expiry value inside `properties()`, for `PublishOut::expiry`.
    #[inline]
    pub fn expiry_at(&self) -> Option<usize> {
        (self.expiry_at != NO_EXPIRY).then_some(self.expiry_at as usize)
    }

    /// Bytes on the heap.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.bytes.len()
    }
}

const NO_EXPIRY: u32 = u32::MAX;
const _: () = assert!(size_of::<Message>() <= 40);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_back_what_it_was_made_of() {
        let properties = [0x01, 1, 0x02, 0, 0, 0, 60, 0x26, 0, 1, b'k', 0, 1, b'v'];
        let message = Message::new("a/ü", &properties, b"hello", QoS::AtLeastOnce, true);
        assert_eq!(message.topic(), "a/ü");
        assert_eq!(message.topic_bytes(), "a/ü".as_bytes());
        assert_eq!(message.properties(), properties);
        assert_eq!(message.payload(), b"hello");
        assert_eq!((message.qos(), message.retain()), (QoS::AtLeastOnce, true));
        assert_eq!((message.expiry_s(), message.expiry_at()), (Some(60), Some(3)));
    }

    #[test]
    fn has_no_expiry_without_the_property() {
        let message = Message::new("a", &[], b"", QoS::AtMostOnce, false);
        assert_eq!((message.expiry_s(), message.expiry_at()), (None, None));
        assert_eq!(message.payload(), b"");
        assert_eq!(message.heap_bytes(), 1);
    }
}
