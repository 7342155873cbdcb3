//! PUBACK, PUBREC, PUBREL and PUBCOMP, which share one form (MQTT 5, 3.4 to 3.7). It refuses to
//! know which is due when.

use crate::error::{TooLarge, Wrong};
use crate::packet_id::PacketId;
use crate::reason::Reason;
use crate::wire::property::Properties;
use crate::wire::property_table::Place;
use crate::wire::reader::Reader;
use crate::wire::reason_table::{Bearer, assert_listed, listed};
use crate::wire::writer::{Diagnostics, Writer, fit};
use crate::wire::{self, Version};

/// Which of the four.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AckKind {
    /// Answer to QoS 1.
    PubAck,
    /// First answer to QoS 2.
    PubRec,
    /// The sender's second step of QoS 2.
    PubRel,
    /// Last answer to QoS 2.
    PubComp,
}

impl AckKind {
    /// First byte of the packet; PUBREL has the flags 0010 (3.6.1-1).
    #[inline]
    pub const fn first(self) -> u8 {
        match self {
            Self::PubAck => wire::PUBACK << 4,
            Self::PubRec => wire::PUBREC << 4,
            Self::PubRel => wire::PUBREL << 4 | 2,
            Self::PubComp => wire::PUBCOMP << 4,
        }
    }
}

/// A received acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack<'a> {
    /// That of the PUBLISH.
    pub packet_id: PacketId,
    /// Always success in 3.1.1.
    pub reason: Reason,
    /// Reason string and user properties.
    pub properties: Properties<'a>,
}

impl<'a> Ack<'a> {
    /// Decodes a body; without a reason code it reports success.
    #[inline]
    pub fn decode(kind: AckKind, body: &'a [u8], version: Version) -> Result<Self, Wrong> {
        let mut r = Reader::new(body);
        let packet_id = r.packet_id()?;
        if r.rest.is_empty() {
            let (reason, properties) = (Reason::SUCCESS, Properties::EMPTY);
            return Ok(Self { packet_id, reason, properties });
        }
        Self::decode_rest(kind, packet_id, r, version)
    }

    fn decode_rest(
        kind: AckKind,
        packet_id: PacketId,
        mut r: Reader<'a>,
        version: Version,
    ) -> Result<Self, Wrong> {
        if version == Version::V311 {
            r.end()?;
        }
        let reason = listed(Bearer::Ack(kind), r.u8()?)?;
        let properties = if r.rest.is_empty() {
            Properties::EMPTY
        } else {
            Properties::parse(r.block()?, Place::Ack)?
        };
        r.end()?;
        Ok(Self { packet_id, reason, properties })
    }

    /// Appends the packet in its shortest form within `packet_max` bytes, shedding diagnostics if
    /// it must. 3.1.1 has neither reason nor properties.
    pub fn encode(
        &self,
        kind: AckKind,
        version: Version,
        packet_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), TooLarge> {
        fit(out, packet_max, |out, keep| {
            let bare = self.properties.is_empty_kept(keep);
            let mut w = head(out, kind, self.packet_id, self.reason, version, bare);
            if version == Version::V5 && !bare {
                w.properties(self.properties, keep);
            }
            w.finish()
        })
    }
}

/// An acknowledgement to send with diagnostics; without any, `encoder::ack` is quicker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckOut<'a> {
    /// That of the PUBLISH.
    pub packet_id: PacketId,
    /// Not carried by 3.1.1.
    pub reason: Reason,
    /// Reason string and user properties.
    pub diagnostics: Diagnostics<'a>,
}

impl AckOut<'_> {
    /// Appends the packet in its shortest form within `packet_max` bytes (3.4.2-2, 3.4.2-3 and
    /// their like).
    pub fn encode(
        &self,
        kind: AckKind,
        version: Version,
        packet_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), TooLarge> {
        fit(out, packet_max, |out, keep| {
            let bare = self.diagnostics.is_empty_kept(keep);
            let mut w = head(out, kind, self.packet_id, self.reason, version, bare);
            if version == Version::V5 && !bare {
                let open = w.open();
                w.diagnostics(self.diagnostics, keep);
                w.close(open);
            }
            w.finish()
        })
    }
}

fn head(
    out: &mut Vec<u8>,
    kind: AckKind,
    packet_id: PacketId,
    reason: Reason,
    version: Version,
    bare: bool,
) -> Writer<'_> {
    let mut w = Writer::begin(out, kind.first());
    w.u16(packet_id.get());
    if version == Version::V5 && !(bare && reason == Reason::SUCCESS) {
        assert_listed(Bearer::Ack(kind), reason.code());
        w.u8(reason.code());
    }
    w
}
