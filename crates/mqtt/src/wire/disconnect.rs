//! DISCONNECT (MQTT 5, 3.14). It refuses to know what ends with it.

use crate::error::{TooLarge, Wrong};
use crate::reason::Reason;
use crate::wire::property::{Properties, Property};
use crate::wire::property_table::Place;
use crate::wire::reader::Reader;
use crate::wire::reason_table::{Bearer, assert_listed, listed};
use crate::wire::writer::{Diagnostics, Writer, fit};
use crate::wire::{self, Version};

/// A received DISCONNECT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disconnect<'a> {
    /// Always normal disconnection in 3.1.1.
    pub reason: Reason,
    /// New Session Expiry Interval in seconds. Only a client may send it (3.14.2-2).
    pub session_expiry: Option<u32>,
    /// All properties. When encoding, `session_expiry` holds and its like in here is passed over.
    pub properties: Properties<'a>,
}

impl<'a> Disconnect<'a> {
    /// Decodes a body; an empty one is a normal disconnection.
    pub fn decode(body: &'a [u8], version: Version) -> Result<Self, Wrong> {
        let mut r = Reader::new(body);
        let mut session_expiry = None;
        if version == Version::V311 {
            r.end()?;
        }
        if r.rest.is_empty() {
            let reason = Reason::NORMAL_DISCONNECTION;
            return Ok(Self { reason, session_expiry, properties: Properties::EMPTY });
        }
        let reason = listed(Bearer::Disconnect, r.u8()?)?;
        let raw = if r.rest.is_empty() { &[] } else { r.block()? };
        let (properties, _) = Properties::parse_with(raw, Place::Disconnect, |_, property| {
            if let Property::SessionExpiry(seconds) = property {
                session_expiry = Some(seconds);
            }
        })?;
        r.end()?;
        Ok(Self { reason, session_expiry, properties })
    }

    /// Appends the packet in its shortest form within `packet_max` bytes, shedding diagnostics if
    /// it must.
    pub fn encode(
        &self,
        version: Version,
        packet_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), TooLarge> {
        fit(out, packet_max, |out, keep| {
            let kept = |property: &Property<'_>| {
                keep.keeps(property) && !matches!(property, Property::SessionExpiry(_))
            };
            let bare = self.session_expiry.is_none() && !self.properties.iter().any(|p| kept(&p));
            let mut w = head(out, self.reason, version, bare);
            if version == Version::V5 && !bare {
                let open = w.open();
                w.property_opt(self.session_expiry.map(Property::SessionExpiry));
                self.properties.write_if(w.out, kept);
                w.close(open);
            }
            w.finish()
        })
    }
}

/// A DISCONNECT to send. In 3.1.1 only clients send one, and it carries nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisconnectOut<'a> {
    /// Why.
    pub reason: Reason,
    /// Seconds; only for a client (3.14.2-2).
    pub session_expiry: Option<u32>,
    /// Another server to use.
    pub server_reference: Option<&'a str>,
    /// Reason string and user properties.
    pub diagnostics: Diagnostics<'a>,
}

impl DisconnectOut<'_> {
    /// A DISCONNECT without properties.
    pub const fn new(reason: Reason) -> Self {
        Self {
            reason,
            session_expiry: None,
            server_reference: None,
            diagnostics: Diagnostics::NONE,
        }
    }

    /// Appends the packet in its shortest form within `packet_max` bytes (3.14.2-3, 3.14.2-4).
    pub fn encode(
        &self,
        version: Version,
        packet_max: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), TooLarge> {
        fit(out, packet_max, |out, keep| {
            let bare = self.session_expiry.is_none()
                && self.server_reference.is_none()
                && self.diagnostics.is_empty_kept(keep);
            let mut w = head(out, self.reason, version, bare);
            if version == Version::V5 && !bare {
                let open = w.open();
                w.property_opt(self.session_expiry.map(Property::SessionExpiry));
                w.property_opt(self.server_reference.map(Property::ServerReference));
                w.diagnostics(self.diagnostics, keep);
                w.close(open);
            }
            w.finish()
        })
    }
}

fn head(out: &mut Vec<u8>, reason: Reason, version: Version, bare: bool) -> Writer<'_> {
    let mut w = Writer::begin(out, wire::DISCONNECT << 4);
    if version == Version::V5 && !(bare && reason == Reason::NORMAL_DISCONNECTION) {
        assert_listed(Bearer::Disconnect, reason.code());
        w.u8(reason.code());
    }
    w
}
