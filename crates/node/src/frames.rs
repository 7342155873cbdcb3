//! One PUBLISH encoded once for each shape that receivers need: protocol version, and with or
//! without a packet identifier. First byte and identifier are patched in each copy.

use crate::source::Source;
use mqtt::qos::QoS;
use mqtt::wire::Version;
use mqtt::wire::encoder::PublishOut;

/// The encoded shapes of the message at hand. The buffer is used again for the next one.
#[derive(Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
    shapes: [Option<Shape>; 4],
}

/// Where an encoded packet lies.
#[derive(Clone, Copy)]
struct Shape {
    start: usize,
    end: usize,
    packet_id_at: usize,
}

/// A packet to copy and patch.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a> {
    pub bytes: &'a [u8],
    /// Offset of the packet identifier; meaningless at QoS 0.
    pub packet_id_at: usize,
}

impl Frames {
    /// Forgets the last message.
    #[inline]
    pub fn clear(&mut self) {
        if !self.bytes.is_empty() {
            self.bytes.clear();
            self.shapes = [None; 4];
        }
    }

    /// The packet for receivers of `version` at `qos`; the bytes as received when they fit.
    #[inline]
    pub fn frame<'f>(&'f mut self, s: &Source<'f>, version: Version, qos: QoS) -> Frame<'f> {
        let identified = qos > QoS::AtMostOnce;
        if let Some(raw) = s.raw
            && raw.version == version
            && identified == (s.qos > QoS::AtMostOnce)
        {
            return Frame { bytes: raw.bytes, packet_id_at: raw.packet_id_at };
        }
        let at = usize::from(version == Version::V5) * 2 + usize::from(identified);
        let shape = match self.shapes[at] {
            Some(shape) => shape,
            None => self.encode(s, version, qos, at),
        };
        Frame { bytes: &self.bytes[shape.start..shape.end], packet_id_at: shape.packet_id_at }
    }

    fn encode(&mut self, s: &Source<'_>, version: Version, qos: QoS, at: usize) -> Shape {
        let start = self.bytes.len();
        let packet = PublishOut {
            version,
            dup: false,
            qos,
            retain: false,
            topic: s.topic,
            // Patched in each copy.
            packet_id: 1,
            alias: 0,
            send_topic: true,
            subscription_ids: &[],
            properties: s.properties,
            expiry: None,
            payload: s.payload,
        };
        let packet_id_at = packet.encode(&mut self.bytes).saturating_sub(start);
        let shape = Shape { start, end: self.bytes.len(), packet_id_at };
        self.shapes[at] = Some(shape);
        shape
    }
}

/// Appends `frame` with its first byte and identifier set; gives nothing back, cannot fail.
#[inline]
pub(crate) fn append(out: &mut Vec<u8>, frame: Frame<'_>, qos: QoS, retain: bool, id: u16) {
    let at = out.len();
    out.extend_from_slice(frame.bytes);
    out[at] = 0x30 | (qos.bits() << 1) | u8::from(retain);
    if qos > QoS::AtMostOnce {
        out[at + frame.packet_id_at..][..2].copy_from_slice(&id.to_be_bytes());
    }
}
