//! What is published, wherever it lies: part of a message and of a will. Refuses to know who
//! published it and how long it holds.

use super::reader::{Fault, text};
use mqtt::message::Message;
use mqtt::qos::QoS;
use mqtt::topic::TopicName;
use mqtt::wire::{Place, Properties, Property};

/// The content of one PUBLISH, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content<'a> {
    /// A valid topic name.
    pub topic: &'a str,
    /// Raw forwardable properties: without topic alias and subscription identifiers.
    pub properties: &'a [u8],
    /// The payload.
    pub payload: &'a [u8],
    /// QoS as published.
    pub qos: QoS,
    /// RETAIN as published.
    pub retain: bool,
}

impl<'a> Content<'a> {
    /// The content of a message that somebody keeps.
    pub fn of(message: &'a Message) -> Self {
        Self {
            topic: message.topic(),
            properties: message.properties(),
            payload: message.payload(),
            qos: message.qos(),
            retain: message.retain(),
        }
    }

    /// An owned message: the one copy that is made of what was read.
    pub fn to_message(&self) -> Message {
        Message::new(self.topic, self.properties, self.payload, self.qos, self.retain)
    }

    /// QoS (bits 0 and 1) and RETAIN (bit 2).
    pub(super) fn flags(&self) -> u8 {
        self.qos.bits() | u8::from(self.retain) << 2
    }

    /// The other side of [`flags`](Self::flags), with the parts as they lay in the payload. Checks
    /// everything that nobody behind it checks again.
    pub(super) fn parse(
        flags: u8,
        topic: &'a [u8],
        properties: &'a [u8],
        payload: &'a [u8],
    ) -> Result<Self, Fault> {
        let qos = QoS::from_bits(flags & 3).ok_or(Fault::Malformed("a QoS of 3"))?;
        let retain = flags & 4 != 0;
        let topic = TopicName::parse(text(topic)?).map_err(|e| Fault::Malformed(e.what()))?;
        if !properties.is_empty() {
            let block = Properties::parse(properties, Place::Publish);
            let block = block.map_err(|wrong| Fault::Malformed(wrong.what))?;
            if !block.iter().all(|property| is_forwardable(&property)) {
                return Err(Fault::Malformed("a property that is not passed on"));
            }
        }
        Ok(Self { topic: topic.as_str(), properties, payload, qos, retain })
    }
}

fn is_forwardable(property: &Property<'_>) -> bool {
    !matches!(property, Property::TopicAlias(_) | Property::SubscriptionId(_))
}
