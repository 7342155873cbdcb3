//! UNSUBACK (MQTT 5, 3.11). It refuses to know what was deleted.

use crate::error::{TooLarge, Wrong};
use crate::packet_id::PacketId;
use crate::wire::property::Properties;
use crate::wire::property_table::Place;
use crate::wire::reader::Reader;
use crate::wire::reason_table::{Bearer, assert_listed, listed};
use crate::wire::writer::{Diagnostics, Writer, fit};
use crate::wire::{self, Version};

/// A received UNSUBACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsubAck<'a> {
    /// That of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// One reason code per filter, in the filters' order; empty in 3.1.1.
    pub reasons: &'a [u8],
    /// Reason string and user properties.
    pub properties: Properties<'a>,
}

impl<'a> UnsubAck<'a> {
    /// Decodes a body and checks each reason code (3.11.3-2).
    pub fn decode(body: &'a [u8], version: Version) -> Result<Self, Wrong> {
        let mut r = Reader::new(body);
        let packet_id = r.packet_id()?;
        if version == Version::V311 {
            r.end()?;
            return Ok(Self { packet_id, reasons: &[], properties: Properties::EMPTY });
        }
        let properties = Properties::parse(r.block()?, Place::UnsubAck)?;
        let reasons = r.rest;
        if reasons.is_empty() {
            return Err(Wrong::protocol("MQTT 5, 3.11.3-1", "no reason code"));
        }
        for &code in reasons {
            listed(Bearer::UnsubAck, code)?;
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
            let mut w = Writer::begin(out, wire::UNSUBACK << 4);
            w.u16(self.packet_id.get());
            if version == Version::V5 {
                w.properties(self.properties, keep);
                put_reasons(&mut w, self.reasons);
            }
            w.finish()
        })
    }
}

/// An UNSUBACK to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsubAckOut<'a> {
    /// That of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// One reason code per filter; not carried by 3.1.1.
    pub reasons: &'a [u8],
    /// Reason string and user properties.
    pub diagnostics: Diagnostics<'a>,
}

impl UnsubAckOut<'_> {
    /// Appends the packet within `packet_max` bytes (3.11.2-1, 3.11.2-2).
    pub fn encode(
        &self,
        version: Version,
        packet_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), TooLarge> {
        fit(out, packet_max, |out, keep| {
            let mut w = Writer::begin(out, wire::UNSUBACK << 4);
            w.u16(self.packet_id.get());
            if version == Version::V5 {
                let open = w.open();
                w.diagnostics(self.diagnostics, keep);
                w.close(open);
                put_reasons(&mut w, self.reasons);
            }
            w.finish()
        })
    }
}

fn put_reasons(w: &mut Writer<'_>, reasons: &[u8]) {
    reasons.iter().for_each(|&code| assert_listed(Bearer::UnsubAck, code));
    w.bytes(reasons);
}
