//! PUBLISH as received, and as a client sends it (MQTT 5, 3.3). The hot path for sending is
//! `encoder`. It refuses to know aliases' meaning and who may publish.

use crate::error::{TooLarge, Wrong};
use crate::packet_id::PacketId;
use crate::qos::QoS;
use crate::topic::find_special;
use crate::wire::forward::{Forward, publish_forward};
use crate::wire::property::{Properties, Property};
use crate::wire::property_table::Place;
use crate::wire::reader::{ENDS_EARLY, HAS_NUL, NOT_UTF8, PACKET_ID_ZERO, Reader};
use crate::wire::writer::Writer;
use crate::wire::{self, Version};

/// An application message on its way in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publish<'a> {
    /// Sent before; never with QoS 0.
    pub dup: bool,
    /// Level.
    pub qos: QoS,
    /// To be retained, or sent because retained.
    pub retain: bool,
    /// UTF-8 without U+0000 and wildcards; empty only in MQTT 5 with an alias.
    pub topic: &'a str,
    /// Present exactly when QoS > 0.
    pub packet_id: Option<PacketId>,
    /// Topic Alias, 0 for none.
    pub alias: u16,
    /// Message Expiry Interval in seconds.
    pub expiry: Option<u32>,
    /// Subscription identifiers are among the properties: only a server may send them (3.3.4-6).
    pub has_subscription_id: bool,
    /// All properties. When encoding, `alias` and `expiry` hold and their like in here is passed
    /// over.
    pub properties: Properties<'a>,
    /// The rest of the packet.
    pub payload: &'a [u8],
    /// Offset of the packet identifier in the body, 0 with QoS 0.
    pub packet_id_at: usize,
}

impl<'a> Publish<'a> {
    /// Decodes a body; `first` is the first byte of the packet. The payload's format is not
    /// looked at.
    #[inline(always)]
    pub fn decode(first: u8, body: &'a [u8], version: Version) -> Result<Self, Wrong> {
        let qos = QoS::from_bits(first >> 1 & 3).ok_or(QOS_3)?;
        let dup = first & 0x08 != 0;
        if dup && qos == QoS::AtMostOnce {
            return Err(DUP_QOS_0);
        }
        let (topic_len, rest) = body.split_first_chunk().ok_or(ENDS_EARLY)?;
        let topic_len = usize::from(u16::from_be_bytes(*topic_len));
        let (topic, rest) = rest.split_at_checked(topic_len).ok_or(ENDS_EARLY)?;
        let topic = topic_name(topic)?;
        let (packet_id, packet_id_at, mut rest) = if qos == QoS::AtMostOnce {
            (None, 0, rest)
        } else {
            let (id, rest) = rest.split_first_chunk().ok_or(ENDS_EARLY)?;
            let id = PacketId::new(u16::from_be_bytes(*id)).ok_or(PACKET_ID_ZERO)?;
            (Some(id), 2 + topic_len, rest)
        };
        let mut block = Block::default();
        if version == Version::V5 {
            match rest {
                [0, payload @ ..] => rest = payload,
                _ => (block, rest) = Block::read(rest)?,
            }
        }
        if topic.is_empty() && block.alias == 0 {
            return Err(no_topic(version));
        }
        Ok(Self {
            dup,
            qos,
            retain: first & 1 != 0,
            topic,
            packet_id,
            alias: block.alias,
            expiry: block.expiry,
            has_subscription_id: block.has_subscription_id,
            properties: block.properties,
            payload: rest,
            packet_id_at,
        })
    }

    /// What to pass on of the properties; borrows unless something has to be taken out.
    #[inline]
    pub fn forward(&self, scratch: &'a mut Vec<u8>) -> Forward<'a> {
        if self.properties.is_empty() {
            return Forward::default();
        }
        publish_forward(self.properties, scratch)
    }

    /// False if the Payload Format Indicator promises UTF-8 and the payload is not (MQTT 5,
    /// 3.3.2.3.2): a server may then answer 0x99.
    pub fn payload_is_utf8(&self) -> bool {
        self.properties.payload_format() != Some(1) || std::str::from_utf8(self.payload).is_ok()
    }

    /// Appends the packet; a packet identifier is written exactly when QoS > 0 and `packet_id` is
    /// given. `Err`, and nothing written, if the topic or a string is over 65,535 bytes.
    ///
    /// # Panics
    /// With QoS > 0 and no packet identifier.
    pub fn encode(&self, version: Version, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        let dup = self.dup && self.qos != QoS::AtMostOnce;
        let flags = u8::from(dup) << 3 | self.qos.bits() << 1 | u8::from(self.retain);
        let mut w = Writer::begin(out, wire::PUBLISH << 4 | flags);
        w.string(self.topic);
        if self.qos != QoS::AtMostOnce {
            w.u16(self.packet_id.expect("QoS > 0 comes with a packet identifier").get());
        }
        if version == Version::V5 {
            let open = w.open();
            if self.alias != 0 {
                w.property(Property::TopicAlias(self.alias));
            }
            w.property_opt(self.expiry.map(Property::MessageExpiry));
            self.properties.write_if(w.out, |property| {
                !matches!(property, Property::TopicAlias(_) | Property::MessageExpiry(_))
            });
            w.close(open);
        }
        w.bytes(self.payload);
        w.finish()
    }
}

#[derive(Default)]
struct Block<'a> {
    alias: u16,
    expiry: Option<u32>,
    has_subscription_id: bool,
    properties: Properties<'a>,
}

impl<'a> Block<'a> {
    /// Length and properties at the front of `rest`, and what is behind them.
    #[inline(never)]
    fn read(rest: &'a [u8]) -> Result<(Self, &'a [u8]), Wrong> {
        let mut r = Reader::new(rest);
        let raw = r.block()?;
        let (mut alias, mut expiry) = (0, None);
        let (properties, seen) =
            Properties::parse_with(raw, Place::Publish, |_, property| match property {
                Property::TopicAlias(value) => alias = value,
                Property::MessageExpiry(seconds) => expiry = Some(seconds),
                _ => {}
            })?;
        let has_subscription_id = seen.has(0x0B);
        Ok((Self { alias, expiry, has_subscription_id, properties }, r.rest))
    }
}

/// UTF-8 without U+0000, `+` and `#`; may be empty.
#[inline(always)]
fn topic_name(bytes: &[u8]) -> Result<&str, Wrong> {
    match find_special(bytes) {
        None => std::str::from_utf8(bytes).map_err(|_| NOT_UTF8),
        Some(0) => Err(HAS_NUL),
        Some(_) => Err(WILDCARD),
    }
}

#[cold]
fn no_topic(version: Version) -> Wrong {
    match version {
        Version::V311 => Wrong::malformed("MQTT 3.1.1, 4.7.3-1", "topic name is empty"),
        Version::V5 => {
            Wrong::protocol("MQTT 5, 3.3.2.1", "topic name is empty and there is no topic alias")
        }
    }
}

const QOS_3: Wrong = Wrong::malformed("MQTT 5, 3.3.1-4", "QoS is 3");
const DUP_QOS_0: Wrong = Wrong::malformed("MQTT 5, 3.3.1-2", "DUP is set with QoS 0");
const WILDCARD: Wrong = Wrong::malformed("MQTT 5, 3.3.2-2", "topic name contains a wildcard");
