//! The hot path of sending: PUBLISH to a subscriber, bare acknowledgements, PINGRESP. It refuses
//! to know who the subscriber is and to check what was checked on the way in.

use crate::limits::{FIXED_HEADER_BYTES_MAX, TOPIC_BYTES_MAX};
use crate::packet_id::PacketId;
use crate::qos::QoS;
use crate::reason::Reason;
use crate::wire::ack::AckKind;
use crate::wire::reason_table::{Bearer, assert_listed};
use crate::wire::{self, Version, varint};

/// One PUBLISH to send. 3.1.1 ignores alias, subscription identifiers, properties and expiry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishOut<'a> {
    /// Version of the receiver.
    pub version: Version,
    /// Sent before; ignored with QoS 0 (3.3.1-2).
    pub dup: bool,
    /// Level to deliver with.
    pub qos: QoS,
    /// RETAIN flag for this receiver.
    pub retain: bool,
    /// A valid topic name.
    pub topic: &'a str,
    /// 0 with QoS 0, else never 0; may be patched later.
    pub packet_id: u16,
    /// 0 for none.
    pub alias: u16,
    /// False once the receiver knows the alias; only looked at with an alias.
    pub send_topic: bool,
    /// Identifiers of all matching subscriptions (3.3.4-3).
    pub subscription_ids: &'a [u32],
    /// Raw forwardable properties (`forward`).
    pub properties: &'a [u8],
    /// Offset of the Message Expiry value in `properties` and the seconds that are left.
    pub expiry: Option<(usize, u32)>,
    /// Payload.
    pub payload: &'a [u8],
}

impl PublishOut<'_> {
    /// Bytes of the whole packet, fixed header included.
    #[inline]
    pub fn len(&self) -> usize {
        let remaining = self.remaining();
        1 + varint::size(remaining as u32) + remaining
    }

    /// Never: a PUBLISH has at least four bytes.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// Appends the packet. Returns the offset in `out` of the packet identifier's first byte,
    /// meaningless with QoS 0. The whole packet must be within `limits::PACKET_BYTES_MAX` and the
    /// topic within 65,535 bytes, which whatever was decoded is.
    #[inline]
    pub fn encode(&self, out: &mut Vec<u8>) -> usize {
        let topic = self.topic_sent();
        debug_assert!(topic.len() <= TOPIC_BYTES_MAX);
        let remaining = self.remaining();
        out.reserve(FIXED_HEADER_BYTES_MAX + remaining);
        let [high, low] = (topic.len() as u16).to_be_bytes();
        if remaining < 0x80 {
            out.extend_from_slice(&[self.first(), remaining as u8, high, low]);
        } else {
            out.push(self.first());
            put_varint(out, remaining as u32);
            out.extend_from_slice(&[high, low]);
        }
        out.extend_from_slice(topic);
        let packet_id_at = out.len();
        if self.qos != QoS::AtMostOnce {
            out.extend_from_slice(&self.packet_id.to_be_bytes());
        }
        if self.version == Version::V5 {
            self.encode_properties(out);
        }
        out.extend_from_slice(self.payload);
        packet_id_at
    }

    #[inline]
    fn first(&self) -> u8 {
        let dup = self.dup && self.qos != QoS::AtMostOnce;
        wire::PUBLISH << 4 | u8::from(dup) << 3 | self.qos.bits() << 1 | u8::from(self.retain)
    }

    #[inline]
    fn topic_sent(&self) -> &[u8] {
        let known = self.alias != 0 && !self.send_topic && self.version == Version::V5;
        if known { &[] } else { self.topic.as_bytes() }
    }

    #[inline]
    fn remaining(&self) -> usize {
        let id = if self.qos == QoS::AtMostOnce { 0 } else { 2 };
        let block = match self.version {
            Version::V311 => 0,
            Version::V5 => {
                let len = self.properties_len();
                varint::size(len as u32) + len
            }
        };
        2 + self.topic_sent().len() + id + block + self.payload.len()
    }

    #[inline]
    fn properties_len(&self) -> usize {
        let alias = if self.alias == 0 { 0 } else { 3 };
        let ids: usize = self.subscription_ids.iter().map(|&id| 1 + varint::size(id)).sum();
        alias + ids + self.properties.len()
    }

    #[inline]
    fn encode_properties(&self, out: &mut Vec<u8>) {
        let len = self.properties_len();
        put_varint(out, len as u32);
        if len == 0 {
            return;
        }
        if self.alias != 0 {
            out.push(0x23);
            out.extend_from_slice(&self.alias.to_be_bytes());
        }
        for &id in self.subscription_ids {
            out.push(0x0B);
            put_varint(out, id);
        }
        let start = out.len();
        out.extend_from_slice(self.properties);
        if let Some((at, left_s)) = self.expiry
            && let Some(value) = out.get_mut(start + at..start + at + 4)
        {
            value.copy_from_slice(&left_s.to_be_bytes());
        }
    }
}

/// Appends a bare acknowledgement: four bytes for success and always in 3.1.1, which has no
/// reason to give (an error there means to close instead); five with a reason.
#[inline]
pub fn ack(out: &mut Vec<u8>, version: Version, kind: AckKind, id: PacketId, reason: Reason) {
    let [high, low] = id.get().to_be_bytes();
    if reason == Reason::SUCCESS || version == Version::V311 {
        out.extend_from_slice(&[kind.first(), 2, high, low]);
    } else {
        assert_listed(Bearer::Ack(kind), reason.code());
        out.extend_from_slice(&[kind.first(), 3, high, low, reason.code()]);
    }
}

#[inline]
fn put_varint(out: &mut Vec<u8>, value: u32) {
    if value < 0x80 {
        out.push(value as u8);
    } else {
        out.extend_from_slice(&varint::bytes(value)[..varint::size(value)]);
    }
}

/// The whole PINGREQ.
pub const PINGREQ: [u8; 2] = [0xC0, 0];

/// The whole PINGRESP.
pub const PINGRESP: [u8; 2] = [0xD0, 0];
