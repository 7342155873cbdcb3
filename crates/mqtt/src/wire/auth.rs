//! AUTH (MQTT 5, 3.15). It refuses to know any authentication method.

use crate::error::{TooLarge, Wrong};
use crate::reason::Reason;
use crate::wire::property::{Properties, Property};
use crate::wire::property_table::Place;
use crate::wire::reader::Reader;
use crate::wire::reason_table::{Bearer, assert_listed, listed};
use crate::wire::writer::{Diagnostics, Writer, fit};
use crate::wire::{self, Version};

/// A received AUTH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Success, continue authentication or re-authenticate.
    pub reason: Reason,
    /// Authentication Method; absent only in the empty packet, which means success.
    pub method: Option<&'a str>,
    /// Authentication Data.
    pub data: Option<&'a [u8]>,
    /// All properties. When encoding, `method` and `data` hold and their like in here is passed
    /// over.
    pub properties: Properties<'a>,
}

impl<'a> Auth<'a> {
    /// Decodes a body. MQTT 3.1.1 has no such packet.
    pub fn decode(body: &'a [u8], version: Version) -> Result<Self, Wrong> {
        if version == Version::V311 {
            return Err(NOT_IN_V311);
        }
        let (mut method, mut data) = (None, None);
        if body.is_empty() {
            let reason = Reason::SUCCESS;
            return Ok(Self { reason, method, data, properties: Properties::EMPTY });
        }
        let mut r = Reader::new(body);
        let reason = listed(Bearer::Auth, r.u8()?)?;
        let (properties, _) =
            Properties::parse_with(r.block()?, Place::Auth, |_, property| match property {
                Property::AuthenticationMethod(name) => method = Some(name),
                Property::AuthenticationData(bytes) => data = Some(bytes),
                _ => {}
            })?;
        r.end()?;
        if method.is_none() {
            return Err(NO_METHOD);
        }
        Ok(Self { reason, method, data, properties })
    }

    /// Appends the packet within `packet_max` bytes, shedding diagnostics if it must.
    pub fn encode(&self, packet_max: usize, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        fit(out, packet_max, |out, keep| {
            let kept = |property: &Property<'_>| {
                use Property::{AuthenticationData, AuthenticationMethod};
                keep.keeps(property)
                    && !matches!(property, AuthenticationMethod(_) | AuthenticationData(_))
            };
            let mut w = Writer::begin(out, wire::AUTH << 4);
            if self.reason != Reason::SUCCESS || self.method.is_some() {
                w.u8(self.reason.code());
                let open = w.open();
                w.property_opt(self.method.map(Property::AuthenticationMethod));
                w.property_opt(self.data.map(Property::AuthenticationData));
                self.properties.write_if(w.out, kept);
                w.close(open);
            }
            w.finish()
        })
    }
}

/// An AUTH to send; only in MQTT 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthOut<'a> {
    /// Success, continue authentication or re-authenticate.
    pub reason: Reason,
    /// The method of CONNECT (4.12.0-5).
    pub method: &'a str,
    /// Data of that method.
    pub data: Option<&'a [u8]>,
    /// Reason string and user properties.
    pub diagnostics: Diagnostics<'a>,
}

impl AuthOut<'_> {
    /// Appends the packet within `packet_max` bytes (3.15.2-2, 3.15.2-3).
    pub fn encode(&self, packet_max: usize, out: &mut Vec<u8>) -> Result<(), TooLarge> {
        fit(out, packet_max, |out, keep| {
            assert_listed(Bearer::Auth, self.reason.code());
            let mut w = Writer::begin(out, wire::AUTH << 4);
            w.u8(self.reason.code());
            let open = w.open();
            w.property(Property::AuthenticationMethod(self.method));
            w.property_opt(self.data.map(Property::AuthenticationData));
            w.diagnostics(self.diagnostics, keep);
            w.close(open);
            w.finish()
        })
    }
}

const NOT_IN_V311: Wrong = Wrong::malformed("MQTT 3.1.1, 2.2.1", "packet type 15 is reserved");
const NO_METHOD: Wrong = Wrong::protocol("MQTT 5, 3.15.2.2.2", "no authentication method in AUTH");
