//! The will inside a CONNECT (MQTT 5, 3.1.3.2 to 3.1.3.4). It refuses to know when it is sent.

use crate::error::Wrong;
use crate::qos::QoS;
use crate::topic::find_special;
use crate::wire::Version;
use crate::wire::forward::{Forward, publish_forward};
use crate::wire::property::{Properties, Property};
use crate::wire::property_table::Place;
use crate::wire::reader::Reader;
use crate::wire::writer::Writer;

/// What is to be published when the connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Will<'a> {
    /// Level to publish with.
    pub qos: QoS,
    /// Publish as retained.
    pub retain: bool,
    /// A valid topic name.
    pub topic: &'a str,
    /// Up to 65,535 bytes.
    pub payload: &'a [u8],
    /// Will Delay Interval in seconds, 0 when absent.
    pub delay_s: u32,
    /// Message Expiry Interval in seconds.
    pub expiry: Option<u32>,
    /// All will properties. When encoding, `delay_s` and `expiry` hold and the same properties in
    /// here are passed over.
    pub properties: Properties<'a>,
}

impl<'a> Will<'a> {
    /// Everything but the Will Delay Interval, to be published with the will (3.1.3-10).
    pub fn forward(&self, scratch: &'a mut Vec<u8>) -> Forward<'a> {
        publish_forward(self.properties, scratch)
    }

    pub(crate) fn decode(
        r: &mut Reader<'a>,
        qos: QoS,
        retain: bool,
        version: Version,
    ) -> Result<Self, Wrong> {
        let (mut delay_s, mut expiry) = (0, None);
        let properties = match version {
            Version::V311 => Properties::EMPTY,
            Version::V5 => {
                Properties::parse_with(r.block()?, Place::Will, |_, property| match property {
                    Property::WillDelay(seconds) => delay_s = seconds,
                    Property::MessageExpiry(seconds) => expiry = Some(seconds),
                    _ => {}
                })?
                .0
            }
        };
        let topic = r.string()?;
        if topic.is_empty() {
            return Err(Wrong::malformed("MQTT 5, 4.7.3-1", "will topic is empty"));
        }
        if find_special(topic.as_bytes()).is_some() {
            return Err(Wrong::malformed("MQTT 5, 4.7.0-1", "will topic contains a wildcard"));
        }
        let payload = r.binary()?;
        Ok(Self { qos, retain, topic, payload, delay_s, expiry, properties })
    }

    pub(crate) fn encode(&self, version: Version, w: &mut Writer<'_>) {
        if version == Version::V5 {
            let open = w.open();
            if self.delay_s > 0 {
                w.property(Property::WillDelay(self.delay_s));
            }
            w.property_opt(self.expiry.map(Property::MessageExpiry));
            self.properties.write_if(w.out, |property| {
                !matches!(property, Property::WillDelay(_) | Property::MessageExpiry(_))
            });
            w.close(open);
        }
        w.string(self.topic);
        w.binary(self.payload);
    }
}
