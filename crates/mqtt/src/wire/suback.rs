//! SUBACK (MQTT 5, 3.9). It refuses to know what was granted why.

use crate::error::{TooLarge, Wrong};
use crate::packet_id::PacketId;
use crate::wire::property::Properties;
use crate::wire::property_table::Place;
use crate::wire::reader::Reader;
use crate::wire::reason_table::{Bearer, assert_listed, listed};
use crate::wire::writer::{Diagnostics, Writer, fit};
use crate::wire::{self, Version};

/// A received SUBACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubAck<'a> {
    /// That of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// One reason code per filter, in the filters' order: granted QoS 0 to 2 or an error.
    pub reasons: &'a [u8],
    /// Reason string and user properties.
    pub properties: Properties<'a>,
}

impl<'a> SubAck<'a> {
    /// Decodes a body and checks each reason code (3.9.3-2).
    pub fn decode(body: &'a [u8], version: Version) -> Result<Self, Wrong> {
        let mut r = Reader::new(body);
        let packet_id = r.packet_id()?;
        let properties = match version {
            Version::V311 => Properties::EMPTY,
            Version::V5 => Properties::parse(r.block()?, Place::SubAck)?,
        };
        let reasons = r.rest;
        if reasons.is_empty() {
            return Err(Wrong::protocol("MQTT 5, 3.8.4-6", "no reason code"));
        }
        for &code in reasons {
            listed(Bearer::SubAck, code)?;
            if version == Version::V311 && code > 0x80 {
                return Err(Wrong::protocol("MQTT 3.1.1, 3.9.3-2", "return code is reserved"));
            }
        }
        Ok(Self { packet_id, reasons, properties })
    }

    /// Appends the packet within `packet_max` bytes, shedding diagnostics if it must.
    pub fn encode(
        &self,
        version: Version,
        packet_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), TooLarge> {
        fit(out, packet_max, |out, keep| {
            let mut w = Writer::begin(out, wire::SUBACK << 4);
            w.u16(self.packet_id.get());
            if version == Version::V5 {
                w.properties(self.properties, keep);
            }
            put_reasons(&mut w, self.reasons, version);
            w.finish()
        })
    }
}

/// A SUBACK to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubAckOut<'a> {
    /// That of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// One reason code per filter; every error becomes 0x80 in 3.1.1.
    pub reasons: &'a [u8],
    /// Reason string and user properties.
    pub diagnostics: Diagnostics<'a>,
}

impl SubAckOut<'_> {
    /// Appends the packet within `packet_max` bytes (3.9.2-1, 3.9.2-2).
    pub fn encode(
        &self,
        version: Version,
        packet_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), TooLarge> {
        fit(out, packet_max, |out, keep| {
            let mut w = Writer::begin(out, wire::SUBACK << 4);
            w.u16(self.packet_id.get());
            if version == Version::V5 {
                let open = w.open();
                w.diagnostics(self.diagnostics, keep);
                w.close(open);
            }
            put_reasons(&mut w, self.reasons, version);
            w.finish()
        })
    }
}

fn put_reasons(w: &mut Writer<'_>, reasons: &[u8], version: Version) {
    reasons.iter().for_each(|&code| assert_listed(Bearer::SubAck, code));
    match version {
        Version::V5 => w.bytes(reasons),
        Version::V311 => reasons.iter().for_each(|&code| w.u8(code.min(0x80))),
    }
}
